//! Signing in, up and out.

mod issuer;
mod limited;

use std::{fs, net::SocketAddr, path::Path};

use reqwest::Response;
use serde_json::{Value, json};

use crate::support::{Ask, Person, Process, SECRET, Skein, new_id};

const PASSWORD: &str = "correct horse";

/// Of that password, by `crypt` of libxcrypt.
const BCRYPT: &str = "$2b$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu";

/// How an export begins.
const EXPORT: &str = r#"{"skein_export":1,"of":"all"}"#;

async fn post(server: SocketAddr, path: &str, body: &Value) -> Response {
    Ask::post(path, body.to_string()).send(server).await
}

async fn json_of(answer: Response) -> Value {
    answer.json().await.unwrap()
}

/// What a sign-in answers, which must be 200.
async fn signed_in(server: SocketAddr, path: &str, body: &Value) -> Value {
    let answer = post(server, path, body).await;
    assert_eq!(answer.status(), 200, "{path}");
    json_of(answer).await
}

async fn registered(server: SocketAddr, email: &str) -> Value {
    let body = json!({"email": email, "password": PASSWORD});
    signed_in(server, "/api/auth/register", &body).await
}

async fn refreshed(server: SocketAddr, tokens: &Value) -> Response {
    let body = json!({"refresh_token": tokens["refresh_token"]});
    post(server, "/api/auth/refresh", &body).await
}

fn access(tokens: &Value) -> &str {
    tokens["access_token"].as_str().unwrap()
}

/// What `GET /api/auth/me` says to this token.
async fn me(server: SocketAddr, token: &str) -> u16 {
    let answer = Ask::get("/api/auth/me").token(token).send(server).await;
    answer.status().as_u16()
}

fn person(server: SocketAddr, tokens: &Value) -> Person {
    Person {
        server,
        id: tokens["user"]["id"].as_str().unwrap().to_owned(),
        token: access(tokens).to_owned(),
    }
}

/// An error in both shapes: the template reads `code`, others read `detail`.
async fn assert_refused(answer: Response, status: u16, code: &str) -> Value {
    assert_eq!(answer.status(), status, "{code}");
    let body = json_of(answer).await;
    assert_eq!(body["code"], code);
    assert!(
        body["detail"].is_string() && body["message"] == body["detail"],
        "{body}"
    );
    body
}

#[tokio::test]
async fn who_registers_is_signed_in_and_can_sign_in_again() {
    let skein = Skein::start();
    let new = registered(skein.address, "Ann@x.example").await;
    assert_eq!(new["token_type"], "bearer");
    assert_eq!(new["user"]["email"], "Ann@x.example");
    assert_eq!(new["user"]["type"], "regular");
    assert_eq!(new["expires_in"], 30 * 24 * 60 * 60);
    let keys: Vec<&String> = new.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "access_token",
            "expires_in",
            "refresh_token",
            "token_type",
            "user"
        ]
    );
    // Blanks around it and another case are the same address.
    for typed in ["Ann@x.example", " ann@X.EXAMPLE "] {
        let body = json!({"email": typed, "password": PASSWORD});
        let again = signed_in(skein.address, "/api/auth/login", &body).await;
        assert_eq!(again["user"], new["user"]);
        assert_eq!(me(skein.address, access(&again)).await, 200);
    }
    let answer = Ask::get("/api/auth/me")
        .token(access(&new))
        .send(skein.address)
        .await;
    assert_eq!(json_of(answer).await, new["user"]);
    // The first session goes on beside the later ones.
    assert_eq!(me(skein.address, access(&new)).await, 200);
}

#[tokio::test]
async fn a_body_is_json_whatever_its_type_says() {
    let skein = Skein::start();
    for kind in [
        "application/json",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
    ] {
        let body = json!({"email": format!("{}@x.example", new_id()), "password": PASSWORD, "name": "Ann"});
        let ask = Ask::post("/api/auth/register", body.to_string()).header("content-type", kind);
        assert_eq!(ask.send(skein.address).await.status(), 200, "{kind}");
    }
    let form = Ask::post(
        "/api/auth/login",
        "email=ann%40x.example&password=correct+horse",
    );
    assert_refused(form.send(skein.address).await, 400, "bad_request:auth").await;
}

#[tokio::test]
async fn an_address_that_is_taken_and_input_that_is_unfit_are_told() {
    let skein = Skein::start();
    let ann = json!({"email": "ann@x.example", "password": PASSWORD});
    signed_in(skein.address, "/api/auth/register", &ann).await;
    let answer = post(skein.address, "/api/auth/register", &ann).await;
    let told = assert_refused(answer, 400, "bad_request:auth").await;
    assert_eq!(told["detail"], "Another account has this e-mail address.");
    for (body, parameter) in [
        (
            json!({"email": "ann@x.example", "password": PASSWORD}),
            "email:",
        ),
        (
            json!({"email": "ANN@x.example", "password": PASSWORD}),
            "email:",
        ),
        (json!({"email": "ann", "password": PASSWORD}), "email:"),
        (
            json!({"email": "=ann@x.example", "password": PASSWORD}),
            "email:",
        ),
        (
            json!({"email": "guest-1765485481000", "password": PASSWORD}),
            "email:",
        ),
        (
            json!({"email": format!("{}@x.example", "a".repeat(60)), "password": PASSWORD}),
            "email:",
        ),
        (json!({"email": 7, "password": PASSWORD}), "email"),
        (json!({"password": PASSWORD}), "email:"),
        (
            json!({"email": "bob@x.example", "password": "12345"}),
            "password:",
        ),
        (
            json!({"email": "bob@x.example", "password": "a".repeat(1025)}),
            "password:",
        ),
        (json!({"email": "bob@x.example"}), "password:"),
    ] {
        let answer = post(skein.address, "/api/auth/register", &body).await;
        let told = assert_refused(answer, 400, "bad_request:auth").await;
        let cause = told["cause"].as_str().unwrap();
        assert!(cause.starts_with(parameter), "{body}: {cause}");
        assert!(!cause.contains("ann@x.example"), "{cause}");
    }
    for (path, body) in [
        ("/api/auth/register", "{"),
        ("/api/auth/login", "[]"),
        ("/api/auth/login", ""),
        ("/api/auth/refresh", "{}"),
    ] {
        let answer = Ask::post(path, body).send(skein.address).await;
        assert_refused(answer, 400, "bad_request:auth").await;
    }
    let long = json!({"email": "bob@x.example", "password": "a".repeat(1024)});
    signed_in(skein.address, "/api/auth/register", &long).await;
    signed_in(skein.address, "/api/auth/login", &long).await;
}

#[tokio::test]
async fn of_many_who_register_one_address_at_once_one_gets_it() {
    let skein = Skein::start();
    let body = json!({"email": "ann@x.example", "password": PASSWORD});
    let all = (0..8).map(|_| post(skein.address, "/api/auth/register", &body));
    let answers = futures_util::future::join_all(all).await;
    let mut statuses: Vec<u16> = answers
        .iter()
        .map(|answer| answer.status().as_u16())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
}

#[tokio::test]
async fn whatever_was_wrong_a_login_is_refused_in_the_same_words() {
    let skein = Skein::start();
    registered(skein.address, "ann@x.example").await;
    let guest = signed_in(skein.address, "/api/auth/guest", &json!({})).await;
    let guest = guest["user"]["email"].as_str().unwrap();
    let mut told = Vec::new();
    for (email, password) in [
        ("nobody@x.example", PASSWORD),
        ("ann@x.example", "another one"),
        ("ann@x.example", "x"),
        ("ann@x.example", "CORRECT HORSE"),
        (guest, PASSWORD),
        ("no address", PASSWORD),
        ("~https://login.example\n7", PASSWORD),
    ] {
        let body = json!({"email": email, "password": password});
        let answer = post(skein.address, "/api/auth/login", &body).await;
        let mut headers: Vec<String> = answer.headers().keys().map(ToString::to_string).collect();
        headers.sort();
        let body = assert_refused(answer, 401, "unauthorized:auth").await;
        told.push((headers, body));
    }
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:#?}");
    assert_eq!(
        told[0].1["detail"],
        "The e-mail address or the password is wrong."
    );
}

#[tokio::test]
async fn a_guest_needs_no_body_and_is_known_by_its_name() {
    let skein = Skein::start();
    let mut names = Vec::new();
    for body in ["", "{", r#"{"email":"ann@x.example"}"#] {
        let answer = Ask::post("/api/auth/guest", body).send(skein.address).await;
        assert_eq!(answer.status(), 200);
        let guest = json_of(answer).await;
        assert_eq!(guest["user"]["type"], "guest");
        let name = guest["user"]["email"].as_str().unwrap().to_owned();
        let digits = name.strip_prefix("guest-").unwrap();
        assert!(!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(me(skein.address, access(&guest)).await, 200);
        assert_eq!(refreshed(skein.address, &guest).await.status(), 200);
        names.push(name);
    }
    names.dedup();
    assert_eq!(names.len(), 3);
}

#[tokio::test]
async fn a_guest_who_registers_keeps_their_chats_and_loses_their_old_tokens() {
    let skein = Skein::start();
    let tokens = signed_in(skein.address, "/api/auth/guest", &json!({})).await;
    let guest = person(skein.address, &tokens);
    let chat = new_id();
    guest.talk(&chat, "Say three words.").await;
    let said = guest.messages(&chat).await;

    let body = json!({"email": "ann@x.example", "password": PASSWORD}).to_string();
    let answer = guest.ask(Ask::post("/api/auth/register", body)).await;
    assert_eq!(answer.status(), 200);
    let answer = json_of(answer).await;
    assert_eq!(
        answer["user"],
        json!({"id": guest.id, "email": "ann@x.example", "type": "regular"})
    );
    let ann = person(skein.address, &answer);
    assert_eq!(ann.messages(&chat).await, said);
    assert_eq!(ann.chats().await.len(), 1);
    assert_eq!(me(skein.address, &guest.token).await, 401);
    assert_eq!(refreshed(skein.address, &tokens).await.status(), 401);

    let login = json!({"email": "ann@x.example", "password": PASSWORD});
    let again = signed_in(skein.address, "/api/auth/login", &login).await;
    assert_eq!(again["user"], answer["user"]);
}

#[tokio::test]
async fn a_guest_whose_address_is_taken_stays_a_guest() {
    let skein = Skein::start();
    registered(skein.address, "ann@x.example").await;
    let guest = skein.guest().await;
    let body = json!({"email": "ann@x.example", "password": PASSWORD}).to_string();
    let answer = guest.ask(Ask::post("/api/auth/register", body)).await;
    assert_refused(answer, 400, "bad_request:auth").await;
    let still = guest.get("/api/auth/me").await;
    assert_eq!(still["type"], "guest");
}

#[tokio::test]
async fn other_headers_at_a_registration_are_passed_over() {
    let skein = Skein::start();
    let ann = registered(skein.address, "ann@x.example").await;
    for (number, header) in [
        format!("Bearer {}", access(&ann)),
        "Bearer nonsense".to_owned(),
        "Basic YTpi".to_owned(),
    ]
    .into_iter()
    .enumerate()
    {
        let body = json!({"email": format!("{number}@x.example"), "password": PASSWORD});
        let ask = Ask::post("/api/auth/register", body.to_string()).header("authorization", header);
        let answer = ask.send(skein.address).await;
        assert_eq!(answer.status(), 200);
        assert_ne!(json_of(answer).await["user"]["id"], ann["user"]["id"]);
    }
    assert_eq!(me(skein.address, access(&ann)).await, 200);
}

#[tokio::test]
async fn a_refresh_token_is_good_for_one_use_and_a_second_one_ends_the_session() {
    let skein = Skein::start_with(&[("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", "30")]);
    let first = registered(skein.address, "ann@x.example").await;
    let bystander = registered(skein.address, "bob@x.example").await;
    assert_eq!(first["expires_in"], 1800);
    skein.clock.move_by(40 * 60_000);
    assert_eq!(me(skein.address, access(&first)).await, 401);

    let answer = refreshed(skein.address, &first).await;
    assert_eq!(answer.status(), 200);
    let second = json_of(answer).await;
    assert_eq!(second["user"], first["user"]);
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(me(skein.address, access(&second)).await, 200);

    assert_refused(
        refreshed(skein.address, &first).await,
        401,
        "unauthorized:auth",
    )
    .await;
    assert_eq!(
        me(skein.address, access(&second)).await,
        401,
        "its thief's as well"
    );
    assert_eq!(refreshed(skein.address, &second).await.status(), 401);
    assert_eq!(refreshed(skein.address, &bystander).await.status(), 200);
}

#[tokio::test]
async fn what_is_no_refresh_token_is_refused_and_harms_nobody() {
    let skein = Skein::start();
    let ann = registered(skein.address, "ann@x.example").await;
    let of_nobody = format!("rt_{}.{}", new_id().replace('-', ""), "A".repeat(43));
    for token in ["x", "rt_", access(&ann), &of_nobody] {
        let body = json!({"refresh_token": token});
        let answer = post(skein.address, "/api/auth/refresh", &body).await;
        let told = assert_refused(answer, 401, "unauthorized:auth").await;
        assert_eq!(told["detail"], "Please sign in and try again.");
    }
    assert_eq!(refreshed(skein.address, &ann).await.status(), 200);
}

#[tokio::test]
async fn a_session_lives_as_long_as_its_refresh_token() {
    let skein = Skein::start_with(&[
        ("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", "30"),
        ("SKEIN_REFRESH_TOKEN_DAYS", "1"),
    ]);
    let day_ms = 24 * 60 * 60_000;
    let ann = registered(skein.address, "ann@x.example").await;
    skein.clock.move_by(day_ms - 1000);
    let next = json_of(refreshed(skein.address, &ann).await).await;
    skein.clock.move_by(day_ms - 1000);
    let last = json_of(refreshed(skein.address, &next).await).await;
    skein.clock.move_by(day_ms + 1000);
    assert_eq!(refreshed(skein.address, &last).await.status(), 401);
}

#[tokio::test]
async fn a_logout_ends_the_token_and_is_never_an_error() {
    let skein = Skein::start();
    let login = json!({"email": "ann@x.example", "password": PASSWORD});
    let first = registered(skein.address, "ann@x.example").await;
    let second = signed_in(skein.address, "/api/auth/login", &login).await;
    let third = signed_in(skein.address, "/api/auth/login", &login).await;

    for time in ["once", "again"] {
        let ask = Ask::post("/api/auth/logout", "").token(access(&first));
        let answer = ask.send(skein.address).await;
        assert_eq!(answer.status(), 200, "{time}");
        assert_eq!(answer.text().await.unwrap(), "{}", "{time}");
    }
    assert_eq!(me(skein.address, access(&first)).await, 401);
    assert_eq!(refreshed(skein.address, &first).await.status(), 401);
    let history = Ask::get("/api/history")
        .token(access(&first))
        .send(skein.address)
        .await;
    assert_refused(history, 401, "unauthorized:chat").await;
    assert_eq!(me(skein.address, access(&second)).await, 200);

    let body = json!({"refresh_token": second["refresh_token"]});
    assert_eq!(
        post(skein.address, "/api/auth/logout", &body)
            .await
            .status(),
        200
    );
    assert_eq!(me(skein.address, access(&second)).await, 401);
    assert_eq!(me(skein.address, access(&third)).await, 200);
    for body in ["", "{", "[]", r#"{"refresh_token":7}"#] {
        let answer = Ask::post("/api/auth/logout", body)
            .send(skein.address)
            .await;
        assert_eq!(answer.status(), 200, "{body}");
    }
}

#[tokio::test]
async fn the_session_is_told_to_whoever_polls_it() {
    let skein = Skein::start();
    let ann = registered(skein.address, "ann@x.example").await;
    let asked = |token: Option<&str>| {
        let ask = Ask::get("/api/auth/session");
        let ask = match token {
            Some(token) => ask.token(token),
            None => ask,
        };
        ask.send(skein.address)
    };
    let session = asked(Some(access(&ann))).await;
    assert_eq!(session.headers()["cache-control"], "no-store");
    assert_eq!(
        json_of(session).await,
        // 30 days after the clock's beginning, to the second.
        json!({"user": ann["user"], "expires": "2026-02-01T03:04:05.000Z"})
    );
    for nobody in [None, Some("nonsense"), Some("a.b.c")] {
        let answer = asked(nobody).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.text().await.unwrap(), "null");
    }
    Ask::post("/api/auth/logout", "")
        .token(access(&ann))
        .send(skein.address)
        .await;
    assert_eq!(
        asked(Some(access(&ann))).await.text().await.unwrap(),
        "null"
    );
    let nobody = Ask::get("/api/auth/me").send(skein.address).await;
    let told = assert_refused(nobody, 401, "unauthorized:auth").await;
    assert_eq!(told["detail"], "Please sign in and try again.");
}

#[tokio::test]
async fn nothing_sets_a_cookie_and_a_cookie_is_nobody() {
    let skein = Skein::start();
    let body = json!({"email": "ann@x.example", "password": PASSWORD});
    let answer = post(skein.address, "/api/auth/register", &body).await;
    assert!(!answer.headers().contains_key("set-cookie"));
    let tokens = json_of(answer).await;
    let cookie = format!(
        "chatapp_token={0}; authjs.session-token={0}",
        access(&tokens)
    );
    let ask = Ask::get("/api/auth/session").header("cookie", cookie);
    assert_eq!(ask.send(skein.address).await.text().await.unwrap(), "null");
}

#[tokio::test]
async fn sessions_outlive_the_process() {
    let skein = Skein::start();
    let ann = registered(skein.address, "ann@x.example").await;
    let bob = registered(skein.address, "bob@x.example").await;
    Ask::post("/api/auth/logout", "")
        .token(access(&bob))
        .send(skein.address)
        .await;
    let skein = skein.restart();
    assert_eq!(me(skein.address, access(&ann)).await, 200);
    assert_eq!(me(skein.address, access(&bob)).await, 401);
    assert_eq!(refreshed(skein.address, &ann).await.status(), 200);
}

#[tokio::test]
async fn signing_in_stays_open_where_everything_else_is_closed() {
    let skein = Skein::start_with(&[("SKEIN_AUTH", "required")]);
    for path in [
        "/",
        "/health",
        "/ready",
        "/docs/",
        "/openapi.json",
        "/api/models",
        "/api/auth/session",
    ] {
        let answer = Ask::get(path).send(skein.address).await;
        assert_eq!(answer.status(), 200, "{path}");
    }
    for path in ["/api/console/info", "/api/history", "/api/auth/me"] {
        let answer = Ask::get(path).send(skein.address).await;
        assert_eq!(answer.status(), 401, "{path}");
    }
    let ann = registered(skein.address, "ann@x.example").await;
    let body = json!({"email": "ann@x.example", "password": PASSWORD});
    signed_in(skein.address, "/api/auth/login", &body).await;
    assert_eq!(refreshed(skein.address, &ann).await.status(), 200);
    signed_in(skein.address, "/api/auth/guest", &json!({})).await;
    assert_eq!(
        post(skein.address, "/api/auth/logout", &json!({}))
            .await
            .status(),
        200
    );
}

#[tokio::test]
async fn a_bcrypt_hash_that_was_imported_signs_in_and_becomes_argon2() {
    let uri = mongo_fixture::shared().uri_for(&format!("accounts{}", new_id().replace('-', "")));
    for store in [vec![], vec![("MONGODB_URI", uri.as_str())]] {
        let dir = tempfile::tempdir().unwrap();
        let settings = [store, vec![("JWT_SECRET_KEY", SECRET)]].concat();
        let line = json!({"user": {
            "id": new_id(), "email": "Ann@x.example", "email_key": "ann@x.example", "kind": "regular",
            "created_at_ms": 0, "password": BCRYPT,
        }});
        let file = dir.path().join("users.jsonl");
        let end = r#"{"skein_export_end":1,"lines":1}"#;
        fs::write(&file, format!("{EXPORT}\n{line}\n{end}\n")).unwrap();
        Process::run(
            dir.path(),
            &settings,
            &["import", "skein", file.to_str().unwrap()],
        )
        .well();

        let body = json!({"email": "ann@x.example", "password": PASSWORD});
        for time in ["by bcrypt", "by Argon2"] {
            let skein = Process::start(dir.path(), &settings);
            let wrong = json!({"email": "ann@x.example", "password": "another"});
            let refused = post(skein.address, "/api/auth/login", &wrong).await;
            assert_eq!(refused.status(), 401, "{time}");
            let ann = signed_in(skein.address, "/api/auth/login", &body).await;
            assert_eq!(ann["user"]["id"], line["user"]["id"], "{time}");
            assert_eq!(skein.terminate(), Some(0));
            let stored = export_of(dir.path(), &settings);
            assert!(
                stored.contains("$argon2id$") && !stored.contains("$2b$"),
                "{time}"
            );
        }
    }
}

fn export_of(dir: &Path, settings: &[(&str, &str)]) -> String {
    let file = dir.join(format!("{}.jsonl", new_id()));
    Process::run(dir, settings, &["export", file.to_str().unwrap()]).well();
    fs::read_to_string(file).unwrap()
}

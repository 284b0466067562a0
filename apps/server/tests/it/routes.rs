//! Paths and methods as such.

use serde_json::Value;

use crate::support::{Ask, Skein, new_id};

#[tokio::test]
async fn a_known_path_with_another_method_says_which_it_takes() {
    let skein = Skein::start();
    let chat = new_id();
    for (path, allow) in [
        ("/api/chat".to_owned(), "POST, DELETE"),
        (format!("/api/chat/{chat}"), "GET, HEAD, PATCH"),
        (format!("/api/chat/{chat}/stop"), "POST"),
        (format!("/api/chat/{chat}/stream"), "GET, HEAD"),
        ("/api/history".to_owned(), "GET, HEAD, DELETE"),
        ("/api/messages".to_owned(), "GET, HEAD, DELETE"),
        ("/api/vote".to_owned(), "GET, HEAD, PATCH"),
        ("/api/search".to_owned(), "GET, HEAD"),
        ("/api/models".to_owned(), "GET, HEAD"),
        ("/api/auth/guest".to_owned(), "POST"),
        ("/api/console/info".to_owned(), "GET, HEAD"),
        ("/health".to_owned(), "GET, HEAD"),
        ("/ready".to_owned(), "GET, HEAD"),
        ("/".to_owned(), "GET, HEAD"),
    ] {
        for method in ["PUT", "OPTIONS"] {
            let answer = Ask::new(method, path.as_str()).send(skein.address).await;
            assert_eq!(answer.status(), 405, "{method} {path}");
            assert_eq!(answer.headers()["allow"], allow, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn outside_of_the_api_a_wrong_path_or_method_has_the_plain_body() {
    let skein = Skein::start();
    for (ask, status, body) in [
        (Ask::get("/unknown"), 404, r#"{"detail":"Not Found"}"#),
        (Ask::get("/apiary"), 404, r#"{"detail":"Not Found"}"#),
        (
            Ask::get("/_console/unknown.js"),
            404,
            r#"{"detail":"Not Found"}"#,
        ),
        (
            Ask::get("/_console/../Cargo.toml"),
            404,
            r#"{"detail":"Not Found"}"#,
        ),
        (
            Ask::get("/_console/%2e%2e%2fCargo.toml"),
            404,
            r#"{"detail":"Not Found"}"#,
        ),
        (
            Ask::new("DELETE", "/health"),
            405,
            r#"{"detail":"Method Not Allowed"}"#,
        ),
    ] {
        let path = ask.path.clone();
        let answer = ask.send(skein.address).await;
        assert_eq!(answer.status(), status, "{path}");
        assert_eq!(answer.headers()["content-type"], "application/json");
        assert_eq!(answer.text().await.unwrap(), body, "{path}");
    }
}

#[tokio::test]
async fn slashes_that_are_doubled_count_as_one() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let twice = ann.ask(Ask::get("//api//history?limit=1")).await;
    assert_eq!(twice.status(), 200);
    // One at the end is another path.
    assert_eq!(ann.ask(Ask::get("/api/history/")).await.status(), 404);
}

#[tokio::test]
async fn head_answers_as_get_does_without_a_body() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    for path in [
        "/",
        "/health",
        "/ready",
        "/openapi.json",
        "/docs/",
        "/api/history",
        "/api/models",
        "/api/console/info",
    ] {
        let get = ann.ask(Ask::get(path)).await;
        let head = ann.ask(Ask::new("HEAD", path)).await;
        assert_eq!(head.status(), get.status(), "{path}");
        for name in ["content-type", "content-length", "cache-control"] {
            assert_eq!(
                head.headers().get(name),
                get.headers().get(name),
                "{path} {name}"
            );
        }
        assert!(head.bytes().await.unwrap().is_empty(), "{path}");
    }
}

#[tokio::test]
async fn a_guest_is_let_in_whatever_the_body_says() {
    let skein = Skein::start();
    for body in ["", "{}", "no JSON"] {
        let answer = Ask::post("/api/auth/guest", body).send(skein.address).await;
        assert_eq!(answer.status(), 200);
        let answer: Value = answer.json().await.unwrap();
        // [W50]
        assert_eq!(answer["token_type"], "bearer");
        assert_eq!(answer["user"]["type"], "guest");
        let email = answer["user"]["email"].as_str().unwrap();
        let digits = email.strip_prefix("guest-").unwrap();
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{email}");
    }
}

#[tokio::test]
async fn guests_of_one_millisecond_are_different_people() {
    let skein = Skein::start();
    let guests = futures_util::future::join_all((0..8).map(|_| skein.guest())).await;
    let mut ids: Vec<&str> = guests.iter().map(|guest| guest.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 8);
}

#[tokio::test]
async fn the_console_is_told_about_the_server() {
    let skein = Skein::start_with(&[("SKEIN_MODEL", "gpt-4o-mini")]);
    let info = Ask::get("/api/console/info").send(skein.address).await;
    let info: Value = info.json().await.unwrap();
    assert_eq!(info["model"], "gpt-4o-mini");
    assert_eq!(info["window"], 128_000);
    assert_eq!(info["demo"], false);

    let closed = Skein::start_with(&[("SKEIN_AUTH", "required")]);
    let info = Ask::get("/api/console/info").send(closed.address).await;
    assert_eq!(info.status(), 401);
    let guest = closed.guest().await;
    assert_eq!(guest.ask(Ask::get("/api/console/info")).await.status(), 200);
    for path in ["/", "/health", "/ready", "/docs/", "/openapi.json"] {
        assert_eq!(
            Ask::get(path).send(closed.address).await.status(),
            200,
            "{path}"
        );
    }
}

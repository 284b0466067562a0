//! Tokens of another issuer, whose keys a server on this machine publishes.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chat_core::ports::Clock as _;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode, jwk::Jwk};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::AbortHandle,
};

use super::{assert_refused, me};
use crate::support::{Ask, SECRET, Skein, new_id};

const RSA: &str = include_str!("keys/rsa.b64");
const OTHER_RSA: &str = include_str!("keys/other_rsa.b64");
const P256: &str = include_str!("keys/p256.b64");

const ISSUER: &str = "https://login.example";
const AUDIENCE: &str = "skein";

fn key(algorithm: Algorithm, text: &str) -> EncodingKey {
    let der = STANDARD.decode(text.replace('\n', "")).unwrap();
    if algorithm == Algorithm::ES256 {
        EncodingKey::from_ec_der(&der)
    } else {
        EncodingKey::from_rsa_der(&der)
    }
}

fn public(algorithm: Algorithm, text: &str, named: &str) -> Value {
    let jwk = Jwk::from_encoding_key(&key(algorithm, text), algorithm).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    jwk["kid"] = json!(named);
    jwk
}

/// An issuer that publishes keys and counts how often it is asked.
struct Issuer {
    address: SocketAddr,
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    serving: AbortHandle,
}

impl Issuer {
    async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(String::new()));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, count) = (Arc::clone(&answer), Arc::clone(&asked));
        let mut serving = tokio::task::JoinSet::new();
        let handle = serving.spawn(async move {
            while let Ok((mut connection, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let Ok(byte) = connection.read_u8().await else {
                        break;
                    };
                    head.push(byte);
                }
                count.fetch_add(1, Ordering::SeqCst);
                let answer = told.lock().unwrap().clone();
                // A client that had enough hangs up.
                let _sent = connection.write_all(answer.as_bytes()).await;
            }
        });
        serving.detach_all();
        let issuer = Self {
            address,
            answer,
            asked,
            serving: handle,
        };
        issuer.publish(keys);
        issuer
    }

    fn publish(&self, keys: &[Value]) {
        self.say("200 OK", "", &json!({ "keys": keys }).to_string());
    }

    fn say(&self, status: &str, header: &str, body: &str) {
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{header}\r\n{body}",
            body.len()
        );
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn skein(&self) -> Skein {
        let url = format!("http://{}/keys", self.address);
        Skein::start_with(&[
            ("SKEIN_JWKS_URL", &url),
            ("SKEIN_JWKS_ISSUER", ISSUER),
            ("SKEIN_JWKS_AUDIENCE", AUDIENCE),
        ])
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn claims(skein: &Skein, subject: &str) -> Value {
    let now_s = skein.clock.now_ms() / 1000;
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": now_s + 86_400, "email": "ann@x.example",
    })
}

fn signed(algorithm: Algorithm, text: &str, named: &str, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = Some(named.to_owned());
    encode(&header, claims, &key(algorithm, text)).unwrap()
}

fn by_rsa(named: &str, claims: &Value) -> String {
    signed(Algorithm::RS256, RSA, named, claims)
}

async fn user_of(skein: &Skein, token: &str) -> Value {
    let answer = Ask::get("/api/auth/me")
        .token(token)
        .send(skein.address)
        .await;
    assert_eq!(answer.status(), 200);
    answer.json().await.unwrap()
}

#[tokio::test]
async fn who_another_issuer_knows_is_a_user_here() {
    let keys = [
        public(Algorithm::RS256, RSA, "rsa"),
        public(Algorithm::ES256, P256, "p256"),
    ];
    let issuer = Issuer::start(&keys).await;
    let skein = issuer.skein();
    let ann = claims(&skein, "auth0|ann");
    let rsa = by_rsa("rsa", &ann);
    let user = user_of(&skein, &rsa).await;
    assert_eq!(user["email"], "ann@x.example");
    assert_eq!(user["type"], "regular");
    // The same person with another of the issuer's keys, and after a restart.
    let p256 = signed(Algorithm::ES256, P256, "p256", &ann);
    assert_eq!(user_of(&skein, &p256).await, user);
    let other = by_rsa("rsa", &claims(&skein, "auth0|bob"));
    assert_ne!(user_of(&skein, &other).await["id"], user["id"]);
    assert_eq!(issuer.asked(), 1);
    let session = Ask::get("/api/auth/session")
        .token(&rsa)
        .send(skein.address)
        .await;
    let session: Value = session.json().await.unwrap();
    assert_eq!(session["user"], user);
    assert_eq!(session["expires"], "2026-01-03T03:04:05.000Z");
}

#[tokio::test]
async fn an_address_that_somebody_has_here_is_not_theirs() {
    let issuer = Issuer::start(&[public(Algorithm::RS256, RSA, "a")]).await;
    let skein = issuer.skein();
    let own = super::registered(skein.address, "ann@x.example").await;
    let foreign = user_of(&skein, &by_rsa("a", &claims(&skein, "auth0|ann"))).await;
    assert_ne!(foreign["id"], own["user"]["id"]);
}

#[tokio::test]
async fn a_user_who_comes_many_times_at_once_is_made_once() {
    let issuer = Issuer::start(&[public(Algorithm::RS256, RSA, "a")]).await;
    let skein = issuer.skein();
    let token = by_rsa("a", &claims(&skein, "auth0|ann"));
    let all = (0..12).map(|_| user_of(&skein, &token));
    let users = futures_util::future::join_all(all).await;
    assert!(users.windows(2).all(|pair| pair[0] == pair[1]), "{users:?}");
    assert_eq!(issuer.asked(), 1, "all waited for one fetch");
}

#[tokio::test]
async fn tokens_that_are_not_for_us_are_refused() {
    let issuer = Issuer::start(&[public(Algorithm::RS256, RSA, "a")]).await;
    let skein = issuer.skein();
    let good = claims(&skein, "auth0|ann");
    let changed = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        by_rsa("a", &claims)
    };
    let now_s = skein.clock.now_ms() / 1000;
    let mut hs256 = Header::new(Algorithm::HS256);
    hs256.kid = Some("a".to_owned());
    let by_public_key = public(Algorithm::RS256, RSA, "a")["n"].to_string();
    let payload = by_rsa("a", &good).split('.').nth(1).unwrap().to_owned();
    // {"alg":"none"}
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}.");
    for (what, token) in [
        ("audience", changed("aud", json!("another"))),
        ("no audience", changed("aud", json!(null))),
        ("issuer", changed("iss", json!("https://evil.example"))),
        ("expired", changed("exp", json!(now_s - 61))),
        ("not yet", changed("nbf", json!(now_s + 61))),
        ("no subject", changed("sub", json!(null))),
        ("key", signed(Algorithm::RS256, OTHER_RSA, "a", &good)),
        ("algorithm", signed(Algorithm::ES256, P256, "a", &good)),
        (
            "public key as secret",
            encode(
                &hs256,
                &good,
                &EncodingKey::from_secret(by_public_key.as_bytes()),
            )
            .unwrap(),
        ),
        (
            "our secret",
            encode(&hs256, &good, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap(),
        ),
        ("none", unsigned),
    ] {
        let answer = Ask::get("/api/auth/me")
            .token(&token)
            .send(skein.address)
            .await;
        assert_eq!(answer.status(), 401, "{what}");
        assert_refused(answer, 401, "unauthorized:auth").await;
    }
    assert_eq!(me(skein.address, &by_rsa("a", &good)).await, 200);
    // Our own tokens go on beside theirs.
    assert_eq!(me(skein.address, &skein.guest().await.token).await, 200);
}

#[tokio::test]
async fn a_new_key_is_fetched_when_it_is_seen_but_not_at_everyones_bidding() {
    let issuer = Issuer::start(&[public(Algorithm::RS256, RSA, "old")]).await;
    let skein = issuer.skein();
    let ann = claims(&skein, "auth0|ann");
    assert_eq!(me(skein.address, &by_rsa("old", &ann)).await, 200);
    issuer.publish(&[public(Algorithm::RS256, OTHER_RSA, "new")]);
    let new = signed(Algorithm::RS256, OTHER_RSA, "new", &ann);
    for named in ["x", "y", "z"] {
        assert_eq!(me(skein.address, &by_rsa(named, &ann)).await, 401);
    }
    assert_eq!(me(skein.address, &new).await, 401);
    assert_eq!(issuer.asked(), 1, "half a minute has not passed");
    skein.clock.move_by(30_000);
    assert_eq!(me(skein.address, &new).await, 200);
    assert_eq!(
        me(skein.address, &by_rsa("old", &ann)).await,
        401,
        "it is gone"
    );
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn keys_are_kept_while_the_issuer_fails_and_renewed_after_an_hour() {
    let issuer = Issuer::start(&[public(Algorithm::RS256, RSA, "a")]).await;
    let skein = issuer.skein();
    let token = by_rsa("a", &claims(&skein, "auth0|ann"));
    assert_eq!(me(skein.address, &token).await, 200);
    let elsewhere = format!("location: http://{}/other\r\n", issuer.address);
    let long = format!("{}{{\"keys\":[]}}", " ".repeat(256 * 1024));
    for (failure, header, body) in [
        ("500 Oops", "", "{}"),
        ("302 Found", elsewhere.as_str(), ""),
        ("200 OK", "", "<html>"),
        ("200 OK", "", r#"{"keys":[]}"#),
        ("200 OK", "", &long),
    ] {
        issuer.say(failure, header, body);
        skein.clock.move_by(61 * 60_000);
        let before = issuer.asked();
        for _ in 0..3 {
            assert_eq!(me(skein.address, &token).await, 200, "{failure}");
        }
        assert_eq!(issuer.asked(), before + 1, "{failure}");
    }
    issuer.publish(&[public(Algorithm::RS256, OTHER_RSA, "a")]);
    skein.clock.move_by(30_000);
    assert_eq!(me(skein.address, &token).await, 401, "the key was replaced");
}

#[tokio::test]
async fn before_any_key_was_fetched_nobody_can_tell() {
    let issuer = Issuer::start(&[]).await;
    issuer.say("503 Later", "", "");
    let skein = issuer.skein();
    let token = by_rsa("a", &claims(&skein, "auth0|ann"));
    for path in ["/api/auth/me", "/api/auth/session"] {
        let answer = Ask::get(path).token(&token).send(skein.address).await;
        assert_refused(answer, 503, "offline:auth").await;
    }
    assert_eq!(issuer.asked(), 1);
    issuer.publish(&[public(Algorithm::RS256, RSA, "a")]);
    skein.clock.move_by(30_000);
    assert_eq!(me(skein.address, &token).await, 200);
}

#[tokio::test]
async fn without_an_issuer_only_our_own_tokens_count() {
    let skein = Skein::start();
    let token = by_rsa("a", &claims(&skein, &new_id()));
    assert_eq!(me(skein.address, &token).await, 401);
}

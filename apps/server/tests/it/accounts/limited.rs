//! How often anyone may try.

use reqwest::Response;
use serde_json::{Value, json};

use super::{PASSWORD, assert_refused};
use crate::support::{Ask, Skein};

fn login(email: &str) -> Ask {
    let body = json!({"email": email, "password": PASSWORD});
    Ask::post("/api/auth/login", body.to_string())
}

fn guest(from: &'static str) -> Ask {
    Ask::post("/api/auth/guest", "").header("x-forwarded-for", from)
}

async fn assert_too_often(answer: Response, most_s: u64) -> Value {
    let after: u64 = answer.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=most_s).contains(&after), "{after}");
    assert_refused(answer, 429, "rate_limit:auth").await
}

#[tokio::test]
async fn too_many_logins_wait_whoever_they_are_for() {
    let skein = Skein::start_with(&[("SKEIN_LOGINS_PER_MINUTE", "2")]);
    for email in ["ann@x.example", "bob@x.example"] {
        let answer = login(email).send(skein.address).await;
        assert_eq!(answer.status(), 401, "{email}");
    }
    let one = assert_too_often(login("ann@x.example").send(skein.address).await, 30).await;
    let other = assert_too_often(login("eve@x.example").send(skein.address).await, 30).await;
    assert_eq!(one, other);
    // What is no login is not counted as one, and guests have their own limit, which is off here.
    for _ in 0..50 {
        assert_eq!(
            Ask::post("/api/auth/guest", "")
                .send(skein.address)
                .await
                .status(),
            200
        );
    }
}

#[tokio::test]
async fn too_many_registrations_and_refreshes_wait() {
    let skein = Skein::start_with(&[
        ("SKEIN_LOGINS_PER_MINUTE", "2"),
        ("SKEIN_GUESTS_PER_MINUTE", "3"),
    ]);
    let register = |number: u8| {
        let body = json!({"email": format!("{number}@x.example"), "password": PASSWORD});
        Ask::post("/api/auth/register", body.to_string()).send(skein.address)
    };
    for number in 0..2 {
        assert_eq!(register(number).await.status(), 200);
    }
    assert_too_often(register(3).await, 30).await;
    let refresh = || Ask::post("/api/auth/refresh", r#"{"refresh_token":"x"}"#).send(skein.address);
    for _ in 0..3 {
        assert_eq!(refresh().await.status(), 401);
    }
    assert_too_often(refresh().await, 20).await;
}

#[tokio::test]
async fn one_account_is_tried_no_more_often_from_many_addresses() {
    let skein = Skein::start_with(&[
        ("SKEIN_LOGINS_PER_MINUTE", "2"),
        ("SKEIN_TRUSTED_PROXIES", "127.0.0.1"),
    ]);
    for from in ["192.0.2.1", "192.0.2.2"] {
        let ask = login("ann@x.example").header("x-forwarded-for", from);
        assert_eq!(ask.send(skein.address).await.status(), 401);
    }
    let third = login("Ann@X.example").header("x-forwarded-for", "192.0.2.3");
    assert_too_often(third.send(skein.address).await, 30).await;
    let other = login("bob@x.example").header("x-forwarded-for", "192.0.2.3");
    assert_eq!(other.send(skein.address).await.status(), 401);
}

#[tokio::test]
async fn a_proxy_that_is_trusted_says_who_calls() {
    let skein = Skein::start_with(&[
        ("SKEIN_GUESTS_PER_MINUTE", "1"),
        ("SKEIN_TRUSTED_PROXIES", "127.0.0.0/8"),
    ]);
    for from in ["192.0.2.1", "192.0.2.2", "192.0.2.1, 192.0.2.3"] {
        assert_eq!(
            guest(from).send(skein.address).await.status(),
            200,
            "{from}"
        );
    }
    for from in [
        "192.0.2.1",
        "198.51.100.7, 192.0.2.1",
        "192.0.2.3, 127.0.0.9",
    ] {
        assert_too_often(guest(from).send(skein.address).await, 60).await;
    }
}

#[tokio::test]
async fn anyone_elses_word_for_where_they_are_is_not_taken() {
    let skein = Skein::start_with(&[("SKEIN_GUESTS_PER_MINUTE", "1")]);
    assert_eq!(guest("192.0.2.1").send(skein.address).await.status(), 200);
    assert_too_often(guest("192.0.2.2").send(skein.address).await, 60).await;
    let forwarded = Ask::post("/api/auth/guest", "").header("forwarded", "for=192.0.2.3");
    assert_too_often(forwarded.send(skein.address).await, 60).await;
}

#[tokio::test]
async fn on_this_machine_alone_nobody_is_counted() {
    let skein = Skein::start();
    for _ in 0..100 {
        skein.guest().await;
    }
}

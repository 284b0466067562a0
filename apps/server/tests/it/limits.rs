//! How much may be sent in a day.

use serde_json::Value;

use crate::support::{Ask, EventStream, Person, Skein, new_id, send_body};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

async fn status(person: &Person, chat: &str) -> u16 {
    let body = send_body(chat, &new_id(), "Hello. [[mock: tokens=1]]").to_string();
    let answer = person.ask(Ask::post("/api/chat", body)).await;
    let status = answer.status().as_u16();
    if status == 200 {
        EventStream::new(answer).finish().await;
    } else {
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body["code"], "rate_limit:chat");
    }
    status
}

#[tokio::test]
async fn a_guest_sends_21_messages_and_not_the_22nd() {
    let skein = Skein::start_with(&[("SKEIN_GUEST_MESSAGES_PER_DAY", "20")]);
    let (ann, ben) = (skein.guest().await, skein.guest().await);
    let chats: Vec<String> = (0..3).map(|_| new_id()).collect();
    for n in 0..21 {
        assert_eq!(status(&ann, &chats[n % 3]).await, 200, "{n}");
        skein.clock.move_by(1000);
    }
    assert_eq!(status(&ann, &chats[0]).await, 429);
    assert_eq!(
        status(&ann, &new_id()).await,
        429,
        "a new chat does not help"
    );
    assert_eq!(
        status(&ben, &new_id()).await,
        200,
        "others are not concerned"
    );
    // Nothing of a refused message is stored.
    assert_eq!(ann.chats().await.len(), 3);
    // The first of them is a day old, and then does not count any more.
    skein.clock.move_by(DAY_MS - 21_000);
    assert_eq!(status(&ann, &chats[0]).await, 429);
    skein.clock.move_by(1);
    assert_eq!(status(&ann, &chats[0]).await, 200);
    assert_eq!(status(&ann, &chats[0]).await, 429);
}

#[tokio::test]
async fn who_signed_up_has_another_limit_and_a_deleted_message_does_not_count() {
    let skein = Skein::start_with(&[
        ("SKEIN_GUEST_MESSAGES_PER_DAY", "0"),
        ("SKEIN_USER_MESSAGES_PER_DAY", "1"),
    ]);
    let (guest, user) = (
        skein.guest().await,
        Person::user(skein.address, "u@example.com").await,
    );
    assert_eq!(status(&guest, &new_id()).await, 200);
    assert_eq!(status(&guest, &new_id()).await, 429);
    let chat = new_id();
    assert_eq!(status(&user, &chat).await, 200);
    assert_eq!(status(&user, &new_id()).await, 200);
    assert_eq!(status(&user, &new_id()).await, 429);
    let delete = Ask::new("DELETE", format!("/api/chat?id={chat}"));
    assert_eq!(user.ask(delete).await.status(), 200);
    assert_eq!(status(&user, &new_id()).await, 200);
}

#[tokio::test]
async fn a_repeat_with_the_same_key_is_not_counted_twice() {
    let skein = Skein::start_with(&[("SKEIN_GUEST_MESSAGES_PER_DAY", "0")]);
    let ann = skein.guest().await;
    let body = send_body(&new_id(), &new_id(), "Hello. [[mock: tokens=1]]").to_string();
    let send = async || {
        let ask = Ask::post("/api/chat", body.clone()).header("idempotency-key", "k");
        EventStream::new(ann.ask(ask).await).finish().await
    };
    let first = send().await;
    assert_eq!(send().await, first);
    assert_eq!(status(&ann, &new_id()).await, 429);
    assert_eq!(send().await, first, "what was taken is given again");
}

#[tokio::test]
async fn many_sends_at_once_do_not_pass_the_limit_together() {
    let skein = Skein::start_with(&[("SKEIN_GUEST_MESSAGES_PER_DAY", "4")]);
    let ann = skein.guest().await;
    let sends = (0..12).map(|_| {
        let ann = ann.clone();
        async move { status(&ann, &new_id()).await }
    });
    let all = futures_util::future::join_all(sends).await;
    let passed = all.iter().filter(|status| **status == 200).count();
    assert_eq!(passed, 5, "{all:?}");
    assert_eq!(ann.chats().await.len(), 5);
}

#[tokio::test]
async fn nothing_is_limited_where_only_this_machine_reaches_the_server() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    for _ in 0..25 {
        assert_eq!(status(&ann, &chat).await, 200);
    }
}

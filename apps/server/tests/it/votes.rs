//! Votes: one for each message, the last counts.

use serde_json::{Value, json};

use crate::support::{Ask, Person, Skein, new_id};

async fn vote(ann: &Person, chat: &str, message: &str, kind: &str) {
    let body = json!({"chatId": chat, "messageId": message, "type": kind});
    let ask = Ask {
        body: Some(body.to_string().into_bytes()),
        ..Ask::new("PATCH", "/api/vote")
    };
    // As a browser sends it.
    let answer = ann
        .ask(ask.header("content-type", "text/plain;charset=UTF-8"))
        .await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.text().await.unwrap(), "Message voted");
}

async fn votes(ann: &Person, chat: &str) -> Value {
    ann.get(&format!("/api/vote?chatId={chat}")).await
}

#[tokio::test]
async fn the_last_vote_on_a_message_counts() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let first = ann.say(&chat, "One. [[mock: tokens=2]]").await;
    let one = first.answer_id();
    first.finish().await;
    let second = ann.say(&chat, "Two. [[mock: tokens=2]]").await;
    let two = second.answer_id();
    second.finish().await;
    vote(&ann, &chat, &one, "up").await;
    vote(&ann, &chat, &one, "down").await;
    let row =
        |message: &str, up: bool| json!({"chatId": chat, "messageId": message, "isUpvoted": up});
    assert_eq!(votes(&ann, &chat).await, json!([row(&one, false)]));
    vote(&ann, &chat, &two, "up").await;
    vote(&ann, &chat, &one, "up").await;
    assert_eq!(
        votes(&ann, &chat).await,
        json!([row(&one, true), row(&two, true)])
    );
    // A vote changes nothing of the message itself.
    assert_eq!(
        ann.messages(&chat).await[1]["metadata"]["status"],
        "completed"
    );
    let skein = skein.restart();
    let ann = ann.at(skein.address);
    assert_eq!(
        votes(&ann, &chat).await,
        json!([row(&one, true), row(&two, true)])
    );
}

//! Deleting a message and all after it, and sending it again.

use crate::support::{Ask, Person, Skein, answer_text, new_id};

async fn delete_from(ann: &Person, message: &str) -> u64 {
    let answer = ann
        .ask(Ask::new("DELETE", format!("/api/messages?id={message}")))
        .await;
    assert_eq!(answer.status(), 200);
    let answer: serde_json::Value = answer.json().await.unwrap();
    answer["deletedCount"].as_u64().unwrap()
}

#[tokio::test]
async fn edit_and_resend_is_the_same_with_and_without_the_trailing_delete() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    for deletes_first in [true, false] {
        let (chat, question) = (new_id(), new_id());
        ann.talk(&chat, "Zero. [[mock: tokens=1]]").await;
        ann.say_as(&chat, &question, "One. [[mock: tokens=2]]")
            .await
            .finish()
            .await;
        ann.talk(&chat, "Two. [[mock: tokens=3]]").await;
        if deletes_first {
            assert_eq!(delete_from(&ann, &question).await, 4);
            assert_eq!(ann.messages(&chat).await.len(), 2);
        }
        let again = ann
            .say_as(&chat, &question, "Uno. [[mock: tokens=4]]")
            .await
            .finish()
            .await;
        let messages = ann.messages(&chat).await;
        assert_eq!(messages.len(), 4);
        assert_eq!(messages[2]["id"], question);
        assert_eq!(answer_text(&messages[2]), "Uno. [[mock: tokens=4]]");
        assert_eq!(answer_text(&messages[3]), again.said());
    }
}

#[tokio::test]
async fn regenerating_deletes_the_answer_and_sends_its_question_again() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let (chat, question) = (new_id(), new_id());
    let first = ann
        .say_as(&chat, &question, "One. [[mock: tokens=2]]")
        .await;
    let answer = first.answer_id();
    first.finish().await;
    assert_eq!(delete_from(&ann, &answer).await, 1);
    assert_eq!(ann.messages(&chat).await.len(), 1);
    let again = ann
        .say_as(&chat, &question, "One. [[mock: tokens=2]]")
        .await;
    assert_ne!(again.answer_id(), answer);
    again.finish().await;
    assert_eq!(ann.messages(&chat).await.len(), 2);
}

#[tokio::test]
async fn the_votes_go_with_their_messages() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let (chat, question) = (new_id(), new_id());
    let stream = ann
        .say_as(&chat, &question, "One. [[mock: tokens=2]]")
        .await;
    let answer = stream.answer_id();
    stream.finish().await;
    let vote = format!(r#"{{"chatId":"{chat}","messageId":"{answer}","type":"up"}}"#);
    let ask = Ask {
        body: Some(vote.into_bytes()),
        ..Ask::new("PATCH", "/api/vote")
    };
    assert_eq!(ann.ask(ask).await.status(), 200);
    delete_from(&ann, &question).await;
    assert_eq!(
        ann.get(&format!("/api/vote?chatId={chat}")).await,
        serde_json::json!([])
    );
}

#[tokio::test]
async fn a_trailing_delete_ends_the_answer_that_is_being_written_after_it() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let (chat, question) = (new_id(), new_id());
    let mut stream = ann
        .say_as(&chat, &question, "Count. [[mock: tokens=5000 pace_ms=10]]")
        .await;
    stream.first_text().await;
    assert_eq!(delete_from(&ann, &question).await, 1);
    let read = stream.finish().await;
    assert_eq!(
        read.kinds().last_chunk(),
        Some(&["abort".to_owned(), "[DONE]".to_owned()])
    );
    skein.llm_until(|stats| stats.hung_up == 1).await;
    assert!(ann.messages(&chat).await.is_empty());
    // There is nothing left to resume.
    assert_eq!(ann.resume(&chat, None).await.status(), 204);
}

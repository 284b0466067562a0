//! Many who send to one conversation at once.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::Value;

use crate::support::{EventStream, Replay, Skein, answer_text, new_id};

const SENDS: usize = 50;
const TOKENS: usize = 300;

/// A send that was read to its end.
struct Sent {
    question: String,
    text: String,
    answer: String,
    read: Replay,
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_sends_at_once_are_stored_in_one_order_and_each_stops_the_one_before_it() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    // One is being answered already, so that there is a text to keep.
    let mut running = ann
        .say(&chat, "First. [[mock: tokens=5000 pace_ms=5]]")
        .await;
    running.first_text().await;
    let (running_answer, running) = (running.answer_id(), running);
    let sends = (0..SENDS).map(|n| {
        let (ann, chat) = (ann.clone(), chat.clone());
        async move {
            // Long enough that each is still being answered when the next one comes.
            let (question, text) = (
                new_id(),
                format!("Send {n}. [[mock: tokens={TOKENS} pace_ms=10]]"),
            );
            let stream = ann.say_as(&chat, &question, &text).await;
            let answer = stream.answer_id();
            Sent {
                read: finished(stream).await,
                question,
                text,
                answer,
            }
        }
    });
    let (running, sent) = tokio::join!(finished(running), join_all(sends));
    let messages = ann.messages(&chat).await;

    // Every person's message is stored once.
    let questions: Vec<&Value> = messages
        .iter()
        .filter(|message| message["role"] == "user")
        .collect();
    assert_eq!(questions.len(), SENDS + 1);
    let by_question: BTreeMap<&str, &Sent> = sent
        .iter()
        .map(|sent| (sent.question.as_str(), sent))
        .collect();
    for question in &questions[1..] {
        let sent = by_question[question["id"].as_str().unwrap()];
        assert_eq!(answer_text(question), sent.text);
    }
    // In one order: asked again, it is the same, and an answer stands right behind its own question.
    assert_eq!(ann.messages(&chat).await, messages);
    for pair in messages.windows(2) {
        if pair[1]["role"] == "assistant" {
            let question = pair[0]["id"].as_str().unwrap();
            let answer = &by_question
                .get(question)
                .map_or(running_answer.as_str(), |sent| sent.answer.as_str());
            assert_eq!(pair[1]["id"], **answer);
        }
    }
    // What each reader was shown is what is stored.
    let stored: BTreeMap<&str, &Value> = messages
        .iter()
        .map(|message| (message["id"].as_str().unwrap(), message))
        .collect();
    let all = sent.iter().map(|sent| (sent.answer.as_str(), &sent.read));
    for (answer, read) in all.clone().chain([(running_answer.as_str(), &running)]) {
        let kept = stored
            .get(answer)
            .map(|message| answer_text(message))
            .unwrap_or_default();
        assert_eq!(kept, read.said());
    }
    assert!(!running.said().is_empty(), "there was no text to keep");
    // All but the last were stopped, and their text says so.
    let last = by_question[questions.last().unwrap()["id"].as_str().unwrap()];
    for (answer, read) in all.chain([(running_answer.as_str(), &running)]) {
        let is_last = answer == last.answer;
        let kinds = read.kinds();
        let ends = if is_last {
            ["data-usage", "[DONE]"]
        } else {
            ["abort", "[DONE]"]
        };
        assert_eq!(
            kinds.last_chunk().unwrap(),
            &ends.map(str::to_owned),
            "{kinds:?}"
        );
        if let Some(message) = stored.get(answer) {
            let status = if is_last { "completed" } else { "cancelled" };
            assert_eq!(message["metadata"]["status"], status);
        }
    }
    let whole: Vec<String> = (0..TOKENS).map(|n| format!("tok{n}")).collect();
    assert_eq!(last.read.said(), whole.join(" "));
    assert_eq!(messages.last().unwrap()["id"], last.answer);
    // And a page that comes now finds nothing running.
    assert!(!ann.stop(&chat).await);
}

async fn finished(stream: EventStream) -> Replay {
    stream.finish().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_message_sent_by_many_at_once_is_stored_once() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let (chat, question) = (new_id(), new_id());
    let sends = (0..10).map(|n| {
        let (ann, chat, question) = (ann.clone(), chat.clone(), question.clone());
        async move {
            let text = format!("Edit {n}. [[mock: tokens=5]]");
            let stream = ann.say_as(&chat, &question, &text).await;
            (stream.answer_id(), text, stream.finish().await)
        }
    });
    let sent = join_all(sends).await;
    let messages = ann.messages(&chat).await;
    assert_eq!(messages.len(), 2, "each is an edit of the one before [W61]");
    let (_, text, read) = sent
        .iter()
        .find(|(answer, ..)| messages[1]["id"] == *answer)
        .unwrap();
    assert_eq!(answer_text(&messages[0]), *text);
    assert_eq!(answer_text(&messages[1]), read.said());
}

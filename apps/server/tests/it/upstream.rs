//! What becomes of an answer when the model's server fails.

use serde_json::{Value, json};

use crate::support::{Skein, answer_text, new_id};

/// Patience in seconds, as short as it may be set.
const HASTY: &[(&str, &str)] = &[
    ("SKEIN_UPSTREAM_FIRST_EVENT_SECS", "1"),
    ("SKEIN_UPSTREAM_SILENCE_SECS", "1"),
    ("OPENAI_API_KEY", "sk-of-the-operator"),
];

const UNREACHABLE: &str = "The model could not be reached. Please try again in a moment.";
const REFUSED: &str =
    "The model refused the request. The operator of this chat has to check its settings.";
const BUSY: &str = "The model is busy. Please try again in a minute.";
const SILENT: &str = "The model stopped answering. Please try again.";
const BROKEN: &str = "The model's answer broke off. Please try again.";

/// What the model's server does, how much text comes through, the code that is stored and the sentence that is said.
const FAILURES: &[(&str, &str, &str, &str)] = &[
    ("401", "", "upstream_rejected", REFUSED),
    ("404", "", "upstream_rejected", REFUSED),
    ("429", "", "rate_limited", BUSY),
    (
        "429 code=insufficient_quota",
        "",
        "upstream_rejected",
        REFUSED,
    ),
    ("500", "", "upstream_unavailable", UNREACHABLE),
    ("503 html", "", "upstream_unavailable", UNREACHABLE),
    ("drop", "", "upstream_unavailable", UNREACHABLE),
    ("silent", "", "timeout", SILENT),
    ("cut_after=0", "", "upstream_broken", BROKEN),
    (
        "tokens=9 cut_after=3",
        "tok0 tok1 tok2",
        "upstream_broken",
        BROKEN,
    ),
    (
        "tokens=9 silent_after=3",
        "tok0 tok1 tok2",
        "timeout",
        SILENT,
    ),
    (
        "tokens=9 malformed_after=3",
        "tok0 tok1 tok2",
        "upstream_broken",
        BROKEN,
    ),
    (
        "tokens=9 error_after=3",
        "tok0 tok1 tok2",
        "upstream_unavailable",
        UNREACHABLE,
    ),
    ("huge_line=2000000", "", "upstream_broken", BROKEN),
];

#[tokio::test]
async fn a_failure_is_told_in_a_sentence_of_ours_and_what_came_is_kept() {
    let skein = Skein::start_with(HASTY);
    let ann = skein.guest().await;
    let outcomes = FAILURES.iter().map(|failure| {
        let ann = ann.clone();
        async move {
            let (directive, text, code, sentence) = *failure;
            let chat = new_id();
            let read = ann.talk(&chat, &format!("[[mock: {directive}]]")).await;
            let messages = ann.messages(&chat).await;
            // [W15]: the message was accepted, so the status is 200, and the answer's own end tells.
            let mut told = Vec::new();
            let kinds = read.kinds();
            if kinds.first().map(String::as_str) != Some("start") {
                told.push(format!("begins with {:?}", kinds.first()));
            }
            if kinds.last_chunk() != Some(&["error".to_owned(), "[DONE]".to_owned()]) {
                told.push(format!("ends with {kinds:?}"));
            }
            if read.chunks("error") != [json!({"type": "error", "errorText": sentence})] {
                told.push(format!("says {:?}", read.chunks("error")));
            }
            if read.said().trim() != text {
                told.push(format!("streams {:?}", read.said()));
            }
            if let Some(secret) = leaked(&read.text) {
                told.push(format!("leaks {secret:?}"));
            }
            let [question, answers @ ..] = messages.as_slice() else {
                return vec![format!("{directive}: the question is gone")];
            };
            if question["metadata"]["status"] != "completed" {
                told.push(format!("question: {question}"));
            }
            for answer in answers {
                let error = &answer["metadata"]["error"];
                if answer["metadata"]["status"] != "failed"
                    || error["code"] != code
                    || error["message"] != sentence
                {
                    told.push(format!("stores {}", answer["metadata"]));
                }
                if answer_text(answer) != read.said() {
                    told.push(format!("keeps {:?}", answer_text(answer)));
                }
            }
            if answers.is_empty() != text.is_empty() {
                told.push(format!("stores {} answers", answers.len()));
            }
            told.iter()
                .map(|fault| format!("{directive}: {fault}"))
                .collect()
        }
    });
    let faults: Vec<String> = futures_util::future::join_all(outcomes).await.concat();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // And the server is as good as before.
    let read = ann.talk(&new_id(), "Hello. [[mock: tokens=2]]").await;
    assert_eq!(read.chunks("finish").len(), 1);
}

#[tokio::test]
async fn a_failure_before_the_first_word_is_tried_again_unseen() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    for directive in ["500 times=1", "429 times=1 retry_after=0", "drop times=1"] {
        let text = format!("{directive} [[mock: {directive} tokens=3]]");
        let read = ann.talk(&new_id(), &text).await;
        assert_eq!(read.said(), "tok0 tok1 tok2", "{directive}");
        assert_eq!(read.chunks("start").len(), 1, "{directive}");
        assert_eq!(read.chunks("finish").len(), 1, "{directive}");
    }
}

#[tokio::test]
async fn an_answer_that_reached_its_limit_is_incomplete_and_no_failure() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let read = ann.talk(&chat, "Count. [[mock: tokens=4 length]]").await;
    assert_eq!(
        read.chunks("finish"),
        [json!({"type": "finish"})],
        "[W1, W14]"
    );
    let answer: &Value = &ann.messages(&chat).await[1];
    assert_eq!(answer["metadata"]["status"], "incomplete", "[W48]");
    assert_eq!(answer_text(answer), "tok0 tok1 tok2 tok3");
}

#[tokio::test]
async fn a_refusal_is_shown_as_text() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let read = ann
        .talk(&new_id(), "Do! [[mock: refusal=\"I will not\"]]")
        .await;
    assert_eq!(read.said(), "I will not", "[W9]");
}

#[tokio::test]
async fn a_server_without_a_model_says_that_it_cannot_right_now() {
    // Nothing listens there: the upstream lists no model, and none is named.
    let skein = Skein::start_with(&[("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")]);
    let ann = skein.guest().await;
    let chat = new_id();
    let body = crate::support::send_body(&chat, &new_id(), "Hello").to_string();
    let answer = ann.ask(crate::support::Ask::post("/api/chat", body)).await;
    assert_eq!(answer.status(), 503);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["code"], "offline:chat");
    assert!(body["request_id"].is_string(), "[W30]");
    assert!(leaked(&body.to_string()).is_none(), "{body}");
    assert!(ann.chats().await.is_empty());
}

/// A word of the upstream's or of the configuration that a client was told.
fn leaked(text: &str) -> Option<&'static str> {
    let secrets = [
        "sk-of-the-operator",
        "127.0.0.1",
        "localhost",
        "chatcmpl",
        "mock-llm",
        "insufficient_quota",
        "invalid_api_key",
        "<html",
        "upstream",
        "SKEIN_",
    ];
    secrets.into_iter().find(|secret| text.contains(secret))
}

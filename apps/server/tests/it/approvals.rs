//! Tool calls that wait for their reader's consent.

use serde_json::{Value, json};

use crate::support::{Ask, EventStream, Person, Replay, Skein, new_id, send_body};

/// Asks before it writes a document.
const ASKS: &[(&str, &str)] = &[
    ("SKEIN_AI_SDK_CHUNKS", "v6"),
    ("SKEIN_TOOL_APPROVALS", "createDocument"),
    ("SKEIN_MODEL", "mock-demo"),
];

const CALL: &str =
    r#"A poem, please. [[mock: tool=createDocument args={"title":"Herons","kind":"text"}]]"#;

/// A chat in which a call waits.
struct Waiting {
    chat: String,
    answer: String,
    read: Replay,
}

async fn waiting(ann: &Person) -> Waiting {
    let chat = new_id();
    let stream = ann.say(&chat, CALL).await;
    Waiting {
        chat,
        answer: stream.answer_id(),
        read: stream.finish().await,
    }
}

impl Waiting {
    /// The id under which consent was asked for, and the call's.
    fn asked(&self) -> (String, String) {
        let asked = self.read.chunks("tool-approval-request");
        assert_eq!(asked.len(), 1, "{}", self.read.text);
        let text = |key: &str| asked[0][key].as_str().unwrap().to_owned();
        (text("approvalId"), text("toolCallId"))
    }

    /// The body that a client sends when its reader has decided.
    fn reply(&self, approved: bool) -> Ask {
        let (approval, call) = self.asked();
        let part = json!({
            "type": "tool-createDocument", "toolCallId": call, "state": "approval-responded", "input": {},
            "approval": {"id": approval, "approved": approved, "reason": "because"},
        });
        let messages = json!([{"id": self.answer, "role": "assistant", "parts": [part]}]);
        Ask::post(
            "/api/chat",
            json!({"id": self.chat, "messages": messages}).to_string(),
        )
    }
}

async fn documents(ann: &Person, read: &Replay) -> Value {
    let id = read.chunks("data-id")[0]["data"]
        .as_str()
        .unwrap()
        .to_owned();
    ann.get(&format!("/api/document?id={id}")).await
}

#[tokio::test]
async fn a_call_that_is_allowed_runs_and_goes_on_in_the_same_message() {
    let skein = Skein::start_with(ASKS);
    let ann = skein.guest().await;
    let waiting = waiting(&ann).await;
    // The step ends, and nothing has run.
    let kinds = waiting.read.kinds();
    assert_eq!(
        kinds[kinds.len() - 4..],
        ["tool-approval-request", "finish-step", "finish", "[DONE]"],
        "{kinds:?}"
    );
    assert!(waiting.read.chunks("data-id").is_empty());
    // While it waits, a page that comes back is shown the same.
    assert_eq!(ann.replay(&waiting.chat, None).await, waiting.read);
    // As that stream tells it whole, the list leaves it out [W44].
    assert_eq!(ann.messages(&waiting.chat).await.len(), 1);

    // The document, and then the answer, slow enough to be looked at.
    for scenario in ["text=\"Grey and patient.\"", "tokens=100 pace_ms=20"] {
        skein.llm.push(scenario.parse().unwrap());
    }
    let mut stream = EventStream::new(ann.ask(waiting.reply(true)).await);
    assert_eq!(stream.answer_id(), waiting.answer);
    // While it goes on, the list shows it as it was: its stream names a call that a page has to know.
    let (_, id) = waiting.asked();
    stream.until("tool-output-available").await;
    let messages = ann.messages(&waiting.chat).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1]["id"], waiting.answer);
    let parts = messages[1]["parts"].as_array().unwrap();
    assert!(
        parts.iter().any(|part| part["toolCallId"] == id.as_str()),
        "{parts:?}"
    );
    assert!(parts.iter().all(|part| part["type"] != "text"), "{parts:?}");
    let read = stream.finish().await;
    assert_eq!(read.chunks("start")[0]["messageId"], waiting.answer);
    assert_eq!(read.chunks("tool-output-available")[0]["toolCallId"], id);
    assert_eq!(read.chunks("finish").len(), 1);
    assert_eq!(documents(&ann, &read).await.as_array().unwrap().len(), 1);
    // It is one message still, and its stream can be read again.
    let messages = ann.messages(&waiting.chat).await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1]["id"], waiting.answer);
    assert_eq!(messages[1]["metadata"]["status"], "completed");
    let rest = ann.replay(&waiting.chat, Some(0)).await;
    assert_eq!(rest.frames(), read.frames()[1..]);
    // A second consent finds nothing that waits.
    let again = ann.ask(waiting.reply(true)).await;
    assert_eq!(again.status(), 400);
    let body: Value = again.json().await.unwrap();
    assert_eq!(body["code"], "bad_request:api");
}

#[tokio::test]
async fn a_call_that_is_denied_does_not_run_and_the_model_is_told() {
    let skein = Skein::start_with(ASKS);
    let ann = skein.guest().await;
    let waiting = waiting(&ann).await;
    let read = EventStream::new(ann.ask(waiting.reply(false)).await)
        .finish()
        .await;
    let (_, id) = waiting.asked();
    assert_eq!(
        read.chunks("tool-output-denied"),
        [json!({"type": "tool-output-denied", "toolCallId": id})]
    );
    assert!(read.chunks("data-id").is_empty());
    assert_eq!(read.chunks("finish").len(), 1);
    let asked = skein.llm.requests().last().unwrap().body.to_string();
    assert!(asked.contains("because"), "{asked}");
}

#[tokio::test]
async fn a_new_message_ends_the_wait_and_is_answered() {
    let skein = Skein::start_with(ASKS);
    let ann = skein.guest().await;
    let waiting = waiting(&ann).await;
    // As a client sends it that knows of the denial: with the whole conversation.
    let reply = waiting.reply(false);
    let mut body: Value = serde_json::from_slice(reply.body.as_deref().unwrap()).unwrap();
    let said = send_body(&waiting.chat, &new_id(), "Never mind. [[mock: tokens=2]]");
    body["messages"]
        .as_array_mut()
        .unwrap()
        .push(said["message"].clone());
    let read = EventStream::new(ann.ask(Ask::post("/api/chat", body.to_string())).await)
        .finish()
        .await;
    assert_eq!(read.said(), "tok0 tok1");
    let messages = ann.messages(&waiting.chat).await;
    assert_eq!(messages.len(), 4);
    // The call is over: late consent is refused, since the conversation has gone on.
    let late = ann.ask(waiting.reply(true)).await;
    assert_eq!(late.status(), 400);
    assert_eq!(ann.messages(&waiting.chat).await, messages);
}

#[tokio::test]
async fn only_the_owner_consents_and_many_at_once_count_once() {
    let skein = Skein::start_with(ASKS);
    let (ann, ben) = (skein.guest().await, skein.guest().await);
    let waiting = waiting(&ann).await;
    assert_eq!(ben.ask(waiting.reply(true)).await.status(), 403);
    let sends = (0..6).map(|_| ann.ask(waiting.reply(true)));
    let answers = futures_util::future::join_all(sends).await;
    let mut passed = Vec::new();
    for answer in answers {
        if answer.status() == 200 {
            passed.push(EventStream::new(answer).finish().await);
        } else {
            assert_eq!(answer.status(), 400);
        }
    }
    assert_eq!(passed.len(), 1);
    assert_eq!(
        documents(&ann, &passed[0]).await.as_array().unwrap().len(),
        1
    );
}

#[tokio::test]
async fn a_call_waits_through_a_restart() {
    let skein = Skein::start_with(ASKS);
    let ann = skein.guest().await;
    let waiting = waiting(&ann).await;
    let skein = skein.restart_with(ASKS);
    let ann = ann.at(skein.address);
    assert_eq!(ann.replay(&waiting.chat, None).await, waiting.read);
    let read = EventStream::new(ann.ask(waiting.reply(true)).await)
        .finish()
        .await;
    assert_eq!(read.chunks("finish").len(), 1);
    assert_eq!(documents(&ann, &read).await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_stop_ends_the_wait() {
    let skein = Skein::start_with(ASKS);
    let ann = skein.guest().await;
    let waiting = waiting(&ann).await;
    assert!(ann.stop(&waiting.chat).await);
    assert!(!ann.stop(&waiting.chat).await);
    let messages = ann.messages(&waiting.chat).await;
    assert_eq!(messages[1]["metadata"]["status"], "cancelled");
}

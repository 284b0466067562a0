//! Answers to calls that need consent, in the body's `messages`. docs/wire/ai-sdk.md W23, W27.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{super::*, CHAT, MESSAGE};

const ANSWER: &str = "0198a2f0-0000-7000-8000-000000000002";

fn whole(messages: &Value) -> Vec<u8> {
    json!({ "id": CHAT, "messages": messages, "selectedChatModel": "m" })
        .to_string()
        .into_bytes()
}

fn asked() -> Value {
    json!({ "id": MESSAGE, "role": "user", "parts": [{ "type": "text", "text": "Weather?" }] })
}

fn answer(parts: &Value) -> Value {
    json!({ "id": ANSWER, "role": "assistant", "parts": parts })
}

fn approved(call: &str) -> Value {
    json!({
        "type": "tool-getWeather", "toolCallId": call, "state": "approval-responded", "input": { "city": "Bonn" },
        "approval": { "id": "apr_1", "approved": true },
    })
}

fn denied(call: &str) -> Value {
    json!({
        "type": "tool-getWeather", "toolCallId": call, "state": "output-denied", "input": { "city": "Bonn" },
        "approval": { "id": "apr_1", "approved": false, "reason": "Not now." },
    })
}

fn reply(call: &str, approved: bool, reason: Option<&str>) -> ApprovalReply {
    ApprovalReply {
        call_id: call.to_owned(),
        approved,
        reason: reason.map(str::to_owned),
    }
}

fn refused(parts: &Value) -> String {
    decode_chat(&whole(&json!([asked(), answer(parts)])))
        .unwrap_err()
        .cause
}

#[test]
fn an_answered_call_lets_its_answer_go_on() {
    let parts = json!([
        "anything", 7, null, ["state"], { "type": "step-start" },
        { "type": "text", "text": 7, "state": { "deep": [] }, "approval": 1, "toolCallId": [] },
        approved("c1"),
        { "type": "tool-x", "toolCallId": "c2", "state": "output-available", "output": { "state": "output-denied" } },
        { "toolCallId": "c3", "state": "approval-responded", "approval": { "approved": false, "reason": "" } },
        { "toolCallId": "c4", "state": "output-denied" },
        denied("c5"),
        { "toolCallId": "c6", "state": "approval-requested", "approval": { "id": "apr_6" } },
    ]);
    assert_eq!(
        decode_chat(&whole(&json!([asked(), answer(&parts)]))),
        Ok(ChatCommand::Answer(CallReplies {
            conversation: CHAT.parse().unwrap(),
            message: ANSWER.parse().unwrap(),
            replies: vec![
                reply("c1", true, None),
                reply("c3", false, None),
                reply("c4", false, None),
                reply("c5", false, Some("Not now.")),
            ],
            model: Some("m".to_owned()),
        }))
    );
}

#[test]
fn nothing_but_the_last_message_is_looked_at_for_answers() {
    let messages = json!([
        7,
        answer(&json!([approved("old")])),
        asked(),
        answer(&json!([denied("new")]))
    ]);
    let ChatCommand::Answer(answer) = decode_chat(&whole(&messages)).unwrap() else {
        panic!("no answer");
    };
    assert_eq!(answer.replies, [reply("new", false, Some("Not now."))]);
}

#[test]
fn a_new_message_brings_the_denials_before_it() {
    let parts = json!([
        approved("c1"),
        denied("c2"),
        denied("c2"),
        { "state": "output-denied" },
        { "toolCallId": "c3", "state": "approval-responded", "approval": { "approved": "no" } },
        { "toolCallId": "c4", "state": "approval-responded", "approval": { "approved": false } },
    ]);
    let next =
        json!({ "id": ANSWER, "role": "user", "parts": [{ "type": "text", "text": "Go on" }] });
    let read = |messages: Value| match decode_chat(&whole(&messages)).unwrap() {
        ChatCommand::Send(send) => send.replies,
        ChatCommand::Answer(_) => panic!("no send"),
    };
    assert_eq!(
        read(json!([asked(), answer(&parts), next])),
        [
            reply("c2", false, Some("Not now.")),
            reply("c4", false, None)
        ]
    );
    for before in [
        asked(),
        json!(7),
        json!({ "role": "assistant", "parts": 1 }),
        json!({}),
    ] {
        assert_eq!(read(json!([before, next])), []);
    }
}

#[test]
fn a_fault_is_named_by_the_parameter() {
    let at = "messages[1].parts[0]";
    let of = |part: &Value| refused(&json!([part]));
    let with = |key: &str, value: Value| {
        let mut part = approved("c1");
        part[key] = value;
        part
    };
    for (part, cause) in [
        (
            with("toolCallId", Value::Null),
            "toolCallId: a string is accepted",
        ),
        (
            with("toolCallId", json!("")),
            "toolCallId: a string is accepted",
        ),
        (
            with("toolCallId", json!(7)),
            "toolCallId: a string is accepted",
        ),
        (
            with("approval", Value::Null),
            "approval.approved: true or false is accepted",
        ),
        (
            with("approval", json!({})),
            "approval.approved: true or false is accepted",
        ),
        (
            with("approval", json!([true])),
            "approval: an object is accepted",
        ),
        (
            with("approval", json!({ "approved": "yes" })),
            "approval.approved: a boolean is accepted",
        ),
        (
            with(
                "approval",
                json!({ "approved": true, "reason": "x".repeat(501) }),
            ),
            "approval.reason: a text of at most 500 characters (UTF-16 units) is accepted",
        ),
        (
            with("state", json!("output-denied")),
            "approval.approved: false is accepted where the state is \"output-denied\"",
        ),
    ] {
        assert_eq!(of(&part), format!("{at}.{cause}"), "{part}");
    }
    assert_eq!(
        refused(&json!([approved("c1"), denied("c1")])),
        "messages[1].parts[1].toolCallId: one answer to each call is accepted"
    );
    let many: Vec<Value> = (0..65).map(|call| approved(&format!("c{call}"))).collect();
    assert_eq!(
        refused(&json!(many)),
        "messages[1].parts[64]: answers to at most 64 calls are accepted"
    );
    for none in [json!([]), json!([{ "type": "text", "text": "Hi" }])] {
        assert_eq!(
            refused(&none),
            "messages[1].parts: an answer to a tool approval is needed where the last message is not the user's"
        );
    }
    for (last, cause) in [
        (
            json!({ "role": "system" }),
            "messages[0].role: \"user\" or \"assistant\" is accepted",
        ),
        (
            json!({}),
            "messages[0].role: \"user\" or \"assistant\" is accepted",
        ),
        (
            json!({ "role": "assistant", "id": "msg-1", "parts": [approved("c1")] }),
            "messages[0].id: a UUID in its 36-character hyphenated form is accepted",
        ),
    ] {
        assert_eq!(
            decode_chat(&whole(&json!([last]))).unwrap_err().cause,
            cause
        );
    }
}

#[test]
fn a_reason_is_counted_as_the_frontend_counts_it() {
    let part = |reason: String| json!({ "toolCallId": "c1", "state": "output-denied", "approval": { "approved": false, "reason": reason } });
    let read = |reason| decode_chat(&whole(&json!([answer(&json!([part(reason)]))])));
    assert!(read("😀".repeat(250)).is_ok());
    assert!(read("😀".repeat(251)).is_err());
}

#[test]
fn a_key_that_is_given_twice_is_refused() {
    let body = String::from_utf8(whole(&json!([answer(&json!([approved("c1")]))]))).unwrap();
    let twice = body.replace("\"approved\":true", "\"approved\":false,\"approved\":true");
    assert_eq!(
        decode_chat(twice.as_bytes()).unwrap_err().cause,
        "messages[0].parts[0].approval.approved: given twice"
    );
}

#[test]
fn a_fault_says_nothing_of_what_was_sent() {
    let secret = "my-secret-words";
    let mut part = approved(secret);
    part["approval"] = json!({ "approved": secret });
    assert!(!refused(&json!([part])).contains(secret));
    part["approval"] = json!(secret);
    assert!(!refused(&json!([part])).contains(secret));
}

proptest! {
    #[test]
    fn any_part_is_taken_or_refused(part in "\\PC{0,60}", state in any::<bool>()) {
        let part = json!({ "state": if state { "output-denied" } else { "approval-responded" }, "toolCallId": part, "approval": part });
        let text = String::from_utf8(whole(&json!([answer(&json!([part]))]))).unwrap();
        let _ = decode_chat(text.as_bytes());
    }

    #[test]
    fn a_cut_body_is_refused(at in any::<prop::sample::Index>()) {
        let whole = whole(&json!([asked(), answer(&json!([approved("c1")]))]));
        prop_assert!(decode_chat(&whole[..at.index(whole.len())]).is_err());
    }
}

use chat_core::{
    access::Visibility,
    conversation::Conversation,
    id::{ConversationId, LegId, MessageId, RunId, UserId},
    message::{
        Call, Executor, Message, MessageBody, MessageStatus, Part, PartContent, PartStatus, Role,
        ToolKind, ToolResult,
    },
    ports::HistoryPage,
    run::{RunError, Usage},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::ai_sdk::AiSdkChunks;

mod approval;
mod rows;
mod search;

const NOW_MS: i64 = 1_765_485_481_007;

fn conversation() -> Conversation {
    Conversation {
        id: ConversationId::new(Uuid::from_u128(1)),
        owner: Owner::User(UserId::new(Uuid::from_u128(2))),
        title: None,
        visibility: Visibility::Public,
        origin: chat_core::conversation::Origin::AiSdk,
        created_at_ms: NOW_MS,
    }
}

fn message(role: Role, contents: Vec<(Option<u32>, PartStatus, PartContent)>) -> Message {
    let parts = contents
        .into_iter()
        .zip(0..)
        .map(|((step, status, content), ordinal)| Part {
            ordinal,
            leg: step.map(|_| LegId::new(Uuid::from_u128(9))),
            step,
            status,
            started_at_ms: NOW_MS,
            finished_at_ms: Some(NOW_MS),
            alias: None,
            content,
        })
        .collect();
    Message {
        id: MessageId::new(Uuid::from_u128(3)),
        conversation: ConversationId::new(Uuid::from_u128(1)),
        seq: 1,
        role,
        created_at_ms: NOW_MS,
        body: MessageBody {
            parts,
            ..MessageBody::default()
        },
    }
}

fn text(text: &str) -> PartContent {
    PartContent::Text {
        text: text.to_owned(),
        annotations: Vec::new(),
    }
}

fn call(id: &str, arguments: &str) -> PartContent {
    PartContent::Call(Call {
        call_id: id.to_owned(),
        name: "getWeather".to_owned(),
        tool: ToolKind::Function,
        executor: Executor::Server,
        arguments: arguments.to_owned(),
        code: None,
        approval: None,
    })
}

fn output(call: u32, result: ToolResult) -> PartContent {
    PartContent::CallOutput { call, result }
}

fn shown(message: &Message) -> Value {
    serde_json::to_value(UiMessage::new(message, AiSdkChunks::All).unwrap()).unwrap()
}

const DONE: PartStatus = PartStatus::Completed;

// docs/wire/ai-sdk.md W40.
#[test]
fn a_time_has_three_fractional_digits_and_a_z() {
    for (ms, text) in [
        (0, "1970-01-01T00:00:00.000Z"),
        (NOW_MS, "2025-12-11T20:38:01.007Z"),
        (1_765_485_481_000, "2025-12-11T20:38:01.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
    ] {
        assert_eq!(timestamp(ms), text);
    }
    assert_eq!(timestamp(i64::MAX), "9999-12-30T21:59:59.999Z");
    assert_eq!(timestamp(i64::MIN), "0001-01-01T00:00:00.000Z");
}

// docs/wire/ai-sdk.md W41, W42.
#[test]
fn a_list_holds_whole_rows_and_says_whether_there_are_more() {
    let mut titled = conversation();
    titled.title = Some("Weather".to_owned());
    titled.visibility = Visibility::Private;
    titled.owner = Owner::Tenant;
    let page = HistoryPage {
        conversations: vec![conversation(), titled],
        more: true,
    };
    insta::assert_snapshot!(serde_json::to_string_pretty(&HistoryResponse::new(&page)).unwrap());
}

// docs/wire/ai-sdk.md W43.
#[test]
fn an_unknown_conversation_is_empty_and_the_callers_own() {
    insta::assert_snapshot!(serde_json::to_string(&MessagesResponse::unknown()).unwrap());
}

#[test]
fn a_stranger_reads_and_does_not_write() {
    let messages = [message(Role::User, vec![(None, DONE, text("Hi"))])];
    let owner = conversation().owner;
    let stranger = Owner::User(UserId::new(Uuid::from_u128(5)));
    assert!(
        !MessagesResponse::new(&conversation(), &owner, &messages, AiSdkChunks::All).is_readonly
    );
    let answer = MessagesResponse::new(&conversation(), &stranger, &messages, AiSdkChunks::All);
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer).unwrap());
}

// docs/wire/ai-sdk.md W44.
#[test]
fn a_message_that_is_being_written_is_left_out() {
    let mut answer = message(Role::Assistant, vec![(Some(0), DONE, text("Hi"))]);
    answer.body.status = MessageStatus::InProgress;
    let response = MessagesResponse::new(
        &conversation(),
        &conversation().owner,
        &[answer],
        AiSdkChunks::All,
    );
    assert_eq!(response.messages, Vec::new());
}

// docs/wire/ai-sdk.md W45, W46, W47.
#[test]
fn every_kind_of_part_has_the_keys_of_its_kind() {
    let answer = message(
        Role::Assistant,
        vec![
            (
                Some(0),
                DONE,
                PartContent::Reasoning {
                    summary: vec!["First".to_owned(), String::new()],
                    text: vec!["Then".to_owned()],
                    encrypted: Some("opaque".to_owned()),
                },
            ),
            (Some(0), DONE, call("c1", "{\"city\":\"Bonn\"}")),
            (
                Some(0),
                DONE,
                output(
                    1,
                    ToolResult::Output {
                        output: Value::Null,
                    },
                ),
            ),
            (Some(1), DONE, call("c2", "")),
            (
                Some(1),
                DONE,
                output(
                    3,
                    ToolResult::Error {
                        message: "No such city.".to_owned(),
                    },
                ),
            ),
            (Some(1), DONE, call("c3", "{}")),
            (
                Some(1),
                DONE,
                output(5, ToolResult::Denied { reason: None }),
            ),
            (Some(1), DONE, call("c4", "{broken")),
            (Some(1), PartStatus::Incomplete, call("c5", "{\"a\":1}")),
            (Some(1), DONE, call("c6", "[1]")),
            (
                Some(2),
                DONE,
                PartContent::Refusal {
                    text: "I cannot.".to_owned(),
                },
            ),
            (Some(2), PartStatus::Incomplete, text("Sun")),
            (Some(2), DONE, text("")),
            (
                Some(2),
                DONE,
                PartContent::Source {
                    url: "https://x.example/".to_owned(),
                    title: None,
                },
            ),
            (
                Some(2),
                DONE,
                PartContent::Data {
                    name: "weather".to_owned(),
                    id: None,
                    data: json!({ "a": null }),
                },
            ),
            (
                Some(2),
                DONE,
                PartContent::Opaque {
                    name: "item".to_owned(),
                    raw: json!({}),
                },
            ),
        ],
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown(&answer)["parts"]).unwrap());
}

#[test]
fn a_users_message_has_its_files_and_no_steps() {
    let sent = message(
        Role::User,
        vec![
            (
                None,
                DONE,
                PartContent::File {
                    media_type: "image/png".to_owned(),
                    name: Some("a.png".to_owned()),
                    url: "https://x.example/a.png".to_owned(),
                },
            ),
            (None, DONE, text("Look")),
        ],
    );
    insta::assert_snapshot!(serde_json::to_string(&shown(&sent)["parts"]).unwrap());
}

// docs/wire/ai-sdk.md W48, W49.
#[test]
fn an_answer_that_fell_short_says_why_and_what_it_cost() {
    let mut answer = message(
        Role::Assistant,
        vec![(Some(0), PartStatus::Incomplete, text("Sun"))],
    );
    answer.body.status = MessageStatus::Failed;
    answer.body.error = Some(RunError::Interrupted);
    answer.body.run = Some(RunId::new(Uuid::from_u128(8)));
    answer.body.model = Some("gpt-4o-mini".to_owned());
    answer.body.usage = Some(Usage {
        input: 10,
        output: 5,
        reasoning: 2,
        ..Usage::default()
    });
    insta::assert_snapshot!(serde_json::to_string_pretty(&shown(&answer)).unwrap());
}

// docs/wire/ai-sdk.md W17.
#[test]
fn a_resume_just_after_the_end_appends_the_stored_message() {
    let answer = message(Role::Assistant, vec![(Some(0), DONE, text("a \"b\"\n"))]);
    let bytes = String::from_utf8(append_message(&answer, AiSdkChunks::All)).unwrap();
    insta::assert_snapshot!(bytes);
    let frame = bytes.split("\n\n").next().unwrap();
    let chunk: Value = serde_json::from_str(frame.split_once("data: ").unwrap().1).unwrap();
    let row: Value = serde_json::from_str(chunk["data"].as_str().unwrap()).unwrap();
    assert_eq!(row["parts"][1]["text"], "a \"b\"\n");
    assert_eq!(row["attachments"], json!([]));
}

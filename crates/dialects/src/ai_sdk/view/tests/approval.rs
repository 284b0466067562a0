//! Calls that need consent, as messages show them. docs/wire/ai-sdk.md W44, W47.

use chat_core::message::Approval;

use super::*;

fn asked(id: &str, approved: Option<bool>, reason: Option<&str>) -> PartContent {
    let PartContent::Call(call) = call(id, "{}") else {
        panic!("no call");
    };
    PartContent::Call(Call {
        approval: Some(Approval {
            id: format!("apr_{id}"),
            approved,
            reason: reason.map(str::to_owned),
        }),
        ..call
    })
}

fn given() -> ToolResult {
    ToolResult::Output { output: json!(21) }
}

fn denied(reason: Option<&str>) -> ToolResult {
    ToolResult::Denied {
        reason: reason.map(str::to_owned),
    }
}

/// Puts what comes from this ordinal on into another leg.
fn goes_on_from(message: &mut Message, ordinal: u32) {
    for part in &mut message.body.parts {
        if part.ordinal >= ordinal {
            part.leg = Some(LegId::new(Uuid::from_u128(10)));
        }
    }
}

fn in_progress(contents: Vec<PartContent>) -> Message {
    let parts = contents
        .into_iter()
        .map(|content| (Some(0), DONE, content))
        .collect();
    let mut message = message(Role::Assistant, parts);
    message.body.status = MessageStatus::InProgress;
    message
}

/// The states that a message's calls are shown in, or `None` for one that is left out.
fn states(message: &Message) -> Option<Vec<&'static str>> {
    let shown = UiMessage::new(message, AiSdkChunks::V6)?;
    Some(shown.parts.iter().filter_map(|part| part.state).collect())
}

#[test]
fn a_call_says_what_its_reader_said() {
    let answer = message(
        Role::Assistant,
        vec![
            (Some(0), DONE, asked("c0", None, None)),
            (Some(0), DONE, asked("c1", Some(true), Some("Go."))),
            (Some(0), DONE, asked("c2", Some(false), None)),
            (Some(0), DONE, asked("c3", Some(true), None)),
            (Some(0), DONE, output(3, given())),
            (Some(0), DONE, asked("c5", Some(false), None)),
            (Some(0), DONE, output(5, denied(Some("Not now.")))),
            (Some(0), DONE, asked("c7", None, None)),
            (Some(0), DONE, output(7, denied(None))),
            (Some(0), DONE, asked("c9", None, None)),
            (
                Some(0),
                DONE,
                output(
                    9,
                    ToolResult::Error {
                        message: "Too late.".to_owned(),
                    },
                ),
            ),
            // Nobody was asked, so there is no consent to show.
            (Some(0), DONE, call("c11", "{}")),
            (Some(0), DONE, output(11, denied(None))),
        ],
    );
    let parts = |chunks| {
        let shown = UiMessage::new(&answer, chunks).unwrap();
        serde_json::to_string_pretty(&shown.parts).unwrap()
    };
    insta::assert_snapshot!(parts(AiSdkChunks::V6));
    assert_eq!(parts(AiSdkChunks::V6), parts(AiSdkChunks::V7));
    insta::assert_snapshot!(parts(AiSdkChunks::All));
}

#[test]
fn a_call_that_the_conversation_went_on_without_is_denied() {
    let waits = message(
        Role::Assistant,
        vec![(Some(0), DONE, asked("c0", None, None))],
    );
    let states = |messages: &[Message]| -> Vec<Vec<&'static str>> {
        let conversation = conversation();
        let owner = &conversation.owner;
        let response = MessagesResponse::new(&conversation, owner, messages, AiSdkChunks::V6);
        let messages = response.messages.into_iter();
        messages
            .map(|message| message.parts.iter().filter_map(|part| part.state).collect())
            .collect()
    };
    assert_eq!(
        states(std::slice::from_ref(&waits)),
        [["approval-requested"]]
    );
    assert_eq!(
        states(&[waits.clone(), waits]),
        [["output-denied"], ["approval-requested"]]
    );
}

#[test]
fn an_answer_that_waits_for_the_first_time_is_told_by_its_stream() {
    assert_eq!(states(&in_progress(vec![asked("c0", None, None)])), None);
}

#[test]
fn an_answer_that_goes_on_is_shown_as_it_was_before() {
    let mut message = in_progress(vec![
        text("Let me look."),
        asked("c1", Some(true), None),
        asked("c2", Some(false), None),
        output(2, denied(None)),
        output(1, given()),
        text("Sunny"),
    ]);
    goes_on_from(&mut message, 3);
    assert_eq!(
        states(&message),
        Some(vec!["done", "approval-responded", "approval-responded"])
    );
    message.body.status = MessageStatus::Completed;
    assert_eq!(
        states(&message),
        Some(vec!["done", "output-available", "output-denied", "done"])
    );
}

#[test]
fn an_answer_that_waits_again_is_shown_whole() {
    let mut message = in_progress(vec![
        asked("c0", Some(true), None),
        output(0, given()),
        asked("c2", None, None),
    ]);
    goes_on_from(&mut message, 1);
    assert_eq!(
        states(&message),
        Some(vec!["output-available", "approval-requested"])
    );
}

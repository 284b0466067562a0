//! Calls that need consent, and streams that go on after it was given. docs/wire/ai-sdk.md W5, W12, W15, W18.

use chat_core::event::{CallAnswer, Reply};

use super::*;

const ALL: [AiSdkChunks; 3] = [AiSdkChunks::All, AiSdkChunks::V6, AiSdkChunks::V7];

// docs/wire/ai-sdk.md W5, W12.
#[test]
fn a_denial_is_an_error_to_parsers_that_know_no_denials() {
    let denied = |reason: Option<&str>, chunks| {
        let reason = reason.map(str::to_owned);
        let told = data(&tool_turn("{}", ToolResult::Denied { reason }), chunks);
        told.lines().nth(5).unwrap().to_owned()
    };
    insta::assert_snapshot!(denied(None, AiSdkChunks::All));
    insta::assert_snapshot!(denied(Some("Not now."), AiSdkChunks::All));
    insta::assert_snapshot!(denied(Some("Not now."), AiSdkChunks::V6));
    insta::assert_snapshot!(denied(None, AiSdkChunks::V7));
}

// docs/wire/ai-sdk.md W5, W15.
#[test]
fn an_approval_is_asked_of_parsers_that_know_approvals() {
    let events = whole(
        vec![
            step(0),
            started(0, call("")),
            finished(0, call("{}")),
            EventKind::ApprovalRequested {
                part: 0,
                approval: "apr_1".to_owned(),
            },
            step_finished(0, FinishReason::ToolCalls),
        ],
        EventKind::Paused {
            calls: Vec::new(),
            approvals: vec![0],
            expires_at_ms: 600_000,
        },
    );
    insta::assert_snapshot!(data(&events, AiSdkChunks::V6));
    assert!(!data(&events, AiSdkChunks::All).contains("approval"));
}

fn reopened(answers: Vec<CallAnswer>) -> EventKind {
    EventKind::LegOpened {
        run: leg().run,
        index: 1,
        message: leg().message,
        answers,
    }
}

fn reply(call: u32, reply: Reply) -> CallAnswer {
    CallAnswer {
        call,
        call_id: format!("call_{call}"),
        reply,
    }
}

fn result(part: u32, result: ToolResult) -> Reply {
    Reply::Result { part, result }
}

/// A step that says this, and the end.
fn goes_on(words: &str) -> Vec<EventKind> {
    vec![
        step(1),
        started(9, PartContent::text()),
        delta(9, Field::Text, words),
        finished(9, text(words)),
        step_finished(1, FinishReason::Stop),
        ended(Outcome::Completed, None),
    ]
}

#[test]
fn a_call_that_was_approved_is_told_once_it_ran() {
    let mut events = vec![
        reopened(vec![reply(0, Reply::Consent { reason: None })]),
        EventKind::LegTaken,
        tool_finished(
            0,
            ToolResult::Output {
                output: json!({ "t": 21 }),
            },
        ),
    ];
    events.extend(goes_on("Sunny"));
    for chunks in ALL {
        insta::allow_duplicates! {
            insta::assert_snapshot!(data(&events, chunks));
        }
    }
}

#[test]
fn a_call_that_was_denied_is_told_at_once() {
    let denied = ToolResult::Denied {
        reason: Some("Not now.".to_owned()),
    };
    let mut events = vec![
        reopened(vec![reply(0, result(1, denied))]),
        EventKind::LegTaken,
    ];
    events.extend(goes_on("As you wish"));
    insta::assert_snapshot!(data(&events, AiSdkChunks::All));
    insta::assert_snapshot!(data(&events, AiSdkChunks::V6));
    assert_eq!(
        data(&events, AiSdkChunks::V6),
        data(&events, AiSdkChunks::V7)
    );
}

#[test]
fn several_answers_are_told_in_their_order() {
    let mut events = vec![
        reopened(vec![
            reply(
                0,
                Reply::Consent {
                    reason: Some("Go".to_owned()),
                },
            ),
            reply(
                1,
                result(
                    3,
                    ToolResult::Output {
                        output: Value::Null,
                    },
                ),
            ),
            reply(
                2,
                result(
                    4,
                    ToolResult::Error {
                        message: "No such place.".to_owned(),
                    },
                ),
            ),
            reply(5, result(6, ToolResult::Denied { reason: None })),
        ]),
        tool_finished(
            0,
            ToolResult::Error {
                message: "Too late.".to_owned(),
            },
        ),
        // One that nobody answered, and that this stream has not begun.
        tool_finished(7, ToolResult::Output { output: json!(1) }),
    ];
    events.extend(goes_on("Well"));
    insta::assert_snapshot!(data(&events, AiSdkChunks::V7));
}

#[test]
fn a_leg_that_waits_again_asks_again() {
    let events = [
        reopened(vec![reply(0, Reply::Consent { reason: None })]),
        tool_finished(0, ToolResult::Output { output: json!(1) }),
        step(1),
        started(2, call("")),
        finished(2, call("{}")),
        EventKind::ApprovalRequested {
            part: 2,
            approval: "apr_2".to_owned(),
        },
        step_finished(1, FinishReason::ToolCalls),
        EventKind::Paused {
            calls: Vec::new(),
            approvals: vec![2],
            expires_at_ms: 1,
        },
    ];
    insta::assert_snapshot!(data(&events, AiSdkChunks::V6));
}

#[test]
fn an_approval_of_a_call_that_was_not_begun_is_not_asked() {
    let asked = EventKind::ApprovalRequested {
        part: 4,
        approval: "apr_1".to_owned(),
    };
    for chunks in ALL {
        assert_eq!(data(std::slice::from_ref(&asked), chunks), "");
    }
}

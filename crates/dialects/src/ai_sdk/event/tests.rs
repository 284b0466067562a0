use std::sync::Arc;

use chat_core::{
    event::{Field, FinishReason},
    id::{ConversationId, LegId, MessageId, NodeId, RunId},
    message::{Call, Executor, PartContent, PartStatus, ToolKind, ToolResult},
    run::{LegSettings, Outcome, RunError, RunStatus, StopCause},
};
use serde_json::{Value, json};

use super::*;
use crate::ai_sdk::error_text;

mod approval;
mod artifact;
mod replay;

fn leg() -> Leg {
    Leg {
        id: LegId::new(Uuid::from_u128(1)),
        run: RunId::new(Uuid::from_u128(2)),
        index: 0,
        conversation: ConversationId::new(Uuid::from_u128(3)),
        message: MessageId::new(Uuid::from_u128(4)),
        message_seq: 2,
        node: NodeId::new(Uuid::from_u128(5)),
        epoch: 1,
        opened_at_ms: 0,
        settings: LegSettings {
            model: "gpt-4o-mini".to_owned(),
            window: 128_000,
            prompt_budget: 96_000,
            max_output: None,
            encoding: "o200k_base".to_owned(),
            system: None,
            tools: Vec::new(),
            consent: Vec::new(),
            artifact_model: None,
            title_model: None,
            max_steps: 5,
        },
        echo: None,
        answers: Vec::new(),
        status: RunStatus::InProgress,
        error: None,
        closed_at_ms: None,
    }
}

fn encode_after(kinds: &[EventKind], chunks: AiSdkChunks, mut sink: FrameSink) -> String {
    let leg = Leg {
        echo: Some(chunks.echo()),
        ..leg()
    };
    let mut encoder = AiSdkEncoder::new(&leg);
    for (n, kind) in (1..).zip(kinds) {
        let event = RunEvent {
            n,
            at_ms: 0,
            kind: kind.clone(),
            raw: None,
        };
        encoder.event(&event, &mut sink);
    }
    String::from_utf8(sink.take()).unwrap()
}

fn encode(kinds: &[EventKind]) -> String {
    encode_after(kinds, AiSdkChunks::All, FrameSink::new())
}

/// The frames' data lines.
fn data(kinds: &[EventKind], chunks: AiSdkChunks) -> String {
    encode_after(kinds, chunks, FrameSink::new())
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .collect::<Vec<_>>()
        .join("\n")
}

fn opened() -> [EventKind; 2] {
    [
        EventKind::LegOpened {
            run: leg().run,
            index: 0,
            message: leg().message,
            answers: Vec::new(),
        },
        EventKind::LegTaken,
    ]
}

fn step(step: u32) -> EventKind {
    EventKind::StepStarted {
        step,
        model: "gpt-4o-mini-2024".to_owned(),
        upstream_id: Some("chatcmpl-1".to_owned()),
    }
}

fn started(part: u32, head: PartContent) -> EventKind {
    EventKind::PartStarted {
        part,
        step: 0,
        head,
        alias: None,
    }
}

fn delta(part: u32, field: Field, text: &str) -> EventKind {
    EventKind::PartDelta {
        part,
        field,
        text: text.to_owned(),
    }
}

fn finished(part: u32, content: PartContent) -> EventKind {
    finished_as(part, PartStatus::Completed, content)
}

fn finished_as(part: u32, status: PartStatus, content: PartContent) -> EventKind {
    EventKind::PartFinished {
        part,
        status,
        content: Arc::new(content),
    }
}

fn text(text: &str) -> PartContent {
    PartContent::Text {
        text: text.to_owned(),
        annotations: Vec::new(),
    }
}

fn call(arguments: &str) -> PartContent {
    PartContent::Call(Call {
        call_id: "call_1".to_owned(),
        name: "getWeather".to_owned(),
        tool: ToolKind::Function,
        executor: Executor::Server,
        arguments: arguments.to_owned(),
        code: None,
        approval: None,
    })
}

fn step_finished(step: u32, reason: FinishReason) -> EventKind {
    EventKind::StepFinished {
        step,
        reason,
        usage: Some(Usage {
            input: 10,
            output: 5,
            ..Usage::default()
        }),
    }
}

fn ended(outcome: Outcome, error: Option<RunError>) -> EventKind {
    EventKind::Ended {
        outcome,
        error,
        retry_after_ms: None,
        usage: None,
    }
}

fn tool_finished(part: u32, result: ToolResult) -> EventKind {
    EventKind::ToolFinished {
        part,
        output_part: part + 1,
        result,
    }
}

/// The events of a plain answer, from the first step to the last.
fn answer() -> Vec<EventKind> {
    vec![
        step(0),
        started(0, PartContent::text()),
        delta(0, Field::Text, "Hel"),
        delta(0, Field::Text, "lo\n\"\u{2028}ü😀\u{0}"),
        finished(0, text("Hello\n\"\u{2028}ü😀\u{0}")),
        step_finished(0, FinishReason::Stop),
    ]
}

fn whole(parts: Vec<EventKind>, end: EventKind) -> Vec<EventKind> {
    opened().into_iter().chain(parts).chain([end]).collect()
}

// docs/wire/ai-sdk.md W2, W7, W8, W9, W14.
#[test]
fn a_plain_answer() {
    insta::assert_snapshot!(encode(&whole(answer(), ended(Outcome::Completed, None))));
}

// docs/wire/ai-sdk.md W14.
#[test]
fn an_answer_of_unknown_cost_has_no_usage() {
    let mut parts = answer();
    parts[5] = EventKind::StepFinished {
        step: 0,
        reason: FinishReason::Stop,
        usage: None,
    };
    let events = whole(parts, ended(Outcome::Completed, None));
    assert!(!encode(&events).contains("usage"));
}

#[test]
fn the_usage_of_the_end_is_the_one_that_is_told() {
    let end = EventKind::Ended {
        outcome: Outcome::Completed,
        error: None,
        retry_after_ms: None,
        usage: Some(Usage {
            input: 100,
            cached_input: 60,
            output: 20,
            reasoning: 7,
            estimated: false,
        }),
    };
    let told = data(&whole(answer(), end), AiSdkChunks::All);
    insta::assert_snapshot!(told.lines().rev().nth(1).unwrap());
}

// docs/wire/ai-sdk.md W10.
#[test]
fn reasoning_comes_before_the_text_and_sections_are_kept_apart() {
    let events = whole(
        vec![
            step(0),
            started(0, PartContent::reasoning()),
            delta(0, Field::Summary(0), "Let me "),
            delta(0, Field::Summary(0), "think."),
            delta(0, Field::Summary(1), "Yes."),
            finished(0, PartContent::reasoning()),
            started(1, PartContent::text()),
            delta(1, Field::Text, "42"),
            finished(1, text("42")),
            step_finished(0, FinishReason::Stop),
        ],
        ended(Outcome::Completed, None),
    );
    insta::assert_snapshot!(data(&events, AiSdkChunks::All));
}

/// Two steps: a call with this outcome, then a text.
fn tool_turn(arguments: &str, result: ToolResult) -> Vec<EventKind> {
    whole(
        vec![
            step(0),
            started(0, call("")),
            delta(0, Field::Arguments, arguments),
            finished(0, call(arguments)),
            tool_finished(0, result),
            step_finished(0, FinishReason::ToolCalls),
            step(1),
            started(2, PartContent::text()),
            delta(2, Field::Text, "Sunny"),
            finished(2, text("Sunny")),
            step_finished(1, FinishReason::Stop),
        ],
        ended(Outcome::Completed, None),
    )
}

// docs/wire/ai-sdk.md W8, W11, W12.
#[test]
fn a_tool_call_and_its_output_over_two_steps() {
    let events = tool_turn(
        "{\"city\":\n\"Bonn\"}",
        ToolResult::Output {
            output: json!({ "t": [1.5, null] }),
        },
    );
    insta::assert_snapshot!(data(&events, AiSdkChunks::All));
}

// docs/wire/ai-sdk.md W12.
#[test]
fn a_tool_that_fails_is_told_in_place_of_its_output() {
    let events = tool_turn(
        "",
        ToolResult::Error {
            message: "No such city.".to_owned(),
        },
    );
    insta::assert_snapshot!(data(&events, AiSdkChunks::All));
}

// docs/wire/ai-sdk.md W11.
#[test]
fn broken_arguments_are_an_input_error() {
    let events = tool_turn(
        "{\"city\":",
        ToolResult::Error {
            message: "The arguments are not valid.".to_owned(),
        },
    );
    insta::assert_snapshot!(data(&events, AiSdkChunks::All));
}

// docs/wire/ai-sdk.md W15.
#[test]
fn a_stopped_answer_ends_with_a_bare_abort() {
    let mut parts = answer();
    parts.truncate(4);
    parts.push(EventKind::StopRequested {
        cause: StopCause::Asked,
    });
    parts.push(finished_as(0, PartStatus::Incomplete, text("Hello")));
    insta::assert_snapshot!(data(
        &whole(parts, ended(Outcome::Cancelled, None)),
        AiSdkChunks::All
    ));
}

// docs/wire/ai-sdk.md W15.
#[test]
fn an_answer_that_fails_midway_ends_with_an_error() {
    let mut parts = answer();
    parts.truncate(4);
    parts.push(finished_as(0, PartStatus::Incomplete, text("Hello")));
    let events = whole(
        parts,
        ended(Outcome::Failed, Some(RunError::UpstreamBroken)),
    );
    insta::assert_snapshot!(data(&events, AiSdkChunks::All));
}

// docs/wire/ai-sdk.md W15.
#[test]
fn an_unreachable_model_is_start_error_done() {
    let events = whole(
        Vec::new(),
        ended(Outcome::Failed, Some(RunError::UpstreamUnavailable)),
    );
    insta::assert_snapshot!(encode(&events));
}

// docs/wire/ai-sdk.md W14.
#[test]
fn an_answer_that_reached_a_limit_is_finished() {
    let mut parts = answer();
    parts[5] = step_finished(0, FinishReason::Length);
    let events = whole(
        parts,
        ended(Outcome::Incomplete, Some(RunError::MaxOutputTokens)),
    );
    let told = data(&events, AiSdkChunks::All);
    assert!(told.contains("\n{\"type\":\"finish\"}\n{\"type\":\"data-usage\","));
    assert!(told.ends_with("\n[DONE]"));
}

// docs/wire/ai-sdk.md W9.
#[test]
fn a_refusal_is_shown_as_text() {
    let refusal = |text: &str| PartContent::Refusal {
        text: text.to_owned(),
    };
    let events = whole(
        vec![
            step(0),
            started(0, refusal("")),
            delta(0, Field::Refusal, "I cannot."),
            finished(0, refusal("I cannot.")),
            step_finished(0, FinishReason::Stop),
        ],
        ended(Outcome::Completed, None),
    );
    insta::assert_snapshot!(data(&events, AiSdkChunks::All));
}

// docs/wire/ai-sdk.md W13.
#[test]
fn titles_data_files_and_sources_are_told_whole() {
    let file = PartContent::File {
        media_type: "image/png".to_owned(),
        name: None,
        url: "data:image/png;base64,AA==".to_owned(),
    };
    let source = |title: Option<&str>| PartContent::Source {
        url: "https://x.example/".to_owned(),
        title: title.map(str::to_owned),
    };
    let kept = PartContent::Data {
        name: "weather".to_owned(),
        id: Some("w1".to_owned()),
        data: json!({ "a": null }),
    };
    let events = whole(
        vec![
            EventKind::Retitled {
                title: "The \"weather\"".to_owned(),
            },
            EventKind::Data {
                name: "kind\"s".to_owned(),
                id: None,
                data: Value::Null,
                transient: true,
            },
            EventKind::Data {
                name: "state".to_owned(),
                id: Some("s1".to_owned()),
                data: json!([1]),
                transient: false,
            },
            step(0),
            started(0, file.clone()),
            finished(0, file),
            started(1, source(None)),
            finished(1, source(None)),
            finished(2, source(Some("X"))),
            finished(3, kept),
        ],
        ended(Outcome::Completed, None),
    );
    insta::assert_snapshot!(data(&events, AiSdkChunks::All));
}

// docs/wire/ai-sdk.md W12, W16.
#[test]
fn what_the_client_was_not_told_of_has_no_frames() {
    let silent = [
        delta(7, Field::Text, "x"),
        finished(7, text("x")),
        finished(8, call("{}")),
        tool_finished(8, ToolResult::Output { output: json!(1) }),
        started(
            9,
            PartContent::CallOutput {
                call: 8,
                result: ToolResult::Denied { reason: None },
            },
        ),
        EventKind::StopRequested {
            cause: StopCause::Shutdown,
        },
        EventKind::DocumentDelta {
            document: "d".to_owned(),
            text: "x".to_owned(),
        },
        EventKind::Foreign,
    ];
    for chunks in [AiSdkChunks::All, AiSdkChunks::V6, AiSdkChunks::V7] {
        assert_eq!(data(&silent, chunks), "");
    }
}

// docs/wire/ai-sdk.md W8.
#[test]
fn a_text_that_a_step_left_open_is_closed_by_it() {
    let events = whole(
        vec![
            step(0),
            started(0, PartContent::text()),
            step_finished(0, FinishReason::Length),
            delta(0, Field::Text, "late"),
            finished(0, text("late")),
        ],
        ended(Outcome::Incomplete, Some(RunError::MaxOutputTokens)),
    );
    let told = data(&events, AiSdkChunks::All);
    assert!(
        !told.contains("late") && !told.contains("text-end"),
        "{told}"
    );
}

// docs/wire/ai-sdk.md W6.
#[test]
fn a_reader_who_saw_a_part_gets_the_rest() {
    let events = whole(answer(), ended(Outcome::Completed, None));
    insta::assert_snapshot!(encode_after(&events, AiSdkChunks::All, FrameSink::after(6)));
    let all = encode_after(&events, AiSdkChunks::All, FrameSink::after(9));
    assert_eq!(all, "");
}

// docs/wire/ai-sdk.md W6.
#[test]
fn a_reader_who_saw_more_than_was_kept_is_told_of_the_interruption() {
    let mut parts = answer();
    parts.truncate(3);
    let events = whole(parts, ended(Outcome::Failed, Some(RunError::Interrupted)));
    insta::assert_snapshot!(encode_after(
        &events,
        AiSdkChunks::All,
        FrameSink::after(40)
    ));
    assert!(encode(&events).ends_with(&encode_after(
        &events,
        AiSdkChunks::All,
        FrameSink::after(40)
    )));
}

// docs/wire/ai-sdk.md W15.
#[test]
fn every_fault_has_a_sentence_of_its_own() {
    let errors = [
        RunError::Interrupted,
        RunError::UpstreamUnavailable,
        RunError::UpstreamRejected,
        RunError::RateLimited,
        RunError::Timeout,
        RunError::UpstreamBroken,
        RunError::ContentFilter,
        RunError::MaxOutputTokens,
        RunError::PromptTooLong,
        RunError::MaxSteps,
        RunError::TooLarge,
        RunError::Internal,
    ];
    let sentences: std::collections::HashSet<&str> = errors
        .iter()
        .map(|error| error_text(Some(*error)))
        .collect();
    assert_eq!(sentences.len(), errors.len());
    assert!(sentences.iter().all(|sentence| sentence.ends_with('.')));
}

#[test]
fn the_setting_names_a_set_of_chunks() {
    assert_eq!(AiSdkChunks::from_name("all"), Some(AiSdkChunks::All));
    assert_eq!(AiSdkChunks::from_name("v6"), Some(AiSdkChunks::V6));
    assert_eq!(AiSdkChunks::from_name("v7"), Some(AiSdkChunks::V7));
    assert_eq!(AiSdkChunks::from_name("V6"), None);
}

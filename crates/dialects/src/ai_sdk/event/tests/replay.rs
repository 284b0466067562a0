//! Over random event lists, legal or not: every replay is the rest of the first stream, and every chunk is one that
//! all parsers take.

use chat_core::event::{CallAnswer, Reply};
use proptest::prelude::*;

use super::*;

fn content() -> impl Strategy<Value = PartContent> {
    prop_oneof![
        4 => any::<String>().prop_map(|one| text(&one)),
        1 => any::<String>().prop_map(|text| PartContent::Refusal { text }),
        2 => Just(PartContent::reasoning()),
        3 => any::<String>().prop_map(|one| call(&one)),
        2 => Just(call("{\"a\":1}")),
        1 => any::<Option<String>>().prop_map(|title| PartContent::Source { url: "https://x.example/".to_owned(), title }),
        1 => any::<Option<String>>()
            .prop_map(|name| PartContent::File { media_type: "image/png".to_owned(), name, url: "data:,".to_owned() }),
        1 => (any::<String>(), any::<Option<String>>())
            .prop_map(|(name, id)| PartContent::Data { name, id, data: Value::Null }),
        1 => Just(PartContent::Opaque { name: "x".to_owned(), raw: Value::Null }),
    ]
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        Just(Field::Text),
        Just(Field::Refusal),
        (0..3_u8).prop_map(Field::Reasoning),
        (0..3_u8).prop_map(Field::Summary),
        Just(Field::Arguments),
        Just(Field::Code),
    ]
}

fn result() -> impl Strategy<Value = ToolResult> {
    prop_oneof![
        Just(ToolResult::Output {
            output: Value::Null
        }),
        any::<String>().prop_map(|message| ToolResult::Error { message }),
        any::<Option<String>>().prop_map(|reason| ToolResult::Denied { reason }),
    ]
}

fn answer_to_a_call() -> impl Strategy<Value = CallAnswer> {
    let reply = prop_oneof![
        result().prop_map(|result| Reply::Result { part: 9, result }),
        any::<Option<String>>().prop_map(|reason| Reply::Consent { reason }),
    ];
    (0..6_u32, any::<String>(), reply).prop_map(|(call, call_id, reply)| CallAnswer {
        call,
        call_id,
        reply,
    })
}

/// One of two documents.
fn document() -> impl Strategy<Value = String> {
    prop_oneof![Just("d1".to_owned()), Just("d2".to_owned())]
}

fn document_event() -> impl Strategy<Value = EventKind> {
    let kind = prop_oneof![
        Just("text"),
        Just("code"),
        Just("sheet"),
        Just("image"),
        Just("pdf")
    ];
    prop_oneof![
        2 => (document(), kind, any::<String>(), any::<bool>()).prop_map(|(document, kind, title, new)| {
            EventKind::DocumentOpened { document, document_kind: kind.to_owned(), title, new }
        }),
        4 => (document(), any::<String>()).prop_map(|(document, text)| EventKind::DocumentDelta { document, text }),
        1 => document().prop_map(|document| EventKind::DocumentStored { document, version_at_ms: 0 }),
        1 => (document(), any::<String>(), any::<Option<String>>()).prop_map(|(document, text, description)| {
            EventKind::SuggestionMade {
                document,
                suggestion: "s".to_owned(),
                original: text.clone(),
                suggested: text,
                description,
            }
        }),
        1 => (any::<String>(), any::<Option<String>>(), any::<bool>()).prop_map(|(name, id, transient)| {
            EventKind::Data { name, id, data: Value::Null, transient }
        }),
    ]
}

fn kind() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        2 => (0..3_u32).prop_map(step),
        4 => (0..6_u32, content()).prop_map(|(part, head)| started(part, head)),
        8 => (0..6_u32, field(), any::<String>()).prop_map(|(part, field, text)| delta(part, field, &text)),
        4 => (0..6_u32, content()).prop_map(|(part, content)| finished(part, content)),
        1 => (0..6_u32, content()).prop_map(|(part, content)| finished_as(part, PartStatus::Incomplete, content)),
        2 => (0..6_u32, result()).prop_map(|(part, result)| tool_finished(part, result)),
        2 => (0..3_u32).prop_map(|step| step_finished(step, FinishReason::Stop)),
        1 => any::<String>().prop_map(|title| EventKind::Retitled { title }),
        1 => (0..6_u32, any::<String>()).prop_map(|(part, approval)| EventKind::ApprovalRequested { part, approval }),
        6 => document_event(),
        1 => Just(EventKind::StopRequested { cause: StopCause::Asked }),
    ]
}

fn end() -> impl Strategy<Value = EventKind> {
    prop_oneof![
        Just(ended(Outcome::Completed, None)),
        Just(ended(Outcome::Incomplete, Some(RunError::MaxSteps))),
        Just(ended(Outcome::Cancelled, None)),
        Just(ended(Outcome::Failed, Some(RunError::Timeout))),
        Just(EventKind::Paused {
            calls: vec![0],
            approvals: Vec::new(),
            expires_at_ms: 1
        }),
    ]
}

fn events() -> impl Strategy<Value = Vec<EventKind>> {
    let answers = prop::collection::vec(answer_to_a_call(), 0..3);
    (answers, prop::collection::vec(kind(), 0..40), end()).prop_map(|(said, kinds, end)| {
        let mut events = whole(kinds, end);
        if let EventKind::LegOpened { answers, .. } = &mut events[0] {
            *answers = said;
        }
        events
    })
}

/// The frames of a stream, each with its closing empty line.
fn frames(stream: &str) -> Vec<&str> {
    stream.split_inclusive("\n\n").collect()
}

/// The keys that the parsers take in a chunk of this type: those it must have, then those it may.
fn keys(
    kind: &str,
    chunks: AiSdkChunks,
) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match kind {
        "start" => (&["messageId"], &[]),
        "start-step" | "finish-step" | "finish" | "abort" => (&[], &[]),
        "text-start" | "text-end" | "reasoning-start" | "reasoning-end" => (&["id"], &[]),
        "text-delta" | "reasoning-delta" => (&["id", "delta"], &[]),
        "tool-input-start" => (&["toolCallId", "toolName"], &[]),
        "tool-input-delta" => (&["toolCallId", "inputTextDelta"], &[]),
        "tool-input-available" => (&["toolCallId", "toolName", "input"], &[]),
        "tool-input-error" => (&["toolCallId", "toolName", "input", "errorText"], &[]),
        "tool-output-available" => (&["toolCallId", "output"], &[]),
        "tool-output-error" => (&["toolCallId", "errorText"], &[]),
        "source-url" => (&["sourceId", "url"], &["title"]),
        "file" => (&["url", "mediaType"], &[]),
        "error" => (&["errorText"], &[]),
        "tool-approval-request" if chunks != AiSdkChunks::All => {
            (&["approvalId", "toolCallId"], &[])
        }
        "tool-output-denied" if chunks != AiSdkChunks::All => (&["toolCallId"], &[]),
        _ if kind.starts_with("data-") => (&["data"], &["id", "transient"]),
        _ => return None,
    })
}

fn check_chunk(chunk: &Value, chunks: AiSdkChunks) -> Result<(), TestCaseError> {
    let kind = chunk["type"].as_str().unwrap();
    let known = keys(kind, chunks);
    prop_assert!(known.is_some(), "{chunk}");
    let (needed, allowed) = known.unwrap();
    let object = chunk.as_object().unwrap();
    for key in needed {
        prop_assert!(object.contains_key(*key), "{chunk} has no {key}");
    }
    for (key, value) in object {
        let key = key.as_str();
        prop_assert!(
            key == "type" || needed.contains(&key) || allowed.contains(&key),
            "{chunk}"
        );
        let free = ["data", "input", "output"].contains(&key);
        prop_assert!(
            free || value.is_string() || (key == "transient" && *value == json!(true)),
            "{chunk}"
        );
    }
    Ok(())
}

proptest! {
    // docs/wire/ai-sdk.md W3, W6.
    #[test]
    fn a_replay_is_the_rest_of_the_first_stream(events in events(), seen in 0..60_usize) {
        for chunks in [AiSdkChunks::All, AiSdkChunks::V6, AiSdkChunks::V7] {
            let whole = encode_after(&events, chunks, FrameSink::new());
            let rest: String = frames(&whole).into_iter().skip(seen + 1).collect();
            let seen = u64::try_from(seen).unwrap();
            prop_assert_eq!(encode_after(&events, chunks, FrameSink::after(seen)), rest);
        }
    }

    // docs/wire/ai-sdk.md W1, W2.
    #[test]
    fn frames_are_numbered_and_hold_one_line_that_every_parser_takes(events in events()) {
        for chunks in [AiSdkChunks::All, AiSdkChunks::V6, AiSdkChunks::V7] {
            let whole = encode_after(&events, chunks, FrameSink::new());
            let frames = frames(&whole);
            for (index, frame) in frames.iter().enumerate() {
                let lines: Vec<&str> = frame.split('\n').collect();
                prop_assert_eq!(lines.len(), 4, "{:?}", frame);
                prop_assert!(!frame.contains('\r'));
                prop_assert_eq!(lines[0], format!("id: {index}"));
                let data = lines[1].strip_prefix("data: ").unwrap();
                if index + 1 == frames.len() {
                    prop_assert_eq!(data, "[DONE]");
                    continue;
                }
                prop_assert!(data.starts_with("{\"type\":\""), "{}", data);
                check_chunk(&serde_json::from_str(data).unwrap(), chunks)?;
            }
        }
    }

    // docs/wire/ai-sdk.md W8, W12.
    #[test]
    fn the_client_hears_of_nothing_that_was_not_announced(events in events()) {
        let mut open = std::collections::HashSet::new();
        let mut calls = std::collections::HashSet::new();
        if let EventKind::LegOpened { answers, .. } = &events[0] {
            // The client knows these from the stream before.
            calls.extend(answers.iter().map(|answer| answer.call_id.clone()));
        }
        for line in data(&events, AiSdkChunks::All).lines().filter(|line| *line != "[DONE]") {
            let chunk: Value = serde_json::from_str(line).unwrap();
            let id = chunk["id"].as_str().unwrap_or_default().to_owned();
            let call = chunk["toolCallId"].as_str().unwrap_or_default().to_owned();
            match chunk["type"].as_str().unwrap() {
                "text-start" | "reasoning-start" => drop(open.insert(id)),
                "text-delta" | "reasoning-delta" => prop_assert!(open.contains(&id), "{}", line),
                "text-end" | "reasoning-end" => prop_assert!(open.contains(&id), "{}", line),
                "finish-step" => open.clear(),
                "tool-input-start" => drop(calls.insert(call)),
                kind if kind.starts_with("tool-") => prop_assert!(calls.contains(&call), "{}", line),
                _ => {}
            }
        }
    }
}

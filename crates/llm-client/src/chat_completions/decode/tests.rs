use chat_core::{event::FinishReason, ports::ModelErrorKind, ports::ModelEventKind};

use super::{Decoder, End};
use crate::fault::{Failure, Fault};

/// What these frames mean: a line per event, deltas of one kind joined, then the error.
fn read(frames: &[&str]) -> Vec<String> {
    let mut decoder = Decoder::default();
    let mut end = End::Closed;
    for frame in frames {
        match decoder.frame("message", frame) {
            Ok(false) => {}
            Ok(true) => {
                end = End::Done;
                break;
            }
            Err(failure) => {
                end = End::Failed(failure);
                break;
            }
        }
    }
    let failure = decoder.end(end);
    let mut lines: Vec<String> = Vec::new();
    while let Some(event) = decoder.pop() {
        let (name, text) = match event.kind {
            ModelEventKind::Text(text) => ("text ".to_owned(), text),
            ModelEventKind::Refusal(text) => ("refusal ".to_owned(), text),
            ModelEventKind::Reasoning(text) => ("reasoning ".to_owned(), text),
            ModelEventKind::CallArguments { index, text } => (format!("arguments {index} "), text),
            ModelEventKind::CallStarted {
                index,
                call_id,
                name,
            } => (format!("call {index} "), format!("{call_id} {name}")),
            ModelEventKind::Usage(usage) => ("usage ".to_owned(), usage.total().to_string()),
            ModelEventKind::Finished(reason) => ("finished ".to_owned(), format!("{reason:?}")),
        };
        assert!(!text.is_empty(), "an empty delta of {name}");
        match lines.last_mut() {
            Some(last) if last.starts_with(&name) => last.push_str(&text),
            _ => lines.push(name + &text),
        }
    }
    lines.extend(failure.map(|failure| format!("{:?}", failure.kind)));
    lines
}

fn delta(delta: &str) -> String {
    format!(r#"{{"id":"c","choices":[{{"index":0,"delta":{delta},"finish_reason":null}}]}}"#)
}

fn finish(reason: &str) -> String {
    format!(r#"{{"choices":[{{"index":0,"delta":{{}},"finish_reason":"{reason}"}}]}}"#)
}

/// Deltas, a finish reason and `[DONE]`.
#[track_caller]
fn check(deltas: &[&str], reason: &str, expected: &[&str]) {
    let mut frames: Vec<String> = deltas.iter().map(|one| delta(one)).collect();
    frames.push(finish(reason));
    frames.push("[DONE]".to_owned());
    check_frames(
        &frames.iter().map(String::as_str).collect::<Vec<_>>(),
        expected,
    );
}

#[track_caller]
fn check_frames(frames: &[&str], expected: &[&str]) {
    assert_eq!(read(frames), expected, "{frames:#?}");
}

#[test]
fn reads_text_reasoning_and_refusals() {
    check(
        &[
            r#"{"role":"assistant","content":"","refusal":null}"#,
            r#"{"content":"he"}"#,
            r#"{"content":"llo"}"#,
        ],
        "stop",
        &["text hello", "finished Stop"],
    );
    check(
        &[
            r#"{"reasoning_content":"hm","content":null}"#,
            r#"{"content":"yes"}"#,
        ],
        "length",
        &["reasoning hm", "text yes", "finished Length"],
    );
    check(
        &[
            r#"{"reasoning":"hm","reasoning_content":"hm"}"#,
            r#"{"reasoning":" so"}"#,
        ],
        "stop",
        &["reasoning hm so", "finished Stop"],
    );
    check(
        &[r#"{"refusal":"no"}"#],
        "stop",
        &["refusal no", "finished Stop"],
    );
    check(
        &[
            r#"{"content":"<thi"}"#,
            r#"{"content":"nk>hm</think>\n\nyes"}"#,
        ],
        "stop",
        &["reasoning hm", "text yes", "finished Stop"],
    );
}

#[test]
fn reads_parallel_calls_in_pieces() {
    check(
        &[
            r#"{"content":"<t","tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}"#,
            r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}}]}"#,
            r#"{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{"}},{"index":0,"function":{"arguments":":1}"}}]}"#,
            r#"{"tool_calls":[{"index":1,"function":{"arguments":"}"}}]}"#,
        ],
        "tool_calls",
        &[
            "text <t",
            "call 0 a f",
            r#"arguments 0 {"x""#,
            "call 1 b g",
            "arguments 1 {",
            "arguments 0 :1}",
            "arguments 1 }",
            "finished ToolCalls",
        ],
    );
}

#[test]
fn reads_whole_calls_however_they_are_numbered() {
    let expected = [
        "call 0 a f",
        r#"arguments 0 {"x":1}"#,
        "call 1 b f",
        "finished ToolCalls",
    ];
    for numbers in [
        ["\"index\":0,", "\"index\":1,"],
        ["\"index\":0,", "\"index\":0,"],
        ["", ""],
    ] {
        let whole = [
            format!(
                r#"{{"tool_calls":[{{{}"id":"a","function":{{"name":"f","arguments":"{{\"x\":1}}"}}}}]}}"#,
                numbers[0]
            ),
            format!(
                r#"{{"tool_calls":[{{{}"id":"b","function":{{"name":"f"}}}}]}}"#,
                numbers[1]
            ),
        ];
        // Some of these servers finish with `stop`.
        check(&[&whole[0], &whole[1]], "stop", &expected);
    }
    check(
        &[
            r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":{"x":1}}},{"id":"b","function":{"name":"f","arguments":null}}]}"#,
        ],
        "function_call",
        &expected,
    );
}

#[test]
fn reads_calls_without_ids_and_with_repeated_names() {
    check(
        &[
            r#"{"tool_calls":[{"index":0,"id":"","function":{"name":"f","arguments":"1"}}]}"#,
            r#"{"tool_calls":[{"index":0,"id":"","function":{"name":"f","arguments":"2"}}]}"#,
        ],
        "tool_calls",
        &["call 0  f", "arguments 0 12", "finished ToolCalls"],
    );
    check(
        &[
            r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"1"}}]}"#,
            r#"{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"2"}}]}"#,
            r#"{"tool_calls":[{"function":{"arguments":"3"}}]}"#,
        ],
        "tool_calls",
        &["call 0 a f", "arguments 0 123", "finished ToolCalls"],
    );
}

#[test]
fn a_call_begins_with_its_name() {
    let late = [
        r#"{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{"}}]}"#,
        r#"{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"}"}}]}"#,
    ];
    check(
        &late,
        "tool_calls",
        &["call 0 a f", "arguments 0 {}", "finished ToolCalls"],
    );
    check(&late[..1], "tool_calls", &["Broken"]);
}

#[test]
fn refuses_calls_without_end() {
    let calls: Vec<String> = (0..200)
        .map(|number| format!(r#"{{"index":{number},"function":{{"name":"f"}}}}"#))
        .collect();
    let lines = read(&[&delta(&format!(
        r#"{{"tool_calls":[{}]}}"#,
        calls.join(",")
    ))]);
    assert_eq!(lines.len(), 129);
    assert_eq!(lines[128], "Broken");
}

#[test]
fn skips_frames_without_a_choice_or_delta() {
    check_frames(
        &[
            r#"{"id":"","model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}"#,
            r#"{"choices":null}"#,
            r#"{"object":"new"}"#,
            r#"{"choices":[{"index":0,"content_filter_results":{},"content_filter_offsets":{}}]}"#,
            r#"{"choices":[{"index":1,"delta":{"content":"other"}}]}"#,
            &delta(r#"{"content":"a"}"#),
            &finish("stop"),
        ],
        &["text a", "finished Stop"],
    );
}

#[test]
fn takes_the_last_usage_and_gives_it_before_the_finish() {
    check_frames(
        &[
            r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#,
            r#"{"choices":[{"delta":{"content":"b"},"finish_reason":"stop"}],"usage":null}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#,
            r#"{"choices":null,"usage":null}"#,
            "[DONE]",
        ],
        &["text ab", "usage 9", "finished Stop"],
    );
}

#[test]
fn knows_finish_reasons() {
    let text = [r#"{"content":"a"}"#];
    for (name, reason) in [
        ("stop", "Stop"),
        ("length", "Length"),
        ("content_filter", "ContentFilter"),
        ("eos", "Stop"),
        ("tool_calls", "Stop"),
        ("max_tokens", "Length"),
    ] {
        check(&text, name, &["text a", &format!("finished {reason}")]);
    }
    check(&text, "insufficient_system_resource", &["text a", "Broken"]);
    check(&[], "content_filter", &["finished ContentFilter"]);
    check(&[], "stop", &["finished Stop"]);
    check(&[], "eos", &["Broken"]);
}

#[test]
fn keeps_the_first_finish_reason_unless_the_filter_objects() {
    let text = delta(r#"{"content":"a"}"#);
    let frames = [&*text, &finish("length"), &finish("stop")];
    check_frames(&frames, &["text a", "finished Length"]);
    let frames = [&*text, &finish("stop"), &finish("content_filter")];
    check_frames(&frames, &["text a", "finished ContentFilter"]);
}

#[test]
fn a_stream_needs_a_finish_reason_or_done() {
    let text = delta(r#"{"content":"a"}"#);
    check_frames(&[&text, "[DONE]"], &["text a", "finished Stop"]);
    check_frames(&[&text, &finish("stop")], &["text a", "finished Stop"]);
    check_frames(&[&text], &["text a", "Broken"]);
    check_frames(&["[DONE]"], &["Broken"]);
    check_frames(&[], &["Broken"]);
}

#[test]
fn an_error_object_ends_the_stream_unless_it_is_whole() {
    let text = delta(r#"{"content":"a"}"#);
    for (error, kind) in [
        (
            r#"{"error":{"message":"secret","type":"server_error"}}"#,
            "Unavailable",
        ),
        (r#"{"error":{"message":"m","code":429}}"#, "RateLimited"),
        (
            r#"{"error":{"message":"m","code":"502"},"choices":[]}"#,
            "Unavailable",
        ),
        (r#"{"error":{"code":"content_filter"}}"#, "ContentFilter"),
        (
            r#"{"error":{"message":"m","type":"invalid_request_error"}}"#,
            "Rejected",
        ),
        (r#"{"error":"broken pipe"}"#, "Unavailable"),
    ] {
        check_frames(&[&text, error, &finish("stop")], &["text a", kind]);
        check_frames(
            &[&text, &finish("stop"), error],
            &["text a", "finished Stop"],
        );
    }
    let both = r#"{"error":{"code":429,"message":"m"},"choices":[{"finish_reason":"error"}]}"#;
    check_frames(&[&text, both], &["text a", "RateLimited"]);
    check_frames(
        &[&text, r#"{"error":null,"choices":[]}"#, "[DONE]"],
        &["text a", "finished Stop"],
    );
}

#[test]
fn a_frame_that_is_no_chunk_breaks_the_stream_and_is_not_quoted() {
    for frame in [
        "{\"choices\":[{\"delta\":{\"content\":\"tell no",
        "sesame",
        "[]",
        r#"{"choices":"sesame"}"#,
    ] {
        let failure = Decoder::default().frame("message", frame).unwrap_err();
        assert_eq!(failure.kind, ModelErrorKind::Broken);
        assert!(!failure.again);
        let shown = format!("{failure:?}");
        assert!(
            !shown.contains("sesame") && !shown.contains("tell"),
            "{shown}"
        );
    }
}

#[test]
fn named_events_are_errors_or_skipped() {
    let mut decoder = Decoder::default();
    assert!(matches!(decoder.frame("ping", "{{"), Ok(false)));
    let failure = decoder
        .frame("error", r#"{"error":{"code":"overloaded"}}"#)
        .unwrap_err();
    assert_eq!(failure.kind, ModelErrorKind::Unavailable);
    assert!(matches!(
        decoder.frame("error", "not JSON"),
        Err(Failure {
            fault: Fault::InStream { .. },
            ..
        })
    ));
}

#[test]
fn reads_a_whole_completion() {
    let mut decoder = Decoder::default();
    let body = r#"{"id":"c1","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"tool_calls",
        "message":{"role":"assistant","content":"a","refusal":null,"tool_calls":[{"id":"x","type":"function",
        "function":{"name":"f","arguments":"{}"}}]}}],"usage":{"prompt_tokens":3,"completion_tokens":4}}"#;
    decoder.completion(body.as_bytes()).unwrap();
    assert!(decoder.end(End::Done).is_none());
    assert_eq!(
        decoder.head(),
        (Some("c1".to_owned()), Some("m".to_owned()))
    );
    let kinds: Vec<ModelEventKind> = std::iter::from_fn(|| decoder.pop())
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds.len(), 5);
    assert_eq!(kinds[0], ModelEventKind::Text("a".to_owned()));
    assert_eq!(kinds[4], ModelEventKind::Finished(FinishReason::ToolCalls));
}

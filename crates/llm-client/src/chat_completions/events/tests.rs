use std::time::Duration;

use bytes::Bytes;
use chat_core::ports::{ModelErrorKind, ModelEventKind};
use futures_util::{StreamExt, stream, stream::BoxStream};
use tokio::time::Instant;

use super::Events;
use crate::Timeouts;

const CAP: usize = 1 << 20;

/// As a gateway before a vendor sent it: comments, both line ends, escapes, parallel calls, usage.
const RECORDED: &str = concat!(
    ": OPENROUTER PROCESSING\n\n",
    "data: {\"id\":\"gen-1\",\"model\":\"v/m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
    "data: {\"id\":\"gen-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"<think>\\nh\u{00f6}\"}}]}\r\n\r\n",
    "event: message\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"m</thi\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"nk>\\n\\nyes \\ud83d\\ude00\"}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\" \u{1f600}\"}}]}\n\n",
    "data:{\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\"}}]}}]}\n\n",
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\":1}\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n",
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n",
    "data: [DONE]\n\n",
);

type Reads = BoxStream<'static, reqwest::Result<Bytes>>;

fn events(reads: Reads) -> Events<Reads> {
    Events::stream(reads, CAP, Timeouts::default())
}

/// All events, as they are shown, the error last.
async fn all(mut events: Events<Reads>) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(event) = events.first().await {
        all.push(match event {
            Ok(event) => format!("{:?}", event.kind),
            Err(failure) => format!("{:?}", failure.kind),
        });
    }
    all
}

fn reads(pieces: Vec<Vec<u8>>) -> Reads {
    stream::iter(pieces.into_iter().map(|piece| Ok(Bytes::from(piece)))).boxed()
}

fn frame(content: &str) -> Bytes {
    Bytes::from(format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{content}\"}}}}]}}\n\n"
    ))
}

#[tokio::test(start_paused = true)]
async fn a_recorded_stream_cut_at_every_byte_gives_the_same_events() {
    let text = RECORDED.as_bytes();
    let whole = all(events(reads(vec![text.to_vec()]))).await;
    assert_eq!(
        whole,
        [
            r#"Reasoning("hö")"#,
            r#"Reasoning("m")"#,
            r#"Text("yes 😀")"#,
            r#"Text(" 😀")"#,
            r#"CallStarted { index: 0, call_id: "a", name: "f" }"#,
            r#"CallArguments { index: 0, text: "{\"x" }"#,
            r#"CallArguments { index: 0, text: "\":1}" }"#,
            "Usage(Usage { input: 3, cached_input: 0, output: 4, reasoning: 0, estimated: false })",
            "Finished(ToolCalls)",
        ]
    );
    for at in 0..=text.len() {
        let pieces = vec![text[..at].to_vec(), text[at..].to_vec()];
        assert_eq!(all(events(reads(pieces))).await, whole, "cut at {at}");
    }
    let bytes = text.iter().map(|byte| vec![*byte]).collect();
    assert_eq!(all(events(reads(bytes))).await, whole);
}

#[tokio::test(start_paused = true)]
async fn a_recorded_stream_that_breaks_off_anywhere_says_so_or_is_whole() {
    let text = RECORDED.as_bytes();
    let finished = RECORDED.find("\"finish_reason\":\"tool_calls\"").unwrap();
    let dispatched = finished + RECORDED[finished..].find("\n\n").unwrap() + 2;
    for at in 0..text.len() {
        let all = all(events(reads(vec![text[..at].to_vec()]))).await;
        let expected = if at < dispatched {
            "Broken"
        } else {
            "Finished(ToolCalls)"
        };
        assert_eq!(all.last().unwrap(), expected, "cut off at {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_finished_answer_waits_only_shortly_for_its_usage() {
    let begun = Instant::now();
    let end = Bytes::from_static(
        b"data: {\"choices\":[{\"delta\":{\"content\":\"b\"},\"finish_reason\":\"stop\"}]}\n\n",
    );
    let body = stream::iter([Ok(frame("a")), Ok(end)])
        .chain(stream::pending())
        .boxed();
    let all = all(events(body)).await;
    assert_eq!(all, [r#"Text("a")"#, r#"Text("b")"#, "Finished(Stop)"]);
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn every_frame_gives_the_next_one_its_full_time() {
    let begun = Instant::now();
    // A frame after 50 s, 100 s and 150 s, then silence for the 60 s that are allowed.
    let body = stream::iter([frame("a"), frame("b"), frame("c")])
        .then(|frame| async {
            tokio::time::sleep(Duration::from_secs(50)).await;
            Ok(frame)
        })
        .chain(stream::pending())
        .boxed();
    let all = all(events(body)).await;
    assert_eq!(
        all,
        [r#"Text("a")"#, r#"Text("b")"#, r#"Text("c")"#, "Timeout"]
    );
    assert_eq!(begun.elapsed().as_secs(), 210);
}

#[tokio::test(start_paused = true)]
async fn a_body_without_end_delays_the_end_of_its_answer_only_shortly() {
    let begun = Instant::now();
    let done = Bytes::from_static(b"data: [DONE]\n\n");
    let body = stream::iter([Ok(frame("a")), Ok(done)])
        .chain(stream::pending())
        .boxed();
    let mut events = events(body);
    for _ in [r#"Text("a")"#, "Finished(Stop)"] {
        assert!(matches!(events.first().await, Some(Ok(_))));
    }
    assert_eq!(begun.elapsed().as_millis(), 0);
    assert!(events.first().await.is_none());
    assert_eq!(begun.elapsed().as_millis(), 100);
    assert!(events.frames.is_none(), "the connection is still held");
}

#[tokio::test(start_paused = true)]
async fn an_error_is_the_last_item_of_a_callers_stream() {
    let mut events = events(reads(vec![frame("a").to_vec(), frame("b").to_vec()]));
    let first = events.first().await.unwrap().unwrap();
    let all: Vec<_> = events.after(first).collect().await;
    assert_eq!(all.len(), 3);
    assert_eq!(
        all[0].as_ref().unwrap().kind,
        ModelEventKind::Text("a".to_owned())
    );
    assert_eq!(all[2].as_ref().unwrap_err().kind, ModelErrorKind::Broken);
}

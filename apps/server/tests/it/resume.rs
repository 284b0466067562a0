//! Coming back to a stream.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::support::{Ask, EventStream, RawConnection, SOON, Skein, new_id};

#[tokio::test]
async fn a_replay_while_the_answer_runs_is_the_first_stream_for_any_number_of_readers() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let mut first = ann
        .say(&chat, "Count. [[mock: tokens=60 pace_ms=10]]")
        .await;
    first.first_text().await;
    let (second, third) = (ann.resume(&chat, None).await, ann.resume(&chat, None).await);
    assert_eq!(skein.llm.stats().open_streams, 1, "the answer still runs");
    for resumed in [&second, &third] {
        for name in [
            "content-type",
            "cache-control",
            "x-accel-buffering",
            "x-vercel-ai-ui-message-stream",
            "x-skein-message-id",
        ] {
            assert_eq!(
                resumed.headers().get(name),
                first.response.headers().get(name),
                "[W60] {name}"
            );
        }
    }
    let (first, second, third) = tokio::join!(
        first.finish(),
        EventStream::new(second).finish(),
        EventStream::new(third).finish(),
    );
    // [W3, W62]
    assert_eq!(first, second);
    assert_eq!(first, third);
    assert_eq!(first.chunks("text-delta").len(), 60);
}

#[tokio::test]
async fn a_reader_who_names_the_last_frame_gets_exactly_the_rest() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let whole = ann
        .talk(&chat, "Count. [[mock: reasoning=2 tokens=5]]")
        .await;
    let frames = whole.frames();
    for cut in &frames {
        let rest = ann.replay(&chat, Some(cut.id)).await;
        let at = usize::try_from(cut.id).unwrap();
        assert_eq!(rest.frames(), frames[at + 1..], "[W6, W63] after {at}");
    }
    assert!(ann.replay(&chat, Some(u64::MAX)).await.text.is_empty());
    assert!(ann.replay(&chat, Some(1_000)).await.text.is_empty());
}

#[tokio::test]
async fn a_reader_who_comes_back_while_the_answer_runs_gets_exactly_the_rest() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let mut first = ann
        .say(&chat, "Count. [[mock: tokens=60 pace_ms=10]]")
        .await;
    let seen = first.until("text-delta").await.id;
    let (whole, rest, ahead) = tokio::join!(
        first.finish(),
        ann.replay(&chat, Some(seen)),
        // One that is ahead of the server is told what follows, and waits for it.
        ann.replay(&chat, Some(seen + 20)),
    );
    let frames = whole.frames();
    let after = |id: u64| frames[usize::try_from(id).unwrap() + 1..].to_vec();
    assert_eq!(rest.frames(), after(seen));
    assert_eq!(ahead.frames(), after(seen + 20));
}

#[tokio::test]
async fn a_header_that_is_no_number_is_ignored() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let mut first = ann
        .say(&chat, "Count. [[mock: tokens=300 pace_ms=10]]")
        .await;
    first.first_text().await;
    let mut replays = Vec::new();
    for header in ["", "abc", "-1", "1.5", "99999999999999999999"] {
        let ask = Ask::get(format!("/api/chat/{chat}/stream")).header("last-event-id", header);
        replays.push(EventStream::new(ann.ask(ask).await));
    }
    let whole = first.finish().await;
    for replay in replays {
        assert_eq!(replay.finish().await, whole, "[W6]");
    }
}

#[tokio::test]
async fn who_comes_just_after_the_end_gets_the_message_whole_and_later_nothing() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    ann.talk(&chat, "Hello. [[mock: tokens=3]]").await;
    let answer = ann.messages(&chat).await[1].clone();
    for (age_ms, step_ms) in [(0, 15_000), (15_000, 999), (15_999, 1)] {
        let read = ann.replay(&chat, None).await;
        assert_eq!(read.kinds(), ["data-appendMessage", "[DONE]"], "{age_ms}");
        let chunk = &read.chunks("data-appendMessage")[0];
        assert_eq!(chunk["transient"], true);
        // [W17]: a text that holds JSON.
        let row: Value = serde_json::from_str(chunk["data"].as_str().unwrap()).unwrap();
        assert_eq!(row["id"], answer["id"]);
        assert_eq!(row["chatId"], chat);
        assert_eq!(row["parts"], answer["parts"]);
        assert_eq!(row["attachments"], serde_json::json!([]));
        skein.clock.move_by(step_ms);
    }
    // 16 whole seconds [W64].
    let late = ann.resume(&chat, None).await;
    assert_eq!(late.status(), 200);
    assert_eq!(late.headers()["content-type"], "text/event-stream");
    assert_eq!(late.text().await.unwrap(), "");
}

#[tokio::test]
async fn who_comes_after_a_stop_gets_the_text_that_was_kept() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let mut first = ann
        .say(&chat, "Count. [[mock: tokens=5000 pace_ms=10]]")
        .await;
    first.first_text().await;
    ann.stop(&chat).await;
    first.finish().await;
    let read = ann.replay(&chat, None).await;
    assert_eq!(read.kinds(), ["data-appendMessage", "[DONE]"]);
}

#[tokio::test]
async fn an_answer_that_failed_is_replayed_for_ten_minutes() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let first = ann
        .talk(&chat, "Count. [[mock: tokens=9 cut_after=4]]")
        .await;
    assert_eq!(first.chunks("error").len(), 1);
    skein.clock.move_by(600_000);
    assert_eq!(ann.replay(&chat, None).await, first, "[W63]");
    skein.clock.move_by(1);
    assert_eq!(ann.replay(&chat, None).await.text, "", "[W64]");
    // Who saw a part of it gets the rest at any time.
    let rest = ann.replay(&chat, Some(2)).await;
    assert_eq!(rest.frames(), first.frames()[3..]);
}

#[tokio::test]
async fn the_replay_is_the_same_after_a_restart() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let first = ann
        .talk(&chat, "Count. [[mock: reasoning=3 tokens=20]]")
        .await;
    let skein = skein.restart();
    let rest = ann.at(skein.address).replay(&chat, Some(0)).await;
    assert_eq!(rest.frames(), first.frames()[1..], "[W3]");
}

#[tokio::test]
async fn a_second_window_waits_for_the_next_answer() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    ann.talk(&chat, "Hello. [[mock: tokens=2]]").await;
    let wait = format!("/api/chat/{chat}/stream?wait=1");
    let waiting = ann.ask(Ask::get(wait.as_str()));
    tokio::pin!(waiting);
    // It is not answered before there is an answer [W65].
    let held = timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(held.is_err());
    let send = ann.say(&chat, "And? [[mock: tokens=30 pace_ms=10]]").await;
    let followed = EventStream::new(waiting.await);
    // One that comes while it runs is answered at once.
    let late = EventStream::new(ann.ask(Ask::get(wait.as_str())).await);
    let (send, followed, late) = tokio::join!(send.finish(), followed.finish(), late.finish());
    assert_eq!(send, followed);
    assert_eq!(send, late);
}

#[tokio::test]
async fn a_second_window_s_wait_ends_with_the_chat() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    ann.talk(&chat, "Hello. [[mock: tokens=2]]").await;
    let waiting = ann.ask(Ask::get(format!("/api/chat/{chat}/stream?wait=1")));
    tokio::pin!(waiting);
    // It is held while the chat is there.
    let held = timeout(Duration::from_millis(300), &mut waiting).await;
    assert!(held.is_err(), "{held:?}");
    let ask = Ask::new("DELETE", format!("/api/chat?id={chat}"));
    assert_eq!(ann.ask(ask).await.status(), 200);
    // Long before the 25 s are over that a wait in vain lasts.
    let waited = timeout(SOON, waiting).await.unwrap();
    assert_eq!(waited.status(), 404);
}

#[tokio::test]
async fn head_tells_the_head_of_a_stream() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let first = ann.talk(&chat, "Hello. [[mock: tokens=2]]").await;
    assert!(!first.text.is_empty());
    let head = ann
        .ask(Ask::new("HEAD", format!("/api/chat/{chat}/stream")))
        .await;
    assert_eq!(head.status(), 200);
    assert_eq!(head.headers()["content-type"], "text/event-stream");
    assert_eq!(head.text().await.unwrap(), "");
}

#[tokio::test]
async fn head_of_a_stream_that_goes_on_ends_at_once_and_leaves_the_connection_usable() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let mut first = ann
        .say(&chat, "Count. [[mock: tokens=5000 pace_ms=10]]")
        .await;
    first.first_text().await;
    let mut connection = RawConnection::to(skein.address).await;
    for path in [
        format!("/api/chat/{chat}/stream"),
        format!("/api/chat/{chat}/stream?wait=1"),
    ] {
        let request = format!(
            "HEAD {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
            ann.token
        );
        connection.write(request.as_bytes()).await;
        let head = timeout(SOON, connection.read_head()).await.unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(
            head.contains("content-type: text/event-stream\r\n"),
            "{head}"
        );
        assert!(head.ends_with("\r\n\r\n"), "there is no body: {head}");
        // What comes next is the next request's answer, and nothing of the stream.
        connection
            .write(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n")
            .await;
        let answer = timeout(SOON, connection.read()).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with("{\"status\":\"ok\"}"), "{answer}");
    }
    assert_eq!(skein.llm.stats().open_streams, 1, "the answer still runs");
    assert!(ann.stop(&chat).await);
    first.finish().await;
}

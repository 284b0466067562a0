//! Stopping: the text so far is kept, and the model's server is hung up on.

use std::time::{Duration, Instant};

use crate::support::{Skein, answer_text, new_id};

/// What issue 2 asks for is 100 ms; a machine that is busy with other tests gets tenfold.
const BOUND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_stop_reaches_the_model_s_server_and_keeps_the_text() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let mut stream = ann
        .say(&chat, "Count. [[mock: tokens=5000 pace_ms=10]]")
        .await;
    stream.first_text().await;

    let asked = Instant::now();
    assert!(ann.stop(&chat).await, "[W51]");
    let stats = skein.llm_until(|stats| stats.hung_up == 1).await;
    let took = stats.hang_ups[0].at.saturating_duration_since(asked);
    println!("the model's server was hung up on {took:?} after the stop");
    assert!(took <= BOUND, "{took:?}");
    assert!(!ann.stop(&chat).await, "[W51] asking again is no error");

    let read = stream.finish().await;
    let frames = read.frames();
    let [.., abort, done] = frames.as_slice() else {
        panic!("{frames:?}");
    };
    assert_eq!(
        [abort.data.as_str(), &done.data],
        [r#"{"type":"abort"}"#, "[DONE]"],
        "[W15]"
    );
    assert!(read.chunks("finish").is_empty());
    let messages = ann.messages(&chat).await;
    assert_eq!(messages[1]["metadata"]["status"], "cancelled", "[W48]");
    assert!(!read.said().is_empty());
    assert_eq!(answer_text(&messages[1]), read.said());
}

#[tokio::test]
async fn a_stop_before_the_first_word_reaches_the_model_s_server_too() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let stream = ann.say(&chat, "Think. [[mock: first_ms=60000]]").await;
    skein.llm_until(|stats| stats.open_streams == 1).await;
    let asked = Instant::now();
    assert!(ann.stop(&chat).await);
    let stats = skein.llm_until(|stats| stats.hung_up == 1).await;
    let took = stats.hang_ups[0].at.saturating_duration_since(asked);
    println!("the model's server was hung up on {took:?} after the stop");
    assert!(took <= BOUND, "{took:?}");
    let read = stream.finish().await;
    assert_eq!(
        read.kinds().last_chunk(),
        Some(&["abort".to_owned(), "[DONE]".to_owned()])
    );
    let read = ann.talk(&chat, "And now? [[mock: tokens=2]]").await;
    assert_eq!(read.chunks("finish").len(), 1);
}

#[tokio::test]
async fn a_stop_works_when_nobody_reads() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let mut stream = ann
        .say(&chat, "Count. [[mock: tokens=5000 pace_ms=10]]")
        .await;
    stream.first_text().await;
    drop(stream);
    assert!(ann.stop(&chat).await);
    skein.llm_until(|stats| stats.hung_up == 1).await;
    assert!(!ann.stop(&chat).await);
}

#[tokio::test]
async fn a_chat_that_is_done_has_nothing_to_stop() {
    let skein = Skein::start();
    let ann = skein.guest().await;
    let chat = new_id();
    let read = ann.talk(&chat, "Hello. [[mock: tokens=2]]").await;
    assert!(!ann.stop(&chat).await);
    let messages = ann.messages(&chat).await;
    assert_eq!(messages[1]["metadata"]["status"], "completed");
    assert_eq!(answer_text(&messages[1]), read.said());
}

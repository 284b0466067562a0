//! SIGKILL in the middle of an answer, twenty times, on one data directory.

use std::time::{Duration, Instant};

use mock_llm::MockLlm;

use crate::support::{EventStream, Frame, Person, Process, answer_text, new_id, seed};

const ROUNDS: u32 = 20;
const TOKENS: u32 = 600;
/// The answer would take 3.6 s.
const ANSWER: &str = "Count. [[mock: tokens=600 pace_ms=6]]";
/// The process is killed within this time: long before the answer's end, also by a machine that is late.
const KILLED_WITHIN_MS: u64 = 2_400;
/// What was shown so long before the end must be there. The log is written every 50 ms; a busy machine gets tenfold.
const DURABLE: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_being_killed_at_any_moment() {
    let (seed, mut chance) = seed("SKEIN_CRASH_SEED");
    println!("SKEIN_CRASH_SEED={seed}");
    let llm = MockLlm::start(mock_llm::Config::default()).unwrap();
    let base = llm.base_url();
    let settings = [("OPENAI_BASE_URL", base.as_str()), ("SKEIN_TITLES", "off")];
    let dir = tempfile::tempdir().unwrap();
    let whole: Vec<String> = (0..TOKENS).map(|n| format!("tok{n}")).collect();
    let whole = whole.join(" ");

    let mut skein = Process::start(dir.path(), &settings);
    let mut ann = Person::guest(skein.address).await;
    let (mut partial, mut all_shown, mut all_due, mut all_kept) = (0, 0, 0, 0);
    for round in 1..=ROUNDS {
        let what = format!("round {round} with SKEIN_CRASH_SEED={seed}");
        let (chat, question) = (new_id(), new_id());
        let stream = ann.say_as(&chat, &question, ANSWER).await;
        let answer = stream.answer_id();
        let after = Duration::from_millis(chance() % KILLED_WITHIN_MS);
        let (seen, killed) = read_until_killed(stream, skein, after).await;

        skein = Process::start(dir.path(), &settings);
        ann = ann.at(skein.address);
        let messages = ann.messages(&chat).await;
        assert_eq!(messages[0]["id"], question, "{what}");
        assert_eq!(answer_text(&messages[0]), ANSWER, "{what}");
        let kept = messages.get(1).map(answer_text).unwrap_or_default();
        let shown: String = said(seen.iter().map(|(_, frame)| frame));
        let due: String = said(
            seen.iter()
                .filter(|(at, _)| *at + DURABLE <= killed)
                .map(|(_, frame)| frame),
        );
        assert!(whole.starts_with(&kept), "{what}: kept {kept:?}");
        assert!(whole.starts_with(&shown), "{what}: shown {shown:?}");
        assert!(
            kept.starts_with(&due),
            "{what}: kept {kept:?} and not {due:?}"
        );
        partial += u32::from(!kept.is_empty());
        all_shown += shown.len();
        all_due += due.len();
        all_kept += kept.len();
        if let Some(message) = messages.get(1) {
            assert_eq!(message["id"], answer, "{what}");
            assert_eq!(message["metadata"]["status"], "failed", "{what}");
            assert_eq!(
                message["metadata"]["error"]["code"], "interrupted",
                "{what}"
            );
        }
        assert!(messages.len() <= 2, "{what}: {messages:?}");

        // A page that comes back without a cursor gets the text that was kept and is told [W63].
        let replay = ann.replay(&chat, None).await;
        assert_eq!(replay.said(), kept, "{what}");
        let told = ["error".to_owned(), "[DONE]".to_owned()];
        assert_eq!(replay.kinds().last_chunk(), Some(&told), "{what}");
        let error = &replay.chunks("error")[0]["errorText"];
        assert!(
            error
                .as_str()
                .unwrap()
                .starts_with("The server was restarted"),
            "{what}: {error}"
        );
        for (index, frame) in (0..).zip(replay.frames()) {
            assert_eq!(frame.id, index, "{what}");
        }
        // What was shown is in it, frame for frame, as far as it was kept [W3].
        let kept_frames = replay.frames();
        for (shown, kept) in seen.iter().zip(&kept_frames[..kept_frames.len() - 2]) {
            assert!(
                shown.1 == *kept || closes(kept),
                "{what}: {shown:?} {kept:?}"
            );
        }
        // One with a cursor gets the rest and is told as well, also when it saw more than was kept [W6].
        let last = seen.last().map_or(0, |(_, frame)| frame.id);
        let rest = ann.replay(&chat, Some(last)).await;
        assert_eq!(rest.kinds().last_chunk(), Some(&told), "{what}");
        let both = shown.clone() + &rest.said();
        assert!(whole.starts_with(&both), "{what}: {both:?}");

        let next = ann.talk(&chat, "And now? [[mock: tokens=2]]").await;
        assert_eq!(next.chunks("finish").len(), 1, "{what}");
        assert_eq!(next.said(), "tok0 tok1", "{what}");
    }
    // All is there at the end as well: nothing was lost by a later crash.
    assert_eq!(
        ann.get("/api/history?limit=100").await["chats"]
            .as_array()
            .unwrap()
            .len(),
        20
    );
    println!("{partial} of {ROUNDS} rounds kept a part of the answer");
    println!("of {all_shown} characters shown {all_due} had to be kept, and {all_kept} were");
    assert!(
        all_due * 3 >= all_shown,
        "too little had to be kept: {all_due} of {all_shown}"
    );
    assert!(partial >= ROUNDS / 4, "the moments were none in mid-answer");
    assert_eq!(skein.terminate(), Some(0));
}

/// Reads a stream until the process is dead, which it is after so long; when each frame came, and when it died.
async fn read_until_killed(
    mut stream: EventStream,
    process: Process,
    after: Duration,
) -> (Vec<(Instant, Frame)>, Instant) {
    let killing = std::thread::spawn(move || {
        // The moment is what is tested, so it is waited for and nothing else.
        std::thread::sleep(after);
        let at = Instant::now();
        process.kill();
        at
    });
    let mut seen = Vec::new();
    while let Ok(Some(frame)) = stream.try_next().await {
        seen.push((Instant::now(), frame));
    }
    (seen, killing.join().unwrap())
}

/// What the text pieces among these frames say.
fn said<'f>(frames: impl Iterator<Item = &'f Frame>) -> String {
    frames
        .filter(|frame| frame.kind() == "text-delta")
        .map(|frame| frame.chunk()["delta"].as_str().unwrap().to_owned())
        .collect()
}

/// Whether it is a frame by which an interrupted answer is closed, in the place of one that was shown and not kept.
fn closes(frame: &Frame) -> bool {
    ["text-end", "finish-step", "error", "[DONE]"].contains(&frame.kind().as_str())
}

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use eventsource_stream::EventStream;
use futures_util::{StreamExt, stream};
use proptest::prelude::{ProptestConfig, any, prop, prop_assert_eq, proptest};
use tokio::time::Instant;

use super::{LineError, Lines};

const SILENCE: Duration = Duration::from_mins(1);

/// The data of the events in these reads, then how they ended.
fn read(reads: Vec<Vec<u8>>, cap: usize) -> (Vec<String>, &'static str) {
    let body = stream::iter(
        reads
            .into_iter()
            .map(|read| Ok::<_, Infallible>(Bytes::from(read))),
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut events = EventStream::new(Lines::new(body, cap, SILENCE));
        let mut all = Vec::new();
        let mut end = "end";
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => all.push(event.data),
                Err(eventsource_stream::EventStreamError::Transport(LineError::TooLong)) => {
                    end = "too long";
                }
                Err(_) => end = "failed",
            }
        }
        (all, end)
    })
}

/// Every cut in two, and byte by byte, gives the same events.
#[track_caller]
fn check(text: &[u8], expected: &[&str]) {
    for at in 0..=text.len() {
        let reads = vec![text[..at].to_vec(), text[at..].to_vec()];
        assert_eq!(read(reads, 1 << 20).0, expected, "cut at {at}");
    }
    let bytes = text.iter().map(|byte| vec![*byte]).collect();
    assert_eq!(
        read(bytes, 1 << 20),
        (expected.iter().map(|&one| one.to_owned()).collect(), "end")
    );
}

#[test]
fn reads_any_line_end_comments_and_several_data_lines() {
    check(b"data: a\n\ndata: b\n\n", &["a", "b"]);
    check(b"data: a\r\n\r\ndata: b\r\n\r\n", &["a", "b"]);
    check(b"data: a\r\rdata: b\r\r", &["a", "b"]);
    check(
        b"\xef\xbb\xbf: hi\ndata:a\ndata: b\nid: 4\nretry: 5\nother\n\n",
        &["a\nb"],
    );
    check("data: é😀\n\n".as_bytes(), &["é😀"]);
}

#[test]
fn drops_every_byte_order_mark_at_the_beginning() {
    check(
        "\u{feff}\u{feff}data: \u{feff}a\n\n".as_bytes(),
        &["\u{feff}a"],
    );
    check(
        "\u{feff}\n\u{feff}data: b\n\ndata: a\n\n".as_bytes(),
        &["a"],
    );
}

#[test]
fn drops_an_event_without_an_end() {
    check(b"data: a\n\ndata: b\n", &["a"]);
    check(b"data: a\n\ndata: b", &["a"]);
    check(b"", &[]);
}

#[test]
fn replaces_what_is_no_utf8_and_goes_on() {
    check(
        b"data: a\xffb\n\ndata: \xe2\x82\n\n",
        &["a\u{fffd}b", "\u{fffd}"],
    );
    check(b"data: a\n\ndata: \xf0\x9f", &["a"]);
}

#[test]
fn ends_at_a_line_over_the_cap_whether_or_not_it_ends() {
    let mut long = b"data: a\n\ndata: ".to_vec();
    long.extend(vec![b'x'; 3000]);
    let halves = |text: &[u8]| vec![text[..1500].to_vec(), text[1500..].to_vec()];
    for text in [long.clone(), [long.as_slice(), b"\n\n"].concat()] {
        let expected = (vec!["a".to_owned()], "too long");
        assert_eq!(read(vec![text.clone()], 3000), expected);
        assert_eq!(read(halves(&text), 3000), expected);
    }
    long.extend(b"\n\n");
    assert_eq!(read(vec![long.clone()], 3006).0.len(), 2);
}

#[test]
fn an_event_of_many_lines_falls_under_the_cap_too_but_comments_do_not() {
    let lines = |line: &str| [line.repeat(1000).as_bytes(), b"\ndata: a\n\n"].concat();
    assert_eq!(
        read(vec![lines("data: 12345\n")], 5000),
        (vec![], "too long")
    );
    assert_eq!(
        read(vec![lines(": keep-alive\n")], 5000),
        (vec!["a".to_owned()], "end")
    );
}

#[test]
fn a_long_line_in_small_reads_takes_linear_time() {
    // Eight mebibytes in reads of one kibibyte: read again with every read it would be 32 GiB.
    let mut text = b"data: ".to_vec();
    text.resize(8 << 20, b'x');
    text.extend(b"\n\n");
    let reads = text.chunks(1024).map(<[u8]>::to_vec).collect();
    let begun = std::time::Instant::now();
    assert_eq!(read(reads, 9 << 20).0[0].len(), (8 << 20) - 6);
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn silence_is_counted_from_the_last_read() {
    let begun = Instant::now();
    // A comment 40 s in, then nothing.
    let body = stream::once(async {
        tokio::time::sleep(Duration::from_secs(40)).await;
        Ok::<_, Infallible>(Bytes::from_static(b": alive\n"))
    })
    .chain(stream::pending());
    let mut lines = Lines::new(Box::pin(body), 100, SILENCE);
    assert!(matches!(lines.next().await, Some(Ok(_))));
    assert!(matches!(lines.next().await, Some(Err(LineError::Silent))));
    assert_eq!(begun.elapsed().as_secs(), 100);
    assert!(lines.next().await.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_bytes_in_any_cuts_give_the_same_events(
        text in prop::collection::vec(
            prop::sample::select(&b"\n\n\r\rdata: :x\xe2\x82\xac\xff"[..]), 0..200),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        cap in 10_usize..60,
    ) {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        places.extend([0, text.len()]);
        places.sort_unstable();
        let reads = places.windows(2).map(|pair| text[pair[0]..pair[1]].to_vec()).collect();
        prop_assert_eq!(read(reads, cap), read(vec![text], cap));
    }
}

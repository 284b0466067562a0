use super::*;

fn text(sink: &mut FrameSink) -> String {
    String::from_utf8(sink.take()).unwrap()
}

#[test]
fn frames_are_counted_from_zero_and_taken_once() {
    let mut sink = FrameSink::new();
    assert!(sink.is_empty());
    sink.frame(|out| json(out, "a\nb\r"));
    sink.frame(|out| out.extend_from_slice(b"[DONE]"));
    assert_eq!(
        text(&mut sink),
        "id: 0\ndata: \"a\\nb\\r\"\n\nid: 1\ndata: [DONE]\n\n"
    );
    assert!(sink.is_empty());
    assert_eq!(sink.next_index(), 2);
    sink.frame(|out| json(out, &3));
    assert_eq!(text(&mut sink), "id: 2\ndata: 3\n\n");
}

#[test]
fn frames_that_were_seen_are_counted_and_not_written() {
    let mut sink = FrameSink::after(1);
    for n in 0..3 {
        sink.frame(|out| json(out, &n));
    }
    assert_eq!(text(&mut sink), "id: 2\ndata: 2\n\n");
    let mut sink = FrameSink::after(u64::MAX);
    sink.frame(|out| json(out, &0));
    assert!(sink.is_empty());
    sink.stop_skipping();
    sink.frame(|out| json(out, &1));
    assert_eq!(text(&mut sink), "id: 1\ndata: 1\n\n");
}

#[test]
fn only_a_number_is_a_last_event_id() {
    assert_eq!(last_event_id("0"), Some(0));
    assert_eq!(last_event_id(" 17 "), Some(17));
    assert_eq!(last_event_id("18446744073709551615"), Some(u64::MAX));
    for header in [
        "",
        " ",
        "-1",
        "+1",
        "1.0",
        "0x1",
        "18446744073709551616",
        "a",
        "١",
    ] {
        assert_eq!(last_event_id(header), None, "{header}");
    }
}

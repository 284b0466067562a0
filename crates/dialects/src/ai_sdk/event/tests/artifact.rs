//! Documents that are being written. docs/wire/ai-sdk.md W19.

use proptest::prelude::*;

use super::*;

const DOCUMENT: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";

fn document(kind: &str, new: bool) -> EventKind {
    EventKind::DocumentOpened {
        document: DOCUMENT.to_owned(),
        document_kind: kind.to_owned(),
        title: "Silicon \"Valley\"".to_owned(),
        new,
    }
}

fn grown(text: &str) -> EventKind {
    EventKind::DocumentDelta {
        document: DOCUMENT.to_owned(),
        text: text.to_owned(),
    }
}

fn stored() -> EventKind {
    EventKind::DocumentStored {
        document: DOCUMENT.to_owned(),
        version_at_ms: 7,
    }
}

/// The data of the chunks of this type, for a document of this kind that grew by these texts.
fn told(kind: &str, name: &str, texts: &[String]) -> Vec<String> {
    let mut events = vec![document(kind, true)];
    events.extend(texts.iter().map(|text| grown(text)));
    events.push(stored());
    data(&events, AiSdkChunks::All)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|chunk| chunk["type"] == name)
        .map(|chunk| chunk["data"].as_str().unwrap().to_owned())
        .collect()
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// A call that writes a document with these events, and its output.
fn writes(name: &str, events: Vec<EventKind>) -> String {
    let writes = |arguments: &str| {
        PartContent::Call(Call {
            call_id: "call_1".to_owned(),
            name: name.to_owned(),
            tool: ToolKind::Function,
            executor: Executor::Server,
            arguments: arguments.to_owned(),
            code: None,
            approval: None,
        })
    };
    let mut all = vec![
        step(0),
        started(0, writes("")),
        delta(0, Field::Arguments, "{\"kind\":1}"),
        finished(0, writes("{\"kind\":1}")),
    ];
    all.extend(events);
    all.push(tool_finished(
        0,
        ToolResult::Output {
            output: json!({ "id": DOCUMENT }),
        },
    ));
    all.push(step_finished(0, FinishReason::ToolCalls));
    data(
        &whole(all, ended(Outcome::Completed, None)),
        AiSdkChunks::All,
    )
}

#[test]
fn a_new_text_document() {
    let events = vec![
        document("text", true),
        grown("Silicon Valley is a region in the south of the San Francisco Bay Area, "),
        grown("with many"),
        grown(" firms.\n"),
        stored(),
    ];
    insta::assert_snapshot!(writes("createDocument", events));
}

#[test]
fn a_new_code_document_is_told_as_snapshots() {
    let events = vec![
        document("code", true),
        grown("print("),
        grown("'hello, world')\n"),
        stored(),
    ];
    insta::assert_snapshot!(writes("createDocument", events));
}

#[test]
fn a_new_sheet_is_told_as_snapshots() {
    let events = vec![document("sheet", true), grown("a,b\n1,2\n"), stored()];
    insta::assert_snapshot!(writes("createDocument", events));
}

#[test]
fn an_image_is_told_whole_when_it_is_stored() {
    let events = vec![
        document("image", true),
        grown("iVBORw0KGgo"),
        grown("AAAA="),
        stored(),
    ];
    insta::assert_snapshot!(writes("createDocument", events));
}

#[test]
fn a_document_that_is_changed_is_cleared_and_not_named() {
    let events = vec![document("text", false), grown("Shorter."), stored()];
    insta::assert_snapshot!(writes("updateDocument", events));
}

#[test]
fn suggestions_are_told_one_by_one() {
    let suggestion = |id: &str, description: Option<&str>| EventKind::SuggestionMade {
        document: DOCUMENT.to_owned(),
        suggestion: id.to_owned(),
        original: "many firms".to_owned(),
        suggested: "hundreds of firms".to_owned(),
        description: description.map(str::to_owned),
    };
    let events = vec![
        suggestion(
            "00000000-0000-0000-0000-00000000000a",
            Some("Say how many."),
        ),
        suggestion("00000000-0000-0000-0000-00000000000b", None),
    ];
    insta::assert_snapshot!(writes("requestSuggestions", events));
}

#[test]
fn what_was_not_begun_is_not_told() {
    let other = EventKind::DocumentDelta {
        document: "other".to_owned(),
        text: "x".to_owned(),
    };
    let events = [
        document("text", false),
        other,
        document("pdf", true),
        grown("x"),
        stored(),
        grown("y"),
    ];
    assert_eq!(
        data(&events, AiSdkChunks::All),
        "{\"type\":\"data-clear\",\"data\":null,\"transient\":true}\n\
         {\"type\":\"data-finish\",\"data\":null,\"transient\":true}"
    );
}

#[test]
fn a_document_that_is_begun_again_starts_empty() {
    let events = [
        document("code", true),
        grown("x = 1"),
        document("code", false),
        grown("y"),
        stored(),
    ];
    let told = data(&events, AiSdkChunks::All);
    assert_eq!(
        told.lines().rev().nth(1).unwrap(),
        "{\"type\":\"data-codeDelta\",\"data\":\"y\",\"transient\":true}"
    );
}

#[test]
fn what_stands_is_shown_again_whole_where_nothing_was_stored() {
    for (kind, name) in [("code", "data-codeDelta"), ("image", "data-imageDelta")] {
        let stands = "x".repeat(330);
        let events = [
            document(kind, false),
            grown("half"),
            document(kind, false),
            grown(&stands),
            EventKind::Data {
                name: "finish".to_owned(),
                id: None,
                data: Value::Null,
                transient: true,
            },
        ];
        let told = data(&events, AiSdkChunks::All);
        let end: Vec<&str> = told.lines().rev().take(2).collect();
        assert_eq!(
            end,
            [
                "{\"type\":\"data-finish\",\"data\":null,\"transient\":true}",
                &format!("{{\"type\":\"{name}\",\"data\":\"{stands}\",\"transient\":true}}"),
            ]
        );
    }
}

#[test]
fn texts_are_cut_after_blanks_and_long_words_anywhere() {
    let text = format!("{} {}ü {}", "a".repeat(30), "b".repeat(30), "😀".repeat(30));
    let pieces = told("text", "data-textDelta", std::slice::from_ref(&text));
    let lengths: Vec<usize> = pieces.iter().map(|piece| units(piece)).collect();
    assert_eq!(lengths, [31, 32, 48, 12]);
    assert_eq!(pieces.concat(), text);
}

#[test]
fn snapshots_of_a_long_document_are_few() {
    let texts = vec!["x".repeat(10); 10_000];
    let snapshots = told("sheet", "data-sheetDelta", &texts);
    // Two for each delta up to 320, then a sixteenth more each time.
    assert!(snapshots.len() <= 160, "{}", snapshots.len());
    assert_eq!(units(snapshots.last().unwrap()), 100_000);
    let bytes: usize = snapshots.iter().map(String::len).sum();
    assert!(bytes < 20 * 100_000, "{bytes}");
}

proptest! {
    #[test]
    fn pieces_are_short_and_together_the_text(texts in prop::collection::vec(any::<String>(), 0..12)) {
        let pieces = told("text", "data-textDelta", &texts);
        prop_assert!(pieces.iter().all(|piece| (1..=49).contains(&units(piece))));
        prop_assert_eq!(pieces.concat(), texts.concat());
    }

    #[test]
    fn snapshots_grow_slowly_then_by_a_share_and_end_whole(texts in prop::collection::vec("(\\PC|\n){0,60}", 0..40)) {
        let all = texts.concat();
        let snapshots = told("code", "data-codeDelta", &texts);
        prop_assert_eq!(snapshots.last().map_or("", |last| last), &all);
        let mut before = String::new();
        for (at, snapshot) in snapshots.iter().enumerate() {
            prop_assert!(snapshot.starts_with(&before));
            let (was, is) = (units(&before), units(snapshot));
            prop_assert!(is > was);
            let is_last = at + 1 == snapshots.len();
            prop_assert!(is - was <= 9 || was >= 320, "{} {}", was, is);
            prop_assert!(was < 320 || is_last || (is - was) * 16 >= was, "{} {}", was, is);
            before.clone_from(snapshot);
        }
        // The page opens its panel at such a length.
        let seen = snapshots.iter().any(|snapshot| (301..=309).contains(&units(snapshot)));
        prop_assert!(seen || units(&all) <= 309);
    }
}

/// Frames as number and data.
fn frames(stream: &str) -> Vec<(String, String)> {
    let frames = stream.split_terminator("\n\n").map(|frame| {
        let (id, data) = frame.split_once('\n').unwrap();
        (id.to_owned(), data.to_owned())
    });
    frames.collect()
}

// docs/wire/ai-sdk.md W66: a chat may be read by others; a document is its owner's alone.
#[test]
fn who_may_not_read_documents_has_all_other_frames_under_their_numbers() {
    let suggestion = EventKind::SuggestionMade {
        document: DOCUMENT.to_owned(),
        suggestion: "5f0c3c3e-8c0a-4d0e-9d43-0d2f5cf6b0a1".to_owned(),
        original: "Secret".to_owned(),
        suggested: "Public".to_owned(),
        description: None,
    };
    let end = EventKind::Data {
        name: "finish".to_owned(),
        id: None,
        data: Value::Null,
        transient: true,
    };
    let mut events = opened().to_vec();
    events.extend([
        step(0),
        document("text", true),
        grown("Secret words."),
        stored(),
    ]);
    events.extend([
        document("code", false),
        grown("secret()"),
        stored(),
        suggestion,
    ]);
    events.extend([document("sheet", true), grown("secret,"), end]);
    events.extend([EventKind::Retitled {
        title: "Words".to_owned(),
    }]);
    let whole = frames(&encode(&events));
    for seen in [None, Some(0), Some(3)] {
        let mut encoder = AiSdkEncoder::new(&leg()).without_documents();
        let mut sink = seen.map_or_else(FrameSink::new, FrameSink::after);
        for (n, kind) in (1..).zip(&events) {
            let event = RunEvent {
                n,
                at_ms: 0,
                kind: kind.clone(),
                raw: None,
            };
            encoder.event(&event, &mut sink);
        }
        let told = String::from_utf8(sink.take()).unwrap().to_lowercase();
        assert!(
            !told.contains("secret") && !told.contains(DOCUMENT),
            "{told}"
        );
        let last = whole.last().unwrap().1.to_lowercase();
        assert!(
            last.contains("data-chat-title") && told.contains(&last),
            "{told}"
        );
        let told: Vec<String> = frames(&told).into_iter().map(|(id, _)| id).collect();
        let kept = whole.iter().enumerate().filter(|(at, (_, data))| {
            let is_new = seen.is_none_or(|seen: u64| *at > usize::try_from(seen).unwrap());
            is_new
                && ["\"start", "chat-title"]
                    .iter()
                    .any(|kept| data.contains(kept))
        });
        let kept: Vec<String> = kept.map(|(_, (id, _))| id.clone()).collect();
        assert_eq!(told, kept);
    }
}

use super::*;
use crate::{
    event::FinishReason,
    id::{MessageId, RunId},
    run::Outcome,
};
use uuid::Uuid;

fn events() -> Vec<RunEvent> {
    let whole = PartContent::Text {
        text: "héllo wörld".to_owned(),
        annotations: Vec::new(),
    };
    let delta = |text: &str| EventKind::PartDelta {
        part: 0,
        field: Field::Text,
        text: text.to_owned(),
    };
    let kinds = [
        EventKind::LegOpened {
            run: RunId::new(Uuid::from_u128(1)),
            index: 0,
            message: MessageId::new(Uuid::from_u128(2)),
            answers: Vec::new(),
        },
        EventKind::LegTaken,
        EventKind::StepStarted {
            step: 0,
            model: "m".to_owned(),
            upstream_id: None,
        },
        EventKind::PartStarted {
            part: 0,
            step: 0,
            head: PartContent::text(),
            alias: None,
        },
        delta("hé"),
        delta("llo "),
        delta("wörld"),
        EventKind::PartFinished {
            part: 0,
            status: PartStatus::Completed,
            content: Arc::new(whole),
        },
        EventKind::StepFinished {
            step: 0,
            reason: FinishReason::Stop,
            usage: None,
        },
        EventKind::Ended {
            outcome: Outcome::Completed,
            error: None,
            retry_after_ms: None,
            usage: None,
        },
    ];
    (1..)
        .zip(kinds)
        .map(|(n, kind)| RunEvent {
            n,
            at_ms: 1_700_000_000_000 + i64::from(n) * 7,
            raw: (n == 5 || n == 9).then(|| Arc::from("{\"raw\":true}")),
            kind,
        })
        .collect()
}

#[test]
fn a_seal_gives_back_every_event_as_it_was() {
    let events = events();
    assert_eq!(decode_seal(&encode_seal(&events).unwrap()).unwrap(), events);
}

#[test]
fn records_cut_anywhere_give_back_every_event_as_it_was() {
    let events = events();
    for cut in 1..events.len() {
        let (head, tail) = events.split_at(cut);
        let mut read = decode_batch(&encode_batch(head).unwrap()).unwrap();
        read.extend(decode_batch(&encode_batch(tail).unwrap()).unwrap());
        assert_eq!(read, events, "cut after {cut}");
    }
}

#[test]
fn a_seal_holds_text_once() {
    let long: String = (0..20_000)
        .map(|i| char::from(b'a' + u8::try_from(i * i % 23).unwrap()))
        .collect();
    let mut events = events();
    events[6].kind = EventKind::PartDelta {
        part: 0,
        field: Field::Text,
        text: long.clone(),
    };
    events[7].kind = EventKind::PartFinished {
        part: 0,
        status: PartStatus::Completed,
        content: Arc::new(PartContent::Text {
            text: format!("héllo {long}"),
            annotations: Vec::new(),
        }),
    };
    let mut json = Vec::new();
    ZlibDecoder::new(versioned(&encode_seal(&events).unwrap()).unwrap())
        .read_to_end(&mut json)
        .unwrap();
    assert!(
        json.len() < long.len() + 2_000,
        "{} bytes of JSON for {} of text",
        json.len(),
        long.len()
    );
}

#[test]
fn refuses_what_it_does_not_know() {
    assert!(matches!(
        decode_batch(&[9, b'{']),
        Err(CodecError::Version { found: 9 })
    ));
    assert!(decode_seal(&[]).is_err());
    assert!(decode_seal(&[1, 2, 3]).is_err());
}

use uuid::Uuid;

use super::*;

fn log() -> LegLog {
    LegLog::new(
        LegId::new(Uuid::from_u128(1)),
        1000,
        Arc::default(),
        Lease::default(),
    )
}

fn delta(part: u32, field: Field, text: &str) -> EventKind {
    EventKind::PartDelta {
        part,
        field,
        text: text.to_owned(),
    }
}

#[test]
fn gives_back_what_was_pushed_from_any_place() {
    let log = log();
    let kinds = [
        EventKind::LegTaken,
        delta(0, Field::Text, "a"),
        delta(7, Field::Reasoning(3), "é"),
        EventKind::Foreign,
        delta(1 << 24, Field::Text, "far"),
        delta(2, Field::Summary(119), "s"),
        delta(2, Field::Summary(200), "t"),
        delta(3, Field::Arguments, "{"),
    ];
    for (i, kind) in (0_i64..).zip(&kinds) {
        log.push(1000 + i, kind.clone(), None);
    }
    let all = log.read_all();
    assert_eq!(
        all.iter()
            .map(|event| event.kind.clone())
            .collect::<Vec<_>>(),
        kinds
    );
    assert!(
        (1..)
            .zip(&all)
            .all(|(n, event)| event.n == n && event.at_ms == 999 + i64::from(n))
    );
    for after in 0..all.len() {
        assert_eq!(
            log.read_until(u32::try_from(after).unwrap(), u32::MAX, 2),
            all[after..(after + 2).min(all.len())]
        );
    }
}

#[test]
fn shows_only_a_prefix() {
    let log = log();
    log.push_delta(1000, 0, Field::Text, "shown");
    assert_eq!(log.read(0, 9), Some(Vec::new()));
    log.push(1000, EventKind::LegTaken, None);
    log.show(1);
    assert_eq!(log.read(0, 9).unwrap().len(), 1);
    log.show(2);
    assert_eq!(log.read(0, 9).unwrap().len(), 2);
    assert!(!log.seen().closed);
}

#[tokio::test(start_paused = true)]
async fn shows_nothing_while_the_lease_does_not_hold() {
    let lease = Lease::default();
    let log = LegLog::new(
        LegId::new(Uuid::from_u128(1)),
        0,
        Arc::default(),
        lease.clone(),
    );
    log.push_delta(0, 0, Field::Text, "shown");
    log.show(1);
    tokio::time::sleep(super::super::lease::FREEZE_AFTER).await;
    assert!(lease.heed_silence());
    log.push_delta(0, 0, Field::Text, "held back");
    log.show(2);
    assert_eq!(log.seen().n, 1);
    lease.renewed(tokio::time::Instant::now());
    lease.thaw();
    log.show_held_back();
    assert_eq!(log.seen().n, 2);
}

#[test]
fn time_does_not_run_backwards() {
    let log = log();
    log.push(1500, EventKind::LegTaken, None);
    log.push(200, EventKind::LegTaken, None);
    assert!(log.read_all().iter().all(|event| event.at_ms == 1500));
}

#[test]
fn knows_what_the_store_has() {
    let log = log();
    log.push_delta(1000, 0, Field::Text, "one");
    let (_, unflushed) = log.push_delta(1000, 0, Field::Text, "two");
    assert_eq!(unflushed, 6);
    assert_eq!(
        log.unflushed()
            .map(|batch| (batch.first, batch.events.len())),
        Some((1, 2))
    );
    log.flushed(1);
    assert_eq!(
        log.unflushed()
            .map(|batch| (batch.first, batch.events.len())),
        Some((2, 1))
    );
    let (_, unflushed) = log.push_delta(1000, 0, Field::Text, "4");
    assert_eq!(unflushed, 4);
    log.flushed(3);
    assert_eq!(log.unflushed(), None);
}

#[test]
fn gives_its_memory_back() {
    let held = Arc::new(AtomicUsize::new(0));
    let log = LegLog::new(
        LegId::new(Uuid::from_u128(1)),
        0,
        Arc::clone(&held),
        Lease::default(),
    );
    let output = EventKind::Data {
        name: String::new(),
        id: None,
        data: "x".repeat(1_000).into(),
        transient: false,
    };
    log.push(0, output, None);
    log.push_delta(0, 0, Field::Text, "12345");
    log.show_end(2);
    assert!(
        held.load(Ordering::Relaxed) > 1_005,
        "outputs weigh as much as texts"
    );
    log.empty();
    assert_eq!(held.load(Ordering::Relaxed), 0);
    assert_eq!(log.read(0, 9), None, "who is behind is sent to the seal");
    assert_eq!(log.read(2, 9), Some(Vec::new()));
}

//! What [`chat_core::ports::RunLog`] says.

use std::sync::Arc;

use chat_core::{
    event::RunEvent,
    id::LegId,
    ports::{Closed, OpenLeg, StoreError},
};
use tokio::task::JoinSet;

use crate::{ChatStore, sample};

/// What was appended is read at once, in order.
pub async fn what_was_appended_is_read_at_once(store: Arc<dyn ChatStore>) {
    let leg = open(&store).await.leg;
    let mut expected = Vec::new();
    for first in (1..100).step_by(7) {
        let events = sample::deltas(first..=first + 6);
        append(&store, leg, &events).await;
        expected.extend(events);
        assert_eq!(read(&store, leg, 0, 1_000).await, expected);
    }
}

/// A read gives events after a number, at most as many as were asked for, wherever batches begin and end.
pub async fn a_read_begins_after_a_number_and_is_limited(store: Arc<dyn ChatStore>) {
    let leg = open(&store).await.leg;
    for first in [1, 4, 7] {
        append(&store, leg, &sample::deltas(first..=first + 2)).await;
    }
    for after in 0..=10 {
        for limit in 1..=10 {
            let last = (after + limit).min(9);
            assert_eq!(
                read(&store, leg, after, limit).await,
                sample::deltas(after + 1..=last),
                "after {after}, at most {limit}"
            );
        }
    }
}

/// Nothing is read of a leg without events and of one that is not there.
pub async fn nothing_is_read_where_nothing_is(store: Arc<dyn ChatStore>) {
    let leg = open(&store).await.leg;
    assert_eq!(read(&store, leg, 0, 10).await, []);
    let unknown = LegId::new(sample::uuid());
    assert_eq!(read(&store, unknown, 0, 10).await, []);
}

/// One append holds events of several legs, and each leg is read alone.
pub async fn an_append_holds_several_legs(store: Arc<dyn ChatStore>) {
    let mut legs = Vec::new();
    for _ in 0..100 {
        legs.push(open(&store).await.leg);
    }
    for round in 0..3_u32 {
        let batches = legs
            .iter()
            .zip(1..)
            .map(|(leg, length)| {
                let first = round * length + 1;
                sample::batch(*leg, &sample::deltas(first..=first + length - 1))
            })
            .collect();
        store.append(batches).await.unwrap();
    }
    for (leg, length) in legs.into_iter().zip(1..) {
        assert_eq!(
            read(&store, leg, 0, 1_000).await,
            sample::deltas(1..=3 * length)
        );
    }
}

/// One append may hold several batches of a leg, in order.
pub async fn an_append_may_hold_several_batches_of_a_leg(store: Arc<dyn ChatStore>) {
    let leg = open(&store).await.leg;
    store
        .append(vec![
            sample::batch(leg, &sample::deltas(1..=2)),
            sample::batch(leg, &sample::deltas(3..=5)),
        ])
        .await
        .unwrap();
    assert_eq!(read(&store, leg, 0, 10).await, sample::deltas(1..=5));
}

/// A batch that was appended before is taken as done.
pub async fn a_repeated_batch_is_taken_as_done(store: Arc<dyn ChatStore>) {
    let leg = open(&store).await.leg;
    append(&store, leg, &sample::deltas(1..=3)).await;
    append(&store, leg, &sample::deltas(4..=6)).await;
    append(&store, leg, &sample::deltas(1..=3)).await;
    append(&store, leg, &sample::deltas(4..=6)).await;
    append(&store, leg, &sample::deltas(7..=7)).await;
    assert_eq!(read(&store, leg, 0, 10).await, sample::deltas(1..=7));
}

/// A batch that leaves a gap in its leg's log is refused for good, and its whole append with it.
pub async fn a_gap_is_refused_and_the_whole_append_with_it(store: Arc<dyn ChatStore>) {
    let (good, new, begun) = (
        open(&store).await.leg,
        open(&store).await.leg,
        open(&store).await.leg,
    );
    append(&store, begun, &sample::deltas(1..=3)).await;
    let at = |leg, numbers| sample::batch(leg, &sample::deltas(numbers));
    for gap in [
        vec![at(new, 2..=3)],
        vec![at(begun, 5..=6)],
        vec![at(new, 1..=2), at(new, 4..=5)],
        vec![at(begun, 1..=3), at(begun, 4..=4), at(begun, 6..=6)],
    ] {
        let mut batches = vec![at(good, 1..=2)];
        batches.extend(gap);
        batches.push(at(good, 3..=3));
        let refused = store.append(batches).await;
        assert!(matches!(refused, Err(StoreError::Fatal(_))), "{refused:?}");
        assert_eq!(read(&store, good, 0, 10).await, []);
        assert_eq!(read(&store, new, 0, 10).await, []);
        assert_eq!(read(&store, begun, 0, 10).await, sample::deltas(1..=3));
    }
    // What was refused leaves nothing behind that a proper append would meet.
    for (leg, first) in [(good, 1), (new, 1), (begun, 4)] {
        append(&store, leg, &sample::deltas(first..=6)).await;
        assert_eq!(read(&store, leg, 0, 10).await, sample::deltas(1..=6));
    }
}

/// A batch of a closed, deleted or unknown leg is dropped, and the others of its append are not.
pub async fn a_batch_of_a_closed_or_deleted_leg_is_dropped(store: Arc<dyn ChatStore>) {
    let closed = open(&store).await;
    close(&store, &closed, "whole").await;
    let deleted = open(&store).await;
    store
        .delete_conversation(deleted.conversation)
        .await
        .unwrap()
        .unwrap();
    let unknown = LegId::new(sample::uuid());
    let alive = open(&store).await.leg;
    let late = sample::deltas(1..=3);
    let mut batches = vec![sample::batch(alive, &late)];
    for leg in [closed.leg, deleted.leg, unknown] {
        batches.push(sample::batch(leg, &late));
        // No gap is looked for where nothing is kept.
        batches.push(sample::batch(leg, &sample::deltas(9..=9)));
    }
    store.append(batches).await.unwrap();
    assert_eq!(read(&store, alive, 0, 10).await, late);
    assert_eq!(
        read(&store, closed.leg, 0, 10).await,
        sample::events(&closed, "whole")
    );
    assert_eq!(read(&store, deleted.leg, 0, 10).await, []);
    assert_eq!(read(&store, unknown, 0, 10).await, []);
}

/// A closed leg is read from its seal, whatever its log held, with the same numbers and limits.
pub async fn a_closed_leg_is_read_from_its_seal(store: Arc<dyn ChatStore>) {
    let open = open(&store).await;
    let events = sample::events(&open, "whole");
    append(&store, open.leg, &events[..3]).await;
    close(&store, &open, "whole").await;
    assert_eq!(read(&store, open.leg, 0, 100).await, events);
    assert_eq!(read(&store, open.leg, 2, 2).await, events[2..4]);
    assert_eq!(read(&store, open.leg, 5, 2).await, []);
}

/// A close takes nothing from the legs whose events were appended together with the closed one's.
pub async fn a_close_leaves_the_other_legs_logs(store: Arc<dyn ChatStore>) {
    let legs = [open(&store).await, open(&store).await, open(&store).await];
    for first in [1, 4] {
        let events = sample::deltas(first..=first + 2);
        let batches = legs
            .iter()
            .map(|open| sample::batch(open.leg, &events))
            .collect();
        store.append(batches).await.unwrap();
    }
    for closed in 0..legs.len() {
        close(&store, &legs[closed], "whole").await;
        for open in &legs[closed + 1..] {
            assert_eq!(read(&store, open.leg, 0, 100).await, sample::deltas(1..=6));
        }
    }
}

/// Appends of several legs that race do not mix them up.
pub async fn racing_appends_keep_each_legs_order(store: Arc<dyn ChatStore>) {
    let mut racing = JoinSet::new();
    for _ in 0..16 {
        let store = Arc::clone(&store);
        racing.spawn(async move {
            let leg = open(&store).await.leg;
            for first in 1..=20 {
                append(&store, leg, &sample::deltas(first..=first)).await;
                let seen = read(&store, leg, first - 1, 10).await;
                assert_eq!(seen, sample::deltas(first..=first));
            }
            assert_eq!(read(&store, leg, 0, 100).await, sample::deltas(1..=20));
        });
    }
    racing.join_all().await;
}

/// A reader that races the close sees the log or the seal, never a gap and never nothing.
pub async fn a_read_that_races_the_close_sees_everything(store: Arc<dyn ChatStore>) {
    for _ in 0..16 {
        let open = open(&store).await;
        let events = sample::events(&open, "whole");
        append(&store, open.leg, &events[..4]).await;
        let mut racing = JoinSet::new();
        for _ in 0..4 {
            let (store, events, leg) = (Arc::clone(&store), events.clone(), open.leg);
            racing.spawn(async move {
                loop {
                    let seen = read(&store, leg, 0, 100).await;
                    assert!(seen.len() >= 4, "{seen:?}");
                    assert_eq!(seen, events[..seen.len()]);
                    if seen.len() == events.len() {
                        break;
                    }
                }
            });
        }
        close(&store, &open, "whole").await;
        racing.join_all().await;
    }
}

async fn open(store: &Arc<dyn ChatStore>) -> OpenLeg {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
    sample::opened(&**store, &open).await;
    open
}

async fn close(store: &Arc<dyn ChatStore>, open: &OpenLeg, text: &str) {
    let epoch = store.find_leg(open.leg).await.unwrap().unwrap().epoch;
    let close = chat_core::ports::CloseLeg {
        leg: open.leg,
        epoch,
        status: chat_core::run::RunStatus::Completed,
        error: None,
        answer: Some(sample::answer(open, text)),
        expires_at_ms: None,
        seal: sample::seal(open, text),
        at_ms: open.at_ms,
    };
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
}

async fn append(store: &Arc<dyn ChatStore>, leg: LegId, events: &[RunEvent]) {
    store
        .append(vec![sample::batch(leg, events)])
        .await
        .unwrap();
}

async fn read(store: &Arc<dyn ChatStore>, leg: LegId, after: u32, limit: u32) -> Vec<RunEvent> {
    store.read(leg, after, limit).await.unwrap()
}

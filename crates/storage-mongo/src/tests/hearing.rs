//! What one node changes, another one hears.

use std::time::Duration;

use chat_core::{
    ports::{
        CloseLeg, Closed, Conversations as _, RunLog as _, Runs as _, Signal, SignalStream,
        Signals as _,
    },
    run::{RunStatus, StopCause},
};
use mongodb::{
    bson::{Document, doc},
    options::ReadConcern,
};
use storage_contract::sample;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    MongoStore,
    testing::{fresh, open},
};

/// A handle that hears, from now on.
pub(super) async fn listener(store: MongoStore) -> (SignalStream, JoinSet<()>) {
    let mut heard = store.signals().subscribe();
    let mut keeping = JoinSet::new();
    keeping.spawn(store.keep(CancellationToken::new()));
    hears(&mut heard, Signal::Missed).await;
    (heard, keeping)
}

pub(super) async fn hears(heard: &mut SignalStream, wanted: Signal) {
    let found = async { while heard.next().await.unwrap() != wanted {} };
    timeout(Duration::from_secs(30), found)
        .await
        .unwrap_or_else(|_elapsed| panic!("{wanted:?} was not heard"));
}

#[tokio::test]
async fn every_change_that_should_ring_rings_on_another_node() {
    let (here, database) = fresh().await;
    let (mut heard, _keeping) = listener(open(&database.0).await).await;
    let owner = sample::owner();

    let first = sample::send(&owner, sample::conversation_id(), "one");
    let leg = sample::opened(&*here, &first).await;
    hears(&mut heard, Signal::SlotTaken(first.conversation)).await;
    let batch = sample::batch(first.leg, &sample::deltas(1..=3));
    here.append(vec![batch]).await.unwrap();
    hears(&mut heard, Signal::LegAdvanced(first.leg)).await;
    here.ask_stop(first.conversation).await.unwrap().unwrap();
    hears(&mut heard, Signal::StopAsked(first.leg, StopCause::Asked)).await;
    let close = sample::close(&first, &leg, "one");
    assert_eq!(here.close_leg(close).await.unwrap(), Closed::Done);
    hears(&mut heard, Signal::LegAdvanced(first.leg)).await;
    hears(&mut heard, Signal::SlotFreed(first.conversation)).await;

    let second = sample::send(&owner, first.conversation, "two");
    let leg = sample::opened(&*here, &second).await;
    let released = here.release_leg(second.leg, leg.epoch).await.unwrap();
    assert_eq!(released, Closed::Done);
    hears(&mut heard, Signal::LegReleased(second.leg)).await;
    let third = sample::send(&owner, first.conversation, "three");
    sample::opened(&*here, &third).await;
    let replaced = Signal::StopAsked(second.leg, StopCause::Replaced);
    hears(&mut heard, replaced).await;
    here.delete_conversation(first.conversation)
        .await
        .unwrap()
        .unwrap();
    hears(&mut heard, Signal::StopAsked(third.leg, StopCause::Dropped)).await;
}

#[tokio::test]
async fn a_run_that_waits_rings_when_it_goes_on_and_when_it_ends() {
    let (here, database) = fresh().await;
    let (send, first) = sample::paused(&*here).await;
    let (mut heard, _keeping) = listener(open(&database.0).await).await;
    let mut waiting = sample::waiting(&send);
    let resume = sample::resume(&send.caller, waiting, "resumed");
    let leg = sample::resumed(&*here, &resume).await;
    hears(&mut heard, Signal::SlotTaken(send.conversation)).await;

    let pause = CloseLeg {
        leg: resume.leg,
        epoch: leg.epoch,
        ..sample::pause(&send, &first)
    };
    assert_eq!(here.close_leg(pause).await.unwrap(), Closed::Done);
    hears(&mut heard, Signal::LegAdvanced(resume.leg)).await;
    // Twice: after a late answer its end rings again.
    for _ in 0..2 {
        waiting.leg = here
            .newest_leg(send.conversation)
            .await
            .unwrap()
            .unwrap()
            .id;
        let end = sample::end(waiting, RunStatus::Expired, "expired");
        assert_eq!(here.end_paused(end).await.unwrap(), Closed::Done);
        hears(&mut heard, Signal::SlotFreed(send.conversation)).await;
        let late = sample::resume(&send.caller, waiting, "late");
        let leg = sample::resumed(&*here, &late).await;
        hears(&mut heard, Signal::SlotTaken(send.conversation)).await;
        let pause = CloseLeg {
            leg: late.leg,
            epoch: leg.epoch,
            ..sample::pause(&send, &first)
        };
        assert_eq!(here.close_leg(pause).await.unwrap(), Closed::Done);
    }

    waiting.leg = here
        .newest_leg(send.conversation)
        .await
        .unwrap()
        .unwrap()
        .id;
    let last = sample::resume(&send.caller, waiting, "again");
    sample::resumed(&*here, &last).await;
    let cut = here.cut(send.conversation, send.answer).await.unwrap();
    assert_eq!(cut.unwrap().messages, 1);
    hears(&mut heard, Signal::StopAsked(last.leg, StopCause::Dropped)).await;
}

#[tokio::test]
async fn a_node_does_not_hear_its_own_appends_from_afar() {
    let (here, database) = fresh().await;
    let there = open(&database.0).await;
    let (mut heard, _keeping) = listener(there.clone()).await;
    let [own, others] =
        [(); 2].map(|()| sample::send(&sample::owner(), sample::conversation_id(), "x"));
    sample::opened(&*here, &own).await;
    sample::opened(&*here, &others).await;
    let events = sample::deltas(1..=1);
    there
        .append(vec![sample::batch(own.leg, &events)])
        .await
        .unwrap();
    here.append(vec![sample::batch(others.leg, &events)])
        .await
        .unwrap();
    loop {
        let signal = heard.next().await.unwrap();
        assert_ne!(signal, Signal::LegAdvanced(own.leg));
        if signal == Signal::LegAdvanced(others.leg) {
            break;
        }
    }
}

#[tokio::test]
async fn a_stream_whose_cursor_was_killed_goes_on_without_a_loss() {
    let (here, database) = fresh().await;
    let (mut heard, _keeping) = listener(open(&database.0).await).await;
    let send = sample::send(&sample::owner(), sample::conversation_id(), "x");
    sample::opened(&*here, &send).await;
    for round in 0..5 {
        assert!(kill_streams(&here).await > 0);
        let batch = sample::batch(send.leg, &sample::deltas(round + 1..=round + 1));
        here.append(vec![batch]).await.unwrap();
        hears(&mut heard, Signal::LegAdvanced(send.leg)).await;
    }
}

/// Kills the cursors of all change streams of a database.
async fn kill_streams(store: &MongoStore) -> usize {
    let admin = store.client().database("admin");
    let name = store.database().name();
    let mut killed = 0;
    while killed == 0 {
        let pipeline = [
            doc! {"$currentOp": {"idleCursors": true, "localOps": true}},
            doc! {"$match": {"ns": format!("{name}.$cmd.aggregate"), "cursor": {"$exists": true}}},
        ];
        let found = admin.aggregate(pipeline).read_concern(ReadConcern::local());
        let mut found = found.await.unwrap();
        while found.advance().await.unwrap() {
            let operation: Document = found.deserialize_current().unwrap();
            let cursor = operation.get_document("cursor").unwrap();
            let id = cursor.get_i64("cursorId").unwrap();
            let command = doc! {"killCursors": "$cmd.aggregate", "cursors": [id]};
            store.database().run_command(command).await.unwrap();
            killed += 1;
        }
    }
    killed
}

use chat_core::ports::{Conversations as _, OpenLeg, Runs as _};
use storage_contract::sample;
use tempfile::TempDir;

use super::*;
use crate::{Config, store::tests::fresh};

async fn open(store: &SqliteStore) -> OpenLeg {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
    sample::opened(store, &open).await;
    open
}

async fn rows(store: &SqliteStore) -> i64 {
    store
        .query(|connection| {
            Ok(connection.query_row("SELECT count(*) FROM run_log", [], |row| row.get(0))?)
        })
        .await
        .unwrap()
}

async fn close(store: &SqliteStore, open: &OpenLeg) {
    let epoch = store.find_leg(open.leg).await.unwrap().unwrap().epoch;
    let mut leg = sample::close(
        open,
        &chat_core::ports::FreshLeg {
            conversation: store
                .find_conversation(open.conversation)
                .await
                .unwrap()
                .unwrap(),
            created: false,
            answer_seq: 0,
            epoch,
            predecessor: None,
            dropped: Vec::new(),
        },
        "whole",
    );
    leg.epoch = epoch;
    let closed = store.close_leg(leg).await.unwrap();
    assert_eq!(closed, chat_core::ports::Closed::Done);
}

#[test]
fn an_append_of_many_legs_makes_few_rows() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let mut batches = Vec::new();
        for _ in 0..2 * RECORDS_IN_ROW {
            let leg = open(&store).await.leg;
            batches.push(sample::batch(leg, &sample::deltas(1..=1)));
        }
        store.append(batches).await.unwrap();
        assert_eq!(rows(&store).await, 2);
    });
}

#[test]
fn a_row_goes_with_the_last_of_its_legs() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let (closed, deleted, cut) = (open(&store).await, open(&store).await, open(&store).await);
        for first in [1, 3] {
            let batches = [&closed, &deleted, &cut]
                .map(|open| sample::batch(open.leg, &sample::deltas(first..=first + 1)));
            store.append(batches.into()).await.unwrap();
        }
        store
            .append(vec![sample::batch(cut.leg, &sample::deltas(5..=5))])
            .await
            .unwrap();
        assert_eq!(rows(&store).await, 3);
        close(&store, &closed).await;
        store
            .delete_conversation(deleted.conversation)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(rows(&store).await, 3);
        let mut edit = sample::send(&cut.caller, cut.conversation, "edited");
        edit.cut_from = Some(cut.input[0].id);
        sample::opened(&*store, &edit).await;
        assert_eq!(rows(&store).await, 0);
    });
}

#[test]
fn a_batch_that_was_appended_in_part_is_appended_in_its_rest() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let leg = open(&store).await.leg;
        for last in [3, 5, 5, 9] {
            store
                .append(vec![sample::batch(leg, &sample::deltas(1..=last))])
                .await
                .unwrap();
            assert_eq!(
                store.read(leg, 0, 100).await.unwrap(),
                sample::deltas(1..=last)
            );
        }
    });
}

#[test]
fn a_row_that_is_cut_short_is_an_error() {
    let batch = Encoded::new(sample::batch(
        LegId::new(sample::uuid()),
        &sample::deltas(1..=3),
    ))
    .unwrap();
    let mut row = Vec::new();
    write_record(&mut row, &batch).unwrap();
    write_record(&mut row, &batch).unwrap();
    for length in 0..row.len() {
        let whole = length == 0 || length == row.len() / 2;
        assert_eq!(
            records(&row[..length]).all(|record| record.is_ok()),
            whole,
            "{length}"
        );
    }
    assert_eq!(records(&row).flatten().count(), 2);
}

/// What each way of damage leaves of a leg that has rows of events 1 to 2, 3 to 4 and 5 to 6, of which the second is
/// damaged.
#[test]
fn a_damaged_row_ends_its_legs_logs_and_does_not_stop_the_start() {
    storage_contract::run(async {
        for damage in [
            "UPDATE run_log SET records = 'text' WHERE key = 2",
            "UPDATE run_log SET records = 7 WHERE key = 2",
            "UPDATE run_log SET records = x'00' WHERE key = 2",
            "UPDATE run_log SET records = substr(records, 1, 30) WHERE key = 2",
            "DELETE FROM run_log WHERE key = 2",
        ] {
            let dir = TempDir::new().unwrap();
            let store = SqliteStore::open(Config::new(dir.path())).unwrap();
            let (damaged, whole) = (open(&store).await, open(&store).await);
            for first in [1, 3, 5] {
                let batch = sample::batch(damaged.leg, &sample::deltas(first..=first + 1));
                store.append(vec![batch]).await.unwrap();
            }
            let batch = sample::batch(whole.leg, &sample::deltas(1..=2));
            store.append(vec![batch]).await.unwrap();
            store
                .write(move |writing| Ok(writing.connection.execute(damage, [])?))
                .await
                .unwrap();
            drop(store);

            let store = SqliteStore::open(Config::new(dir.path())).unwrap();
            let read = async |open: &OpenLeg| store.read(open.leg, 0, 100).await.unwrap();
            assert_eq!(read(&damaged).await, sample::deltas(1..=2), "{damage}");
            assert_eq!(read(&whole).await, sample::deltas(1..=2));
            // Both go on where they are, and are closed like any other.
            for open in [&damaged, &whole] {
                let batch = sample::batch(open.leg, &sample::deltas(3..=4));
                store.append(vec![batch]).await.unwrap();
                assert_eq!(read(open).await, sample::deltas(1..=4));
                close(&store, open).await;
            }
            assert_eq!(rows(&store).await, 0);
        }
    });
}

#[test]
fn the_records_before_the_damage_of_a_row_are_kept() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        let store = SqliteStore::open(Config::new(dir.path())).unwrap();
        let (first, second) = (open(&store).await, open(&store).await);
        let batches = [&first, &second].map(|open| sample::batch(open.leg, &sample::deltas(1..=3)));
        store.append(batches.into()).await.unwrap();
        store
            .write(|writing| {
                Ok(writing.connection.execute(
                    "UPDATE run_log SET records = substr(records, 1, length(records) - 1)",
                    [],
                )?)
            })
            .await
            .unwrap();
        drop(store);
        let store = SqliteStore::open(Config::new(dir.path())).unwrap();
        assert_eq!(
            store.read(first.leg, 0, 9).await.unwrap(),
            sample::deltas(1..=3)
        );
        assert_eq!(store.read(second.leg, 0, 9).await.unwrap(), []);
        close(&store, &first).await;
        close(&store, &second).await;
        assert_eq!(rows(&store).await, 0);
    });
}

use chat_core::ports::{Conversations as _, OpenLeg, Runs as _};
use storage_contract::sample;

use super::*;
use crate::store::tests::fresh;

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

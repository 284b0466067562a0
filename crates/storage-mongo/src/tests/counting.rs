//! Quotas, where sends meet that a single writer would take one after the other.

use std::sync::Arc;

use chat_core::ports::{Conversations as _, Opened, Quota, Refusal};
use mongodb::bson::{Bson, Document, doc};
use storage_contract::sample;
use tokio::task::JoinSet;

use crate::testing::fresh;

#[tokio::test]
async fn sends_that_race_do_not_outrun_a_quota() {
    let (store, _database) = fresh().await;
    let owner = sample::owner();
    let mut racing = JoinSet::new();
    for _ in 0..12 {
        let mut send = sample::send(&owner, sample::conversation_id(), "one of many");
        send.quota = Some(Quota {
            limit: 3,
            since_ms: 0,
        });
        let store = Arc::clone(&store);
        racing.spawn(async move { store.open_leg(send).await.unwrap() });
    }
    let outcomes = racing.join_all().await;
    let taken = |outcome: &&Opened| matches!(outcome, Opened::Fresh(_));
    assert_eq!(outcomes.iter().filter(taken).count(), 4);
    let refused = Opened::Refused(Refusal::QuotaSpent);
    assert_eq!(outcomes.iter().filter(|it| **it == refused).count(), 8);
}

#[tokio::test]
async fn a_send_that_was_the_last_one_is_known_when_it_is_repeated() {
    let (store, _database) = fresh().await;
    let mut send = sample::send(&sample::owner(), sample::conversation_id(), "once");
    send.quota = Some(Quota {
        limit: 0,
        since_ms: 0,
    });
    let fresh = sample::opened(&*store, &send).await;
    // The caller was told that the database is unavailable, though it was done.
    assert_eq!(sample::opened(&*store, &send).await, fresh);
    let next = sample::send(&send.caller, send.conversation, "twice");
    let next = chat_core::ports::OpenLeg {
        quota: send.quota,
        ..next
    };
    assert_eq!(
        store.open_leg(next).await.unwrap(),
        Opened::Refused(Refusal::QuotaSpent)
    );
}

#[tokio::test]
async fn counting_what_was_sent_reads_no_message() {
    let (store, _database) = fresh().await;
    let send = sample::send(&sample::owner(), sample::conversation_id(), "one");
    sample::opened(&*store, &send).await;
    let sent = doc! {
        "owner": send.caller.to_string(),
        "role": "user",
        "created_at": {"$gte": mongodb::bson::DateTime::from_millis(0)},
    };
    let count = doc! {
        "aggregate": "skein_messages",
        "pipeline": [
            {"$match": sent}, {"$limit": 5_i64}, {"$group": {"_id": 1, "n": {"$sum": 1}}},
        ],
        "cursor": {},
    };
    let explained = store
        .database()
        .run_command(doc! {"explain": count, "verbosity": "executionStats"})
        .await
        .unwrap();
    assert_eq!(numbers(&explained, "totalKeysExamined"), [1]);
    assert_eq!(numbers(&explained, "totalDocsExamined"), [0]);
}

/// The numbers under this name, wherever they stand: each release puts them elsewhere.
fn numbers(document: &Document, name: &str) -> Vec<i64> {
    let mut found = Vec::new();
    for (key, value) in document {
        let items = value.as_array().into_iter().flatten();
        let inner = items.chain([value]).filter_map(Bson::as_document);
        for inner in inner {
            found.extend(numbers(inner, name));
        }
        if key == name {
            let number = value.as_i64().or_else(|| value.as_i32().map(i64::from));
            found.extend(number);
        }
    }
    found
}

use chat_core::{
    message::Rating,
    ports::{Conversations as _, Messages as _, Quota},
};
use storage_contract::sample;

use super::*;
use crate::{SqliteStore, messages::RATINGS, open_leg::SENT_BEYOND, store::tests::fresh};

/// How SQLite goes about a statement.
async fn plan(store: &SqliteStore, sql: &'static str) -> String {
    store
        .query(move |connection| {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let values = vec![0_i64; statement.parameter_count()];
            let steps: Result<Vec<String>, _> = statement
                .query_map(rusqlite::params_from_iter(values), |row| row.get(3))?
                .collect();
            Ok(steps?.join("; "))
        })
        .await
        .unwrap()
}

#[test]
fn a_quota_reads_one_range_of_an_index() {
    storage_contract::run(async {
        let (store, _dir) = fresh().await;
        let plan = plan(&store, SENT_BEYOND).await;
        assert_eq!(
            plan,
            "SEARCH message USING COVERING INDEX message_sent (sent_by=? AND created_at>?)"
        );
    });
}

#[test]
fn expired_runs_are_read_from_their_index() {
    storage_contract::run(async {
        let (store, _dir) = fresh().await;
        let plan = plan(&store, EXPIRED).await;
        assert!(
            plan.starts_with("SEARCH r USING INDEX run_expiry (expires_at<?)"),
            "{plan}"
        );
        assert!(!plan.contains("TEMP B-TREE"), "{plan}");
    });
}

#[test]
fn ratings_are_read_from_their_index() {
    storage_contract::run(async {
        let (store, _dir) = fresh().await;
        let plan = plan(&store, RATINGS).await;
        assert_eq!(
            plan,
            "SEARCH message USING INDEX message_rated (conversation=?)"
        );
    });
}

#[test]
fn an_unknown_rating_is_an_error() {
    storage_contract::run(async {
        let (store, _dir) = fresh().await;
        let send = sample::send(&sample::owner(), sample::conversation_id(), "question");
        sample::opened(&*store, &send).await;
        let message = send.input[0].id;
        let rated = store.rate_message(send.conversation, message, Rating::Down);
        assert!(rated.await.unwrap());
        store
            .write(|writing| {
                writing
                    .connection
                    .execute("UPDATE message SET rating = 5", [])?;
                Ok(())
            })
            .await
            .unwrap();
        store.list_ratings(send.conversation).await.unwrap_err();
    });
}

#[test]
fn a_quota_beyond_what_is_stored_is_never_spent() {
    storage_contract::run(async {
        let (store, _dir) = fresh().await;
        let mut send = sample::send(&sample::owner(), sample::conversation_id(), "question");
        send.quota = Some(Quota {
            limit: u64::MAX,
            since_ms: i64::MIN,
        });
        store.open_leg(send.clone()).await.unwrap();
        let mut second = sample::send(&send.caller, send.conversation, "another");
        second.quota = send.quota;
        sample::opened(&*store, &second).await;
    });
}

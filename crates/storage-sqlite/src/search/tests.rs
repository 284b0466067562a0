use chat_core::{
    id::UserId,
    message::Role,
    ports::{Conversations as _, RunLog as _},
};
use storage_contract::sample;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{Config, SqliteStore, store::tests::fresh};

async fn count(store: &SqliteStore, table: &'static str) -> i64 {
    store
        .query(move |connection| {
            let counted = match table {
                "unindexed" => "SELECT count(*) FROM unindexed",
                _ => "SELECT count(*) FROM message_terms",
            };
            Ok(connection.query_row(counted, [], |row| row.get(0))?)
        })
        .await
        .unwrap()
}

#[test]
fn a_query_is_quoted_terms_and_its_owner() {
    let owner = Owner::User(UserId::new(Uuid::from_u128(1)));
    assert_eq!(
        query(&owner, "b OR \"A\" b*").unwrap(),
        "\"\u{E000}user00000000000000000000000000000001\" AND \"a\" AND \"b\" AND \"or\""
    );
    assert_eq!(query(&owner, " *\"' "), None);
}

#[test]
fn no_text_is_folded_to_an_owners_term() {
    let term = owner_term(&Owner::Tenant);
    assert_eq!(terms::fold(&term), ["tenantdefault"]);
    assert_ne!(term, "tenantdefault");
}

#[test]
fn a_system_message_is_not_found() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let owner = sample::owner();
        let mut open = sample::send(&owner, sample::conversation_id(), "word of a person");
        open.input.insert(0, sample::input("word of the operator"));
        open.input[0].role = Role::System;
        sample::opened(&*store, &open).await;
        sample::finds(&*store, &owner, "word", &["word of a person"]).await;
        assert_eq!(count(&store, "unindexed").await, 0);
    });
}

#[test]
fn the_index_holds_nothing_of_what_was_deleted() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let owner = sample::owner();
        let open = sample::send(&owner, sample::conversation_id(), "apple");
        sample::opened(&*store, &open).await;
        sample::finds(&*store, &owner, "apple", &["apple"]).await;
        assert_eq!(count(&store, "message_terms").await, 1);
        store.delete_conversation(open.conversation).await.unwrap();
        assert_eq!(count(&store, "message_terms").await, 0);
        // A row that takes the deleted one's key is not found by the deleted one's terms.
        let next = sample::send(&owner, sample::conversation_id(), "pear");
        sample::opened(&*store, &next).await;
        sample::finds(&*store, &owner, "apple", &[]).await;
        sample::finds(&*store, &owner, "pear", &["pear"]).await;
    });
}

#[test]
fn what_a_process_left_unindexed_is_found_by_the_next() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        let store = SqliteStore::open(Config::new(dir.path())).unwrap();
        let owner = sample::owner();
        let open = sample::send(&owner, sample::conversation_id(), "apple");
        sample::opened(&store, &open).await;
        sample::finds(&store, &owner, "apple", &["apple"]).await;
        // As a crash between a commit and the index would leave it.
        store
            .write(|writing| {
                writing
                    .connection
                    .execute("DELETE FROM message_terms", [])?;
                writing
                    .connection
                    .execute("INSERT INTO unindexed SELECT key FROM message", [])?;
                Ok(())
            })
            .await
            .unwrap();
        drop(store);
        let store = SqliteStore::open(Config::new(dir.path())).unwrap();
        sample::finds(&store, &owner, "apple", &["apple"]).await;
    });
}

#[test]
fn a_busy_writer_indexes_all_the_same() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let owner = sample::owner();
        let open = sample::send(&owner, sample::conversation_id(), "apple");
        sample::opened(&*store, &open).await;
        let mut busy = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let (store, leg) = ((*store).clone(), open.leg);
            busy.spawn(async move {
                loop {
                    let batch = sample::batch(leg, &sample::deltas(1..=1));
                    store.append(vec![batch]).await.unwrap();
                }
            });
        }
        sample::finds(&*store, &owner, "apple", &["apple"]).await;
        busy.shutdown().await;
    });
}

#[test]
fn an_unreadable_message_keeps_no_other_from_being_found() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let owner = sample::owner();
        let broken = sample::send(&owner, sample::conversation_id(), "apple broken");
        sample::opened(&*store, &broken).await;
        store
            .write(|writing| {
                writing
                    .connection
                    .execute("UPDATE message SET body = '{'", [])?;
                writing.connection.execute(
                    "INSERT OR IGNORE INTO unindexed SELECT key FROM message",
                    [],
                )?;
                Ok(())
            })
            .await
            .unwrap();
        let whole = sample::send(&owner, sample::conversation_id(), "apple whole");
        sample::opened(&*store, &whole).await;
        sample::finds(&*store, &owner, "whole", &["apple whole"]).await;
    });
}

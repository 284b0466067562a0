//! What survives the end of the process.

use chat_core::{
    id::NodeId,
    ports::{
        Checkpoint, Closed, Conversations as _, IdempotencyKey, Opened, RunLog as _, Runs as _,
    },
    run::RunStatus,
};
use records::{NewUser, Secrets as _, UserKind, Users as _};
use storage_contract::sample;

use super::*;

fn open(dir: &TempDir) -> SqliteStore {
    SqliteStore::open(Config::new(dir.path())).unwrap()
}

#[test]
fn everything_is_there_after_reopening() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        let owner = sample::owner();
        let mut first = sample::send(&owner, sample::conversation_id(), "first question");
        first.key = Some(IdempotencyKey("key".to_owned()));
        let second = sample::send(&owner, first.conversation, "second question");
        let events = sample::deltas(1..=40);
        let user = NewUser {
            id: chat_core::id::UserId::new(sample::uuid()),
            email: "ada@example.org".to_owned(),
            email_key: records::email_key("ada@example.org"),
            kind: UserKind::Regular,
            password: None,
            at_ms: 7,
        };

        let store = open(&dir);
        let first_leg = sample::opened(&store, &first).await;
        let closed = store
            .close_leg(sample::close(&first, &first_leg, "first answer"))
            .await
            .unwrap();
        assert_eq!(closed, Closed::Done);
        let second_leg = sample::opened(&store, &second).await;
        let checkpoint = Checkpoint {
            leg: second.leg,
            epoch: second_leg.epoch,
            status: RunStatus::InProgress,
            answer: Some(sample::answer(&second, "second half")),
        };
        assert_eq!(store.checkpoint(checkpoint).await.unwrap(), Closed::Done);
        for chunk in events.chunks(7) {
            store
                .append(vec![sample::batch(second.leg, chunk)])
                .await
                .unwrap();
        }
        store.insert_user(user.clone()).await.unwrap().unwrap();
        store.secret("jwt", vec![1, 2, 3]).await.unwrap();
        let legs = [
            store.find_leg(first.leg).await.unwrap(),
            store.find_leg(second.leg).await.unwrap(),
        ];
        let conversation = store.find_conversation(first.conversation).await.unwrap();
        drop(store);

        let store = open(&dir);
        assert_eq!(
            store.find_conversation(first.conversation).await.unwrap(),
            conversation
        );
        let texts: Vec<_> = sample::texts(&store, first.conversation)
            .await
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(
            texts,
            [
                "first question",
                "first answer",
                "second question",
                "second half"
            ]
        );
        assert_eq!(store.find_leg(first.leg).await.unwrap(), legs[0]);
        assert_eq!(store.find_leg(second.leg).await.unwrap(), legs[1]);
        assert_eq!(
            store.read(first.leg, 0, 100).await.unwrap(),
            sample::events(&first, "first answer")
        );
        assert_eq!(store.read(second.leg, 0, 100).await.unwrap(), events);
        assert_eq!(
            store.find_user(user.id).await.unwrap().unwrap().email,
            user.email
        );
        assert_eq!(store.secret("jwt", vec![9]).await.unwrap(), [1, 2, 3]);
        let again = store.open_leg(first.clone()).await.unwrap();
        assert!(matches!(again, Opened::Repeated(leg) if leg.leg == first.leg));
        sample::finds(&store, &owner, "half", &["second half"]).await;
    });
}

#[test]
fn the_next_process_finds_and_closes_what_the_last_one_left() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        let mut left = Vec::new();
        let store = open(&dir);
        for _ in 0..40 {
            let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
            let leg = sample::opened(&store, &open).await;
            left.push((open, leg));
        }
        for first in [1, 4, 7] {
            let batches = left
                .iter()
                .map(|(open, _)| sample::batch(open.leg, &sample::deltas(first..=first + 2)))
                .collect();
            store.append(batches).await.unwrap();
        }
        drop(store);

        let store = open(&dir);
        let alive = NodeId::new(sample::uuid());
        let orphans = store.list_orphans(&[alive]).await.unwrap();
        assert_eq!(orphans.len(), left.len());
        for (open, leg) in &left {
            assert_eq!(
                store.read(open.leg, 0, 100).await.unwrap(),
                sample::deltas(1..=9)
            );
            // The numbers go on where they were.
            store
                .append(vec![sample::batch(open.leg, &sample::deltas(7..=10))])
                .await
                .unwrap();
            assert_eq!(
                store.read(open.leg, 8, 100).await.unwrap(),
                sample::deltas(9..=10)
            );
            let closed = store
                .close_leg(sample::close(open, leg, "interrupted"))
                .await
                .unwrap();
            assert_eq!(closed, Closed::Done);
        }
        let rows: i64 = store
            .query(|connection| {
                Ok(connection.query_row("SELECT count(*) FROM run_log", [], |row| row.get(0))?)
            })
            .await
            .unwrap();
        assert_eq!(rows, 0);
    });
}

#[test]
fn closing_moves_the_wal_into_the_database() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        let store = open(&dir);
        let send = sample::send(&sample::owner(), sample::conversation_id(), "hello");
        sample::opened(&store, &send).await;
        drop(store);
        let wal = dir.path().join("skein.db-wal");
        assert!(!wal.exists() || wal.metadata().unwrap().len() == 0);
    });
}

#[test]
fn log_rows_that_nobody_needs_are_deleted_at_the_start() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        let store = open(&dir);
        store
            .write(|writing| {
                writing
                    .connection
                    .execute("INSERT INTO run_log (key, records) VALUES (5, x'')", [])?;
                Ok(())
            })
            .await
            .unwrap();
        drop(store);
        let store = open(&dir);
        let rows: i64 = store
            .query(|connection| {
                Ok(connection.query_row("SELECT count(*) FROM run_log", [], |row| row.get(0))?)
            })
            .await
            .unwrap();
        assert_eq!(rows, 0);
        assert_eq!(store.log().new_row(), Some(6));
    });
}

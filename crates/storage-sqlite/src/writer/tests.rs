use std::sync::mpsc as sync_channel;

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::*;
use crate::open;

/// A writer over a table of numbers, and a connection to look at it.
fn writer() -> (Arc<Writer>, Connection, TempDir) {
    let dir = TempDir::new().unwrap();
    let path = open::database(dir.path()).unwrap();
    let mut connection = open::connect_writer(&path).unwrap();
    crate::migrate::migrate(&mut connection, crate::migrate::MIGRATIONS).unwrap();
    connection
        .execute_batch("CREATE TABLE number (n INTEGER PRIMARY KEY)")
        .unwrap();
    let reader = open::connect_reader(&path).unwrap();
    let writer = Writer::start(connection, LogIndex::default()).unwrap();
    (Arc::new(writer), reader, dir)
}

fn insert(writing: &Writing<'_>, number: i64) -> Result<(), Failure> {
    writing
        .connection
        .execute("INSERT INTO number (n) VALUES (?1)", [number])?;
    Ok(())
}

fn numbers(connection: &Connection) -> Vec<i64> {
    connection
        .prepare("SELECT n FROM number ORDER BY n")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

/// Keeps the writer busy until the sender is dropped, so that what is queued meanwhile becomes one group.
async fn block(writer: &Arc<Writer>) -> (sync_channel::Sender<()>, JoinSet<()>) {
    let (release, released) = sync_channel::channel::<()>();
    let (start, started) = oneshot::channel();
    let mut blocked = JoinSet::new();
    let writer = Arc::clone(writer);
    blocked.spawn(async move {
        let blocking = writer.write(move |_| {
            start.send(()).unwrap();
            // An error says that the sender was dropped, which is what is waited for.
            let _released = released.recv();
            Ok(())
        });
        blocking.await.unwrap();
    });
    started.await.unwrap();
    (release, blocked)
}

#[test]
fn an_operation_is_committed_when_it_is_answered() {
    storage_contract::run(async {
        let (writer, reader, _dir) = writer();
        for number in 1..=20 {
            writer.write(move |w| insert(w, number)).await.unwrap();
            assert_eq!(numbers(&reader), (1..=number).collect::<Vec<_>>());
        }
    });
}

#[test]
fn one_failing_operation_of_a_group_undoes_only_itself() {
    storage_contract::run(async {
        let (writer, reader, _dir) = writer();
        let (release, _blocked) = block(&writer).await;
        let (good, twice, panicked, last, ()) = {
            let good = writer.write(|w| insert(w, 1));
            let twice = writer.write(|w| {
                insert(w, 2)?;
                insert(w, 1)
            });
            let panicking = writer.write(|w| -> Result<(), Failure> {
                insert(w, 3)?;
                panic!("on purpose")
            });
            let last = writer.write(|w| insert(w, 4));
            let queued = async {
                // All of them are polled, and so queued, before this one.
                drop(release);
            };
            tokio::join!(biased; good, twice, panicking, last, queued)
        };
        good.unwrap();
        assert!(matches!(twice, Err(Failure::Sqlite(_))), "{twice:?}");
        assert!(matches!(panicked, Err(Failure::Panicked)), "{panicked:?}");
        last.unwrap();
        assert_eq!(numbers(&reader), [1, 4]);
    });
}

#[test]
fn a_failed_commit_is_the_failure_of_every_operation_in_it() {
    storage_contract::run(async {
        let (writer, reader, _dir) = writer();
        let (release, _blocked) = block(&writer).await;
        let (good, bad, ()) = {
            let good = writer.write(|w| insert(w, 1));
            // A deferred foreign key is checked by the commit alone.
            let bad = writer.write(|w| {
                w.log.open(chat_core::id::LegId::new(uuid::Uuid::nil()));
                w.connection
                    .pragma_update(None, "defer_foreign_keys", true)?;
                w.connection
                    .execute("INSERT INTO unindexed (message) VALUES (77)", [])?;
                Ok(())
            });
            let queued = async { drop(release) };
            tokio::join!(biased; good, bad, queued)
        };
        good.unwrap_err();
        bad.unwrap_err();
        assert_eq!(numbers(&reader), [0; 0]);
        let known = writer
            .write(|w| {
                Ok(w.log
                    .append(1, chat_core::id::LegId::new(uuid::Uuid::nil()), 2))
            })
            .await
            .unwrap();
        assert_eq!(known, None, "the index was undone too");
        writer.write(|w| insert(w, 2)).await.unwrap();
        assert_eq!(numbers(&reader), [2]);
    });
}

#[test]
fn a_panic_does_not_end_the_writer() {
    storage_contract::run(async {
        let (writer, reader, _dir) = writer();
        for number in 1..=3 {
            let panicked = writer
                .write(move |w| -> Result<(), Failure> {
                    insert(w, -number)?;
                    panic!("on purpose")
                })
                .await;
            assert!(matches!(panicked, Err(Failure::Panicked)));
            writer.write(move |w| insert(w, number)).await.unwrap();
        }
        assert_eq!(numbers(&reader), [1, 2, 3]);
    });
}

#[test]
fn what_is_queued_is_done_before_the_writer_ends() {
    storage_contract::run(async {
        let (writer, reader, _dir) = writer();
        let (release, blocked) = block(&writer).await;
        {
            let mut queued = std::pin::pin!(writer.write(|w| insert(w, 1)));
            // Polled once and then dropped, as by a caller that went.
            tokio::select! {
                biased;
                _ = &mut queued => panic!("the writer is busy"),
                () = async {} => {}
            }
        }
        drop(release);
        blocked.join_all().await;
        drop(writer);
        assert_eq!(numbers(&reader), [1]);
    });
}

#[test]
fn a_full_queue_makes_callers_wait_and_loses_nothing() {
    storage_contract::run(async {
        let (writer, reader, _dir) = writer();
        let count = i64::try_from(QUEUE).unwrap() * 2;
        let mut callers = JoinSet::new();
        for number in 0..count {
            let writer = Arc::clone(&writer);
            callers.spawn(async move { writer.write(move |w| insert(w, number)).await.unwrap() });
        }
        callers.join_all().await;
        assert_eq!(numbers(&reader), (0..count).collect::<Vec<_>>());
    });
}

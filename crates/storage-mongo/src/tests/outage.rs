//! Lost answers and elections: no caller sees them, and nothing is done twice.

use std::{sync::Arc, time::Duration};

use chat_core::{
    id::NodeId,
    ports::{Closed, Conversations as _, IdempotencyKey, RunLog as _, Runs as _, StoreError},
};
use mongo_fixture::ReplicaSet;
use mongodb::{
    Collection,
    bson::{Document, doc},
};
use storage_contract::sample;
use tokio::task::JoinSet;

use super::proxy::{Loss, Proxy};
use crate::{
    Config, MongoStore,
    error::Failure,
    testing::{Dropped, fresh},
};

/// A handle that reaches a fresh database through a proxy only, and one that reaches it directly.
pub(super) async fn spoiled() -> (MongoStore, Arc<MongoStore>, Proxy, Dropped) {
    let (direct, database) = fresh().await;
    let proxy = Proxy::to(mongo_fixture::shared().primary_port().await.unwrap()).await;
    let config = Config::new(proxy.uri_for(&database.0));
    let store = MongoStore::connect(config, |line| panic!("{line}"))
        .await
        .unwrap();
    (store, direct, proxy, database)
}

#[tokio::test]
async fn a_send_whose_commit_is_not_answered_is_done_once() {
    for loss in [Loss::Answer, Loss::Request] {
        for losses in 1..=3 {
            let (store, direct, proxy, _database) = spoiled().await;
            let owner = sample::owner();
            let first = sample::send(&owner, sample::conversation_id(), "one");
            sample::opened(&store, &first).await;
            let mut second = sample::send(&owner, first.conversation, "two");
            second.key = Some(IdempotencyKey("key".to_owned()));
            // The driver itself repeats a commit once.
            for _ in 0..losses {
                proxy.spoil(&["commitTransaction"], loss);
            }
            let fresh = sample::opened(&store, &second).await;
            assert!(proxy.is_done());
            assert_eq!(fresh.answer_seq, 4);
            assert_eq!(fresh.epoch, 2);
            assert_eq!(fresh.predecessor.unwrap().leg, first.leg);
            let texts = sample::texts(&*direct, first.conversation).await;
            assert_eq!(texts, [(1, "one".to_owned()), (3, "two".to_owned())]);
        }
    }
}

#[tokio::test]
async fn an_edit_whose_commit_is_not_answered_does_not_cut_itself_away() {
    let (store, direct, proxy, _database) = spoiled().await;
    let owner = sample::owner();
    let first = sample::send(&owner, sample::conversation_id(), "one");
    sample::opened(&store, &first).await;
    let mut edit = sample::send(&owner, first.conversation, "edited");
    edit.input[0].id = first.input[0].id;
    edit.cut_from = Some(first.input[0].id);
    for _ in 0..4 {
        proxy.spoil(&["commitTransaction"], Loss::Answer);
    }
    let fresh = sample::opened(&store, &edit).await;
    assert_eq!(fresh.dropped.len(), 1);
    assert_eq!(fresh.dropped[0].leg, first.leg);
    // The caller may repeat it as well, when it was told that the database is unavailable.
    let again = sample::opened(&*direct, &edit).await;
    assert_eq!(again, fresh);
    assert!(direct.find_leg(edit.leg).await.unwrap().is_some());
}

#[tokio::test]
async fn a_close_whose_commit_is_not_answered_is_done() {
    for loss in [Loss::Answer, Loss::Request] {
        let (store, direct, proxy, _database) = spoiled().await;
        let open = sample::send(&sample::owner(), sample::conversation_id(), "one");
        let leg = sample::opened(&store, &open).await;
        for _ in 0..3 {
            proxy.spoil(&["commitTransaction"], loss);
        }
        let close = sample::close(&open, &leg, "whole");
        assert_eq!(store.close_leg(close.clone()).await.unwrap(), Closed::Done);
        assert!(proxy.is_done());
        assert_eq!(sample::texts(&*direct, open.conversation).await.len(), 2);
        let mut late = close;
        late.at_ms += 1;
        assert_eq!(direct.close_leg(late).await.unwrap(), Closed::Lost);
    }
}

#[tokio::test]
async fn a_transaction_that_is_cut_off_runs_again() {
    let (store, direct, proxy, _database) = spoiled().await;
    let open = sample::send(&sample::owner(), sample::conversation_id(), "one");
    for words in [
        ["find", "skein_conversations"],
        ["insert", "skein_messages"],
        ["insert", "skein_legs"],
    ] {
        for loss in [Loss::Answer, Loss::Request] {
            proxy.spoil(&[words[0], words[1], "txnNumber"], loss);
        }
    }
    let fresh = sample::opened(&store, &open).await;
    assert!(proxy.is_done());
    assert!(fresh.created);
    assert_eq!(sample::texts(&*direct, open.conversation).await.len(), 1);
}

#[tokio::test]
async fn an_append_whose_answer_is_lost_is_appended_once() {
    let (store, direct, proxy, _database) = spoiled().await;
    let open = sample::send(&sample::owner(), sample::conversation_id(), "one");
    sample::opened(&store, &open).await;
    // The driver itself repeats an insert once, and the server then knows it again.
    let (answer, request) = (Loss::Answer, Loss::Request);
    for (first, losses) in [
        (1, vec![answer]),
        (4, vec![answer, answer]),
        (7, vec![request, request, answer, answer]),
    ] {
        for loss in losses {
            proxy.spoil(&["insert", "skein_run_log"], loss);
        }
        let batch = sample::batch(open.leg, &sample::deltas(first..=first + 2));
        store.append(vec![batch]).await.unwrap();
        assert!(proxy.is_done());
    }
    assert_eq!(
        direct.read(open.leg, 0, 100).await.unwrap(),
        sample::deltas(1..=9)
    );
}

#[tokio::test]
async fn a_claim_whose_answer_is_lost_is_known_to_be_ours() {
    let (store, direct, proxy, _database) = spoiled().await;
    let open = sample::send(&sample::owner(), sample::conversation_id(), "one");
    let leg = sample::opened(&store, &open).await;
    assert_eq!(
        store.release_leg(open.leg, leg.epoch).await.unwrap(),
        Closed::Done
    );
    for _ in 0..4 {
        proxy.spoil(&["commitTransaction"], Loss::Answer);
    }
    let node = NodeId::new(sample::uuid());
    let claimed = store.claim_leg(open.leg, node).await.unwrap().unwrap();
    assert_eq!(claimed.epoch, leg.epoch + 1);
    assert_eq!(direct.find_leg(open.leg).await.unwrap(), Some(claimed));
}

#[tokio::test]
async fn past_the_deadline_the_store_is_unavailable() {
    let set = ReplicaSet::start(1).await.unwrap();
    let mut config = Config::new(set.uri_for("gone"));
    config.deadline = Duration::from_secs(1);
    let store = MongoStore::connect(config, |_line| {}).await.unwrap();
    store.migrate().await.unwrap();
    let open = sample::send(&sample::owner(), sample::conversation_id(), "one");
    sample::opened(&store, &open).await;
    // It hangs: connections stay open, and nothing comes.
    set.pause(0).unwrap();
    let next = sample::send(&open.caller, open.conversation, "two");
    for result in [
        store.open_leg(next).await.map(drop),
        store.find_leg(open.leg).await.map(drop),
        store
            .append(vec![sample::batch(open.leg, &sample::deltas(1..=1))])
            .await,
    ] {
        assert!(
            matches!(result, Err(StoreError::Unavailable(_))),
            "{result:?}"
        );
    }
    set.resume(0).unwrap();
    assert!(store.find_leg(open.leg).await.unwrap().is_some());
}

#[tokio::test]
async fn a_migration_goes_on_after_an_outage() {
    let database = mongo_fixture::fresh_database_name();
    let proxy = Proxy::to(mongo_fixture::shared().primary_port().await.unwrap()).await;
    let store = MongoStore::connect(Config::new(proxy.uri_for(&database)), |line| {
        panic!("{line}")
    })
    .await
    .unwrap();
    for loss in [Loss::Request, Loss::Answer] {
        // More often than the driver itself would repeat it.
        for _ in 0..2 {
            proxy.spoil(&["createIndexes", "message_alias"], loss);
            proxy.spoil(&["create", "skein_settings"], loss);
        }
    }
    assert!(!store.migrate().await.unwrap().is_empty());
    assert!(proxy.is_done());
    assert_eq!(store.plan().await.unwrap(), []);
}

/// Changes the document `place` in a transaction that never ends by itself.
async fn holding(store: &MongoStore, place: &Collection<Document>) -> Result<(), Failure> {
    store
        .transact(|mut tx| async move {
            let change = place.update_one(doc! {"_id": 1}, doc! {"$inc": {"n": 1}});
            if let Err(error) = change.session(&mut tx.session).await {
                return (tx, Err(error.into()));
            }
            std::future::pending::<()>().await;
            (tx, Ok(()))
        })
        .await
}

/// Whether somebody else can change that document now.
async fn is_free(direct: &MongoStore) -> bool {
    let all = direct.database().collection::<Document>("skein_place");
    let change = all.update_one(doc! {"_id": 1}, doc! {"$set": {"free": true}});
    // Half of what the fixture's servers give a transaction.
    tokio::time::timeout(Duration::from_secs(5), change)
        .await
        .is_ok_and(|done| done.unwrap().matched_count == 1)
}

/// A handle through a proxy with a short deadline, a direct one, and the document in its eyes.
async fn with_place() -> (
    MongoStore,
    Arc<MongoStore>,
    Proxy,
    Collection<Document>,
    Dropped,
) {
    let (direct, database) = fresh().await;
    let place = direct.database().collection::<Document>("skein_place");
    place.insert_one(doc! {"_id": 1, "n": 0}).await.unwrap();
    let proxy = Proxy::to(mongo_fixture::shared().primary_port().await.unwrap()).await;
    let mut config = Config::new(proxy.uri_for(&database.0));
    config.deadline = Duration::from_secs(1);
    let store = MongoStore::connect(config, |line| panic!("{line}"))
        .await
        .unwrap();
    let place = store.database().collection("skein_place");
    (store, direct, proxy, place, database)
}

#[tokio::test]
async fn a_transaction_that_is_too_late_locks_nothing() {
    for silent in [&["update", "skein_place", "txnNumber"][..], &[]] {
        let (store, direct, proxy, place, _database) = with_place().await;
        if !silent.is_empty() {
            // To the driver it has not begun yet, so that it would not abort it.
            proxy.spoil(silent, Loss::Silent);
        }
        let late = holding(&store, &place).await;
        assert!(matches!(late, Err(Failure::TooLate { .. })), "{late:?}");
        assert!(proxy.is_done());
        assert!(is_free(&direct).await);
        let there = place.find_one(doc! {"_id": 1}).await.unwrap().unwrap();
        assert_eq!(there.get_i32("n").unwrap(), 0);
    }
}

#[tokio::test]
async fn a_closed_handle_leaves_no_lock_and_does_nothing_more() {
    let (direct, database) = fresh().await;
    let place = direct.database().collection::<Document>("skein_place");
    place.insert_one(doc! {"_id": 1, "n": 0}).await.unwrap();
    let store = crate::testing::open(&database.0).await;
    let place = store.database().collection("skein_place");
    let holding = holding(&store, &place);
    tokio::pin!(holding);
    let locked = async {
        let change = || doc! {"q": {"_id": 1}, "u": {"$inc": {"tried": 1}}};
        let command = || doc! {"update": "skein_place", "updates": [change()], "maxTimeMS": 50};
        while direct.database().run_command(command()).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        done = &mut holding => panic!("{done:?}"),
        () = locked => {}
    }
    // The transaction is neither polled nor dropped meanwhile, as in a process that ends.
    store.close().await;
    assert!(is_free(&direct).await);
    assert!(
        store
            .find_leg(chat_core::id::LegId::new(sample::uuid()))
            .await
            .is_err()
    );
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_event_is_lost_doubled_or_reordered_while_the_primary_changes() {
    const EVENTS: u32 = 150;
    let set = ReplicaSet::builder()
        .members(3)
        .election_timeout(Duration::from_secs(2))
        .start()
        .await
        .unwrap();
    let uri = set.uri_for("moving");
    let mut stores = Vec::new();
    for _ in 0..3 {
        let store = MongoStore::connect(Config::new(uri.as_str()), |_line| {})
            .await
            .unwrap();
        store.migrate().await.unwrap();
        stores.push(store);
    }
    let [one, two, reader] = <[MongoStore; 3]>::try_from(stores).unwrap();
    let mut working = JoinSet::new();
    for store in [one, two] {
        let open = sample::send(&sample::owner(), sample::conversation_id(), "x");
        sample::opened(&store, &open).await;
        let leg = open.leg;
        let (mut heard, keeping) = super::hearing::listener(reader.clone()).await;
        working.spawn(async move {
            for n in 1..=EVENTS {
                let batch = sample::batch(leg, &sample::deltas(n..=n));
                store.append(vec![batch]).await.unwrap();
            }
        });
        let reader = reader.clone();
        working.spawn(async move {
            let mut seen = 0;
            while seen < EVENTS {
                for event in reader.read(leg, seen, 10_000).await.unwrap() {
                    seen += 1;
                    assert_eq!(event.n, seen);
                }
                if seen < EVENTS {
                    // Whatever rings: what matters is that something does for the last event, too.
                    heard.next().await.unwrap();
                }
            }
            drop(keeping);
        });
    }
    set.step_down(Duration::from_secs(2)).await.unwrap();
    set.await_primary().await.unwrap();
    set.kill_primary().await.unwrap();
    working.join_all().await;
}

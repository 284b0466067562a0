//! What the tests of this crate share.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{Config, MongoStore};

/// A database of its own on the replica set that all tests share, migrated; it is dropped with the guard.
pub(crate) async fn fresh() -> (Arc<MongoStore>, Dropped) {
    let name = mongo_fixture::fresh_database_name();
    let store = open(&name).await;
    for ended in take_ended() {
        store.client().database(&ended).drop().await.unwrap();
    }
    store.migrate().await.unwrap();
    (Arc::new(store), Dropped(name))
}

/// Another handle on a database of the shared set.
pub(crate) async fn open(database: &str) -> MongoStore {
    let config = Config::new(mongo_fixture::shared().uri_for(database));
    MongoStore::connect(config, |line| panic!("{line}"))
        .await
        .unwrap()
}

/// A database that goes after its test has ended, with the next fresh one: each collection and each index is an open file of
/// the server, which may have no more than some thousands of them.
#[derive(Debug)]
pub(crate) struct Dropped(pub(crate) String);

impl Drop for Dropped {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.0);
        ENDED
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(name);
    }
}

static ENDED: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn take_ended() -> Vec<String> {
    std::mem::take(&mut ENDED.lock().unwrap_or_else(PoisonError::into_inner))
}

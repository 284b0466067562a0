//! What the tests of this crate share.

use std::sync::Arc;

use crate::{Config, MongoStore};

/// A database of its own on the replica set that all tests share, migrated; it is dropped with the guard.
pub(crate) async fn fresh() -> (Arc<MongoStore>, Dropped) {
    let name = mongo_fixture::fresh_database_name();
    let store = open(&name).await;
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

/// A database that goes when its test ends.
#[derive(Debug)]
pub(crate) struct Dropped(pub(crate) String);

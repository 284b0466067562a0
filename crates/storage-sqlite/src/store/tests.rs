use std::sync::Arc;

use tempfile::TempDir;

use super::*;

/// An empty store in a directory of its own.
pub(crate) async fn fresh() -> (Arc<SqliteStore>, TempDir) {
    let dir = TempDir::new().unwrap();
    let store = SqliteStore::open(Config::new(dir.path())).unwrap();
    (Arc::new(store), dir)
}

storage_contract::chat_contract!(fresh);
storage_contract::records_contract!(fresh);
storage_contract::archive_contract!(fresh);
storage_contract::files_contract!(fresh);

mod crash;
mod model;
mod older;
mod reopen;

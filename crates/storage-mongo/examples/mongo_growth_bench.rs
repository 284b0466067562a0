//! Measures what a turn costs in conversations of 10, 1,000 and 10,000 messages.
//!
//! Prints one line of JSON: what [`storage_contract::growth`] measures, on a replica set of one that this starts. Its
//! data is in the system's temporary directory, so `TMPDIR` says which disk is measured.

use std::io::Write as _;

use anyhow::Context as _;
use mongo_fixture::ReplicaSet;
use storage_contract::growth;
use storage_mongo::{Config, MongoStore};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 300;

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let measured = runtime.block_on(async {
        let set = ReplicaSet::start(1).await?;
        let store = MongoStore::connect(Config::new(set.uri_for("growth")), |_line| {}).await?;
        store.migrate().await?;
        // As in a server: it hears its own changes, and sweeps the log.
        tokio::select! {
            measured = growth::measure(&store, ROUNDS) => Some(measured),
            () = store.keep(CancellationToken::new()) => None,
        }
        .context("the store's work beside the calls has ended")
    })?;
    writeln!(std::io::stdout(), "{}", growth::to_json(&measured))?;
    Ok(())
}

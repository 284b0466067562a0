//! Measures what a turn costs in conversations of 10, 1,000 and 10,000 messages.
//!
//! Prints one line of JSON: what [`storage_contract::growth`] measures, with a handle as a server has it.
//!
//! `growth_bench [directory]`: where to measure; a temporary directory is made there.

use std::io::Write as _;

use anyhow::Context as _;
use storage_contract::growth;
use storage_sqlite::{Config, SqliteStore};

const ROUNDS: usize = 400;

fn main() -> anyhow::Result<()> {
    let parent = std::env::args_os()
        .nth(1)
        .unwrap_or_else(|| std::env::temp_dir().into_os_string());
    let dir = tempfile::tempdir_in(parent).context("a directory to measure in")?;
    let store = SqliteStore::open(Config::new(dir.path().join("data")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let measured = runtime.block_on(growth::measure(&store, ROUNDS));
    writeln!(std::io::stdout(), "{}", growth::to_json(&measured))?;
    Ok(())
}

//! One test suite that every store passes, a named test per sentence of the ports.
//!
//! A behaviour is a function over a fresh store. [`chat_contract!`], [`records_contract!`] and the others write
//! one test per behaviour for a store:
//!
//! ```text
//! async fn fresh() -> (Arc<MyStore>, TempDir) { … }
//!
//! storage_contract::chat_contract!(fresh);
//! ```
//!
//! `fresh` makes an empty store and gives it with a guard that is dropped after it. The tests are in modules named
//! after the ports, so that `conversations::a_second_open_replaces_the_first` names what broke. This crate knows no
//! backend and is only ever a development dependency.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of this crate is test code, where a broken expectation ends the test"
)]

pub mod archive;
pub mod archive_messages;
pub mod changes;
pub mod conversations;
pub mod cuts;
pub mod documents;
pub mod drops;
pub mod files;
pub mod growth;
pub mod history;
pub mod messages;
pub mod nodes;
pub mod notes;
pub mod quotas;
pub mod resumes;
pub mod run_log;
pub mod runs;
pub mod sample;
pub mod secrets;
pub mod sessions;
pub mod thread_views;
pub mod users;
pub mod waiting;

mod suite;

pub use suite::{ChatStore, RecordsStore, WholeStore, run};

#[cfg(test)]
mod tests;

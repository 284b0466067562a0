//! Every store port over one SQLite file: the embedded default.
//!
//! [`SqliteStore::open`] takes a data directory for itself and gives a handle that implements the ports of
//! [`chat_core::ports`] and [`records`]. One thread writes: it takes what is queued into one transaction and answers
//! after the commit, which is synced to the disk. Three threads read. Neither knows an async runtime; a full queue
//! makes the async caller wait.
//!
//! This crate knows neither HTTP nor models, and no value from a request ever becomes part of an SQL text.

mod archive;
mod conversations;
mod cut;
mod documents;
mod error;
mod files;
mod idempotency;
mod log_index;
mod messages;
mod migrate;
mod nodes;
mod notes;
mod open;
mod open_leg;
mod paused;
mod readers;
mod rows;
mod run_log;
mod runs;
mod search;
mod sessions;
mod store;
mod thread_views;
mod users;
mod writer;

pub use open::{Config, DATABASE_FILE, OpenError};
pub use store::SqliteStore;

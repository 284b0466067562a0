//! Every store port over a MongoDB replica set: one database, many nodes.
//!
//! [`MongoStore::connect`] gives a handle on a database, [`MongoStore::migrate`] makes its collections and indexes, and
//! [`MongoStore::keep`] is the work that goes on beside the calls: it hears what other nodes changed and deletes log
//! records that nobody needs. Each process takes one handle and clones it.
//!
//! A change is one transaction with `w: majority, j: true`, or one document that is written so. What the driver calls
//! transient is tried again until the operation's deadline; only then a caller sees
//! [`StoreError::Unavailable`](chat_core::ports::StoreError::Unavailable).
//!
//! What is stored has a type in the module `layout`. A value from a request is only ever the value of a field whose
//! name stands in this crate: it becomes no operator and no field name. Therefore opaque JSON (a message's body, a leg's
//! settings, what a dialect wants back) is stored as text: its keys may begin with `$`, hold dots and NUL, and its
//! numbers stay exact.
//!
//! All collections are named `skein_*`; `docs/architecture.md` of the repository says what is in them, and
//! `migrations/mongodb` how they are indexed.

mod answer;
mod archive;
mod blocking;
mod config;
mod connect;
mod conversations;
mod cut;
mod documents;
mod error;
mod files;
mod keep;
mod layout;
mod leg_writes;
mod log_state;
mod messages;
mod migrate;
mod nodes;
mod notes;
mod open_error;
mod open_leg;
mod open_sessions;
mod paused;
mod raw;
mod run_log;
mod runs;
mod search;
mod sessions;
mod signals;
mod slot;
mod store;
mod sweep;
mod thread_views;
mod transaction;
mod users;

pub use config::Config;
pub use migrate::{Action, Step};
pub use open_error::OpenError;
pub use raw::RawDatabase;
pub use signals::MongoSignals;
pub use store::MongoStore;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

//! Real MongoDB replica sets for tests and benchmarks: started, killed, restarted, and never left behind.
//!
//! ```no_run
//! # async fn example() -> Result<(), mongo_fixture::FixtureError> {
//! // One set of one member for all tests of this process, each with a database of its own.
//! let uri = mongo_fixture::shared().uri_for(&mongo_fixture::fresh_database_name());
//!
//! // A set of its own for a test that breaks it.
//! let set = mongo_fixture::ReplicaSet::start(3).await?;
//! let killed = set.kill_primary().await?;
//! set.await_primary().await?;
//! set.restart(killed).await?;
//! # drop(uri);
//! # Ok(())
//! # }
//! ```
//!
//! The program is the one that `SKEIN_MONGOD` names, else the one under `.tools/mongo` of this clone (which
//! `cargo xtask setup --mongo` brings), else `mongod` on the search path. Every member has a port of the loopback
//! below the range that the system hands out, and a folder in the system's temporary one.
//!
//! A set ends when it is dropped, and also when its process ends in any other way, `SIGKILL` included: each member
//! is the child of a shell that waits for the end of a pipe which only this process holds, see `guard`.
//!
//! By hand, and for tests that are not in Rust, `cargo run -p mongo-fixture -- [members]` starts a set, prints its
//! connection string and keeps it until standard input ends.
//!
//! This crate is for tests only. It knows nothing of Skein, and it never joins a server that it did not start.

mod builder;
mod error;
mod guard;
mod port;
mod probe;
mod program;
mod replica_set;
mod shared;

pub use builder::Builder;
pub use error::FixtureError;
pub use replica_set::ReplicaSet;
pub use shared::{fresh_database_name, shared};

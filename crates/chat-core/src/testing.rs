//! Fakes that are real: a store in memory that keeps every promise of the ports, a model that follows a script, a
//! clock that is moved by hand.
//!
//! For tests of whatever is built on the engine. The memory store passes the same `storage-contract` suite as the
//! others.

mod chance;
mod memory;
mod model;

pub use chance::{CountingIds, ManualClock};
pub use memory::MemoryStore;
pub use model::{Line, ScriptedModel};

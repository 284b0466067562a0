//! Fakes that are real: a store in memory that keeps every promise of the ports, a model that follows a script, a
//! clock that is moved by hand.
//!
//! For tests of whatever is built on the engine. The memory store passes the same `storage-contract` suite as the
//! others.

use crate::run::LegSettings;

mod chance;
mod memory;
mod model;

pub use chance::{CountingIds, ManualClock};
pub use memory::MemoryStore;
pub use model::{Line, ScriptedModel};

/// Settings of a leg that the scripted model answers: a small window, no system prompt, no tools.
pub fn settings() -> LegSettings {
    LegSettings {
        model: "scripted".to_owned(),
        window: 8_000,
        prompt_budget: 4_000,
        max_output: None,
        encoding: "o200k_base".to_owned(),
        system: None,
        tools: Vec::new(),
        consent: Vec::new(),
        artifact_model: None,
        title_model: None,
        max_steps: 5,
    }
}

//! What the handlers share.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    accounts::Accounts,
    attachments::Uploads,
    client_address::Proxies,
    config::{MessageLimits, Origins},
    documents::Library,
    models::Models,
};
use chat_core::{engine::Engine, ports::Clock};
use dialects::ai_sdk::AiSdkChunks;

/// What the handlers share. Made once, at the start.
pub struct State {
    /// The engine.
    pub engine: Engine,
    /// Who is calling, who signs in.
    pub accounts: Arc<Accounts>,
    /// The proxies that say where requests come from.
    pub proxies: Proxies,
    /// The models that can answer.
    pub models: Arc<Models>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Who may call from a browser.
    pub origins: Origins,
    /// How much may be sent.
    pub limits: MessageLimits,
    /// Documents and suggestions.
    pub documents: Library,
    /// Images that people attach.
    pub uploads: Uploads,
    /// Which chunks the AI SDK clients take.
    pub chunks: AiSdkChunks,
    /// Whether strangers are kept out everywhere.
    pub auth_required: bool,
    /// Whether answers come from the demo model.
    pub demo: bool,
    /// Whether commands are taken.
    pub ready: Ready,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

/// Whether the server takes commands: from the end of recovery until it is told to stop.
#[derive(Debug, Clone, Default)]
pub struct Ready(Arc<AtomicBool>);

impl Ready {
    /// Says so.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Asks.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

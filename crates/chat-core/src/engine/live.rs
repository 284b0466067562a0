//! The legs that this node works on right now.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use tokio_util::sync::CancellationToken;

use super::log::LegLog;
use crate::{
    id::{ConversationId, LegId},
    message::Part,
    run::{Leg, StopCause, Usage},
};

/// What the legs before this one made of their run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Prior {
    /// The parts of the answer.
    pub(crate) parts: Vec<Part>,
    /// What they cost.
    pub(crate) usage: Option<Usage>,
}

/// A leg that this node works on.
#[derive(Debug)]
pub(crate) struct LiveLeg {
    /// The opening snapshot.
    pub(crate) leg: Leg,
    /// What its run had come to when it was opened.
    pub(crate) prior: Prior,
    /// Its events.
    pub(crate) log: Arc<LegLog>,
    prior_bytes: usize,
    stop: CancellationToken,
    cause: OnceLock<StopCause>,
    release: CancellationToken,
}

impl LiveLeg {
    pub(super) fn new(leg: Leg, log: LegLog, prior: Prior) -> Self {
        let prior_parts = prior.parts.iter();
        Self {
            leg,
            prior_bytes: prior_parts.map(|part| part.content.weight()).sum(),
            prior,
            log: Arc::new(log),
            stop: CancellationToken::new(),
            cause: OnceLock::new(),
            release: CancellationToken::new(),
        }
    }

    /// How many bytes its events take, and the parts that the legs before it wrote: its message is one record.
    pub(super) fn bytes(&self) -> usize {
        self.log.bytes().saturating_add(self.prior_bytes)
    }

    /// Asks its task to stop. The first cause counts.
    pub(super) fn stop(&self, cause: StopCause) {
        // A second cause changes nothing: the task is stopping already.
        let _earlier = self.cause.set(cause);
        self.stop.cancel();
    }

    /// Why it was asked to stop, if it was.
    pub(super) fn stop_cause(&self) -> Option<StopCause> {
        self.cause.get().copied()
    }

    /// Asks its task to give it up to another node, if no upstream has answered yet.
    pub(super) fn release(&self) {
        self.release.cancel();
    }

    /// Returns once it was asked to be given up.
    pub(super) async fn released(&self) {
        self.release.cancelled().await;
    }

    /// Returns once it was asked to stop.
    pub(super) async fn stopped(&self) {
        self.stop.cancelled().await;
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Registry(Mutex<HashMap<LegId, Arc<LiveLeg>>>);

impl Registry {
    pub(super) fn insert(&self, live: &Arc<LiveLeg>) {
        self.lock().insert(live.leg.id, Arc::clone(live));
    }

    pub(super) fn remove(&self, leg: LegId) {
        self.lock().remove(&leg);
    }

    pub(crate) fn find(&self, leg: LegId) -> Option<Arc<LiveLeg>> {
        self.lock().get(&leg).cloned()
    }

    /// The conversation's legs whose answers stand before this place.
    pub(super) fn before(&self, conversation: ConversationId, seq: u64) -> Vec<Arc<LiveLeg>> {
        self.lock()
            .values()
            .filter(|live| live.leg.conversation == conversation && live.leg.message_seq < seq)
            .cloned()
            .collect()
    }

    pub(super) fn all(&self) -> Vec<Arc<LiveLeg>> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<LegId, Arc<LiveLeg>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

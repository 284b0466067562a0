use std::sync::Arc;

use async_trait::async_trait;

use super::StoreError;
use crate::{event::RunEvent, id::LegId};

/// The log of every leg's events: the truth about what happened, on any node.
#[async_trait]
pub trait RunLog: Send + Sync {
    /// Appends events of several legs, durable, in one go: all or none.
    ///
    /// Within a leg batches come in order and without a gap: the first begins at 1. One that leaves a gap in the log of
    /// an open leg is [`StoreError::Fatal`], and nothing of the whole append is stored, other legs' batches neither:
    /// repeat it without that leg. A batch that was appended before (same leg, same first
    /// number) is taken as done. A batch of a leg that is closed or deleted is dropped without a word: its events are
    /// in the seal.
    async fn append(&self, batches: Vec<LogBatch>) -> Result<(), StoreError>;

    /// Up to `limit` events of a leg with a number greater than `after`, ascending: from its seal once it was closed,
    /// from the log before.
    ///
    /// Empty when there are none yet, and for a leg that does not exist. What was appended is read at once.
    async fn read(&self, leg: LegId, after: u32, limit: u32) -> Result<Vec<RunEvent>, StoreError>;
}

/// New events of one leg: numbers `first` to `first + events.len() - 1`.
#[derive(Debug, Clone, PartialEq)]
pub struct LogBatch {
    /// The leg.
    pub leg: LegId,
    /// The number of the first event.
    pub first: u32,
    /// The events, at least one.
    pub events: Arc<[RunEvent]>,
}

impl LogBatch {
    /// The number of the last event.
    pub fn last(&self) -> u32 {
        let count = u32::try_from(self.events.len()).unwrap_or(u32::MAX);
        self.first.saturating_add(count).saturating_sub(1)
    }
}

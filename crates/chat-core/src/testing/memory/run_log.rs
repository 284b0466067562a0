use std::collections::HashMap;

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    codec,
    event::RunEvent,
    id::LegId,
    ports::{LogBatch, RunLog, StoreError},
};

/// An append that the contract forbids.
#[derive(Debug, thiserror::Error)]
#[error("a batch of leg {leg} begins at {first}, which leaves a gap: its log goes on at {next}")]
struct Gap {
    leg: LegId,
    first: u32,
    next: u32,
}

#[async_trait]
impl RunLog for MemoryStore {
    async fn append(&self, batches: Vec<LogBatch>) -> Result<(), StoreError> {
        let mut state = self.lock();
        // All are checked before the first is stored, since a refused append stores nothing.
        let mut next: HashMap<LegId, u32> = HashMap::new();
        for batch in &batches {
            let Some(row) = state.open_row(batch.leg) else {
                continue;
            };
            let next = next.entry(batch.leg).or_insert_with(|| {
                row.log
                    .last_key_value()
                    .map_or(1, |(last, _)| last.saturating_add(1))
            });
            if batch.first > *next {
                return Err(StoreError::Fatal(Box::new(Gap {
                    leg: batch.leg,
                    first: batch.first,
                    next: *next,
                })));
            }
            let length = u32::try_from(batch.events.len()).unwrap_or(u32::MAX);
            *next = batch.first.saturating_add(length).max(*next);
        }
        for batch in batches {
            let Some(row) = state.open_row(batch.leg) else {
                continue;
            };
            for event in batch.events.iter() {
                row.log.entry(event.n).or_insert_with(|| event.clone());
            }
        }
        Ok(())
    }

    async fn read(&self, leg: LegId, after: u32, limit: u32) -> Result<Vec<RunEvent>, StoreError> {
        let state = self.lock();
        let Some(row) = state.legs.get(&leg) else {
            return Ok(Vec::new());
        };
        let events = match &row.seal {
            None => row.log.values().cloned().collect(),
            Some(seal) => codec::decode_seal(seal).map_err(|error| StoreError::Corrupt {
                what: "seal",
                source: Box::new(error),
            })?,
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(events
            .into_iter()
            .filter(|event| event.n > after)
            .take(limit)
            .collect())
    }
}

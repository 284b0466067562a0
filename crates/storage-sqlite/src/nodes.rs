use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chat_core::{
    id::NodeId,
    ports::{Beat, Nodes, StoreError},
};

use crate::SqliteStore;

/// The nodes of a store that one process has to itself: they are in its memory, and gone with it.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<BTreeMap<NodeId, u64>>);

impl Counters {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeId, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Nodes for SqliteStore {
    async fn renew(&self, node: NodeId) -> Result<Vec<Beat>, StoreError> {
        let mut counters = self.nodes().lock();
        *counters.entry(node).or_default() += 1;
        let beat = |(&node, &count): (&NodeId, &u64)| Beat { node, count };
        Ok(counters.iter().map(beat).collect())
    }

    async fn bury(&self, silent: Beat) -> Result<bool, StoreError> {
        let mut counters = self.nodes().lock();
        let is_silent = counters.get(&silent.node) == Some(&silent.count);
        if is_silent {
            counters.remove(&silent.node);
        }
        Ok(is_silent)
    }

    async fn retire(&self, node: NodeId) -> Result<(), StoreError> {
        self.nodes().lock().remove(&node);
        Ok(())
    }
}

use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    id::NodeId,
    ports::{Beat, Nodes, StoreError},
};

#[async_trait]
impl Nodes for MemoryStore {
    async fn renew(&self, node: NodeId) -> Result<Vec<Beat>, StoreError> {
        let mut state = self.lock();
        *state.nodes.entry(node).or_default() += 1;
        let beat = |(&node, &count): (&NodeId, &u64)| Beat { node, count };
        Ok(state.nodes.iter().map(beat).collect())
    }

    async fn bury(&self, silent: Beat) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let is_silent = state.nodes.get(&silent.node) == Some(&silent.count);
        if is_silent {
            state.nodes.remove(&silent.node);
        }
        Ok(is_silent)
    }

    async fn retire(&self, node: NodeId) -> Result<(), StoreError> {
        self.lock().nodes.remove(&node);
        Ok(())
    }
}

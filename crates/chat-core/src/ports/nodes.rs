use async_trait::async_trait;

use super::StoreError;
use crate::id::NodeId;

/// The incarnations of nodes that work on one store, each with a counter that shows that it lives.
///
/// Who is dead is not the store's to say: each node judges the others by its own monotonic clock, from counters that no
/// longer change.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// Raises the node's counter by one, adding the node if it is not there, and then gives every node that is, this one
    /// among them, in no order.
    ///
    /// Counters begin at 1, also that of a node which was taken out and comes back: so it learns of it. When nodes race,
    /// each counts its own.
    async fn renew(&self, node: NodeId) -> Result<Vec<Beat>, StoreError>;

    /// Takes a silent node out if its counter is still this one, and says whether it did.
    ///
    /// When several nodes race to take one out, exactly one does; a node that renewed meanwhile stays.
    async fn bury(&self, silent: Beat) -> Result<bool, StoreError>;

    /// Takes a node out that ends. One that is not there is no error.
    async fn retire(&self, node: NodeId) -> Result<(), StoreError>;
}

/// A node's counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// The node.
    pub node: NodeId,
    /// How often it renewed.
    pub count: u64,
}

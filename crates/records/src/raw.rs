use std::pin::Pin;

use async_trait::async_trait;
use futures_util::Stream;
use serde_json::Value;

use crate::StoreError;

/// A foreign database as it is, to be imported from. Nothing here writes.
#[async_trait]
pub trait RawCollections: Send + Sync {
    /// What the database is called in a message to the operator. Holds no credentials.
    fn name(&self) -> String;

    /// The names of its collections, in ascending order.
    async fn list_collections(&self) -> Result<Vec<String>, StoreError>;

    /// The documents of a collection, in ascending order of `_id`, each as MongoDB Extended JSON version 2, canonical or
    /// relaxed; none when there is no such collection. They are read as they are taken, never all at once.
    async fn read_collection(&self, collection: &str) -> Result<RawDocuments, StoreError>;
}

/// Documents as they come.
pub type RawDocuments = Pin<Box<dyn Stream<Item = Result<Value, StoreError>> + Send>>;

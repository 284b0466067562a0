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
    /// relaxed; none when there is no such collection. They are read as they are taken, never all at once. One that cannot be
    /// read does not end them.
    async fn read_collection(&self, collection: &str) -> Result<RawDocuments, StoreError>;
}

/// Documents as they come: an error of the database, or else the document or what is known of a broken one.
pub type RawDocuments =
    Pin<Box<dyn Stream<Item = Result<Result<Value, BrokenDocument>, StoreError>> + Send>>;

/// A document that cannot be read: a text in it is no UTF-8, say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenDocument {
    /// Its `_id` as Extended JSON, where that can be read.
    pub id: Option<Value>,
}

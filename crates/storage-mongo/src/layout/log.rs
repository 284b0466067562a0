use mongodb::bson::{Uuid, oid::ObjectId};
use serde::{Deserialize, Serialize};

use super::{Stored, StoredBytes};

/// New events of several legs, in `skein_run_log`: what one append brought, or a piece of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogDocument {
    #[serde(rename = "_id")]
    pub(crate) id: ObjectId,
    /// The handle that appended it, which does not want to hear of it by its change stream.
    pub(crate) writer: Uuid,
    pub(crate) legs: Vec<LogRecord>,
}

impl Stored for LogDocument {
    const COLLECTION: &'static str = "skein_run_log";
}

/// Consecutive events of one leg: numbers `first` to `next - 1`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogRecord {
    pub(crate) leg: Uuid,
    pub(crate) first: i64,
    pub(crate) next: i64,
    /// As [`chat_core::codec::encode_batch`] wrote them.
    pub(crate) events: StoredBytes,
}

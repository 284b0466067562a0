//! What documents hold and what it means: the only place where stored fields are named for writing.
//!
//! Ids are UUIDs (binary, subtype 4), times are dates in milliseconds, numbers are 64-bit. JSON that is not ours to read
//! is a [`StoredText`].

mod conversation;
mod leg;
mod log;
mod message;
mod text;

use chat_core::id::{ConversationId, LegId, MessageId, NodeId, PinId, RunId, UserId};
use mongodb::bson::{DateTime, Uuid};
use records::FileId;

use crate::error::Failure;

pub(crate) use conversation::{ConversationDocument, KeyDocument, QuotaDocument};
pub(crate) use leg::{LegDocument, OpeningDocument, RunDocument, SealDocument, Stop};
pub(crate) use log::{LogDocument, LogRecord};
pub(crate) use message::{MessageDocument, read_rating, search_terms, stored_rating};
pub(crate) use text::{StoredBytes, StoredText};

/// A document of a collection.
pub(crate) trait Stored: Send + Sync {
    /// The collection's name.
    const COLLECTION: &'static str;
}

/// An id as it is stored: a UUID.
pub(crate) trait StoredId: Sized {
    /// It as a value.
    fn stored(self) -> Uuid;
    /// It from a value.
    fn from_stored(uuid: Uuid) -> Self;
}

macro_rules! stored_ids {
    ($($id:ident),*) => {$(
        impl StoredId for $id {
            fn stored(self) -> Uuid {
                Uuid::from_bytes(self.uuid().into_bytes())
            }

            fn from_stored(uuid: Uuid) -> Self {
                Self::new(uuid::Uuid::from_bytes(uuid.bytes()))
            }
        }
    )*};
}

stored_ids!(
    ConversationId,
    FileId,
    LegId,
    MessageId,
    NodeId,
    PinId,
    RunId,
    UserId
);

/// A number that is never negative, from its document.
pub(crate) fn unsigned(number: i64) -> Result<u64, Failure> {
    u64::try_from(number).map_err(Failure::corrupt("number"))
}

/// A sequence number or an epoch as it is stored. One beyond what is stored is beyond all that are there.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time in milliseconds since the Unix epoch as it is stored.
pub(crate) fn date(at_ms: i64) -> DateTime {
    DateTime::from_millis(at_ms)
}

/// A value from the name that it is stored under.
pub(crate) fn named<T>(what: &'static str, name: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::corrupt(what)(format!("the name {name:?} is unknown")))
}

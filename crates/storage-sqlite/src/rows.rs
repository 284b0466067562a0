//! What rows hold and what they mean.

use chat_core::{
    access::{InvalidOwner, Owner, Visibility},
    conversation::{Conversation, Origin},
    id::{ConversationId, LegId, MessageId, NodeId, PinId, RunId, UserId},
    message::{Message, Role},
    run::{Leg, RunStatus},
};
use records::{DocumentId, Rating, SessionId};
use rusqlite::Row;
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::error::Failure;

/// An id as it is stored: its 16 bytes.
pub(crate) trait StoredId: Sized {
    fn bytes(self) -> [u8; 16];
    fn from_bytes(bytes: [u8; 16]) -> Self;
}

macro_rules! stored_ids {
    ($($id:ident),*) => {$(
        impl StoredId for $id {
            fn bytes(self) -> [u8; 16] {
                self.uuid().into_bytes()
            }

            fn from_bytes(bytes: [u8; 16]) -> Self {
                Self::new(Uuid::from_bytes(bytes))
            }
        }
    )*};
}

stored_ids!(
    ConversationId,
    LegId,
    MessageId,
    NodeId,
    PinId,
    RunId,
    UserId
);

impl StoredId for DocumentId {
    fn bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl StoredId for SessionId {
    fn bytes(self) -> [u8; 16] {
        self.0.into_bytes()
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl StoredId for Uuid {
    fn bytes(self) -> [u8; 16] {
        self.into_bytes()
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_bytes(bytes)
    }
}

/// Where a page of rows in the order of their ids begins: after this id, or before all.
pub(crate) fn after(id: Option<impl StoredId>) -> Vec<u8> {
    // Nothing is stored under an empty id, and every id is greater than it.
    id.map(|id| id.bytes().to_vec()).unwrap_or_default()
}

/// The id in this column.
pub(crate) fn id<T: StoredId>(row: &Row<'_>, column: usize) -> Result<T, Failure> {
    Ok(T::from_bytes(row.get(column)?))
}

/// The number in this column, which is never negative.
pub(crate) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, Failure> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|error| Failure::corrupt("number")(error.into()))
}

/// A sequence number or an epoch as it is stored. One beyond what is stored is beyond all that are there.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Who a message counts for in a quota: the owner of its conversation, if a person wrote it.
pub(crate) fn sent_by(role: Role, owner: &str) -> Option<&str> {
    (role == Role::User).then_some(owner)
}

/// How many rows a statement changed.
pub(crate) fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

/// A rating as it is stored.
pub(crate) const fn rating_number(rating: Rating) -> i64 {
    match rating {
        Rating::Up => 1,
        Rating::Down => -1,
    }
}

/// The rating in this column, which may hold none.
pub(crate) fn rating(row: &Row<'_>, column: usize) -> Result<Option<Rating>, Failure> {
    match row.get(column)? {
        None => Ok(None),
        Some(1) => Ok(Some(Rating::Up)),
        Some(-1) => Ok(Some(Rating::Down)),
        Some(other) => {
            let other: i64 = other;
            Err(Failure::corrupt("rating")(
                format!("the number {other} is unknown").into(),
            ))
        }
    }
}

/// A value as JSON text.
pub(crate) fn to_json(what: &'static str, value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value).map_err(|error| Failure::corrupt(what)(error.into()))
}

/// A value from JSON text.
pub(crate) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, Failure> {
    serde_json::from_str(text).map_err(|error| Failure::corrupt(what)(error.into()))
}

/// A value from the name it is stored under.
pub(crate) fn named<T>(what: &'static str, name: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::corrupt(what)(format!("the name {name:?} is unknown").into()))
}

/// A conversation from `id, owner, title, visibility, origin, created_at`.
pub(crate) fn conversation(row: &Row<'_>) -> Result<Conversation, Failure> {
    let visibility: String = row.get(3)?;
    let origin: String = row.get(4)?;
    Ok(Conversation {
        id: id(row, 0)?,
        owner: owner(row, 1)?,
        title: row.get(2)?,
        visibility: named(
            "visibility",
            &visibility,
            [Visibility::Private, Visibility::Public]
                .into_iter()
                .find(|known| known.as_str() == visibility),
        )?,
        origin: named("origin", &origin, Origin::from_name(&origin))?,
        created_at_ms: row.get(5)?,
    })
}

/// The owner in this column.
pub(crate) fn owner(row: &Row<'_>, column: usize) -> Result<Owner, Failure> {
    let owner: String = row.get(column)?;
    owner
        .parse()
        .map_err(|error: InvalidOwner| Failure::corrupt("owner")(error.into()))
}

/// A message from `id, conversation, seq, role, created_at, body`.
pub(crate) fn message(row: &Row<'_>) -> Result<Message, Failure> {
    let role: String = row.get(3)?;
    let body: String = row.get(5)?;
    Ok(Message {
        id: id(row, 0)?,
        conversation: id(row, 1)?,
        seq: unsigned(row, 2)?,
        role: named("role", &role, Role::from_name(&role))?,
        created_at_ms: row.get(4)?,
        body: from_json("message", &body)?,
    })
}

/// A leg from `leg.id, run.id, idx, conversation, answer, answer_seq, leg.node, leg.epoch, opened_at, settings, echo,
/// status, error, closed_at, answers`.
pub(crate) fn leg(row: &Row<'_>) -> Result<Leg, Failure> {
    let settings: String = row.get(9)?;
    let echo: Option<String> = row.get(10)?;
    let error: Option<String> = row.get(12)?;
    let answers: Option<String> = row.get(14)?;
    Ok(Leg {
        id: id(row, 0)?,
        run: id(row, 1)?,
        index: row.get(2)?,
        conversation: id(row, 3)?,
        message: id(row, 4)?,
        message_seq: unsigned(row, 5)?,
        node: id(row, 6)?,
        epoch: unsigned(row, 7)?,
        opened_at_ms: row.get(8)?,
        settings: from_json("leg's settings", &settings)?,
        answers: answers
            .map(|text| from_json("leg's answers", &text))
            .transpose()?
            .unwrap_or_default(),
        echo: echo
            .map(|text| from_json("leg's echo", &text))
            .transpose()?,
        status: status(row, 11)?,
        error: error
            .map(|text| from_json("run's error", &text))
            .transpose()?,
        closed_at_ms: row.get(13)?,
    })
}

/// The status of a run in this column.
pub(crate) fn status(row: &Row<'_>, column: usize) -> Result<RunStatus, Failure> {
    let name: String = row.get(column)?;
    named("run's status", &name, RunStatus::from_name(&name))
}

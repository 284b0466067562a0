//! What can go wrong, as a caller can act on it.

use crate::ports::StoreError;

/// Why a command of the engine was not carried out. Nothing was changed unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no such conversation, message or run.
    #[error("there is no such {what}")]
    NotFound {
        /// What was looked for, in one word.
        what: &'static str,
    },
    /// The caller may not do this to the object.
    #[error("this caller may not do that to this conversation")]
    Forbidden,
    /// The id of a message that was sent belongs to another message.
    #[error("the message's id is already taken by another message")]
    MessageTaken,
    /// The idempotency key was used before, for another conversation or for a message that was deleted since.
    #[error(
        "the idempotency key was used for another conversation, or for a message that was deleted since"
    )]
    KeySpent,
    /// The conversation has an active run, and the command does not replace it.
    #[error("the conversation has an active run")]
    Busy,
    /// The caller sent as many messages as they may for now.
    #[error("the caller has sent as many messages as they may for now")]
    QuotaSpent,
    /// No call of this id waits for an answer in that message.
    #[error("no call of this id waits for an answer in that message")]
    NothingWaits,
    /// Another call of the same answer waits as well; all are answered at once.
    #[error("another call of the same answer still waits; all are answered at once")]
    StillWaits,
    /// The new message does not fit the model's window.
    #[error("the message is too long for the model: {needed} tokens, {allowed} are accepted")]
    TooLong {
        /// What it needs, in tokens.
        needed: u64,
        /// What is there for it.
        allowed: u64,
    },
    /// The server is going down or holds as many live answers as it may; try again a little later.
    #[error("the server takes no new answers right now")]
    Unavailable,
    /// The store failed; whether the change happened is unknown only where its source says so.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

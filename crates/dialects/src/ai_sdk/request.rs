//! What clients send (`docs/wire/ai-sdk.md` W20 to W29).
//!
//! Every reader here takes a body whatever content type it came with, answers the first fault in reading order, and passes
//! unknown keys over.

use std::str::FromStr;

use records::DocumentId;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

mod chat;
mod conversation;
mod document;
mod search;
mod sign_in;
mod vote;
mod wire;

pub use chat::{
    ApprovalReply, CallReplies, ChatCommand, ChatRequest, ChatRequestMessage, ChatRequestPart,
    MAX_NAME, MAX_REASON, MAX_REPLIES, MAX_TEXT, MAX_URL, MEDIA_TYPES, SendMessage, decode_chat,
};
pub use conversation::{ChangeChatRequest, MAX_TITLE, decode_change};
pub use document::{
    MAX_CONTENT, MAX_DOCUMENT_TITLE, SaveDocument, SaveDocumentRequest, decode_document,
    restore_point,
};
pub use search::{MAX_QUERY, MAX_RESULTS, SearchRequest};
pub use sign_in::{
    Credentials, CredentialsRequest, MAX_EMAIL, MAX_PASSWORD, MIN_PASSWORD, RefreshRequest,
    RefreshToken, decode_login, decode_refresh, decode_register,
};
pub use vote::{Vote, VoteRequest, VoteType, decode_vote};

/// A body or a query was not what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct InvalidRequest {
    /// Which parameter was wrong and what is accepted there, in one line. Holds nothing of what was sent.
    pub cause: String,
}

impl InvalidRequest {
    pub(super) fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
        }
    }
}

/// Who may read a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VisibilityName {
    /// Anyone who knows its id.
    Public,
    /// Its owner.
    Private,
}

/// The id that a parameter of this name holds: of a conversation or a message.
pub fn id<T: FromStr>(name: &str, text: Option<&str>) -> Result<T, InvalidRequest> {
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| no_id(name))
}

/// The document that a parameter of this name holds.
pub fn document_id(name: &str, text: Option<&str>) -> Result<DocumentId, InvalidRequest> {
    // A length that only the hyphenated form has: the other forms would give one document several names.
    text.filter(|text| text.len() == 36)
        .and_then(|text| Uuid::try_parse(text).ok())
        .map(DocumentId)
        .ok_or_else(|| no_id(name))
}

fn no_id(name: &str) -> InvalidRequest {
    InvalidRequest::new(format!(
        "{name}: a UUID in its 36-character hyphenated form is accepted"
    ))
}

/// A text of at most so many UTF-16 units, and not empty.
fn bounded(at: &str, text: Option<String>, max: usize) -> Result<String, InvalidRequest> {
    text.filter(|text| !text.is_empty() && is_within(text, max))
        .ok_or_else(|| {
            InvalidRequest::new(format!(
                "{at}: a text of 1 to {max} characters (UTF-16 units) is accepted"
            ))
        })
}

/// Whether a text has at most so many UTF-16 units, which frontends count.
fn is_within(text: &str, max: usize) -> bool {
    // None has more than bytes, which are cheaper to count.
    text.len() <= max || text.encode_utf16().take(max + 1).count() <= max
}

#[cfg(test)]
mod tests;

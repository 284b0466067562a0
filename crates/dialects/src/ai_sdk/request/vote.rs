//! The body of `PATCH /api/vote` (`docs/wire/ai-sdk.md` W28).

use chat_core::{
    id::{ConversationId, MessageId},
    message::Rating,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    InvalidRequest, id,
    wire::{self, Object},
};

/// What a reader thinks of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vote {
    /// The conversation.
    pub conversation: ConversationId,
    /// The message.
    pub message: MessageId,
    /// What they think.
    pub rating: Rating,
}

/// A vote.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoteRequest {
    /// The conversation.
    #[schema(format = Uuid)]
    pub chat_id: String,
    /// The message.
    #[schema(format = Uuid)]
    pub message_id: String,
    /// What the reader thinks of it.
    #[serde(rename = "type")]
    pub kind: VoteType,
}

/// What a reader thinks of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VoteType {
    /// Thumbs up.
    Up,
    /// Thumbs down.
    Down,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    chat_id: Option<String>,
    message_id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Checks the body of `PATCH /api/vote`.
pub fn decode_vote(body: &[u8]) -> Result<Vote, InvalidRequest> {
    let body = wire::parse::<Object<Body>>(body, "")?.0;
    Ok(Vote {
        conversation: id("chatId", body.chat_id.as_deref())?,
        message: id("messageId", body.message_id.as_deref())?,
        rating: match body.kind.as_deref() {
            Some("up") => Rating::Up,
            Some("down") => Rating::Down,
            Some(_) | None => {
                return Err(InvalidRequest::new("type: \"up\" or \"down\" is accepted"));
            }
        },
    })
}

use chat_core::{
    id::{ConversationId, MessageId},
    message::Rating,
};
use serde::Serialize;
use utoipa::ToSchema;

/// What `PATCH /api/vote` answers, as `text/plain`.
pub const VOTED: &str = "Message voted";

/// What the owner of a conversation thinks of a message in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VoteRow {
    /// The conversation.
    #[schema(format = Uuid)]
    pub chat_id: String,
    /// The message.
    #[schema(format = Uuid)]
    pub message_id: String,
    /// Thumbs up, or else down.
    pub is_upvoted: bool,
}

impl VoteRow {
    /// The row of this rating.
    pub fn new(conversation: ConversationId, message: MessageId, rating: Rating) -> Self {
        Self {
            chat_id: conversation.to_string(),
            message_id: message.to_string(),
            is_upvoted: match rating {
                Rating::Up => true,
                Rating::Down => false,
            },
        }
    }
}

use chat_core::{access::Visibility, conversation::Conversation, ports::HistoryPage};
use serde::Serialize;
use utoipa::ToSchema;

use super::{owner_id, timestamp};
use crate::ai_sdk::request::VisibilityName;

/// The title of a conversation that has none yet.
pub const UNTITLED: &str = "New chat";

/// A conversation: in a list, alone, or as it was before it was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatRow {
    /// Its id.
    #[schema(format = Uuid)]
    pub id: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Its title, `New chat` until it has one.
    pub title: String,
    /// Its owner; `null` for one that belongs to no user.
    #[schema(format = Uuid)]
    pub user_id: Option<String>,
    /// Who may read it.
    #[schema(value_type = VisibilityName)]
    pub visibility: Visibility,
    /// Always `null`: the usage is told with each answer.
    #[schema(value_type = Option<Object>)]
    pub last_context: Option<()>,
}

impl ChatRow {
    /// The row of this conversation.
    pub fn new(conversation: &Conversation) -> Self {
        Self {
            id: conversation.id.to_string(),
            created_at: timestamp(conversation.created_at_ms),
            title: title(conversation.title.as_deref()),
            user_id: owner_id(&conversation.owner),
            visibility: conversation.visibility,
            last_context: None,
        }
    }
}

/// A page of the caller's conversations, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryResponse {
    /// They.
    pub chats: Vec<ChatRow>,
    /// Whether there are more beyond the page.
    pub has_more: bool,
}

impl HistoryResponse {
    /// The answer that holds this page.
    pub fn new(page: &HistoryPage) -> Self {
        Self {
            chats: page.conversations.iter().map(ChatRow::new).collect(),
            has_more: page.more,
        }
    }
}

/// What came of a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct StopResponse {
    /// Whether an answer was being written that is stopped now.
    pub stopped: bool,
}

/// How many were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeletedResponse {
    /// So many.
    pub deleted_count: u64,
    /// The same number, where other frontends look for it.
    pub deleted: u64,
}

impl DeletedResponse {
    /// The answer to a request that deleted so many.
    pub const fn new(count: u64) -> Self {
        Self {
            deleted_count: count,
            deleted: count,
        }
    }
}

/// A title as it is shown: [`UNTITLED`] where there is none yet.
pub(super) fn title(title: Option<&str>) -> String {
    title.unwrap_or(UNTITLED).to_owned()
}

//! What the AI SDK chat's routes answer besides streams (`docs/wire/ai-sdk.md` W17, W40 to W49, W51).

use chat_core::{
    access::{Owner, Visibility},
    conversation::Conversation,
    id::ConversationId,
    message::{Message, MessageStatus, Role},
    ports::HistoryPage,
    run::Usage,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{event::done, request::VisibilityName, words::error_text};
use crate::frame::{FrameSink, json};

mod parts;

pub use parts::UiPart;

/// The title of a conversation that has none yet.
pub const UNTITLED: &str = "New chat";

/// The first and the last time that can be spelled, in milliseconds since the Unix epoch: the years 1 to 9999.
const SPELLED_MS: (i64, i64) = (-62_135_596_800_000, 253_402_207_199_999);

/// A time as every answer spells it: UTC, three fractional digits, `Z`.
///
/// `ms` are milliseconds since the Unix epoch; a time outside of the years 1 to 9999 is given as the nearest in them.
pub fn timestamp(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms.clamp(SPELLED_MS.0, SPELLED_MS.1));
    format!("{:.3}", time.unwrap_or_default())
}

/// A conversation in a list, or one that was deleted.
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
            title: conversation
                .title
                .clone()
                .unwrap_or_else(|| UNTITLED.to_owned()),
            user_id: user_id(&conversation.owner),
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

/// A conversation's messages.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagesResponse {
    /// They, oldest first. One that is being written is left out: its stream tells it.
    pub messages: Vec<UiMessage>,
    /// Who may read the conversation.
    #[schema(value_type = VisibilityName)]
    pub visibility: Visibility,
    /// Its owner; `null` for one that is not there.
    #[schema(format = Uuid)]
    pub user_id: Option<String>,
    /// Whether the caller may only read.
    pub is_readonly: bool,
}

impl MessagesResponse {
    /// The answer to `caller`, who may read it, for this conversation and these of its messages.
    pub fn new(conversation: &Conversation, caller: &Owner, messages: &[Message]) -> Self {
        Self {
            messages: messages.iter().filter_map(UiMessage::new).collect(),
            visibility: conversation.visibility,
            user_id: user_id(&conversation.owner),
            is_readonly: conversation.owner != *caller,
        }
    }

    /// The answer for a conversation that is not there: the frontend asks before its first message makes it.
    pub const fn unknown() -> Self {
        Self {
            messages: Vec::new(),
            visibility: Visibility::Private,
            user_id: None,
            is_readonly: false,
        }
    }
}

/// A message as the `useChat` hook holds it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct UiMessage {
    /// Its id.
    #[schema(format = Uuid)]
    pub id: String,
    /// Who speaks.
    #[schema(value_type = RoleName)]
    pub role: Role,
    /// Its parts, in order.
    pub parts: Vec<UiPart>,
    /// What is known about it.
    pub metadata: UiMetadata,
}

impl UiMessage {
    /// This message, or `None` while it is being written.
    pub fn new(message: &Message) -> Option<Self> {
        let body = &message.body;
        if body.status == MessageStatus::InProgress {
            return None;
        }
        Some(Self {
            id: message.id.to_string(),
            role: message.role,
            parts: parts::of(message),
            metadata: UiMetadata {
                created_at: timestamp(message.created_at_ms),
                status: body.status,
                error: body.error.map(|error| UiError {
                    code: error,
                    message: error_text(Some(error)).to_owned(),
                }),
                usage: body
                    .usage
                    .map(|usage| UsageView::new(&usage, body.model.as_deref(), None)),
            },
        })
    }
}

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    /// The operator.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// What is known about a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UiMetadata {
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// What became of it: `completed`, `incomplete`, `cancelled` or `failed`.
    #[schema(value_type = String)]
    pub status: MessageStatus,
    /// Why it stopped short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<UiError>,
    /// What it cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageView>,
}

/// Why a message stopped short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UiError {
    /// A stable name, such as `interrupted` or `timeout`.
    #[schema(value_type = String, example = "interrupted")]
    pub code: chat_core::run::RunError,
    /// One sentence for the reader.
    pub message: String,
}

/// What an answer cost, in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct UsageView {
    /// Of the prompt.
    pub input_tokens: u64,
    /// Of the answer, reasoning included.
    pub output_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// Of the answer's, reasoning; left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Of the prompt's, read from a cache; left out when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_input_tokens: Option<u64>,
    /// What there was to spend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<ContextView>,
    /// The model that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
}

/// What a model takes, in tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContextView {
    /// Its window: prompt and answer together.
    pub total_max: u32,
}

impl UsageView {
    /// This usage of this model, which has this window.
    pub fn new(usage: &Usage, model: Option<&str>, window: Option<u32>) -> Self {
        let positive = |tokens: u64| (tokens > 0).then_some(tokens);
        Self {
            input_tokens: usage.input,
            output_tokens: usage.output,
            total_tokens: usage.total(),
            reasoning_tokens: positive(usage.reasoning),
            cached_input_tokens: positive(usage.cached_input),
            context: window
                .filter(|window| *window > 0)
                .map(|total_max| ContextView { total_max }),
            model_id: model.map(str::to_owned),
        }
    }
}

/// A stored message as the resume answer holds it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessageRow {
    /// Its id.
    #[schema(format = Uuid)]
    pub id: String,
    /// Its conversation.
    #[schema(value_type = String, format = Uuid)]
    pub chat_id: ConversationId,
    /// Who speaks.
    #[schema(value_type = RoleName)]
    pub role: Role,
    /// Its parts, in order.
    pub parts: Vec<UiPart>,
    /// Always empty: files are parts.
    #[schema(value_type = Vec<Object>)]
    pub attachments: [(); 0],
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
}

impl MessageRow {
    /// The row of this message.
    pub fn new(message: &Message) -> Self {
        Self {
            id: message.id.to_string(),
            chat_id: message.conversation,
            role: message.role,
            parts: parts::of(message),
            attachments: [],
            created_at: timestamp(message.created_at_ms),
        }
    }
}

/// The whole stream of a resume that comes just after the answer was finished: the stored message at once.
pub fn append_message(message: &Message) -> Vec<u8> {
    let mut row = Vec::new();
    json(&mut row, &MessageRow::new(message));
    // What serde writes is UTF-8, so nothing is ever lost here.
    let row = String::from_utf8_lossy(&row);
    let mut out = FrameSink::new();
    out.frame(|to| {
        to.extend_from_slice(b"{\"type\":\"data-appendMessage\",\"data\":");
        json(to, &*row);
        to.extend_from_slice(b",\"transient\":true}");
    });
    done(&mut out);
    out.take()
}

fn user_id(owner: &Owner) -> Option<String> {
    match owner {
        Owner::User(id) | Owner::Browser(id) => Some(id.to_string()),
        Owner::Tenant => None,
    }
}

#[cfg(test)]
mod tests;

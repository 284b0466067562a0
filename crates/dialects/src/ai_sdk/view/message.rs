use chat_core::{
    access::{Owner, Visibility},
    conversation::Conversation,
    id::ConversationId,
    message::{Message, MessageStatus, Role},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{UiPart, UsageView, owner_id, parts, timestamp};
use crate::{
    ai_sdk::{AiSdkChunks, event::done, request::VisibilityName, words::error_text},
    frame::{FrameSink, json},
};

/// A conversation's messages.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MessagesResponse {
    /// They, oldest first. One that is being written is left out, since its stream tells it; one that goes on after its
    /// reader answered is shown as it was before.
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
    /// The answer to `caller`, who may read it, for this conversation and these of its messages; `chunks` says what the
    /// frontend knows.
    pub fn new(
        conversation: &Conversation,
        caller: &Owner,
        messages: &[Message],
        chunks: AiSdkChunks,
    ) -> Self {
        let mut shown: Vec<UiMessage> = messages
            .iter()
            .filter_map(|message| UiMessage::new(message, chunks))
            .collect();
        if let Some((_last, earlier)) = shown.split_last_mut() {
            for message in earlier {
                message.take_as_denied();
            }
        }
        Self {
            messages: shown,
            visibility: conversation.visibility,
            user_id: owner_id(&conversation.owner),
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
    /// Shows calls that nobody let run as denied: the conversation has gone on without them, and a model is told the same.
    fn take_as_denied(&mut self) {
        for part in &mut self.parts {
            part.take_as_denied();
        }
    }

    /// This message for a frontend that knows these `chunks`, or `None` while it is being written.
    ///
    /// One that goes on after its reader answered a call is shown as it was when it paused: the stream that goes on with
    /// it tells what was added, and names calls that the client has to know.
    pub fn new(message: &Message, chunks: AiSdkChunks) -> Option<Self> {
        let body = &message.body;
        let shown = match body.status {
            MessageStatus::InProgress => parts::before_its_answers(&body.parts)?,
            MessageStatus::Completed
            | MessageStatus::Incomplete
            | MessageStatus::Cancelled
            | MessageStatus::Failed => &body.parts,
        };
        Some(Self {
            id: message.id.to_string(),
            role: message.role,
            parts: parts::of(message, shown, chunks),
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
    /// What became of it: `completed`, `incomplete`, `cancelled` or `failed`; `in_progress` while it goes on.
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
    /// The row of this message for a frontend that knows these `chunks`.
    pub fn new(message: &Message, chunks: AiSdkChunks) -> Self {
        Self {
            id: message.id.to_string(),
            chat_id: message.conversation,
            role: message.role,
            parts: parts::of(message, &message.body.parts, chunks),
            attachments: [],
            created_at: timestamp(message.created_at_ms),
        }
    }
}

/// The whole stream of a resume that comes just after the answer was finished: the stored message at once.
pub fn append_message(message: &Message, chunks: AiSdkChunks) -> Vec<u8> {
    let mut row = Vec::new();
    json(&mut row, &MessageRow::new(message, chunks));
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

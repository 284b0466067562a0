//! The body of `POST /api/chat` as it is described to others.

use chat_core::access::Visibility;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::ai_sdk::request::VisibilityName;

/// The body of `POST /api/chat`. Either `message` or `messages` must be there; keys beyond these are ignored.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChatRequest {
    /// The conversation's id, chosen by the client.
    #[schema(format = Uuid)]
    pub id: String,
    /// The new user message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<ChatRequestMessage>,
    /// The whole conversation, in place of `message`. Its last element is a new user message, or the answer that waits for
    /// its reader, with what they said to its calls; nothing else of it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub messages: Option<Vec<Value>>,
    /// The model to answer; an unknown one is taken as the default model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selected_chat_model: Option<String>,
    /// Who may read a conversation that this message begins; `private` if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<VisibilityName>)]
    pub selected_visibility_type: Option<Visibility>,
}

/// A new user message.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChatRequestMessage {
    /// Its id, chosen by the client. An id that the conversation holds already makes the send an edit.
    #[schema(format = Uuid)]
    pub id: String,
    /// Always `user`.
    #[schema(pattern = "^user$")]
    pub role: String,
    /// Its parts.
    #[schema(min_items = 1)]
    pub parts: Vec<ChatRequestPart>,
}

/// A part of a new user message.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ChatRequestPart {
    /// Text.
    Text {
        /// 1 to 2000 UTF-16 units.
        #[schema(min_length = 1, max_length = 2000)]
        text: String,
    },
    /// A file, by reference.
    #[serde(rename_all = "camelCase")]
    File {
        /// `image/jpeg` or `image/png`.
        #[schema(pattern = "^image/(jpeg|png)$")]
        media_type: String,
        /// 1 to 100 UTF-16 units.
        #[schema(min_length = 1, max_length = 100)]
        name: String,
        /// Absolute: `http` or `https` of at most 2048 characters, or a base64 `data` URL of one of the media types.
        #[schema(format = Uri)]
        url: String,
    },
}

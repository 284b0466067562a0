//! Conversations: what holds messages and at most one active run.

use serde::{Deserialize, Serialize};

use crate::{
    access::{Owner, Visibility},
    id::ConversationId,
};

/// The frontend a conversation came from; what is published about it depends on this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The AI SDK chat.
    AiSdk,
    /// The Assistants surfaces.
    Assistants,
    /// The Responses surfaces.
    Responses,
    /// The web chat.
    WebChat,
}

impl Origin {
    /// The name it is stored under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AiSdk => "ai_sdk",
            Self::Assistants => "assistants",
            Self::Responses => "responses",
            Self::WebChat => "web_chat",
        }
    }

    /// Reads a stored name; `None` for an unknown one.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::AiSdk,
            Self::Assistants,
            Self::Responses,
            Self::WebChat,
        ]
        .into_iter()
        .find(|origin| origin.as_str() == name)
    }
}

/// A conversation as it is listed: everything but its messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// Who owns it.
    pub owner: Owner,
    /// Its title; `None` until one was made or given.
    pub title: Option<String>,
    /// Whether others may read it.
    pub visibility: Visibility,
    /// The frontend it began in.
    pub origin: Origin,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
}

/// What a conversation is made of when a send opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewConversation {
    /// Whether others may read it.
    pub visibility: Visibility,
    /// The frontend it begins in.
    pub origin: Origin,
    /// Its title, where the caller gives one.
    pub title: Option<String>,
}

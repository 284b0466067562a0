//! The body of `POST /api/chat` (`docs/wire/ai-sdk.md` W20 to W24, W26, W27).

use chat_core::{
    access::Visibility,
    id::{ConversationId, MessageId},
    message::PartContent,
};
use serde_json::value::RawValue;

use super::{
    InvalidRequest, id,
    wire::{self, Body, Message, Object, Speaker},
};

mod message;
mod replies;
mod schema;

pub use message::{MAX_NAME, MAX_TEXT, MAX_URL, MEDIA_TYPES};
pub use replies::{ApprovalReply, MAX_REASON, MAX_REPLIES};
pub use schema::{ChatRequest, ChatRequestMessage, ChatRequestPart};

/// What a client wants of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatCommand {
    /// Something is said.
    Send(SendMessage),
    /// An answer goes on, whose calls its reader has answered.
    Answer(CallReplies),
}

/// A send, checked: what a client wants said in which conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct SendMessage {
    /// The conversation, chosen by the client; made if it is not there.
    pub conversation: ConversationId,
    /// The new message, chosen by the client. One that the conversation holds already is an edit.
    pub message: MessageId,
    /// Its parts, at least one: texts and files only.
    pub parts: Vec<PartContent>,
    /// Denials that stand in the answer before it, each of another call. They may be long known: the client sends the same
    /// ones again with every message that follows.
    pub replies: Vec<ApprovalReply>,
    /// The model that the client picked, by whatever name; `None` when it picked none.
    pub model: Option<String>,
    /// Who may read the conversation if this send makes it.
    pub visibility: Visibility,
}

/// What a reader said to the calls of an answer that waits for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallReplies {
    /// The conversation.
    pub conversation: ConversationId,
    /// The answer.
    pub message: MessageId,
    /// What was said, at least one and each to another call. Those of an earlier round may be among them.
    pub replies: Vec<ApprovalReply>,
    /// The model that the client picked, by whatever name; `None` when it picked none.
    pub model: Option<String>,
}

/// Checks the body of `POST /api/chat`.
///
/// The first fault in reading order is answered. Unknown keys are passed over and kept nowhere.
pub fn decode_chat(body: &[u8]) -> Result<ChatCommand, InvalidRequest> {
    let body: Object<Body<'_>> = wire::parse(body, "")?;
    let body = body.0;
    let conversation = id("id", body.id.as_deref())?;
    let said = match (body.message, body.messages) {
        (Some(message), _) => Said::New {
            at: "message".to_owned(),
            message: message.0,
            replies: Vec::new(),
        },
        (None, Some(messages)) => of_whole(&messages)?,
        (None, None) => {
            return Err(InvalidRequest::new(
                "message: missing; either message or messages is needed",
            ));
        }
    };
    let visibility = match body.selected_visibility_type.as_deref() {
        None | Some("private") => Ok(Visibility::Private),
        Some("public") => Ok(Visibility::Public),
        Some(_) => Err(InvalidRequest::new(
            "selectedVisibilityType: \"public\" or \"private\" is accepted",
        )),
    };
    let model = body.selected_chat_model;
    match said {
        Said::New {
            at,
            message,
            replies,
        } => {
            if message.role.as_deref() != Some("user") {
                return Err(InvalidRequest::new(format!(
                    "{at}.role: \"user\" is accepted"
                )));
            }
            Ok(ChatCommand::Send(SendMessage {
                conversation,
                message: id(&format!("{at}.id"), message.id.as_deref())?,
                parts: message::parts(&at, message.parts.unwrap_or_default())?,
                replies,
                model,
                visibility: visibility?,
            }))
        }
        Said::Replies { message, replies } => {
            visibility?;
            Ok(ChatCommand::Answer(CallReplies {
                conversation,
                message,
                replies,
                model,
            }))
        }
    }
}

enum Said {
    /// A new message, which stands there in the body.
    New {
        at: String,
        message: Message,
        replies: Vec<ApprovalReply>,
    },
    Replies {
        message: MessageId,
        replies: Vec<ApprovalReply>,
    },
}

/// What the end of a whole conversation says. Everything else in it is read from the store, not from the client.
fn of_whole(messages: &[&RawValue]) -> Result<Said, InvalidRequest> {
    let (last, before) = messages
        .split_last()
        .ok_or_else(|| InvalidRequest::new("messages: at least one message is needed"))?;
    let at = format!("messages[{}]", before.len());
    let speaker: Object<Speaker<'_>> = wire::parse(last.get().as_bytes(), &at)?;
    let speaker = speaker.0;
    match speaker.role.as_deref() {
        Some("user") => {
            let message: Object<Message> = wire::parse(last.get().as_bytes(), &at)?;
            Ok(Said::New {
                at,
                message: message.0,
                replies: before
                    .last()
                    .map_or_else(Vec::new, |before| denials(before)),
            })
        }
        Some("assistant") => {
            let message = id(&format!("{at}.id"), speaker.id.as_deref())?;
            let replies = replies::of(&at, &speaker.parts.unwrap_or_default())?;
            Ok(Said::Replies { message, replies })
        }
        Some(_) | None => Err(InvalidRequest::new(format!(
            "{at}.role: \"user\" or \"assistant\" is accepted"
        ))),
    }
}

/// The denials in the answer before a new message. What cannot be read is passed over: a client repeats what it has with
/// every message, and could say nothing more if it were refused.
fn denials(before: &RawValue) -> Vec<ApprovalReply> {
    match wire::parse::<Object<Speaker<'_>>>(before.get().as_bytes(), "") {
        Ok(speaker) if speaker.0.role.as_deref() == Some("assistant") => {
            replies::denials(&speaker.0.parts.unwrap_or_default())
        }
        Ok(_) | Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;

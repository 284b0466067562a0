//! The body of `POST /api/chat` (`docs/wire/ai-sdk.md` W20 to W24, W26).

use chat_core::{
    access::Visibility,
    id::{ConversationId, MessageId},
    message::PartContent,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use wire::{Body, Message, Object, Part};

mod wire;

/// The longest text of one part, in UTF-16 units, as the frontend counts.
pub const MAX_TEXT: usize = 2000;

/// The longest name of a file, in UTF-16 units, as the frontend counts.
pub const MAX_NAME: usize = 100;

/// The longest `http` or `https` URL of a file, in characters. A `data` URL is bounded by the body alone.
pub const MAX_URL: usize = 2048;

/// Media types of files that a message may hold.
pub const MEDIA_TYPES: [&str; 2] = ["image/jpeg", "image/png"];

/// A send, checked: what a client wants said in which conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct SendMessage {
    /// The conversation, chosen by the client; made if it is not there.
    pub conversation: ConversationId,
    /// The new message, chosen by the client. One that the conversation holds already is an edit.
    pub message: MessageId,
    /// Its parts, at least one: texts and files only.
    pub parts: Vec<PartContent>,
    /// The model that the client picked, by whatever name; `None` when it picked none.
    pub model: Option<String>,
    /// Who may read the conversation if this send makes it.
    pub visibility: Visibility,
}

/// A body was not what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct InvalidRequest {
    /// Which parameter was wrong and what is accepted there, in one line. Holds nothing of what was sent.
    pub cause: String,
}

impl InvalidRequest {
    fn new(cause: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
        }
    }
}

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
    /// The whole conversation, in place of `message`. Its last element must be a new user message.
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

/// Who may read a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum VisibilityName {
    /// Anyone who knows its id.
    Public,
    /// Its owner.
    Private,
}

/// Checks the body of `POST /api/chat`, whatever content type it came with.
///
/// The first fault in reading order is answered. Unknown keys are passed over and kept nowhere.
pub fn decode(body: &[u8]) -> Result<SendMessage, InvalidRequest> {
    let body: Object<Body<'_>> = wire::parse(body, "")?;
    let body = body.0;
    let conversation = id("id", body.id.as_deref())?;
    let (at, message) = match (body.message, body.messages) {
        (Some(message), _) => ("message".to_owned(), message.0),
        (None, Some(messages)) => last_user_message(&messages)?,
        (None, None) => {
            return Err(InvalidRequest::new(
                "message: missing; either message or messages is needed",
            ));
        }
    };
    if message.role.as_deref() != Some("user") {
        return Err(InvalidRequest::new(format!(
            "{at}.role: \"user\" is accepted"
        )));
    }
    let message_id = id(&format!("{at}.id"), message.id.as_deref())?;
    let parts = parts(&at, message.parts.unwrap_or_default())?;
    let visibility = match body.selected_visibility_type.as_deref() {
        None | Some("private") => Visibility::Private,
        Some("public") => Visibility::Public,
        Some(_) => {
            return Err(InvalidRequest::new(
                "selectedVisibilityType: \"public\" or \"private\" is accepted",
            ));
        }
    };
    Ok(SendMessage {
        conversation,
        message: message_id,
        parts,
        model: body.selected_chat_model,
        visibility,
    })
}

/// The new user message that ends a whole conversation, and where it stands in the body.
fn last_user_message(
    messages: &[&serde_json::value::RawValue],
) -> Result<(String, Message), InvalidRequest> {
    let last = messages
        .last()
        .ok_or_else(|| InvalidRequest::new("messages: at least one message is needed"))?;
    let at = format!("messages[{}]", messages.len() - 1);
    let role: Object<wire::Role> = wire::parse(last.get().as_bytes(), &at)?;
    if role.0.role.as_deref() != Some("user") {
        return Err(InvalidRequest::new(format!(
            "{at}.role: the last message must be a new one of the user's; answers to tool approvals are not taken here"
        )));
    }
    let message: Object<Message> = wire::parse(last.get().as_bytes(), &at)?;
    Ok((at, message.0))
}

fn id<T: std::str::FromStr>(at: &str, text: Option<&str>) -> Result<T, InvalidRequest> {
    text.and_then(|text| text.parse().ok()).ok_or_else(|| {
        InvalidRequest::new(format!(
            "{at}: a UUID in its 36-character hyphenated form is accepted"
        ))
    })
}

fn parts(at: &str, parts: Vec<Object<Part>>) -> Result<Vec<PartContent>, InvalidRequest> {
    if parts.is_empty() {
        return Err(InvalidRequest::new(format!(
            "{at}.parts: at least one part is needed"
        )));
    }
    parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| content(&format!("{at}.parts[{index}]"), part.0))
        .collect()
}

fn content(at: &str, part: Part) -> Result<PartContent, InvalidRequest> {
    match part.kind.as_str() {
        "text" => Ok(PartContent::Text {
            text: bounded(&format!("{at}.text"), part.text, MAX_TEXT)?,
            annotations: Vec::new(),
        }),
        "file" => {
            let media_type = part
                .media_type
                .filter(|media_type| MEDIA_TYPES.contains(&media_type.as_str()))
                .ok_or_else(|| {
                    InvalidRequest::new(format!(
                        "{at}.mediaType: {} is accepted",
                        MEDIA_TYPES.join(" or ")
                    ))
                })?;
            let name = bounded(&format!("{at}.name"), part.name, MAX_NAME)?;
            let url = part
                .url
                .filter(|url| is_inline_image(url) || is_web_url(url))
                .ok_or_else(|| {
                    InvalidRequest::new(format!(
                        "{at}.url: an http or https URL of at most {MAX_URL} characters, or data:image/jpeg;base64,… or data:image/png;base64,… is accepted"
                    ))
                })?;
            Ok(PartContent::File {
                media_type,
                name: Some(name),
                url,
            })
        }
        _ => Err(InvalidRequest::new(format!(
            "{at}.type: \"text\" or \"file\" is accepted"
        ))),
    }
}

/// Whether a URL holds an image of an accepted type itself, in base64.
fn is_inline_image(url: &str) -> bool {
    let Some((media_type, data)) = url
        .strip_prefix("data:")
        .and_then(|url| url.split_once(";base64,"))
    else {
        return false;
    };
    let digits = data.trim_end_matches('=');
    MEDIA_TYPES.contains(&media_type)
        && !digits.is_empty()
        && data.len() - digits.len() <= 2
        && digits
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// Whether it is a URL of the web. The model's server may fetch it and a browser shows it, so no other scheme is taken:
/// `file` would be read on the server's disk, `javascript` be run in the page.
fn is_web_url(url: &str) -> bool {
    url.chars().take(MAX_URL + 1).count() <= MAX_URL
        && url::Url::parse(url).is_ok_and(|url| ["http", "https"].contains(&url.scheme()))
}

fn bounded(at: &str, text: Option<String>, max: usize) -> Result<String, InvalidRequest> {
    text.filter(|text| !text.is_empty() && text.encode_utf16().take(max + 1).count() <= max)
        .ok_or_else(|| {
            InvalidRequest::new(format!(
                "{at}: a text of 1 to {max} characters (UTF-16 units) is accepted"
            ))
        })
}

#[cfg(test)]
mod tests;

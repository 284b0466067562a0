//! The body of `PATCH /api/chat/{id}` (`docs/wire/ai-sdk.md` W28).

use chat_core::{access::Visibility, ports::ConversationChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    InvalidRequest, VisibilityName, is_within,
    wire::{self, Object},
};

/// The longest title that a person gives, in UTF-16 units.
pub const MAX_TITLE: usize = 200;

/// What to change of a conversation; at least one of the two.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct ChangeChatRequest {
    /// The new title: 1 to 200 UTF-16 units without blanks around them, on one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(min_length = 1, max_length = 200)]
    pub title: Option<String>,
    /// Who may read it from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<VisibilityName>)]
    pub visibility: Option<Visibility>,
}

#[derive(Deserialize)]
struct Body {
    title: Option<String>,
    visibility: Option<String>,
}

/// Checks the body of `PATCH /api/chat/{id}`; the title comes without blanks around it.
pub fn decode_change(body: &[u8]) -> Result<ConversationChange, InvalidRequest> {
    let body = wire::parse::<Object<Body>>(body, "")?.0;
    let title = body.title.map(|title| read_title(&title)).transpose()?;
    let visibility = match body.visibility.as_deref() {
        None => None,
        Some("public") => Some(Visibility::Public),
        Some("private") => Some(Visibility::Private),
        Some(_) => {
            return Err(InvalidRequest::new(
                "visibility: \"public\" or \"private\" is accepted",
            ));
        }
    };
    if title.is_none() && visibility.is_none() {
        return Err(InvalidRequest::new(
            "the body: visibility or title is needed",
        ));
    }
    Ok(ConversationChange { title, visibility })
}

fn read_title(title: &str) -> Result<String, InvalidRequest> {
    let title = title.trim();
    if title.is_empty() || title.chars().any(breaks_a_line) || !is_within(title, MAX_TITLE) {
        return Err(InvalidRequest::new(format!(
            "title: a text of 1 to {MAX_TITLE} characters (UTF-16 units) on one line is accepted"
        )));
    }
    Ok(title.to_owned())
}

/// Whether a character ends a line, or turns the direction of what stands around it: a title is shown among other titles,
/// to the readers of a shared chat as well. The marks of right-to-left scripts (U+200E, U+200F) concern themselves alone.
fn breaks_a_line(ch: char) -> bool {
    ch.is_control()
        || matches!(ch, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

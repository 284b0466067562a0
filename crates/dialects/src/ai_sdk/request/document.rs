//! The body of `POST /api/document`, and the time from which `DELETE /api/document` restores (`docs/wire/ai-sdk.md` W28, W29).

use jiff::{Timestamp, fmt::strtime};
use records::DocumentKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    InvalidRequest, bounded,
    wire::{self, Object},
};
use crate::ai_sdk::view::DocumentKindName;

/// The longest title of a document, in UTF-16 units.
pub const MAX_DOCUMENT_TITLE: usize = 1000;

/// The longest text of a document, in bytes. An image's base64 is bounded by the body alone.
pub const MAX_CONTENT: usize = 1024 * 1024;

/// The longest spelling of a time, in bytes.
const MAX_TIME: usize = 128;

/// A version to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveDocument {
    /// Its title.
    pub title: String,
    /// The whole text; may be empty.
    pub content: String,
    /// What sort of document.
    pub kind: DocumentKind,
    /// Whether a person typed it, so that it takes the newest version's place.
    pub is_manual_edit: bool,
}

/// A version of a document.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SaveDocumentRequest {
    /// Its title.
    #[schema(min_length = 1, max_length = 1000)]
    pub title: String,
    /// The whole text, of at most 1 MiB; an image's base64 may be longer.
    pub content: String,
    /// What sort of document.
    pub kind: DocumentKindName,
    /// Whether a person typed it: it takes the newest version's place then, and else is a version of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_manual_edit: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    title: Option<String>,
    content: Option<String>,
    kind: Option<String>,
    is_manual_edit: Option<bool>,
}

/// Checks the body of `POST /api/document`.
pub fn decode_document(body: &[u8]) -> Result<SaveDocument, InvalidRequest> {
    let body = wire::parse::<Object<Body>>(body, "")?.0;
    let title = bounded("title", body.title, MAX_DOCUMENT_TITLE)?;
    let content = body
        .content
        .ok_or_else(|| InvalidRequest::new("content: a string is accepted"))?;
    let kind = body
        .kind
        .as_deref()
        .and_then(DocumentKind::from_name)
        .ok_or_else(|| {
            InvalidRequest::new("kind: \"text\", \"code\", \"image\" or \"sheet\" is accepted")
        })?;
    if kind != DocumentKind::Image && content.len() > MAX_CONTENT {
        return Err(InvalidRequest::new(format!(
            "content: a text of at most {MAX_CONTENT} bytes is accepted"
        )));
    }
    Ok(SaveDocument {
        title,
        content,
        kind,
        is_manual_edit: body.is_manual_edit.unwrap_or_default(),
    })
}

/// The time that the query parameter `timestamp` holds, in milliseconds since the Unix epoch: versions after it go.
///
/// It is RFC 3339 in UTC with any fraction, as answers spell times, or a date as JavaScript's `Date` prints itself, also with
/// its `+` turned into a blank on the way. The latter knows whole seconds only, and stands for the last millisecond of its
/// second, so that the version that it names stays.
pub fn restore_point(text: Option<&str>) -> Result<i64, InvalidRequest> {
    text.filter(|text| text.len() <= MAX_TIME)
        .and_then(|text| utc(text).or_else(|| javascript(text)))
        .ok_or_else(|| {
            InvalidRequest::new("timestamp: a time such as 2025-12-11T20:38:01.007Z is accepted")
        })
}

fn utc(text: &str) -> Option<i64> {
    let is_utc = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    let time: Timestamp = text.parse().ok().filter(|_| is_utc)?;
    // Stored times are whole milliseconds: what is after this one's beginning and not its end is nothing.
    i64::try_from(time.as_nanosecond().div_euclid(1_000_000)).ok()
}

fn javascript(text: &str) -> Option<i64> {
    let date = text.split_once(" (").map_or(text, |(date, _)| date);
    let (local, offset) = date.split_once(" GMT")?;
    let offset = offset
        .strip_prefix(' ')
        .map_or_else(|| offset.to_owned(), |digits| format!("+{digits}"));
    let time = strtime::parse("%a %b %d %Y %H:%M:%S %z", format!("{local} {offset}")).ok()?;
    let ms = time.to_timestamp().ok()?.as_millisecond();
    Some(ms.div_euclid(1000) * 1000 + 999)
}

//! A new message of the user's (`docs/wire/ai-sdk.md` W22).

use chat_core::message::PartContent;

use super::super::{
    InvalidRequest, bounded,
    wire::{Object, Part},
};

/// The longest text of one part, in UTF-16 units, as the frontend counts.
pub const MAX_TEXT: usize = 2000;

/// The longest name of a file, in UTF-16 units, as the frontend counts.
pub const MAX_NAME: usize = 100;

/// The longest `http` or `https` URL of a file, in characters. A `data` URL is bounded by the body alone.
pub const MAX_URL: usize = 2048;

/// Media types of files that a message may hold.
pub const MEDIA_TYPES: [&str; 2] = ["image/jpeg", "image/png"];

pub(super) fn parts(
    at: &str,
    parts: Vec<Object<Part>>,
) -> Result<Vec<PartContent>, InvalidRequest> {
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

//! What the AI SDK chat's routes answer besides streams (`docs/wire/ai-sdk.md` W17, W40 to W49, W51, W53 to W59).

use chat_core::access::Owner;

mod chat;
mod document;
mod message;
mod model;
mod parts;
mod search;
mod suggestion;
mod upload;
mod usage;
mod vote;

pub use chat::{ChatRow, DeletedResponse, HistoryResponse, StopResponse, UNTITLED};
pub use document::{DocumentKindName, DocumentRow};
pub use message::{
    MessageRow, MessagesResponse, RoleName, UiError, UiMessage, UiMetadata, append_message,
};
pub use model::{ModelCapabilities, ModelRow, ModelsResponse};
pub use parts::{UiApproval, UiPart};
pub use search::{MAX_EXCERPT, SearchResponse, SearchResult};
pub use suggestion::SuggestionRow;
pub use upload::UploadResponse;
pub use usage::{ContextView, UsageView};
pub use vote::{VOTED, VoteRow};

/// The first and the last time that can be spelled, in milliseconds since the Unix epoch: the years 1 to 9999.
const SPELLED_MS: (i64, i64) = (-62_135_596_800_000, 253_402_207_199_999);

/// A time as every answer spells it: UTC, three fractional digits, `Z`.
///
/// `ms` are milliseconds since the Unix epoch; a time outside of the years 1 to 9999 is given as the nearest in them.
pub fn timestamp(ms: i64) -> String {
    let time = jiff::Timestamp::from_millisecond(ms.clamp(SPELLED_MS.0, SPELLED_MS.1));
    format!("{:.3}", time.unwrap_or_default())
}

/// The user that an owner is; `None` for an owner that is no user.
fn owner_id(owner: &Owner) -> Option<String> {
    match owner {
        Owner::User(id) | Owner::Browser(id) => Some(id.to_string()),
        Owner::Tenant => None,
    }
}

#[cfg(test)]
mod tests;

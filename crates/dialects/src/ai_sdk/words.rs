//! Words and names that streams and stored messages share, so that a reload shows what the stream showed.

use chat_core::run::RunError;

/// What a reader is told when an answer fell short. Never holds a word of the upstream's.
pub const fn error_text(error: Option<RunError>) -> &'static str {
    match error {
        Some(RunError::Interrupted) => {
            "The server was restarted while answering. The text so far was kept; please send your message again."
        }
        Some(RunError::UpstreamUnavailable) => {
            "The model could not be reached. Please try again in a moment."
        }
        Some(RunError::UpstreamRejected) => {
            "The model refused the request. The operator of this chat has to check its settings."
        }
        Some(RunError::RateLimited) => "The model is busy. Please try again in a minute.",
        Some(RunError::Timeout) => "The model stopped answering. Please try again.",
        Some(RunError::UpstreamBroken) => "The model's answer broke off. Please try again.",
        Some(RunError::ContentFilter) => "The answer was stopped by a content filter.",
        Some(RunError::MaxOutputTokens) => "The answer reached its length limit.",
        Some(RunError::PromptTooLong) => {
            "The conversation is too long for the model. Please start a new one or shorten your message."
        }
        Some(RunError::MaxSteps) => "The answer reached the number of steps it may take.",
        Some(RunError::TooLarge) => "The answer grew too large and was ended.",
        Some(RunError::Internal) | None => "Something went wrong on the server. Please try again.",
    }
}

/// What a tool call that never came to its end is said to have failed of.
pub(super) const CUT_SHORT: &str = "The call was cut short.";

/// What a tool call whose arguments are no JSON is said to have failed of.
pub(super) const NOT_JSON: &str = "The arguments of the call are not valid JSON.";

/// What a denied tool call is said to have failed of, unless its reader gave a reason.
pub(super) const DENIED: &str = "The call was denied.";

pub(super) const TEXT_PREFIX: &str = "txt_";
pub(super) const REASONING_PREFIX: &str = "rsn_";
pub(super) const SOURCE_PREFIX: &str = "src_";

/// What stands between two sections of one reasoning part: a blank line, since the client shows Markdown.
pub(super) const SECTION_BREAK: &str = "\n\n";

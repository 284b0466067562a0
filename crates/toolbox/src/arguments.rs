//! Reads what a model wrote as a call's arguments.

use chat_core::message::ToolResult;
use serde::de::DeserializeOwned;

/// The arguments, or the sentence that lets the model mend them. No arguments at all are an empty object.
pub(crate) fn read<T: DeserializeOwned>(arguments: &str) -> Result<T, ToolResult> {
    let arguments = match arguments.trim() {
        "" => "{}",
        arguments => arguments,
    };
    // Its words name keys, types and unknown variants of what the model wrote itself.
    serde_json::from_str(arguments).map_err(|error| ToolResult::Error {
        message: format!("The arguments do not fit: {error}."),
    })
}

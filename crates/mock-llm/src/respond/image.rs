//! Images: one and the same for every description.
//!
//! Source: `OpenAI`'s API reference, "Create image".

use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::Problem;
use crate::frame::CREATED;
use crate::request::ChatRequest;

/// A PNG of one pixel.
const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

#[derive(Deserialize)]
struct ImageRequest {
    #[serde(default)]
    model: Option<String>,
    #[serde(default)]
    prompt: Option<String>,
}

/// A request for an image as one for an answer to its description, so that the same directives have a say in it.
pub(super) fn as_chat(body: &[u8]) -> Result<ChatRequest, Problem> {
    let Ok(ImageRequest { model, prompt }) = serde_json::from_slice(body) else {
        return ChatRequest::parse(b"");
    };
    let messages: Vec<Value> = prompt
        .map(|prompt| json!({"role": "user", "content": prompt}))
        .into_iter()
        .collect();
    let chat = json!({"model": model, "messages": messages});
    ChatRequest::parse(chat.to_string().as_bytes())
}

pub(super) fn answer() -> Value {
    json!({"created": CREATED, "data": [{"b64_json": PIXEL}]})
}

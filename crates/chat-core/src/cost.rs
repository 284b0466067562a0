//! What a message costs in a prompt: counted once, when it is stored, and kept with it.

use token_budget::{Encoding, message_cost};

use crate::message::{MessageBody, PartContent, Role, TokenCost};

/// What an image counts as; upstreams charge between 85 and about 1,100 tokens for one, by size and detail.
const IMAGE_TOKENS: u32 = 1_100;

/// What a message costs in a prompt, in tokens, overhead of a message included. Long texts are counted on a blocking
/// thread.
pub async fn cost_of(body: &MessageBody, role: Role, encoding: Encoding) -> u32 {
    let (text, images) = counted(body);
    let role = role.as_str();
    let tokens = if text.len() <= token_budget::LARGE_TEXT_BYTES {
        message_cost(encoding, role, &text, None)
    } else {
        let bytes = text.len();
        tokio::task::spawn_blocking(move || message_cost(encoding, role, &text, None))
            .await
            // Counting does not fail; should it ever, a token a byte is an upper bound.
            .unwrap_or_else(|_| u32::try_from(bytes).unwrap_or(u32::MAX))
    };
    tokens.saturating_add(images.saturating_mul(IMAGE_TOKENS))
}

/// The record of what a message costs, to be kept in [`MessageBody::costs`].
pub async fn counted_cost(body: &MessageBody, role: Role, encoding: Encoding) -> TokenCost {
    TokenCost {
        encoding: encoding.as_str().to_owned(),
        tokens: cost_of(body, role, encoding).await,
    }
}

/// The text of a message that a prompt is charged for, and its number of images.
fn counted(body: &MessageBody) -> (String, u32) {
    let mut text = String::new();
    let mut images = 0;
    for part in &body.parts {
        match &part.content {
            PartContent::Text { text: one, .. } | PartContent::Refusal { text: one } => {
                text.push_str(one);
            }
            PartContent::Call(call) => {
                text.push_str(&call.name);
                text.push_str(&call.arguments);
            }
            PartContent::CallOutput { result, .. } => {
                text.push_str(&serde_json::to_string(result).unwrap_or_default());
            }
            PartContent::File { .. } => images += 1,
            PartContent::Reasoning { .. }
            | PartContent::ToolList { .. }
            | PartContent::Source { .. }
            | PartContent::Data { .. }
            | PartContent::Opaque { .. } => {}
        }
    }
    (text, images)
}

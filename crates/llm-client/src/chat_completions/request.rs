//! The body of a request for an answer.

use chat_core::{
    message::ToolResult,
    ports::{ModelRequest, PromptItem, ToolSpec},
};
use serde::Serialize;
use serde_json::Value;

use super::quirks::Quirks;

/// The JSON of a request, in which this model's quirks are minded.
///
/// No sampling parameter is ever sent: reasoning models refuse them, and nobody sets one.
pub(super) fn body(request: &ModelRequest, quirks: Quirks) -> Vec<u8> {
    let (max_tokens, max_completion_tokens) = if quirks.new_limit {
        (None, request.max_output)
    } else {
        (request.max_output, None)
    };
    let body = Body {
        model: &request.model,
        messages: request
            .items
            .iter()
            .map(|item| message(item, &request.model))
            .collect(),
        stream: true,
        stream_options: quirks.stream_options.then_some(StreamOptions {
            include_usage: true,
        }),
        max_tokens,
        max_completion_tokens,
        tools: if quirks.tools {
            request.tools.iter().map(tool).collect()
        } else {
            Vec::new()
        },
    };
    // Strings, numbers and values that were JSON before cannot fail.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Whether models of this name think before they answer and refuse `max_tokens`: o1, o3, o4 and gpt-5 with all that
/// begin so, behind a vendor's name too.
pub(super) fn is_reasoning(model: &str) -> bool {
    let name = bare(model);
    ["o1", "o3", "o4", "gpt-5"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Message<'a>>,
    stream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum Message<'a> {
    System {
        content: &'a str,
    },
    User {
        content: Content<'a>,
    },
    Assistant {
        /// `null` beside calls, as `OpenAI` itself says it.
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<Call<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: String,
    },
}

/// Words alone stay a string: many servers know no parts.
#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Words(&'a str),
    Parts(Vec<Part<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part<'a> {
    Text { text: &'a str },
    ImageUrl { image_url: ImageUrl<'a> },
}

#[derive(Serialize)]
struct ImageUrl<'a> {
    url: &'a str,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: CalledFunction<'a>,
}

#[derive(Serialize)]
struct CalledFunction<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    description: &'a str,
    parameters: &'a Value,
}

fn message<'a>(item: &'a PromptItem, model: &str) -> Message<'a> {
    match item {
        // The first reasoning models refuse the role.
        PromptItem::System(text)
            if ["o1-mini", "o1-preview"]
                .iter()
                .any(|name| bare(model).starts_with(name)) =>
        {
            Message::User {
                content: Content::Words(text),
            }
        }
        PromptItem::System(text) => Message::System { content: text },
        PromptItem::User { text, images } if images.is_empty() => Message::User {
            content: Content::Words(text),
        },
        PromptItem::User { text, images } => {
            let words = (!text.is_empty()).then_some(Part::Text { text });
            let images = images.iter().map(|url| Part::ImageUrl {
                image_url: ImageUrl { url },
            });
            Message::User {
                content: Content::Parts(words.into_iter().chain(images).collect()),
            }
        }
        PromptItem::Assistant { text, calls } => Message::Assistant {
            content: (!text.is_empty() || calls.is_empty()).then_some(text),
            tool_calls: calls
                .iter()
                .map(|call| Call {
                    id: &call.call_id,
                    r#type: "function",
                    function: CalledFunction {
                        name: &call.name,
                        // A call without arguments may have come without text, which is no JSON to some servers.
                        arguments: if call.arguments.trim().is_empty() {
                            "{}"
                        } else {
                            &call.arguments
                        },
                    },
                })
                .collect(),
        },
        PromptItem::Output { call_id, result } => Message::Tool {
            tool_call_id: call_id,
            content: output(result),
        },
    }
}

/// What the model reads of a call's outcome: a text as it is, everything else as JSON.
fn output(result: &ToolResult) -> String {
    match result {
        ToolResult::Output {
            output: Value::String(text),
        } => text.clone(),
        ToolResult::Output { output } => output.to_string(),
        ToolResult::Error { message } => serde_json::json!({ "error": message }).to_string(),
        ToolResult::Denied { reason } => {
            let error = "The user did not allow this call.";
            match reason {
                Some(reason) => serde_json::json!({ "error": error, "reason": reason }),
                None => serde_json::json!({ "error": error }),
            }
            .to_string()
        }
    }
}

fn tool(spec: &ToolSpec) -> Tool<'_> {
    Tool {
        r#type: "function",
        function: Function {
            name: &spec.name,
            description: &spec.description,
            parameters: &spec.parameters,
        },
    }
}

/// The name without a vendor's before it.
fn bare(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

#[cfg(test)]
mod tests;

//! Frames of a Chat Completions stream, as bytes.
//!
//! Source: `OpenAI`'s API reference, "The chat completion chunk object", and recorded streams.

use serde_json::{Value, json};

use crate::compose::Piece;
use crate::scenario::Wire;

/// The creation time in every answer: the same request gets the same bytes.
pub(crate) const CREATED: u64 = 1_700_000_000;
/// The fingerprint in every answer.
pub(crate) const FINGERPRINT: &str = "fp_mock";

/// What all frames of one stream have in common.
#[derive(Debug)]
pub(crate) struct FrameWriter<'a> {
    wire: &'a Wire,
    /// From `{` to the opening of `choices`.
    head: String,
    /// From behind `choices` to `}`.
    tail: &'static str,
}

impl<'a> FrameWriter<'a> {
    /// Frames for the answer `id` of `model`; with `usage_null` each says that the usage comes later.
    pub(crate) fn new(wire: &'a Wire, id: &str, model: &str, usage_null: bool) -> Self {
        let model = Value::from(model);
        let head = format!(
            "{{\"id\":\"{id}\",\"object\":\"chat.completion.chunk\",\"created\":{CREATED},\"model\":{model},\
             \"service_tier\":\"default\",\"system_fingerprint\":\"{FINGERPRINT}\",\"choices\":"
        );
        Self {
            wire,
            head,
            tail: if usage_null { ",\"usage\":null}" } else { "}" },
        }
    }

    /// The frame that opens the message.
    pub(crate) fn opening(&self, out: &mut Vec<u8>, calls_only: bool) {
        let content = if calls_only { "null" } else { "\"\"" };
        self.delta(
            out,
            &format!("{{\"role\":\"assistant\",\"content\":{content},\"refusal\":null}}"),
        );
    }

    /// The frame that adds `piece`; `id` is that of the answer, from which calls take theirs.
    pub(crate) fn piece(&self, out: &mut Vec<u8>, piece: &Piece, id: &str) {
        let delta = match piece {
            Piece::Reasoning(text) => {
                format!("{{\"reasoning_content\":{}}}", Value::from(text.as_str()))
            }
            Piece::Content(text) => format!("{{\"content\":{}}}", Value::from(text.as_str())),
            Piece::Refusal(text) => format!("{{\"refusal\":{}}}", Value::from(text.as_str())),
            Piece::Call { index, name } => {
                let function = json!({"name": name, "arguments": ""});
                let call = call_id(id, *index);
                format!(
                    "{{\"tool_calls\":[{{\"index\":{index},\"id\":\"{call}\",\"type\":\"function\",\
                     \"function\":{function}}}]}}"
                )
            }
            Piece::Arguments { index, text } => format!(
                "{{\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":{}}}}}]}}",
                Value::from(text.as_str())
            ),
        };
        self.delta(out, &delta);
    }

    /// The frame with the finish reason.
    pub(crate) fn finish(&self, out: &mut Vec<u8>, reason: &str) {
        let reason = Value::from(reason);
        self.choices(
            out,
            &format!(
                "[{{\"index\":0,\"delta\":{{}},\"logprobs\":null,\"finish_reason\":{reason}}}]"
            ),
        );
    }

    /// A frame whose choice has no `delta`.
    pub(crate) fn without_delta(&self, out: &mut Vec<u8>) {
        self.choices(out, "[{\"index\":0,\"finish_reason\":null}]");
    }

    /// The frame with the usage, which has no choice.
    pub(crate) fn usage(&self, out: &mut Vec<u8>, usage: &Value) {
        self.data(out, &format!("{}[],\"usage\":{usage}}}", self.head));
    }

    /// Azure's first frame: no choice, and what its filters found in the prompt.
    pub(crate) fn azure_opening(&self, out: &mut Vec<u8>) {
        let safe = json!({"filtered": false, "severity": "safe"});
        let found = json!({"hate": safe, "self_harm": safe, "sexual": safe, "violence": safe});
        let frame = json!({
            "choices": [], "created": 0, "id": "", "model": "", "object": "",
            "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": found}],
        });
        self.data(out, &frame.to_string());
    }

    /// A content frame whose line has `bytes` bytes, or as few as a frame needs.
    pub(crate) fn huge(&self, out: &mut Vec<u8>, bytes: usize) {
        let start = out.len();
        self.piece(out, &Piece::Content(String::new()), "");
        let line = out.len() - start - 2 * self.wire.line_end.as_bytes().len();
        out.truncate(start);
        self.piece(
            out,
            &Piece::Content("x".repeat(bytes.saturating_sub(line))),
            "",
        );
    }

    /// A data line that is not JSON.
    pub(crate) fn malformed(&self, out: &mut Vec<u8>) {
        self.data(
            out,
            "{\"id\":\"chatcmpl-broken\",\"choices\":[{\"delta\":{\"content\":",
        );
    }

    /// One data line with this text.
    pub(crate) fn data(&self, out: &mut Vec<u8>, text: &str) {
        let end = self.wire.line_end.as_bytes();
        out.extend_from_slice(if self.wire.tight { b"data:" } else { b"data: " });
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(end);
        out.extend_from_slice(end);
    }

    /// A comment, which a reader has to pass over.
    pub(crate) fn comment(&self, out: &mut Vec<u8>) {
        let end = self.wire.line_end.as_bytes();
        out.extend_from_slice(b": keep-alive");
        out.extend_from_slice(end);
        out.extend_from_slice(end);
    }

    fn delta(&self, out: &mut Vec<u8>, delta: &str) {
        self.choices(
            out,
            &format!(
                "[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":null}}]"
            ),
        );
    }

    fn choices(&self, out: &mut Vec<u8>, choices: &str) {
        self.data(out, &format!("{}{choices}{}", self.head, self.tail));
    }
}

/// The id of call `index` of the answer `id`.
pub(crate) fn call_id(id: &str, index: usize) -> String {
    let unique = id.rsplit('-').next().unwrap_or_default();
    format!("call_{unique}_{index}")
}

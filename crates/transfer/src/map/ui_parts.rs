//! The parts of a message as the AI chatbot stores them.

use std::collections::HashSet;

use chat_core::message::{
    Call, Executor, MessageBody, MessageStatus, Part, PartContent, PartStatus, Role, ToolKind,
    ToolResult,
};
use serde_json::{Map, Value};

use super::text_part;

/// What the reader is shown of a failure that has no words.
const FAILED: &str = "The tool failed.";

/// The body of a message with these parts, written at this time.
///
/// A state of an unfinished text is not kept: whatever is stored is done. What has no meaning here is kept as it came.
pub(super) fn body(role: Role, parts: Vec<Value>, at_ms: i64) -> Result<MessageBody, String> {
    let mut writer = Writer {
        role,
        at_ms,
        step: None,
        parts: Vec::new(),
        calls: HashSet::new(),
    };
    for (number, part) in (1..).zip(parts) {
        let Value::Object(part) = part else {
            return Err(format!("part {number}: an object is accepted"));
        };
        writer
            .part(part)
            .map_err(|fault| format!("part {number}: {fault}"))?;
    }
    Ok(MessageBody {
        parts: writer.parts,
        status: MessageStatus::Completed,
        ..MessageBody::default()
    })
}

struct Writer {
    role: Role,
    at_ms: i64,
    step: Option<u32>,
    parts: Vec<Part>,
    calls: HashSet<String>,
}

impl Writer {
    fn part(&mut self, mut part: Map<String, Value>) -> Result<(), &'static str> {
        let kind = string(&mut part, "type").ok_or("type: a text is accepted")?;
        match kind.as_str() {
            "step-start" => {
                if self.role == Role::Assistant {
                    self.step = Some(self.step.map_or(0, |step| step + 1));
                }
            }
            "text" => {
                let text = string(&mut part, "text").ok_or("text: a text is accepted")?;
                if !text.is_empty() {
                    self.push(text_part(text), PartStatus::Completed);
                }
            }
            "reasoning" => {
                let text = string(&mut part, "text")
                    .or_else(|| string(&mut part, "reasoning"))
                    .ok_or("text: a text is accepted")?;
                if !text.is_empty() {
                    let content = PartContent::Reasoning {
                        summary: Vec::new(),
                        text: vec![text],
                        encrypted: None,
                    };
                    self.push(content, PartStatus::Completed);
                }
            }
            "file" => self.file(part)?,
            "source-url" => {
                let content = PartContent::Source {
                    url: string(&mut part, "url").ok_or("url: a text is accepted")?,
                    title: string(&mut part, "title"),
                };
                self.push(content, PartStatus::Completed);
            }
            "dynamic-tool" => {
                let name = string(&mut part, "toolName").ok_or("toolName: a text is accepted")?;
                self.tool(name, part);
            }
            "tool-invocation" => {
                let Some(Value::Object(invocation)) = part.remove("toolInvocation") else {
                    return Err("toolInvocation: an object is accepted");
                };
                self.invocation(invocation)?;
            }
            other => {
                if let Some(name) = other.strip_prefix("tool-") {
                    let name = name.to_owned();
                    self.tool(name, part);
                } else if let Some(name) = other.strip_prefix("data-") {
                    let content = PartContent::Data {
                        name: name.to_owned(),
                        id: string(&mut part, "id"),
                        data: part.remove("data").unwrap_or_default(),
                    };
                    self.push(content, PartStatus::Completed);
                } else {
                    part.insert("type".to_owned(), Value::String(kind.clone()));
                    let content = PartContent::Opaque {
                        name: kind,
                        raw: Value::Object(part),
                    };
                    self.push(content, PartStatus::Completed);
                }
            }
        }
        Ok(())
    }

    fn file(&mut self, mut part: Map<String, Value>) -> Result<(), &'static str> {
        let content = PartContent::File {
            media_type: string(&mut part, "mediaType")
                .or_else(|| string(&mut part, "mimeType"))
                .or_else(|| string(&mut part, "contentType"))
                .unwrap_or_else(|| "application/octet-stream".to_owned()),
            name: string(&mut part, "name").or_else(|| string(&mut part, "filename")),
            url: string(&mut part, "url").ok_or("url: a text is accepted")?,
        };
        self.push(content, PartStatus::Completed);
        Ok(())
    }

    /// A tool's call, with what it gave.
    fn tool(&mut self, name: String, mut part: Map<String, Value>) {
        let state = string(&mut part, "state").unwrap_or_default();
        // Arguments that did not fit the tool are stored as `rawInput`, as the model wrote them.
        let arguments = match (part.remove("input"), part.remove("rawInput")) {
            (None | Some(Value::Null), Some(Value::String(raw))) => raw,
            (None | Some(Value::Null), Some(raw)) if !raw.is_null() => raw.to_string(),
            (input, _) => input.map_or_else(|| "{}".to_owned(), |input| input.to_string()),
        };
        let reason = part
            .get_mut("approval")
            .and_then(|approval| approval.get_mut("reason"))
            .and_then(|reason| reason.as_str().map(str::to_owned));
        let result = match state.as_str() {
            "output-available" => Some(ToolResult::Output {
                output: part.remove("output").unwrap_or_default(),
            }),
            "output-error" => Some(ToolResult::Error {
                message: string(&mut part, "errorText").unwrap_or_else(|| FAILED.to_owned()),
            }),
            "output-denied" => Some(ToolResult::Denied { reason }),
            _ => None,
        };
        // A call that was cut off while its arguments were written never ran.
        let whole = state != "input-streaming";
        let call_id = string(&mut part, "toolCallId");
        self.call(name, call_id, arguments, whole, result);
    }

    /// A tool's call as the template stored it before the parts of today.
    fn invocation(&mut self, mut part: Map<String, Value>) -> Result<(), &'static str> {
        let name = string(&mut part, "toolName").ok_or("toolName: a text is accepted")?;
        let state = string(&mut part, "state");
        let result = (state.as_deref() == Some("result")).then(|| ToolResult::Output {
            output: part.remove("result").unwrap_or_default(),
        });
        let arguments = part
            .remove("args")
            .map_or_else(|| "{}".to_owned(), |args| args.to_string());
        let call_id = string(&mut part, "toolCallId");
        let whole = state.as_deref() != Some("partial-call");
        self.call(name, call_id, arguments, whole, result);
        Ok(())
    }

    fn call(
        &mut self,
        name: String,
        call_id: Option<String>,
        arguments: String,
        whole: bool,
        result: Option<ToolResult>,
    ) {
        let ordinal = self.ordinal();
        let mut call_id = call_id.unwrap_or_else(|| format!("call_{ordinal}"));
        if !self.calls.insert(call_id.clone()) {
            call_id = format!("{call_id}_{ordinal}");
            self.calls.insert(call_id.clone());
        }
        let status = if whole {
            PartStatus::Completed
        } else {
            PartStatus::Incomplete
        };
        let call = Call {
            call_id,
            name,
            tool: ToolKind::Function,
            executor: Executor::Server,
            arguments,
            code: None,
            approval: None,
        };
        self.push(PartContent::Call(call), status);
        if let Some(result) = result {
            let content = PartContent::CallOutput {
                call: ordinal,
                result,
            };
            self.push(content, PartStatus::Completed);
        }
    }

    fn ordinal(&self) -> u32 {
        u32::try_from(self.parts.len()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, content: PartContent, status: PartStatus) {
        let part = Part {
            ordinal: self.ordinal(),
            leg: None,
            step: self.step,
            status,
            started_at_ms: self.at_ms,
            finished_at_ms: Some(self.at_ms),
            alias: None,
            content,
        };
        self.parts.push(part);
    }
}

/// Takes a text out of an object.
fn string(object: &mut Map<String, Value>, key: &str) -> Option<String> {
    match object.remove(key) {
        Some(Value::String(text)) => Some(text),
        Some(_) | None => None,
    }
}

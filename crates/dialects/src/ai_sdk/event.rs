//! Run events as the chunks that the AI SDK's stream parser takes (`docs/wire/ai-sdk.md` W1 to W3, W7 to W16).

use chat_core::{
    event::{EventKind, Field, RunEvent},
    message::{Call, PartContent, PartStatus, ToolResult},
    run::{Leg, Outcome, RunError, Usage},
};
use serde_json::Value;
use uuid::Uuid;

use self::chunk::{chunk, text_json};
use super::{
    chunks::AiSdkChunks,
    view::UsageView,
    words::{
        CUT_SHORT, DENIED, NOT_JSON, REASONING_PREFIX, SECTION_BREAK, SOURCE_PREFIX, TEXT_PREFIX,
        error_text,
    },
};
use crate::{
    frame::{Encoder, FrameSink},
    ids,
};

mod chunk;

/// Encodes the events of one leg.
#[derive(Debug)]
pub struct AiSdkEncoder {
    chunks: AiSdkChunks,
    message: Uuid,
    window: u32,
    model: String,
    usage: Option<Usage>,
    open: Vec<Open>,
    /// Ordinals and ids, as JSON texts, of the calls that the client knows.
    calls: Vec<(u32, Vec<u8>)>,
}

/// A part that grows.
#[derive(Debug)]
struct Open {
    part: u32,
    /// Its id as a JSON text, made once: it stands in every delta.
    id: Vec<u8>,
    kind: OpenKind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum OpenKind {
    Text,
    /// With the section that grew last; `None` before the first.
    Reasoning(Option<Field>),
    Call,
}

impl AiSdkEncoder {
    /// An encoder for this leg. Only what was fixed when the leg was opened is read.
    pub fn new(leg: &Leg) -> Self {
        Self {
            chunks: AiSdkChunks::of(leg),
            message: leg.message.uuid(),
            window: leg.settings.window,
            model: leg.settings.model.clone(),
            usage: None,
            open: Vec::new(),
            calls: Vec::new(),
        }
    }

    fn part_started(&mut self, part: u32, head: &PartContent, out: &mut FrameSink) {
        match head {
            PartContent::Text { .. } | PartContent::Refusal { .. } => {
                let id = self.face(TEXT_PREFIX, part);
                out.frame(|to| chunk(to, "text-start").raw("id", &id).end());
                self.opened(part, id, OpenKind::Text);
            }
            PartContent::Reasoning { .. } => {
                let id = self.face(REASONING_PREFIX, part);
                out.frame(|to| chunk(to, "reasoning-start").raw("id", &id).end());
                self.opened(part, id, OpenKind::Reasoning(None));
            }
            PartContent::Call(call) => {
                let id = text_json(&call.call_id);
                out.frame(|to| {
                    chunk(to, "tool-input-start")
                        .raw("toolCallId", &id)
                        .text("toolName", &call.name)
                        .end();
                });
                self.calls.push((part, id.clone()));
                self.opened(part, id, OpenKind::Call);
            }
            // Told whole when they are finished, or not told at all.
            PartContent::CallOutput { .. }
            | PartContent::ToolList { .. }
            | PartContent::File { .. }
            | PartContent::Source { .. }
            | PartContent::Data { .. }
            | PartContent::Opaque { .. } => {}
        }
    }

    fn part_delta(&mut self, part: u32, field: Field, text: &str, out: &mut FrameSink) {
        // The part that grows is nearly always the one opened last. One that is not open was never announced, and a
        // delta of it would end the client's stream.
        let Some(open) = self.open.iter_mut().rev().find(|open| open.part == part) else {
            return;
        };
        let id = &open.id;
        match (&mut open.kind, field) {
            (OpenKind::Text, Field::Text | Field::Refusal) => {
                out.frame(|to| {
                    chunk(to, "text-delta")
                        .raw("id", id)
                        .text("delta", text)
                        .end();
                });
            }
            (OpenKind::Reasoning(last), Field::Reasoning(_) | Field::Summary(_)) => {
                let breaks = last.is_some_and(|last| last != field);
                *last = Some(field);
                out.frame(|to| {
                    let chunk = chunk(to, "reasoning-delta").raw("id", id);
                    if breaks {
                        chunk.text("delta", &format!("{SECTION_BREAK}{text}"))
                    } else {
                        chunk.text("delta", text)
                    }
                    .end();
                });
            }
            (OpenKind::Call, Field::Arguments) => {
                out.frame(|to| {
                    chunk(to, "tool-input-delta")
                        .raw("toolCallId", id)
                        .text("inputTextDelta", text)
                        .end();
                });
            }
            // A field that the part does not have.
            _ => {}
        }
    }

    fn part_finished(
        &mut self,
        part: u32,
        status: PartStatus,
        content: &PartContent,
        out: &mut FrameSink,
    ) {
        let open = self
            .open
            .iter()
            .rposition(|open| open.part == part)
            .map(|at| self.open.remove(at));
        if let Some(open) = open {
            match open.kind {
                OpenKind::Text => {
                    out.frame(|to| chunk(to, "text-end").raw("id", &open.id).end());
                }
                OpenKind::Reasoning(_) => {
                    out.frame(|to| chunk(to, "reasoning-end").raw("id", &open.id).end());
                }
                OpenKind::Call => {
                    if let PartContent::Call(call) = content {
                        call_finished(status, call, &open.id, out);
                    }
                }
            }
            return;
        }
        match content {
            PartContent::File {
                media_type, url, ..
            } => out.frame(|to| {
                chunk(to, "file")
                    .text("url", url)
                    .text("mediaType", media_type)
                    .end();
            }),
            PartContent::Source { url, title } => {
                let id = self.face(SOURCE_PREFIX, part);
                out.frame(|to| {
                    chunk(to, "source-url")
                        .raw("sourceId", &id)
                        .text("url", url)
                        .optional("title", title.as_deref())
                        .end();
                });
            }
            PartContent::Data { name, id, data } => {
                data_frame(name, id.as_deref(), data, false, out);
            }
            // Never announced, or closed with its step; or without a chunk of its own.
            PartContent::Text { .. }
            | PartContent::Refusal { .. }
            | PartContent::Reasoning { .. }
            | PartContent::Call(_)
            | PartContent::CallOutput { .. }
            | PartContent::ToolList { .. }
            | PartContent::Opaque { .. } => {}
        }
    }

    fn tool_finished(&self, part: u32, result: &ToolResult, out: &mut FrameSink) {
        // An output for a call that the client never saw would end its stream.
        let Some(id) = self.call(part) else { return };
        match result {
            ToolResult::Output { output } => out.frame(|to| {
                chunk(to, "tool-output-available")
                    .raw("toolCallId", id)
                    .json("output", output)
                    .end();
            }),
            ToolResult::Error { message } => out.frame(|to| {
                chunk(to, "tool-output-error")
                    .raw("toolCallId", id)
                    .text("errorText", message)
                    .end();
            }),
            ToolResult::Denied { .. } if self.chunks.has_approvals() => {
                out.frame(|to| chunk(to, "tool-output-denied").raw("toolCallId", id).end());
            }
            ToolResult::Denied { reason } => out.frame(|to| {
                chunk(to, "tool-output-error")
                    .raw("toolCallId", id)
                    .text("errorText", reason.as_deref().unwrap_or(DENIED))
                    .end();
            }),
        }
    }

    fn ended(
        &self,
        outcome: Outcome,
        error: Option<RunError>,
        usage: Option<Usage>,
        out: &mut FrameSink,
    ) {
        if error == Some(RunError::Interrupted) {
            out.stop_skipping();
        }
        match outcome {
            Outcome::Completed | Outcome::Incomplete => {
                out.frame(|to| chunk(to, "finish").end());
                if let Some(usage) = usage.or(self.usage) {
                    let usage = UsageView::new(&usage, Some(&self.model), Some(self.window));
                    out.frame(|to| {
                        chunk(to, "data-usage")
                            .json("data", &usage)
                            .flag("transient", true)
                            .end();
                    });
                }
            }
            Outcome::Failed => out.frame(|to| {
                chunk(to, "error")
                    .text("errorText", error_text(error))
                    .end();
            }),
            Outcome::Cancelled | Outcome::Expired => out.frame(|to| chunk(to, "abort").end()),
        }
        done(out);
    }

    fn opened(&mut self, part: u32, id: Vec<u8>, kind: OpenKind) {
        self.open.push(Open { part, id, kind });
    }

    fn call(&self, part: u32) -> Option<&[u8]> {
        self.calls
            .iter()
            .find(|(ordinal, _)| *ordinal == part)
            .map(|(_, id)| id.as_slice())
    }

    fn face(&self, prefix: &str, part: u32) -> Vec<u8> {
        text_json(&ids::encode(prefix, self.message, part))
    }
}

impl Encoder for AiSdkEncoder {
    fn event(&mut self, event: &RunEvent, out: &mut FrameSink) {
        match &event.kind {
            EventKind::PartDelta { part, field, text } => self.part_delta(*part, *field, text, out),
            EventKind::LegOpened { message, .. } => out.frame(|to| {
                chunk(to, "start").json("messageId", message).end();
            }),
            EventKind::StepStarted { model, .. } => {
                self.model.clone_from(model);
                out.frame(|to| chunk(to, "start-step").end());
            }
            EventKind::PartStarted { part, head, .. } => self.part_started(*part, head, out),
            EventKind::PartFinished {
                part,
                status,
                content,
            } => self.part_finished(*part, *status, content, out),
            EventKind::ToolFinished { part, result, .. } => self.tool_finished(*part, result, out),
            EventKind::ApprovalRequested { part, approval } if self.chunks.has_approvals() => {
                if let Some(id) = self.call(*part) {
                    out.frame(|to| {
                        chunk(to, "tool-approval-request")
                            .text("approvalId", approval)
                            .raw("toolCallId", id)
                            .end();
                    });
                }
            }
            EventKind::Retitled { title } => out.frame(|to| {
                chunk(to, "data-chat-title")
                    .text("data", title)
                    .flag("transient", true)
                    .end();
            }),
            EventKind::Data {
                name,
                id,
                data,
                transient,
            } => data_frame(name, id.as_deref(), data, *transient, out),
            EventKind::StepFinished { usage, .. } => {
                if let Some(usage) = usage {
                    self.usage = Some(self.usage.unwrap_or_default().plus(*usage));
                }
                // The client closes texts and reasoning at the end of a step, and takes no more of them.
                self.open.retain(|open| open.kind == OpenKind::Call);
                out.frame(|to| chunk(to, "finish-step").end());
            }
            EventKind::Paused { .. } => {
                out.frame(|to| chunk(to, "finish").end());
                done(out);
            }
            EventKind::Ended {
                outcome,
                error,
                usage,
                ..
            } => self.ended(*outcome, *error, *usage, out),
            EventKind::LegTaken
            | EventKind::PartAnnotated { .. }
            | EventKind::ToolStatus { .. }
            | EventKind::ToolOutput { .. }
            | EventKind::ApprovalRequested { .. }
            | EventKind::DocumentOpened { .. }
            | EventKind::DocumentDelta { .. }
            | EventKind::DocumentStored { .. }
            | EventKind::SuggestionMade { .. }
            | EventKind::StopRequested { .. }
            | EventKind::Foreign => {}
        }
    }
}

fn call_finished(status: PartStatus, call: &Call, id: &[u8], out: &mut FrameSink) {
    match (status, input(&call.arguments)) {
        (PartStatus::Completed, Some(input)) => out.frame(|to| {
            chunk(to, "tool-input-available")
                .raw("toolCallId", id)
                .text("toolName", &call.name)
                .json("input", &input)
                .end();
        }),
        (status, _) => {
            let why = match status {
                PartStatus::Completed => NOT_JSON,
                PartStatus::InProgress | PartStatus::Incomplete => CUT_SHORT,
            };
            out.frame(|to| {
                chunk(to, "tool-input-error")
                    .raw("toolCallId", id)
                    .text("toolName", &call.name)
                    .text("input", &call.arguments)
                    .text("errorText", why)
                    .end();
            });
        }
    }
}

/// A call's arguments as JSON, or `None` if the model broke them. None at all are an empty object.
pub(super) fn input(arguments: &str) -> Option<Value> {
    if arguments.trim().is_empty() {
        return Some(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_str(arguments).ok()
}

fn data_frame(name: &str, id: Option<&str>, data: &Value, transient: bool, out: &mut FrameSink) {
    out.frame(|to| {
        chunk(to, &format!("data-{name}"))
            .optional("id", id)
            .json("data", data)
            .flag("transient", transient)
            .end();
    });
}

/// The last frame of every stream.
pub(super) fn done(out: &mut FrameSink) {
    out.frame(|to| to.extend_from_slice(b"[DONE]"));
}

#[cfg(test)]
mod tests;

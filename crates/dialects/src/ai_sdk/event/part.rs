//! Parts: texts, reasoning, the beginnings and ends of calls, and what is told whole (`docs/wire/ai-sdk.md` W9 to W11, W13).

use chat_core::{
    event::Field,
    message::{Call, PartContent, PartStatus},
};
use serde_json::Value;

use super::{
    AiSdkEncoder,
    chunk::{chunk, text_json},
};
use crate::{
    ai_sdk::words::{
        CUT_SHORT, NOT_JSON, REASONING_PREFIX, SECTION_BREAK, SOURCE_PREFIX, TEXT_PREFIX,
    },
    frame::FrameSink,
    ids,
};

/// A part that grows.
#[derive(Debug)]
pub(super) struct Open {
    part: u32,
    /// Its id as a JSON text, made once: it stands in every delta.
    id: Vec<u8>,
    kind: OpenKind,
}

impl Open {
    /// Whether the end of its step closes it. Calls outlive their step.
    pub(super) fn is_of_step(&self) -> bool {
        self.kind != OpenKind::Call
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum OpenKind {
    Text,
    /// With the section that grew last; `None` before the first.
    Reasoning(Option<Field>),
    Call,
}

impl AiSdkEncoder {
    pub(super) fn part_started(&mut self, part: u32, head: &PartContent, out: &mut FrameSink) {
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
                self.know_call(part, id.clone());
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

    pub(super) fn part_delta(&mut self, part: u32, field: Field, text: &str, out: &mut FrameSink) {
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

    pub(super) fn part_finished(
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

    fn opened(&mut self, part: u32, id: Vec<u8>, kind: OpenKind) {
        self.open.push(Open { part, id, kind });
    }

    fn face(&self, prefix: &str, part: u32) -> Vec<u8> {
        text_json(&ids::encode(prefix, self.message, part))
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
pub(in crate::ai_sdk) fn input(arguments: &str) -> Option<Value> {
    if arguments.trim().is_empty() {
        return Some(Value::Object(serde_json::Map::new()));
    }
    serde_json::from_str(arguments).ok()
}

pub(super) fn data_frame(
    name: &str,
    id: Option<&str>,
    data: &Value,
    transient: bool,
    out: &mut FrameSink,
) {
    out.frame(|to| {
        chunk(to, &format!("data-{name}"))
            .optional("id", id)
            .json("data", data)
            .flag("transient", transient)
            .end();
    });
}

//! Run events as the chunks that the AI SDK's stream parser takes (`docs/wire/ai-sdk.md` W1 to W3, W7 to W19).

use chat_core::{
    event::{EventKind, RunEvent},
    run::{Leg, Usage},
};
use uuid::Uuid;

use self::{
    artifact::{Artifacts, FINISH, SuggestionData, suggestion_frame},
    chunk::chunk,
    part::{Open, data_frame},
};
use super::chunks::AiSdkChunks;
use crate::frame::{Encoder, FrameSink};

mod artifact;
mod call;
mod chunk;
mod close;
mod part;

pub(super) use close::done;
pub(super) use part::input;

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
    artifacts: Artifacts,
    withholds_documents: bool,
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
            artifacts: Artifacts::default(),
            withholds_documents: false,
        }
    }

    /// The same for a reader who may not read the documents of whoever asked: what is written to them, and suggestions to
    /// them, have their numbers and are not written (`docs/wire/ai-sdk.md` W66).
    #[must_use]
    pub fn without_documents(self) -> Self {
        Self {
            withholds_documents: true,
            ..self
        }
    }
}

impl Encoder for AiSdkEncoder {
    fn event(&mut self, event: &RunEvent, out: &mut FrameSink) {
        let is_withheld = self.withholds_documents && is_of_documents(&event.kind);
        out.withheld(is_withheld, |out| self.encode(event, out));
    }
}

impl AiSdkEncoder {
    fn encode(&mut self, event: &RunEvent, out: &mut FrameSink) {
        match &event.kind {
            EventKind::PartDelta { part, field, text } => self.part_delta(*part, *field, text, out),
            EventKind::LegOpened {
                message, answers, ..
            } => {
                out.frame(|to| {
                    chunk(to, "start").json("messageId", message).end();
                });
                self.answered(answers, out);
            }
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
            EventKind::ApprovalRequested { part, approval } => {
                self.approval_requested(*part, approval, out);
            }
            EventKind::DocumentOpened {
                document,
                document_kind,
                title,
                new,
            } => self
                .artifacts
                .opened(document, document_kind, new.then_some(title), out),
            EventKind::DocumentDelta { document, text } => {
                self.artifacts.grown(document, text, out);
            }
            EventKind::DocumentStored { document, .. } => self.artifacts.stored(document, out),
            EventKind::SuggestionMade {
                document,
                suggestion,
                original,
                suggested,
                description,
            } => suggestion_frame(
                &SuggestionData {
                    id: suggestion,
                    document_id: document,
                    original_text: original,
                    suggested_text: suggested,
                    description: description.as_deref(),
                    is_resolved: false,
                },
                out,
            ),
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
            } => {
                if name == FINISH {
                    self.artifacts.finished(out);
                }
                data_frame(name, id.as_deref(), data, *transient, out);
            }
            EventKind::StepFinished { usage, .. } => {
                if let Some(usage) = usage {
                    self.usage = Some(self.usage.unwrap_or_default().plus(*usage));
                }
                // The client closes texts and reasoning at the end of a step, and takes no more of them.
                self.open.retain(|open| !open.is_of_step());
                out.frame(|to| chunk(to, "finish-step").end());
            }
            EventKind::Paused { .. } => close::paused(out),
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
            | EventKind::StopRequested { .. }
            | EventKind::Foreign => {}
        }
    }
}

/// Whether what an event tells is of a document, which may be another's than the chat's readers'.
fn is_of_documents(kind: &EventKind) -> bool {
    matches!(
        kind,
        EventKind::DocumentOpened { .. }
            | EventKind::DocumentDelta { .. }
            | EventKind::DocumentStored { .. }
            | EventKind::SuggestionMade { .. }
    ) || matches!(kind, EventKind::Data { name, .. } if name == FINISH)
}

#[cfg(test)]
mod tests;

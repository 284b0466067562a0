//! Folds a leg's events into the message they write: the one way to it, for the engine, for readers who poll, for
//! recovery and for import.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    event::{CallAnswer, EventKind, Field, Reply, RunEvent},
    id::LegId,
    message::{Approval, MessageBody, MessageStatus, Part, PartContent, PartStatus, ToolResult},
    run::{Leg, Outcome, RunError, RunStatus, Usage},
};

/// What a leg's events have come to so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    leg: LegId,
    parts: Vec<Part>,
    last_n: u32,
    step: Option<u32>,
    steps: u32,
    /// How many steps the legs before this one took.
    prior_steps: u32,
    model: Option<String>,
    /// What the legs before this one cost.
    prior_usage: Option<Usage>,
    usage: Option<Usage>,
    /// What the run cost, as its end says.
    total: Option<Usage>,
    closing: Option<Closing>,
}

/// How a leg closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closing {
    /// Its run waits for a client, until this time in milliseconds since the Unix epoch.
    Paused(i64),
    /// Its run is over.
    Ended(Outcome, Option<RunError>),
}

impl Fold {
    /// An empty fold of this leg, continuing a message that has these parts already.
    pub fn new(leg: LegId, prior: Vec<Part>) -> Self {
        Self::after(leg, prior, None)
    }

    /// An empty fold of this leg, continuing a message that has these parts already and cost this much so far.
    pub fn after(leg: LegId, prior: Vec<Part>, usage: Option<Usage>) -> Self {
        let steps = prior.iter().filter_map(|part| part.step).max();
        let steps = steps.map_or(0, |last| last.saturating_add(1));
        Self {
            leg,
            parts: prior,
            last_n: 0,
            step: None,
            steps,
            prior_steps: steps,
            model: None,
            prior_usage: usage,
            usage: None,
            total: None,
            closing: None,
        }
    }

    /// Takes the next event in. An event that was taken before is passed over.
    pub fn apply(&mut self, event: &RunEvent) {
        if event.n <= self.last_n {
            return;
        }
        self.last_n = event.n;
        match &event.kind {
            EventKind::LegOpened { answers, .. } => {
                for answer in answers {
                    take_answer(&mut self.parts, answer, self.leg, event.at_ms);
                }
            }
            EventKind::StepStarted { step, model, .. } => {
                self.step = Some(*step);
                self.steps = step.saturating_add(1);
                self.model = Some(model.clone());
            }
            EventKind::PartStarted {
                part,
                step,
                head,
                alias,
            } => self.parts.push(Part {
                ordinal: *part,
                leg: Some(self.leg),
                step: Some(*step),
                status: PartStatus::InProgress,
                started_at_ms: event.at_ms,
                finished_at_ms: None,
                alias: alias.clone(),
                content: head.clone(),
            }),
            EventKind::PartDelta { part, field, text } => {
                if let Some(part) = self.part_mut(*part) {
                    add(&mut part.content, *field, text);
                }
            }
            EventKind::PartAnnotated {
                part, annotation, ..
            } => self.annotate(*part, annotation),
            EventKind::PartFinished {
                part,
                status,
                content,
            } => {
                if let Some(part) = self.part_mut(*part) {
                    part.status = *status;
                    part.finished_at_ms = Some(event.at_ms);
                    part.content = PartContent::clone(content);
                }
            }
            EventKind::ToolFinished {
                part,
                output_part,
                result,
            } => {
                let result = result.clone();
                push_output(
                    &mut self.parts,
                    *output_part,
                    (*part, result),
                    self.leg,
                    event.at_ms,
                );
            }
            EventKind::StepFinished { usage, .. } => {
                self.step = None;
                if let Some(usage) = usage {
                    self.usage = Some(self.usage.unwrap_or_default().plus(*usage));
                }
            }
            EventKind::ApprovalRequested { part, approval } => self.ask(*part, approval),
            EventKind::Paused { expires_at_ms, .. } => {
                self.closing = Some(Closing::Paused(*expires_at_ms));
            }
            EventKind::Ended {
                outcome,
                error,
                usage,
                ..
            } => {
                self.closing = Some(Closing::Ended(*outcome, *error));
                self.total = *usage;
            }
            EventKind::LegTaken
            | EventKind::ToolStatus { .. }
            | EventKind::ToolOutput { .. }
            | EventKind::DocumentOpened { .. }
            | EventKind::DocumentDelta { .. }
            | EventKind::DocumentStored { .. }
            | EventKind::SuggestionMade { .. }
            | EventKind::Retitled { .. }
            | EventKind::Data { .. }
            | EventKind::StopRequested { .. }
            | EventKind::Foreign => {}
        }
    }

    /// Takes a delta in, as [`Fold::apply`] does, without an event being built for it.
    pub fn grow(&mut self, n: u32, part: u32, field: Field, text: &str) {
        if n > self.last_n {
            self.last_n = n;
            if let Some(part) = self.part_mut(part) {
                add(&mut part.content, field, text);
            }
        }
    }

    /// The message's parts so far, by ordinal.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The part with this ordinal.
    pub fn part(&self, ordinal: u32) -> Option<&Part> {
        self.parts.iter().find(|part| part.ordinal == ordinal)
    }

    /// The ordinal that the next part takes.
    pub fn next_ordinal(&self) -> u32 {
        next_ordinal(&self.parts)
    }

    /// The number of the last event taken in; 0 before the first.
    pub const fn last_n(&self) -> u32 {
        self.last_n
    }

    /// The step that is going, if one is.
    pub const fn open_step(&self) -> Option<u32> {
        self.step
    }

    /// How many steps of the run were begun.
    pub const fn steps(&self) -> u32 {
        self.steps
    }

    /// How many of them this leg began.
    pub const fn own_steps(&self) -> u32 {
        self.steps.saturating_sub(self.prior_steps)
    }

    /// What the run's steps cost so far, as far as the upstream said.
    pub const fn usage(&self) -> Option<Usage> {
        match (self.total, self.prior_usage, self.usage) {
            (Some(total), ..) => Some(total),
            (None, Some(prior), Some(own)) => Some(prior.plus(own)),
            (None, Some(one), None) | (None, None, Some(one)) => Some(one),
            (None, None, None) => None,
        }
    }

    /// What this leg's steps cost so far, as far as the upstream said.
    pub const fn own_usage(&self) -> Option<Usage> {
        self.usage
    }

    /// What the legs before this one cost.
    pub const fn prior_usage(&self) -> Option<Usage> {
        self.prior_usage
    }

    /// How the leg closed; `None` while it is open.
    pub const fn closing(&self) -> Option<Closing> {
        self.closing
    }

    /// Ordinals of the parts that this leg has not finished, in order.
    pub fn open_parts(&self) -> Vec<u32> {
        self.parts
            .iter()
            .filter(|part| part.status == PartStatus::InProgress && part.leg == Some(self.leg))
            .map(|part| part.ordinal)
            .collect()
    }

    /// The event that finishes an open part as it is now.
    pub fn finish_part(&self, ordinal: u32, status: PartStatus) -> Option<EventKind> {
        self.part(ordinal).map(|part| EventKind::PartFinished {
            part: ordinal,
            status,
            content: Arc::new(part.content.clone()),
        })
    }

    /// The answer as it is to be stored, or `None` while it has no content.
    ///
    /// A part without any text, and nothing else in it, is no content. While the leg is open the usage is that of the legs
    /// before it, so that whoever has to fold the leg anew counts none of its steps twice.
    pub fn body(&self, leg: &Leg) -> Option<MessageBody> {
        let parts: Vec<Part> = self
            .parts
            .iter()
            .filter(|part| has_content(&part.content))
            .cloned()
            .collect();
        if parts.is_empty() {
            return None;
        }
        let (status, error) = match self.closing {
            None | Some(Closing::Paused(_)) => (MessageStatus::InProgress, None),
            Some(Closing::Ended(outcome, error)) => (
                match outcome {
                    Outcome::Completed => MessageStatus::Completed,
                    Outcome::Failed => MessageStatus::Failed,
                    Outcome::Cancelled => MessageStatus::Cancelled,
                    Outcome::Incomplete | Outcome::Expired => MessageStatus::Incomplete,
                },
                // One that was stopped is what its reader wanted, however it came about.
                error.filter(|_| outcome != Outcome::Cancelled),
            ),
        };
        Some(MessageBody {
            parts,
            status,
            run: Some(leg.run),
            error,
            usage: match self.closing {
                None => self.prior_usage,
                Some(_) => self.usage(),
            },
            model: self
                .model
                .clone()
                .or_else(|| Some(leg.settings.model.clone())),
            costs: Vec::new(),
        })
    }

    /// Where the run stands after these events.
    pub fn status(&self) -> RunStatus {
        match self.closing {
            None => RunStatus::InProgress,
            Some(Closing::Paused(_)) => RunStatus::RequiresAction,
            Some(Closing::Ended(outcome, _)) => outcome.status(),
        }
    }

    fn ask(&mut self, part: u32, approval: &str) {
        if let Some(part) = self.part_mut(part)
            && let PartContent::Call(call) = &mut part.content
        {
            call.approval = Some(Approval {
                id: approval.to_owned(),
                approved: None,
                reason: None,
            });
        }
    }

    fn annotate(&mut self, part: u32, annotation: &Value) {
        if let Some(part) = self.part_mut(part)
            && let PartContent::Text { annotations, .. } = &mut part.content
        {
            annotations.push(annotation.clone());
        }
    }

    fn part_mut(&mut self, ordinal: u32) -> Option<&mut Part> {
        // The part that grows is nearly always the last one.
        self.parts
            .iter_mut()
            .rev()
            .find(|part| part.ordinal == ordinal)
    }
}

/// The ordinal that the next part of a message takes.
pub(crate) fn next_ordinal(parts: &[Part]) -> u32 {
    let after = parts.iter().map(|part| part.ordinal.saturating_add(1));
    after.max().unwrap_or(0)
}

/// Takes a client's answer to a call of an earlier leg into the message's parts. An output that it brings is of `leg`.
pub(crate) fn take_answer(parts: &mut Vec<Part>, answer: &CallAnswer, leg: LegId, at_ms: i64) {
    let (approved, said) = match &answer.reply {
        Reply::Consent { reason } => (true, reason),
        Reply::Result {
            result: ToolResult::Denied { reason },
            ..
        } => (false, reason),
        Reply::Result { .. } => (true, &None),
    };
    let call = parts.iter_mut().find(|part| part.ordinal == answer.call);
    if let Some(part) = call
        && let PartContent::Call(call) = &mut part.content
        && let Some(approval) = &mut call.approval
    {
        approval.approved = Some(approved);
        approval.reason.clone_from(said);
    }
    if let Reply::Result { part, result } = &answer.reply {
        push_output(parts, *part, (answer.call, result.clone()), leg, at_ms);
    }
}

fn push_output(
    parts: &mut Vec<Part>,
    ordinal: u32,
    (call, result): (u32, ToolResult),
    leg: LegId,
    at_ms: i64,
) {
    let of = parts.iter().find(|part| part.ordinal == call);
    let step = of.and_then(|part| part.step);
    parts.push(Part {
        ordinal,
        leg: Some(leg),
        step,
        status: PartStatus::Completed,
        started_at_ms: at_ms,
        finished_at_ms: Some(at_ms),
        alias: None,
        content: PartContent::CallOutput { call, result },
    });
}

/// Adds a delta's text to a part. A field that the part does not have changes nothing.
pub fn add(content: &mut PartContent, field: Field, text: &str) {
    match (content, field) {
        (PartContent::Text { text: all, .. }, Field::Text)
        | (PartContent::Refusal { text: all }, Field::Refusal) => {
            all.push_str(text);
        }
        (PartContent::Reasoning { text: all, .. }, Field::Reasoning(index))
        | (PartContent::Reasoning { summary: all, .. }, Field::Summary(index)) => {
            let index = usize::from(index);
            if all.len() <= index {
                all.resize(index + 1, String::new());
            }
            if let Some(one) = all.get_mut(index) {
                one.push_str(text);
            }
        }
        (PartContent::Call(call), Field::Arguments) => call.arguments.push_str(text),
        (PartContent::Call(call), Field::Code) => call.code.get_or_insert_default().push_str(text),
        _ => {}
    }
}

fn has_content(content: &PartContent) -> bool {
    match content {
        PartContent::Text { text, .. } | PartContent::Refusal { text } => !text.is_empty(),
        PartContent::Reasoning {
            summary,
            text,
            encrypted,
        } => encrypted.is_some() || summary.iter().chain(text).any(|one| !one.is_empty()),
        PartContent::Call(_)
        | PartContent::CallOutput { .. }
        | PartContent::ToolList { .. }
        | PartContent::File { .. }
        | PartContent::Source { .. }
        | PartContent::Data { .. }
        | PartContent::Opaque { .. } => true,
    }
}

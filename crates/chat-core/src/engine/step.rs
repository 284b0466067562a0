//! One model step: asks the model once and turns what it says into parts.

use std::{collections::HashMap, pin::pin, sync::Arc};

use futures_util::{FutureExt as _, StreamExt as _};
use tokio::time::{Duration, Instant, sleep_until};

use super::{
    leg::{Halt, Task, halted, recv_title, stopped},
    writer::{End, Writer, head_of},
};
use crate::{
    event::{EventKind, Field, FinishReason},
    message::{Call, Executor, Part, PartContent, PartStatus, ToolKind},
    ports::{Model, ModelAnswer, ModelEvent, ModelEventKind, ModelRequest},
    run::{RunError, Usage},
};

/// After the model said that it is done, its usage may still come for this long.
const USAGE_WAIT: Duration = Duration::from_secs(5);

/// How a model step ended.
pub(super) struct Step {
    pub(super) reason: FinishReason,
    pub(super) usage: Option<Usage>,
    pub(super) text: String,
    /// The calls, with the ordinals of their parts.
    pub(super) calls: Vec<(u32, Call)>,
}

impl Task<'_> {
    /// Asks the model once and writes what it says.
    pub(super) async fn step(
        &mut self,
        model: &dyn Model,
        request: ModelRequest,
    ) -> Result<Step, Halt> {
        let name = request.model.clone();
        let begun = self.writer.fold().own_steps() > 0;
        let mut answering = model.answer(request);
        let answer = loop {
            tokio::select! {
                biased;
                halt = halted(self.writer.live, begun) => return Err(halt),
                () = sleep_until(self.deadline) => return Err(End::failed(RunError::Timeout).into()),
                answer = &mut answering => break answer.map_err(|error| self.log_model_error(&error))?,
                title = recv_title(&mut self.title) => self.retitle(title),
            }
        };
        drop(answering);
        let ModelAnswer {
            upstream_id,
            model: answering_model,
            mut events,
        } = answer;
        self.writer.push(
            EventKind::StepStarted {
                step: self.writer.fold().steps(),
                model: answering_model.unwrap_or(name),
                upstream_id,
            },
            None,
        );
        let mut pen = Pen::default();
        let mut reason = None;
        let mut usage = None;
        // Made once, not once per event: a timer and a waiter that are registered anew for each would cost more than
        // the event itself.
        let mut halt = pin!(stopped(self.writer.live));
        let mut late = pin!(sleep_until(self.deadline));
        loop {
            if self.writer.shared.lease.upstreams_wait() {
                tokio::select! {
                    biased;
                    halt = &mut halt => return Err(halt),
                    () = self.writer.shared.lease.held() => {}
                    () = &mut late => return Err(End::failed(RunError::Timeout).into()),
                }
            }
            let ready = events.next().now_or_never();
            if ready.is_none() {
                self.writer.show();
            }
            let event = tokio::select! {
                biased;
                halt = &mut halt => return Err(halt),
                event = async { match ready { Some(event) => event, None => events.next().await } } => event,
                title = recv_title(&mut self.title) => {
                    self.retitle(title);
                    continue;
                }
                () = &mut late => {
                    if reason.is_some() {
                        break;
                    }
                    return Err(End::failed(RunError::Timeout).into());
                }
            };
            match event {
                None => break,
                // What was said after the end is of no use to anyone.
                Some(Err(_)) if reason.is_some() => break,
                Some(Err(error)) => return Err(self.log_model_error(&error)),
                Some(Ok(ModelEvent { kind, raw })) => match kind {
                    ModelEventKind::Usage(said) => usage = Some(said),
                    ModelEventKind::Finished(said) => {
                        reason = Some(said);
                        late.as_mut()
                            .reset(self.deadline.min(Instant::now() + USAGE_WAIT));
                    }
                    ModelEventKind::Text(_)
                    | ModelEventKind::Refusal(_)
                    | ModelEventKind::Reasoning(_)
                    | ModelEventKind::CallStarted { .. }
                    | ModelEventKind::CallArguments { .. } => {
                        pen.write(&mut self.writer, kind, raw).await;
                        self.check_size()?;
                    }
                },
            }
        }
        let Some(reason) = reason else {
            return Err(End::failed(RunError::UpstreamBroken).into());
        };
        let step = pen.finish(&mut self.writer, reason, usage);
        self.writer.show();
        Ok(step)
    }

    /// Ends the leg once it is too large to be kept.
    pub(super) fn check_size(&self) -> Result<(), Halt> {
        if self.writer.live.bytes() > self.writer.shared.settings.max_leg_bytes {
            return Err(End::incomplete(RunError::TooLarge).into());
        }
        Ok(())
    }
}

/// Turns a model's pieces into parts.
#[derive(Default)]
struct Pen {
    /// The text part that grows.
    open: Option<(u32, Field)>,
    text: String,
    calls: Vec<(u32, u32)>,
    by_index: HashMap<u32, u32>,
}

impl Pen {
    async fn write(
        &mut self,
        writer: &mut Writer<'_>,
        kind: ModelEventKind,
        raw: Option<Arc<str>>,
    ) {
        match kind {
            ModelEventKind::Text(text) => {
                self.text.push_str(&text);
                self.add(writer, Field::Text, &text, raw).await;
            }
            ModelEventKind::Refusal(text) => self.add(writer, Field::Refusal, &text, raw).await,
            ModelEventKind::Reasoning(text) => {
                self.add(writer, Field::Reasoning(0), &text, raw).await;
            }
            ModelEventKind::CallStarted {
                index,
                call_id,
                name,
            } => self.start_call(writer, index, call_id, name),
            ModelEventKind::CallArguments { index, text } => {
                if let Some(part) = self.by_index.get(&index) {
                    writer.push_delta(*part, Field::Arguments, &text).await;
                }
            }
            ModelEventKind::Usage(_) | ModelEventKind::Finished(_) => {}
        }
    }

    async fn add(
        &mut self,
        writer: &mut Writer<'_>,
        field: Field,
        text: &str,
        raw: Option<Arc<str>>,
    ) {
        let part = match self.open {
            Some((part, open)) if open == field => part,
            _ => {
                self.finish_open(writer);
                let part = start_part(writer, head_of(field));
                self.open = Some((part, field));
                part
            }
        };
        if raw.is_some() {
            let text = text.to_owned();
            writer.push(EventKind::PartDelta { part, field, text }, raw);
        } else {
            writer.push_delta(part, field, text).await;
        }
    }

    fn start_call(&mut self, writer: &mut Writer<'_>, index: u32, call_id: String, name: String) {
        self.finish_open(writer);
        let ordinal = writer.fold().next_ordinal();
        // Some servers give no id, or the same one to every call: then the part's place makes it unique.
        let taken = call_id.is_empty()
            || writer
                .fold()
                .parts()
                .iter()
                .filter_map(|part| part.content.as_call())
                .any(|call| call.call_id == call_id);
        let call_id = if taken {
            format!("call_{}_{ordinal}", writer.live.leg.message.uuid().simple())
        } else {
            call_id
        };
        let part = start_part(
            writer,
            PartContent::Call(Call {
                call_id,
                name,
                tool: ToolKind::Function,
                executor: Executor::Server,
                arguments: String::new(),
                code: None,
                approval: None,
            }),
        );
        self.by_index.insert(index, part);
        self.calls.push((index, part));
    }

    fn finish_open(&mut self, writer: &mut Writer<'_>) {
        if let Some((part, _)) = self.open.take() {
            writer.finish_part(part, PartStatus::Completed);
        }
    }

    fn finish(
        mut self,
        writer: &mut Writer<'_>,
        reason: FinishReason,
        usage: Option<Usage>,
    ) -> Step {
        // A part that a limit cut is not whole.
        let status = match reason {
            FinishReason::Stop | FinishReason::ToolCalls => PartStatus::Completed,
            FinishReason::Length | FinishReason::ContentFilter => PartStatus::Incomplete,
        };
        if let Some((part, _)) = self.open.take() {
            writer.finish_part(part, status);
        }
        let mut calls = Vec::with_capacity(self.calls.len());
        for (_, part) in &self.calls {
            writer.finish_part(*part, status);
            if let Some(Part {
                content: PartContent::Call(call),
                ..
            }) = writer.fold().part(*part)
            {
                calls.push((*part, call.clone()));
            }
        }
        // Some servers say `stop` although they called.
        let reason = if reason == FinishReason::Stop && !calls.is_empty() {
            FinishReason::ToolCalls
        } else {
            reason
        };
        Step {
            reason,
            usage,
            text: self.text,
            calls,
        }
    }
}

fn start_part(writer: &mut Writer<'_>, head: PartContent) -> u32 {
    let part = writer.fold().next_ordinal();
    let step = writer.fold().open_step().unwrap_or_default();
    writer.push(
        EventKind::PartStarted {
            part,
            step,
            head,
            alias: None,
        },
        None,
    );
    part
}

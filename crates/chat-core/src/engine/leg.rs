//! A leg's task: waits for its turn, builds the prompt, drives the model step by step, runs tools, closes.

use std::{collections::HashMap, pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Held, Shared, handover,
    live::LiveLeg,
    prompt,
    send::Start,
    watch,
    writer::{End, Gone, Writer, head_of},
};
use token_budget::TooLong;

use crate::{
    event::{EventKind, Field, FinishReason},
    id::LegId,
    message::{Call, Executor, Message, Part, PartContent, PartStatus, ToolKind, ToolResult},
    ports::{
        Model, ModelAnswer, ModelError, ModelErrorKind, ModelEvent, ModelEventKind, ModelRequest,
        PromptCall, PromptItem, StoreError, ToolCallContext, ToolEvent, ToolEvents,
    },
    run::{RunError, StopCause, Usage},
};

/// So many events of tools wait to be written; a tool that tells more waits.
const TOLD_EVENTS: usize = 64;
/// A leg waits at most this long for the one it replaced to close.
const PREDECESSOR_WAIT: Duration = Duration::from_secs(2);
/// A title may delay the close by at most this long; later it is only stored.
const TITLE_WAIT: Duration = Duration::from_secs(1);
/// After the model said that it is done, its usage may still come for this long.
const USAGE_WAIT: Duration = Duration::from_secs(5);

/// Works on a leg until it is closed, or given up to another node.
pub(super) async fn work(shared: &Shared, live: &Arc<LiveLeg>, model: &dyn Model, start: Start) {
    let costs = |message: Message| {
        let cost = message.body.cost(&live.leg.settings.encoding)?;
        Some(vec![(message, cost)])
    };
    let mut task = Task {
        alone: start.alone.and_then(costs),
        predecessor: start.predecessor,
        writer: Writer::new(shared, live, Vec::new()),
        title: start.title,
        deadline: Instant::now() + shared.settings.max_leg,
        prompt_tokens: 0,
        held: None,
    };
    let end = match task.answer(model).await {
        Ok(end) | Err(Halt::End(end)) => end,
        Err(Halt::Lost) => End::CANCELLED,
        Err(Halt::Released) => {
            match handover::give_away(shared, live, task.writer.fold().last_n()).await {
                Ok(()) => return,
                Err(end) => end,
            }
        }
    };
    let estimate = task.estimate();
    match live.stop_cause() {
        Some(cause) => {
            task.writer
                .push_hidden(EventKind::StopRequested { cause }, None);
        }
        None => task.await_title().await,
    }
    // Whoever closed it, it is closed.
    let _by_whom = task.writer.close(end, estimate).await;
}

/// Why a task stops before its answer is whole.
enum Halt {
    /// The leg ends so.
    End(End),
    /// The leg is someone else's.
    Lost,
    /// The leg is to be given up to another node.
    Released,
}

impl From<Gone> for Halt {
    fn from(gone: Gone) -> Self {
        match gone {
            Gone::Lost => Self::Lost,
            Gone::Refused => End::failed(RunError::Internal).into(),
        }
    }
}

impl From<End> for Halt {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

struct Task<'a> {
    writer: Writer<'a>,
    title: Option<oneshot::Receiver<String>>,
    deadline: Instant,
    /// What the prompts of all steps cost, as we count it.
    prompt_tokens: u32,
    /// The memory that the prompt takes.
    held: Option<Held>,
    /// The history where it is known without reading it: the first message of a conversation.
    alone: Option<Vec<(Message, u32)>>,
    /// The leg before this one, if another node works on it.
    predecessor: Option<LegId>,
}

/// How a model step ended.
struct Step {
    reason: FinishReason,
    usage: Option<Usage>,
    text: String,
    /// The calls, with the ordinals of their parts.
    calls: Vec<(u32, Call)>,
}

impl Task<'_> {
    async fn answer(&mut self, model: &dyn Model) -> Result<End, Halt> {
        self.await_turn().await?;
        // One that was taken over may have been taken before.
        if self.writer.fold().last_n() == 1 {
            self.writer.push(EventKind::LegTaken, None);
            self.writer.show();
        }
        let leg = &self.writer.live.leg;
        let settings = leg.settings.clone();
        let history = if let Some(alone) = self.alone.take() {
            alone
        } else {
            let messages = self.writer.shared.ports.messages.as_ref();
            let read = prompt::read(messages, leg.conversation, leg.message_seq, &settings);
            tokio::select! {
                biased;
                halt = halted(self.writer.live, false) => return Err(halt),
                read = read => read.map_err(|error| self.log_unread(&error))?,
            }
        };
        let prompt =
            prompt::build(history, &settings).map_err(|too_long| self.log_too_long(too_long))?;
        let mut step_tokens = prompt.tokens;
        self.held = Some(self.writer.shared.hold(prompt.bytes));
        let mut request = ModelRequest {
            model: settings.model.clone(),
            items: prompt.items,
            max_output: settings.max_output,
            tools: self.writer.shared.tools_named(&settings.tools),
        };
        loop {
            self.prompt_tokens = self.prompt_tokens.saturating_add(step_tokens);
            let step = self.step(model, request.clone()).await?;
            let number = self.writer.fold().steps().saturating_sub(1);
            let end = match step.reason {
                FinishReason::Stop => Some(End::COMPLETED),
                // Calls that a limit cut short are not made.
                FinishReason::Length => Some(End::incomplete(RunError::MaxOutputTokens)),
                FinishReason::ContentFilter => Some(End::incomplete(RunError::ContentFilter)),
                FinishReason::ToolCalls if step.calls.is_empty() => Some(End::COMPLETED),
                FinishReason::ToolCalls => None,
            };
            // What the calls gave belongs to the step that made them, and is told before the step is over.
            let outputs = match end {
                Some(_) => Vec::new(),
                None => self.run_tools(model, &step.calls).await?,
            };
            self.writer.push_hidden(
                EventKind::StepFinished {
                    step: number,
                    reason: step.reason,
                    usage: step.usage,
                },
                None,
            );
            if let Some(end) = end {
                return Ok(end);
            }
            self.writer.commit().await?;
            if number + 1 >= settings.max_steps {
                return Ok(End::incomplete(RunError::MaxSteps));
            }
            step_tokens = self.continue_prompt(&mut request, step, outputs, step_tokens)?;
        }
    }

    /// Waits until the legs before this one have closed, so that their text is in the prompt.
    async fn await_turn(&self) -> Result<(), Halt> {
        let live = self.writer.live;
        let before = self
            .writer
            .shared
            .live
            .before(live.leg.conversation, live.leg.message_seq);
        let all_closed = async {
            for predecessor in before {
                predecessor.log.wait_closed().await;
            }
            if let Some(predecessor) = self.predecessor {
                watch::closed_elsewhere(predecessor, self.writer.shared).await;
            }
        };
        tokio::select! {
            biased;
            halt = halted(live, false) => Err(halt),
            // A predecessor that does not close in time is left out of the prompt, no more.
            _ = timeout(PREDECESSOR_WAIT, all_closed) => Ok(()),
        }
    }

    /// Asks the model once and writes what it says.
    async fn step(&mut self, model: &dyn Model, request: ModelRequest) -> Result<Step, Halt> {
        let name = request.model.clone();
        let begun = self.writer.fold().steps() > 0;
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
                        if self.writer.live.log.bytes() > self.writer.shared.settings.max_leg_bytes
                        {
                            return Err(End::incomplete(RunError::TooLarge).into());
                        }
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

    /// Runs the calls side by side; their outcomes are written as they come.
    async fn run_tools(
        &mut self,
        model: &dyn Model,
        calls: &[(u32, Call)],
    ) -> Result<Vec<(String, ToolResult)>, Halt> {
        let shared = self.writer.shared;
        let leg = &self.writer.live.leg;
        let conversation = shared
            .ports
            .conversations
            .find_conversation(leg.conversation)
            .await;
        let owner = match conversation {
            Ok(Some(conversation)) => conversation.owner,
            Ok(None) => return Err(Halt::Lost),
            Err(error) => return Err(self.log_unread(&error)),
        };
        let (teller, mut told) = Teller::new();
        let context = ToolCallContext {
            owner: &owner,
            conversation: leg.conversation,
            message: leg.message,
            settings: &leg.settings,
            model,
            events: &teller,
        };
        let mut running: FuturesUnordered<_> = calls
            .iter()
            .map(|(ordinal, call)| {
                let context = &context;
                async move {
                    (
                        *ordinal,
                        call.call_id.clone(),
                        shared.run_tool(context, call).await,
                    )
                }
            })
            .collect();
        let mut outputs = Vec::with_capacity(calls.len());
        loop {
            let done = tokio::select! {
                biased;
                halt = stopped(self.writer.live) => return Err(halt),
                () = sleep_until(self.deadline) => return Err(End::failed(RunError::Timeout).into()),
                // Before the outcomes: what a tool told comes before what it gave.
                Some(event) = told.recv() => {
                    self.writer.push(event.into(), None);
                    self.writer.show();
                    continue;
                }
                done = running.next() => done,
            };
            let Some((part, call_id, result)) = done else {
                break;
            };
            let output_part = self.writer.fold().next_ordinal();
            self.writer.push(
                EventKind::ToolFinished {
                    part,
                    output_part,
                    result: result.clone(),
                },
                None,
            );
            self.writer.show();
            outputs.push((call_id, result));
        }
        Ok(outputs)
    }

    /// Adds a step and its tools' outcomes to the prompt, as long as that fits.
    fn continue_prompt(
        &self,
        request: &mut ModelRequest,
        step: Step,
        outputs: Vec<(String, ToolResult)>,
        tokens: u32,
    ) -> Result<u32, Halt> {
        let settings = &self.writer.live.leg.settings;
        let encoding = prompt::encoding_of(settings);
        let mut tokens = tokens.saturating_add(prompt::output_cost(encoding, &step.text));
        for (_, call) in &step.calls {
            tokens = tokens.saturating_add(prompt::output_cost(encoding, &call.arguments));
        }
        request.items.push(PromptItem::Assistant {
            text: step.text,
            calls: step
                .calls
                .iter()
                .map(|(_, call)| PromptCall::from(call))
                .collect(),
        });
        for (call_id, result) in outputs {
            let text = serde_json::to_string(&result).unwrap_or_default();
            tokens = tokens.saturating_add(prompt::output_cost(encoding, &text));
            request.items.push(PromptItem::Output { call_id, result });
        }
        if tokens > settings.prompt_budget {
            return Err(End::incomplete(RunError::PromptTooLong).into());
        }
        Ok(tokens)
    }

    fn retitle(&mut self, title: Option<String>) {
        self.title = None;
        if let Some(title) = title {
            self.writer.push(EventKind::Retitled { title }, None);
            self.writer.show();
        }
    }

    async fn await_title(&mut self) {
        if self.title.is_some()
            && let Ok(title) = timeout(TITLE_WAIT, recv_title(&mut self.title)).await
            && let Some(title) = title
        {
            self.writer.push_hidden(EventKind::Retitled { title }, None);
        }
    }

    /// What the run cost as we count it, for an upstream that did not say.
    fn estimate(&self) -> Option<Usage> {
        if self.writer.fold().usage().is_some() || self.writer.fold().steps() == 0 {
            return None;
        }
        let encoding = prompt::encoding_of(&self.writer.live.leg.settings);
        let mut output: u64 = 0;
        for part in self.writer.fold().parts() {
            if let PartContent::Text { text, .. } = &part.content
                && text.len() <= token_budget::LARGE_TEXT_BYTES
            {
                output += u64::from(token_budget::count(encoding, text));
            }
        }
        Some(Usage {
            input: u64::from(self.prompt_tokens),
            output,
            estimated: true,
            ..Usage::default()
        })
    }

    fn log_too_long(&self, too_long: TooLong) -> Halt {
        let leg = self.writer.live.leg.id;
        tracing::info!(%leg, needed = too_long.needed, allowed = too_long.allowed, "a prompt does not fit");
        End::failed(RunError::PromptTooLong).into()
    }

    fn log_unread(&self, error: &StoreError) -> Halt {
        let leg = self.writer.live.leg.id;
        tracing::error!(error = error as &dyn std::error::Error, %leg, "a conversation cannot be read");
        End::failed(RunError::Internal).into()
    }

    fn log_model_error(&self, error: &ModelError) -> Halt {
        tracing::warn!(error = error as &dyn std::error::Error, leg = %self.writer.live.leg.id, "the model failed");
        let run_error = match error.kind {
            ModelErrorKind::Unavailable => RunError::UpstreamUnavailable,
            ModelErrorKind::Rejected => RunError::UpstreamRejected,
            ModelErrorKind::RateLimited => RunError::RateLimited,
            ModelErrorKind::PromptTooLong => RunError::PromptTooLong,
            ModelErrorKind::ContentFilter => {
                return End::incomplete(RunError::ContentFilter).into();
            }
            ModelErrorKind::Timeout => RunError::Timeout,
            ModelErrorKind::Broken => RunError::UpstreamBroken,
        };
        let mut end = End::failed(run_error);
        end.retry_after_ms = error
            .retry_after
            .and_then(|after| u64::try_from(after.as_millis()).ok());
        end.into()
    }
}

/// Takes what tools tell while they work, to the leg's own task: only that writes the leg.
struct Teller(mpsc::Sender<ToolEvent>);

impl Teller {
    fn new() -> (Self, mpsc::Receiver<ToolEvent>) {
        let (sender, receiver) = mpsc::channel(TOLD_EVENTS);
        (Self(sender), receiver)
    }
}

#[async_trait]
impl ToolEvents for Teller {
    async fn tell(&self, event: ToolEvent) {
        // The leg's task is the caller of whoever tells: it is there.
        let _gone = self.0.send(event).await;
    }
}

/// Waits until the leg is asked to stop or, unless an upstream has begun to answer, to be given up; says how it ends then.
async fn halted(live: &LiveLeg, begun: bool) -> Halt {
    if begun {
        return stopped(live).await;
    }
    tokio::select! {
        biased;
        halt = stopped(live) => halt,
        () = live.released() => Halt::Released,
    }
}

/// Waits until the leg is asked to stop, and says how it ends then.
async fn stopped(live: &LiveLeg) -> Halt {
    live.stopped().await;
    match live.stop_cause() {
        Some(StopCause::Dropped) => Halt::Lost,
        Some(StopCause::Shutdown) => End::failed(RunError::Interrupted).into(),
        Some(StopCause::Asked | StopCause::Replaced) | None => End::CANCELLED.into(),
    }
}

/// The title once it is there; `None` when none will come. Never returns when none is being made.
async fn recv_title(title: &mut Option<oneshot::Receiver<String>>) -> Option<String> {
    match title {
        Some(receiver) => {
            let received = receiver.await.ok();
            *title = None;
            received
        }
        None => std::future::pending().await,
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

/// Runs a future to its end; a panic in it is an error, so that the leg it belongs to can still be closed.
pub(super) async fn unwind_safe(future: impl Future<Output = ()>) -> Result<(), ()> {
    std::panic::AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .or(Err(()))
}

//! A leg's task: waits for its turn, builds the prompt, drives the model step by step, runs tools, closes.

mod prompting;

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use super::{
    Shared, handover,
    live::LiveLeg,
    prompt,
    send::Start,
    shared::Held,
    tools::MOST_CALLS,
    watch,
    writer::{End, Gone, Writer},
};
use crate::{
    event::{EventKind, FinishReason},
    id::LegId,
    message::{Message, PartContent},
    ports::{Model, ModelError, ModelErrorKind, ModelRequest, StoreError},
    run::{RunError, StopCause, Usage},
};

/// A leg waits at most this long for the one it replaced to close.
const PREDECESSOR_WAIT: Duration = Duration::from_secs(2);
/// A title may delay the close by at most this long; later it is only stored.
const TITLE_WAIT: Duration = Duration::from_secs(1);

/// Works on a leg until it is closed, or given up to another node.
pub(super) async fn work(shared: &Shared, live: &Arc<LiveLeg>, model: &dyn Model, start: Start) {
    let costs = |message: Message| {
        let cost = message.body.cost(&live.leg.settings.encoding)?;
        Some(vec![(message, cost)])
    };
    let mut task = Task {
        alone: start.alone.and_then(costs),
        predecessor: start.predecessor,
        writer: Writer::new(shared, live),
        title: start.title,
        deadline: Instant::now() + shared.settings.max_leg,
        prompt_tokens: 0,
        held: None,
    };
    let close = match task.answer(model).await {
        Ok(close) => close,
        Err(Halt::End(end)) => Close::End(end),
        Err(Halt::Lost) => Close::End(End::CANCELLED),
        Err(Halt::Released) => {
            match handover::give_away(shared, live, task.writer.fold().last_n()).await {
                Ok(()) => return,
                Err(end) => Close::End(end),
            }
        }
    };
    let estimate = task.estimate();
    // Whoever closed it, it is closed.
    let _by_whom = match close {
        // A stop that came meanwhile stands in the store, which does not let the run wait then.
        Close::Pause(approvals) => {
            task.await_title().await;
            task.writer.pause(approvals, estimate).await
        }
        Close::End(end) => {
            match live.stop_cause() {
                Some(cause) => {
                    task.writer
                        .push_hidden(EventKind::StopRequested { cause }, None);
                }
                None => task.await_title().await,
            }
            task.writer.close(end, estimate).await
        }
    };
}

/// How a leg closes.
enum Close {
    /// Its run is over.
    End(End),
    /// Its run waits for its reader's consent to these calls.
    Pause(Vec<u32>),
}

/// Why a task stops before its answer is whole.
pub(super) enum Halt {
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

pub(super) struct Task<'a> {
    pub(super) writer: Writer<'a>,
    pub(super) title: Option<oneshot::Receiver<String>>,
    pub(super) deadline: Instant,
    /// What the prompts of all steps cost, as we count it.
    prompt_tokens: u32,
    /// The memory that the prompt takes.
    held: Option<Held>,
    /// The history where it is known without reading it: the first message of a conversation.
    alone: Option<Vec<(Message, u32)>>,
    /// The leg before this one, if another node works on it.
    predecessor: Option<LegId>,
}

impl Task<'_> {
    async fn answer(&mut self, model: &dyn Model) -> Result<Close, Halt> {
        self.await_turn().await?;
        // One that was taken over may have been taken before.
        if self.writer.fold().last_n() == 1 {
            self.writer.push(EventKind::LegTaken, None);
            self.writer.show();
        }
        // Before the model is asked again: it is told what they gave.
        self.run_consented(model).await?;
        let settings = self.writer.live.leg.settings.clone();
        let prompt = self.prompt().await?;
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
            let mut step = self.step(model, request.clone()).await?;
            let number = self.writer.fold().steps().saturating_sub(1);
            let end = match step.reason {
                FinishReason::Stop => Some(End::COMPLETED),
                // Calls that a limit cut short are not made.
                FinishReason::Length => Some(End::incomplete(RunError::MaxOutputTokens)),
                FinishReason::ContentFilter => Some(End::incomplete(RunError::ContentFilter)),
                FinishReason::ToolCalls if step.calls.is_empty() => Some(End::COMPLETED),
                FinishReason::ToolCalls => None,
            };
            let mut asked = Vec::new();
            let mut outputs = Vec::new();
            if end.is_none() {
                step.calls.retain(|(part, call)| {
                    let waits = asked.len() < MOST_CALLS && self.needs_consent(call);
                    if waits {
                        asked.push(*part);
                    }
                    !waits
                });
                // What the calls gave belongs to the step that made them, and is told before the step is over.
                outputs = self.run_tools(model, &step.calls, false).await?;
            }
            // Last, since what is appended after something hidden would show that as well.
            for part in &asked {
                let approval = self.writer.shared.ports.ids.random().to_string();
                let part = *part;
                self.writer
                    .push_hidden(EventKind::ApprovalRequested { part, approval }, None);
            }
            self.writer.push_hidden(
                EventKind::StepFinished {
                    step: number,
                    reason: step.reason,
                    usage: step.usage,
                },
                None,
            );
            if let Some(end) = end {
                return Ok(Close::End(end));
            }
            if !asked.is_empty() {
                return Ok(Close::Pause(asked));
            }
            self.writer.commit().await?;
            if self.writer.fold().own_steps() >= settings.max_steps {
                return Ok(Close::End(End::incomplete(RunError::MaxSteps)));
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

    pub(super) fn retitle(&mut self, title: Option<String>) {
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
        let fold = self.writer.fold();
        if fold.own_usage().is_some() || fold.own_steps() == 0 {
            return None;
        }
        let leg = &self.writer.live.leg;
        let encoding = prompt::encoding_of(&leg.settings);
        let mut output: u64 = 0;
        for part in fold.parts().iter().filter(|part| part.leg == Some(leg.id)) {
            if let PartContent::Text { text, .. } = &part.content
                && text.len() <= token_budget::LARGE_TEXT_BYTES
            {
                output += u64::from(token_budget::count(encoding, text));
            }
        }
        let own = Usage {
            input: u64::from(self.prompt_tokens),
            output,
            estimated: true,
            ..Usage::default()
        };
        Some(fold.prior_usage().unwrap_or_default().plus(own))
    }

    pub(super) fn log_unread(&self, error: &StoreError) -> Halt {
        let leg = self.writer.live.leg.id;
        tracing::error!(error = error as &dyn std::error::Error, %leg, "a conversation cannot be read");
        End::failed(RunError::Internal).into()
    }

    pub(super) fn log_model_error(&self, error: &ModelError) -> Halt {
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

/// Waits until the leg is asked to stop or, unless an upstream has begun to answer, to be given up; says how it ends then.
pub(super) async fn halted(live: &LiveLeg, begun: bool) -> Halt {
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
pub(super) async fn stopped(live: &LiveLeg) -> Halt {
    live.stopped().await;
    match live.stop_cause() {
        Some(StopCause::Dropped) => Halt::Lost,
        Some(StopCause::Shutdown) => End::failed(RunError::Interrupted).into(),
        Some(StopCause::Asked | StopCause::Replaced) | None => End::CANCELLED.into(),
    }
}

/// The title once it is there; `None` when none will come. Never returns when none is being made.
pub(super) async fn recv_title(title: &mut Option<oneshot::Receiver<String>>) -> Option<String> {
    match title {
        Some(receiver) => {
            let received = receiver.await.ok();
            *title = None;
            received
        }
        None => std::future::pending().await,
    }
}

/// Runs a future to its end; a panic in it is an error, so that the leg it belongs to can still be closed.
pub(super) async fn unwind_safe(future: impl Future<Output = ()>) -> Result<(), ()> {
    std::panic::AssertUnwindSafe(future)
        .catch_unwind()
        .await
        .or(Err(()))
}

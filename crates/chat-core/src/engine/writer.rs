//! Writes one leg: events into its log, what they come to into a fold, and the leg's close into the store.

mod closing;

use std::sync::Arc;

use super::{Shared, live::LiveLeg, prompt};
use crate::{
    event::{EventKind, Field, RunEvent},
    fold::Fold,
    message::{MessageBody, PartContent, PartStatus, Role},
    ports::{AnswerRecord, Checkpoint, Closed, Signal},
    run::{Outcome, RunError, Usage},
};

/// Upstream reads pause while this much text of a leg waits for the store.
const UNFLUSHED_BYTES: usize = 1024 * 1024;

/// The close of a run, as its task decides it.
#[derive(Debug, Clone, Copy)]
pub(super) struct End {
    pub(super) outcome: Outcome,
    pub(super) error: Option<RunError>,
    pub(super) retry_after_ms: Option<u64>,
}

impl End {
    pub(super) const COMPLETED: Self = Self::of(Outcome::Completed, None);
    pub(super) const CANCELLED: Self = Self::of(Outcome::Cancelled, None);

    pub(super) const fn failed(error: RunError) -> Self {
        Self::of(Outcome::Failed, Some(error))
    }

    /// The end of a run that was asked to stop by a process that ended before it had. It says that recovery wrote it: readers
    /// may have seen more than is stored.
    pub(super) const fn interrupted_stop() -> Self {
        Self::of(Outcome::Cancelled, Some(RunError::Interrupted))
    }

    pub(super) const fn incomplete(error: RunError) -> Self {
        Self::of(Outcome::Incomplete, Some(error))
    }

    const fn of(outcome: Outcome, error: Option<RunError>) -> Self {
        Self {
            outcome,
            error,
            retry_after_ms: None,
        }
    }
}

/// Why a leg's task cannot go on.
#[derive(Debug)]
pub(super) enum Gone {
    /// The leg was closed or deleted by someone else.
    Lost,
    /// The store refuses its events, so that nothing more of it can be made durable before its close.
    Refused,
}

pub(super) struct Writer<'a> {
    pub(super) shared: &'a Shared,
    pub(super) live: &'a Arc<LiveLeg>,
    fold: Fold,
    /// What the run cost as we count it, where the upstream did not say.
    estimate: Option<Usage>,
    /// What is about to be shown: up to which event, and the bytes of its text.
    waiting: Option<(u32, usize)>,
}

impl<'a> Writer<'a> {
    /// A writer that goes on from what the log holds already.
    pub(super) fn new(shared: &'a Shared, live: &'a Arc<LiveLeg>) -> Self {
        Self {
            shared,
            live,
            fold: folded(live, &live.log.read_all()),
            estimate: None,
            waiting: None,
        }
    }

    pub(super) const fn fold(&self) -> &Fold {
        &self.fold
    }

    /// Appends an event, to be shown with the next [`Writer::show`].
    pub(super) fn push(&mut self, kind: EventKind, raw: Option<Arc<str>>) {
        let n = self.push_hidden(kind, raw);
        self.wait_to_show(n, 0);
    }

    /// Shows what was appended; it becomes durable with the next flush.
    ///
    /// Called when the model has nothing more to say right now: readers are woken once for all that came together, which
    /// in a burst is most of what an event costs.
    pub(super) fn show(&mut self) {
        if let Some((n, bytes)) = self.waiting.take() {
            self.live.log.show(n);
            self.shared.flusher.note(&self.live.log, bytes);
        }
    }

    fn wait_to_show(&mut self, n: u32, bytes: usize) {
        let earlier = self.waiting.map_or(0, |(_, bytes)| bytes);
        self.waiting = Some((n, earlier + bytes));
    }

    /// Appends an event that is not shown yet.
    pub(super) fn push_hidden(&mut self, kind: EventKind, raw: Option<Arc<str>>) -> u32 {
        let at_ms = self.shared.ports.clock.now_ms();
        let n = self.live.log.push(at_ms, kind.clone(), raw.clone());
        self.fold.apply(&RunEvent {
            n,
            at_ms,
            kind,
            raw,
        });
        n
    }

    /// Appends text to a part, to be shown with the next [`Writer::show`]. Waits only while the store is far behind.
    pub(super) async fn push_delta(&mut self, part: u32, field: Field, text: &str) {
        let at_ms = self.shared.ports.clock.now_ms();
        let (n, unflushed) = self.live.log.push_delta(at_ms, part, field, text);
        self.fold.grow(n, part, field, text);
        self.wait_to_show(n, text.len());
        if unflushed > UNFLUSHED_BYTES {
            self.show();
            tokio::select! {
                _ = self.shared.flusher.commit(&self.live.log, n) => {}
                () = self.live.stopped() => {}
            }
        }
    }

    /// Finishes a part as it is now.
    pub(super) fn finish_part(&mut self, ordinal: u32, status: PartStatus) {
        if let Some(kind) = self.fold.finish_part(ordinal, status) {
            self.push(kind, None);
        }
    }

    /// Makes everything so far durable, the answer's record included, and then shows it.
    pub(super) async fn commit(&mut self) -> Result<(), Gone> {
        let n = self.fold.last_n();
        self.waiting = None;
        if !self.shared.flusher.commit(&self.live.log, n).await {
            return Err(Gone::Refused);
        }
        if let Some(body) = self.body().await {
            let checkpoint = Checkpoint {
                leg: self.live.leg.id,
                epoch: self.live.leg.epoch,
                status: self.fold.status(),
                answer: Some(self.record(body)),
            };
            // Its events are durable already: a record that the store cannot take now is written at the close.
            match self.shared.ports.runs.checkpoint(checkpoint).await {
                Ok(Closed::Done) => {}
                Ok(Closed::Lost) => return Err(Gone::Lost),
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, leg = %self.live.leg.id, "an answer's record waits for the store");
                }
            }
        }
        self.live.log.show(n);
        self.shared
            .ports
            .signals
            .ring(Signal::LegAdvanced(self.live.leg.id));
        Ok(())
    }

    async fn body(&self) -> Option<MessageBody> {
        let mut body = self.fold.body(&self.live.leg)?;
        body.usage = self.estimate.or(body.usage);
        let encoding = prompt::encoding_of(&self.live.leg.settings);
        body.costs = vec![prompt::counted_cost(&body, Role::Assistant, encoding).await];
        Some(body)
    }

    /// The answer's record, dated from its first part: after the message that it answers.
    fn record(&self, body: MessageBody) -> AnswerRecord {
        let began = body.parts.first().map(|part| part.started_at_ms);
        AnswerRecord {
            id: self.live.leg.message,
            created_at_ms: began.unwrap_or(self.live.leg.opened_at_ms),
            body,
        }
    }
}

/// What these events of a leg come to, after the legs before it.
fn folded(live: &LiveLeg, events: &[RunEvent]) -> Fold {
    let prior = live.prior.clone();
    let mut fold = Fold::after(live.leg.id, prior.parts, prior.usage);
    for event in events {
        fold.apply(event);
    }
    fold
}

/// An empty part that a model's text of this sort begins.
pub(super) const fn head_of(field: Field) -> PartContent {
    match field {
        Field::Refusal => PartContent::Refusal {
            text: String::new(),
        },
        Field::Reasoning(_) | Field::Summary(_) => PartContent::reasoning(),
        Field::Text | Field::Arguments | Field::Code => PartContent::text(),
    }
}

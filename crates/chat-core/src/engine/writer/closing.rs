//! How a leg closes, whatever the store does meanwhile.

use std::time::Duration;

use tokio::time::sleep;

use super::{End, Writer, folded};
use crate::{
    codec,
    event::EventKind,
    fold,
    message::PartStatus,
    ports::{CloseLeg, Closed, Signal, Standing, StoreError},
    run::{Outcome, StopCause, Usage},
};

/// A seal of more text than this is packed off the lanes.
const LARGE_SEAL_BYTES: usize = 64 * 1024;
/// A close that the store refuses, rather than being unable to do it now, is tried this often.
const REFUSED_CLOSES: u32 = 5;
/// How long to wait before a close that the store failed is tried again: doubled each time, up to the second.
const CLOSE_RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl Writer<'_> {
    /// Closes the leg and its run: finishes open parts, stores answer, seal and status at once, then shows the end. Says
    /// whether it was this node that closed it; `None` when the store refused.
    pub(in crate::engine) async fn close(
        mut self,
        end: End,
        estimate: Option<Usage>,
    ) -> Option<Closed> {
        self.show();
        let finished = match end.outcome {
            Outcome::Completed => PartStatus::Completed,
            Outcome::Failed | Outcome::Cancelled | Outcome::Incomplete | Outcome::Expired => {
                PartStatus::Incomplete
            }
        };
        for ordinal in self.fold.open_parts() {
            if let Some(kind) = self.fold.finish_part(ordinal, finished) {
                self.push_hidden(kind, None);
            }
        }
        let n = self.push_hidden(
            EventKind::Ended {
                outcome: end.outcome,
                error: end.error,
                retry_after_ms: end.retry_after_ms,
                usage: estimate.or(self.fold.usage()),
            },
            None,
        );
        self.close_as_folded(n).await
    }

    /// Closes the leg and leaves its run waiting for the reader's consent to these calls. Answers as [`Writer::close`] does.
    pub(in crate::engine) async fn pause(
        mut self,
        approvals: Vec<u32>,
        estimate: Option<Usage>,
    ) -> Option<Closed> {
        self.show();
        let max_pause = self.shared.settings.max_pause.as_millis();
        let now_ms = self.shared.ports.clock.now_ms();
        let n = self.push_hidden(
            EventKind::Paused {
                calls: Vec::new(),
                approvals,
                expires_at_ms: now_ms.saturating_add(i64::try_from(max_pause).unwrap_or(i64::MAX)),
            },
            None,
        );
        self.estimate = estimate;
        self.close_as_folded(n).await
    }

    /// Closes a leg whose log already holds the closing event, number `n`. Answers as [`Writer::close`] does.
    pub(in crate::engine) async fn close_as_folded(mut self, mut n: u32) -> Option<Closed> {
        let mut closed = self.close_in_store(&self.record_of_close().await).await;
        let leg = &self.live.leg;
        if closed == Some(Closed::Lost) && self.is_stopped_pause().await {
            n = self.cancel_instead();
            closed = self.close_in_store(&self.record_of_close().await).await;
        }
        let n = match closed {
            Some(Closed::Lost) => match self.adopt_close(n).await {
                Ok(n) => n,
                Err(error) => {
                    // Readers ask the store for the end themselves.
                    tracing::warn!(error = &error as &dyn std::error::Error, leg = %leg.id, "the end of a leg that was lost cannot be read");
                    self.shared.live.remove(leg.id);
                    self.live.log.give_away();
                    return closed;
                }
            },
            Some(Closed::Done) => {
                self.shared.empty_soon(&self.live.log);
                n
            }
            None => n,
        };
        self.live.log.show_end(n);
        self.shared.live.remove(leg.id);
        let signals = &self.shared.ports.signals;
        signals.ring(Signal::LegAdvanced(leg.id));
        if self.fold.status().is_terminal() {
            signals.ring(Signal::SlotFreed(leg.conversation));
        }
        closed
    }

    /// The close as the fold has it.
    async fn record_of_close(&self) -> CloseLeg {
        let leg = &self.live.leg;
        let answer = self.body().await.map(|body| self.record(body));
        let seal = match self.seal().await {
            Ok(seal) => seal,
            Err(error) => {
                // Events that we made ourselves are always encodable; should one not be, the text is in the message.
                tracing::error!(error = &error as &dyn std::error::Error, leg = %leg.id, "a leg's events cannot be sealed");
                Vec::new()
            }
        };
        let (error, expires_at_ms) = match self.fold.closing() {
            Some(fold::Closing::Ended(_, error)) => (error, None),
            Some(fold::Closing::Paused(expires_at_ms)) => (None, Some(expires_at_ms)),
            None => (None, None),
        };
        CloseLeg {
            leg: leg.id,
            epoch: leg.epoch,
            status: self.fold.status(),
            error,
            answer,
            expires_at_ms,
            seal,
            at_ms: self.shared.ports.clock.now_ms(),
        }
    }

    /// Whether a pause was lost because its run is to stop, and nobody else closes the leg then; or because the leg was
    /// deleted, and nobody can answer what it would ask.
    async fn is_stopped_pause(&self) -> bool {
        let pauses = matches!(self.fold.closing(), Some(fold::Closing::Paused(_)));
        if !pauses {
            return false;
        }
        let mut wait = CLOSE_RETRY.0;
        loop {
            match self.shared.ports.runs.standing(&[self.live.leg.id]).await {
                Ok(standing) => {
                    let standing = standing.first();
                    return matches!(standing, Some(Standing::Stopping | Standing::Gone));
                }
                Err(StoreError::Unavailable(_)) => {
                    sleep(wait).await;
                    wait = (wait * 2).min(CLOSE_RETRY.1);
                }
                // A leg that is left open is found and closed like any that was forgotten.
                Err(StoreError::Corrupt { .. } | StoreError::Fatal(_)) => return false,
            }
        }
    }

    /// Takes the pause back, which was not shown, with what was asked for it: calls of a run that was stopped do not wait.
    /// Puts the end of a stopped run in its place and gives its number.
    fn cancel_instead(&mut self) -> u32 {
        let shown = self.live.log.seen().n;
        let mut events = self.live.log.read_all();
        events.retain(|event| event.n > shown && !event.kind.comes_with_pause());
        self.live.log.replace_hidden(events);
        self.fold = folded(self.live, &self.live.log.read_all());
        let cause = self.live.stop_cause().unwrap_or(StopCause::Asked);
        self.push_hidden(EventKind::StopRequested { cause }, None);
        self.push_hidden(
            EventKind::Ended {
                outcome: Outcome::Cancelled,
                error: None,
                retry_after_ms: None,
                usage: self.estimate.or(self.fold.usage()),
            },
            None,
        )
    }

    /// Closes the leg in the store, however long that is unable to. `None` when it refuses again and again: the leg is let go
    /// then, and the next start closes it.
    async fn close_in_store(&self, close: &CloseLeg) -> Option<Closed> {
        let mut wait = CLOSE_RETRY.0;
        let mut refused = 0;
        loop {
            let error = match self.shared.ports.runs.close_leg(close.clone()).await {
                Ok(closed) => return Some(closed),
                Err(error) => error,
            };
            match error {
                StoreError::Unavailable(_) => {}
                StoreError::Corrupt { .. } | StoreError::Fatal(_) => refused += 1,
            }
            tracing::warn!(error = &error as &dyn std::error::Error, leg = %close.leg, "a leg's close waits for the store");
            if refused >= REFUSED_CLOSES {
                tracing::error!(leg = %close.leg, "the store refuses a leg's close; the next start closes it");
                return None;
            }
            sleep(wait).await;
            wait = (wait * 2).min(CLOSE_RETRY.1);
        }
    }

    /// The end that someone else gave this leg, in place of ours. A leg that was deleted keeps ours, for its readers.
    async fn adopt_close(&self, n: u32) -> Result<u32, StoreError> {
        let shown = self.live.log.seen().n;
        let run_log = &self.shared.ports.run_log;
        let mut theirs = run_log.read(self.live.leg.id, 0, u32::MAX).await?;
        if !theirs.last().is_some_and(|event| event.kind.is_closing()) {
            return Ok(n);
        }
        // Readers may have been shown more than the other had: what they get then is the end alone.
        let known = theirs.partition_point(|event| event.n <= shown);
        theirs.drain(..known.min(theirs.len().saturating_sub(1)));
        Ok(self.live.log.replace_hidden(theirs))
    }

    async fn seal(&self) -> Result<Vec<u8>, codec::CodecError> {
        let events = self.live.log.read_all();
        if self.live.log.bytes() <= LARGE_SEAL_BYTES {
            return codec::encode_seal(&events);
        }
        match tokio::task::spawn_blocking(move || codec::encode_seal(&events)).await {
            Ok(seal) => seal,
            Err(_gone) => codec::encode_seal(&self.live.log.read_all()),
        }
    }
}

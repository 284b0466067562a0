//! What the engine's parts share in doing: house-keeping, memory that is counted, who may do what.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::time::{Duration, sleep};

use super::{Lane, Shared, log};
use crate::{
    access::{Action, Owner, allowed},
    conversation::Conversation,
    error::EngineError,
    id::{ConversationId, LegId},
    ports::{Signal, ToolSpec},
    run::{Leg, StopCause},
};

/// A sealed log stays in memory this long for readers that are nearly at its end.
const EMPTY_AFTER: Duration = Duration::from_secs(5);

/// Memory that is counted as in use until this is dropped.
pub(super) struct Held {
    counter: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Shared {
    /// Runs house-keeping until the very end.
    pub(super) fn keep(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop_keeping.clone();
        let kept = async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = task => {}
            }
        };
        self.keeping.spawn_on(kept, &self.home);
    }

    /// An empty log for a leg.
    pub(super) fn new_log(&self, leg: &Leg) -> log::LegLog {
        log::LegLog::new(
            leg.id,
            leg.opened_at_ms,
            Arc::clone(&self.held_bytes),
            self.lease.clone(),
        )
    }

    /// Counts memory as in use.
    pub(super) fn hold(&self, bytes: usize) -> Held {
        self.held_bytes.fetch_add(bytes, Ordering::Relaxed);
        Held {
            counter: Arc::clone(&self.held_bytes),
            bytes,
        }
    }

    /// Whether no further answer can be begun now.
    pub(super) fn is_full(&self) -> bool {
        self.draining.is_cancelled()
            || self.held_bytes.load(Ordering::Relaxed) > self.settings.max_live_bytes
    }

    /// Tells a leg's owner, here or elsewhere, that it is to stop.
    pub(super) fn tell(&self, leg: LegId, cause: StopCause) {
        match self.live.find(leg) {
            Some(live) => live.stop(cause),
            None => self.ports.signals.ring(Signal::StopAsked(leg, cause)),
        }
    }

    /// Gives a sealed log's memory back after a while, for readers that stopped reading would hold it for ever. Those who
    /// only need the last events get them from memory.
    pub(super) fn empty_soon(&self, log: &Arc<log::LegLog>) {
        let (log, stop) = (Arc::downgrade(log), self.stop_keeping.clone());
        let empty = async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(EMPTY_AFTER) => {}
            }
            if let Some(log) = log.upgrade() {
                log.empty();
            }
        };
        self.keeping.spawn_on(empty, &self.home);
    }

    /// Hears what other nodes ask of this one.
    pub(super) async fn listen(&self) {
        let mut signals = self.ports.signals.subscribe();
        loop {
            match signals.next().await {
                Some(Signal::StopAsked(leg, cause)) => {
                    if let Some(live) = self.live.find(leg) {
                        live.stop(cause);
                    }
                }
                Some(
                    Signal::LegAdvanced(_)
                    | Signal::SlotTaken(_)
                    | Signal::SlotFreed(_)
                    | Signal::Missed,
                ) => {}
                Some(Signal::LegReleased(_)) => self.released.notify_one(),
                None => return,
            }
        }
    }

    /// The lane that takes the next leg.
    pub(super) fn lane(&self) -> Option<&Lane> {
        let index = self.next_lane.fetch_add(1, Ordering::Relaxed);
        self.lanes.get(index.checked_rem(self.lanes.len())?)
    }

    /// What the model is told about the tools with these names.
    pub(super) fn tools_named(&self, names: &[String]) -> Vec<ToolSpec> {
        names
            .iter()
            .filter_map(|name| self.tools.get(name))
            .map(|tool| tool.spec().clone())
            .collect()
    }

    /// The conversation, if the caller may do this to it.
    pub(super) async fn checked(
        &self,
        caller: &Owner,
        conversation: ConversationId,
        action: Action,
    ) -> Result<Conversation, EngineError> {
        let missing = EngineError::NotFound {
            what: "conversation",
        };
        let conversation = self
            .ports
            .conversations
            .find_conversation(conversation)
            .await?
            .ok_or(missing)?;
        if allowed(caller, &conversation.owner, conversation.visibility, action) {
            Ok(conversation)
        } else {
            Err(EngineError::Forbidden)
        }
    }
}

use std::fmt::Debug;

use tokio::sync::broadcast;

use crate::{
    id::{ConversationId, LegId},
    run::StopCause,
};

/// Rings between nodes. A signal is a hint to look at the store, never the truth itself.
///
/// Where nodes share a store, its changes ring by themselves on every node: an append of events and a close as
/// [`Signal::LegAdvanced`], a stop that was asked, a replaced and a deleted leg as [`Signal::StopAsked`], an opened
/// and a resumed run as [`Signal::SlotTaken`], its end as [`Signal::SlotFreed`], a released leg as
/// [`Signal::LegReleased`]. The same thing may ring twice.
pub trait Signals: Debug + Send + Sync {
    /// Rings on this node at once, for what changed here. Never blocks, never fails: what was missed is found in the
    /// store.
    fn ring(&self, signal: Signal);

    /// What rings from now on.
    fn subscribe(&self) -> SignalStream;
}

/// What rings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// A leg has new durable events.
    LegAdvanced(LegId),
    /// A leg was asked to stop.
    StopAsked(LegId, StopCause),
    /// A run took a conversation's slot.
    SlotTaken(ConversationId),
    /// A conversation's slot may be free.
    SlotFreed(ConversationId),
    /// A leg was given up by its node, for any other to take over.
    LegReleased(LegId),
    /// Signals may have been missed: look at everything you wait for.
    Missed,
}

/// Signals as they ring.
#[derive(Debug)]
pub struct SignalStream(broadcast::Receiver<Signal>);

impl SignalStream {
    /// A stream that is fed by this receiver.
    pub const fn new(receiver: broadcast::Receiver<Signal>) -> Self {
        Self(receiver)
    }

    /// The next signal; [`Signal::Missed`] when this reader was too slow for some; `None` when nothing will ring again.
    pub async fn next(&mut self) -> Option<Signal> {
        match self.0.recv().await {
            Ok(signal) => Some(signal),
            Err(broadcast::error::RecvError::Lagged(_)) => Some(Signal::Missed),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Signals within one process: all that the embedded store needs.
#[derive(Debug)]
pub struct LocalSignals(broadcast::Sender<Signal>);

impl LocalSignals {
    /// Signals that hold up to 1,024 for a slow reader, who is then told that it missed some.
    pub fn new() -> Self {
        Self(broadcast::Sender::new(1024))
    }
}

impl Default for LocalSignals {
    fn default() -> Self {
        Self::new()
    }
}

impl Signals for LocalSignals {
    fn ring(&self, signal: Signal) {
        // An error only says that nobody listens.
        let _unheard = self.0.send(signal);
    }

    fn subscribe(&self) -> SignalStream {
        SignalStream::new(self.0.subscribe())
    }
}

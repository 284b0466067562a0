//! Watching a leg: what was not seen yet, then the live rest, from memory or from the store, all in one way.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::{Shared, live::LiveLeg, log::Seen};
use crate::{
    event::RunEvent,
    id::LegId,
    ports::{Signal, SignalStream, Standing, StoreError},
};

/// How many events one step of a reader takes at most.
const BATCH: usize = 256;

/// A leg that another node works on is looked at this often, rung for or not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A reader of one leg, with a cursor of its own. A slow one lags alone; dropping it stops nothing.
pub struct Watch {
    leg: LegId,
    shared: Arc<Shared>,
    source: Source,
    after: u32,
    done: bool,
}

enum Source {
    Live {
        live: Arc<LiveLeg>,
        seen: watch::Receiver<Seen>,
    },
    Stored {
        signals: SignalStream,
        /// What was read and not given out yet. A seal is unpacked whole, so it is read once.
        read: VecDeque<RunEvent>,
    },
}

impl Watch {
    pub(super) fn new(leg: LegId, shared: Arc<Shared>) -> Self {
        Self {
            leg,
            source: Source::of(leg, &shared),
            shared,
            after: 0,
            done: false,
        }
    }

    /// The next events, at least one, in order and without a gap; waits until there are some. `None` after the closing
    /// event.
    ///
    /// A leg that was deleted before its reader came ends without a closing event.
    pub async fn next(&mut self) -> Result<Option<Vec<RunEvent>>, StoreError> {
        if self.done {
            return Ok(None);
        }
        let events = loop {
            match &mut self.source {
                Source::Live { live, seen } => {
                    let after = self.after;
                    // The sender lives in the leg that this reader holds, so waiting cannot fail.
                    let _ = seen
                        .wait_for(|seen| seen.n > after || seen.given_away)
                        .await;
                    let is_here = live.log.seen().n > after;
                    if is_here && let Some(events) = live.log.read(after, BATCH) {
                        break events;
                    }
                    // The log's memory was given back: this reader is far behind, and the seal has the rest. Or another
                    // node goes on with the leg.
                    self.source = Source::stored(&self.shared);
                }
                Source::Stored { signals, read } => {
                    if read.is_empty() {
                        match stored(self.leg, self.after, &self.shared, signals).await? {
                            Stored::Here => {
                                self.source = Source::of(self.leg, &self.shared);
                                continue;
                            }
                            Stored::Events(events) => *read = events.into(),
                        }
                    }
                    let count = read.len().min(BATCH);
                    break read.drain(..count).collect();
                }
            }
        };
        let last = events.last();
        self.after = last.map_or(self.after, |last| last.n);
        self.done = last.is_none_or(|last| last.kind.is_closing());
        Ok((!events.is_empty()).then_some(events))
    }
}

impl Source {
    /// This node's memory if it works on the leg, else the store.
    fn of(leg: LegId, shared: &Shared) -> Self {
        match shared.live.find(leg) {
            Some(live) => Self::Live {
                seen: live.log.watch(),
                live,
            },
            None => Self::stored(shared),
        }
    }

    fn stored(shared: &Shared) -> Self {
        Self::Stored {
            signals: shared.ports.signals.subscribe(),
            read: VecDeque::new(),
        }
    }
}

/// What the store says of a leg.
enum Stored {
    /// Its next events; none when there will be none.
    Events(Vec<RunEvent>),
    /// This node has begun to work on it meanwhile.
    Here,
}

/// What the store has after this number; waits until it has something.
async fn stored(
    leg: LegId,
    after: u32,
    shared: &Shared,
    signals: &mut SignalStream,
) -> Result<Stored, StoreError> {
    let read = || shared.ports.run_log.read(leg, after, u32::MAX);
    loop {
        let mut events = read().await?;
        // Most readers are here because there is more: then one call is enough.
        let hidden = events.iter().position(|event| {
            let kind = &event.kind;
            kind.is_closing() || kind.comes_with_pause()
        });
        if !events.is_empty() && hidden.is_none() {
            return Ok(Stored::Events(events));
        }
        match shared.ports.runs.find_leg(leg).await? {
            None => return Ok(Stored::Events(Vec::new())),
            // It may have been closed since it was read.
            Some(found) if found.closed_at_ms.is_some() => {
                let mut rest = read().await?;
                if rest.is_empty() {
                    // Whoever closed it had less than this reader was shown: then the end is all that is left.
                    let all = shared.ports.run_log.read(leg, 0, u32::MAX).await?;
                    rest.extend(all.into_iter().next_back());
                }
                return Ok(Stored::Events(rest));
            }
            Some(_) => {}
        }
        // The end of a leg that is not closed was flushed and never shown: whoever closes it may say otherwise.
        events.truncate(hidden.unwrap_or(events.len()));
        if !events.is_empty() {
            return Ok(Stored::Events(events));
        }
        if shared.live.find(leg).is_some() {
            return Ok(Stored::Here);
        }
        ring_or_time(signals, |signal| signal == Signal::LegAdvanced(leg)).await;
    }
}

/// Returns once a leg that another node works on is closed, or gone.
pub(super) async fn closed_elsewhere(leg: LegId, shared: &Shared) {
    let mut signals = shared.ports.signals.subscribe();
    loop {
        // A store that cannot say so now may say so later; whoever waits has a limit.
        let standing = shared.ports.runs.standing(&[leg]).await;
        if let Ok([Standing::Closed | Standing::Gone]) = standing.as_deref() {
            return;
        }
        ring_or_time(&mut signals, |signal| signal == Signal::LegAdvanced(leg)).await;
    }
}

/// Returns once a signal rings that is wanted, or any may have been missed, or it is time to look unasked.
pub(super) async fn ring_or_time(signals: &mut SignalStream, wanted: impl Fn(Signal) -> bool) {
    let rung = async {
        loop {
            match signals.next().await {
                Some(Signal::Missed) => return,
                Some(signal) if wanted(signal) => return,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    };
    tokio::select! {
        () = rung => {}
        () = sleep(LOOK_EVERY) => {}
    }
}

//! Watching a leg: what was not seen yet, then the live rest, from memory or from the store, all in one way.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use tokio::{sync::watch, time::sleep};

use super::{
    Ports,
    live::{LiveLeg, Registry},
    log::Seen,
};
use crate::{
    event::RunEvent,
    id::LegId,
    ports::{RunLog, Runs, Signal, SignalStream, StoreError},
};

/// How many events one step of a reader takes at most.
const BATCH: usize = 256;

/// A leg that another node works on is looked at this often, rung for or not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A reader of one leg, with a cursor of its own. A slow one lags alone; dropping it stops nothing.
pub struct Watch {
    leg: LegId,
    ports: Ports,
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
        log: Arc<dyn RunLog>,
        runs: Arc<dyn Runs>,
        signals: SignalStream,
        /// What was read and not given out yet. A seal is unpacked whole, so it is read once.
        read: VecDeque<RunEvent>,
    },
}

impl Watch {
    pub(super) fn new(leg: LegId, registry: &Registry, ports: &Ports) -> Self {
        let source = match registry.find(leg) {
            Some(live) => Source::Live {
                seen: live.log.watch(),
                live,
            },
            None => Source::stored(ports),
        };
        Self {
            leg,
            ports: ports.clone(),
            source,
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
                    let _ = seen.wait_for(|seen| seen.n > after).await;
                    if let Some(events) = live.log.read(after, BATCH) {
                        break events;
                    }
                    // The log's memory was given back: this reader is far behind, and the seal has the rest.
                    self.source = Source::stored(&self.ports);
                }
                Source::Stored {
                    log,
                    runs,
                    signals,
                    read,
                } => {
                    if read.is_empty() {
                        *read = stored(self.leg, self.after, log.as_ref(), runs.as_ref(), signals)
                            .await?;
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
    fn stored(ports: &Ports) -> Self {
        Self::Stored {
            log: Arc::clone(&ports.run_log),
            runs: Arc::clone(&ports.runs),
            signals: ports.signals.subscribe(),
            read: VecDeque::new(),
        }
    }
}

/// What the store has after this number; waits until it has something. Empty when there will be nothing.
async fn stored(
    leg: LegId,
    after: u32,
    log: &dyn RunLog,
    runs: &dyn Runs,
    signals: &mut SignalStream,
) -> Result<VecDeque<RunEvent>, StoreError> {
    loop {
        let events = log.read(leg, after, u32::MAX).await?;
        if !events.is_empty() {
            return Ok(events.into());
        }
        // A leg may be closed between the two reads, and is then read once more.
        match runs.find_leg(leg).await? {
            Some(found) if found.closed_at_ms.is_none() => {
                ring_or_time(signals, |signal| signal == Signal::LegAdvanced(leg)).await;
            }
            Some(_) => return Ok(log.read(leg, after, u32::MAX).await?.into()),
            None => return Ok(VecDeque::new()),
        }
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

//! Watching a leg: what was not seen yet, then the live rest, from memory or from the store, all in one way.

use std::{sync::Arc, time::Duration};

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
const BATCH: u32 = 256;

/// A leg that another node works on is looked at this often, rung for or not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A reader of one leg, with a cursor of its own. A slow one lags alone; dropping it stops nothing.
pub struct Watch {
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
        leg: LegId,
        log: Arc<dyn RunLog>,
        runs: Arc<dyn Runs>,
        signals: SignalStream,
    },
}

impl Watch {
    pub(super) fn new(leg: LegId, registry: &Registry, ports: &Ports) -> Self {
        let source = match registry.find(leg) {
            Some(live) => Source::Live {
                seen: live.log.watch(),
                live,
            },
            None => Source::Stored {
                leg,
                log: Arc::clone(&ports.run_log),
                runs: Arc::clone(&ports.runs),
                signals: ports.signals.subscribe(),
            },
        };
        Self {
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
        let events = match &mut self.source {
            Source::Live { live, seen } => {
                let after = self.after;
                // The sender lives in the leg that this reader holds, so waiting cannot fail.
                let _ = seen.wait_for(|seen| seen.n > after).await;
                live.log
                    .read(after, usize::try_from(BATCH).unwrap_or(usize::MAX))
            }
            Source::Stored {
                leg,
                log,
                runs,
                signals,
            } => loop {
                let events = log.read(*leg, self.after, BATCH).await?;
                if !events.is_empty() {
                    break events;
                }
                // A leg may be closed between the two reads, and is then read once more.
                match runs.find_leg(*leg).await? {
                    Some(found) if found.closed_at_ms.is_none() => {
                        ring_or_time(signals, |signal| signal == Signal::LegAdvanced(*leg)).await;
                    }
                    Some(_) => break log.read(*leg, self.after, BATCH).await?,
                    None => break Vec::new(),
                }
            },
        };
        let last = events.last();
        self.after = last.map_or(self.after, |last| last.n);
        self.done = last.is_none_or(|last| last.kind.is_closing());
        Ok((!events.is_empty()).then_some(events))
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

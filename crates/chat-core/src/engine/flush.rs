//! Brings the new events of all live legs to the store, in one append for all of them.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;

use super::{lease::Lease, log::LegLog};
use crate::ports::{RunLog, StoreError};

/// An event is on its way to the store after at most this long.
const EVERY: Duration = Duration::from_millis(45);
/// … or once this much text is waiting, over all legs.
const BYTES: usize = 4 * 1024;
/// How long to wait after a failed append.
const RETRY: Duration = Duration::from_millis(250);

#[derive(Debug, Default)]
pub(super) struct Flusher {
    dirty: Mutex<Vec<Arc<LegLog>>>,
    bytes: AtomicUsize,
    wake: Notify,
    urgent: Notify,
}

impl Flusher {
    /// Notes that a log has new events, with this many bytes of text.
    pub(super) fn note(&self, log: &Arc<LegLog>, bytes: usize) {
        if !log.queued.swap(true, Ordering::AcqRel) {
            let mut dirty = self.dirty.lock().unwrap_or_else(PoisonError::into_inner);
            dirty.push(Arc::clone(log));
            if dirty.len() == 1 {
                self.wake.notify_one();
            }
        }
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before < BYTES && before + bytes >= BYTES {
            self.urgent.notify_one();
        }
    }

    /// Returns once the store has the log's events up to here, and says whether it ever will.
    pub(super) async fn commit(&self, log: &Arc<LegLog>, n: u32) -> bool {
        self.note(log, 0);
        self.urgent.notify_one();
        log.wait_durable(n).await
    }

    /// Flushes until told to stop. What is not flushed then is in no seal either and is lost: stop it last.
    ///
    /// Nothing is appended while the lease does not hold: others may have closed the legs.
    pub(super) async fn run(&self, store: &dyn RunLog, lease: &Lease, stop: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.wake.notified() => {}
            }
            tokio::select! {
                biased;
                () = self.urgent.notified() => {}
                () = sleep(EVERY) => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = lease.held() => {}
            }
            tokio::select! {
                biased;
                // A store that does not answer must not keep the node from ending.
                () = stop.cancelled() => return,
                () = self.flush(store) => {}
            }
        }
    }

    /// Finds the leg whose events the store refuses. It is given up, for trying again would be refused again and hold every
    /// other leg up.
    async fn flush_one_by_one(&self, store: &dyn RunLog, logs: Vec<(Arc<LegLog>, u32)>) {
        for (log, _) in logs {
            let Some(batch) = log.unflushed() else {
                continue;
            };
            let last = batch.last();
            match store.append(vec![batch]).await {
                Ok(()) => log.flushed(last),
                Err(error @ (StoreError::Corrupt { .. } | StoreError::Fatal(_))) => {
                    tracing::error!(error = &error as &dyn std::error::Error, leg = %log.leg(), "the store refuses a leg's events");
                    log.give_up();
                }
                Err(StoreError::Unavailable(_)) => self.note(&log, 0),
            }
        }
    }

    async fn flush(&self, store: &dyn RunLog) {
        let logs = std::mem::take(&mut *self.dirty.lock().unwrap_or_else(PoisonError::into_inner));
        self.bytes.store(0, Ordering::Relaxed);
        let mut batches = Vec::with_capacity(logs.len());
        let mut flushed = Vec::with_capacity(logs.len());
        for log in logs {
            // Before the events are read, so that one that comes meanwhile queues the log anew.
            log.queued.store(false, Ordering::Release);
            if let Some(batch) = log.unflushed() {
                let last = batch.last();
                flushed.push((log, last));
                batches.push(batch);
            }
        }
        if batches.is_empty() {
            return;
        }
        match store.append(batches).await {
            Ok(()) => {
                for (log, last) in flushed {
                    log.flushed(last);
                }
            }
            Err(StoreError::Corrupt { .. } | StoreError::Fatal(_)) => {
                self.flush_one_by_one(store, flushed).await;
            }
            Err(error @ StoreError::Unavailable(_)) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    legs = flushed.len(),
                    "events wait for the store"
                );
                sleep(RETRY).await;
                for (log, _) in flushed {
                    self.note(&log, 0);
                }
            }
        }
    }
}

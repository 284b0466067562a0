//! What happened so far: counters, hang-ups and recorded requests.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::error::WaitError;

/// How many hang-ups are remembered.
const HANG_UPS: usize = 64;
/// How many requests are remembered.
const REQUESTS: usize = 256;

/// The state of a server at one moment.
///
/// `requests` is at all times the sum of `open_streams`, `completed`, `failed`, `cut` and `hung_up`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Requests for a completion, whole ones only.
    pub requests: u64,
    /// Connections that are open now.
    pub open_connections: u64,
    /// Connections ever accepted.
    pub connections: u64,
    /// Answers under way now, streamed or not, silent ones included.
    pub open_streams: u64,
    /// Answers handed over to their end.
    pub completed: u64,
    /// Requests answered by a status of 400 or above.
    pub failed: u64,
    /// Answers this side cut, as a scenario said.
    pub cut: u64,
    /// Answers whose client closed its connection before their end.
    pub hung_up: u64,
    /// The last 64 of those, oldest first.
    pub hang_ups: Vec<HangUp>,
}

/// A client that closed its connection before the end of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HangUp {
    /// When it was noticed.
    pub at: Instant,
    /// The number of the request, counted from 1.
    pub request: u64,
    /// How many bytes of the body had been handed to the connection.
    pub sent_bytes: u64,
}

/// A request for a completion, as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedRequest {
    /// The headers, names in lower case, in the order they came; bytes that are no text are left out.
    pub headers: Vec<(String, String)>,
    /// The body; a string when it was not JSON.
    pub body: Value,
}

impl RecordedRequest {
    /// The first header of this name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// The books of one server.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    stats: Mutex<Stats>,
    requests: Mutex<VecDeque<RecordedRequest>>,
    changed: Condvar,
    notify: Notify,
}

impl Ledger {
    /// The state now.
    pub(crate) fn stats(&self) -> Stats {
        lock(&self.stats).clone()
    }

    /// The state as the JSON of `/__mock/stats`.
    pub(crate) fn report(&self) -> Value {
        let stats = self.stats();
        let hang_ups: Vec<Value> = stats
            .hang_ups
            .iter()
            .map(|hang_up| {
                json!({
                    "request": hang_up.request,
                    "sent_bytes": hang_up.sent_bytes,
                    "ms_ago": millis(hang_up.at.elapsed()),
                })
            })
            .collect();
        json!({
            "requests": stats.requests,
            "open_connections": stats.open_connections,
            "connections": stats.connections,
            "open_streams": stats.open_streams,
            "completed": stats.completed,
            "failed": stats.failed,
            "cut": stats.cut,
            "hung_up": stats.hung_up,
            "hang_ups": hang_ups,
        })
    }

    /// Waits until `reached`, at most `timeout`, without blocking the thread.
    pub(crate) async fn wait_for(
        &self,
        mut reached: impl FnMut(&Stats) -> bool,
        timeout: Duration,
    ) -> Result<Stats, WaitError> {
        let waiting = async {
            loop {
                let notified = self.notify.notified();
                let mut notified = std::pin::pin!(notified);
                // Enrolled before looking, so that no change between the two is missed.
                notified.as_mut().enable();
                let stats = self.stats();
                if reached(&stats) {
                    return stats;
                }
                notified.await;
            }
        };
        tokio::time::timeout(timeout, waiting)
            .await
            .map_err(|_elapsed| WaitError {
                waited: timeout,
                last: Box::new(self.stats()),
            })
    }

    /// Waits until `reached`, at most `timeout`, and blocks the thread.
    pub(crate) fn blocking_wait_for(
        &self,
        mut reached: impl FnMut(&Stats) -> bool,
        timeout: Duration,
    ) -> Result<Stats, WaitError> {
        let (stats, result) = self
            .changed
            .wait_timeout_while(lock(&self.stats), timeout, |stats| !reached(stats))
            .unwrap_or_else(PoisonError::into_inner);
        if result.timed_out() {
            Err(WaitError {
                waited: timeout,
                last: Box::new(stats.clone()),
            })
        } else {
            Ok(stats.clone())
        }
    }

    pub(crate) fn requests(&self) -> Vec<RecordedRequest> {
        lock(&self.requests).iter().cloned().collect()
    }

    pub(crate) fn record(&self, request: RecordedRequest) {
        let mut requests = lock(&self.requests);
        if requests.len() == REQUESTS {
            requests.pop_front();
        }
        requests.push_back(request);
    }

    /// Forgets everything but what is still open.
    pub(crate) fn reset(&self) {
        lock(&self.requests).clear();
        self.change(|stats| {
            *stats = Stats {
                requests: stats.open_streams,
                open_connections: stats.open_connections,
                connections: stats.open_connections,
                open_streams: stats.open_streams,
                ..Stats::default()
            };
        });
    }

    fn change(&self, change: impl FnOnce(&mut Stats)) {
        change(&mut lock(&self.stats));
        self.changed.notify_all();
        self.notify.notify_waiters();
    }
}

/// An open connection; dropping it says that it closed.
#[derive(Debug)]
pub(crate) struct Connection(Arc<Ledger>);

impl Connection {
    pub(crate) fn open(ledger: &Arc<Ledger>) -> Self {
        ledger.change(|stats| {
            stats.connections += 1;
            stats.open_connections += 1;
        });
        Self(Arc::clone(ledger))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0
            .change(|stats| stats.open_connections = stats.open_connections.saturating_sub(1));
    }
}

/// One request on its way to its end; dropping it earlier says that the client hung up.
#[derive(Debug)]
pub(crate) struct Ticket {
    ledger: Arc<Ledger>,
    request: u64,
    sent_bytes: u64,
    open: bool,
}

impl Ticket {
    pub(crate) fn open(ledger: &Arc<Ledger>) -> Self {
        let mut request = 0;
        ledger.change(|stats| {
            stats.requests += 1;
            stats.open_streams += 1;
            request = stats.requests;
        });
        Self {
            ledger: Arc::clone(ledger),
            request,
            sent_bytes: 0,
            open: true,
        }
    }

    /// Notes bytes that were handed over.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
    }

    /// Says that the answer was handed over to its end.
    pub(crate) fn complete(&mut self) {
        self.close(|stats, _| stats.completed += 1);
    }

    /// Says that the request was answered by an error.
    pub(crate) fn fail(&mut self) {
        self.close(|stats, _| stats.failed += 1);
    }

    /// Says that this side closes the connection.
    pub(crate) fn cut(&mut self) {
        self.close(|stats, _| stats.cut += 1);
    }

    fn close(&mut self, count: impl FnOnce(&mut Stats, HangUp)) {
        if std::mem::take(&mut self.open) {
            let now = HangUp {
                at: Instant::now(),
                request: self.request,
                sent_bytes: self.sent_bytes,
            };
            self.ledger.change(|stats| {
                stats.open_streams = stats.open_streams.saturating_sub(1);
                count(stats, now);
            });
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.close(|stats, hang_up| {
            stats.hung_up += 1;
            if stats.hang_ups.len() == HANG_UPS {
                stats.hang_ups.remove(0);
            }
            stats.hang_ups.push(hang_up);
        });
    }
}

/// Locks also after a panic elsewhere: counters stay meaningful.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

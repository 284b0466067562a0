//! What a node may do depends on whether the others can see that it lives: a lease, lost by silence.
//!
//! A node that could not renew its counter for a while must take it that others will close its legs. It freezes: nothing
//! more is shown or appended, while upstreams are still read for a bit, so that an election of the database costs an
//! answer nothing. Who froze thaws only after it has asked which of its legs were closed meanwhile.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    sync::watch,
    time::{Duration, Instant},
};

/// A node raises its counter this often.
pub(super) const BEAT: Duration = Duration::from_secs(1);
/// A node whose last renewal began this long ago freezes. Shorter than [`DEAD_AFTER`], so that nothing is shown by a node
/// whose legs are closed by another.
pub(super) const FREEZE_AFTER: Duration = Duration::from_secs(5);
/// A node whose counter has not changed for this long is dead.
pub(super) const DEAD_AFTER: Duration = Duration::from_secs(7);
/// A frozen node reads its upstreams for this long; then it makes them wait.
const READ_ON: Duration = Duration::from_secs(15);

/// Timers are this exact; a shorter wait would be over before the silence has lasted long enough.
const SHORTEST: Duration = Duration::from_millis(10);

/// Whether the node's lease holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Held,
    Frozen,
    /// Frozen for so long that upstreams wait as well.
    Waiting,
}

/// The lease of one node, as its legs see it. Clones are the same lease.
#[derive(Debug, Clone)]
pub(super) struct Lease(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    state: watch::Sender<State>,
    made: Instant,
    /// When the last renewal that counts began, in milliseconds after `made`.
    renewed_ms: AtomicU64,
}

impl Default for Lease {
    fn default() -> Self {
        Self(Arc::new(Inner {
            state: watch::Sender::new(State::Held),
            made: Instant::now(),
            renewed_ms: AtomicU64::new(0),
        }))
    }
}

impl Lease {
    /// Whether nothing may be shown or appended now. Asks the clock as well: after the process was suspended its threads
    /// do not wake in the order that would be right.
    pub(super) fn is_frozen(&self) -> bool {
        *self.0.state.borrow() != State::Held || self.silence() >= FREEZE_AFTER
    }

    /// How long ago the last renewal began that counts.
    pub(super) fn silence(&self) -> Duration {
        let renewed = Duration::from_millis(self.0.renewed_ms.load(Ordering::Acquire));
        self.0.made.elapsed().saturating_sub(renewed)
    }

    /// Notes that a renewal succeeded which began then.
    pub(super) fn renewed(&self, began: Instant) {
        let after = began.saturating_duration_since(self.0.made);
        let after_ms = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        self.0.renewed_ms.store(after_ms, Ordering::Release);
    }

    /// Whether upstreams are to wait now.
    pub(super) fn upstreams_wait(&self) -> bool {
        *self.0.state.borrow() == State::Waiting
    }

    /// Freezes if the silence has lasted for so long, and says whether the node has just frozen.
    pub(super) fn heed_silence(&self) -> bool {
        let silence = self.silence();
        let state = if silence >= FREEZE_AFTER + READ_ON {
            State::Waiting
        } else if silence >= FREEZE_AFTER {
            State::Frozen
        } else {
            return false;
        };
        self.0.state.send_replace(state) == State::Held
    }

    /// Holds the lease again.
    pub(super) fn thaw(&self) {
        self.0.state.send_replace(State::Held);
    }

    /// Returns once the lease is held.
    pub(super) async fn held(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self
            .0
            .state
            .subscribe()
            .wait_for(|state| *state == State::Held)
            .await;
    }

    /// Returns once the lease is lost.
    pub(super) async fn lost(&self) {
        // As above.
        let _ = self
            .0
            .state
            .subscribe()
            .wait_for(|state| *state != State::Held)
            .await;
    }

    /// How long until [`Lease::heed_silence`] may say more.
    pub(super) fn next_change(&self) -> Duration {
        let silence = self.silence();
        let next = if silence < FREEZE_AFTER {
            FREEZE_AFTER
        } else {
            FREEZE_AFTER + READ_ON
        };
        next.saturating_sub(silence).max(SHORTEST)
    }
}

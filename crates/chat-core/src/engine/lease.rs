//! What a node may do depends on whether the others can see that it lives: a lease, lost by silence.
//!
//! A node that could not renew its counter for a while must take it that others will close its legs. It freezes: nothing
//! more is shown or appended, while upstreams are still read for a bit, so that an election of the database costs an
//! answer nothing. Who froze thaws only after it has asked which of its legs were closed meanwhile.

use std::sync::Arc;

use tokio::{sync::watch, time::Duration};

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
pub(super) struct Lease(Arc<watch::Sender<State>>);

impl Default for Lease {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::Held)))
    }
}

impl Lease {
    /// Whether nothing may be shown or appended now.
    pub(super) fn is_frozen(&self) -> bool {
        *self.0.borrow() != State::Held
    }

    /// Whether upstreams are to wait now.
    pub(super) fn upstreams_wait(&self) -> bool {
        *self.0.borrow() == State::Waiting
    }

    /// Notes that the last renewal that succeeded began this long ago, and says whether the node has just frozen.
    pub(super) fn silent_for(&self, silence: Duration) -> bool {
        let state = if silence >= FREEZE_AFTER + READ_ON {
            State::Waiting
        } else if silence >= FREEZE_AFTER {
            State::Frozen
        } else {
            return false;
        };
        self.0.send_replace(state) == State::Held
    }

    /// Holds the lease again.
    pub(super) fn thaw(&self) {
        self.0.send_replace(State::Held);
    }

    /// Returns once the lease is held.
    pub(super) async fn held(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self
            .0
            .subscribe()
            .wait_for(|state| *state == State::Held)
            .await;
    }

    /// How long the silence may last from now, given how long it lasts already, until [`Lease::silent_for`] says more.
    pub(super) fn next_change(silence: Duration) -> Duration {
        let next = if silence < FREEZE_AFTER {
            FREEZE_AFTER
        } else {
            FREEZE_AFTER + READ_ON
        };
        next.saturating_sub(silence).max(SHORTEST)
    }
}

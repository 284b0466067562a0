use std::collections::HashMap;
use std::sync::{Mutex as Lock, PoisonError};

use chat_core::id::LegId;
use tokio::sync::{Mutex, MutexGuard};

/// What a handle knows of the log without reading it.
#[derive(Debug, Default)]
pub(crate) struct LogState {
    /// The number that the next event of an open leg will have.
    ///
    /// Held during an append, so that appends of one handle come one after the other. What is here may be too low, when
    /// another handle appended to the leg: then the unique index of first numbers refuses the append, and the leg is
    /// read again. It is never too high.
    next: Mutex<HashMap<LegId, u32>>,
    /// Legs that this handle closed or deleted, whose log is to be swept.
    released: Lock<Vec<LegId>>,
}

impl LogState {
    /// The next numbers of open legs, for one append at a time.
    pub(crate) async fn next(&self) -> MutexGuard<'_, HashMap<LegId, u32>> {
        self.next.lock().await
    }

    /// Takes note that legs were closed or deleted.
    pub(crate) fn release(&self, legs: &[LegId]) {
        if legs.is_empty() {
            return;
        }
        self.released
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(legs);
        // Not waited for: while an append goes on, the next sweep forgets them.
        if let Ok(mut next) = self.next.try_lock() {
            next.retain(|leg, _| !legs.contains(leg));
        }
    }

    /// The legs that were released since the last call.
    pub(crate) fn take_released(&self) -> Vec<LegId> {
        std::mem::take(&mut self.released.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The legs whose next number is known.
    pub(crate) async fn known(&self) -> Vec<LegId> {
        self.next.lock().await.keys().copied().collect()
    }

    /// Forgets these legs.
    pub(crate) async fn forget(&self, legs: &[LegId]) {
        self.next.lock().await.retain(|leg, _| !legs.contains(leg));
    }
}

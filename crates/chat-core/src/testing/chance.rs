use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use uuid::Uuid;

use crate::ports::{Clock, IdSource};

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows this time, in milliseconds since the Unix epoch.
    pub const fn at(now_ms: i64) -> Self {
        Self(AtomicI64::new(now_ms))
    }

    /// Moves it, forwards or backwards.
    pub fn move_by(&self, ms: i64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Ids that count upwards, so that a failing test shows the same ones each time.
#[derive(Debug)]
pub struct CountingIds(AtomicU64);

impl CountingIds {
    /// Ids after this number.
    pub const fn after(number: u64) -> Self {
        Self(AtomicU64::new(number))
    }
}

impl IdSource for CountingIds {
    fn random(&self) -> Uuid {
        self.ordered()
    }

    fn ordered(&self) -> Uuid {
        Uuid::from_u64_pair(
            0x0000_0000_0000_7000,
            0x8000_0000_0000_0000 | (self.0.fetch_add(1, Ordering::Relaxed) + 1),
        )
    }
}

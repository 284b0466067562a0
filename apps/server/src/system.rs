//! The real clock and real ids.

use std::time::SystemTime;

use chat_core::ports::{Clock, IdSource};
use uuid::Uuid;

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    fn now_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        since_epoch.map_or(0, |time| {
            i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
        })
    }
}

/// Ids from the machine's source of randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that makes random ids"
    )]
    fn random(&self) -> Uuid {
        Uuid::new_v4()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that makes ordered ids"
    )]
    fn ordered(&self) -> Uuid {
        Uuid::now_v7()
    }
}

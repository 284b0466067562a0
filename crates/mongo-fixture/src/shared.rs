//! One set for all tests of a process.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{FixtureError, ReplicaSet};

/// The replica set of one member that all tests of this process share, started by the first call.
///
/// It blocks until the set is up, also inside a runtime, and belongs to none: it holds no client. Whoever shares it
/// keeps to a database of [`fresh_database_name`] and stops no member. Panics when the set cannot be started, with
/// the reason: a test has nothing else to do then.
#[expect(clippy::panic, reason = "only tests call this, and it fails them")]
pub fn shared() -> &'static ReplicaSet {
    static SHARED: OnceLock<Result<ReplicaSet, FixtureError>> = OnceLock::new();
    match SHARED.get_or_init(start_elsewhere) {
        Ok(set) => set,
        Err(error) => panic!("{error}: {:?}", std::error::Error::source(error)),
    }
}

/// A database name that no other call has returned, in this process or another that runs.
pub fn fresh_database_name() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("test_{}_{next}", std::process::id())
}

/// Starts the set on a thread of its own: a runtime cannot be started inside the one that may be calling.
fn start_elsewhere() -> Result<ReplicaSet, FixtureError> {
    let start = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(crate::error::cannot("start a runtime"))?
            .block_on(ReplicaSet::start(1))
    };
    std::thread::scope(|scope| {
        scope.spawn(start).join().unwrap_or_else(|_panic| {
            Err(FixtureError::Misuse(
                "the thread that starts the shared set panicked".to_owned(),
            ))
        })
    })
}

use std::fmt::Debug;

use uuid::Uuid;

/// Tells the time.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock in milliseconds since the Unix epoch. It may jump, so durations are never taken from it.
    fn now_ms(&self) -> i64;
}

/// Makes ids.
pub trait IdSource: Debug + Send + Sync {
    /// An id that cannot be guessed (version 4): for what can be reached by its id alone.
    fn random(&self) -> Uuid;

    /// An id that sorts by the time it was made (version 7): for what is only reached through something else.
    fn ordered(&self) -> Uuid;
}

use std::sync::Arc;

use chat_core::{codec::CodecError, ports::StoreError};
use rusqlite::ErrorCode;

/// Why an operation failed, before it is told to a caller.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Failure {
    /// SQLite said so. Shared, since a failed commit is the failure of every operation in it.
    #[error("{0}")]
    Sqlite(Arc<rusqlite::Error>),
    /// A stored value is not what it should be.
    #[error("a stored {what} cannot be read")]
    Corrupt {
        what: &'static str,
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// A caller broke the contract of a port.
    #[error("{0}")]
    Misuse(&'static str),
    /// The operation panicked; it was rolled back.
    #[error("an operation of the store panicked")]
    Panicked,
    /// The thread that should have done it is gone.
    #[error("the store was shut down")]
    Gone,
}

impl Failure {
    /// Says that a stored `what` cannot be read.
    pub(crate) fn corrupt(
        what: &'static str,
    ) -> impl FnOnce(Box<dyn std::error::Error + Send + Sync>) -> Self {
        move |source| Self::Corrupt {
            what,
            source: source.into(),
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(Arc::new(error))
    }
}

impl From<CodecError> for Failure {
    fn from(error: CodecError) -> Self {
        Self::Corrupt {
            what: "record of events",
            source: Arc::new(error),
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => match cause(&error) {
                Cause::Passing => Self::Unavailable(error.into()),
                Cause::Damage(what) => Self::Corrupt {
                    what,
                    source: error.into(),
                },
                Cause::Lasting => Self::Fatal(error.into()),
            },
            Failure::Corrupt { what, source } => Self::Corrupt {
                what,
                source: Box::new(Unreadable(source)),
            },
            // An operation that panicked would panic again, and a thread that is gone is not started again.
            failure @ (Failure::Misuse(_) | Failure::Panicked | Failure::Gone) => {
                Self::Fatal(failure.into())
            }
        }
    }
}

/// A shared cause, boxed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unreadable(#[source] Arc<dyn std::error::Error + Send + Sync>);

/// What lies behind an error of SQLite.
enum Cause {
    /// Something that may be over when the same is tried again: a lock, a lack of memory, a disk that is full, slow
    /// to come back or out of file handles.
    Passing,
    /// What is stored is not what it should be.
    Damage(&'static str),
    /// The statement or the values are wrong, or the file may not be written.
    Lasting,
}

fn cause(error: &rusqlite::Error) -> Cause {
    if matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    ) {
        return Cause::Damage("value");
    }
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::SystemIoFailure
            | ErrorCode::DiskFull
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory,
        ) => Cause::Passing,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Cause::Damage("database"),
        _ => Cause::Lasting,
    }
}

#[cfg(test)]
mod tests;

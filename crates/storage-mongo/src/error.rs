use std::fmt;

use chat_core::{codec::CodecError, ports::StoreError};
use mongodb::error::{
    Error, ErrorKind, RETRYABLE_ERROR, RETRYABLE_WRITE_ERROR, TRANSIENT_TRANSACTION_ERROR,
    UNKNOWN_TRANSACTION_COMMIT_RESULT, WriteFailure,
};

/// Why an operation failed, before it is told to a caller.
#[derive(thiserror::Error)]
pub(crate) enum Failure {
    /// MongoDB or the way to it. What the server says of a document is not told: it may quote an address or a message.
    #[error("{}", Spoken(.0))]
    Mongo(Error),
    /// A stored value is not what it should be.
    #[error("a stored {what} cannot be read")]
    Corrupt {
        what: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A caller broke the contract of a port.
    #[error("{0}")]
    Misuse(String),
    /// It took longer than an operation may.
    #[error("the database did not do it within {seconds} s")]
    TooLate {
        seconds: u64,
        #[source]
        last: Option<Box<Failure>>,
    },
}

impl Failure {
    /// Says that a stored `what` cannot be read.
    pub(crate) fn corrupt<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        what: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Corrupt {
            what,
            source: source.into(),
        }
    }
}

impl Failure {
    /// The error that may pass when the same is tried again; anything else is given back.
    pub(crate) fn passing(self) -> Result<Error, Self> {
        if let Self::Mongo(error) = self {
            if is_passing(&error) {
                Ok(error)
            } else {
                Err(Self::Mongo(error))
            }
        } else {
            Err(self)
        }
    }
}

/// As it is told, since the driver's own form holds what the server quoted.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Mongo(error)
    }
}

/// A driver's error in words that may stand in a log: a server's answer by its number, anything else as it is.
struct Spoken<'a>(&'a Error);

impl fmt::Display for Spoken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match code(self.0) {
            Some(code) => write!(f, "MongoDB answered with its error {code}"),
            None if is_unreadable(self.0) => f.write_str("MongoDB gave what cannot be read"),
            None => write!(f, "{}", self.0.kind),
        }
    }
}

impl From<CodecError> for Failure {
    fn from(error: CodecError) -> Self {
        Self::corrupt("record of events")(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Mongo(error) if is_passing(&error) => {
                Self::Unavailable(Failure::Mongo(error).into())
            }
            Failure::Mongo(error) if is_unreadable(&error) => Self::Corrupt {
                what: "document",
                source: Failure::Mongo(error).into(),
            },
            Failure::Mongo(error) => Self::Fatal(Failure::Mongo(error).into()),
            Failure::Corrupt { what, source } => Self::Corrupt { what, source },
            failure @ Failure::Misuse(_) => Self::Fatal(failure.into()),
            failure @ Failure::TooLate { .. } => Self::Unavailable(failure.into()),
        }
    }
}

/// The code of a server's error, wherever it stands.
pub(crate) fn code(error: &Error) -> Option<i32> {
    if let ErrorKind::Command(command) = &*error.kind {
        Some(command.code)
    } else if let ErrorKind::Write(WriteFailure::WriteError(write)) = &*error.kind {
        Some(write.code)
    } else if let ErrorKind::Write(WriteFailure::WriteConcernError(concern)) = &*error.kind {
        Some(concern.code)
    } else if let ErrorKind::InsertMany(many) = &*error.kind {
        let write = many.write_errors.iter().flatten().next();
        let concern = many.write_concern_error.as_ref();
        write
            .map(|error| error.code)
            .or_else(|| concern.map(|error| error.code))
    } else {
        None
    }
}

/// Whether a unique index refused a document.
pub(crate) fn is_duplicate(error: &Error) -> bool {
    code(error) == Some(DUPLICATE_KEY)
}

/// Whether the same may succeed later: the network, an election, a server that is stopping or overloaded.
pub(crate) fn is_passing(error: &Error) -> bool {
    if [
        RETRYABLE_ERROR,
        RETRYABLE_WRITE_ERROR,
        TRANSIENT_TRANSACTION_ERROR,
        UNKNOWN_TRANSACTION_COMMIT_RESULT,
    ]
    .into_iter()
    .any(|label| error.contains_label(label))
    {
        return true;
    }
    matches!(
        &*error.kind,
        ErrorKind::Io(_)
            | ErrorKind::ConnectionPoolCleared { .. }
            | ErrorKind::ServerSelection { .. }
            | ErrorKind::DnsResolve { .. }
    ) || code(error).is_some_and(|code| PASSING.contains(&code))
}

/// Whether what came back is not what should be stored.
fn is_unreadable(error: &Error) -> bool {
    matches!(
        &*error.kind,
        ErrorKind::Bson(_) | ErrorKind::BsonDeserialization(_) | ErrorKind::InvalidResponse { .. }
    )
}

pub(crate) const DUPLICATE_KEY: i32 = 11_000;

/// Codes of the server that pass: unreachable hosts, elections and shutdowns, time-outs, write concerns that were not
/// met in time, conflicts, and cursors and transactions that it gave up.
/// Source: `src/mongo/base/error_codes.yml` of the server.
const PASSING: [i32; 28] = [
    6, 7, 24, 43, 46, 50, 64, 89, 91, 100, 112, 134, 189, 202, 225, 237, 244, 251, 262, 290, 365,
    9_001, 10_107, 11_600, 11_601, 11_602, 13_435, 13_436,
];

#[cfg(test)]
mod tests;

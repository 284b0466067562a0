//! What may go wrong with a fixture.

use std::io;
use std::process::ExitStatus;

/// Why a replica set could not be started, changed or asked.
///
/// A test can only report it; the variants say where to look.
#[derive(Debug, thiserror::Error)]
pub enum FixtureError {
    /// There is no program to start.
    #[error("{0}")]
    NoMongod(String),
    /// A member ended on its own; `log` has its last lines.
    #[error("mongod of member {member} ended by itself ({status}); the end of its log:\n{log}")]
    Ended {
        /// Which member, from 0.
        member: usize,
        /// How it ended; mongod's 48 is a port that is in use, 14 an error that it logged.
        status: ExitStatus,
        /// The last lines of its log.
        log: String,
    },
    /// The set did not reach a state in time; the last lines of every member's log follow.
    #[error("waited {seconds} s in vain until {what}; the end of the logs:\n{log}")]
    Late {
        /// The state that was waited for.
        what: &'static str,
        /// How long it was waited.
        seconds: u64,
        /// The last lines of every member's log.
        log: String,
    },
    /// The call does not fit the state that the set is in, such as killing a member that is down.
    #[error("{0}")]
    Misuse(String),
    /// A server refused a command.
    #[error("mongod refused a command of the fixture")]
    Command(#[from] mongodb::error::Error),
    /// A file, a process or a port could not be had.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// Names what was tried when an operation of the system fails.
pub(crate) fn cannot(what: &'static str) -> impl FnOnce(io::Error) -> FixtureError {
    move |source| FixtureError::Io { what, source }
}

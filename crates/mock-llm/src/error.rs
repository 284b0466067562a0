//! What can go wrong for the one who starts or watches a server.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::ledger::Stats;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address could not be bound: choose another port, or 0 for any free one.
    #[error("mock-llm cannot listen on {address}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The system gave no thread or no event queue.
    #[error("mock-llm cannot start its thread")]
    Thread(#[source] io::Error),
}

/// The awaited state was not reached in time.
#[derive(Debug, thiserror::Error)]
#[error("not reached within {waited:?}; the last state was {last:?}")]
pub struct WaitError {
    /// The time that was allowed.
    pub waited: Duration,
    /// The state when time ran out.
    pub last: Box<Stats>,
}

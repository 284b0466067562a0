use std::time::Duration;

use secrecy::SecretString;

/// Where the database is and how long to wait for it.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection string. It may hold a password, so it is never shown; lines and errors name its hosts only.
    ///
    /// Whatever it says of them, reads are from the primary with read concern `majority`, writes are
    /// `w: majority, j: true`, and both are retried.
    pub uri: SecretString,
    /// The database's name where the connection string has none; `skein` if this has none either.
    pub database: Option<String>,
    /// How long [`MongoStore::connect`](crate::MongoStore::connect) waits for a database that is not there yet.
    pub wait: Duration,
    /// How long one call of a port may take, repetitions included.
    pub deadline: Duration,
}

impl Config {
    /// The database of this connection string, waited for at most 60 s, with 20 s for each operation.
    pub fn new(uri: impl Into<SecretString>) -> Self {
        Self {
            uri: uri.into(),
            database: None,
            wait: Duration::from_mins(1),
            deadline: Duration::from_secs(20),
        }
    }
}

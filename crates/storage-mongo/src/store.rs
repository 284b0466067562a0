use std::{fmt, sync::Arc, time::Duration};

use mongodb::{Client, Collection, Database, bson::Uuid};

use crate::{MongoSignals, layout::Stored, log_state::LogState};

/// A handle on a database that implements the ports of [`chat_core::ports`] and [`records`]. Clones are the same handle.
///
/// It belongs to the runtime it was made in: a connection that another runtime opened would end with that one.
#[derive(Clone)]
pub struct MongoStore(Arc<Inner>);

struct Inner {
    client: Client,
    database: Database,
    /// The same database by other connections, for what must not wait behind everything else.
    lease_database: Database,
    hosts: String,
    deadline: Duration,
    /// Names this handle among all that write to the database.
    writer: Uuid,
    log: LogState,
    signals: Arc<MongoSignals>,
}

impl MongoStore {
    pub(crate) fn new(
        client: Client,
        database: Database,
        lease_database: Database,
        hosts: String,
        deadline: Duration,
    ) -> Self {
        Self(Arc::new(Inner {
            client,
            database,
            lease_database,
            hosts,
            deadline,
            writer: Uuid::new(),
            log: LogState::default(),
            signals: Arc::default(),
        }))
    }

    /// Where the database is, to be shown to people: hosts and the database's name, never a password.
    pub fn place(&self) -> String {
        format!("{}/{}", self.0.hosts, self.0.database.name())
    }

    /// What rings on this handle, and on all clones of it.
    pub fn signals(&self) -> Arc<MongoSignals> {
        Arc::clone(&self.0.signals)
    }

    pub(crate) fn log(&self) -> &LogState {
        &self.0.log
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn lease_database(&self) -> &Database {
        &self.0.lease_database
    }

    pub(crate) fn hosts(&self) -> &str {
        &self.0.hosts
    }

    pub(crate) fn deadline(&self) -> Duration {
        self.0.deadline
    }

    pub(crate) fn writer(&self) -> Uuid {
        self.0.writer
    }

    /// The collection that documents of this type are stored in.
    pub(crate) fn all<T: Stored>(&self) -> Collection<T> {
        self.0.database.collection(T::COLLECTION)
    }

    /// The collection of these documents, read as a part of them, such as a projection gives.
    pub(crate) fn part<T: Stored, P: Send + Sync>(&self) -> Collection<P> {
        self.0.database.collection(T::COLLECTION)
    }
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MongoStore").field(&self.place()).finish()
    }
}

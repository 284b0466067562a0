use std::{fmt, sync::Arc, time::Duration};

use mongodb::{Client, Collection, Database, bson::Uuid};

use tokio::time::timeout;

use crate::{MongoSignals, layout::Stored, log_state::LogState, open_sessions::OpenSessions};

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
    sessions: OpenSessions,
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
            sessions: OpenSessions::default(),
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

    /// Aborts what is open at the server and closes all connections, within 5 s; to be called before the process ends.
    ///
    /// Without it a transaction that was going on locks what it has changed for as long as the server lets it, by default
    /// for a minute. It ends the handle and all its clones: what still goes on in them fails, and so does what comes
    /// later. A second call does nothing.
    pub async fn close(&self) {
        self.kill(&self.0.sessions.close()).await;
        for immediate in [false, true] {
            let end = |client: &Client| client.clone().shutdown().immediate(immediate);
            let ended =
                async { tokio::join!(end(&self.0.client), end(self.0.lease_database.client())) };
            // The driver waits for cursors and sessions that somebody still holds, unless it is told not to.
            if timeout(CLOSED_WITHIN, ended).await.is_ok() {
                return;
            }
        }
        tracing::debug!("the connections of the store are left to the end of the process");
    }

    pub(crate) fn sessions(&self) -> &OpenSessions {
        &self.0.sessions
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

/// How long each of two attempts to close the connections may take.
const CLOSED_WITHIN: Duration = Duration::from_millis(1500);

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("MongoStore").field(&self.place()).finish()
    }
}

use std::{pin::pin, time::Duration};

use mongodb::{
    ClientSession,
    action::Find,
    bson::{Document, doc},
    error::{Error, TRANSIENT_TRANSACTION_ERROR, UNKNOWN_TRANSACTION_COMMIT_RESULT},
    options::{Acknowledgment, ReadConcern, TransactionOptions, WriteConcern},
};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::{MongoStore, error::Failure};

/// A transaction that runs.
#[derive(Debug)]
pub(crate) struct Tx {
    /// To be given to every operation of it.
    pub(crate) session: ClientSession,
    /// Whether an earlier run of its body came to its end: that one may have been committed without our knowing.
    pub(crate) may_be_done: bool,
}

impl MongoStore {
    /// Runs `body` in a transaction and commits it, unless it fails.
    ///
    /// `body` runs again, on a new snapshot, for as long as the server calls its failure transient and the deadline
    /// lies ahead; it must not catch errors of the database. A commit with an unknown outcome is repeated, which the
    /// server takes as the same one. `body` takes the transaction and gives it back:
    ///
    /// ```text
    /// store.transact(|mut tx| async move {
    ///     let done = change(&mut tx, argument).await;
    ///     (tx, done)
    /// })
    /// ```
    ///
    /// A transaction that is too late is ended at the server, since what it has changed would be locked there until the
    /// server's own limit.
    pub(crate) async fn transact<T, F>(
        &self,
        mut body: impl FnMut(Tx) -> F + Send,
    ) -> Result<T, Failure>
    where
        F: Future<Output = (Tx, Result<T, Failure>)> + Send,
        T: Send,
    {
        let mut patience = Patience::new(self.deadline(), CONFLICT_PAUSE);
        let session = loop {
            let started = patience.limit(async { Ok(self.client().start_session().await?) });
            match started.await {
                Ok(session) => break session,
                Err(failure) => patience.pause_after(failure).await?,
            }
        };
        let session_id = session.id().clone();
        let open = self.sessions().open(session_id.clone());
        let mut tx = Tx {
            session,
            may_be_done: false,
        };
        loop {
            open.check()?;
            let started = patience.limit(async {
                let start = tx.session.start_transaction().with_options(options());
                Ok(start.await?)
            });
            let done = if let Err(failure) = started.await {
                Err(failure)
            } else {
                // Not dropped before the server has ended it: the driver would hand its session to another one.
                let mut running = pin!(body(tx));
                let ran = patience.limit(async { Ok(running.as_mut().await) });
                let (returned, ran) = match ran.await {
                    Ok(returned) => returned,
                    Err(failure) => {
                        self.kill(&[session_id]).await;
                        return Err(failure);
                    }
                };
                tx = returned;
                tx.may_be_done |= ran.is_ok();
                self.end(&mut tx, ran, &mut patience).await
            };
            if let Err(Failure::TooLate { .. }) = &done {
                self.kill(&[session_id]).await;
                return done;
            }
            let failure = match done {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            patience.pause_after(failure).await?;
        }
    }

    /// Commits a transaction whose body succeeded, and aborts any other.
    async fn end<T>(
        &self,
        tx: &mut Tx,
        ran: Result<T, Failure>,
        patience: &mut Patience,
    ) -> Result<T, Failure> {
        match ran {
            Ok(value) => {
                commit(&mut tx.session, patience).await?;
                Ok(value)
            }
            Err(failure) => {
                // If this fails, the server ends it by itself. It has a time of its own, as it matters most when the
                // other is over.
                let _ended = timeout(ENDED_WITHIN, tx.session.abort_transaction()).await;
                Err(failure)
            }
        }
    }

    /// Ends what goes on in these sessions, as far as the server does so in a moment: their operations are interrupted,
    /// their transactions aborted.
    ///
    /// The driver cannot: it aborts a transaction only after the answer to its first operation, and the server only
    /// after the operation that runs.
    pub(crate) async fn kill(&self, sessions: &[Document]) {
        if sessions.is_empty() {
            return;
        }
        // By the connections that others do not keep busy.
        let killed = self
            .lease_database()
            .run_command(doc! {"killSessions": sessions});
        match timeout(ENDED_WITHIN, killed).await {
            Ok(Ok(_done)) => {}
            Ok(Err(error)) => {
                let failure = Failure::from(error);
                tracing::debug!(%failure, "a transaction is left to the server's own limit");
            }
            Err(_elapsed) => tracing::debug!("a transaction is left to the server's own limit"),
        }
    }

    /// Runs an operation that may be done twice, again and again until it succeeds, fails for good, or is too late.
    pub(crate) async fn retried<T, F>(&self, operation: impl Fn() -> F + Send) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>> + Send,
    {
        let mut patience = Patience::new(self.deadline(), OUTAGE_PAUSE);
        loop {
            match patience.limit(operation()).await {
                Ok(value) => return Ok(value),
                Err(failure) => patience.pause_after(failure).await?,
            }
        }
    }
}

impl MongoStore {
    /// All documents of a query.
    pub(crate) async fn read_all<T: DeserializeOwned + Send + Sync>(
        &self,
        find: Find<'_, T>,
    ) -> Result<Vec<T>, Failure> {
        let mut cursor = find.await?;
        let mut found = Vec::new();
        while cursor.advance().await? {
            found.push(cursor.deserialize_current()?);
        }
        Ok(found)
    }
}

impl Tx {
    /// All documents of a query, as the transaction sees them.
    pub(crate) async fn read_all<T: DeserializeOwned + Send + Sync>(
        &mut self,
        find: Find<'_, T>,
    ) -> Result<Vec<T>, Failure> {
        let mut cursor = find.session(&mut self.session).await?;
        let mut found = Vec::new();
        while cursor.advance(&mut self.session).await? {
            found.push(cursor.deserialize_current()?);
        }
        Ok(found)
    }
}

/// How long to go on, and how long to pause.
#[derive(Debug)]
pub(crate) struct Patience {
    allowed: Duration,
    until: Instant,
    longest: Duration,
    pauses: u32,
    last: Option<Error>,
}

impl Patience {
    pub(crate) fn new(allowed: Duration, longest: Duration) -> Self {
        Self {
            allowed,
            until: Instant::now() + allowed,
            longest,
            pauses: 0,
            last: None,
        }
    }

    /// Gives it up when the deadline passes.
    pub(crate) async fn limit<T>(
        &self,
        operation: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        match timeout_at(self.until, operation).await {
            Ok(result) => result,
            Err(_elapsed) => Err(self.too_late()),
        }
    }

    /// Pauses after a failure that may pass, for a random time that grows, so that callers who race come apart; gives
    /// any other failure back.
    pub(crate) async fn pause_after(&mut self, failure: Failure) -> Result<(), Failure> {
        self.last = Some(failure.passing()?);
        self.pause().await
    }

    /// Pauses for a random time that grows from call to call.
    pub(crate) async fn pause(&mut self) -> Result<(), Failure> {
        let longest = Duration::from_millis(2 << self.pauses.min(10)).min(self.longest);
        self.pauses += 1;
        let pause = longest.mul_f64(chance());
        if Instant::now() + pause >= self.until {
            return Err(self.too_late());
        }
        sleep(pause).await;
        Ok(())
    }

    fn too_late(&self) -> Failure {
        Failure::TooLate {
            seconds: self.allowed.as_secs(),
            last: self
                .last
                .clone()
                .map(|error| Box::new(Failure::Mongo(error))),
        }
    }
}

/// Writers that met in one document are through in milliseconds.
const CONFLICT_PAUSE: Duration = Duration::from_millis(64);
/// An election takes seconds, and the driver waits for its end by itself.
pub(crate) const OUTAGE_PAUSE: Duration = Duration::from_millis(250);

/// How long the end of a transaction is waited for.
const ENDED_WITHIN: Duration = Duration::from_secs(2);

/// What every transaction is, whatever the connection string says.
fn options() -> TransactionOptions {
    TransactionOptions::builder()
        .read_concern(ReadConcern::snapshot())
        .write_concern(durable())
        .build()
}

/// Acknowledged when a majority of the members has it in its journal.
pub(crate) fn durable() -> WriteConcern {
    WriteConcern::builder()
        .w(Acknowledgment::Majority)
        .journal(true)
        .build()
}

async fn commit(session: &mut ClientSession, patience: &mut Patience) -> Result<(), Failure> {
    loop {
        let failure = match patience
            .limit(async { Ok(session.commit_transaction().await?) })
            .await
        {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        let Failure::Mongo(error) = &failure else {
            return Err(failure);
        };
        if error.contains_label(TRANSIENT_TRANSACTION_ERROR)
            || !error.contains_label(UNKNOWN_TRANSACTION_COMMIT_RESULT)
        {
            return Err(failure);
        }
        patience.pause_after(failure).await?;
    }
}

/// A random number from 0 to 1.
fn chance() -> f64 {
    // Without randomness callers still come apart by what they wait for.
    f64::from(getrandom::u32().unwrap_or(u32::MAX / 2)) / f64::from(u32::MAX)
}

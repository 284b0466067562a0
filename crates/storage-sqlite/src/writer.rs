use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{error::Failure, log_index::LogIndex, search};

/// What an operation of the writer works with.
pub(crate) struct Writing<'a> {
    /// The connection, in a transaction.
    pub(crate) connection: &'a Connection,
    /// The index of the log; its changes are undone when the operation fails.
    pub(crate) log: &'a LogIndex,
}

/// The thread that makes all changes.
///
/// It takes what is queued, up to [`GROUP`] operations, into one transaction and answers after the commit, so that
/// many callers share one sync of the disk. An operation that fails or panics is undone alone. While nothing is
/// queued it indexes messages for the search and moves the WAL into the database.
#[derive(Debug)]
pub(crate) struct Writer {
    /// `None` once it was told to stop.
    queue: Option<mpsc::Sender<Queued>>,
    places: Arc<Semaphore>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread.
    pub(crate) fn start(connection: Connection, log: LogIndex) -> io::Result<Self> {
        let (queue, queued) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("skein-writer".to_owned())
            .spawn(move || {
                Thread {
                    connection,
                    log,
                    queued,
                    wal_pages: Arc::default(),
                    unindexed_since: Some(Instant::now()),
                    checkpointed_pages: 0,
                }
                .run();
            })?;
        Ok(Self {
            queue: Some(queue),
            places: Arc::new(Semaphore::new(QUEUE)),
            thread: Some(thread),
        })
    }

    /// Does an operation in a transaction and gives its outcome once it is durable.
    ///
    /// Waits while the queue is full. Once it is queued it is done, also when the caller goes.
    pub(crate) async fn write<T, F>(&self, operation: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Writing<'_>) -> Result<T, Failure> + Send + 'static,
    {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .or(Err(Failure::Gone))?;
        let (reply, replied) = oneshot::channel();
        let queued = Queued {
            work: Box::new(Work {
                operation: Some(operation),
                outcome: Err(Failure::Gone),
                reply,
            }),
            _place: place,
        };
        match &self.queue {
            Some(queue) => queue.send(queued).or(Err(Failure::Gone))?,
            None => return Err(Failure::Gone),
        }
        replied.await.unwrap_or(Err(Failure::Gone))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Without a sender the thread does what is still queued, cleans up and ends.
        drop(self.queue.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the writer of the store had panicked");
        }
    }
}

/// At most this many operations share a transaction.
const GROUP: usize = 256;

/// At most this many operations wait; then callers wait for a place.
const QUEUE: usize = 1024;

/// After this long without an operation the writer looks after the WAL.
const IDLE: Duration = Duration::from_millis(20);

/// A message waits so long to be indexed, however busy the writer is, so that many are indexed with one sync.
const UNINDEXED_FOR: Duration = Duration::from_millis(500);

/// An idle writer moves a WAL of this many pages into the database.
const CHECKPOINT_WHEN_IDLE: u32 = 1000;

/// A busy one moves it from this many pages on.
const CHECKPOINT_AT_LATEST: u32 = 8000;

struct Queued {
    work: Box<dyn Operation>,
    _place: OwnedSemaphorePermit,
}

trait Operation: Send {
    /// Does it, keeps the outcome, and says whether it has to be undone.
    fn run(&mut self, writing: &Writing<'_>) -> Done;

    /// Puts a failure in the place of the outcome.
    fn fail(&mut self, failure: Failure);

    /// Tells the outcome to the caller.
    fn reply(self: Box<Self>);
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Keep,
    Undo,
}

struct Work<F, T> {
    operation: Option<F>,
    outcome: Result<T, Failure>,
    reply: oneshot::Sender<Result<T, Failure>>,
}

impl<T, F> Operation for Work<F, T>
where
    T: Send,
    F: FnOnce(&Writing<'_>) -> Result<T, Failure> + Send,
{
    fn run(&mut self, writing: &Writing<'_>) -> Done {
        let Some(operation) = self.operation.take() else {
            return Done::Undo;
        };
        // What a panic leaves half done in the database and in the index is undone.
        self.outcome =
            catch_unwind(AssertUnwindSafe(|| operation(writing))).unwrap_or(Err(Failure::Panicked));
        if self.outcome.is_ok() {
            Done::Keep
        } else {
            Done::Undo
        }
    }

    fn fail(&mut self, failure: Failure) {
        self.outcome = Err(failure);
    }

    fn reply(self: Box<Self>) {
        // A caller that went does not want to know.
        let _unheard = self.reply.send(self.outcome);
    }
}

struct Thread {
    connection: Connection,
    log: LogIndex,
    queued: mpsc::Receiver<Queued>,
    /// How many pages the WAL had after the last commit.
    wal_pages: Arc<AtomicU32>,
    /// Since when messages may wait to be indexed.
    unindexed_since: Option<Instant>,
    /// How many pages of the WAL were already moved.
    checkpointed_pages: u32,
}

impl Thread {
    fn run(mut self) {
        let pages = Arc::clone(&self.wal_pages);
        let hook = move |_: &mut rusqlite::hooks::Wal, count| {
            pages.store(u32::try_from(count).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        };
        if let Err(error) = self.connection.wal_hook(Some(hook)) {
            tracing::error!(%error, "the size of the WAL cannot be watched; it is moved only at the end");
        }
        loop {
            let next = match self.next_chore() {
                Some(wait) => self.queued.recv_timeout(wait),
                None => self.queued.recv().or(Err(RecvTimeoutError::Disconnected)),
            };
            match next {
                Ok(first) => {
                    self.group(first);
                    self.urgent_chores();
                }
                Err(RecvTimeoutError::Timeout) => self.chores(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.checkpoint("TRUNCATE");
    }

    /// Does what is queued in one transaction.
    fn group(&mut self, first: Queued) {
        let mut group = vec![first];
        while group.len() < GROUP
            && let Ok(next) = self.queued.try_recv()
        {
            group.push(next);
        }
        if let Err(failure) = self.commit(&mut group) {
            tracing::error!(error = %failure, operations = group.len(), "a transaction of the store failed");
            self.roll_back();
            for queued in &mut group {
                queued.work.fail(failure.clone());
            }
        }
        for queued in group {
            queued.work.reply();
        }
    }

    fn commit(&mut self, group: &mut [Queued]) -> Result<(), Failure> {
        let connection = &self.connection;
        let execute = |sql: &str| connection.prepare_cached(sql)?.execute([]);
        execute("BEGIN IMMEDIATE")?;
        let alone = group.len() == 1;
        for queued in group {
            let mark = self.log.mark();
            if !alone {
                execute("SAVEPOINT operation")?;
            }
            let done = queued.work.run(&Writing {
                connection,
                log: &self.log,
            });
            // An error such as a full disk may have ended the whole transaction, with what others did in it.
            if connection.is_autocommit() {
                return Err(Failure::from(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
                    Some("the transaction was given up".to_owned()),
                )));
            }
            match done {
                Done::Keep if alone => {}
                Done::Keep => {
                    execute("RELEASE operation")?;
                }
                Done::Undo => {
                    self.log.undo_to(mark);
                    if alone {
                        execute("ROLLBACK")?;
                        return Ok(());
                    }
                    execute("ROLLBACK TO operation")?;
                    execute("RELEASE operation")?;
                }
            }
        }
        execute("COMMIT")?;
        self.log.committed();
        if self.unindexed_since.is_none() {
            self.unindexed_since = Some(Instant::now());
        }
        Ok(())
    }

    fn roll_back(&self) {
        self.log.undo_to(crate::log_index::Mark::START);
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a failed transaction of the store cannot be rolled back");
        }
    }

    /// How long to wait for an operation before there is something else to do.
    fn next_chore(&mut self) -> Option<Duration> {
        let index = self
            .unindexed_since
            .map(|since| UNINDEXED_FOR.saturating_sub(since.elapsed()));
        let checkpoint = (self.unmoved_pages() >= CHECKPOINT_WHEN_IDLE).then_some(IDLE);
        index.into_iter().chain(checkpoint).min()
    }

    /// What may wait until nothing is queued.
    fn chores(&mut self) {
        self.urgent_chores();
        if self.unmoved_pages() >= CHECKPOINT_WHEN_IDLE {
            self.checkpoint("PASSIVE");
        }
    }

    /// What may not wait any longer.
    fn urgent_chores(&mut self) {
        if self
            .unindexed_since
            .is_some_and(|since| since.elapsed() >= UNINDEXED_FOR)
        {
            self.index();
        }
        if self.unmoved_pages() >= CHECKPOINT_AT_LATEST {
            self.checkpoint("PASSIVE");
        }
    }

    fn index(&mut self) {
        match search::index_some(&self.connection) {
            Ok(search::Progress::More) => {}
            Ok(search::Progress::Done) => self.unindexed_since = None,
            Err(failure) => {
                tracing::error!(error = %failure, "messages cannot be indexed for the search");
                // Tried again after the next change, not at once and forever.
                self.unindexed_since = None;
                self.roll_back();
            }
        }
    }

    /// How much of the WAL is not in the database yet. Asked after every group, so that it sees a WAL begin anew.
    fn unmoved_pages(&mut self) -> u32 {
        let pages = self.wal_pages.load(Ordering::Relaxed);
        if pages < self.checkpointed_pages {
            self.checkpointed_pages = 0;
        }
        pages - self.checkpointed_pages
    }

    fn checkpoint(&mut self, mode: &str) {
        // What a reader still holds back is moved with the next pages.
        self.checkpointed_pages = self.wal_pages.load(Ordering::Relaxed);
        if let Err(error) = self
            .connection
            .pragma(None, "wal_checkpoint", mode, |_row| Ok(()))
        {
            tracing::warn!(%error, "the WAL cannot be moved into the database now");
        }
    }
}

#[cfg(test)]
mod tests;

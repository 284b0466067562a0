use std::{fs::File, sync::Arc};

use chat_core::ports::StoreError;
use rusqlite::Connection;

use crate::{
    Config, OpenError,
    error::Failure,
    files::Folder,
    log_index::LogIndex,
    migrate::{MIGRATIONS, migrate},
    nodes::Counters,
    open,
    readers::Readers,
    run_log,
    writer::{Writer, Writing},
};

/// Every store port over one SQLite file. A handle: cheap to clone, all clones are the same store.
///
/// The last handle to be dropped does what is still queued, moves the WAL into the database and unlocks the
/// directory; this blocks for a moment.
#[derive(Debug, Clone)]
pub struct SqliteStore(Arc<Inner>);

/// The fields are dropped in this order: jobs with files end while their rows are there, readers end before the writer
/// empties the WAL, the lock goes last.
#[derive(Debug)]
struct Inner {
    files: Folder,
    readers: Readers,
    writer: Writer,
    log: LogIndex,
    nodes: Counters,
    _lock: File,
}

impl SqliteStore {
    /// Opens the store in its data directory, making what is not there and bringing an older database up to date.
    ///
    /// Blocks. Refuses a directory that another process has open, a database of a newer release, and one to which a
    /// migration was applied that has changed since.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        let data_dir = config.data_dir;
        let lock = open::lock(&data_dir)?;
        let path = open::database(&data_dir)?;
        let mut connection = open::connect_writer(&path)?;
        migrate(&mut connection, MIGRATIONS)?;
        let log = run_log::rebuild(&connection)?;
        let readers = (0..READERS)
            .map(|_| open::connect_reader(&path))
            .collect::<Result<_, _>>()?;
        let files = Folder::open(&data_dir, open::connect_reader(&path)?)?;
        Ok(Self(Arc::new(Inner {
            files,
            readers: Readers::start(readers).map_err(OpenError::Thread)?,
            writer: Writer::start(connection, log.clone()).map_err(OpenError::Thread)?,
            log,
            nodes: Counters::default(),
            _lock: lock,
        })))
    }

    /// Does an operation in a transaction and gives its outcome once it is durable.
    pub(crate) async fn write<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Writing<'_>) -> Result<T, Failure> + Send + 'static,
    {
        Ok(self.0.writer.write(operation).await?)
    }

    /// Reads in one snapshot.
    pub(crate) async fn query<T, F>(&self, query: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        Ok(self.0.readers.read(query).await?)
    }

    /// Where the bytes of files are.
    pub(crate) fn files(&self) -> &Folder {
        &self.0.files
    }

    /// The nodes that work on it.
    pub(crate) fn nodes(&self) -> &Counters {
        &self.0.nodes
    }

    /// Where the records of open legs are.
    pub(crate) fn log(&self) -> &LogIndex {
        &self.0.log
    }
}

const READERS: usize = 3;

#[cfg(test)]
pub(crate) mod tests;

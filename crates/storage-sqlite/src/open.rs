use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

/// The name of the database's file in the data directory: where it is, there is a store.
pub const DATABASE_FILE: &str = "skein.db";

/// Where the store lives.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory for the database and what belongs to it. It is made if it is not there (on Unix for its owner
    /// only) and locked for as long as the store is open.
    pub data_dir: PathBuf,
}

impl Config {
    /// A store in this directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
        }
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open, or this one already.
    #[error("the data directory {} is in use by another process; stop that one, or choose another directory", .0.display())]
    InUse(PathBuf),
    /// The directory or a file in it cannot be made or opened.
    #[error("{} cannot be opened for writing", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The database was written by a newer release, whose layout this one does not know.
    #[error(
        "the database has layout {found}, which a newer release wrote; this release knows layouts up to {known}"
    )]
    NewerRelease {
        /// The layout that was found.
        found: u32,
        /// The newest that this release knows.
        known: u32,
    },
    /// A migration is not the one that was once applied to this database.
    #[error(
        "the migration {name} is not the one that was applied to this database: a released migration is never edited"
    )]
    MigrationChanged {
        /// Its file's name.
        name: &'static str,
    },
    /// A thread of the store cannot be started.
    #[error("a thread for the store cannot be started")]
    Thread(#[source] io::Error),
    /// What the database holds cannot be read, or it is no database of ours.
    #[error("the database cannot be opened")]
    Database(#[from] rusqlite::Error),
}

/// Makes the data directory if need be and locks it; the lock is held until the file is dropped.
pub(crate) fn lock(data_dir: &Path) -> Result<File, OpenError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        |source| OpenError::File { path, source }
    };
    if !data_dir.is_dir() {
        make_dir(data_dir).map_err(fault(data_dir))?;
    }
    let path = data_dir.join("skein.lock");
    let file = private_file(&path).map_err(fault(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse(data_dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(fault(&path)(source)),
    }
}

/// The path of the database; the file is made if need be, for its owner only.
pub(crate) fn database(data_dir: &Path) -> Result<PathBuf, OpenError> {
    let path = data_dir.join(DATABASE_FILE);
    match private_file(&path) {
        Ok(_made) => Ok(path),
        Err(source) => Err(OpenError::File { path, source }),
    }
}

/// The one connection that writes.
pub(crate) fn connect_writer(path: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    stable_plans(&connection)?;
    // The mode answers with a row, which `pragma_update` does not mind.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Where `fsync` alone does not reach the disk, as on macOS.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -4096)?;
    // The writer checkpoints when it is idle, never in an acknowledged commit. The WAL's file keeps its size, since a
    // commit into blocks that are there already needs no change of the file's own record.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.set_prepared_statement_cache_capacity(128);
    Ok(connection)
}

/// A connection that only reads.
pub(crate) fn connect_reader(path: &Path) -> Result<Connection, OpenError> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    stable_plans(&connection)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "cache_size", -2048)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[cfg(unix)]
fn make_dir(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)?;
    // The directory's own entry has to be durable before anything in it can be.
    match path.canonicalize()?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(not(unix))]
fn make_dir(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}

#[cfg(unix)]
fn private_file(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;

    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

#[cfg(not(unix))]
fn private_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

#[cfg(test)]
mod tests;

/// Plans a statement once, whatever is bound to it: a bound `LIMIT` would have it planned anew each time, which costs more
/// than most of our statements do.
fn stable_plans(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

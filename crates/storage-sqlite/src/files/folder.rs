use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use records::{FileId, MAX_PIECE_BYTES};
use rusqlite::Connection;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

use super::{
    draft::{Draft, Placed, Sealed, Unplaced},
    pool::{Pool, Queue},
    sweep,
};
use crate::{OpenError, error::Failure};

/// The folder with the bytes of all files: `files/<shard>/<id>`, and `files/tmp/<number>` while they come.
///
/// No part of a path is from a request but the id, which is 16 bytes written in hexadecimal. A shard is named after the
/// last byte of its ids, which is random in every version of a UUID that we make.
///
/// Whoever puts bytes into a place, takes them away, or opens them on the strength of a row holds the lock of their
/// shard from before he looks at the row until after he is done with the bytes and the row is committed. So a row and
/// its bytes are one thing to all others, the sweep included. A stalled upload holds no lock: it is taken after the last
/// byte.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    next_draft: AtomicU64,
    shards: Vec<Arc<RwLock<()>>>,
    /// Set when the store is closed: the sweep ends.
    closing: Arc<AtomicBool>,
    #[cfg(test)]
    swept: Arc<AtomicBool>,
    pool: Pool,
}

/// Holds a shard for a change.
pub(super) type Alone = OwnedRwLockWriteGuard<()>;

impl Folder {
    /// Opens the folder in a data directory that is locked, making it if need be, and clears away what crashes left.
    ///
    /// Drafts, of which there are as many as there were uploads, go before this returns. Bytes without a row are looked
    /// for afterwards, on a thread of the pool, which asks `rows` which are there.
    pub(crate) fn open(data_dir: &Path, rows: Connection) -> Result<Self, OpenError> {
        let root = data_dir.join(ROOT);
        let drafts = root.join(DRAFTS);
        let fault = |path: &Path, source| OpenError::File {
            path: path.to_owned(),
            source,
        };
        for path in [&root, &drafts] {
            make_dir(path).map_err(|source| fault(path, source))?;
        }
        // A process before may have made a directory and ended before it was synced.
        for path in [data_dir, &root] {
            sync_dir(path).map_err(|source| fault(path, source))?;
        }
        sweep::clear_drafts(&drafts).map_err(|source| fault(&drafts, source))?;
        let folder = Self {
            root,
            next_draft: AtomicU64::new(0),
            shards: (0..SHARDS).map(|_| Arc::default()).collect(),
            closing: Arc::default(),
            #[cfg(test)]
            swept: Arc::default(),
            pool: Pool::start().map_err(OpenError::Thread)?,
        };
        folder.sweep(rows);
        Ok(folder)
    }

    /// Where its jobs are queued.
    pub(super) fn queue(&self) -> &Queue {
        self.pool.queue()
    }

    /// Begins a file that nobody sees.
    pub(super) async fn draft(&self) -> Result<io::Result<Draft>, Failure> {
        let number = self.next_draft.fetch_add(1, Ordering::Relaxed);
        let path = self.root.join(DRAFTS).join(number.to_string());
        let queue = self.queue().clone();
        self.queue()
            .run(move || {
                let file = new_file(&path)?;
                Ok(Draft::new(file, Unplaced::new(path, queue)))
            })
            .await
    }

    /// Waits until nobody else is at the files of this id's shard.
    pub(super) async fn alone(&self, id: FileId) -> Alone {
        self.shard(id).write_owned().await
    }

    /// Waits until nobody changes the files of this id's shard.
    pub(super) async fn shared(&self, id: FileId) -> OwnedRwLockReadGuard<()> {
        self.shard(id).read_owned().await
    }

    /// Puts bytes into the place of this id, durably.
    pub(super) async fn place(
        &self,
        id: FileId,
        alone: Alone,
        sealed: Sealed,
    ) -> Result<io::Result<Placed>, Failure> {
        let shard = self.shard_path(id);
        let place = self.place_of(id);
        self.queue()
            .run(move || {
                make_dir(&shard)?;
                sealed.place(place, alone, || sync_dir(&shard))
            })
            .await
    }

    /// Takes the bytes of this id away. They may be gone already.
    pub(super) async fn remove(&self, id: FileId, alone: Alone) -> Result<io::Result<()>, Failure> {
        let place = self.place_of(id);
        self.queue()
            .run(move || {
                let removed = remove(&place);
                drop(alone);
                removed
            })
            .await
    }

    /// Opens the bytes of this id at an offset and says how many there are.
    pub(super) async fn open_at(
        &self,
        id: FileId,
        offset: u64,
    ) -> Result<io::Result<(File, u64)>, Failure> {
        let place = self.place_of(id);
        self.queue()
            .run(move || {
                let mut file = File::open(place)?;
                let bytes = file.metadata()?.len();
                file.seek(SeekFrom::Start(offset))?;
                Ok((file, bytes))
            })
            .await
    }

    fn shard(&self, id: FileId) -> Arc<RwLock<()>> {
        let shard = usize::from(shard_of(id));
        // There is one for each byte.
        self.shards.get(shard).cloned().unwrap_or_default()
    }

    fn place_of(&self, id: FileId) -> PathBuf {
        self.shard_path(id).join(id.to_string())
    }

    fn shard_path(&self, id: FileId) -> PathBuf {
        self.root.join(format!("{:02x}", shard_of(id)))
    }

    fn sweep(&self, rows: Connection) {
        let root = self.root.clone();
        let shards = self.shards.clone();
        let closing = Arc::clone(&self.closing);
        #[cfg(test)]
        let is_swept = Arc::clone(&self.swept);
        self.queue().leave(move || {
            match sweep::sweep(&root, &shards, &rows, &closing) {
                Ok(0) => {}
                Ok(swept) => tracing::info!(
                    swept,
                    "bytes of files that were never stored, or deleted, were swept away"
                ),
                Err(error) => tracing::warn!(
                    error = &*error,
                    "the folder of files cannot be swept now; it is tried again at the next start"
                ),
            }
            #[cfg(test)]
            is_swept.store(true, Ordering::Relaxed);
        });
    }

    /// Whether the sweep is over.
    #[cfg(test)]
    pub(super) fn is_swept(&self) -> bool {
        self.swept.load(Ordering::Relaxed)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
    }
}

/// The last byte of an id.
pub(super) fn shard_of(id: FileId) -> u8 {
    let [.., last] = id.uuid().into_bytes();
    last
}

/// The next piece of an open file of which so many bytes are left to read.
pub(super) fn read_piece(file: &File, left: u64) -> io::Result<Vec<u8>> {
    let wanted = usize::try_from(left).map_or(MAX_PIECE_BYTES, |left| left.min(MAX_PIECE_BYTES));
    let mut piece = Vec::with_capacity(wanted);
    file.take(wanted as u64).read_to_end(&mut piece)?;
    if piece.len() == wanted {
        Ok(piece)
    } else {
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}

/// Removes a file that may be gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

const ROOT: &str = "files";
const DRAFTS: &str = "tmp";
const SHARDS: usize = 256;

/// Makes a directory, durably and for its owner only, unless it is there.
fn make_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

/// Makes a file for its owner only, which must not be there.
fn new_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(unix)]
fn sync_dir(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// There is no handle of a directory to sync here; the file system's own journal keeps the order.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "it can fail elsewhere")]
fn sync_dir(_path: &Path) -> io::Result<()> {
    Ok(())
}

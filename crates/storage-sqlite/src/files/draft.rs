use std::{
    fmt,
    fs::{self, File},
    io::{self, Write as _},
    mem,
    path::PathBuf,
};

use records::MAX_PIECE_BYTES;
use sha2::{Digest as _, Sha256};

use super::{
    folder::{Alone, remove},
    pool::Queue,
};

/// Bytes that are coming. Dropped, it takes them away again.
#[derive(Debug)]
pub(super) struct Draft {
    // Closed before it is removed, which some systems ask for.
    file: File,
    at: Unplaced,
    /// What came and is not written yet: at most a piece.
    waiting: Vec<u8>,
    bytes: u64,
    hash: Sha256,
}

impl Draft {
    /// Begins with an empty file.
    pub(super) fn new(file: File, at: Unplaced) -> Self {
        Self {
            file,
            at,
            waiting: Vec::with_capacity(MAX_PIECE_BYTES),
            bytes: 0,
            hash: Sha256::new(),
        }
    }

    /// How many bytes came.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Keeps some bytes to write them with others, or says that there is no room and [`write`](Self::write) is due.
    pub(super) fn keep(&mut self, some: &[u8]) -> bool {
        if self.waiting.len() + some.len() > MAX_PIECE_BYTES {
            return false;
        }
        self.waiting.extend_from_slice(some);
        self.bytes += some.len() as u64;
        true
    }

    /// Writes what waits, and these bytes. Blocks.
    pub(super) fn write(&mut self, more: &[u8]) -> io::Result<()> {
        for some in [self.waiting.as_slice(), more] {
            self.file.write_all(some)?;
            self.hash.update(some);
        }
        self.waiting.clear();
        self.bytes += more.len() as u64;
        Ok(())
    }

    /// Writes what waits and makes all bytes durable. Blocks.
    pub(super) fn seal(mut self) -> io::Result<Sealed> {
        self.write(&[])?;
        self.file.sync_all()?;
        Ok(Sealed {
            at: self.at,
            bytes: self.bytes,
            sha256: self.hash.finalize().into(),
        })
    }

    /// Takes the bytes away. Blocks.
    pub(super) fn discard(self) {
        drop(self.file);
        self.at.discard();
    }
}

/// Bytes that all came and are durable, under a name that nobody knows.
#[derive(Debug)]
pub(super) struct Sealed {
    at: Unplaced,
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
}

impl Sealed {
    /// Gives the bytes their name, durably: `sync` is to sync the directory of the place. Blocks.
    pub(super) fn place(
        mut self,
        place: PathBuf,
        alone: Alone,
        sync: impl FnOnce() -> io::Result<()>,
    ) -> io::Result<Placed> {
        fs::rename(&self.at.path, &place)?;
        // From here on they are taken away from there, and before the shard is let go.
        self.at.path = place;
        if let Err(error) = sync() {
            self.at.discard();
            return Err(error);
        }
        Ok(Placed {
            at: self.at,
            alone: Some(alone),
        })
    }

    /// Takes the bytes away. Blocks.
    pub(super) fn discard(self) {
        self.at.discard();
    }
}

/// Bytes in their place, whose row is not there yet. Dropped, it takes them away again, and then lets the shard go.
#[derive(Debug)]
pub(super) struct Placed {
    at: Unplaced,
    alone: Option<Alone>,
}

impl Placed {
    /// Leaves the bytes in their place, and gives what holds the shard until the row is committed.
    pub(super) fn stay(mut self) -> Option<Alone> {
        self.at.path = PathBuf::new();
        self.alone.take()
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        let path = mem::take(&mut self.at.path);
        if let Some(alone) = self.alone.take() {
            self.at.queue.leave(move || {
                remove_or_warn(&path);
                drop(alone);
            });
        }
    }
}

/// A file that is taken away when this is dropped, by the pool, since that may be on an async thread.
pub(super) struct Unplaced {
    /// Empty when there is nothing to take away.
    path: PathBuf,
    queue: Queue,
}

impl Unplaced {
    pub(super) fn new(path: PathBuf, queue: Queue) -> Self {
        Self { path, queue }
    }

    /// Takes it away here and now. Blocks.
    fn discard(mut self) {
        remove_or_warn(&mem::take(&mut self.path));
    }
}

impl Drop for Unplaced {
    fn drop(&mut self) {
        let path = mem::take(&mut self.path);
        if !path.as_os_str().is_empty() {
            self.queue.leave(move || remove_or_warn(&path));
        }
    }
}

impl fmt::Debug for Unplaced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unplaced").field(&self.path).finish()
    }
}

fn remove_or_warn(path: &std::path::Path) {
    if let Err(error) = remove(path) {
        tracing::warn!(%error, "the bytes of a file that was not stored cannot be removed; the next start does it");
    }
}

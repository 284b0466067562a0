use std::{fmt, ops::Range, pin::Pin};

use async_trait::async_trait;
use bytes::Bytes;
use chat_core::access::Owner;
use futures_util::Stream;
use uuid::Uuid;

use crate::StoreError;

/// Files that people or tools brought, with their bytes.
///
/// A file is there as a whole or not at all: every method sees it only after its last byte is durable. What an upload
/// left behind that broke off, or whose node died, is never seen and swept away. Bytes never change: a file is deleted
/// and brought anew. Names, media types and purposes are any text and come back as they were given.
#[async_trait]
pub trait Files: Send + Sync {
    /// Stores a file with these bytes and gives its record, or says what stands in the way; then nothing is kept.
    ///
    /// The bytes are taken as they come and never held in memory as a whole; a file may be empty. An error of the
    /// stream ends the upload as [`FileRefusal::BrokeOff`], a byte too many as [`FileRefusal::TooLarge`] before the rest
    /// is read. When callers race for one id, exactly one gets it, and only to be stored makes an id taken: one whose
    /// upload failed or was deleted is free at once. When the caller goes, by dropping the call, the file is stored as a
    /// whole or not at all, and not at all if its bytes had not come to their end.
    async fn insert_file(
        &self,
        file: NewFile,
        bytes: ByteStream,
    ) -> Result<Result<StoredFile, FileRefusal>, StoreError>;

    /// The file with this id, or `None`.
    async fn find_file(&self, id: FileId) -> Result<Option<StoredFile>, StoreError>;

    /// An owner's files in the order of their ids, those after `after`, at most `limit`.
    ///
    /// `after` need not be, or not any more, the id of a file.
    async fn list_files(
        &self,
        owner: &Owner,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<StoredFile>, StoreError>;

    /// The bytes of a file, all or a range of them, or `None` if there is no such file.
    ///
    /// They come in pieces of at most [`MAX_PIECE_BYTES`], none of them empty, and are read no faster than they are
    /// taken. A range that reaches beyond the end is cut there; one that begins there or later, and one that ends before
    /// it begins, has no bytes. A reader that began before a deletion may see its stream end with an error, and never
    /// sees other bytes nor too few of them without one.
    async fn read_file(
        &self,
        id: FileId,
        range: Option<Range<u64>>,
    ) -> Result<Option<ByteStream>, StoreError>;

    /// Deletes a file and says whether it was there. When callers race, exactly one is told so.
    async fn delete_file(&self, id: FileId) -> Result<bool, StoreError>;
}

/// A piece of a file's [`ByteStream`] has at most this many bytes.
pub const MAX_PIECE_BYTES: usize = 256 * 1024;

/// Bytes as they come.
pub type ByteStream = Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// A file's id: random, since a file can be reached by its id alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(Uuid);

impl FileId {
    /// Wraps a UUID, of any version.
    pub const fn new(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID itself.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for FileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A file to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// The id.
    pub id: FileId,
    /// Who owns it.
    pub owner: Owner,
    /// Its name, as its owner calls it. Never part of a path.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// What it is for, as its dialect says; empty where none does.
    pub purpose: String,
    /// More bytes than this are refused.
    pub max_bytes: u64,
    /// The time, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// A file that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredFile {
    /// The id.
    pub id: FileId,
    /// Who owns it.
    pub owner: Owner,
    /// Its name, as its owner calls it. Never part of a path.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// What it is for, as its dialect says; empty where none does.
    pub purpose: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// When it was stored, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
}

/// Why a file was not stored.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub enum FileRefusal {
    /// Another file has the id.
    IdTaken,
    /// It has more bytes than it may.
    TooLarge,
    /// Its bytes broke off.
    BrokeOff,
}

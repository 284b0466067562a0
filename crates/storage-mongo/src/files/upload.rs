use std::{mem, time::Duration};

use futures_util::StreamExt as _;
use mongodb::{
    bson::{Uuid, doc},
    error::{Error, ErrorKind},
};
use records::{ByteStream, FileRefusal, NewFile, StoreError};
use sha2::{Digest as _, Sha256};
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use super::document::{CHUNK_BYTES, ChunkDocument, FileDocument};
use crate::{
    MongoStore,
    error::{DUPLICATE_KEY, Failure, is_duplicate},
};

/// Bytes that are coming.
pub(super) struct Upload<'a> {
    store: &'a MongoStore,
    file: FileDocument,
    /// What came and is not written yet: less than [`FILL`].
    waiting: Vec<u8>,
    hash: Sha256,
    bytes: u64,
    next_chunk: i32,
    touched: Instant,
}

impl<'a> Upload<'a> {
    /// Begins an upload that nobody sees.
    pub(super) async fn begin(store: &'a MongoStore, file: &NewFile) -> Result<Self, Failure> {
        let file = FileDocument::begun(Uuid::new(), file);
        let files = store.all::<FileDocument>();
        let fields = file.fields()?;
        store
            .retried(|| async {
                files
                    .update_one(
                        doc! {"_id": file.id},
                        doc! {
                            "$setOnInsert": fields.clone(),
                            "$currentDate": {"metadata.touched_at": true},
                        },
                    )
                    .upsert(true)
                    .await?;
                Ok::<_, Failure>(())
            })
            .await?;
        Ok(Self {
            store,
            file,
            waiting: Vec::with_capacity(FILL),
            hash: Sha256::new(),
            bytes: 0,
            next_chunk: 0,
            touched: Instant::now(),
        })
    }

    /// Takes all bytes and makes them durable, or says why not.
    pub(super) async fn receive(
        &mut self,
        mut bytes: ByteStream,
        max_bytes: u64,
    ) -> Result<Result<(), FileRefusal>, StoreError> {
        loop {
            let next = timeout_at(self.touched + TOUCHED_EVERY, bytes.next());
            let Ok(next) = next.await else {
                // It stalls, and is alive.
                self.touch().await?;
                continue;
            };
            match next {
                None => break,
                Some(Err(_broken)) => return Ok(Err(FileRefusal::BrokeOff)),
                Some(Ok(more)) if more.len() as u64 > max_bytes - self.bytes => {
                    return Ok(Err(FileRefusal::TooLarge));
                }
                Some(Ok(more)) => {
                    self.bytes += more.len() as u64;
                    let mut rest = &more[..];
                    while !rest.is_empty() {
                        let (some, later) =
                            rest.split_at(rest.len().min(FILL - self.waiting.len()));
                        self.waiting.extend_from_slice(some);
                        rest = later;
                        if self.waiting.len() == FILL {
                            self.write().await?;
                        }
                    }
                }
            }
        }
        self.write().await?;
        Ok(Ok(()))
    }

    /// Makes the upload the file of its id and gives its record, or `None` if there is one.
    pub(super) async fn complete(&mut self) -> Result<Option<FileDocument>, Failure> {
        let sha256 = mem::take(&mut self.hash).finalize();
        let file = self.file.clone().completed(self.bytes, &sha256);
        let length = i64::try_from(self.bytes).unwrap_or(i64::MAX);
        let files = self.store.all::<FileDocument>();
        let completed = self
            .store
            .retried(|| async {
                // A repetition, after an answer that was lost, changes nothing and is acknowledged as well.
                let update = files
                    .update_one(
                        doc! {"_id": file.id, "metadata.gone": {"$exists": false}},
                        doc! {
                            "$set": {
                                "length": length,
                                "metadata.sha256": file.sha256(),
                                "metadata.complete": true,
                            },
                            "$unset": {"metadata.touched_at": ""},
                        },
                    )
                    .await;
                match update {
                    Ok(update) => Ok(Some(update.matched_count > 0)),
                    Err(error) if is_duplicate(&error) => Ok(None),
                    Err(error) => Err(Failure::from(error)),
                }
            })
            .await?;
        match completed {
            Some(true) => Ok(Some(file)),
            None => Ok(None),
            // Swept, since we could not reach the database for so long.
            Some(false) => Err(Failure::TooLate {
                seconds: super::sweep::UNTOUCHED_FOR.as_secs(),
                last: None,
            }),
        }
    }

    /// Takes the bytes away, now that no write is under way, or leaves them to the sweep.
    pub(super) async fn discard(self) {
        if let Err(failure) = self.store.remove_upload(self.file.id).await {
            tracing::warn!(error = %failure, "the bytes of a file that was refused cannot be removed now; they are swept later");
        }
    }

    /// Writes what waits: whole chunks, but at the end.
    async fn write(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let bytes = mem::take(&mut self.waiting);
        let mut hash = mem::take(&mut self.hash);
        // Hashing so much takes longer than an async thread should be held.
        let (bytes, hash) = spawn_blocking(move || {
            hash.update(&bytes);
            (bytes, hash)
        })
        .await
        .map_err(|error| StoreError::Fatal(error.into()))?;
        self.hash = hash;
        let mut chunks = Vec::with_capacity(CHUNKS);
        for bytes in bytes.chunks(CHUNK) {
            chunks.push(ChunkDocument::new(self.file.id, self.next_chunk, bytes));
            self.next_chunk = self.next_chunk.saturating_add(1);
        }
        self.waiting = bytes;
        self.waiting.clear();
        let all = self.store.all::<ChunkDocument>();
        self.store
            .retried(|| async {
                match all.insert_many(&chunks).ordered(false).await {
                    Err(error) if !are_there(&error) => Err(Failure::from(error)),
                    _ => Ok(()),
                }
            })
            .await?;
        if self.touched.elapsed() >= TOUCHED_EVERY {
            self.touch().await?;
        }
        Ok(())
    }

    /// Says that the upload is alive.
    async fn touch(&mut self) -> Result<(), StoreError> {
        let files = self.store.all::<FileDocument>();
        self.store
            .retried(|| async {
                files
                    .update_one(
                        doc! {"_id": self.file.id, "metadata.complete": false},
                        doc! {"$currentDate": {"metadata.touched_at": true}},
                    )
                    .await?;
                Ok::<_, Failure>(())
            })
            .await?;
        self.touched = Instant::now();
        Ok(())
    }
}

/// So many bytes are a chunk.
#[expect(clippy::cast_possible_truncation, reason = "it is 255 KiB")]
const CHUNK: usize = CHUNK_BYTES as usize;
/// So many chunks are written at once: each write is synced to the disks of a majority, which costs the same for a few.
const CHUNKS: usize = 4;
const FILL: usize = CHUNKS * CHUNK;

/// An upload says so often that it is alive; a fraction of what the sweep allows.
const TOUCHED_EVERY: Duration = Duration::from_mins(1);

/// Whether chunks could not be inserted only because they are there: an attempt before had inserted them, for nobody else
/// writes chunks of this upload.
fn are_there(error: &Error) -> bool {
    if let ErrorKind::InsertMany(many) = &*error.kind {
        many.write_concern_error.is_none()
            && many
                .write_errors
                .as_ref()
                .is_some_and(|errors| errors.iter().all(|error| error.code == DUPLICATE_KEY))
    } else {
        false
    }
}

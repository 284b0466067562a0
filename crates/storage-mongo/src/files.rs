use std::{io, ops::Range};

use async_trait::async_trait;
use bytes::Bytes;
use chat_core::access::Owner;
use futures_util::stream;
use mongodb::bson::{Uuid, doc};
use records::{ByteStream, FileId, FileRefusal, Files, NewFile, StoreError, StoredFile};

use crate::{
    MongoStore,
    error::Failure,
    files::{
        document::{CHUNK_BYTES, ChunkDocument, FileDocument},
        upload::Upload,
    },
    layout::StoredId as _,
};

mod document;
mod sweep;
mod upload;

/// Files are in `GridFS`, in the bucket `skein_files`, so that its tools read them. Two things differ from what a driver's
/// bucket writes:
///
/// - The record is there before the chunks, marked as not complete, and becomes the file by one update after the last
///   chunk is durable. So every chunk belongs to a record, and what an upload left that broke off is found by an index and
///   not by a walk through all chunks.
/// - A record's `_id` is the upload's; the file's id is `metadata.id`, which is unique among complete records. So uploads
///   that race for an id never meet in each other's chunks, and the index lets one of them win.
///
/// A deletion takes the mark away, which is the durable change, and then the chunks and the record.
#[async_trait]
impl Files for MongoStore {
    async fn insert_file(
        &self,
        file: NewFile,
        bytes: ByteStream,
    ) -> Result<Result<StoredFile, FileRefusal>, StoreError> {
        // Nobody's bytes are taken for nothing. Whether the id is free is decided by the index.
        if self.find_file(file.id).await?.is_some() {
            return Ok(Err(FileRefusal::IdTaken));
        }
        let mut upload = Upload::begin(self, &file).await?;
        // An upload that fails here, or whose caller goes, may still have a write under way: its chunks are left to the
        // sweep, which is long after any write.
        if let Err(refusal) = upload.receive(bytes, file.max_bytes).await? {
            upload.discard().await;
            return Ok(Err(refusal));
        }
        let Some(stored) = upload.complete().await? else {
            upload.discard().await;
            return Ok(Err(FileRefusal::IdTaken));
        };
        Ok(Ok(stored.read()?))
    }

    async fn find_file(&self, id: FileId) -> Result<Option<StoredFile>, StoreError> {
        let found = self.find_complete(id).await?;
        Ok(found.map(FileDocument::read).transpose()?)
    }

    async fn list_files(
        &self,
        owner: &Owner,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<StoredFile>, StoreError> {
        if limit == 0 {
            // To the server it would mean all.
            return Ok(Vec::new());
        }
        let mut wanted = doc! {"metadata.owner": owner.to_string(), "metadata.complete": true};
        if let Some(after) = after {
            wanted.insert("metadata.id", doc! {"$gt": after.stored()});
        }
        let files = self.all::<FileDocument>();
        let listed = self
            .retried(|| async {
                let mut cursor = files
                    .find(wanted.clone())
                    .sort(doc! {"metadata.id": 1})
                    .limit(i64::from(limit))
                    .await?;
                let mut listed = Vec::new();
                while cursor.advance().await? {
                    listed.push(cursor.deserialize_current()?.read()?);
                }
                Ok::<_, Failure>(listed)
            })
            .await?;
        Ok(listed)
    }

    async fn read_file(
        &self,
        id: FileId,
        range: Option<Range<u64>>,
    ) -> Result<Option<ByteStream>, StoreError> {
        let Some(file) = self.find_complete(id).await? else {
            return Ok(None);
        };
        let length = file.length()?;
        let range = range.unwrap_or(0..length);
        let end = range.end.min(length);
        let start = range.start.min(end);
        Ok(Some(self.pieces(file.id, length, start..end)))
    }

    async fn delete_file(&self, id: FileId) -> Result<bool, StoreError> {
        let Some(upload) = self.mark_deleted(id).await? else {
            return Ok(false);
        };
        if let Err(failure) = self.remove_upload(upload).await {
            // It is deleted all the same, and nobody can reach what is left.
            tracing::warn!(error = %failure, "the bytes of a deleted file cannot be removed now; they are swept later");
        }
        Ok(true)
    }
}

impl MongoStore {
    async fn find_complete(&self, id: FileId) -> Result<Option<FileDocument>, Failure> {
        let files = self.all::<FileDocument>();
        self.retried(|| async {
            Ok(files
                .find_one(doc! {"metadata.id": id.stored(), "metadata.complete": true})
                .await?)
        })
        .await
    }

    /// The bytes of a range, chunk by chunk, each read when it is asked for.
    ///
    /// No cursor is held, which the server would close on a slow reader and lose in an election.
    fn pieces(&self, upload: Uuid, length: u64, range: Range<u64>) -> ByteStream {
        let store = self.clone();
        Box::pin(stream::try_unfold(range, move |range| {
            let store = store.clone();
            async move {
                if range.is_empty() {
                    return Ok(None);
                }
                let number = range.start / CHUNK_BYTES;
                let chunk_start = number * CHUNK_BYTES;
                let chunk_end = length.min(chunk_start + CHUNK_BYTES);
                let chunk = store
                    .find_chunk(upload, number)
                    .await
                    .map_err(io::Error::other)?;
                let bytes = chunk.map(ChunkDocument::into_bytes).unwrap_or_default();
                if bytes.len() as u64 != chunk_end - chunk_start {
                    // The file was deleted meanwhile.
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
                let end = range.end.min(chunk_end);
                let cut = offset(range.start - chunk_start)..offset(end - chunk_start);
                Ok(Some((Bytes::from(bytes).slice(cut), end..range.end)))
            }
        }))
    }

    async fn find_chunk(
        &self,
        upload: Uuid,
        number: u64,
    ) -> Result<Option<ChunkDocument>, Failure> {
        let number = i64::try_from(number).unwrap_or(i64::MAX);
        let chunks = self.all::<ChunkDocument>();
        self.retried(|| async {
            Ok(chunks
                .find_one(doc! {"files_id": upload, "n": number})
                .await?)
        })
        .await
    }

    /// Takes the mark of a complete file away and says which upload it was; `None` if there is no such file.
    async fn mark_deleted(&self, id: FileId) -> Result<Option<Uuid>, Failure> {
        let files = self.all::<FileDocument>();
        // By this a repetition knows its own work, whose answer was lost.
        let call = Uuid::new();
        self.retried(|| async {
            let marked = files
                .find_one_and_update(
                    doc! {"metadata.id": id.stored(), "metadata.complete": true},
                    doc! {
                        "$set": {"metadata.complete": false, "metadata.gone": call},
                        "$currentDate": {"metadata.touched_at": true},
                    },
                )
                .await?;
            let marked = match marked {
                Some(marked) => Some(marked),
                None => {
                    files
                        .find_one(doc! {
                            "metadata.touched_at": {"$exists": true},
                            "metadata.gone": call,
                        })
                        .await?
                }
            };
            Ok(marked.map(|file| file.id))
        })
        .await
    }
}

/// A place within a chunk.
fn offset(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;

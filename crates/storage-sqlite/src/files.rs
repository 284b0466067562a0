use std::{fs::File, io, ops::Range};

use async_trait::async_trait;
use bytes::Bytes;
use chat_core::access::{InvalidOwner, Owner};
use futures_util::{StreamExt as _, stream};
use records::{ByteStream, FileId, FileRefusal, Files, NewFile, StoreError, StoredFile};
use rusqlite::{Connection, Row, params};

use crate::{
    SqliteStore,
    error::Failure,
    files::{
        draft::{Draft, Sealed},
        pool::Queue,
    },
    rows,
};

mod draft;
mod folder;
mod pool;
mod sweep;

pub(crate) use folder::Folder;

/// The row is the truth: a file is there when its row is.
///
/// The bytes are synced under a name that nobody knows, then renamed, then their directory is synced, and only then the
/// row is committed, which is synced as well. So after a power cut at any moment a row that is there has all its bytes;
/// bytes that have no row are swept when the store is opened. A deletion goes the other way: first the row, then the
/// bytes.
#[async_trait]
impl Files for SqliteStore {
    async fn insert_file(
        &self,
        file: NewFile,
        bytes: ByteStream,
    ) -> Result<Result<StoredFile, FileRefusal>, StoreError> {
        // Nobody's bytes are taken for nothing. Whether the id is free is decided below.
        if self.has_file(file.id).await? {
            return Ok(Err(FileRefusal::IdTaken));
        }
        let draft = self.files().draft().await?.map_err(unwritable)?;
        let sealed = match receive(draft, bytes, file.max_bytes, self.files().queue()).await? {
            Ok(sealed) => sealed,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let alone = self.files().alone(file.id).await;
        if self.has_file(file.id).await? {
            self.files().queue().run(|| sealed.discard()).await?;
            return Ok(Err(FileRefusal::IdTaken));
        }
        let stored = StoredFile {
            id: file.id,
            owner: file.owner,
            name: file.name,
            media_type: file.media_type,
            purpose: file.purpose,
            bytes: sealed.bytes,
            sha256: sealed.sha256,
            created_at_ms: file.at_ms,
        };
        let placed = self
            .files()
            .place(file.id, alone, sealed)
            .await?
            .map_err(unwritable)?;
        let row = stored.clone();
        let inserted = self
            .write(move |writing| {
                insert(writing.connection, &row)?;
                // The outcome holds the shard until after the commit, whether or not the caller is still there. A caller
                // that went before this was queued takes the bytes with it; after it, they and the row stay.
                Ok(placed.stay())
            })
            .await;
        match inserted {
            Ok(_alone) => Ok(Ok(stored)),
            Err(error) => {
                self.tidy(file.id).await;
                Err(error)
            }
        }
    }

    async fn find_file(&self, id: FileId) -> Result<Option<StoredFile>, StoreError> {
        self.query(move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, owner, name, media_type, purpose, bytes, sha256, created_at
                     FROM file WHERE id = ?1",
                )?
                .query_and_then([key(id)], stored_file)?
                .next()
                .transpose()
        })
        .await
    }

    async fn list_files(
        &self,
        owner: &Owner,
        after: Option<FileId>,
        limit: u32,
    ) -> Result<Vec<StoredFile>, StoreError> {
        let owner = owner.to_string();
        self.query(move |connection| {
            // No bytes at all come before those of every id.
            let after = after.map(key);
            let after = after.as_ref().map_or([].as_slice(), |key| key.as_slice());
            connection
                .prepare_cached(
                    "SELECT id, owner, name, media_type, purpose, bytes, sha256, created_at
                     FROM file WHERE owner = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
                )?
                .query_and_then(params![owner, after, limit], stored_file)?
                .collect()
        })
        .await
    }

    async fn read_file(
        &self,
        id: FileId,
        range: Option<Range<u64>>,
    ) -> Result<Option<ByteStream>, StoreError> {
        // The bytes that are opened are those of the row that was read. An open file keeps them when they are deleted.
        let _shared = self.files().shared(id).await;
        let Some(file) = self.find_file(id).await? else {
            return Ok(None);
        };
        let range = range.unwrap_or(0..file.bytes);
        let end = range.end.min(file.bytes);
        let start = range.start.min(end);
        let (opened, bytes) = self.files().open_at(id, start).await?.map_err(unreadable)?;
        if bytes != file.bytes {
            return Err(damaged(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(Some(pieces(opened, end - start, self.files().queue())))
    }

    async fn delete_file(&self, id: FileId) -> Result<bool, StoreError> {
        let alone = self.files().alone(id).await;
        let (was_there, alone) = self
            .write(move |writing| {
                let deleted = writing
                    .connection
                    .prepare_cached("DELETE FROM file WHERE id = ?1")?
                    .execute([key(id)])?;
                Ok((deleted > 0, alone))
            })
            .await?;
        if was_there && let Err(error) = self.files().remove(id, alone).await? {
            // It is deleted all the same, and nobody can reach what is left.
            tracing::warn!(%error, "the bytes of a deleted file cannot be removed; the next start does it");
        }
        Ok(was_there)
    }
}

impl SqliteStore {
    async fn has_file(&self, id: FileId) -> Result<bool, StoreError> {
        self.query(move |connection| {
            Ok(connection
                .prepare_cached("SELECT 1 FROM file WHERE id = ?1")?
                .exists([key(id)])?)
        })
        .await
    }

    /// Takes away the bytes of a file whose row could not be inserted, unless it is there after all.
    async fn tidy(&self, id: FileId) {
        let alone = self.files().alone(id).await;
        if let Ok(false) = self.has_file(id).await
            && let Ok(Ok(())) = self.files().remove(id, alone).await
        {
            return;
        }
        tracing::warn!(
            "the bytes of a file that was not stored may be left; the next start removes them"
        );
    }
}

/// Takes all bytes of a stream and makes them durable, or says why not; then none is left.
async fn receive(
    mut draft: Draft,
    mut bytes: ByteStream,
    max_bytes: u64,
    queue: &Queue,
) -> Result<Result<Sealed, FileRefusal>, StoreError> {
    let refusal = loop {
        match bytes.next().await {
            None => return Ok(Ok(queue.run(|| draft.seal()).await?.map_err(unwritable)?)),
            Some(Err(_broken)) => break FileRefusal::BrokeOff,
            Some(Ok(more)) if more.len() as u64 > max_bytes - draft.bytes() => {
                break FileRefusal::TooLarge;
            }
            Some(Ok(more)) if draft.keep(&more) => {}
            Some(Ok(more)) => {
                draft = queue
                    .run(move || draft.write(&more).map(|()| draft))
                    .await?
                    .map_err(unwritable)?;
            }
        }
    };
    // The stream may hold much, such as what came and was not taken.
    drop(bytes);
    queue.run(|| draft.discard()).await?;
    Ok(Err(refusal))
}

/// So many bytes of an open file, each piece read when it is asked for. Nothing is left to end when it is dropped.
fn pieces(file: File, left: u64, queue: &Queue) -> ByteStream {
    let queue = queue.clone();
    Box::pin(stream::try_unfold((file, left), move |(file, left)| {
        let queue = queue.clone();
        async move {
            if left == 0 {
                return Ok(None);
            }
            let read = move || folder::read_piece(&file, left).map(|piece| (piece, file));
            let (piece, file) = queue.run(read).await.map_err(io::Error::other)??;
            let left = left.saturating_sub(piece.len() as u64);
            Ok(Some((Bytes::from(piece), (file, left))))
        }
    }))
}

fn insert(connection: &Connection, file: &StoredFile) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT INTO file (id, owner, name, media_type, purpose, bytes, sha256, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            key(file.id),
            file.owner.to_string(),
            file.name,
            file.media_type,
            file.purpose,
            rows::signed(file.bytes),
            file.sha256,
            file.created_at_ms,
        ])?;
    Ok(())
}

fn stored_file(row: &Row<'_>) -> Result<StoredFile, Failure> {
    let owner: String = row.get(1)?;
    Ok(StoredFile {
        id: FileId::new(uuid::Uuid::from_bytes(row.get(0)?)),
        owner: owner
            .parse()
            .map_err(|error: InvalidOwner| Failure::corrupt("owner")(error.into()))?,
        name: row.get(2)?,
        media_type: row.get(3)?,
        purpose: row.get(4)?,
        bytes: rows::unsigned(row, 5)?,
        sha256: row.get(6)?,
        created_at_ms: row.get(7)?,
    })
}

fn key(id: FileId) -> [u8; 16] {
    id.uuid().into_bytes()
}

/// The disk would not take what was to be written. It may be full for a while; it may also not be ours to write.
fn unwritable(error: io::Error) -> StoreError {
    let lasting = [
        io::ErrorKind::PermissionDenied,
        io::ErrorKind::ReadOnlyFilesystem,
    ];
    if lasting.contains(&error.kind()) {
        StoreError::Fatal(error.into())
    } else {
        StoreError::Unavailable(error.into())
    }
}

/// The bytes of a row cannot be opened. When they are not there, somebody else took them away.
fn unreadable(error: io::Error) -> StoreError {
    if error.kind() == io::ErrorKind::NotFound {
        damaged(error)
    } else {
        unwritable(error)
    }
}

fn damaged(error: io::Error) -> StoreError {
    StoreError::Corrupt {
        what: "file",
        source: error.into(),
    }
}

#[cfg(test)]
mod tests;

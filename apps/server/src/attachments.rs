//! Images that people attach to messages: stored, read by anyone who has the address, and given to models with their bytes.
//!
//! An upload's address holds a random id, and knowing it is the right to read it: image elements and image optimisers
//! send no token. Only files that were brought here are read by it; files of other surfaces keep to their owners.

mod image;
mod name;

use std::{ops::Range, sync::Arc};

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chat_core::{
    access::Owner,
    ports::{Attachments, Clock, IdSource, StoreError},
};
use dialects::ai_sdk::MAX_UPLOAD;
use futures_util::{StreamExt as _, stream};
use records::{ByteStream, FileId, FileRefusal, Files, NewFile, StoredFile};
use url::Url;
use uuid::Uuid;

pub use image::{ImageKind, NoImage};
pub use name::safe_name;

/// What an upload is stored as being for. Files of other purposes are not read by their id alone.
const PURPOSE: &str = "chat-upload";
/// The path of uploads, before the id and the name.
const FOLDER: &str = "/api/files/blob/";
/// A user's files are counted in pages of so many.
const PAGE: u32 = 1_000;

/// Stores uploads and finds them again.
pub struct Uploads {
    files: Arc<dyn Files>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    /// What browsers know this server by, without a slash at its end.
    public_url: String,
    per_user: u32,
}

/// An upload that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Where it is read, absolute.
    pub url: String,
    /// Its name, safe everywhere.
    pub name: String,
    /// What sort of image it is.
    pub kind: ImageKind,
}

/// Why an upload is not stored.
#[derive(Debug, thiserror::Error)]
pub enum NoUpload {
    /// Its owner has so many already.
    #[error("At most {0} uploads are kept for one user")]
    TooMany(u32),
    /// The store did not take the bytes, which were all there.
    #[error("the upload was refused by the store: {0:?}")]
    Refused(FileRefusal),
    /// The store failed.
    #[error("the upload cannot be stored")]
    Store(#[from] StoreError),
}

impl Uploads {
    /// Uploads in this store, at most `per_user` of each user, read below `public_url`.
    pub const fn new(
        files: Arc<dyn Files>,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
        public_url: String,
        per_user: u32,
    ) -> Self {
        Self {
            files,
            clock,
            ids,
            public_url,
            per_user,
        }
    }

    /// Stores an image under a new address. Uploads of one user at the same moment may exceed the limit by their number.
    pub async fn store(
        &self,
        owner: Owner,
        given_name: &str,
        kind: ImageKind,
        bytes: Bytes,
    ) -> Result<Upload, NoUpload> {
        if self.is_full(&owner).await? {
            return Err(NoUpload::TooMany(self.per_user));
        }
        let name = safe_name(given_name, kind.default_name());
        let file = NewFile {
            // Not an ordered one: what could be guessed of it is the right to read it.
            id: FileId::new(self.ids.random()),
            owner,
            name: name.clone(),
            media_type: kind.media_type().to_owned(),
            purpose: PURPOSE.to_owned(),
            max_bytes: MAX_UPLOAD as u64,
            at_ms: self.clock.now_ms(),
        };
        let bytes: ByteStream = Box::pin(stream::once(async move { Ok(bytes) }));
        let stored = self.files.insert_file(file, bytes).await?;
        let stored = stored.map_err(NoUpload::Refused)?;
        let url = format!("{}{FOLDER}{}/{name}", self.public_url, stored.id);
        Ok(Upload { url, name, kind })
    }

    /// The upload of this id and name, both as they stand in its address. No other name leads to it, so that it has one
    /// address only.
    pub async fn find(&self, id: &str, name: &str) -> Result<Option<StoredFile>, StoreError> {
        find(self.files.as_ref(), id, name).await
    }

    /// The bytes of an upload, all or a range of them; `None` when it is gone.
    pub async fn read(
        &self,
        id: FileId,
        range: Option<Range<u64>>,
    ) -> Result<Option<ByteStream>, StoreError> {
        self.files.read_file(id, range).await
    }

    /// Whether the owner has as many uploads as are kept.
    async fn is_full(&self, owner: &Owner) -> Result<bool, StoreError> {
        let limit = usize::try_from(self.per_user).unwrap_or(usize::MAX);
        let (mut count, mut after) = (0, None);
        while count < limit {
            let page = self.files.list_files(owner, after, PAGE).await?;
            count += page.iter().filter(|file| file.purpose == PURPOSE).count();
            after = page.last().map(|file| file.id);
            if page.len() < PAGE as usize {
                break;
            }
        }
        Ok(count >= limit)
    }
}

impl std::fmt::Debug for Uploads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uploads")
            .field("public_url", &self.public_url)
            .finish_non_exhaustive()
    }
}

/// Gives models the bytes of uploads in place of their addresses, which a model's server may not reach.
///
/// An address is one of ours by its path and by an upload's id and name in it, whatever the host before it: a server is
/// known by several names over time and over its nodes, and messages keep the name of their day. Nothing is fetched, and
/// whoever knows the id could read the upload anyway.
pub struct InlinedUploads(Arc<dyn Files>);

impl InlinedUploads {
    /// Of the uploads in this store.
    pub const fn new(files: Arc<dyn Files>) -> Self {
        Self(files)
    }
}

#[async_trait]
impl Attachments for InlinedUploads {
    async fn inline(&self, url: &str) -> Result<Option<String>, StoreError> {
        let Some((id, name)) = place(url) else {
            return Ok(None);
        };
        let Some(file) = find(self.0.as_ref(), &id, &name).await? else {
            return Ok(None);
        };
        if file.bytes > MAX_UPLOAD as u64 {
            return Ok(None);
        }
        let Some(mut pieces) = self.0.read_file(file.id, None).await? else {
            return Ok(None);
        };
        let mut bytes = Vec::with_capacity(usize::try_from(file.bytes).unwrap_or_default());
        while let Some(piece) = pieces.next().await {
            // A file that is deleted meanwhile breaks off; the caller may ask again and learns that it is gone.
            bytes.extend_from_slice(&piece.map_err(|error| StoreError::Unavailable(error.into()))?);
        }
        let mut data = format!("data:{};base64,", file.media_type);
        STANDARD.encode_string(&bytes, &mut data);
        Ok(Some(data))
    }
}

async fn find(files: &dyn Files, id: &str, name: &str) -> Result<Option<StoredFile>, StoreError> {
    let Some(id) = file_id(id) else {
        return Ok(None);
    };
    let file = files.find_file(id).await?;
    Ok(file.filter(|file| file.purpose == PURPOSE && file.name == name))
}

/// A path as the log may have it: of an upload's without what follows, since whoever knows that may read it.
pub fn loggable(path: &str) -> &str {
    if path.starts_with(FOLDER) {
        FOLDER
    } else {
        path
    }
}

/// An id in its one spelling.
fn file_id(text: &str) -> Option<FileId> {
    let id = Uuid::try_parse(text).ok()?;
    (id.hyphenated().to_string() == text).then(|| FileId::new(id))
}

/// Id and name in an address that ends as those of uploads do.
fn place(url: &str) -> Option<(String, String)> {
    let url = Url::parse(url).ok()?;
    if !matches!(url.scheme(), "http" | "https") {
        return None;
    }
    let (_prefix, rest) = url.path().rsplit_once(FOLDER)?;
    let (id, name) = rest.split_once('/')?;
    (!name.contains('/')).then(|| (id.to_owned(), name.to_owned()))
}

#[cfg(test)]
mod tests;

use mongodb::bson::{
    Binary, DateTime, Document, Uuid, oid::ObjectId, serialize_to_document, spec::BinarySubtype,
};
use records::{FileId, NewFile, StoredFile};
use serde::{Deserialize, Serialize};

use crate::{
    error::Failure,
    layout::{Stored, StoredId, date, signed, unsigned},
};

/// How many bytes a chunk has, but a file's last: what `GridFS` has by default, so that a chunk's document takes no
/// more than the 256 KiB that it is given.
pub(super) const CHUNK_BYTES: u64 = 255 * 1024;

/// The record of an upload, in `skein_files.files`, as `GridFS` has it. Source of the format:
/// <https://github.com/mongodb/specifications/blob/master/source/gridfs/gridfs-spec.md>.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FileDocument {
    /// The upload's.
    #[serde(rename = "_id")]
    pub(super) id: Uuid,
    length: i64,
    #[serde(rename = "chunkSize")]
    chunk_size: i32,
    #[serde(rename = "uploadDate")]
    upload_date: DateTime,
    filename: String,
    metadata: Metadata,
}

/// What we keep with a file.
///
/// While it is not complete there are two more fields: `touched_at`, when its upload was last seen by the server's clock,
/// and `gone` from the moment on that it may never be complete.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Metadata {
    id: Uuid,
    owner: String,
    media_type: String,
    purpose: String,
    /// Empty until it is complete.
    sha256: Binary,
    complete: bool,
}

impl Stored for FileDocument {
    const COLLECTION: &'static str = "skein_files.files";
}

impl FileDocument {
    /// The record of an upload that begins.
    pub(super) fn begun(upload: Uuid, file: &NewFile) -> Self {
        Self {
            id: upload,
            length: 0,
            chunk_size: 255 * 1024,
            upload_date: date(file.at_ms),
            filename: file.name.clone(),
            metadata: Metadata {
                id: file.id.stored(),
                owner: file.owner.to_string(),
                media_type: file.media_type.clone(),
                purpose: file.purpose.clone(),
                sha256: generic(Vec::new()),
                complete: false,
            },
        }
    }

    /// Its fields but the `_id`, each of the metadata by itself, so that the server can add its clock's time to them.
    pub(super) fn fields(&self) -> Result<Document, Failure> {
        let mut fields = serialize_to_document(self).map_err(Failure::corrupt("file"))?;
        fields.remove("_id");
        fields.remove("metadata");
        let metadata = serialize_to_document(&self.metadata).map_err(Failure::corrupt("file"))?;
        for (name, value) in metadata {
            fields.insert(format!("metadata.{name}"), value);
        }
        Ok(fields)
    }

    /// The same with all its bytes.
    pub(super) fn completed(mut self, length: u64, sha256: &[u8]) -> Self {
        self.length = signed(length);
        self.metadata.sha256 = generic(sha256.to_vec());
        self.metadata.complete = true;
        self
    }

    /// How many bytes it has.
    pub(super) fn length(&self) -> Result<u64, Failure> {
        if u64::try_from(self.chunk_size) == Ok(CHUNK_BYTES) {
            unsigned(self.length)
        } else {
            Err(Failure::corrupt("file")("its chunks are not of our size"))
        }
    }

    /// The hash as it is stored.
    pub(super) fn sha256(&self) -> &Binary {
        &self.metadata.sha256
    }

    /// What it says.
    pub(super) fn read(self) -> Result<StoredFile, Failure> {
        let bytes = self.length()?;
        let metadata = self.metadata;
        Ok(StoredFile {
            id: FileId::from_stored(metadata.id),
            owner: metadata.owner.parse().map_err(Failure::corrupt("owner"))?,
            name: self.filename,
            media_type: metadata.media_type,
            purpose: metadata.purpose,
            bytes,
            sha256: metadata
                .sha256
                .bytes
                .try_into()
                .map_err(|_bytes| Failure::corrupt("file")("its hash has another length"))?,
            created_at_ms: self.upload_date.timestamp_millis(),
        })
    }
}

/// A chunk, in `skein_files.chunks`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ChunkDocument {
    #[serde(rename = "_id")]
    id: ObjectId,
    files_id: Uuid,
    n: i32,
    data: Binary,
}

impl Stored for ChunkDocument {
    const COLLECTION: &'static str = "skein_files.chunks";
}

impl ChunkDocument {
    /// The chunk of an upload with this number, from 0.
    pub(super) fn new(upload: Uuid, number: i32, bytes: &[u8]) -> Self {
        Self {
            id: ObjectId::new(),
            files_id: upload,
            n: number,
            data: generic(bytes.to_vec()),
        }
    }

    /// Its bytes.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.data.bytes
    }
}

fn generic(bytes: Vec<u8>) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes,
    }
}

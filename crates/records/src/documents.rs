use async_trait::async_trait;
use chat_core::{access::Owner, id::UserId};
use uuid::Uuid;

use crate::StoreError;

/// Documents that people and models write together, kept with every version, and suggestions to them.
#[async_trait]
pub trait Documents: Send + Sync {
    /// Stores a version unless the document has one of this time, and says whether it did.
    ///
    /// The first version makes the document and its owner; one by another owner is not stored.
    async fn insert_version(&self, version: DocumentVersion) -> Result<bool, StoreError>;

    /// Adds a version, of a new document if there is none of this id.
    ///
    /// Its time is `at_ms`, or one millisecond after the newest version's where that is not earlier. A document of another owner
    /// is [`AddVersion::Foreign`] and stays as it is. When callers race, each adds a version of its own time.
    async fn add_version(&self, version: NewVersion) -> Result<AddVersion, StoreError>;

    /// Puts title, kind and content in place of the newest version's, at that version's time, which its suggestions keep; the
    /// same as [`Documents::add_version`] when there is no version.
    async fn amend_version(&self, version: NewVersion) -> Result<AddVersion, StoreError>;

    /// The newest version of a document, or `None` when there is no such document.
    async fn newest_version(&self, id: DocumentId) -> Result<Option<DocumentVersion>, StoreError>;

    /// Deletes this owner's versions that are newer than this time, with the suggestions to them, and gives them oldest first.
    ///
    /// None, and no change, when there are none or the document is another's.
    async fn delete_versions_after(
        &self,
        id: DocumentId,
        owner: &Owner,
        after_ms: i64,
    ) -> Result<Vec<DocumentVersion>, StoreError>;

    /// All versions of a document, oldest first; none when there is no such document.
    async fn list_versions(&self, id: DocumentId) -> Result<Vec<DocumentVersion>, StoreError>;

    /// The oldest version of a document that is newer than this time, or of all; `None` when there is none. A walk over many
    /// large versions holds one of them at a time.
    async fn next_version(
        &self,
        id: DocumentId,
        after_ms: Option<i64>,
    ) -> Result<Option<DocumentVersion>, StoreError>;

    /// Stores a suggestion unless one with its id is there, and says whether it did. One for a version that is not there
    /// is not stored.
    async fn insert_suggestion(&self, suggestion: Suggestion) -> Result<bool, StoreError>;

    /// The suggestions to all versions of a document, oldest first (ties by id).
    async fn list_suggestions(&self, document: DocumentId) -> Result<Vec<Suggestion>, StoreError>;

    /// The ids of documents in ascending order, those after `after`, at most `limit`: of one owner, or of all.
    async fn list_documents(
        &self,
        owner: Option<&Owner>,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<DocumentId>, StoreError>;
}

/// A document's id: random, since a document can be reached by its id alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentId(pub Uuid);

/// One version of a document. Versions are told apart by their time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentVersion {
    /// The document.
    pub document: DocumentId,
    /// When it was written, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// Who owns the document.
    pub owner: Owner,
    /// The title.
    pub title: String,
    /// What sort of document.
    pub kind: DocumentKind,
    /// The whole text; an image is its base64.
    pub content: String,
}

/// A version to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The document.
    pub document: DocumentId,
    /// Who owns it, or is to own it.
    pub owner: Owner,
    /// The title.
    pub title: String,
    /// What sort of document.
    pub kind: DocumentKind,
    /// The whole text; an image is its base64.
    pub content: String,
    /// The time, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// What became of a version that was to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddVersion {
    /// It is stored, with this time.
    Stored(DocumentVersion),
    /// The document is another's; nothing was changed.
    Foreign,
}

/// What sort of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DocumentKind {
    /// Prose.
    Text,
    /// A program.
    Code,
    /// A picture.
    Image,
    /// A table, as CSV.
    Sheet,
}

impl DocumentKind {
    /// The name it is stored under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Code => "code",
            Self::Image => "image",
            Self::Sheet => "sheet",
        }
    }

    /// Reads a stored name; `None` for an unknown one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Text, Self::Code, Self::Image, Self::Sheet]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// A proposed change to one version of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Its id.
    pub id: Uuid,
    /// The document.
    pub document: DocumentId,
    /// Which version: its time, in milliseconds since the Unix epoch.
    pub version_at_ms: i64,
    /// The words to replace.
    pub original: String,
    /// The words to put there.
    pub suggested: String,
    /// Why.
    pub description: Option<String>,
    /// Whether it was dealt with.
    pub resolved: bool,
    /// Who it was made for.
    pub user: UserId,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
}

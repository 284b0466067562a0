use records::{DocumentKind, DocumentVersion};
use serde::Serialize;
use utoipa::ToSchema;

use super::{owner_id, timestamp};

/// One version of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DocumentRow {
    /// The document's id, the same in all versions.
    #[schema(format = Uuid)]
    pub id: String,
    /// When the version was written; no other version of the document has the same time.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Its title.
    pub title: String,
    /// The whole text; of an image, its base64.
    pub content: String,
    /// What sort of document.
    pub kind: DocumentKindName,
    /// Its owner; `null` for one that belongs to no user.
    #[schema(format = Uuid)]
    pub user_id: Option<String>,
}

impl DocumentRow {
    /// The row of this version.
    pub fn new(version: DocumentVersion) -> Self {
        Self {
            id: version.document.0.hyphenated().to_string(),
            created_at: timestamp(version.created_at_ms),
            title: version.title,
            content: version.content,
            kind: version.kind.into(),
            user_id: owner_id(&version.owner),
        }
    }
}

/// What sort of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DocumentKindName {
    /// Prose.
    Text,
    /// A program.
    Code,
    /// A picture, as base64.
    Image,
    /// A table, as CSV.
    Sheet,
}

impl From<DocumentKind> for DocumentKindName {
    fn from(kind: DocumentKind) -> Self {
        match kind {
            DocumentKind::Text => Self::Text,
            DocumentKind::Code => Self::Code,
            DocumentKind::Image => Self::Image,
            DocumentKind::Sheet => Self::Sheet,
        }
    }
}

use records::Suggestion;
use serde::Serialize;
use utoipa::ToSchema;

use super::timestamp;

/// A proposed change to one version of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SuggestionRow {
    /// Its id.
    #[schema(format = Uuid)]
    pub id: String,
    /// The document.
    #[schema(format = Uuid)]
    pub document_id: String,
    /// The time of the version that it was made for.
    #[schema(format = DateTime)]
    pub document_created_at: String,
    /// The words to replace.
    pub original_text: String,
    /// The words to put there.
    pub suggested_text: String,
    /// Why; `null` when nothing was said. The key is always there, as in the frontend's own row.
    pub description: Option<String>,
    /// Whether it was dealt with.
    pub is_resolved: bool,
    /// Who it was made for.
    #[schema(format = Uuid)]
    pub user_id: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub created_at: String,
}

impl SuggestionRow {
    /// The row of this suggestion.
    pub fn new(suggestion: Suggestion) -> Self {
        Self {
            id: suggestion.id.hyphenated().to_string(),
            document_id: suggestion.document.0.hyphenated().to_string(),
            document_created_at: timestamp(suggestion.version_at_ms),
            original_text: suggestion.original,
            suggested_text: suggestion.suggested,
            description: suggestion.description,
            is_resolved: suggestion.resolved,
            user_id: suggestion.user.to_string(),
            created_at: timestamp(suggestion.created_at_ms),
        }
    }
}

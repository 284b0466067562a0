//! Documents that people and models write together: private to their owner, kept with every version.

use std::{collections::VecDeque, sync::Arc};

use chat_core::{
    access::{Action, Owner, Visibility, allowed},
    ports::{Clock, StoreError},
};
use records::{
    AddVersion, DocumentId, DocumentKind, DocumentVersion, Documents, NewVersion, Suggestion,
};

/// The newest so many versions are listed.
const MOST_VERSIONS: usize = 1_000;
/// And so many bytes of them, about; the newest is always among them.
const MOST_BYTES: usize = 32 * 1024 * 1024;
/// The newest so many suggestions are listed.
const MOST_SUGGESTIONS: usize = 1_000;

/// The use cases of documents. Who may do what is decided in one place here.
pub struct Library {
    documents: Arc<dyn Documents>,
    clock: Arc<dyn Clock>,
}

/// What someone saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The document, or what is to be one.
    pub document: DocumentId,
    /// The title.
    pub title: String,
    /// What sort of document.
    pub kind: DocumentKind,
    /// The whole text; of an image, its base64.
    pub content: String,
    /// Whether it takes the place of the newest version.
    pub amends: bool,
}

/// Why nothing is read or changed.
#[derive(Debug, thiserror::Error)]
pub enum NoDocument {
    /// There is no such document.
    #[error("there is no such document")]
    NotFound,
    /// It is another's.
    #[error("the document is another's")]
    Forbidden,
    /// The store failed.
    #[error("the document cannot be reached")]
    Store(#[from] StoreError),
}

impl Library {
    /// The documents of this store, dated by this clock.
    pub const fn new(documents: Arc<dyn Documents>, clock: Arc<dyn Clock>) -> Self {
        Self { documents, clock }
    }

    /// The versions of a document, oldest first: all of them, or of a long history the newest 1,000 or about 32 MiB.
    pub async fn versions(
        &self,
        caller: &Owner,
        id: DocumentId,
    ) -> Result<Vec<DocumentVersion>, NoDocument> {
        self.checked(caller, id, Action::Read).await?;
        let mut newest = VecDeque::new();
        let mut bytes = 0;
        let mut after = None;
        // One at a time: a history may be larger than what is kept of it here.
        while let Some(version) = self.documents.next_version(id, after).await? {
            after = Some(version.created_at_ms);
            bytes += version.content.len();
            newest.push_back(version);
            while newest.len() > MOST_VERSIONS || newest.len() > 1 && bytes > MOST_BYTES {
                bytes -= newest
                    .pop_front()
                    .map_or(0, |version: DocumentVersion| version.content.len());
            }
        }
        if newest.is_empty() {
            // All versions went between the two calls.
            return Err(NoDocument::NotFound);
        }
        Ok(newest.into())
    }

    /// Stores a new version, of a new document if there is none of this id, or changes the newest one in place. Gives the
    /// version as it is stored.
    pub async fn save(&self, caller: &Owner, draft: Draft) -> Result<DocumentVersion, NoDocument> {
        match self.checked(caller, draft.document, Action::Write).await {
            Ok(()) | Err(NoDocument::NotFound) => {}
            Err(error) => return Err(error),
        }
        let version = NewVersion {
            document: draft.document,
            owner: caller.clone(),
            title: draft.title,
            kind: draft.kind,
            content: draft.content,
            at_ms: self.clock.now_ms(),
        };
        let added = if draft.amends {
            self.documents.amend_version(version).await?
        } else {
            self.documents.add_version(version).await?
        };
        match added {
            AddVersion::Stored(version) => Ok(version),
            // Another was faster with the same id.
            AddVersion::Foreign => Err(NoDocument::Forbidden),
        }
    }

    /// Deletes the versions that are newer than this time, with the suggestions to them, and gives them oldest first.
    pub async fn delete_after(
        &self,
        caller: &Owner,
        id: DocumentId,
        after_ms: i64,
    ) -> Result<Vec<DocumentVersion>, NoDocument> {
        self.checked(caller, id, Action::Write).await?;
        let deleted = self.documents.delete_versions_after(id, caller, after_ms);
        Ok(deleted.await?)
    }

    /// The suggestions to a document, oldest first, the newest 1,000 of them; none for a document that is not there.
    pub async fn suggestions(
        &self,
        caller: &Owner,
        id: DocumentId,
    ) -> Result<Vec<Suggestion>, NoDocument> {
        match self.checked(caller, id, Action::Read).await {
            Ok(()) => {}
            Err(NoDocument::NotFound) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        }
        let mut suggestions = self.documents.list_suggestions(id).await?;
        let surplus = suggestions.len().saturating_sub(MOST_SUGGESTIONS);
        suggestions.drain(..surplus);
        Ok(suggestions)
    }

    /// Whether the caller may do that. A document is its owner's alone, and its first version made the owner.
    async fn checked(
        &self,
        caller: &Owner,
        id: DocumentId,
        action: Action,
    ) -> Result<(), NoDocument> {
        let newest = self.documents.newest_version(id).await?;
        let newest = newest.ok_or(NoDocument::NotFound)?;
        if allowed(caller, &newest.owner, Visibility::Private, action) {
            Ok(())
        } else {
            Err(NoDocument::Forbidden)
        }
    }
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

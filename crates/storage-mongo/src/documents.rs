use async_trait::async_trait;
use chat_core::{
    access::{InvalidOwner, Owner},
    id::UserId,
};
use mongodb::bson::{DateTime, Document, Uuid, doc};
use records::{
    AddVersion, DocumentId, DocumentKind, DocumentVersion, Documents, NewVersion, StoreError,
    Suggestion,
};
use serde::{Deserialize, Serialize};

use crate::{
    MongoStore,
    blocking::{LONG, aside},
    error::Failure,
    layout::{Stored, StoredId, StoredText, date, named},
    transaction::Tx,
};

mod versions;

/// A document's owner, in `skein_documents`: made with its first version, so that owners who race for it meet.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DocumentDocument {
    #[serde(rename = "_id")]
    id: Uuid,
    owner: String,
    /// How often something was written that belongs to it and stands elsewhere, so that such writes that race are noticed.
    #[serde(default)]
    writes: i64,
}

/// A version of a document, in `skein_document_versions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct VersionDocument {
    document: Uuid,
    created_at: DateTime,
    owner: String,
    title: String,
    kind: String,
    content: StoredText,
}

/// A suggestion, in `skein_suggestions`.
#[derive(Debug, Serialize, Deserialize)]
struct SuggestionDocument {
    #[serde(rename = "_id")]
    id: Uuid,
    document: Uuid,
    version_at: DateTime,
    original: String,
    suggested: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    resolved: bool,
    user: Uuid,
    created_at: DateTime,
}

impl Stored for DocumentDocument {
    const COLLECTION: &'static str = "skein_documents";
}

impl Stored for VersionDocument {
    const COLLECTION: &'static str = "skein_document_versions";
}

impl Stored for SuggestionDocument {
    const COLLECTION: &'static str = "skein_suggestions";
}

impl StoredId for DocumentId {
    fn stored(self) -> Uuid {
        Uuid::from_bytes(self.0.into_bytes())
    }

    fn from_stored(uuid: Uuid) -> Self {
        Self(uuid::Uuid::from_bytes(uuid.bytes()))
    }
}

impl VersionDocument {
    async fn new(version: DocumentVersion) -> Result<Self, Failure> {
        aside(version.content.len() >= LONG, move || {
            Ok(Self {
                document: version.document.stored(),
                created_at: date(version.created_at_ms),
                owner: version.owner.to_string(),
                title: version.title,
                kind: version.kind.as_str().to_owned(),
                content: StoredText::of("document", &version.content)?,
            })
        })
        .await
    }

    fn read(self) -> Result<DocumentVersion, Failure> {
        Ok(DocumentVersion {
            document: DocumentId::from_stored(self.document),
            created_at_ms: self.created_at.timestamp_millis(),
            owner: self
                .owner
                .parse()
                .map_err(Failure::corrupt::<InvalidOwner>("owner"))?,
            title: self.title,
            kind: named(
                "document's kind",
                &self.kind,
                DocumentKind::from_name(&self.kind),
            )?,
            content: self.content.read("document")?,
        })
    }
}

impl SuggestionDocument {
    fn new(suggestion: Suggestion) -> Self {
        Self {
            id: Uuid::from_bytes(suggestion.id.into_bytes()),
            document: suggestion.document.stored(),
            version_at: date(suggestion.version_at_ms),
            original: suggestion.original,
            suggested: suggestion.suggested,
            description: suggestion.description,
            resolved: suggestion.resolved,
            user: suggestion.user.stored(),
            created_at: date(suggestion.created_at_ms),
        }
    }

    fn read(self) -> Suggestion {
        Suggestion {
            id: uuid::Uuid::from_bytes(self.id.bytes()),
            document: DocumentId::from_stored(self.document),
            version_at_ms: self.version_at.timestamp_millis(),
            original: self.original,
            suggested: self.suggested,
            description: self.description,
            resolved: self.resolved,
            user: UserId::from_stored(self.user),
            created_at_ms: self.created_at.timestamp_millis(),
        }
    }
}

#[async_trait]
impl Documents for MongoStore {
    async fn insert_version(&self, version: DocumentVersion) -> Result<bool, StoreError> {
        let version = &VersionDocument::new(version).await?;
        let stored = self
            .transact(|mut tx| async move {
                let stored = insert_version(self, &mut tx, version).await;
                (tx, stored)
            })
            .await?;
        Ok(stored)
    }

    async fn add_version(&self, version: NewVersion) -> Result<AddVersion, StoreError> {
        Ok(self.write_version(version, versions::Write::Add).await?)
    }

    async fn amend_version(&self, version: NewVersion) -> Result<AddVersion, StoreError> {
        Ok(self.write_version(version, versions::Write::Amend).await?)
    }

    async fn newest_version(&self, id: DocumentId) -> Result<Option<DocumentVersion>, StoreError> {
        let found = self
            .retried(|| async {
                let all = self.all::<VersionDocument>();
                let newest = all
                    .find_one(doc! {"document": id.stored()})
                    .sort(doc! {"created_at": -1});
                Ok(newest.await?)
            })
            .await?;
        let Some(found) = found else {
            return Ok(None);
        };
        let version = aside(found.content.is_long(), move || found.read()).await?;
        Ok(Some(version))
    }

    async fn delete_versions_after(
        &self,
        id: DocumentId,
        owner: &Owner,
        after_ms: i64,
    ) -> Result<Vec<DocumentVersion>, StoreError> {
        let deleted = self
            .delete_versions(id.stored(), &owner.to_string(), date(after_ms))
            .await?;
        let is_long = deleted.iter().any(|version| version.content.is_long());
        let versions = aside(is_long, move || {
            deleted.into_iter().map(VersionDocument::read).collect()
        })
        .await?;
        Ok(versions)
    }

    async fn list_versions(&self, id: DocumentId) -> Result<Vec<DocumentVersion>, StoreError> {
        let found = self
            .retried(|| async {
                let all = self.all::<VersionDocument>();
                let versions = all
                    .find(doc! {"document": id.stored()})
                    .sort(doc! {"created_at": 1});
                self.read_all(versions).await
            })
            .await?;
        let is_long = found.iter().any(|version| version.content.is_long());
        let versions = aside(is_long, move || {
            found.into_iter().map(VersionDocument::read).collect()
        })
        .await?;
        Ok(versions)
    }

    async fn next_version(
        &self,
        id: DocumentId,
        after_ms: Option<i64>,
    ) -> Result<Option<DocumentVersion>, StoreError> {
        let mut filter = doc! {"document": id.stored()};
        if let Some(after_ms) = after_ms {
            filter.insert("created_at", doc! {"$gt": date(after_ms)});
        }
        let found = self
            .retried(|| async {
                let all = self.all::<VersionDocument>();
                let versions = all
                    .find(filter.clone())
                    .sort(doc! {"created_at": 1})
                    .limit(1);
                self.read_all(versions).await
            })
            .await?;
        let Some(found) = found.into_iter().next() else {
            return Ok(None);
        };
        let version = aside(found.content.is_long(), move || found.read()).await?;
        Ok(Some(version))
    }

    async fn insert_suggestion(&self, suggestion: Suggestion) -> Result<bool, StoreError> {
        let suggestion = &SuggestionDocument::new(suggestion);
        let stored = self
            .transact(|mut tx| async move {
                let stored = insert_suggestion(self, &mut tx, suggestion).await;
                (tx, stored)
            })
            .await?;
        Ok(stored)
    }

    async fn list_suggestions(&self, document: DocumentId) -> Result<Vec<Suggestion>, StoreError> {
        let found = self
            .retried(|| async {
                let all = self.all::<SuggestionDocument>();
                let suggestions = all
                    .find(doc! {"document": document.stored()})
                    .sort(doc! {"created_at": 1, "_id": 1});
                self.read_all(suggestions).await
            })
            .await?;
        Ok(found.into_iter().map(SuggestionDocument::read).collect())
    }

    async fn list_documents(
        &self,
        owner: Option<&Owner>,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<DocumentId>, StoreError> {
        if limit == 0 {
            // To the server it would mean all.
            return Ok(Vec::new());
        }
        let mut filter = Document::new();
        if let Some(owner) = owner {
            filter.insert("owner", owner.to_string());
        }
        if let Some(after) = after {
            filter.insert("_id", doc! {"$gt": after.stored()});
        }
        let found = self
            .retried(|| async {
                let all = self.all::<DocumentDocument>();
                let page = all
                    .find(filter.clone())
                    .sort(doc! {"_id": 1})
                    .limit(i64::from(limit));
                self.read_all(page).await
            })
            .await?;
        Ok(found
            .into_iter()
            .map(|document| DocumentId::from_stored(document.id))
            .collect())
    }
}

async fn insert_version(
    store: &MongoStore,
    tx: &mut Tx,
    version: &VersionDocument,
) -> Result<bool, Failure> {
    let documents = store.all::<DocumentDocument>();
    let document = documents
        .find_one(doc! {"_id": version.document})
        .session(&mut tx.session)
        .await?;
    match document {
        Some(document) if document.owner != version.owner => return Ok(false),
        Some(_) => {
            if has_version(store, tx, version.document, version.created_at).await? {
                return Ok(false);
            }
        }
        None => {
            let document = DocumentDocument {
                id: version.document,
                owner: version.owner.clone(),
                writes: 0,
            };
            documents
                .insert_one(document)
                .session(&mut tx.session)
                .await?;
        }
    }
    store
        .all::<VersionDocument>()
        .insert_one(version)
        .session(&mut tx.session)
        .await?;
    Ok(true)
}

async fn insert_suggestion(
    store: &MongoStore,
    tx: &mut Tx,
    suggestion: &SuggestionDocument,
) -> Result<bool, Failure> {
    let all = store.all::<SuggestionDocument>();
    let found = all
        .find_one(doc! {"_id": suggestion.id})
        .session(&mut tx.session)
        .await?;
    if found.is_some()
        || !has_version(store, tx, suggestion.document, suggestion.version_at).await?
    {
        return Ok(false);
    }
    // A deletion of the version that races this writes the document, too.
    touch(store, tx, suggestion.document).await?;
    all.insert_one(suggestion).session(&mut tx.session).await?;
    Ok(true)
}

async fn has_version(
    store: &MongoStore,
    tx: &mut Tx,
    document: Uuid,
    at: DateTime,
) -> Result<bool, Failure> {
    let found = store
        .part::<VersionDocument, Document>()
        .find_one(doc! {"document": document, "created_at": at})
        .projection(doc! {"_id": 1})
        .session(&mut tx.session)
        .await?;
    Ok(found.is_some())
}

/// Writes to a document, so that what races the transaction there is a conflict.
async fn touch(store: &MongoStore, tx: &mut Tx, document: Uuid) -> Result<(), Failure> {
    store
        .all::<DocumentDocument>()
        .update_one(doc! {"_id": document}, doc! {"$inc": {"writes": 1_i64}})
        .session(&mut tx.session)
        .await?;
    Ok(())
}

//! Versions that are given their time here, and their deletion.

use std::sync::{Mutex, PoisonError};

use mongodb::bson::{DateTime, Uuid, doc, serialize_to_bson};
use records::{AddVersion, DocumentVersion, NewVersion};
use serde::Deserialize;

use super::{DocumentDocument, SuggestionDocument, VersionDocument, touch};
use crate::{MongoStore, error::Failure, layout::date, transaction::Tx};

/// How a version is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Write {
    /// As one more.
    Add,
    /// In place of the newest one, if there is one.
    Amend,
}

/// What an earlier run of a transaction did, which may have been committed without our knowing.
type Before<T> = Mutex<Option<T>>;

impl MongoStore {
    pub(super) async fn write_version(
        &self,
        version: NewVersion,
        write: Write,
    ) -> Result<AddVersion, Failure> {
        let mut version = DocumentVersion {
            document: version.document,
            created_at_ms: version.at_ms,
            owner: version.owner,
            title: version.title,
            kind: version.kind,
            content: version.content,
        };
        let stored = &VersionDocument::new(version.clone()).await?;
        let before = &Before::default();
        let written = self
            .transact(|mut tx| async move {
                let written = write_version(self, &mut tx, stored, write, before).await;
                (tx, written)
            })
            .await?;
        let Some(at) = written else {
            return Ok(AddVersion::Foreign);
        };
        version.created_at_ms = at.timestamp_millis();
        Ok(AddVersion::Stored(version))
    }

    /// Deletes this owner's versions that are newer than this time, with the suggestions to them, and gives them oldest first.
    pub(super) async fn delete_versions(
        &self,
        document: Uuid,
        owner: &str,
        after: DateTime,
    ) -> Result<Vec<VersionDocument>, Failure> {
        let before = &Before::default();
        self.transact(|mut tx| async move {
            let deleted = delete_versions(self, &mut tx, document, owner, after, before).await;
            (tx, deleted)
        })
        .await
    }
}

/// Writes a version and gives its time; `None` when the document is another's.
async fn write_version(
    store: &MongoStore,
    tx: &mut Tx,
    version: &VersionDocument,
    write: Write,
    before: &Before<DateTime>,
) -> Result<Option<DateTime>, Failure> {
    let documents = store.all::<DocumentDocument>();
    let document = documents
        .find_one(doc! {"_id": version.document})
        .session(&mut tx.session)
        .await?;
    if document
        .as_ref()
        .is_some_and(|document| document.owner != version.owner)
    {
        return Ok(None);
    }
    let versions = store.all::<VersionDocument>();
    let remembered = || before.lock().unwrap_or_else(PoisonError::into_inner);
    let earlier = remembered().filter(|_| tx.may_be_done && write == Write::Add);
    if let Some(at) = earlier {
        let found = versions
            .find_one(doc! {"document": version.document, "created_at": at})
            .session(&mut tx.session)
            .await?;
        let is_ours = found.is_some_and(|found| {
            found.title == version.title
                && found.kind == version.kind
                && found.content == version.content
        });
        if is_ours {
            return Ok(Some(at));
        }
    }
    // Those that race for the next time, or for the newest version, meet in the document.
    if document.is_some() {
        touch(store, tx, version.document).await?;
    } else {
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
    let newest = newest_time(store, tx, version.document).await?;
    let at = match newest {
        Some(newest) if write == Write::Amend => {
            let content = serialize_to_bson(&version.content);
            let amended = doc! {"$set": {
                "title": &version.title,
                "kind": &version.kind,
                "content": content.map_err(Failure::corrupt("document"))?,
            }};
            versions
                .update_one(
                    doc! {"document": version.document, "created_at": newest},
                    amended,
                )
                .session(&mut tx.session)
                .await?;
            return Ok(Some(newest));
        }
        Some(newest) if newest >= version.created_at => {
            date(newest.timestamp_millis().saturating_add(1))
        }
        Some(_) | None => version.created_at,
    };
    let mut version = version.clone();
    version.created_at = at;
    versions
        .insert_one(version)
        .session(&mut tx.session)
        .await?;
    *remembered() = Some(at);
    Ok(Some(at))
}

async fn newest_time(
    store: &MongoStore,
    tx: &mut Tx,
    document: Uuid,
) -> Result<Option<DateTime>, Failure> {
    #[derive(Deserialize)]
    struct Version {
        created_at: DateTime,
    }
    let newest = store
        .part::<VersionDocument, Version>()
        .find_one(doc! {"document": document})
        .sort(doc! {"created_at": -1})
        .projection(doc! {"created_at": 1})
        .session(&mut tx.session)
        .await?;
    Ok(newest.map(|newest| newest.created_at))
}

async fn delete_versions(
    store: &MongoStore,
    tx: &mut Tx,
    document: Uuid,
    owner: &str,
    after: DateTime,
    before: &Before<Vec<VersionDocument>>,
) -> Result<Vec<VersionDocument>, Failure> {
    let remembered = || before.lock().unwrap_or_else(PoisonError::into_inner);
    let documents = store.all::<DocumentDocument>();
    let owned = documents
        .find_one(doc! {"_id": document, "owner": owner})
        .session(&mut tx.session)
        .await?;
    let newer = doc! {"document": document, "created_at": {"$gt": after}};
    let versions = store.all::<VersionDocument>();
    let found = match owned {
        Some(_) => {
            let newer = versions.find(newer.clone()).sort(doc! {"created_at": 1});
            tx.read_all(newer).await?
        }
        None => Vec::new(),
    };
    if found.is_empty() {
        let deleted = remembered().take().filter(|_| tx.may_be_done);
        return Ok(deleted.unwrap_or_default());
    }
    versions.delete_many(newer).session(&mut tx.session).await?;
    store
        .all::<SuggestionDocument>()
        .delete_many(doc! {"document": document, "version_at": {"$gt": after}})
        .session(&mut tx.session)
        .await?;
    if newest_time(store, tx, document).await?.is_some() {
        touch(store, tx, document).await?;
    } else {
        // Without a version it is nobody's.
        documents
            .delete_one(doc! {"_id": document})
            .session(&mut tx.session)
            .await?;
    }
    *remembered() = Some(found.clone());
    Ok(found)
}

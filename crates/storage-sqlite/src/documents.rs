use async_trait::async_trait;
use chat_core::access::Owner;
use records::{
    AddVersion, DocumentId, DocumentKind, DocumentVersion, Documents, NewVersion, StoreError,
    Suggestion,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    SqliteStore,
    error::Failure,
    rows::{self, StoredId as _},
};

#[async_trait]
impl Documents for SqliteStore {
    async fn insert_version(&self, version: DocumentVersion) -> Result<bool, StoreError> {
        self.write(move |writing| insert_version(writing.connection, &version))
            .await
    }

    async fn add_version(&self, version: NewVersion) -> Result<AddVersion, StoreError> {
        self.write(move |writing| add_version(writing.connection, version, Onto::Next))
            .await
    }

    async fn amend_version(&self, version: NewVersion) -> Result<AddVersion, StoreError> {
        self.write(move |writing| add_version(writing.connection, version, Onto::Newest))
            .await
    }

    async fn newest_version(&self, id: DocumentId) -> Result<Option<DocumentVersion>, StoreError> {
        self.query(move |connection| {
            connection
                .prepare_cached(
                    "SELECT document, created_at, owner, title, kind, content FROM document_version
                     WHERE document = ?1 ORDER BY created_at DESC LIMIT 1",
                )?
                .query_and_then([id.bytes()], version)?
                .next()
                .transpose()
        })
        .await
    }

    async fn delete_versions_after(
        &self,
        id: DocumentId,
        owner: &Owner,
        after_ms: i64,
    ) -> Result<Vec<DocumentVersion>, StoreError> {
        let owner = owner.to_string();
        self.write(move |writing| delete_after(writing.connection, id, &owner, after_ms))
            .await
    }

    async fn list_versions(&self, id: DocumentId) -> Result<Vec<DocumentVersion>, StoreError> {
        self.query(move |connection| {
            connection
                .prepare_cached(
                    "SELECT document, created_at, owner, title, kind, content FROM document_version
                     WHERE document = ?1 ORDER BY created_at",
                )?
                .query_and_then([id.bytes()], version)?
                .collect()
        })
        .await
    }

    async fn next_version(
        &self,
        id: DocumentId,
        after_ms: Option<i64>,
    ) -> Result<Option<DocumentVersion>, StoreError> {
        self.query(move |connection| {
            connection
                .prepare_cached(
                    "SELECT document, created_at, owner, title, kind, content FROM document_version
                     WHERE document = ?1 AND (?2 IS NULL OR created_at > ?2) ORDER BY created_at LIMIT 1",
                )?
                .query_and_then(params![id.bytes(), after_ms], version)?
                .next()
                .transpose()
        })
        .await
    }

    async fn insert_suggestion(&self, suggestion: Suggestion) -> Result<bool, StoreError> {
        self.write(move |writing| insert_suggestion(writing.connection, &suggestion))
            .await
    }

    async fn list_suggestions(&self, document: DocumentId) -> Result<Vec<Suggestion>, StoreError> {
        self.query(move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, document, version_at, original, suggested, description, resolved, user, created_at
                     FROM suggestion WHERE document = ?1 ORDER BY created_at, id",
                )?
                .query_and_then([document.bytes()], suggestion)?
                .collect()
        })
        .await
    }

    async fn list_documents(
        &self,
        owner: Option<&Owner>,
        after: Option<DocumentId>,
        limit: u32,
    ) -> Result<Vec<DocumentId>, StoreError> {
        let owner = owner.map(Owner::to_string);
        let after = rows::after(after);
        self.query(move |connection| match owner {
            Some(owner) => connection
                .prepare_cached(
                    "SELECT DISTINCT document FROM document_version
                     WHERE owner = ?1 AND document > ?2 ORDER BY document LIMIT ?3",
                )?
                .query_and_then(params![owner, after, limit], |row| rows::id(row, 0))?
                .collect(),
            None => connection
                .prepare_cached(
                    "SELECT DISTINCT document FROM document_version
                     WHERE document > ?1 ORDER BY document LIMIT ?2",
                )?
                .query_and_then(params![after, limit], |row| rows::id(row, 0))?
                .collect(),
        })
        .await
    }
}

fn insert_version(connection: &Connection, version: &DocumentVersion) -> Result<bool, Failure> {
    let owner: Option<String> = connection
        .prepare_cached("SELECT owner FROM document_version WHERE document = ?1 LIMIT 1")?
        .query_row([version.document.bytes()], |row| row.get(0))
        .optional()?;
    let new_owner = version.owner.to_string();
    if owner.is_some_and(|owner| owner != new_owner) {
        return Ok(false);
    }
    let stored = connection
        .prepare_cached(
            "INSERT INTO document_version (document, created_at, owner, title, kind, content)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (document, created_at) DO NOTHING",
        )?
        .execute(params![
            version.document.bytes(),
            version.created_at_ms,
            new_owner,
            version.title,
            version.kind.as_str(),
            version.content,
        ])?;
    Ok(stored == 1)
}

/// Where a version goes.
#[derive(Clone, Copy)]
enum Onto {
    /// After the newest version.
    Next,
    /// In place of the newest version.
    Newest,
}

fn add_version(
    connection: &Connection,
    new: NewVersion,
    onto: Onto,
) -> Result<AddVersion, Failure> {
    let owner = new.owner.to_string();
    let newest: Option<(i64, String)> = connection
        .prepare_cached(
            "SELECT created_at, owner FROM document_version
             WHERE document = ?1 ORDER BY created_at DESC LIMIT 1",
        )?
        .query_row([new.document.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (created_at_ms, sql) = match newest {
        Some((_, holder)) if holder != owner => return Ok(AddVersion::Foreign),
        // The row stays, since its suggestions would go with it.
        Some((newest, _)) if matches!(onto, Onto::Newest) => (
            newest,
            "UPDATE document_version SET owner = ?3, title = ?4, kind = ?5, content = ?6
             WHERE document = ?1 AND created_at = ?2",
        ),
        newest => (
            newest.map_or(new.at_ms, |(newest, _)| {
                new.at_ms.max(newest.saturating_add(1))
            }),
            "INSERT INTO document_version (document, created_at, owner, title, kind, content)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        ),
    };
    connection.prepare_cached(sql)?.execute(params![
        new.document.bytes(),
        created_at_ms,
        owner,
        new.title,
        new.kind.as_str(),
        new.content,
    ])?;
    Ok(AddVersion::Stored(DocumentVersion {
        document: new.document,
        created_at_ms,
        owner: new.owner,
        title: new.title,
        kind: new.kind,
        content: new.content,
    }))
}

fn delete_after(
    connection: &Connection,
    id: DocumentId,
    owner: &str,
    after_ms: i64,
) -> Result<Vec<DocumentVersion>, Failure> {
    let deleted: Vec<_> = connection
        .prepare_cached(
            "SELECT document, created_at, owner, title, kind, content FROM document_version
             WHERE document = ?1 AND owner = ?2 AND created_at > ?3 ORDER BY created_at",
        )?
        .query_and_then(params![id.bytes(), owner, after_ms], version)?
        .collect::<Result<_, _>>()?;
    // Suggestions go with their version by their foreign key.
    connection
        .prepare_cached(
            "DELETE FROM document_version WHERE document = ?1 AND owner = ?2 AND created_at > ?3",
        )?
        .execute(params![id.bytes(), owner, after_ms])?;
    Ok(deleted)
}

fn insert_suggestion(connection: &Connection, suggestion: &Suggestion) -> Result<bool, Failure> {
    let has_version = connection
        .prepare_cached("SELECT 1 FROM document_version WHERE document = ?1 AND created_at = ?2")?
        .exists(params![
            suggestion.document.bytes(),
            suggestion.version_at_ms
        ])?;
    if !has_version {
        return Ok(false);
    }
    let stored = connection
        .prepare_cached(
            "INSERT INTO suggestion
                 (id, document, version_at, original, suggested, description, resolved, user, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            suggestion.id.bytes(),
            suggestion.document.bytes(),
            suggestion.version_at_ms,
            suggestion.original,
            suggestion.suggested,
            suggestion.description,
            suggestion.resolved,
            suggestion.user.bytes(),
            suggestion.created_at_ms,
        ])?;
    Ok(stored == 1)
}

fn version(row: &Row<'_>) -> Result<DocumentVersion, Failure> {
    let kind: String = row.get(4)?;
    Ok(DocumentVersion {
        document: rows::id(row, 0)?,
        created_at_ms: row.get(1)?,
        owner: rows::owner(row, 2)?,
        title: row.get(3)?,
        kind: rows::named("document's kind", &kind, DocumentKind::from_name(&kind))?,
        content: row.get(5)?,
    })
}

fn suggestion(row: &Row<'_>) -> Result<Suggestion, Failure> {
    Ok(Suggestion {
        id: rows::id(row, 0)?,
        document: rows::id(row, 1)?,
        version_at_ms: row.get(2)?,
        original: row.get(3)?,
        suggested: row.get(4)?,
        description: row.get(5)?,
        resolved: row.get(6)?,
        user: rows::id(row, 7)?,
        created_at_ms: row.get(8)?,
    })
}

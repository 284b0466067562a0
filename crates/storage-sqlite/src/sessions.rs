use async_trait::async_trait;
use chat_core::id::UserId;
use records::{NewSession, Put, Rotation, SessionId, SessionRecord, Sessions, StoreError};
use rusqlite::{Connection, params};

use crate::{
    SqliteStore,
    error::Failure,
    rows::{self, StoredId},
};

#[async_trait]
impl Sessions for SqliteStore {
    async fn insert_session(&self, session: NewSession) -> Result<(), StoreError> {
        self.write(move |writing| {
            writing
                .connection
                .prepare_cached(
                    "INSERT INTO session (id, user, token, created_at, expires_at)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    session.id.bytes(),
                    session.user.bytes(),
                    session.token,
                    session.at_ms,
                    session.expires_at_ms,
                ])?;
            Ok(())
        })
        .await
    }

    async fn find_session(&self, id: SessionId, at_ms: i64) -> Result<Option<UserId>, StoreError> {
        self.query(move |connection| {
            connection
                .prepare_cached("SELECT user FROM session WHERE id = ?1 AND expires_at >= ?2")?
                .query_and_then(params![id.bytes(), at_ms], |row| rows::id(row, 0))?
                .next()
                .transpose()
        })
        .await
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        presented: [u8; 32],
        next: [u8; 32],
        at_ms: i64,
        expires_at_ms: i64,
    ) -> Result<Rotation, StoreError> {
        self.write(move |writing| {
            rotate(
                writing.connection,
                id,
                presented,
                next,
                at_ms,
                expires_at_ms,
            )
        })
        .await
    }

    async fn end_session(&self, id: SessionId) -> Result<bool, StoreError> {
        self.write(move |writing| Ok(end(writing.connection, id)? == 1))
            .await
    }

    async fn end_sessions_of(&self, user: UserId) -> Result<u64, StoreError> {
        self.write(move |writing| {
            let ended = writing
                .connection
                .prepare_cached("DELETE FROM session WHERE user = ?1")?
                .execute([user.bytes()])?;
            Ok(rows::count(ended))
        })
        .await
    }

    async fn sweep_sessions(&self, at_ms: i64) -> Result<u64, StoreError> {
        self.write(move |writing| {
            let swept = writing
                .connection
                .prepare_cached("DELETE FROM session WHERE expires_at < ?1")?
                .execute([at_ms])?;
            Ok(rows::count(swept))
        })
        .await
    }
}

/// Stores a session as it is given, unless one of its id is there or its user is not.
pub(crate) fn put(connection: &Connection, session: &SessionRecord) -> Result<Put, Failure> {
    let known = connection
        .prepare_cached("SELECT 1 FROM session WHERE id = ?1")?
        .exists([session.id.bytes()])?;
    if known {
        return Ok(Put::Known);
    }
    let stored = connection
        .prepare_cached(
            "INSERT INTO session (id, user, token, created_at, expires_at)
             SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM user WHERE id = ?2)",
        )?
        .execute(params![
            session.id.bytes(),
            session.user.bytes(),
            session.token,
            session.created_at_ms,
            session.expires_at_ms,
        ])?;
    Ok(if stored == 1 { Put::New } else { Put::Orphan })
}

/// Sessions after this one by their ids, of one user or of all.
pub(crate) fn scan(
    connection: &Connection,
    user: Option<UserId>,
    after: Option<SessionId>,
    limit: u32,
) -> Result<Vec<SessionRecord>, Failure> {
    connection
        .prepare_cached(
            "SELECT id, user, token, created_at, expires_at FROM session
             WHERE (?1 IS NULL OR user = ?1) AND id > ?2 ORDER BY id LIMIT ?3",
        )?
        .query_and_then(
            params![user.map(StoredId::bytes), rows::after(after), limit],
            |row| {
                Ok(SessionRecord {
                    id: rows::id(row, 0)?,
                    user: rows::id(row, 1)?,
                    token: row.get(2)?,
                    created_at_ms: row.get(3)?,
                    expires_at_ms: row.get(4)?,
                })
            },
        )?
        .collect()
}

fn rotate(
    connection: &Connection,
    id: SessionId,
    presented: [u8; 32],
    next: [u8; 32],
    at_ms: i64,
    expires_at_ms: i64,
) -> Result<Rotation, Failure> {
    let found: Option<(UserId, [u8; 32])> = connection
        .prepare_cached("SELECT user, token FROM session WHERE id = ?1 AND expires_at >= ?2")?
        .query_and_then(params![id.bytes(), at_ms], |row| {
            Ok::<_, Failure>((rows::id(row, 0)?, row.get(1)?))
        })?
        .next()
        .transpose()?;
    let Some((user, current)) = found else {
        return Ok(Rotation::Unknown);
    };
    // Both are hashes of random tokens: how long the comparison takes tells nothing of a token.
    if presented != current {
        end(connection, id)?;
        return Ok(Rotation::Reused(user));
    }
    connection
        .prepare_cached("UPDATE session SET token = ?2, expires_at = ?3 WHERE id = ?1")?
        .execute(params![id.bytes(), next, expires_at_ms])?;
    Ok(Rotation::Rotated(user))
}

fn end(connection: &Connection, id: SessionId) -> Result<usize, Failure> {
    Ok(connection
        .prepare_cached("DELETE FROM session WHERE id = ?1")?
        .execute([id.bytes()])?)
}

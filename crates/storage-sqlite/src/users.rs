use async_trait::async_trait;
use chat_core::id::UserId;
use records::{
    NewUser, PasswordHash, Promotion, Secrets, StoreError, User, UserKind, UserRefusal, Users,
    email_key,
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    SqliteStore,
    error::Failure,
    rows::{self, StoredId as _},
};

#[async_trait]
impl Users for SqliteStore {
    async fn insert_user(&self, user: NewUser) -> Result<Result<User, UserRefusal>, StoreError> {
        self.write(move |writing| {
            let stored = writing
                .connection
                .prepare_cached(
                    "INSERT INTO user (id, email, email_key, kind, created_at, password)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (email_key) DO NOTHING",
                )?
                .execute(params![
                    user.id.bytes(),
                    user.email,
                    user.email_key,
                    user.kind.as_str(),
                    user.at_ms,
                    user.password.as_ref().map(PasswordHash::text),
                ])?;
            if stored == 0 {
                return Ok(Err(UserRefusal::EmailTaken));
            }
            Ok(Ok(User {
                id: user.id,
                email: user.email,
                kind: user.kind,
                created_at_ms: user.at_ms,
            }))
        })
        .await
    }

    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.query(move |connection| find(connection, id)).await
    }

    async fn find_user_by_email(&self, key: &str) -> Result<Option<User>, StoreError> {
        let key = key.to_owned();
        self.query(move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, email, kind, created_at FROM user WHERE email_key = ?1",
                )?
                .query_and_then([key], user)?
                .next()
                .transpose()
        })
        .await
    }

    async fn find_password(&self, id: UserId) -> Result<Option<PasswordHash>, StoreError> {
        self.query(move |connection| {
            let found: Option<Option<String>> = connection
                .prepare_cached("SELECT password FROM user WHERE id = ?1")?
                .query_row([id.bytes()], |row| row.get(0))
                .optional()?;
            Ok(found.flatten().map(PasswordHash::new))
        })
        .await
    }

    async fn replace_password(
        &self,
        id: UserId,
        was: &PasswordHash,
        next: PasswordHash,
    ) -> Result<bool, StoreError> {
        let was = was.clone();
        self.write(move |writing| {
            let replaced = writing
                .connection
                .prepare_cached("UPDATE user SET password = ?3 WHERE id = ?1 AND password = ?2")?
                .execute(params![id.bytes(), was.text(), next.text()])?;
            Ok(replaced == 1)
        })
        .await
    }

    async fn promote_guest(
        &self,
        promotion: Promotion,
    ) -> Result<Result<User, UserRefusal>, StoreError> {
        self.write(move |writing| promote(writing.connection, &promotion))
            .await
    }
}

#[async_trait]
impl Secrets for SqliteStore {
    async fn secret(&self, name: &str, candidate: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let name = name.to_owned();
        self.write(move |writing| {
            writing
                .connection
                .prepare_cached(
                    "INSERT INTO secret (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
                )?
                .execute(params![name, candidate])?;
            let stored = writing
                .connection
                .prepare_cached("SELECT value FROM secret WHERE name = ?1")?
                .query_row([name], |row| row.get(0))?;
            Ok(stored)
        })
        .await
    }
}

fn find(connection: &Connection, id: UserId) -> Result<Option<User>, Failure> {
    connection
        .prepare_cached("SELECT id, email, kind, created_at FROM user WHERE id = ?1")?
        .query_and_then([id.bytes()], user)?
        .next()
        .transpose()
}

fn promote(
    connection: &Connection,
    promotion: &Promotion,
) -> Result<Result<User, UserRefusal>, Failure> {
    let guest = find(connection, promotion.id)?.filter(|user| user.kind == UserKind::Guest);
    let Some(guest) = guest else {
        return Ok(Err(UserRefusal::NotAGuest));
    };
    // The key is all that can stand in the way of this.
    let promoted = connection
        .prepare_cached(
            "UPDATE OR IGNORE user SET email = ?2, email_key = ?3, kind = ?4, password = ?5 WHERE id = ?1",
        )?
        .execute(params![
            promotion.id.bytes(),
            promotion.email,
            email_key(&promotion.email),
            UserKind::Regular.as_str(),
            promotion.password.text(),
        ])?;
    if promoted == 0 {
        return Ok(Err(UserRefusal::EmailTaken));
    }
    Ok(Ok(User {
        email: promotion.email.clone(),
        kind: UserKind::Regular,
        ..guest
    }))
}

/// A user from `id, email, kind, created_at`.
pub(crate) fn user(row: &Row<'_>) -> Result<User, Failure> {
    let kind: String = row.get(2)?;
    Ok(User {
        id: rows::id(row, 0)?,
        email: row.get(1)?,
        kind: rows::named("user's kind", &kind, UserKind::from_name(&kind))?,
        created_at_ms: row.get(3)?,
    })
}

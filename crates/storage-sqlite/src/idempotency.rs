//! The keys under which a repeated call gives the first outcome.

use chat_core::{
    access::Owner,
    ports::{IdempotencyKey, LegRef},
};
use rusqlite::{Connection, params};

use crate::{
    error::Failure,
    rows::{self, StoredId as _},
};

/// The leg that this caller opened under this key; `None` without a key.
pub(crate) fn find(
    connection: &Connection,
    caller: &Owner,
    key: Option<&IdempotencyKey>,
) -> Result<Option<LegRef>, Failure> {
    let Some(key) = key else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "SELECT leg, run, conversation FROM idempotency WHERE owner = ?1 AND name = ?2",
        )?
        .query_and_then(params![caller.to_string(), key.0], |row| {
            Ok(LegRef {
                leg: rows::id(row, 0)?,
                run: rows::id(row, 1)?,
                conversation: rows::id(row, 2)?,
            })
        })?
        .next()
        .transpose()
}

/// Keeps a key with the leg that was opened under it; nothing without a key.
pub(crate) fn keep(
    connection: &Connection,
    caller: &Owner,
    key: Option<&IdempotencyKey>,
    leg: &LegRef,
    at_ms: i64,
) -> Result<(), Failure> {
    let Some(key) = key else {
        return Ok(());
    };
    connection
        .prepare_cached(
            "INSERT INTO idempotency (owner, name, leg, run, conversation, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            caller.to_string(),
            key.0,
            leg.leg.bytes(),
            leg.run.bytes(),
            leg.conversation.bytes(),
            at_ms,
        ])?;
    Ok(())
}

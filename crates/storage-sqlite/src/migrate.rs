use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use sha2::{Digest as _, Sha256};

use crate::OpenError;

/// A step from one layout of the database to the next. Never edited once released.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    /// Its number, from 1 without a gap.
    pub(crate) number: u32,
    /// Its file's name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) sql: &'static str,
}

/// All migrations of this release.
pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        number: 1,
        name: "0001_conversations.sql",
        sql: include_str!("../../../migrations/sqlite/0001_conversations.sql"),
    },
    Migration {
        number: 2,
        name: "0002_records.sql",
        sql: include_str!("../../../migrations/sqlite/0002_records.sql"),
    },
    Migration {
        number: 3,
        name: "0003_chatbot.sql",
        sql: include_str!("../../../migrations/sqlite/0003_chatbot.sql"),
    },
];

/// Brings a database to the layout of `migrations`, each step in a transaction of its own with its record.
///
/// Refuses, before it changes anything, a database that a newer release has written and one whose recorded steps are
/// not the ones in `migrations`.
pub(crate) fn migrate(
    connection: &mut Connection,
    migrations: &[Migration],
) -> Result<(), OpenError> {
    connection.execute_batch(
        "CREATE TABLE IF NOT EXISTS schema_migration (
             number     INTEGER PRIMARY KEY,
             name       TEXT NOT NULL,
             checksum   TEXT NOT NULL,
             applied_at INTEGER NOT NULL
         )",
    )?;
    let newest: u32 = connection.query_row(
        "SELECT coalesce(max(number), 0) FROM schema_migration",
        [],
        |row| row.get(0),
    )?;
    let known = migrations.last().map_or(0, |migration| migration.number);
    if newest > known {
        return Err(OpenError::NewerRelease {
            found: newest,
            known,
        });
    }
    for migration in migrations {
        let recorded = connection
            .query_row(
                "SELECT checksum FROM schema_migration WHERE number = ?1",
                [migration.number],
                |row| row.get::<_, String>(0),
            )
            .optional()?;
        if let Some(recorded) = recorded
            && recorded != checksum(migration.sql)
        {
            return Err(OpenError::MigrationChanged {
                name: migration.name,
            });
        }
    }
    for migration in migrations {
        if migration.number > newest {
            apply(connection, migration)?;
        }
    }
    Ok(())
}

fn apply(connection: &mut Connection, migration: &Migration) -> Result<(), OpenError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction.execute_batch(migration.sql)?;
    // The clock of the database serves here: the time is for people only.
    transaction.execute(
        "INSERT INTO schema_migration (number, name, checksum, applied_at)
         VALUES (?1, ?2, ?3, CAST(unixepoch('subsec') * 1000 AS INTEGER))",
        params![migration.number, migration.name, checksum(migration.sql)],
    )?;
    transaction.commit()?;
    Ok(())
}

/// The SHA-256 of a migration's text in lower-case hexadecimal, line ends counted as `\n`.
fn checksum(sql: &str) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(sql.replace("\r\n", "\n")) {
        // Writing to a string does not fail.
        let _written = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests;

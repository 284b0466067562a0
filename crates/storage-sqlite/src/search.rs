use std::collections::BTreeSet;

use chat_core::{
    access::Owner,
    message::{MessageBody, Role},
    terms,
};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::error::Failure;

/// Whether messages still wait to be indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    More,
    Done,
}

/// Indexes some of the messages that wait for it, in a transaction of its own.
///
/// Which ones wait is stored in the transaction that changes a message, so that a crash forgets none.
pub(crate) fn index_some(connection: &Connection) -> Result<Progress, Failure> {
    let waiting = waiting(connection)?;
    if waiting.is_empty() {
        return Ok(Progress::Done);
    }
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    let mut bytes = 0;
    for message in waiting {
        bytes += index(&transaction, message)?;
        // New operations wait for this, so a batch of giant messages is cut short.
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    transaction.commit()?;
    Ok(Progress::More)
}

/// Notes that a message was stored or overwritten and is to be indexed soon.
pub(crate) fn note(connection: &Connection, key: i64) -> Result<(), Failure> {
    connection
        .prepare_cached("INSERT OR IGNORE INTO unindexed (message) VALUES (?1)")?
        .execute([key])?;
    Ok(())
}

/// A query of the index for an owner's messages that hold all terms of a text; `None` when it has none.
pub(crate) fn query(owner: &Owner, text: &str) -> Option<String> {
    let terms: BTreeSet<String> = terms::fold(text).into_iter().collect();
    if terms.is_empty() {
        return None;
    }
    let mut query = format!("\"{}\"", owner_term(owner));
    for term in terms {
        // A term is letters and digits, so it holds no quotation mark.
        query.push_str(" AND \"");
        query.push_str(&term);
        query.push('"');
    }
    Some(query)
}

const BATCH: u32 = 64;
const BATCH_BYTES: usize = 256 * 1024;

fn waiting(connection: &Connection) -> Result<Vec<i64>, Failure> {
    let mut statement =
        connection.prepare_cached("SELECT message FROM unindexed ORDER BY message LIMIT ?1")?;
    let keys = statement
        .query_map([BATCH], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(keys)
}

/// Indexes a message as it is now, in place of what was indexed of it, and gives the length of what it read.
fn index(connection: &Connection, key: i64) -> Result<usize, Failure> {
    let (owner, role, body): (String, String, String) = connection
        .prepare_cached(
            "SELECT c.owner, m.role, m.body FROM message m JOIN conversation c ON c.id = m.conversation
             WHERE m.key = ?1",
        )?
        .query_row([key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    connection
        .prepare_cached("DELETE FROM message_terms WHERE rowid = ?1")?
        .execute([key])?;
    connection
        .prepare_cached("DELETE FROM unindexed WHERE message = ?1")?
        .execute([key])?;
    if role != Role::System.as_str() {
        // An unreadable message is an error for its readers; here it must not keep others from being found.
        let (Ok(owner), Ok(parsed)) = (
            owner.parse::<Owner>(),
            serde_json::from_str::<MessageBody>(&body),
        ) else {
            tracing::warn!(key, "a stored message cannot be read and is not indexed");
            return Ok(body.len());
        };
        let mut terms: BTreeSet<String> = terms::fold(&parsed.text()).into_iter().collect();
        if !terms.is_empty() {
            terms.insert(owner_term(&owner));
            let terms: Vec<_> = terms.into_iter().collect();
            connection
                .prepare_cached("INSERT INTO message_terms (rowid, terms) VALUES (?1, ?2)")?
                .execute(params![key, terms.join(" ")])?;
        }
    }
    Ok(body.len())
}

/// A term that only this owner's messages have, so that a search reads nobody else's entries.
///
/// It begins with a private-use character, which no folded term holds, and is else made of letters and digits.
fn owner_term(owner: &Owner) -> String {
    let name: String = owner
        .to_string()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!("\u{E000}{name}")
}

#[cfg(test)]
mod tests;

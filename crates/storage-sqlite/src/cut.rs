//! Deleting the end of a conversation, or all of it.

use chat_core::{
    id::{ConversationId, LegId, MessageId},
    message::Role,
    ports::{Cut, DroppedLeg},
};
use rusqlite::{Connection, params};

use crate::{
    error::Failure,
    log_index::LogIndex,
    rows::{self, StoredId as _, signed},
    writer::Writing,
};

/// Cuts at a message of any role, as [`chat_core::ports::Conversations::cut`] says.
pub(crate) fn cut(
    writing: &Writing<'_>,
    conversation: ConversationId,
    from: MessageId,
) -> Result<Option<Cut>, Failure> {
    let connection = writing.connection;
    let Some(from) = place(connection, conversation, from, None)? else {
        return Ok(None);
    };
    let cut = cut_from(writing, conversation, from)?;
    connection
        .prepare_cached("UPDATE conversation SET epoch = epoch + 1 WHERE id = ?1")?
        .execute([conversation.bytes()])?;
    Ok(Some(cut))
}

/// The place of this conversation's message, if it has one of this id and, where one is given, of this role.
pub(crate) fn place(
    connection: &Connection,
    conversation: ConversationId,
    message: MessageId,
    role: Option<Role>,
) -> Result<Option<u64>, Failure> {
    connection
        .prepare_cached(
            "SELECT seq FROM message
             WHERE id = ?1 AND conversation = ?2 AND (?3 IS NULL OR role = ?3)",
        )?
        .query_and_then(
            params![
                message.bytes(),
                conversation.bytes(),
                role.map(Role::as_str)
            ],
            |row| rows::unsigned(row, 0),
        )?
        .next()
        .transpose()
}

/// Deletes messages from this place on with the runs that wrote or were to write them.
pub(crate) fn cut_from(
    writing: &Writing<'_>,
    conversation: ConversationId,
    from: u64,
) -> Result<Cut, Failure> {
    let connection = writing.connection;
    let dropped = release_from(writing, conversation, from)?;
    let messages = connection
        .prepare_cached("DELETE FROM message WHERE conversation = ?1 AND seq >= ?2")?
        .execute(params![conversation.bytes(), signed(from)])?;
    connection
        .prepare_cached("DELETE FROM run WHERE conversation = ?1 AND answer_seq >= ?2")?
        .execute(params![conversation.bytes(), signed(from)])?;
    connection
        .prepare_cached("DELETE FROM summary WHERE conversation = ?1 AND covers_upto >= ?2")?
        .execute(params![conversation.bytes(), signed(from)])?;
    Ok(Cut {
        messages: rows::count(messages),
        dropped,
    })
}

/// Prepares a conversation's messages and runs from this place on for their deletion: takes them out of the index of
/// terms and the log, and gives the legs that are open.
pub(crate) fn release_from(
    writing: &Writing<'_>,
    conversation: ConversationId,
    from: u64,
) -> Result<Vec<DroppedLeg>, Failure> {
    let dropped = open_legs(writing.connection, conversation, from)?;
    for leg in &dropped {
        release_log(writing.connection, writing.log, leg.leg)?;
    }
    forget_terms(writing.connection, conversation, from)?;
    Ok(dropped)
}

/// Deletes log rows that hold nothing of an open leg any more, once this leg is released.
pub(crate) fn release_log(
    connection: &Connection,
    log: &LogIndex,
    leg: LegId,
) -> Result<(), Failure> {
    let mut statement = connection.prepare_cached("DELETE FROM run_log WHERE key = ?1")?;
    for row in log.release(leg) {
        statement.execute([row])?;
    }
    Ok(())
}

/// Legs of a conversation that are open, from this place on.
fn open_legs(
    connection: &Connection,
    conversation: ConversationId,
    from: u64,
) -> Result<Vec<DroppedLeg>, Failure> {
    connection
        .prepare_cached(
            "SELECT l.id, l.node FROM run r JOIN leg l ON l.run = r.key
             WHERE r.conversation = ?1 AND r.answer_seq >= ?2 AND l.closed_at IS NULL
             ORDER BY r.answer_seq, l.idx",
        )?
        .query_and_then(params![conversation.bytes(), signed(from)], |row| {
            Ok(DroppedLeg {
                leg: rows::id(row, 0)?,
                node: rows::id(row, 1)?,
            })
        })?
        .collect()
}

/// Takes a conversation's messages from this place on out of the index of terms.
fn forget_terms(
    connection: &Connection,
    conversation: ConversationId,
    from: u64,
) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "DELETE FROM message_terms WHERE rowid IN
             (SELECT key FROM message WHERE conversation = ?1 AND seq >= ?2)",
        )?
        .execute(params![conversation.bytes(), signed(from)])?;
    Ok(())
}

//! The transaction of a send.

use std::collections::HashSet;

use chat_core::{
    conversation::{Conversation, NewConversation},
    id::{ConversationId, LegId, MessageId, NodeId},
    message::{NewMessage, Role},
    ports::{DroppedLeg, FreshLeg, LegRef, OpenLeg, Opened, Policy, Predecessor, Refusal},
    run::RunStatus,
};
use rusqlite::{Connection, params};

use crate::{
    error::Failure,
    log_index::LogIndex,
    rows::{self, StoredId as _, signed},
    search,
    writer::Writing,
};

/// Opens a leg as [`chat_core::ports::Conversations::open_leg`] says: first all checks, then all changes.
pub(crate) fn open_leg(writing: &Writing<'_>, open: &OpenLeg) -> Result<Opened, Failure> {
    let connection = writing.connection;
    if let Some(leg) = repeated(connection, open)? {
        return Ok(Opened::Repeated(leg));
    }
    let found = find(connection, open.conversation)?;
    if let Some(found) = &found
        && found.conversation.owner != open.caller
    {
        return Ok(Opened::Refused(Refusal::Forbidden));
    }
    let cut = match open.cut_from {
        Some(from) => cut_place(connection, open.conversation, from)?,
        None => None,
    };
    let refused = match (&found, &open.create) {
        (None, None) => Some(Refusal::NotFound),
        _ if any_taken(connection, open, cut)? => Some(Refusal::MessageTaken),
        _ if open.policy == Policy::Refuse
            && holder(connection, open.conversation)?.is_some_and(|holder| holder.stays(cut)) =>
        {
            Some(Refusal::Busy)
        }
        _ => None,
    };
    if let Some(refusal) = refused {
        return Ok(Opened::Refused(refusal));
    }

    let created = found.is_none();
    let state = match (found, &open.create) {
        (Some(found), _) => found,
        (None, Some(new)) => create(connection, open, new)?,
        (None, None) => return Ok(Opened::Refused(Refusal::NotFound)),
    };
    let dropped = match cut {
        Some(from) => cut_from(writing, open.conversation, from)?,
        None => Vec::new(),
    };
    let predecessor = match holder(connection, open.conversation)? {
        Some(holder) => replace(connection, &holder, open.at_ms)?,
        None => None,
    };
    let mut seq = state.next_seq;
    for message in &open.input {
        insert_input(connection, open, message, seq)?;
        seq += 1;
    }
    let epoch = state.epoch + 1;
    connection
        .prepare_cached("UPDATE conversation SET next_seq = ?2, epoch = ?3 WHERE id = ?1")?
        .execute(params![
            open.conversation.bytes(),
            signed(seq + 1),
            signed(epoch)
        ])?;
    insert_run(connection, open, seq, epoch)?;
    writing.log.open(open.leg);
    Ok(Opened::Fresh(Box::new(FreshLeg {
        conversation: state.conversation,
        created,
        answer_seq: seq,
        epoch,
        predecessor,
        dropped,
    })))
}

/// Legs of a conversation that are open, from this place on.
pub(crate) fn open_legs(
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

/// Takes a conversation's messages from this place on out of the index of terms, before they are deleted.
pub(crate) fn forget_terms(
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

/// A conversation with what a send needs to know of it.
struct Found {
    conversation: Conversation,
    next_seq: u64,
    epoch: u64,
}

/// The run that holds the slot.
struct Holder {
    key: i64,
    answer_seq: u64,
    /// Its open leg; `None` while it is paused.
    open: Option<(LegId, NodeId)>,
}

impl Holder {
    /// Whether a cut from this place on leaves it.
    fn stays(&self, cut: Option<u64>) -> bool {
        cut.is_none_or(|from| self.answer_seq < from)
    }
}

fn repeated(connection: &Connection, open: &OpenLeg) -> Result<Option<LegRef>, Failure> {
    let Some(key) = &open.key else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "SELECT leg, run, conversation FROM idempotency WHERE owner = ?1 AND name = ?2",
        )?
        .query_and_then(params![open.caller.to_string(), key.0], |row| {
            Ok(LegRef {
                leg: rows::id(row, 0)?,
                run: rows::id(row, 1)?,
                conversation: rows::id(row, 2)?,
            })
        })?
        .next()
        .transpose()
}

fn find(connection: &Connection, id: ConversationId) -> Result<Option<Found>, Failure> {
    connection
        .prepare_cached(
            "SELECT id, owner, title, visibility, origin, created_at, next_seq, epoch
             FROM conversation WHERE id = ?1",
        )?
        .query_and_then([id.bytes()], |row| {
            Ok(Found {
                conversation: rows::conversation(row)?,
                next_seq: rows::unsigned(row, 6)?,
                epoch: rows::unsigned(row, 7)?,
            })
        })?
        .next()
        .transpose()
}

/// Where a cut that names this message begins: at a person's message of the conversation, and at no other.
fn cut_place(
    connection: &Connection,
    conversation: ConversationId,
    message: MessageId,
) -> Result<Option<u64>, Failure> {
    connection
        .prepare_cached(
            "SELECT seq FROM message WHERE id = ?1 AND conversation = ?2 AND role = ?3",
        )?
        .query_and_then(
            params![message.bytes(), conversation.bytes(), Role::User.as_str()],
            |row| rows::unsigned(row, 0),
        )?
        .next()
        .transpose()
}

/// Whether the id of an input message or of the answer is another's: a stored message's that stays, one that an answer
/// will have, or that of another one of these.
///
/// The ids of answers that are still to come count, since an answer that cannot be stored could never be closed.
fn any_taken(connection: &Connection, open: &OpenLeg, cut: Option<u64>) -> Result<bool, Failure> {
    let mut taken = connection.prepare_cached(
        "SELECT 1 FROM message WHERE id = ?1 AND NOT (conversation = ?2 AND seq >= ?3)
         UNION ALL
         SELECT 1 FROM run WHERE answer = ?1 AND NOT (conversation = ?2 AND answer_seq >= ?3)",
    )?;
    let cut = signed(cut.unwrap_or(u64::MAX));
    let mut seen = HashSet::new();
    for id in open
        .input
        .iter()
        .map(|message| message.id)
        .chain([open.answer])
    {
        if !seen.insert(id) || taken.exists(params![id.bytes(), open.conversation.bytes(), cut])? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn holder(
    connection: &Connection,
    conversation: ConversationId,
) -> Result<Option<Holder>, Failure> {
    let holder = connection
        .prepare_cached("SELECT key, answer_seq FROM run WHERE slot = ?1")?
        .query_and_then([conversation.bytes()], |row| {
            Ok::<(i64, _), Failure>((row.get(0)?, rows::unsigned(row, 1)?))
        })?
        .next()
        .transpose()?;
    let Some((key, answer_seq)) = holder else {
        return Ok(None);
    };
    let open = connection
        .prepare_cached("SELECT id, node FROM leg WHERE run = ?1 AND closed_at IS NULL")?
        .query_and_then([key], |row| {
            Ok::<_, Failure>((rows::id(row, 0)?, rows::id(row, 1)?))
        })?
        .next()
        .transpose()?;
    Ok(Some(Holder {
        key,
        answer_seq,
        open,
    }))
}

fn create(
    connection: &Connection,
    open: &OpenLeg,
    new: &NewConversation,
) -> Result<Found, Failure> {
    connection
        .prepare_cached(
            "INSERT INTO conversation (id, owner, title, visibility, origin, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            open.conversation.bytes(),
            open.caller.to_string(),
            new.title,
            new.visibility.as_str(),
            new.origin.as_str(),
            open.at_ms,
        ])?;
    Ok(Found {
        conversation: Conversation {
            id: open.conversation,
            owner: open.caller.clone(),
            title: new.title.clone(),
            visibility: new.visibility,
            origin: new.origin,
            created_at_ms: open.at_ms,
        },
        next_seq: 1,
        epoch: 0,
    })
}

/// Deletes messages from this place on with the runs that wrote or were to write them.
fn cut_from(
    writing: &Writing<'_>,
    conversation: ConversationId,
    from: u64,
) -> Result<Vec<DroppedLeg>, Failure> {
    let connection = writing.connection;
    let dropped = open_legs(connection, conversation, from)?;
    for leg in &dropped {
        release_log(connection, writing.log, leg.leg)?;
    }
    forget_terms(connection, conversation, from)?;
    connection
        .prepare_cached("DELETE FROM message WHERE conversation = ?1 AND seq >= ?2")?
        .execute(params![conversation.bytes(), signed(from)])?;
    connection
        .prepare_cached("DELETE FROM run WHERE conversation = ?1 AND answer_seq >= ?2")?
        .execute(params![conversation.bytes(), signed(from)])?;
    connection
        .prepare_cached("DELETE FROM summary WHERE conversation = ?1 AND covers_upto >= ?2")?
        .execute(params![conversation.bytes(), signed(from)])?;
    Ok(dropped)
}

/// Takes the slot from its holder.
fn replace(
    connection: &Connection,
    holder: &Holder,
    at_ms: i64,
) -> Result<Option<Predecessor>, Failure> {
    let (status, ended_at) = match holder.open {
        Some(_) => (RunStatus::Cancelling, None),
        None => (RunStatus::Cancelled, Some(at_ms)),
    };
    connection
        .prepare_cached("UPDATE run SET slot = NULL, status = ?2, ended_at = ?3 WHERE key = ?1")?
        .execute(params![holder.key, status.as_str(), ended_at])?;
    Ok(holder.open.map(|(leg, node)| Predecessor { leg, node }))
}

fn insert_input(
    connection: &Connection,
    open: &OpenLeg,
    message: &NewMessage,
    seq: u64,
) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT INTO message (id, conversation, seq, role, created_at, body, sent_by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            message.id.bytes(),
            open.conversation.bytes(),
            signed(seq),
            message.role.as_str(),
            open.at_ms,
            rows::to_json("message", &message.body)?,
            rows::sent_by(message.role, &open.caller.to_string()),
        ])?;
    search::note(connection, connection.last_insert_rowid())
}

fn insert_run(
    connection: &Connection,
    open: &OpenLeg,
    answer_seq: u64,
    epoch: u64,
) -> Result<(), Failure> {
    connection
        .prepare_cached(
            "INSERT INTO run (id, conversation, answer, answer_seq, status, node, epoch, created_at, slot)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?2)",
        )?
        .execute(params![
            open.run.bytes(),
            open.conversation.bytes(),
            open.answer.bytes(),
            signed(answer_seq),
            RunStatus::Queued.as_str(),
            open.node.bytes(),
            signed(epoch),
            open.at_ms,
        ])?;
    connection
        .prepare_cached(
            "INSERT INTO leg (id, run, idx, node, epoch, opened_at, settings, echo)
             VALUES (?1, ?2, 0, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            open.leg.bytes(),
            connection.last_insert_rowid(),
            open.node.bytes(),
            signed(epoch),
            open.at_ms,
            rows::to_json("leg's settings", &open.settings)?,
            open.echo
                .as_ref()
                .map(|echo| rows::to_json("leg's echo", echo))
                .transpose()?,
        ])?;
    if let Some(key) = &open.key {
        connection
            .prepare_cached(
                "INSERT INTO idempotency (owner, name, leg, run, conversation, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                open.caller.to_string(),
                key.0,
                open.leg.bytes(),
                open.run.bytes(),
                open.conversation.bytes(),
                open.at_ms,
            ])?;
    }
    Ok(())
}

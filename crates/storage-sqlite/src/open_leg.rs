//! The transaction of a send.

use std::collections::HashSet;

use chat_core::{
    access::Owner,
    conversation::{Conversation, NewConversation},
    event::CallAnswer,
    id::{ConversationId, LegId, NodeId},
    message::{NewMessage, Role},
    ports::{FreshLeg, LegRef, OpenLeg, Opened, Policy, Predecessor, Quota, Refusal},
    run::{LegSettings, RunStatus},
};
use rusqlite::{Connection, params};
use serde_json::Value;

use crate::{
    cut,
    error::Failure,
    idempotency,
    paused::{self, Tail},
    rows::{self, StoredId as _, signed},
    search,
    writer::Writing,
};

/// Opens a leg as [`chat_core::ports::Conversations::open_leg`] says: first all checks, then all changes.
pub(crate) fn open_leg(writing: &Writing<'_>, open: &OpenLeg) -> Result<Opened, Failure> {
    let connection = writing.connection;
    if let Some(leg) = idempotency::find(connection, &open.caller, open.key.as_ref())? {
        return Ok(Opened::Repeated(leg));
    }
    if let Some(quota) = &open.quota
        && is_spent(connection, &open.caller, quota)?
    {
        return Ok(Opened::Refused(Refusal::QuotaSpent));
    }
    let found = find(connection, open.conversation)?;
    if let Some(found) = &found
        && found.conversation.owner != open.caller
    {
        return Ok(Opened::Refused(Refusal::Forbidden));
    }
    let cut = match open.cut_from {
        Some(from) => cut::place(connection, open.conversation, from, Some(Role::User))?,
        None => None,
    };
    // A holder that the cut deletes stands in nobody's way.
    let holder = paused::holder(connection, open.conversation)?
        .filter(|holder| cut.is_none_or(|from| holder.answer_seq < from));
    let refused = match (&found, &open.create) {
        (None, None) => Some(Refusal::NotFound),
        _ if any_taken(connection, open, cut)? => Some(Refusal::MessageTaken),
        _ => holder.as_ref().and_then(|holder| refusal(holder, open)),
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
        Some(from) => cut::cut_from(writing, open.conversation, from)?.dropped,
        None => Vec::new(),
    };
    let predecessor = match &holder {
        Some(holder) => replace(connection, holder, open)?,
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

/// A leg to store.
pub(crate) struct NewLeg<'a> {
    pub(crate) id: LegId,
    /// Its run's key.
    pub(crate) run: i64,
    pub(crate) index: u32,
    pub(crate) node: NodeId,
    pub(crate) epoch: u64,
    pub(crate) at_ms: i64,
    pub(crate) settings: &'a LegSettings,
    pub(crate) echo: Option<&'a Value>,
    pub(crate) answers: &'a [CallAnswer],
}

/// Stores an open leg.
pub(crate) fn insert_leg(connection: &Connection, leg: &NewLeg<'_>) -> Result<(), Failure> {
    let answers = (!leg.answers.is_empty())
        .then(|| rows::to_json("leg's answers", &leg.answers))
        .transpose()?;
    connection
        .prepare_cached(
            "INSERT INTO leg (id, run, idx, node, epoch, opened_at, settings, echo, answers)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            leg.id.bytes(),
            leg.run,
            leg.index,
            leg.node.bytes(),
            signed(leg.epoch),
            leg.at_ms,
            rows::to_json("leg's settings", leg.settings)?,
            leg.echo
                .map(|echo| rows::to_json("leg's echo", echo))
                .transpose()?,
            answers,
        ])?;
    Ok(())
}

/// A conversation with what a send needs to know of it.
struct Found {
    conversation: Conversation,
    next_seq: u64,
    epoch: u64,
}

/// Finds a message beyond the first so many that someone sent since a time.
pub(crate) const SENT_BEYOND: &str =
    "SELECT 1 FROM message WHERE sent_by = ?1 AND created_at >= ?2 LIMIT 1 OFFSET ?3";

/// Whether a caller has sent more messages than the quota has.
fn is_spent(connection: &Connection, caller: &Owner, quota: &Quota) -> Result<bool, Failure> {
    Ok(connection.prepare_cached(SENT_BEYOND)?.exists(params![
        caller.to_string(),
        quota.since_ms,
        signed(quota.limit)
    ])?)
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

/// Why a send may not take the slot from its holder, if it may not.
fn refusal(holder: &Tail, open: &OpenLeg) -> Option<Refusal> {
    match open.policy {
        Policy::Refuse => Some(Refusal::Busy),
        Policy::Replace if holder.open.is_some() => None,
        Policy::Replace => {
            let is_named = open
                .ends
                .as_ref()
                .is_some_and(|end| end.run == holder.run.run && end.leg == holder.run.leg);
            (!is_named).then_some(Refusal::Paused(holder.run))
        }
    }
}

/// Takes the slot from its holder, which [`refusal`] let pass.
fn replace(
    connection: &Connection,
    holder: &Tail,
    open: &OpenLeg,
) -> Result<Option<Predecessor>, Failure> {
    if let Some(node) = holder.open {
        connection
            .prepare_cached("UPDATE run SET slot = NULL, status = ?2 WHERE key = ?1")?
            .execute(params![holder.key, RunStatus::Cancelling.as_str()])?;
        return Ok(Some(Predecessor {
            leg: holder.run.leg,
            node,
        }));
    }
    if let Some(end) = &open.ends {
        paused::write_end(connection, holder, end)?;
    }
    Ok(None)
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
    insert_leg(
        connection,
        &NewLeg {
            id: open.leg,
            run: connection.last_insert_rowid(),
            index: 0,
            node: open.node,
            epoch,
            at_ms: open.at_ms,
            settings: &open.settings,
            echo: open.echo.as_ref(),
            answers: &[],
        },
    )?;
    let opened = LegRef {
        leg: open.leg,
        run: open.run,
        conversation: open.conversation,
    };
    idempotency::keep(
        connection,
        &open.caller,
        open.key.as_ref(),
        &opened,
        open.at_ms,
    )
}

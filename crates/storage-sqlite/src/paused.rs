//! Runs that wait for their client: finding, ending and continuing them.

use chat_core::{
    id::{ConversationId, NodeId, RunId},
    ports::{Closed, EndPaused, LegRef, PausedRun, ResumeRun, Resumed, ResumedLeg},
    run::RunStatus,
};
use rusqlite::{Connection, Row, params};

use crate::{
    error::Failure,
    idempotency,
    open_leg::{NewLeg, insert_leg},
    rows::{self, StoredId as _, signed},
    runs::{AnswerPlace, write_answer},
    writer::Writing,
};

/// A run and the leg of it that was opened last.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) key: i64,
    /// Its ids, whether it waits or not.
    pub(crate) run: PausedRun,
    pub(crate) answer_seq: u64,
    pub(crate) status: RunStatus,
    index: u32,
    /// Who works on the leg; `None` once it is closed.
    pub(crate) open: Option<NodeId>,
}

impl Tail {
    fn answer(&self) -> AnswerPlace {
        AnswerPlace {
            conversation: self.run.conversation,
            id: self.run.message,
            seq: self.answer_seq,
        }
    }
}

/// The query of runs with their last legs, with what [`tail`] reads.
macro_rules! select_tails {
    ($where:literal) => {
        concat!(
            "SELECT r.key, r.conversation, r.id, l.id, r.answer, r.answer_seq, r.status, l.idx, l.node,
                    l.closed_at IS NULL
             FROM run r JOIN leg l ON l.run = r.key
             WHERE ",
            $where
        )
    };
}

/// The run that holds a conversation's slot.
pub(crate) fn holder(
    connection: &Connection,
    conversation: ConversationId,
) -> Result<Option<Tail>, Failure> {
    connection
        .prepare_cached(select_tails!("r.slot = ?1 ORDER BY l.idx DESC LIMIT 1"))?
        .query_and_then([conversation.bytes()], tail)?
        .next()
        .transpose()
}

/// The conversation's run that waits, as [`chat_core::ports::Runs::find_paused`] says.
pub(crate) fn find(
    connection: &Connection,
    conversation: ConversationId,
) -> Result<Option<PausedRun>, Failure> {
    let holder = holder(connection, conversation)?;
    Ok(holder
        .filter(|tail| tail.status == RunStatus::RequiresAction)
        .map(|tail| tail.run))
}

/// Runs that expired, as [`chat_core::ports::Runs::list_expired`] says.
pub(crate) fn expired(
    connection: &Connection,
    at_ms: i64,
    limit: u32,
) -> Result<Vec<PausedRun>, Failure> {
    connection
        .prepare_cached(EXPIRED)?
        .query_and_then(params![at_ms, limit], |row| Ok(tail(row)?.run))?
        .collect()
}

/// Ends a run that waits, as [`chat_core::ports::Runs::end_paused`] says.
pub(crate) fn end_paused(connection: &Connection, end: &EndPaused) -> Result<Closed, Failure> {
    let waiting = by_id(connection, end.run)?
        .filter(|tail| tail.status == RunStatus::RequiresAction && tail.run.leg == end.leg);
    match waiting {
        Some(tail) => {
            write_end(connection, &tail, end)?;
            Ok(Closed::Done)
        }
        None => Ok(Closed::Lost),
    }
}

/// Writes the end of a run that waits and frees the slot.
pub(crate) fn write_end(
    connection: &Connection,
    tail: &Tail,
    end: &EndPaused,
) -> Result<(), Failure> {
    write_answer(connection, &tail.answer(), end.at_ms, &end.body)?;
    connection
        .prepare_cached(
            "UPDATE run SET status = ?2, ended_at = ?3, expires_at = NULL, slot = NULL WHERE key = ?1",
        )?
        .execute(params![tail.key, end.status.as_str(), end.at_ms])?;
    Ok(())
}

/// Opens the next leg of a run, as [`chat_core::ports::Conversations::resume_run`] says.
pub(crate) fn resume(writing: &Writing<'_>, resume: &ResumeRun) -> Result<Resumed, Failure> {
    let connection = writing.connection;
    if let Some(leg) = idempotency::find(connection, &resume.caller, resume.key.as_ref())? {
        return Ok(Resumed::Repeated(leg));
    }
    let tail = by_id(connection, resume.run)?.filter(|tail| {
        tail.run.conversation == resume.conversation
            && tail.run.leg == resume.after
            && tail.open.is_none()
    });
    let Some(tail) = tail else {
        return Ok(Resumed::Lost);
    };
    let Some(conversation) = conversation(connection, resume.conversation)?
        .filter(|conversation| conversation.lets_continue(&tail))
    else {
        return Ok(Resumed::Lost);
    };

    let index = tail.index + 1;
    let epoch = conversation.epoch + 1;
    connection
        .prepare_cached("UPDATE conversation SET epoch = ?2 WHERE id = ?1")?
        .execute(params![resume.conversation.bytes(), signed(epoch)])?;
    connection
        .prepare_cached(
            "UPDATE run SET status = ?2, error = NULL, node = ?3, epoch = ?4, ended_at = NULL, expires_at = NULL,
                            slot = conversation
             WHERE key = ?1",
        )?
        .execute(params![
            tail.key,
            RunStatus::Queued.as_str(),
            resume.node.bytes(),
            signed(epoch),
        ])?;
    insert_leg(
        connection,
        &NewLeg {
            id: resume.leg,
            run: tail.key,
            index,
            node: resume.node,
            epoch,
            at_ms: resume.at_ms,
            settings: &resume.settings,
            echo: resume.echo.as_ref(),
            answers: &resume.answers,
        },
    )?;
    write_answer(connection, &tail.answer(), resume.at_ms, &resume.body)?;
    let opened = LegRef {
        leg: resume.leg,
        run: resume.run,
        conversation: resume.conversation,
    };
    idempotency::keep(
        connection,
        &resume.caller,
        resume.key.as_ref(),
        &opened,
        resume.at_ms,
    )?;
    writing.log.open(resume.leg);
    Ok(Resumed::Fresh(ResumedLeg {
        index,
        epoch,
        message: tail.run.message,
        message_seq: tail.answer_seq,
    }))
}

const EXPIRED: &str = select_tails!(
    "r.expires_at <= ?1 AND l.idx = (SELECT max(idx) FROM leg WHERE run = r.key)
     ORDER BY r.expires_at, r.key LIMIT ?2"
);

/// What continuing a run needs to know of its conversation.
struct Conversation {
    next_seq: u64,
    epoch: u64,
    /// The run that holds the slot.
    holder: Option<i64>,
}

impl Conversation {
    /// Whether a run whose last leg is closed may go on.
    fn lets_continue(&self, tail: &Tail) -> bool {
        let free = self.holder.is_none_or(|holder| holder == tail.key);
        free && match tail.status {
            RunStatus::RequiresAction => true,
            RunStatus::Expired | RunStatus::Cancelled => tail.answer_seq + 1 == self.next_seq,
            RunStatus::Queued
            | RunStatus::InProgress
            | RunStatus::Cancelling
            | RunStatus::Completed
            | RunStatus::Failed
            | RunStatus::Incomplete => false,
        }
    }
}

fn conversation(
    connection: &Connection,
    id: ConversationId,
) -> Result<Option<Conversation>, Failure> {
    connection
        .prepare_cached(
            "SELECT next_seq, epoch, (SELECT key FROM run WHERE slot = ?1) FROM conversation
             WHERE id = ?1",
        )?
        .query_and_then([id.bytes()], |row| {
            Ok(Conversation {
                next_seq: rows::unsigned(row, 0)?,
                epoch: rows::unsigned(row, 1)?,
                holder: row.get(2)?,
            })
        })?
        .next()
        .transpose()
}

fn by_id(connection: &Connection, run: RunId) -> Result<Option<Tail>, Failure> {
    connection
        .prepare_cached(select_tails!("r.id = ?1 ORDER BY l.idx DESC LIMIT 1"))?
        .query_and_then([run.bytes()], tail)?
        .next()
        .transpose()
}

fn tail(row: &Row<'_>) -> Result<Tail, Failure> {
    let open: bool = row.get(9)?;
    Ok(Tail {
        key: row.get(0)?,
        run: PausedRun {
            conversation: rows::id(row, 1)?,
            run: rows::id(row, 2)?,
            leg: rows::id(row, 3)?,
            message: rows::id(row, 4)?,
        },
        answer_seq: rows::unsigned(row, 5)?,
        status: rows::status(row, 6)?,
        index: row.get(7)?,
        open: if open { Some(rows::id(row, 8)?) } else { None },
    })
}

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use chat_core::{
    id::{ConversationId, LegId, MessageId, NodeId},
    message::{MessageBody, Role},
    ports::{
        AnswerRecord, Checkpoint, CloseLeg, Closed, EndPaused, PausedRun, Runs, Standing,
        StopAsked, StoreError,
    },
    run::{Leg, RunStatus},
};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::{
    SqliteStore,
    cut::release_log,
    error::Failure,
    paused,
    rows::{self, StoredId as _, signed},
    search,
    writer::Writing,
};

/// The query of legs with what [`rows::leg`] reads, from a leg `l` and its run `r` on.
macro_rules! select_legs {
    ($from:literal) => {
        concat!(
            "SELECT l.id, r.id, l.idx, r.conversation, r.answer, r.answer_seq, l.node, l.epoch,
                    l.opened_at, l.settings, l.echo, r.status, r.error, l.closed_at,
                    l.answers
             ",
            $from
        )
    };
}

#[async_trait]
impl Runs for SqliteStore {
    async fn find_leg(&self, id: LegId) -> Result<Option<Leg>, StoreError> {
        self.query(move |connection| find_leg(connection, id)).await
    }

    async fn newest_leg(&self, conversation: ConversationId) -> Result<Option<Leg>, StoreError> {
        self.query(move |connection| {
            connection
                .prepare_cached(select_legs!(
                    "FROM run r JOIN leg l ON l.run = r.key
                     WHERE r.conversation = ?1
                     ORDER BY r.answer_seq DESC, l.idx DESC LIMIT 1"
                ))?
                .query_and_then([conversation.bytes()], rows::leg)?
                .next()
                .transpose()
        })
        .await
    }

    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<Closed, StoreError> {
        self.write(move |writing| write_checkpoint(writing.connection, &checkpoint))
            .await
    }

    async fn close_leg(&self, close: CloseLeg) -> Result<Closed, StoreError> {
        self.write(move |writing| write_close(writing, &close))
            .await
    }

    async fn ask_stop(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<StopAsked>, StoreError> {
        self.write(move |writing| mark_stop(writing.connection, conversation))
            .await
    }

    async fn end_paused(&self, end: EndPaused) -> Result<Closed, StoreError> {
        self.write(move |writing| paused::end_paused(writing.connection, &end))
            .await
    }

    async fn list_expired(&self, at_ms: i64, limit: u32) -> Result<Vec<PausedRun>, StoreError> {
        self.query(move |connection| paused::expired(connection, at_ms, limit))
            .await
    }

    async fn find_paused(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<PausedRun>, StoreError> {
        self.query(move |connection| paused::find(connection, conversation))
            .await
    }

    async fn list_orphans(&self, alive: &[NodeId]) -> Result<Vec<Leg>, StoreError> {
        let alive = alive.to_vec();
        self.query(move |connection| {
            connection
                .prepare_cached(select_legs!(
                    "FROM leg l JOIN run r ON r.key = l.run
                     WHERE l.closed_at IS NULL
                     ORDER BY l.opened_at, l.key"
                ))?
                .query_and_then([], rows::leg)?
                // A list of nodes cannot be bound to one parameter, and open legs are few.
                .filter(|leg| !matches!(leg, Ok(leg) if alive.contains(&leg.node)))
                .collect()
        })
        .await
    }

    async fn standing(&self, legs: &[LegId]) -> Result<Vec<Standing>, StoreError> {
        let legs = legs.to_vec();
        self.query(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT l.closed_at IS NOT NULL, r.status FROM leg l JOIN run r ON r.key = l.run
                 WHERE l.id = ?1",
            )?;
            let mut standing = Vec::with_capacity(legs.len());
            for leg in legs {
                let found: Option<(bool, String)> = statement
                    .query_row([leg.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                standing.push(match found {
                    None => Standing::Gone,
                    Some((true, _)) => Standing::Closed,
                    Some((false, status)) if status == RunStatus::Cancelling.as_str() => {
                        Standing::Stopping
                    }
                    Some((false, _)) => Standing::Open,
                });
            }
            Ok(standing)
        })
        .await
    }

    async fn release_leg(&self, leg: LegId, epoch: u64) -> Result<Closed, StoreError> {
        self.write(move |writing| {
            let released = writing
                .connection
                .prepare_cached(
                    "UPDATE leg SET node = ?3 WHERE id = ?1 AND epoch = ?2 AND closed_at IS NULL
                     AND (SELECT status FROM run WHERE key = leg.run) <> ?4",
                )?
                .execute(params![
                    leg.bytes(),
                    signed(epoch),
                    NodeId::NOBODY.bytes(),
                    RunStatus::Cancelling.as_str(),
                ])?;
            Ok(if released == 1 {
                Closed::Done
            } else {
                Closed::Lost
            })
        })
        .await
    }

    async fn claim_leg(&self, leg: LegId, node: NodeId) -> Result<Option<Leg>, StoreError> {
        self.write(move |writing| {
            let connection = writing.connection;
            let claimed = connection
                .prepare_cached(
                    "UPDATE leg SET node = ?2, epoch = epoch + 1
                     WHERE id = ?1 AND node = ?3 AND closed_at IS NULL",
                )?
                .execute(params![leg.bytes(), node.bytes(), NodeId::NOBODY.bytes()])?;
            if claimed == 0 {
                return Ok(None);
            }
            find_leg(connection, leg)
        })
        .await
    }
}

fn find_leg(connection: &Connection, id: LegId) -> Result<Option<Leg>, Failure> {
    connection
        .prepare_cached(select_legs!(
            "FROM leg l JOIN run r ON r.key = l.run
             WHERE l.id = ?1"
        ))?
        .query_and_then([id.bytes()], rows::leg)?
        .next()
        .transpose()
}

/// Where a run's answer stands or will stand.
pub(crate) struct AnswerPlace {
    pub(crate) conversation: ConversationId,
    pub(crate) id: MessageId,
    pub(crate) seq: u64,
}

/// Inserts an answer at its reserved place, or overwrites its body; nothing when it has no content.
pub(crate) fn write_answer(
    connection: &Connection,
    place: &AnswerPlace,
    created_at_ms: i64,
    body: &MessageBody,
) -> Result<(), Failure> {
    if body.parts.is_empty() {
        return Ok(());
    }
    let key: i64 = connection
        .prepare_cached(
            "INSERT INTO message (id, conversation, seq, role, created_at, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (id) DO UPDATE SET body = excluded.body
             RETURNING key",
        )?
        .query_row(
            params![
                place.id.bytes(),
                place.conversation.bytes(),
                signed(place.seq),
                Role::Assistant.as_str(),
                created_at_ms,
                rows::to_json("message", body)?,
            ],
            |row| row.get(0),
        )?;
    search::note(connection, key)
}

/// An open leg to write to.
struct Target {
    key: i64,
    run: i64,
    status: RunStatus,
    answer: AnswerPlace,
}

impl Target {
    fn write_answer(&self, connection: &Connection, answer: &AnswerRecord) -> Result<(), Failure> {
        if !answer.body.parts.is_empty() && answer.id != self.answer.id {
            return Err(Failure::Misuse(
                "the answer of a leg has another id than the leg was opened with",
            ));
        }
        write_answer(connection, &self.answer, answer.created_at_ms, &answer.body)
    }
}

/// The leg with this id if it is open and in this epoch.
fn target(connection: &Connection, leg: LegId, epoch: u64) -> Result<Option<Target>, Failure> {
    connection
        .prepare_cached(
            "SELECT l.key, r.key, r.status, r.conversation, r.answer, r.answer_seq
             FROM leg l JOIN run r ON r.key = l.run
             WHERE l.id = ?1 AND l.epoch = ?2 AND l.closed_at IS NULL",
        )?
        .query_and_then(params![leg.bytes(), signed(epoch)], |row| {
            Ok(Target {
                key: row.get(0)?,
                run: row.get(1)?,
                status: rows::status(row, 2)?,
                answer: AnswerPlace {
                    conversation: rows::id(row, 3)?,
                    id: rows::id(row, 4)?,
                    seq: rows::unsigned(row, 5)?,
                },
            })
        })?
        .next()
        .transpose()
}

fn write_checkpoint(connection: &Connection, checkpoint: &Checkpoint) -> Result<Closed, Failure> {
    let Some(target) = target(connection, checkpoint.leg, checkpoint.epoch)? else {
        return Ok(Closed::Lost);
    };
    connection
        .prepare_cached("UPDATE run SET status = ?2 WHERE key = ?1 AND status <> ?3")?
        .execute(params![
            target.run,
            checkpoint.status.as_str(),
            RunStatus::Cancelling.as_str()
        ])?;
    if let Some(answer) = &checkpoint.answer {
        target.write_answer(connection, answer)?;
    }
    Ok(Closed::Done)
}

fn write_close(writing: &Writing<'_>, close: &CloseLeg) -> Result<Closed, Failure> {
    let connection = writing.connection;
    let Some(target) = target(connection, close.leg, close.epoch)? else {
        return Ok(Closed::Lost);
    };
    let pauses = close.status == RunStatus::RequiresAction;
    if pauses && target.status == RunStatus::Cancelling {
        return Ok(Closed::Lost);
    }
    if let Some(answer) = &close.answer {
        target.write_answer(connection, answer)?;
    }
    connection
        .prepare_cached("UPDATE leg SET closed_at = ?2, seal = ?3 WHERE key = ?1")?
        .execute(params![target.key, close.at_ms, close.seal])?;
    let terminal = close.status.is_terminal();
    connection
        .prepare_cached(
            "UPDATE run SET status = ?2, error = ?3, ended_at = ?4, expires_at = ?6,
                            slot = CASE WHEN ?5 THEN NULL ELSE slot END
             WHERE key = ?1",
        )?
        .execute(params![
            target.run,
            close.status.as_str(),
            close
                .error
                .map(|error| rows::to_json("run's error", &error))
                .transpose()?,
            terminal.then_some(close.at_ms),
            terminal,
            close.expires_at_ms.filter(|_| pauses),
        ])?;
    release_log(connection, writing.log, close.leg)?;
    Ok(Closed::Done)
}

fn mark_stop(
    connection: &Connection,
    conversation: ConversationId,
) -> Result<Option<StopAsked>, Failure> {
    let open: Option<(i64, StopAsked)> = connection
        .prepare_cached(
            "SELECT r.key, l.id, l.node FROM run r JOIN leg l ON l.run = r.key
             WHERE r.slot = ?1 AND l.closed_at IS NULL",
        )?
        .query_and_then([conversation.bytes()], |row| {
            Ok::<_, Failure>((
                row.get(0)?,
                StopAsked {
                    leg: rows::id(row, 1)?,
                    node: rows::id(row, 2)?,
                },
            ))
        })?
        .next()
        .transpose()?;
    let Some((run, asked)) = open else {
        return Ok(None);
    };
    connection
        .prepare_cached("UPDATE run SET status = ?2 WHERE key = ?1")?
        .execute(params![run, RunStatus::Cancelling.as_str()])?;
    Ok(Some(asked))
}

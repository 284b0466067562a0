use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    codec,
    event::RunEvent,
    id::LegId,
    ports::{LogBatch, RunLog, StoreError},
};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::{
    OpenError, SqliteStore,
    error::Failure,
    log_index::{LogIndex, Place},
    rows::StoredId as _,
    writer::Writing,
};

#[async_trait]
impl RunLog for SqliteStore {
    async fn append(&self, batches: Vec<LogBatch>) -> Result<(), StoreError> {
        // Encoded here and not by the writer, whom everyone waits for.
        let batches = batches
            .into_iter()
            .filter(|batch| !batch.events.is_empty())
            .map(Encoded::new)
            .collect::<Result<Vec<_>, _>>()?;
        if batches.is_empty() {
            return Ok(());
        }
        self.write(move |writing| append(writing, &batches)).await
    }

    async fn read(&self, leg: LegId, after: u32, limit: u32) -> Result<Vec<RunEvent>, StoreError> {
        // Before the snapshot begins; `LogIndex` says why.
        let places = self.log().places(leg, after);
        self.query(move |connection| read(connection, leg, after, limit, &places))
            .await
    }
}

/// Reads which rows the open legs' records are in, and deletes rows that hold none.
///
/// A row that cannot be read loses the text of unfinished answers, and no more than that: a leg's log then ends before
/// the gap.
pub(crate) fn rebuild(connection: &Connection) -> Result<LogIndex, OpenError> {
    let log = LogIndex::default();
    let mut open = connection.prepare("SELECT id FROM leg WHERE closed_at IS NULL")?;
    for leg in open.query_map([], |row| row.get(0))? {
        log.open(LegId::from_bytes(leg?));
    }
    let mut left_over = Vec::new();
    let mut rows = connection.prepare("SELECT key, records FROM run_log ORDER BY key")?;
    let mut rows = rows.query([])?;
    while let Some(row) = rows.next()? {
        let key: u32 = row.get(0)?;
        let mut needed = false;
        // A value that is no blob is as unreadable as an empty record.
        for record in records(row.get_ref(1)?.as_blob().unwrap_or(&[0])) {
            match record {
                Ok(record) if log.goes_on_at(record.leg) == Some(record.first) => {
                    needed |= log.append(key, record.leg, record.next).is_some();
                }
                Ok(_of_a_closed_leg_or_after_a_gap) => {}
                Err(failure) => {
                    tracing::error!(key, error = %failure, "a row of the log of unfinished runs is damaged: what it held of their answers is lost");
                }
            }
        }
        if !needed {
            left_over.push(key);
        }
        log.begin_after(key);
    }
    for key in left_over {
        connection.execute("DELETE FROM run_log WHERE key = ?1", [key])?;
    }
    log.committed();
    Ok(log)
}

/// At most this many records share a row. More would make the log of one leg, which is read after a crash, costlier
/// to read by what lies between; fewer would make an append of many legs costlier.
const RECORDS_IN_ROW: usize = 32;

/// A batch as it is written down.
struct Encoded {
    leg: LegId,
    first: u32,
    /// The number after its last event.
    next: u32,
    bytes: Vec<u8>,
    events: Arc<[RunEvent]>,
}

impl Encoded {
    fn new(batch: LogBatch) -> Result<Self, Failure> {
        let next = u32::try_from(batch.events.len())
            .ok()
            .and_then(|length| batch.first.checked_add(length))
            .ok_or(Failure::Misuse("a batch of events has too high numbers"))?;
        Ok(Self {
            leg: batch.leg,
            first: batch.first,
            next,
            bytes: codec::encode_batch(&batch.events)?,
            events: batch.events,
        })
    }

    /// Its events from this number on, where some of it was appended before.
    fn rest(&self, from: u32) -> Result<Self, Failure> {
        let skipped = usize::try_from(from - self.first).unwrap_or(usize::MAX);
        let events: Arc<[RunEvent]> = self.events.get(skipped..).unwrap_or_default().into();
        Ok(Self {
            leg: self.leg,
            first: from,
            next: self.next,
            bytes: codec::encode_batch(&events)?,
            events,
        })
    }
}

fn append(writing: &Writing<'_>, batches: &[Encoded]) -> Result<(), Failure> {
    for batches in batches.chunks(RECORDS_IN_ROW) {
        let row = writing
            .log
            .new_row()
            .ok_or(Failure::Misuse("all numbers of log rows are used up"))?;
        let mut records = Vec::new();
        for batch in batches {
            // A failure undoes what is noted here with the rest of the operation.
            let Some(first) = writing.log.append(row, batch.leg, batch.next) else {
                continue;
            };
            if batch.first > first {
                return Err(Failure::Misuse("a batch of events leaves a gap in its leg"));
            }
            if batch.first == first {
                write_record(&mut records, batch)?;
            } else {
                write_record(&mut records, &batch.rest(first)?)?;
            }
        }
        if !records.is_empty() {
            writing
                .connection
                .prepare_cached("INSERT INTO run_log (key, records) VALUES (?1, ?2)")?
                .execute(params![row, records])?;
        }
    }
    Ok(())
}

fn read(
    connection: &Connection,
    leg: LegId,
    after: u32,
    limit: u32,
    places: &[Place],
) -> Result<Vec<RunEvent>, Failure> {
    let stored: Option<(bool, Option<Vec<u8>>)> = connection
        .prepare_cached("SELECT closed_at IS NOT NULL, seal FROM leg WHERE id = ?1")?
        .query_row([leg.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut events = Vec::new();
    match stored {
        None => {}
        Some((true, seal)) => {
            events = codec::decode_seal(&seal.unwrap_or_default())?;
            events.retain(|event| event.n > after);
            events.truncate(limit);
        }
        Some((false, _)) => {
            let mut row =
                connection.prepare_cached("SELECT records FROM run_log WHERE key = ?1")?;
            for place in places {
                if events.len() >= limit {
                    break;
                }
                let mut found = row.query([place.row])?;
                // Not committed when the snapshot began, so not acknowledged.
                let Some(found) = found.next()? else {
                    break;
                };
                let bytes = found.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
                events.extend(
                    decode(bytes, leg, place.first)?
                        .into_iter()
                        .filter(|event| event.n > after),
                );
            }
            events.truncate(limit);
        }
    }
    Ok(events)
}

/// The events of a leg's record in a row.
fn decode(row: &[u8], leg: LegId, first: u32) -> Result<Vec<RunEvent>, Failure> {
    for record in records(row) {
        let record = record?;
        if record.leg == leg && record.first == first {
            return Ok(codec::decode_batch(record.bytes)?);
        }
    }
    Ok(Vec::new())
}

/// A record in a row: 16 bytes of the leg's id; the first event's number, the number after the last event's, and the
/// length of what follows, each four bytes, the lowest first; then the events as [`codec::encode_batch`] wrote them.
struct Record<'a> {
    leg: LegId,
    first: u32,
    next: u32,
    bytes: &'a [u8],
}

fn write_record(row: &mut Vec<u8>, batch: &Encoded) -> Result<(), Failure> {
    let length = u32::try_from(batch.bytes.len())
        .or(Err(Failure::Misuse("a batch of events is too long")))?;
    row.extend_from_slice(&batch.leg.bytes());
    for number in [batch.first, batch.next, length] {
        row.extend_from_slice(&number.to_le_bytes());
    }
    row.extend_from_slice(&batch.bytes);
    Ok(())
}

/// The records of a row; the last one is an error when the row is cut short.
fn records(mut row: &[u8]) -> impl Iterator<Item = Result<Record<'_>, Failure>> {
    std::iter::from_fn(move || {
        if row.is_empty() {
            return None;
        }
        let record = take_record(&mut row);
        if record.is_none() {
            row = &[];
        }
        Some(record.ok_or_else(|| Failure::corrupt("log row")("it is cut short".into())))
    })
}

fn take_record<'a>(row: &mut &'a [u8]) -> Option<Record<'a>> {
    let (leg, rest) = row.split_first_chunk()?;
    let (first, rest) = rest.split_first_chunk()?;
    let (next, rest) = rest.split_first_chunk()?;
    let (length, rest) = rest.split_first_chunk()?;
    let (bytes, rest) =
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    *row = rest;
    Some(Record {
        leg: LegId::new(Uuid::from_bytes(*leg)),
        first: u32::from_le_bytes(*first),
        next: u32::from_le_bytes(*next),
        bytes,
    })
}

#[cfg(test)]
mod tests;

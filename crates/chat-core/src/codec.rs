//! How events are written down: log records while a leg is open, one seal once it is closed.
//!
//! Both are Skein's own storage format, used by every store and seen by nobody else. A record is JSON text: events as
//! short arrays, times relative to the first. A seal holds the text of all deltas once, with the length of each, and
//! is compressed with zlib. The first byte is the format's version; a reader refuses a version that it does not know.

use std::{collections::HashMap, io::Read as _, io::Write as _, sync::Arc};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use serde::{Deserialize, Serialize};

use crate::{
    event::{EventKind, Field, RunEvent},
    fold,
    message::{PartContent, PartStatus},
};

/// Why stored events cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The version byte is none that this release knows.
    #[error("events are stored in format {found}; this release reads format {VERSION}")]
    Version {
        /// What was found.
        found: u8,
    },
    /// The bytes are not compressed as they should be.
    #[error("stored events cannot be unpacked")]
    Unpack(#[from] std::io::Error),
    /// The text is not what it should be.
    #[error("stored events cannot be read")]
    Json(#[from] serde_json::Error),
    /// The text of a seal does not match its lengths.
    #[error("stored events are inconsistent")]
    Inconsistent,
}

const VERSION: u8 = 1;

/// An unpacked seal is never larger than this; a leg holds 8 MiB of text at most.
const MAX_SEAL_BYTES: u64 = 256 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct Record {
    /// The first event's number.
    first: u32,
    /// The first event's time.
    t: i64,
    /// Deltas' text, in a seal only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// The events.
    e: Vec<Entry>,
}

/// One event. Told apart by shape, so that the commonest are the shortest.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    /// Time, part, field, length in the seal's text.
    Length(i64, u32, Field, u32),
    /// Time, part, field, text.
    Delta(i64, u32, Field, String),
    /// Time, part, field, text, raw.
    RawDelta(i64, u32, Field, String, Arc<str>),
    /// Time, part, status: a finished part whose content is what its events say.
    Finished(i64, u32, PartStatus),
    /// Time, event.
    Other(i64, Box<EventKind>),
    /// Time, event, raw.
    RawOther(i64, Box<EventKind>, Arc<str>),
}

/// The log record of consecutive events.
pub fn encode_batch(events: &[RunEvent]) -> Result<Vec<u8>, CodecError> {
    encode(events, false, |record| {
        let mut bytes = vec![VERSION];
        serde_json::to_writer(&mut bytes, record)?;
        Ok(bytes)
    })
}

/// The events of a log record.
///
/// A record that does not begin at the leg's first event may finish a part that began in an earlier one, so a
/// record's finished parts are always written whole.
pub fn decode_batch(bytes: &[u8]) -> Result<Vec<RunEvent>, CodecError> {
    decode(serde_json::from_slice(versioned(bytes)?)?)
}

/// The seal of a leg: all its events, from the first to the closing one.
pub fn encode_seal(events: &[RunEvent]) -> Result<Vec<u8>, CodecError> {
    encode(events, true, |record| {
        let mut packer = ZlibEncoder::new(vec![VERSION], Compression::fast());
        let json = serde_json::to_vec(record)?;
        packer.write_all(&json)?;
        Ok(packer.finish()?)
    })
}

/// The events of a seal.
pub fn decode_seal(bytes: &[u8]) -> Result<Vec<RunEvent>, CodecError> {
    let mut json = Vec::new();
    ZlibDecoder::new(versioned(bytes)?)
        .take(MAX_SEAL_BYTES)
        .read_to_end(&mut json)?;
    decode(serde_json::from_slice(&json)?)
}

fn versioned(bytes: &[u8]) -> Result<&[u8], CodecError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => Ok(rest),
        Some((&found, _)) => Err(CodecError::Version { found }),
        None => Err(CodecError::Inconsistent),
    }
}

fn encode(
    events: &[RunEvent],
    seal: bool,
    write: impl FnOnce(&Record) -> Result<Vec<u8>, CodecError>,
) -> Result<Vec<u8>, CodecError> {
    let t = events.first().map_or(0, |event| event.at_ms);
    let mut text = seal.then(String::new);
    let mut parts: HashMap<u32, PartContent> = HashMap::new();
    let mut e = Vec::with_capacity(events.len());
    for event in events {
        let dt = event.at_ms - t;
        if seal {
            grow(&mut parts, &event.kind);
        }
        e.push(match (&event.kind, &event.raw) {
            (
                EventKind::PartDelta {
                    part,
                    field,
                    text: delta,
                },
                None,
            ) => match &mut text {
                Some(text) => {
                    text.push_str(delta);
                    let length = u32::try_from(delta.len()).or(Err(CodecError::Inconsistent))?;
                    Entry::Length(dt, *part, *field, length)
                }
                None => Entry::Delta(dt, *part, *field, delta.clone()),
            },
            (EventKind::PartDelta { part, field, text }, Some(raw)) => {
                Entry::RawDelta(dt, *part, *field, text.clone(), Arc::clone(raw))
            }
            (
                EventKind::PartFinished {
                    part,
                    status,
                    content,
                },
                None,
            ) if parts.get(part) == Some(&**content) => Entry::Finished(dt, *part, *status),
            (kind, None) => Entry::Other(dt, Box::new(kind.clone())),
            (kind, Some(raw)) => Entry::RawOther(dt, Box::new(kind.clone()), Arc::clone(raw)),
        });
    }
    write(&Record {
        first: events.first().map_or(1, |event| event.n),
        t,
        text,
        e,
    })
}

fn decode(record: Record) -> Result<Vec<RunEvent>, CodecError> {
    let mut rest = record.text.as_deref().unwrap_or_default();
    let mut parts: HashMap<u32, PartContent> = HashMap::new();
    let mut events = Vec::with_capacity(record.e.len());
    for (n, entry) in (record.first..).zip(record.e) {
        let (dt, kind, raw) = match entry {
            Entry::Length(dt, part, field, length) => {
                let length = usize::try_from(length).or(Err(CodecError::Inconsistent))?;
                let (text, after) = rest
                    .split_at_checked(length)
                    .ok_or(CodecError::Inconsistent)?;
                rest = after;
                let text = text.to_owned();
                (dt, EventKind::PartDelta { part, field, text }, None)
            }
            Entry::Delta(dt, part, field, text) => {
                (dt, EventKind::PartDelta { part, field, text }, None)
            }
            Entry::RawDelta(dt, part, field, text, raw) => {
                (dt, EventKind::PartDelta { part, field, text }, Some(raw))
            }
            Entry::Finished(dt, part, status) => {
                let content = Arc::new(parts.get(&part).ok_or(CodecError::Inconsistent)?.clone());
                (
                    dt,
                    EventKind::PartFinished {
                        part,
                        status,
                        content,
                    },
                    None,
                )
            }
            Entry::Other(dt, kind) => (dt, *kind, None),
            Entry::RawOther(dt, kind, raw) => (dt, *kind, Some(raw)),
        };
        if record.text.is_some() {
            grow(&mut parts, &kind);
        }
        events.push(RunEvent {
            n,
            at_ms: record.t + dt,
            kind,
            raw,
        });
    }
    Ok(events)
}

/// What the events say so far that a part holds.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "an event that this does not know makes a part differ from what it grew to, and then it is written whole"
)]
fn grow(parts: &mut HashMap<u32, PartContent>, kind: &EventKind) {
    match kind {
        EventKind::PartStarted { part, head, .. } => {
            parts.insert(*part, head.clone());
        }
        EventKind::PartDelta { part, field, text } => {
            if let Some(content) = parts.get_mut(part) {
                fold::add(content, *field, text);
            }
        }
        EventKind::PartAnnotated {
            part, annotation, ..
        } => {
            if let Some(PartContent::Text { annotations, .. }) = parts.get_mut(part) {
                annotations.push(annotation.clone());
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;

//! Where the lines of an import wait until all are known: sorted, and checked for ids that stand twice.

use std::{collections::HashMap, io, path::Path, sync::Arc};

use chat_core::id::ConversationId;
use uuid::Uuid;

use crate::{
    Place,
    ids::derived,
    line::{Line, MessageLine},
    report::Log,
};

mod claims;
mod limits;
mod place;
mod sort;

pub(crate) use place::Placed;

use claims::{Claim, Doubles, ReadClaim, claims};
use limits::within_limits;
use sort::{Key, Sorted, Sorter};

/// Takes lines in any order.
#[derive(Debug)]
pub(crate) struct Stage<'d> {
    lines: Sorter<'d>,
    claims: Sorter<'d>,
    inputs: Vec<Arc<str>>,
    ordinal: u64,
    group: Option<Group>,
}

/// Lines of one conversation whose id is unique only together with its owner's name.
#[derive(Debug, Clone, Copy)]
struct Group {
    /// Its number: the ordinal of the line before its first.
    number: u64,
    /// What tells it from another conversation of the same id.
    owner: u128,
    /// The id that it gets when another owner's conversation has its id.
    second_id: Uuid,
}

/// Where a line is put among those of its sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Order(pub(crate) i64, pub(crate) u128);

/// A line, and where it came from.
#[derive(Debug)]
pub(crate) struct StagedLine {
    pub(crate) place: Place,
    pub(crate) line: Line,
    /// Whether another user's address differs from this user's in case only.
    pub(crate) exact_email: bool,
}

impl<'d> Stage<'d> {
    /// A stage that holds about `memory` bytes, and the rest in files in `dir`.
    pub(crate) const fn new(dir: &'d Path, memory: usize) -> Self {
        Self {
            lines: Sorter::new(dir, memory / 8 * 7),
            claims: Sorter::new(dir, memory / 8),
            inputs: Vec::new(),
            ordinal: 0,
            group: None,
        }
    }

    /// The lines from here on belong to one conversation of this owner. When a conversation of another owner has its id and
    /// came before, it gets `second_id` with all its lines; when one of the same owner has, all of them are dropped.
    pub(crate) fn begin_group(&mut self, owner: &str, second_id: Uuid) {
        self.ordinal += 1;
        self.group = Some(Group {
            number: self.ordinal,
            owner: derived("claim", &[owner]).as_u128(),
            second_id,
        });
    }

    /// The lines from here on belong to no such conversation.
    pub(crate) const fn end_group(&mut self) {
        self.group = None;
    }

    /// How many lines are staged.
    pub(crate) const fn count(&self) -> u64 {
        self.lines.count()
    }

    /// Stages a line that claims its id: one that comes later with the same is faulty.
    pub(crate) fn push(&mut self, place: &Place, line: &Line) -> io::Result<Result<(), String>> {
        self.push_ordered(place, line, None)
    }

    /// Stages a message without a place. It gets its place when all are known: in the order of `created_at_ms`, then of
    /// `tie`.
    pub(crate) fn push_message(
        &mut self,
        place: &Place,
        message: MessageLine,
        tie: u128,
    ) -> io::Result<Result<(), String>> {
        let order = Order(message.created_at_ms, tie);
        self.push_ordered(place, &Line::Message(Box::new(message)), Some(order))
    }

    /// Stages a conversation that is only known by its messages. It is dropped when the conversation itself is there.
    pub(crate) fn push_implied(
        &mut self,
        place: &Place,
        conversation: &Line,
        at_ms: i64,
    ) -> io::Result<()> {
        let Line::Conversation(line) = conversation else {
            return Ok(());
        };
        self.ordinal += 1;
        let key = key(Phase::Conversation, line.id.uuid(), Order(at_ms, IMPLIED));
        self.put(key, place, conversation)
    }

    /// Says which way a conversation's messages without places stood in the source: newer ones after older ones (positive)
    /// or before them.
    pub(crate) fn push_direction(
        &mut self,
        conversation: ConversationId,
        direction: i64,
    ) -> io::Result<()> {
        self.ordinal += 1;
        let order = Order(i64::MIN, u128::from(self.ordinal));
        let mut payload = vec![DIRECTION];
        payload.extend_from_slice(&direction.to_le_bytes());
        self.lines
            .push(key(Phase::Message, conversation.uuid(), order), payload)
    }

    fn push_ordered(
        &mut self,
        place: &Place,
        line: &Line,
        order: Option<Order>,
    ) -> io::Result<Result<(), String>> {
        if let Err(fault) = within_limits(line) {
            return Ok(Err(fault));
        }
        self.ordinal += 1;
        let (phase, group, usual) = place_of(line);
        for claim in claims(line) {
            self.claim(place, &claim)?;
        }
        self.put(key(phase, group, order.unwrap_or(usual)), place, line)?;
        Ok(Ok(()))
    }

    fn put(&mut self, key: Key, place: &Place, line: &Line) -> io::Result<()> {
        let mut payload = vec![LINE];
        payload.extend_from_slice(&self.ordinal.to_le_bytes());
        payload.extend_from_slice(&self.group_number().to_le_bytes());
        payload.extend_from_slice(&self.input(&place.input).to_le_bytes());
        payload.extend_from_slice(&place.line.to_le_bytes());
        serde_json::to_writer(&mut payload, line)?;
        self.lines.push(key, payload)
    }

    /// The group that a line is put in; 0 for none.
    fn group_number(&self) -> u64 {
        self.group.map_or(0, |group| group.number)
    }

    fn claim(&mut self, place: &Place, claim: &Claim) -> io::Result<()> {
        let (mut spelling, mut second_id) = (claim.spelling, Uuid::nil());
        if claim.phase == Phase::Conversation
            && let Some(group) = self.group
        {
            (spelling, second_id) = (group.owner, group.second_id);
        }
        let mut payload = spelling.to_le_bytes().to_vec();
        payload.extend_from_slice(second_id.as_bytes());
        payload.extend_from_slice(&self.group_number().to_le_bytes());
        payload.extend_from_slice(&self.input(&place.input).to_le_bytes());
        payload.extend_from_slice(&place.line.to_le_bytes());
        payload.extend_from_slice(claim.label.as_bytes());
        let order = Order(0, u128::from(self.ordinal));
        self.claims
            .push(key(claim.phase, Uuid::from_u128(claim.id), order), payload)
    }

    /// The number of an input's name.
    fn input(&mut self, name: &Arc<str>) -> u32 {
        let known = self.inputs.iter().rposition(|input| input == name);
        let number = known.unwrap_or_else(|| {
            self.inputs.push(Arc::clone(name));
            self.inputs.len() - 1
        });
        u32::try_from(number).unwrap_or(u32::MAX)
    }

    /// Tells every id that stands twice, and gives the lines in the order in which they are put: without those.
    pub(crate) fn finish(self, log: &mut Log<'_>) -> io::Result<Placed> {
        let mut doubles = Doubles::default();
        let mut sorted = self.claims.sorted()?;
        // Of the first claim on an id: its key, and the spellings so far with their places.
        let mut first: Option<(Key, HashMap<u128, Place>)> = None;
        while let Some((key, payload)) = sorted.next()? {
            let claim = ReadClaim::new(&payload, &self.inputs)?;
            if doubles.groups.get(&claim.group) == Some(&None) {
                continue;
            }
            match &mut first {
                Some((other, spellings)) if other.split_at(17).0 == key.split_at(17).0 => {
                    doubles.settle(&key, claim, spellings, log);
                }
                _ => first = Some((key, HashMap::from([(claim.spelling, claim.place)]))),
            }
        }
        Ok(Placed::new(Lines {
            sorted: self.lines.sorted()?,
            doubles,
            inputs: self.inputs,
            conversation: None,
        }))
    }
}

/// Staged entries in order.
#[derive(Debug)]
struct Lines {
    sorted: Sorted,
    doubles: Doubles,
    inputs: Vec<Arc<str>>,
    /// The conversation that was given last.
    conversation: Option<u128>,
}

/// A staged entry.
#[derive(Debug)]
enum Entry {
    Line { order: Order, line: StagedLine },
    Direction(ConversationId, i64),
}

/// The tie of a conversation that is only known by its messages.
const IMPLIED: u128 = u128::MAX;

const LINE: u8 = 0;
const DIRECTION: u8 = 1;

impl Lines {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        loop {
            let Some((key, payload)) = self.sorted.next()? else {
                return Ok(None);
            };
            let Some((&tag, mut rest)) = payload.split_first() else {
                return Err(damaged());
            };
            if tag == DIRECTION {
                let direction = i64::from_le_bytes(take(&mut rest)?);
                let conversation = ConversationId::new(Uuid::from_u128(group_of(&key)));
                return Ok(Some(Entry::Direction(conversation, direction)));
            }
            let ordinal = u64::from_le_bytes(take(&mut rest)?);
            let group = u64::from_le_bytes(take(&mut rest)?);
            let renamed = self.doubles.groups.get(&group);
            if self.doubles.dropped.contains(&ordinal) || renamed == Some(&None) {
                continue;
            }
            if key.first() == Some(&(Phase::Conversation as u8)) {
                let before = self.conversation.replace(group_of(&key));
                if order_of(&key).1 == IMPLIED && before == self.conversation {
                    continue;
                }
            }
            let input = u32::from_le_bytes(take(&mut rest)?);
            let number = u64::from_le_bytes(take(&mut rest)?);
            let mut line: Line = serde_json::from_slice(rest)?;
            if let Some(Some(id)) = renamed {
                move_to(ConversationId::new(*id), &mut line);
            }
            let line = StagedLine {
                place: read_place(&self.inputs, input, number)?,
                line,
                exact_email: self.doubles.exact.contains(&ordinal),
            };
            return Ok(Some(Entry::Line {
                order: order_of(&key),
                line,
            }));
        }
    }
}

/// Gives a line's conversation another id. Its old one is another conversation's alias, if any.
fn move_to(id: ConversationId, line: &mut Line) {
    match line {
        Line::Conversation(line) => {
            line.id = id;
            line.alias = None;
        }
        Line::Message(line) => line.conversation = id,
        Line::Summary(line) => line.conversation = id,
        Line::User(_)
        | Line::Session(_)
        | Line::Rating(_)
        | Line::Pin(_)
        | Line::Document(_)
        | Line::Suggestion(_)
        | Line::ThreadView(_)
        | Line::File(_)
        | Line::Bytes(_) => {}
    }
}

/// The order in which sorts are put: what others belong to comes before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    User,
    /// Of claims only.
    Email,
    Session,
    Conversation,
    Message,
    Rating,
    Summary,
    Pin,
    Document,
    Suggestion,
    ThreadView,
    File,
    /// Of claims only.
    Piece,
}

fn place_of(line: &Line) -> (Phase, Uuid, Order) {
    let none = Order(0, 0);
    match line {
        Line::User(line) => (Phase::User, line.id.uuid(), none),
        Line::Session(line) => (Phase::Session, line.id, none),
        Line::Conversation(line) => (Phase::Conversation, line.id.uuid(), Order(i64::MIN, 0)),
        Line::Message(line) => {
            let seq = i64::try_from(line.seq).unwrap_or(i64::MAX);
            (Phase::Message, line.conversation.uuid(), Order(seq, 0))
        }
        Line::Rating(line) => (Phase::Rating, line.message.uuid(), none),
        Line::Summary(line) => (Phase::Summary, line.conversation.uuid(), none),
        Line::Pin(line) => (Phase::Pin, line.id.uuid(), none),
        Line::Document(line) => (Phase::Document, line.id, Order(line.created_at_ms, 0)),
        Line::Suggestion(line) => (Phase::Suggestion, line.id, none),
        Line::ThreadView(line) => (
            Phase::ThreadView,
            derived("claim", &[&line.user, &line.thread]),
            none,
        ),
        Line::File(line) => (Phase::File, line.id, Order(-1, 0)),
        Line::Bytes(line) => {
            let n = i64::try_from(line.n).unwrap_or(i64::MAX);
            (Phase::File, line.file, Order(n, 0))
        }
    }
}

/// Ascending keys are ascending phases, groups, orders.
fn key(phase: Phase, group: Uuid, Order(order, tie): Order) -> Key {
    let mut key = [0; 41];
    let unsigned = order.cast_unsigned() ^ (1 << 63);
    let bytes = std::iter::once(phase as u8)
        .chain(group.into_bytes())
        .chain(unsigned.to_be_bytes())
        .chain(tie.to_be_bytes());
    for (slot, byte) in key.iter_mut().zip(bytes) {
        *slot = byte;
    }
    key
}

fn group_of(key: &Key) -> u128 {
    let mut rest = key.split_at(1).1;
    take(&mut rest).map_or(0, u128::from_be_bytes)
}

fn order_of(key: &Key) -> Order {
    let mut rest = key.split_at(17).1;
    let order = take(&mut rest).map_or(0, u64::from_be_bytes) ^ (1 << 63);
    let tie = take(&mut rest).map_or(0, u128::from_be_bytes);
    Order(order.cast_signed(), tie)
}

fn ordinal_of(key: &Key) -> u64 {
    u64::try_from(order_of(key).1).unwrap_or(u64::MAX)
}

fn read_place(inputs: &[Arc<str>], input: u32, line: u64) -> io::Result<Place> {
    let input = usize::try_from(input)
        .ok()
        .and_then(|input| inputs.get(input))
        .ok_or_else(damaged)?;
    Ok(Place {
        input: Arc::clone(input),
        line,
    })
}

/// The next so many bytes.
fn take<const N: usize>(bytes: &mut &[u8]) -> io::Result<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>().ok_or_else(damaged)?;
    *bytes = rest;
    Ok(*first)
}

/// Only somebody else's writing into our nameless files makes them unreadable.
fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a temporary file is damaged")
}

#[cfg(test)]
mod tests;

//! Ids that may stand in one line only, and what becomes of the other lines.

use std::{
    collections::{HashMap, HashSet},
    io,
    sync::Arc,
};

use uuid::Uuid;

use super::{Key, Phase, ordinal_of, place_of, read_place, take};
use crate::{Place, Verdict, ids::derived, line::Line, report::Log};

/// An id that no other line of the source may have.
pub(super) struct Claim {
    pub(super) phase: Phase,
    pub(super) id: u128,
    /// Two claims of one id but different spellings can both stand.
    pub(super) spelling: u128,
    pub(super) label: String,
}

/// What a line claims.
pub(super) fn claims(line: &Line) -> Vec<Claim> {
    let (phase, group, order) = place_of(line);
    let label = line.label();
    let id = match line {
        Line::Document(line) => derived(
            "claim",
            &[&line.id.to_string(), &line.created_at_ms.to_string()],
        ),
        Line::Message(line) => line.id.uuid(),
        Line::Bytes(line) => derived("claim", &[&line.file.to_string(), &order.0.to_string()]),
        Line::User(_)
        | Line::Session(_)
        | Line::Conversation(_)
        | Line::Rating(_)
        | Line::Summary(_)
        | Line::Pin(_)
        | Line::Suggestion(_)
        | Line::ThreadView(_)
        | Line::File(_) => group,
    };
    let phase = if matches!(line, Line::Bytes(_)) {
        Phase::Piece
    } else {
        phase
    };
    let mut claims = vec![Claim {
        phase,
        id: id.as_u128(),
        spelling: 0,
        label: label.clone(),
    }];
    if let Line::User(line) = line {
        claims.push(Claim {
            phase: Phase::Email,
            id: derived("claim", &[&line.email_key]).as_u128(),
            spelling: derived("claim", &[line.email.trim()]).as_u128(),
            label,
        });
    }
    claims
}

/// A claim as it was staged.
pub(super) struct ReadClaim {
    pub(super) spelling: u128,
    second_id: Uuid,
    pub(super) group: u64,
    pub(super) place: Place,
    label: String,
}

impl ReadClaim {
    pub(super) fn new(mut payload: &[u8], inputs: &[Arc<str>]) -> io::Result<Self> {
        let spelling = u128::from_le_bytes(take(&mut payload)?);
        let second_id = Uuid::from_bytes(take(&mut payload)?);
        let group = u64::from_le_bytes(take(&mut payload)?);
        let input = u32::from_le_bytes(take(&mut payload)?);
        let number = u64::from_le_bytes(take(&mut payload)?);
        Ok(Self {
            spelling,
            second_id,
            group,
            place: read_place(inputs, input, number)?,
            label: String::from_utf8_lossy(payload).into_owned(),
        })
    }
}

/// Lines whose ids are others' too.
#[derive(Debug, Default)]
pub(super) struct Doubles {
    /// By ordinal: lines that are dropped.
    pub(super) dropped: HashSet<u64>,
    /// By ordinal: users who are found by the exact spelling of their address only.
    pub(super) exact: HashSet<u64>,
    /// By number: groups with the id that they get; none for one that is dropped.
    pub(super) groups: HashMap<u64, Option<Uuid>>,
}

impl Doubles {
    /// Decides what becomes of a line that claims an id which is claimed already.
    pub(super) fn settle(
        &mut self,
        key: &Key,
        claim: ReadClaim,
        spellings: &mut HashMap<u128, Place>,
        log: &mut Log<'_>,
    ) {
        let is_email = key.first() == Some(&(Phase::Email as u8));
        let label = &claim.label;
        if let Some(first) = spellings.get(&claim.spelling) {
            let text = if is_email {
                format!("{label}: its e-mail address is that of the user at {first}")
            } else {
                format!("{label} stands twice: first at {first}")
            };
            log.find(Some(claim.place), Verdict::Faulty, text);
            self.dropped.insert(ordinal_of(key));
            if claim.group != 0 && !claim.second_id.is_nil() {
                self.groups.insert(claim.group, None);
            }
            return;
        }
        let text = if is_email {
            self.exact.insert(ordinal_of(key));
            format!(
                "{label}: its e-mail address differs in case only from another user's; it is found by its exact spelling"
            )
        } else {
            self.groups.insert(claim.group, Some(claim.second_id));
            format!(
                "{label}: another user's conversation has its id; it gets the id {}",
                claim.second_id
            )
        };
        log.find(Some(claim.place.clone()), Verdict::Changed, text);
        spellings.insert(claim.spelling, claim.place);
    }
}

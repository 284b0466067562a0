use chat_core::{
    id::{LegId, NodeId},
    ports::{DroppedLeg, OpenLeg, Predecessor, ResumeRun},
    run::{Leg, RunStatus, StopCause},
};
use mongodb::bson::{Binary, DateTime, Uuid};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Stored, StoredId, StoredText, date, named, signed, unsigned};
use crate::error::Failure;

/// A run, in `skein_runs`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunDocument {
    #[serde(rename = "_id")]
    pub(crate) id: Uuid,
    pub(crate) conversation: Uuid,
    /// The id that the answer has or will have. It is reserved: no message that is sent may take it.
    pub(crate) answer: Uuid,
    pub(crate) answer_seq: i64,
    pub(crate) status: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    pub(crate) node: Uuid,
    pub(crate) epoch: i64,
    pub(crate) created_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ended_at: Option<DateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    /// The conversation's id while the run holds it, absent before and afterwards.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) slot: Option<Uuid>,
    /// When it expires; there only while it waits for its client. A release that knows no such runs may leave it at one
    /// that it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<DateTime>,
    /// The conversation's id once the run has left the slot by its end, for the change stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) freed: Option<Uuid>,
}

impl Stored for RunDocument {
    const COLLECTION: &'static str = "skein_runs";
}

impl RunDocument {
    /// The run that a send opens.
    pub(crate) fn new(open: &OpenLeg, answer_seq: u64, epoch: u64) -> Self {
        Self {
            id: open.run.stored(),
            conversation: open.conversation.stored(),
            answer: open.answer.stored(),
            answer_seq: signed(answer_seq),
            status: RunStatus::Queued.as_str().to_owned(),
            error: None,
            node: open.node.stored(),
            epoch: signed(epoch),
            created_at: date(open.at_ms),
            ended_at: None,
            alias: None,
            slot: Some(open.conversation.stored()),
            expires_at: None,
            freed: None,
        }
    }
}

/// A leg, in `skein_legs`. Its seal is elsewhere, since most reads do not want it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LegDocument {
    #[serde(rename = "_id")]
    pub(crate) id: Uuid,
    pub(crate) run: Uuid,
    pub(crate) idx: i64,
    pub(crate) conversation: Uuid,
    pub(crate) answer: Uuid,
    pub(crate) answer_seq: i64,
    pub(crate) node: Uuid,
    pub(crate) epoch: i64,
    pub(crate) opened_at: DateTime,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closed_at: Option<DateTime>,
    /// `true` until it is closed, then absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) open: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    /// The conversation's owner, for the answer's index of terms.
    pub(crate) owner: String,
    /// Its run's status, written wherever that is, so that a leg is one read.
    pub(crate) status: String,
    /// Its run's error, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// Why it was asked to stop: the name of a [`Stop`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stop: Option<String>,
    /// How often it was written to. Makes every write one, so that a cut that races it is noticed.
    #[serde(default)]
    pub(crate) writes: i64,
    pub(crate) settings: StoredText,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) echo: Option<StoredText>,
    /// The client's answers that it continues from; absent in a run's first leg.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) answers: Option<StoredText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) raw_opening: Option<StoredText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) raw_closing: Option<StoredText>,
    pub(crate) opening: OpeningDocument,
}

impl Stored for LegDocument {
    const COLLECTION: &'static str = "skein_legs";
}

/// What opening a leg changed beside it, to give the same answer when the opening is repeated.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct OpeningDocument {
    pub(crate) created: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) predecessor: Option<NodesLeg>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) dropped: Vec<NodesLeg>,
}

/// A leg and the node that works on it.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct NodesLeg {
    pub(crate) leg: Uuid,
    pub(crate) node: Uuid,
}

/// Why an open leg is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its reader asked.
    Asked,
    /// A later send took its slot.
    Replaced,
}

impl Stop {
    /// The name it is stored under.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Replaced => "replaced",
        }
    }

    /// What it says to who works on the leg.
    pub(crate) const fn cause(self) -> StopCause {
        match self {
            Self::Asked => StopCause::Asked,
            Self::Replaced => StopCause::Replaced,
        }
    }

    /// Reads a stored name; `None` for an unknown one.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Asked, Self::Replaced]
            .into_iter()
            .find(|stop| stop.as_str() == name)
    }
}

impl OpeningDocument {
    pub(crate) fn new(
        created: bool,
        predecessor: Option<Predecessor>,
        dropped: &[DroppedLeg],
    ) -> Self {
        Self {
            created,
            predecessor: predecessor.map(|it| NodesLeg::new(it.leg, it.node)),
            dropped: dropped
                .iter()
                .map(|it| NodesLeg::new(it.leg, it.node))
                .collect(),
        }
    }

    pub(crate) fn predecessor(&self) -> Option<Predecessor> {
        self.predecessor.map(|it| Predecessor {
            leg: StoredId::from_stored(it.leg),
            node: StoredId::from_stored(it.node),
        })
    }

    pub(crate) fn dropped(&self) -> Vec<DroppedLeg> {
        let dropped = |it: &NodesLeg| DroppedLeg {
            leg: StoredId::from_stored(it.leg),
            node: StoredId::from_stored(it.node),
        };
        self.dropped.iter().map(dropped).collect()
    }
}

impl NodesLeg {
    fn new(leg: LegId, node: NodeId) -> Self {
        Self {
            leg: leg.stored(),
            node: node.stored(),
        }
    }
}

impl LegDocument {
    /// The leg that a send opens. Place, epoch and opening come later, in the transaction.
    pub(crate) fn new(open: &OpenLeg) -> Result<Self, Failure> {
        Ok(Self {
            id: open.leg.stored(),
            run: open.run.stored(),
            idx: 0,
            conversation: open.conversation.stored(),
            answer: open.answer.stored(),
            answer_seq: 0,
            node: open.node.stored(),
            epoch: 0,
            opened_at: date(open.at_ms),
            closed_at: None,
            open: true,
            alias: None,
            owner: open.caller.to_string(),
            status: RunStatus::Queued.as_str().to_owned(),
            error: None,
            stop: None,
            writes: 0,
            settings: StoredText::of("leg's settings", &open.settings)?,
            echo: open.echo.as_ref().map(echo).transpose()?,
            answers: None,
            raw_opening: None,
            raw_closing: None,
            opening: OpeningDocument::default(),
        })
    }

    /// The leg that continues a run. Index, answer, place, epoch and owner come later, in the transaction.
    pub(crate) fn next(resume: &ResumeRun) -> Result<Self, Failure> {
        Ok(Self {
            id: resume.leg.stored(),
            run: resume.run.stored(),
            idx: 0,
            conversation: resume.conversation.stored(),
            answer: Uuid::from_bytes([0; 16]),
            answer_seq: 0,
            node: resume.node.stored(),
            epoch: 0,
            opened_at: date(resume.at_ms),
            closed_at: None,
            open: true,
            alias: None,
            owner: String::new(),
            status: RunStatus::Queued.as_str().to_owned(),
            error: None,
            stop: None,
            writes: 0,
            settings: StoredText::of("leg's settings", &resume.settings)?,
            echo: resume.echo.as_ref().map(echo).transpose()?,
            answers: Some(StoredText::of("leg's answers", &resume.answers)?),
            raw_opening: None,
            raw_closing: None,
            opening: OpeningDocument::default(),
        })
    }

    /// Whether reading it is work for the blocking pool.
    pub(crate) fn is_long(&self) -> bool {
        let texts = [
            Some(&self.settings),
            self.echo.as_ref(),
            self.answers.as_ref(),
        ];
        texts.into_iter().flatten().any(StoredText::is_long)
    }

    /// What it says.
    pub(crate) fn read(self) -> Result<Leg, Failure> {
        Ok(Leg {
            id: StoredId::from_stored(self.id),
            run: StoredId::from_stored(self.run),
            index: u32::try_from(self.idx).map_err(Failure::corrupt("leg's index"))?,
            conversation: StoredId::from_stored(self.conversation),
            message: StoredId::from_stored(self.answer),
            message_seq: unsigned(self.answer_seq)?,
            node: StoredId::from_stored(self.node),
            epoch: unsigned(self.epoch)?,
            opened_at_ms: self.opened_at.timestamp_millis(),
            settings: self.settings.read("leg's settings")?,
            echo: self.echo.map(|echo| echo.read("leg's echo")).transpose()?,
            answers: match self.answers {
                Some(answers) => answers.read("leg's answers")?,
                None => Vec::new(),
            },
            status: named(
                "run's status",
                &self.status,
                RunStatus::from_name(&self.status),
            )?,
            error: self
                .error
                .map(|text| serde_json::from_str(&text).map_err(Failure::corrupt("run's error")))
                .transpose()?,
            closed_at_ms: self.closed_at.map(DateTime::timestamp_millis),
        })
    }
}

/// All events of a closed leg, in `skein_seals`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SealDocument {
    /// The leg's id.
    #[serde(rename = "_id")]
    pub(crate) id: Uuid,
    /// As [`chat_core::codec::encode_seal`] made them.
    pub(crate) events: Binary,
}

impl Stored for SealDocument {
    const COLLECTION: &'static str = "skein_seals";
}

fn echo(echo: &Value) -> Result<StoredText, Failure> {
    StoredText::of("leg's echo", echo)
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

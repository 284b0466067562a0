use chat_core::{
    access::{InvalidOwner, Visibility},
    conversation::{Conversation, Origin},
    ports::{LegRef, OpenLeg, ResumeRun},
};
use mongodb::bson::{DateTime, Uuid};
use serde::{Deserialize, Serialize};

use super::{Stored, StoredId, date, named};
use crate::error::Failure;

/// A conversation, in `skein_conversations`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConversationDocument {
    #[serde(rename = "_id")]
    pub(crate) id: Uuid,
    pub(crate) owner: String,
    pub(crate) title: Option<String>,
    pub(crate) visibility: String,
    pub(crate) origin: String,
    pub(crate) created_at: DateTime,
    /// What a dialect keeps with it, as JSON text.
    #[serde(default = "no_metadata")]
    pub(crate) metadata: String,
    /// The id under which a conversation that was imported was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    /// The next free place for a message. A place is never given twice, also not after a cut.
    pub(crate) next_seq: i64,
    /// Raised by every opened leg, which then carries it.
    pub(crate) epoch: i64,
    /// Who waits for the slot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tickets: Vec<TicketDocument>,
    /// What it begins with, in a fork.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) prefix: Option<PrefixDocument>,
    #[serde(default)]
    pub(crate) tokens_used: i64,
    /// How often something was written that belongs to it and stands elsewhere. Makes such a write one of the
    /// conversation, too, so that a cut or a deletion that races it is noticed.
    #[serde(default)]
    pub(crate) writes: i64,
}

/// One who waits for a conversation's slot.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TicketDocument {
    pub(crate) number: i64,
    pub(crate) node: Uuid,
    pub(crate) deadline: DateTime,
}

/// The messages of another conversation that come before those of this one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct PrefixDocument {
    pub(crate) conversation: Uuid,
    /// Up to this place.
    pub(crate) seq: i64,
}

impl Stored for ConversationDocument {
    const COLLECTION: &'static str = "skein_conversations";
}

impl ConversationDocument {
    /// A conversation in which nothing was said yet.
    pub(crate) fn new(conversation: &Conversation) -> Self {
        Self {
            id: conversation.id.stored(),
            owner: conversation.owner.to_string(),
            title: conversation.title.clone(),
            visibility: conversation.visibility.as_str().to_owned(),
            origin: conversation.origin.as_str().to_owned(),
            created_at: date(conversation.created_at_ms),
            metadata: no_metadata(),
            alias: None,
            next_seq: 1,
            epoch: 0,
            tickets: Vec::new(),
            prefix: None,
            tokens_used: 0,
            writes: 0,
        }
    }

    /// What it says.
    pub(crate) fn read(self) -> Result<Conversation, Failure> {
        Ok(Conversation {
            id: StoredId::from_stored(self.id),
            owner: self
                .owner
                .parse()
                .map_err(Failure::corrupt::<InvalidOwner>("owner"))?,
            title: self.title,
            visibility: named(
                "visibility",
                &self.visibility,
                [Visibility::Private, Visibility::Public]
                    .into_iter()
                    .find(|known| known.as_str() == self.visibility),
            )?,
            origin: named("origin", &self.origin, Origin::from_name(&self.origin))?,
            created_at_ms: self.created_at.timestamp_millis(),
        })
    }
}

fn no_metadata() -> String {
    "{}".to_owned()
}

/// A client's key and what it opened, in `skein_idempotency`. It outlives the cut of its leg, not its conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeyDocument {
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) leg: Uuid,
    pub(crate) run: Uuid,
    pub(crate) conversation: Uuid,
    pub(crate) created_at: DateTime,
}

impl Stored for KeyDocument {
    const COLLECTION: &'static str = "skein_idempotency";
}

impl KeyDocument {
    /// The key of a send, if it has one.
    pub(crate) fn of(open: &OpenLeg) -> Option<Self> {
        let key = open.key.as_ref()?;
        Some(Self {
            owner: open.caller.to_string(),
            name: key.0.clone(),
            leg: open.leg.stored(),
            run: open.run.stored(),
            conversation: open.conversation.stored(),
            created_at: date(open.at_ms),
        })
    }

    /// The key of a client's answers, if they have one.
    pub(crate) fn of_answers(resume: &ResumeRun) -> Option<Self> {
        let key = resume.key.as_ref()?;
        Some(Self {
            owner: resume.caller.to_string(),
            name: key.0.clone(),
            leg: resume.leg.stored(),
            run: resume.run.stored(),
            conversation: resume.conversation.stored(),
            created_at: date(resume.at_ms),
        })
    }

    /// What it opened.
    pub(crate) fn read(&self) -> LegRef {
        LegRef {
            leg: StoredId::from_stored(self.leg),
            run: StoredId::from_stored(self.run),
            conversation: StoredId::from_stored(self.conversation),
        }
    }
}

/// One who sends under a quota, in `skein_quotas` under the owner: two of their sends that race meet in it, so that the later
/// one counts what the earlier one stored. It is written by each of them and read by none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct QuotaDocument {
    #[serde(rename = "_id")]
    pub(crate) owner: String,
    /// How many sends were counted so far.
    pub(crate) sends: i64,
}

impl Stored for QuotaDocument {
    const COLLECTION: &'static str = "skein_quotas";
}

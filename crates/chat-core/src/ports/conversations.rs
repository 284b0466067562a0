use async_trait::async_trait;
use serde_json::Value;

use super::StoreError;
use crate::{
    access::Owner,
    conversation::{Conversation, NewConversation},
    id::{ConversationId, LegId, MessageId, NodeId, RunId},
    message::NewMessage,
    run::LegSettings,
};

/// Conversations and the one slot each of them has for an active run.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// Opens a run with its first leg, durable, together with everything that a send changes.
    ///
    /// In one transaction: the conversation is found or, with [`OpenLeg::create`], made; the caller is checked to be
    /// its owner; messages from [`OpenLeg::cut_from`] on are deleted; the input messages are appended in order; a
    /// place is reserved for the answer, which is not stored yet; the run and its leg are stored; the run takes the
    /// conversation's slot. Any refusal changes nothing.
    ///
    /// Checks are made in this order, the first that fails is answered: a repeated idempotency key gives
    /// [`Opened::Repeated`] and changes nothing, also when what it named was cut away since; a missing conversation
    /// without `create` is [`Refusal::NotFound`]; a foreign one [`Refusal::Forbidden`]; an input message's id that
    /// another message has, or an answer that is still to come, is [`Refusal::MessageTaken`], unless the cut deletes
    /// that one, and so is such an id for the answer; under [`Policy::Refuse`] a slot that is held, unless the cut
    /// frees it, is [`Refusal::Busy`].
    ///
    /// Under [`Policy::Replace`] the slot is taken from its holder in the same transaction: a paused holder is
    /// cancelled there; one with an open leg is marked `cancelling` and given back as
    /// [`FreshLeg::predecessor`], for its owner to close. When two callers race, both succeed one after the other and
    /// the later one replaces the earlier one: the slot is never held by two.
    ///
    /// A cut deletes messages at or after the named one by sequence, the runs that wrote or were to write them, their
    /// legs, logs and seals, and gives the legs that were open as [`FreshLeg::dropped`]; a later write of such a leg
    /// is refused as lost. A cut begins at a person's message: a `cut_from` that names no message of this
    /// conversation, or one whose role is not [`Role::User`](crate::message::Role::User), or an answer that is still to
    /// come, cuts nothing. So an input message that asks for its own id to be cut, and names an answer, is
    /// [`Refusal::MessageTaken`].
    async fn open_leg(&self, open: OpenLeg) -> Result<Opened, StoreError>;

    /// The conversation with this id, or `None`.
    async fn find_conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError>;

    /// A page of an owner's conversations, newest first.
    ///
    /// They are ordered by creation time, then by id, both descending, so that a page neither skips nor repeats while
    /// others are made or deleted. `more` says whether at least one further conversation lies beyond the page in the
    /// direction of the query.
    async fn list_conversations(&self, query: HistoryQuery) -> Result<HistoryPage, StoreError>;

    /// Gives the conversation a title if it still has `was`, and says whether it did.
    ///
    /// The comparison keeps a generated title from overwriting one that a person gave meanwhile.
    async fn retitle(
        &self,
        id: ConversationId,
        was: Option<&str>,
        title: &str,
    ) -> Result<bool, StoreError>;

    /// Deletes the conversation with its messages, runs, legs, logs and idempotency keys, and gives it as it was.
    ///
    /// `None` when there was none. Legs that were open are given back as dropped; their later writes are lost.
    async fn delete_conversation(&self, id: ConversationId) -> Result<Option<Deleted>, StoreError>;
}

/// Everything that a send changes, to be done at once.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenLeg {
    /// The conversation.
    pub conversation: ConversationId,
    /// The caller, who must be its owner.
    pub caller: Owner,
    /// What to make it of if it is not there; `None` refuses.
    pub create: Option<NewConversation>,
    /// Deletes from this message of a person on, first: an edit. Cuts nothing when it names anything else.
    pub cut_from: Option<MessageId>,
    /// Messages to append, in order.
    pub input: Vec<NewMessage>,
    /// The new run's id.
    pub run: RunId,
    /// Its first leg's id.
    pub leg: LegId,
    /// The id that the answer will have.
    pub answer: MessageId,
    /// What becomes of an active run.
    pub policy: Policy,
    /// What the leg was resolved to.
    pub settings: LegSettings,
    /// What the dialect wants back, opaque.
    pub echo: Option<Value>,
    /// The node that will work on it.
    pub node: NodeId,
    /// The client's key under which a repeat gives the first outcome.
    pub key: Option<IdempotencyKey>,
    /// The time, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// A client's idempotency key. It is the caller's own: two callers with one key do not meet.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(pub String);

/// What becomes of a run that holds the slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// It is stopped, its text kept.
    Replace,
    /// It goes on, and the new one is refused.
    Refuse,
}

/// What opening came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Opened {
    /// A new leg.
    Fresh(Box<FreshLeg>),
    /// The key was seen before: the leg that was opened then.
    Repeated(LegRef),
    /// Nothing was changed.
    Refused(Refusal),
}

/// A leg that was opened.
#[derive(Debug, Clone, PartialEq)]
pub struct FreshLeg {
    /// The conversation as it is now.
    pub conversation: Conversation,
    /// Whether this call made it.
    pub created: bool,
    /// The place reserved for the answer.
    pub answer_seq: u64,
    /// The epoch that the leg's writes carry.
    pub epoch: u64,
    /// The open leg that lost its slot to this one.
    pub predecessor: Option<Predecessor>,
    /// Open legs whose messages were cut away.
    pub dropped: Vec<DroppedLeg>,
}

/// An open leg that lost its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Predecessor {
    /// It.
    pub leg: LegId,
    /// The node that works on it.
    pub node: NodeId,
}

/// An open leg that was deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DroppedLeg {
    /// It.
    pub leg: LegId,
    /// The node that works on it.
    pub node: NodeId,
}

/// A leg and where it belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LegRef {
    /// The leg.
    pub leg: LegId,
    /// Its run.
    pub run: RunId,
    /// Its conversation.
    pub conversation: ConversationId,
}

/// Why nothing was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such conversation.
    NotFound,
    /// The caller does not own it.
    Forbidden,
    /// A message's id belongs to another message.
    MessageTaken,
    /// The slot is held.
    Busy,
}

/// Which of an owner's conversations to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Whose.
    pub owner: Owner,
    /// From where on.
    pub cursor: HistoryCursor,
    /// At most this many.
    pub limit: u32,
}

/// From where on to list. A cursor names a place (time, id), not a row, so it holds when that row is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryCursor {
    /// From the newest on.
    Newest,
    /// Strictly older than this place.
    OlderThan(i64, ConversationId),
    /// Strictly newer than this place: the newest `limit` of them, still newest first.
    NewerThan(i64, ConversationId),
}

/// A page of conversations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// They, newest first.
    pub conversations: Vec<Conversation>,
    /// Whether there are more beyond the page.
    pub more: bool,
}

/// A conversation that was deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// It, as it was.
    pub conversation: Conversation,
    /// Its legs that were open.
    pub dropped: Vec<DroppedLeg>,
}

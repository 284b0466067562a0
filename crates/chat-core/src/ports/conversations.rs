use async_trait::async_trait;
use serde_json::Value;

use super::{EndPaused, PausedRun, StoreError};
use crate::{
    access::{Owner, Visibility},
    conversation::{Conversation, NewConversation},
    event::CallAnswer,
    id::{ConversationId, LegId, MessageId, NodeId, RunId},
    message::{MessageBody, NewMessage},
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
    /// [`Opened::Repeated`] and changes nothing, also when what it named was cut away since; an [`OpenLeg::quota`] that is
    /// spent is [`Refusal::QuotaSpent`]; a missing conversation
    /// without `create` is [`Refusal::NotFound`]; a foreign one [`Refusal::Forbidden`]; an input message's id that
    /// another message has, or an answer that is still to come, is [`Refusal::MessageTaken`], unless the cut deletes
    /// that one, and so is such an id for the answer; under [`Policy::Refuse`] a slot that is held, unless the cut
    /// frees it, is [`Refusal::Busy`].
    ///
    /// Under [`Policy::Replace`] the slot is taken from its holder in the same transaction: a paused holder that the cut
    /// leaves is ended as [`OpenLeg::ends`] says, and is [`Refusal::Paused`] when that names no or another run or leg, the
    /// last check of all; one with an open leg is marked `cancelling` and given back as
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

    /// Opens the next leg of a run that waits for its client, durable, with the client's answers.
    ///
    /// In one transaction: the leg is stored with the next index of its run and its `answers`; the conversation's epoch is
    /// raised and the leg carries it; the run's answer message takes `body`; the run is `queued`, works on `node` and does
    /// not expire any more. The run must be `requires_action`, or else `expired` or `cancelled` while no other run holds
    /// the slot and its answer's place is the last one given: a late answer, for which the same run takes the slot again,
    /// so that its answer stays one message at one place. Its newest leg must be `after`, and closed. Anything else, a run or a conversation that is gone among it, is
    /// [`Resumed::Lost`] and changes nothing. A repeated idempotency key is looked at first. When callers race, exactly
    /// one opens the leg.
    async fn resume_run(&self, resume: ResumeRun) -> Result<Resumed, StoreError>;

    /// Deletes a conversation's messages from this one on, of whatever role, and says what it deleted.
    ///
    /// All that [`OpenLeg::cut_from`] says of a cut holds, but the message may also be an answer. `None`, and no change,
    /// when this conversation has no stored message of this id. The epoch is raised. A run that held the slot and whose
    /// answer was to stand at or after the message is gone, its open leg among [`Cut::dropped`].
    async fn cut(
        &self,
        conversation: ConversationId,
        from: MessageId,
    ) -> Result<Option<Cut>, StoreError>;

    /// Changes what is given, and gives the conversation as it is now; `None` when it is not there.
    async fn change_conversation(
        &self,
        id: ConversationId,
        change: ConversationChange,
    ) -> Result<Option<Conversation>, StoreError>;

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
    /// How a paused run ends that holds the slot.
    pub ends: Option<EndPaused>,
    /// How many messages the caller may send.
    pub quota: Option<Quota>,
    /// The time, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// How many messages someone may send.
///
/// Counted are the stored messages of role user in the caller's own conversations that were made at or after `since_ms`:
/// one that was deleted does not count any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// When there are more than this many already, no further one is taken.
    pub limit: u64,
    /// From when on they count, in milliseconds since the Unix epoch.
    pub since_ms: i64,
}

/// The next leg of a run that waits.
#[derive(Debug, Clone, PartialEq)]
pub struct ResumeRun {
    /// The conversation.
    pub conversation: ConversationId,
    /// Who answers: whose `key` it is. The caller has checked that they own the conversation.
    pub caller: Owner,
    /// The run.
    pub run: RunId,
    /// Its newest leg, which is closed.
    pub after: LegId,
    /// The new leg's id.
    pub leg: LegId,
    /// The client's answers.
    pub answers: Vec<CallAnswer>,
    /// The run's answer message as it is with them; its status is in progress.
    pub body: MessageBody,
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

/// What resuming came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Resumed {
    /// A new leg.
    Fresh(ResumedLeg),
    /// The key was seen before: the leg that was opened then.
    Repeated(LegRef),
    /// The run does not wait for this; nothing was changed.
    Lost,
}

/// A leg that continues its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResumedLeg {
    /// Its place in the run.
    pub index: u32,
    /// The epoch that its writes carry.
    pub epoch: u64,
    /// The run's answer message.
    pub message: MessageId,
    /// That message's place.
    pub message_seq: u64,
}

/// What to change of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConversationChange {
    /// The new title.
    pub title: Option<String>,
    /// Who may read it from now on.
    pub visibility: Option<Visibility>,
}

/// What a cut deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// How many stored messages.
    pub messages: u64,
    /// Legs that were open.
    pub dropped: Vec<DroppedLeg>,
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
    /// The caller sent as many messages as they may.
    QuotaSpent,
    /// This run holds the slot and waits for its client; [`OpenLeg::ends`] does not name it as it is.
    Paused(PausedRun),
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

use async_trait::async_trait;

use super::StoreError;
use crate::{
    id::{ConversationId, LegId, MessageId, NodeId, RunId},
    message::MessageBody,
    run::{Leg, RunError, RunStatus},
};

/// Runs and their legs.
#[async_trait]
pub trait Runs: Send + Sync {
    /// The leg with this id, or `None`.
    async fn find_leg(&self, id: LegId) -> Result<Option<Leg>, StoreError>;

    /// The leg of this conversation that was opened last, or `None` if it never had one that is still kept.
    async fn newest_leg(&self, conversation: ConversationId) -> Result<Option<Leg>, StoreError>;

    /// Writes what an open leg has come to: its run's status and, if given, its answer message as it is now.
    ///
    /// Inserts the answer at its reserved place the first time and overwrites its body later. Answers
    /// [`Closed::Lost`] and changes nothing when the leg was closed or deleted, or when `epoch` is not its own.
    /// A run that was asked to stop stays `cancelling`.
    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<Closed, StoreError>;

    /// Closes a leg: its answer, its seal, its run's status and, when that is terminal, the slot, in one transaction.
    ///
    /// The first close wins: a later one, one with another epoch and one of a deleted leg answer [`Closed::Lost`] and
    /// change nothing. With [`RunStatus::RequiresAction`] the run keeps the slot; but a run that is `cancelling` does not
    /// pause: its leg stays open, and the close is lost. The leg's log records are deleted;
    /// from now on the leg is read from its seal only. An answer without content is not stored.
    async fn close_leg(&self, close: CloseLeg) -> Result<Closed, StoreError>;

    /// Marks the conversation's active run as asked to stop and says where its open leg is worked on.
    ///
    /// `None` when no run is active, or when the active one has no open leg, or when there is no such conversation.
    /// Asking again gives the same answer until the run is closed.
    async fn ask_stop(&self, conversation: ConversationId)
    -> Result<Option<StopAsked>, StoreError>;

    /// Ends a run that waits for its client: its status, its answer message as it is now, and the slot, in one
    /// transaction.
    ///
    /// [`Closed::Lost`], and no change, when the run is not `requires_action` or its newest leg is another one: someone
    /// resumed, ended or deleted it first.
    async fn end_paused(&self, end: EndPaused) -> Result<Closed, StoreError>;

    /// Runs that wait for a client and expire at or before this time, those that expire first first, at most `limit`.
    async fn list_expired(&self, at_ms: i64, limit: u32) -> Result<Vec<PausedRun>, StoreError>;

    /// The conversation's run that waits for a client, or `None`.
    async fn find_paused(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<PausedRun>, StoreError>;

    /// Open legs whose node is none of `alive`, oldest first: what a dead node left behind, and what was released.
    async fn list_orphans(&self, alive: &[NodeId]) -> Result<Vec<Leg>, StoreError>;

    /// How each of these legs stands, in the order asked.
    ///
    /// What a node asks about its own legs with each heartbeat, for a signal may have been missed.
    async fn standing(&self, legs: &[LegId]) -> Result<Vec<Standing>, StoreError>;

    /// Gives an open leg up for another node to work on: its node is [`NodeId::NOBODY`] from now on.
    ///
    /// Answers [`Closed::Lost`] and changes nothing when the leg was closed or deleted, when its run was asked to stop or
    /// was replaced, or when `epoch` is not its own.
    async fn release_leg(&self, leg: LegId, epoch: u64) -> Result<Closed, StoreError>;

    /// Takes a released leg over, with its epoch raised by one, and gives it as it is now.
    ///
    /// `None` when it is not released, or no longer: when several nodes race for one, exactly one gets it. A later write
    /// with the earlier epoch is lost.
    async fn claim_leg(&self, leg: LegId, node: NodeId) -> Result<Option<Leg>, StoreError>;
}

/// How a leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Open, and to be worked on.
    Open,
    /// Open, and its run is to stop: someone asked, or a later send took the slot.
    Stopping,
    /// Closed.
    Closed,
    /// Deleted, or it never was.
    Gone,
}

/// What an open leg has come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The leg.
    pub leg: LegId,
    /// Its epoch.
    pub epoch: u64,
    /// Where its run stands.
    pub status: RunStatus,
    /// Its answer, once it has content.
    pub answer: Option<AnswerRecord>,
}

/// An answer to insert or to overwrite.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerRecord {
    /// Its id, the one the leg was opened with.
    pub id: MessageId,
    /// When it was begun, in milliseconds since the Unix epoch; kept from the first write.
    pub created_at_ms: i64,
    /// Its parts and what became of it.
    pub body: MessageBody,
}

/// The end of a leg.
#[derive(Debug, Clone, PartialEq)]
pub struct CloseLeg {
    /// The leg.
    pub leg: LegId,
    /// Its epoch.
    pub epoch: u64,
    /// Where its run stands now: terminal, or [`RunStatus::RequiresAction`].
    pub status: RunStatus,
    /// Why it fell short.
    pub error: Option<RunError>,
    /// Its answer; `None` when there is no content to keep.
    pub answer: Option<AnswerRecord>,
    /// When the run expires, in milliseconds since the Unix epoch; only with [`RunStatus::RequiresAction`].
    pub expires_at_ms: Option<i64>,
    /// All its events, as [`crate::codec::encode_seal`] made them.
    pub seal: Vec<u8>,
    /// The time, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// The end of a run that waits for its client.
#[derive(Debug, Clone, PartialEq)]
pub struct EndPaused {
    /// The run.
    pub run: RunId,
    /// Its newest leg, which is closed.
    pub leg: LegId,
    /// Where the run stands now: [`RunStatus::Cancelled`] or [`RunStatus::Expired`].
    pub status: RunStatus,
    /// Its answer message as it is now.
    pub body: MessageBody,
    /// The time, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// A run that waits for its client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PausedRun {
    /// The conversation.
    pub conversation: ConversationId,
    /// The run.
    pub run: RunId,
    /// Its newest leg, which is closed.
    pub leg: LegId,
    /// Its answer message.
    pub message: MessageId,
}

/// Whether a leg's write was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a leg that was lost to another writer must stop"]
pub enum Closed {
    /// It was.
    Done,
    /// Another writer came first, or the leg is gone; nothing was changed.
    Lost,
}

/// Where a run that was asked to stop is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StopAsked {
    /// Its open leg.
    pub leg: LegId,
    /// The node.
    pub node: NodeId,
}

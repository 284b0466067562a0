use async_trait::async_trait;

use super::StoreError;
use crate::{
    access::Owner,
    id::{ConversationId, PinId},
    message::TokenCost,
};

/// What stands beside a conversation's messages and goes into its prompts: a summary of its beginning, and exchanges that
/// are pinned as examples.
#[async_trait]
pub trait Notes: Send + Sync {
    /// The conversation's summary, or `None`.
    async fn find_summary(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Summary>, StoreError>;

    /// Stores a summary if the one that is there still covers up to `was` (`None`: if none is there), and says whether
    /// it did.
    ///
    /// The comparison keeps a summary that was made from an earlier state from overwriting a newer one: when callers race
    /// with one `was`, exactly one wins. A conversation that is not there has nothing stored. A cut at or before
    /// [`Summary::covers_upto`] deletes the summary in its own transaction, and so does the conversation's deletion.
    async fn store_summary(
        &self,
        conversation: ConversationId,
        was: Option<u64>,
        summary: Summary,
    ) -> Result<bool, StoreError>;

    /// The pins of an owner, then those of a conversation, each oldest first (ties by id), at most `limit` in all.
    async fn list_pins(
        &self,
        owner: &Owner,
        conversation: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<Pin>, StoreError>;

    /// Stores a pin unless one with its id is there, and says whether it did.
    ///
    /// One for a conversation that is not there is not stored. Pins of a conversation are deleted with it.
    async fn insert_pin(&self, pin: Pin) -> Result<bool, StoreError>;
}

/// What the beginning of a conversation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The text.
    pub text: String,
    /// The sequence number of the last message that it stands for; 0 when it stands for messages that are not stored.
    pub covers_upto: u64,
    /// What it costs in a prompt, once per encoding it was counted in.
    pub costs: Vec<TokenCost>,
    /// The model that made it, where that is known.
    pub model: Option<String>,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
}

/// An exchange that every prompt shows to the model as an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// Its id.
    pub id: PinId,
    /// Where it holds.
    pub scope: PinScope,
    /// What the person says in it.
    pub prompt: String,
    /// What the model answers in it.
    pub answer: String,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
}

/// Where a pin holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinScope {
    /// In every conversation of this owner.
    Owner(Owner),
    /// In one conversation.
    Conversation(ConversationId),
}

use async_trait::async_trait;

use super::StoreError;
use crate::{
    access::Owner,
    id::{ConversationId, MessageId},
    message::{Message, Rating},
};

/// Messages as they are stored. A message in progress is not here: it is a fold over its leg's events.
#[async_trait]
pub trait Messages: Send + Sync {
    /// The message with this id, or `None`.
    async fn find_message(&self, id: MessageId) -> Result<Option<Message>, StoreError>;

    /// A page of a conversation's messages by sequence.
    ///
    /// A conversation that is not there has no messages. `more` says whether at least one further message lies beyond
    /// the page in the direction of the query.
    async fn list_messages(&self, query: MessageQuery) -> Result<MessagePage, StoreError>;

    /// An owner's messages that hold every one of the query's terms, newest first, at most `limit`.
    ///
    /// Terms are folded by [`crate::terms::fold`] on both sides. A message is found soon after it was stored (within
    /// seconds, indexing lies off the path of the acknowledgement), and no longer once it was deleted.
    async fn search_messages(&self, query: SearchQuery) -> Result<Vec<SearchHit>, StoreError>;

    /// Sets what its reader thinks of a message of this conversation, over what they thought before, and says whether there
    /// is such a message.
    async fn rate_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        rating: Rating,
    ) -> Result<bool, StoreError>;

    /// The messages of a conversation that are rated, in order, with their ratings.
    async fn list_ratings(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<(MessageId, Rating)>, StoreError>;
}

/// Which messages of a conversation to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageQuery {
    /// The conversation.
    pub conversation: ConversationId,
    /// Which of them, and in which order.
    pub wanted: Wanted,
    /// At most this many.
    pub limit: u32,
}

/// Which messages, and in which order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Those with a greater sequence number, ascending; 0 reads from the beginning.
    After(u64),
    /// Those with a smaller sequence number, descending; `u64::MAX` reads from the end.
    Before(u64),
}

/// A page of messages.
#[derive(Debug, Clone, PartialEq)]
pub struct MessagePage {
    /// They, in the query's order.
    pub messages: Vec<Message>,
    /// Whether there are more beyond the page.
    pub more: bool,
}

/// What to search for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// Whose messages.
    pub owner: Owner,
    /// What the person typed.
    pub text: String,
    /// At most this many.
    pub limit: u32,
}

/// A message that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchHit {
    /// It.
    pub message: Message,
    /// Its conversation's title.
    pub title: Option<String>,
}

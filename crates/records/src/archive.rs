use async_trait::async_trait;
use chat_core::{
    access::Owner,
    conversation::Conversation,
    id::{ConversationId, MessageId, UserId},
    message::{Message, Rating},
};
use serde_json::{Map, Value};

use crate::{PasswordHash, SessionId, StoreError, User};

/// Moves whole records in and out of a store: what import and export need beyond the other ports.
///
/// A `put_*` stores a record as it is given, with its own id and times, unless a record of that id is there already: then
/// nothing is changed and the answer is [`Put::Known`], however the two differ. So an import that is run again changes
/// nothing, and one that broke off goes on. A `scan_*` gives pages in ascending order of ids; records that come and go
/// meanwhile may be missed, none is given twice.
#[async_trait]
pub trait Archive: Send + Sync {
    /// Stores a user. One whose [`UserRecord::email_key`] is another user's is [`Put::Taken`].
    async fn put_user(&self, user: UserRecord) -> Result<Put, StoreError>;

    /// Stores a session of a user who is there; [`Put::Orphan`] when they are not.
    async fn put_session(&self, session: SessionRecord) -> Result<Put, StoreError>;

    /// Stores a conversation without messages. One whose alias is another conversation's is [`Put::Taken`].
    async fn put_conversation(&self, conversation: ConversationRecord) -> Result<Put, StoreError>;

    /// Stores messages of a conversation, each at the place (`seq`) that it names, and says of each what became of it.
    ///
    /// In one transaction. The conversation goes on after the last of them. A message whose id stands in another
    /// conversation, whose place or alias another message has, or that a coming answer will have, is [`Put::Taken`];
    /// all are [`Put::Orphan`] when there is no such conversation. They are found by a search like any other.
    ///
    /// A place is from 1 to 2^53, and each message names this conversation; anything else is an error. Other writers may
    /// have to wait meanwhile, so a caller gives about 8 MiB of messages at a time, or a single greater one.
    async fn put_messages(
        &self,
        conversation: ConversationId,
        messages: Vec<MessageRecord>,
    ) -> Result<Vec<Put>, StoreError>;

    /// Sets the rating of a message that has none; [`Put::Known`] when it has one, [`Put::Orphan`] when it is not there.
    async fn put_rating(&self, message: MessageId, rating: Rating) -> Result<Put, StoreError>;

    /// Users after this one, at most `limit`.
    async fn scan_users(
        &self,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<UserRecord>, StoreError>;

    /// Sessions after this one, at most `limit`: of one user, or of all. One that expired may be among them.
    async fn scan_sessions(
        &self,
        user: Option<UserId>,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, StoreError>;

    /// Conversations after this one, at most `limit`: of one owner, or of all.
    async fn scan_conversations(
        &self,
        owner: Option<&Owner>,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<ConversationRecord>, StoreError>;

    /// A conversation's messages after this place, in order, at most `limit`.
    async fn scan_messages(
        &self,
        conversation: ConversationId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<MessageRecord>, StoreError>;

    /// Every owner that has a conversation, a pin, a file or a document, each once, after this one in the order of their
    /// text forms, at most `limit`.
    async fn scan_owners(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<Owner>, StoreError>;
}

/// What became of a record that was put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "a record that was not stored is to be reported"]
pub enum Put {
    /// It was stored.
    New,
    /// A record of this id was there and is as it was.
    Known,
    /// What must be unique of it is another record's; nothing was stored.
    Taken,
    /// What it belongs to is not there; nothing was stored.
    Orphan,
}

/// A user with all that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The user.
    pub user: User,
    /// The form of the address that is unique: [`email_key`](crate::email_key), or [`exact_email_key`](crate::exact_email_key)
    /// for one of several users whose addresses differ in case only.
    pub email_key: String,
    /// The hash of the password.
    pub password: Option<PasswordHash>,
}

/// A session with all that is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct SessionRecord {
    /// The id.
    pub id: SessionId,
    /// Who signed in.
    pub user: UserId,
    /// The SHA-256 of its current refresh token.
    pub token: [u8; 32],
    /// When it expires unless its token is used, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
}

impl std::fmt::Debug for SessionRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionRecord")
            .field("id", &self.id)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A conversation with all that is kept, but its messages, summary and pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConversationRecord {
    /// The conversation.
    pub conversation: Conversation,
    /// The id that it was known by elsewhere; unique.
    pub alias: Option<String>,
    /// What its frontend keeps with it, opaque.
    pub metadata: Map<String, Value>,
    /// How many tokens its runs have used.
    pub tokens_used: u64,
    /// The next free place; places before it that hold no message are never used.
    pub next_seq: u64,
}

/// A message with all that is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct MessageRecord {
    /// The message.
    pub message: Message,
    /// The id that it was known by elsewhere; unique.
    pub alias: Option<String>,
    /// What its reader thought of it.
    pub rating: Option<Rating>,
}

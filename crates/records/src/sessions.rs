use async_trait::async_trait;
use chat_core::id::UserId;
use uuid::Uuid;

use crate::StoreError;

/// Who is signed in: one session for each sign-in, with the refresh token that holds it open.
///
/// A refresh token is good for one use: each use replaces it. One that is used a second time was stolen, from its owner or by
/// its owner's thief, and the session ends for both (RFC 9700, section 4.14.2). Only hashes of tokens are kept.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Stores a session.
    async fn insert_session(&self, session: NewSession) -> Result<(), StoreError>;

    /// Whose session it is, or `None` when there is none of this id, or it ended or expired before `at_ms`.
    async fn find_session(&self, id: SessionId, at_ms: i64) -> Result<Option<UserId>, StoreError>;

    /// Replaces a session's refresh token by the next one, if `presented` is the hash of the current one.
    ///
    /// Any other hash ends the session and is [`Rotation::Reused`]. A session that ended, expired before `at_ms` or never was is
    /// [`Rotation::Unknown`]. When two callers present the same token, one rotates it and the other ends the session.
    async fn rotate_session(
        &self,
        id: SessionId,
        presented: [u8; 32],
        next: [u8; 32],
        at_ms: i64,
        expires_at_ms: i64,
    ) -> Result<Rotation, StoreError>;

    /// Ends a session and says whether there was one.
    async fn end_session(&self, id: SessionId) -> Result<bool, StoreError>;

    /// Ends all sessions of a user and says how many there were.
    async fn end_sessions_of(&self, user: UserId) -> Result<u64, StoreError>;

    /// Deletes what is kept of sessions that expired before this time, and says of how many.
    async fn sweep_sessions(&self, at_ms: i64) -> Result<u64, StoreError>;
}

/// A session's id: random. Access tokens carry it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub Uuid);

/// A session to store.
#[derive(Clone, PartialEq, Eq)]
pub struct NewSession {
    /// The id.
    pub id: SessionId,
    /// Who signed in.
    pub user: UserId,
    /// The SHA-256 of its refresh token.
    pub token: [u8; 32],
    /// When it expires unless its token is used, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
    /// The time, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

impl std::fmt::Debug for NewSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSession")
            .field("id", &self.id)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// What became of a refresh token that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "only a rotated token signs its caller in"]
pub enum Rotation {
    /// It was the current one; the next one took its place.
    Rotated(UserId),
    /// It was used before, or never was one of this session: the session has ended.
    Reused(UserId),
    /// There is no such session.
    Unknown,
}

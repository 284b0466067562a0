use async_trait::async_trait;
use chat_core::id::UserId;

use crate::StoreError;

/// People and guests.
#[async_trait]
pub trait Users: Send + Sync {
    /// Stores a user and gives it, or says what stands in the way; then nothing was changed.
    ///
    /// When two callers race for one e-mail address, exactly one gets it.
    async fn insert_user(&self, user: NewUser) -> Result<Result<User, UserRefusal>, StoreError>;

    /// The user with this id, or `None`.
    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The user whose e-mail address has this [`email_key`], or `None`.
    async fn find_user_by_email(&self, key: &str) -> Result<Option<User>, StoreError>;
}

/// Why a user was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserRefusal {
    /// Another user has the e-mail address.
    EmailTaken,
}

/// Someone who can own things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The e-mail address as it was typed; `guest-<digits>` for a guest.
    pub email: String,
    /// Guest or not.
    pub kind: UserKind,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
}

/// A user to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The id.
    pub id: UserId,
    /// The e-mail address as it was typed.
    pub email: String,
    /// Guest or not.
    pub kind: UserKind,
    /// The time, in milliseconds since the Unix epoch.
    pub at_ms: i64,
}

/// What sort of user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserKind {
    /// Made without a name and a password.
    Guest,
    /// Registered.
    Regular,
}

impl UserKind {
    /// The name it is stored under, and the `type` of its tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Guest => "guest",
            Self::Regular => "regular",
        }
    }

    /// Reads a stored name; `None` for an unknown one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Guest, Self::Regular]
            .into_iter()
            .find(|kind| kind.as_str() == name)
    }
}

/// The form in which an e-mail address is unique: trimmed, in lower case.
pub fn email_key(email: &str) -> String {
    email.trim().to_lowercase()
}

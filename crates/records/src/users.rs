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

    /// The user's password hash as it was stored, or `None` when there is no such user or it has no password.
    ///
    /// It is no field of [`User`], so that it does not travel with one.
    async fn find_password(&self, id: UserId) -> Result<Option<PasswordHash>, StoreError>;

    /// Replaces a user's password hash if it still is `was`, and says whether it did.
    ///
    /// The comparison keeps the hash that a login made of an old password from overwriting a new one's.
    async fn replace_password(
        &self,
        id: UserId,
        was: &PasswordHash,
        next: PasswordHash,
    ) -> Result<bool, StoreError>;

    /// Makes a guest a regular user with an address and a password, and gives the user; or says what stands in the way, and
    /// then nothing was changed. The id stays, and with it all that the guest owns.
    ///
    /// When two callers race for one address, exactly one gets it; of two that promote one guest, the second is
    /// [`UserRefusal::NotAGuest`].
    async fn promote_guest(
        &self,
        promotion: Promotion,
    ) -> Result<Result<User, UserRefusal>, StoreError>;
}

/// A hash of a password, in the text form that its algorithm writes: `$2b$…` of bcrypt, `$argon2id$…`.
///
/// Its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps the text form.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text form.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// Why a user was not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserRefusal {
    /// Another user has the e-mail address.
    EmailTaken,
    /// The user is no guest, not any more, or not there.
    NotAGuest,
}

/// A guest who registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// The guest.
    pub id: UserId,
    /// The e-mail address as it was typed.
    pub email: String,
    /// The hash of the password.
    pub password: PasswordHash,
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
    /// What is unique of the user: [`email_key`] of the address, or [`identity_key`].
    pub email_key: String,
    /// Guest or not.
    pub kind: UserKind,
    /// The hash of the password; `None` for one who has none.
    pub password: Option<PasswordHash>,
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

/// The form of an e-mail address under which a user is found by its exact spelling only: for users that were imported from
/// a database where several addresses differed in case.
pub fn exact_email_key(email: &str) -> String {
    format!("={email}")
}

/// The key of a user whom another issuer of tokens knows, in place of an e-mail address: an address that two issuers tell us does
/// not make two people one. No address that can be typed at a login has this form.
pub fn identity_key(issuer: &str, subject: &str) -> String {
    format!("~{issuer}\n{subject}")
}

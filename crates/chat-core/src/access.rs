//! Who may do what: one pure table, called by the engine and by the `records` ports' users.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::id::UserId;

/// Who owns an object, and who is calling.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Owner {
    /// A user or a guest with an account of their own.
    User(UserId),
    /// A browser known by a signed cookie only; its objects open by id and are never listed to others.
    Browser(UserId),
    /// The one pool of everyone who calls a tenant surface without a user's token.
    Tenant,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(id) => write!(f, "user:{id}"),
            Self::Browser(id) => write!(f, "browser:{id}"),
            Self::Tenant => f.write_str("tenant:default"),
        }
    }
}

impl From<Owner> for String {
    fn from(owner: Owner) -> Self {
        owner.to_string()
    }
}

/// What a stored owner was not: `user:<uuid>`, `browser:<uuid>` or `tenant:default`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an owner: user:<uuid>, browser:<uuid> or tenant:default is accepted")]
pub struct InvalidOwner;

impl FromStr for Owner {
    type Err = InvalidOwner;

    fn from_str(text: &str) -> Result<Self, InvalidOwner> {
        match text.split_once(':') {
            Some(("user", id)) => id.parse().map(Self::User).or(Err(InvalidOwner)),
            Some(("browser", id)) => id.parse().map(Self::Browser).or(Err(InvalidOwner)),
            Some(("tenant", "default")) => Ok(Self::Tenant),
            _ => Err(InvalidOwner),
        }
    }
}

impl TryFrom<String> for Owner {
    type Error = InvalidOwner;

    fn try_from(text: String) -> Result<Self, InvalidOwner> {
        text.parse()
    }
}

/// Whether others may read a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Only its owner.
    #[default]
    Private,
    /// Anyone who knows its id reads it; nobody else writes.
    Public,
}

impl Visibility {
    /// The name it is stored under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// What a caller wants to do to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See the conversation, its messages, its runs.
    Read,
    /// Add to it, change it, stop its run, delete it; or see what only its owner sees, such as votes.
    Write,
}

/// Says whether `caller` may do `action` to an object of `owner`.
///
/// The owner may do all; anyone else may read what is public and nothing more.
pub fn allowed(caller: &Owner, owner: &Owner, visibility: Visibility, action: Action) -> bool {
    if caller == owner {
        return true;
    }
    match (visibility, action) {
        (Visibility::Public, Action::Read) => true,
        (Visibility::Public, Action::Write)
        | (Visibility::Private, Action::Read | Action::Write) => false,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn only_the_owner_writes_and_strangers_read_what_is_public() {
        let id = UserId::new(Uuid::from_u128(1));
        let owners = [
            Owner::User(id),
            Owner::User(UserId::new(Uuid::from_u128(2))),
            Owner::Browser(id),
            Owner::Tenant,
        ];
        for owner in &owners {
            for caller in &owners {
                let own = owner == caller;
                let check = |visibility, action| allowed(caller, owner, visibility, action);
                assert_eq!(check(Visibility::Private, Action::Read), own);
                assert_eq!(check(Visibility::Private, Action::Write), own);
                assert!(check(Visibility::Public, Action::Read));
                assert_eq!(check(Visibility::Public, Action::Write), own);
            }
        }
    }

    #[test]
    fn an_owner_reads_back_as_written_and_nothing_else_is_one() {
        let id = UserId::new(Uuid::from_u128(7));
        for owner in [Owner::User(id), Owner::Browser(id), Owner::Tenant] {
            assert_eq!(owner.to_string().parse(), Ok(owner));
        }
        for text in ["", "user:", "user:7", "tenant:other", "admin"] {
            assert_eq!(text.parse::<Owner>(), Err(InvalidOwner), "{text}");
        }
    }
}

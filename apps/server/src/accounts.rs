//! Accounts: who is calling, and new guests.

use std::sync::Arc;

use auth::{Caller, CallerKind, TokenKeys, guest_email};
use chat_core::{
    id::UserId,
    ports::{Clock, IdSource, StoreError},
};
use records::{NewUser, User, UserKind, UserRefusal, Users, email_key};

/// How often a guest is given another name when the first is taken.
const ATTEMPTS: u32 = 8;

/// Knows users and makes their tokens.
pub struct Accounts {
    users: Arc<dyn Users>,
    keys: TokenKeys,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

/// Why nobody is known to call.
#[derive(Debug, thiserror::Error)]
pub enum NoCaller {
    /// The token is missing, bad or expired.
    #[error("the token is not accepted")]
    Token(#[from] auth::TokenError),
    /// The token is good, and its user is gone.
    #[error("the user of the token is gone")]
    Gone,
    /// The store failed.
    #[error("the user cannot be looked up")]
    Store(#[from] StoreError),
}

/// Why there is no new guest.
#[derive(Debug, thiserror::Error)]
pub enum NoGuest {
    /// Every name that was tried is taken.
    #[error("{ATTEMPTS} names for a guest were taken")]
    NamesTaken,
    /// The store failed.
    #[error("the guest cannot be stored")]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Accounts in this store, with tokens of these keys.
    pub const fn new(
        users: Arc<dyn Users>,
        keys: TokenKeys,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn IdSource>,
    ) -> Self {
        Self {
            users,
            keys,
            clock,
            ids,
        }
    }

    /// The user whose token stands in this `Authorization` header.
    pub async fn caller(&self, header: Option<&str>) -> Result<User, NoCaller> {
        let caller = self
            .keys
            .verify(auth::bearer(header)?, self.clock.now_ms())?;
        let user = self.users.find_user(UserId::new(caller.caller.user)).await?;
        user.ok_or(NoCaller::Gone)
    }

    /// A new guest, stored.
    pub async fn make_guest(&self) -> Result<User, NoGuest> {
        let now_ms = self.clock.now_ms();
        for attempt in 0..ATTEMPTS {
            // The bare time is the name that frontends know; when two come in one millisecond a random number tells
            // them apart.
            let salt = if attempt == 0 {
                0
            } else {
                self.ids.random().as_fields().0
            };
            let email = guest_email(now_ms, salt);
            let user = NewUser {
                id: UserId::new(self.ids.random()),
                email_key: email_key(&email),
                email,
                kind: UserKind::Guest,
                password: None,
                at_ms: now_ms,
            };
            match self.users.insert_user(user).await? {
                Ok(user) => return Ok(user),
                Err(UserRefusal::EmailTaken | UserRefusal::NotAGuest) => {}
            }
        }
        Err(NoGuest::NamesTaken)
    }

    /// A token for this user, valid from now on.
    pub fn token(&self, user: &User) -> String {
        let caller = Caller {
            user: user.id.uuid(),
            kind: match user.kind {
                UserKind::Guest => CallerKind::Guest,
                UserKind::Regular => CallerKind::Regular,
            },
            email: Some(user.email.clone()),
        };
        self.keys.issue(&caller, None, self.clock.now_ms()).token
    }
}

//! Accounts: who is calling, who signs in, and how long that holds.
//!
//! A sign-in opens a session. Its access token goes with each request and names the session, and its refresh token, good
//! for one use, brings the next pair. When the session ends, both end.

pub mod jwks;
pub mod limits;
pub mod passwords;
mod sign_in;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use auth::{Caller, CallerKind, Identity, TokenError, TokenKeys};
use chat_core::{
    id::UserId,
    ports::{Clock, IdSource, StoreError},
};
use records::{NewUser, SessionId, Sessions, User, UserKind, UserRefusal, Users, identity_key};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

pub use jwks::{Issuer, IssuerConfig, NotIdentified};
pub use limits::{Attempt, Limits, TooOften, TriesPerMinute};
pub use passwords::{Passwords, Unworked};
pub use sign_in::{NotSignedIn, SignedIn};

/// How often the limits forget, and how many times of that the expired sessions are swept.
const TIDY_EVERY: Duration = Duration::from_mins(1);
const SWEEP_EVERY: u32 = 60;

/// Knows users and their sessions, and makes their tokens.
pub struct Accounts {
    users: Arc<dyn Users>,
    sessions: Arc<dyn Sessions>,
    keys: TokenKeys,
    issuer: Option<Arc<Issuer>>,
    refresh_life: Duration,
    passwords: Passwords,
    /// How often anyone may try to sign in.
    pub limits: Limits,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
}

/// What accounts are made of.
pub struct AccountParts {
    /// Where users are.
    pub users: Arc<dyn Users>,
    /// Where sessions are.
    pub sessions: Arc<dyn Sessions>,
    /// What signs and verifies our tokens.
    pub keys: TokenKeys,
    /// Another issuer, whose tokens are taken too.
    pub issuer: Option<Arc<Issuer>>,
    /// How long a refresh token lives. A session lives as long, or as long as an access token if that is longer.
    pub refresh_life: Duration,
    /// How often anyone may try to sign in.
    pub limits: Limits,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// Who.
    pub user: User,
    /// The session of their token; `None` for a token that another service made.
    pub session: Option<SessionId>,
    /// When their token ends, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
}

/// Why nobody is known to call.
#[derive(Debug, thiserror::Error)]
pub enum NoCaller {
    /// The token is missing, bad or expired.
    #[error("the token is not accepted")]
    Token(#[from] TokenError),
    /// Another issuer's token is not accepted.
    #[error("the token of another issuer is not accepted")]
    Foreign(#[source] auth::ForeignTokenError),
    /// The token is good, and its user or session is gone.
    #[error("the user or the session of the token is gone")]
    Gone,
    /// The token is another issuer's, and its keys are not there yet.
    #[error("the token cannot be verified now")]
    NoKeys,
    /// The store failed.
    #[error("the user cannot be looked up")]
    Store(#[from] StoreError),
}

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accounts")
            .field("keys", &self.keys)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl Accounts {
    /// Accounts of these parts.
    pub fn new(parts: AccountParts) -> Self {
        Self {
            users: parts.users,
            sessions: parts.sessions,
            keys: parts.keys,
            issuer: parts.issuer,
            refresh_life: parts.refresh_life,
            passwords: Passwords::new(),
            limits: parts.limits,
            clock: parts.clock,
            ids: parts.ids,
        }
    }

    /// The user whose token stands in this `Authorization` header.
    pub async fn caller(&self, header: Option<&str>) -> Result<User, NoCaller> {
        self.present(header).await.map(|present| present.user)
    }

    /// The same with what their token says besides.
    ///
    /// A token of ours counts while its session goes on; one without a session, of another service that has our secret, until
    /// it expires. Only a token of another algorithm can be another issuer's: its keys are never shared secrets.
    pub async fn present(&self, header: Option<&str>) -> Result<Present, NoCaller> {
        let token = auth::bearer(header)?;
        let now_ms = self.clock.now_ms();
        match (self.keys.verify(token, now_ms), &self.issuer) {
            (Ok(verified), _) => self.by_session(&verified, now_ms).await,
            (Err(TokenError::WrongAlgorithm), Some(issuer)) => self.by_issuer(issuer, token).await,
            (Err(error), _) => Err(error.into()),
        }
    }

    /// What is to be done now and then, until `stop`: callers who tried to sign in are forgotten, sessions that expired are
    /// deleted.
    pub async fn keep(&self, stop: CancellationToken) {
        let mut tidying = interval(TIDY_EVERY);
        tidying.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut round = 0_u32;
        while stop.run_until_cancelled(tidying.tick()).await.is_some() {
            self.limits.forget();
            if round.is_multiple_of(SWEEP_EVERY) {
                self.sweep().await;
            }
            round = round.wrapping_add(1);
        }
    }

    async fn sweep(&self) {
        match self.sessions.sweep_sessions(self.clock.now_ms()).await {
            Ok(0) => {}
            Ok(sessions) => tracing::debug!(sessions, "deleted sessions that expired"),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "sessions that expired could not be deleted; they will be in an hour"
            ),
        }
    }

    async fn by_session(
        &self,
        verified: &auth::Verified,
        now_ms: i64,
    ) -> Result<Present, NoCaller> {
        let id = UserId::new(verified.caller.user);
        let session = verified.session.map(SessionId);
        let goes_on = async {
            match session {
                Some(session) => {
                    let owner = self.sessions.find_session(session, now_ms).await?;
                    Ok::<_, StoreError>(owner == Some(id))
                }
                None => Ok(true),
            }
        };
        let (user, goes_on) = tokio::join!(self.users.find_user(id), goes_on);
        let user = user?.filter(|_| matches!(goes_on, Ok(true)));
        goes_on?;
        Ok(Present {
            user: user.ok_or(NoCaller::Gone)?,
            session,
            expires_at_ms: verified.expires_at_ms,
        })
    }

    /// The user whom another issuer knows, made at the first call.
    ///
    /// Users are told apart by issuer and subject and never by e-mail address: an issuer may give an address to another
    /// person, or take anyone's word for it, and whoever had an account here under that address would lose it to them.
    async fn by_issuer(&self, issuer: &Arc<Issuer>, token: &str) -> Result<Present, NoCaller> {
        let identity = issuer.identify(token).await.map_err(|error| match error {
            NotIdentified::Token(error) => NoCaller::Foreign(error),
            NotIdentified::NoKeys => NoCaller::NoKeys,
        })?;
        let expires_at_ms = identity.expires_at_ms;
        let key = identity_key(issuer.name(), &identity.subject);
        let mut user = self.users.find_user_by_email(&key).await?;
        if user.is_none() {
            user = self.adopt(key, identity).await?;
        }
        Ok(Present {
            user: user.ok_or(NoCaller::Gone)?,
            session: None,
            expires_at_ms,
        })
    }

    /// A new user for someone whom another issuer knows, or the one that another request of theirs made first.
    async fn adopt(&self, key: String, identity: Identity) -> Result<Option<User>, StoreError> {
        let new = NewUser {
            id: UserId::new(self.ids.random()),
            email: identity.email.unwrap_or(identity.subject),
            email_key: key.clone(),
            kind: UserKind::Regular,
            password: None,
            at_ms: self.clock.now_ms(),
        };
        match self.users.insert_user(new).await? {
            Ok(user) => Ok(Some(user)),
            Err(UserRefusal::EmailTaken | UserRefusal::NotAGuest) => {
                self.users.find_user_by_email(&key).await
            }
        }
    }
}

/// Whom a token of this user speaks for.
fn speaks_for(user: &User) -> Caller {
    Caller {
        user: user.id.uuid(),
        kind: match user.kind {
            UserKind::Guest => CallerKind::Guest,
            UserKind::Regular => CallerKind::Regular,
        },
        email: Some(user.email.clone()),
    }
}

/// Bytes of the machine's source of randomness; `None` when it has none.
fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Some(bytes),
        Err(error) => {
            tracing::error!(%error, "the machine has no source of randomness");
            None
        }
    }
}

//! Signing in, up and out.

use std::time::Duration;

use auth::{RefreshToken, Verdict, guest_email, refresh::RANDOM_BYTES};
use chat_core::{id::UserId, ports::StoreError};
use records::{
    NewSession, NewUser, PasswordHash, Promotion, Rotation, SessionId, User, UserKind, UserRefusal,
    email_key, exact_email_key,
};

use super::{Accounts, NoCaller, Unworked, random, speaks_for};

/// How often a guest is given another name when the first is taken.
const ATTEMPTS: u32 = 8;

/// Someone with new tokens.
pub struct SignedIn {
    /// Who.
    pub user: User,
    /// For `Authorization: Bearer`.
    pub access_token: String,
    /// How many seconds that lives.
    pub expires_in_s: u64,
    /// For the next pair of tokens, once.
    pub refresh_token: String,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn")
            .field("user", &self.user.id)
            .finish_non_exhaustive()
    }
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum NotSignedIn {
    /// The e-mail address, the password or the token is wrong; which of them, and why, is not told.
    #[error("what was presented is not accepted")]
    Refused,
    /// Another account has the e-mail address.
    #[error("the e-mail address is taken")]
    Taken,
    /// No account may have such an e-mail address.
    #[error("the e-mail address begins with =")]
    Reserved,
    /// Every name for a guest that was tried is taken.
    #[error("{ATTEMPTS} names for a guest were taken")]
    NamesTaken,
    /// The password cannot be worked on now.
    #[error("the password cannot be worked on now")]
    Unworked(#[from] Unworked),
    /// The machine has no source of randomness.
    #[error("no token can be made")]
    NoRandomness,
    /// The store failed.
    #[error("the account cannot be looked up or stored")]
    Store(#[from] StoreError),
}

impl Accounts {
    /// Signs in who knows the password of the account with this e-mail address.
    ///
    /// An unknown address, a wrong password and an account without one are one and the same to the caller, in what they are
    /// told and in the work that was done. An account is found by the exact spelling of its address first, since of several
    /// that were imported with addresses that differ in case only, one has the other form as well.
    pub async fn login(&self, email: &str, password: String) -> Result<SignedIn, NotSignedIn> {
        let (exact, key) = (exact_email_key(email), email_key(email));
        let (by_exact, by_key) = tokio::join!(
            self.users.find_user_by_email(&exact),
            self.users.find_user_by_email(&key)
        );
        let user = by_exact?.or(by_key?);
        // For nobody as well, which takes as long.
        let id = user
            .as_ref()
            .map_or_else(|| UserId::new(self.ids.random()), |user| user.id);
        let stored = self.users.find_password(id).await?;
        let verdict = self
            .passwords
            .check(password.clone(), stored.clone())
            .await?;
        let (Some(user), Some(stored)) = (user, stored) else {
            return Err(NotSignedIn::Refused);
        };
        match verdict {
            Verdict::Matches { upgrade } => {
                if upgrade {
                    self.upgrade(user.id, &stored, password).await;
                }
                self.open_session(user).await
            }
            Verdict::Wrong => Err(NotSignedIn::Refused),
            Verdict::Unreadable => {
                tracing::warn!(user = %user.id, "the stored hash of a password cannot be read");
                Err(NotSignedIn::Refused)
            }
        }
    }

    /// Makes an account, of the guest whose token stands in this `Authorization` header if there is one: then the account is the
    /// guest's, with all that they own. Any other header is passed over, for nobody has to be signed in here.
    ///
    /// The guest's earlier tokens end, so that whoever else has one has none to the account.
    pub async fn register(
        &self,
        header: Option<&str>,
        email: String,
        password: String,
    ) -> Result<SignedIn, NotSignedIn> {
        // The key of an account that is found by its exact spelling begins so.
        if email.starts_with('=') {
            return Err(NotSignedIn::Reserved);
        }
        let key = email_key(&email);
        // Asked before the password is worked on; who is first in a race the store decides below.
        if self.users.find_user_by_email(&key).await?.is_some() {
            return Err(NotSignedIn::Taken);
        }
        let guest = self.guest(header).await?;
        let password = self.passwords.hash(password).await?;
        if let Some(guest) = guest {
            let promotion = Promotion {
                id: guest.id,
                email: email.clone(),
                password: password.clone(),
            };
            match self.users.promote_guest(promotion).await? {
                Ok(user) => {
                    self.sessions.end_sessions_of(user.id).await?;
                    return self.open_session(user).await;
                }
                Err(UserRefusal::EmailTaken) => return Err(NotSignedIn::Taken),
                // Promoted by another request a moment ago: what they own has an owner.
                Err(UserRefusal::NotAGuest) => {}
            }
        }
        let user = self.new_user(UserKind::Regular, email, Some(password));
        match self.users.insert_user(user).await? {
            Ok(user) => self.open_session(user).await,
            Err(UserRefusal::EmailTaken | UserRefusal::NotAGuest) => Err(NotSignedIn::Taken),
        }
    }

    /// A new guest, signed in.
    pub async fn make_guest(&self) -> Result<SignedIn, NotSignedIn> {
        let now_ms = self.clock.now_ms();
        for attempt in 0..ATTEMPTS {
            // The bare time is the name that frontends know; when two come in one millisecond a random number tells
            // them apart.
            let salt = if attempt == 0 {
                0
            } else {
                self.ids.random().as_fields().0
            };
            let user = self.new_user(UserKind::Guest, guest_email(now_ms, salt), None);
            match self.users.insert_user(user).await? {
                Ok(user) => return self.open_session(user).await,
                Err(UserRefusal::EmailTaken | UserRefusal::NotAGuest) => {}
            }
        }
        Err(NotSignedIn::NamesTaken)
    }

    /// The next pair of tokens for this refresh token, which is used up. One that was used before ends its session.
    pub async fn refresh(&self, token: &str) -> Result<SignedIn, NotSignedIn> {
        let presented = RefreshToken::read(token).ok_or(NotSignedIn::Refused)?;
        let random = random::<RANDOM_BYTES>().ok_or(NotSignedIn::NoRandomness)?;
        let (next, text) = RefreshToken::make(presented.session, random);
        let session = SessionId(presented.session);
        let now_ms = self.clock.now_ms();
        let rotation = self
            .sessions
            .rotate_session(
                session,
                presented.hash,
                next.hash,
                now_ms,
                self.session_end(now_ms),
            )
            .await?;
        match rotation {
            Rotation::Rotated(user) => {
                if let Some(user) = self.users.find_user(user).await? {
                    return Ok(self.signed_in(user, session, text));
                }
                self.sessions.end_session(session).await?;
                Err(NotSignedIn::Refused)
            }
            Rotation::Reused(user) => {
                tracing::warn!(%user, "a refresh token was used a second time; its session has ended");
                Err(NotSignedIn::Refused)
            }
            Rotation::Unknown => Err(NotSignedIn::Refused),
        }
    }

    /// Ends the session of the token in this `Authorization` header and that of this refresh token, as far as there are any.
    pub async fn logout(
        &self,
        header: Option<&str>,
        refresh_token: Option<&str>,
    ) -> Result<(), StoreError> {
        let verified = auth::bearer(header)
            .ok()
            .and_then(|token| self.keys.verify(token, self.clock.now_ms()).ok());
        let of_access = verified.and_then(|verified| verified.session);
        let of_refresh = refresh_token
            .and_then(RefreshToken::read)
            .map(|token| token.session);
        for session in of_access.into_iter().chain(of_refresh) {
            self.sessions.end_session(SessionId(session)).await?;
        }
        Ok(())
    }

    /// The guest whose token stands in this header.
    async fn guest(&self, header: Option<&str>) -> Result<Option<User>, StoreError> {
        match self.caller(header).await {
            Ok(user) => Ok(Some(user).filter(|user| user.kind == UserKind::Guest)),
            Err(NoCaller::Store(error)) => Err(error),
            Err(NoCaller::Token(_) | NoCaller::Foreign(_) | NoCaller::Gone | NoCaller::NoKeys) => {
                Ok(None)
            }
        }
    }

    /// Replaces an old hash by one of today. The login succeeds without it, and the next one tries again.
    async fn upgrade(&self, user: UserId, was: &PasswordHash, password: String) {
        let next = match self.passwords.hash(password).await {
            Ok(next) => next,
            Err(error) => {
                return tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "an old hash of a password is kept"
                );
            }
        };
        // When it is not the same any more, the password was changed meanwhile.
        if let Err(error) = self.users.replace_password(user, was, next).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "an old hash of a password is kept"
            );
        }
    }

    fn new_user(&self, kind: UserKind, email: String, password: Option<PasswordHash>) -> NewUser {
        NewUser {
            id: UserId::new(self.ids.random()),
            email_key: email_key(&email),
            email,
            kind,
            password,
            at_ms: self.clock.now_ms(),
        }
    }

    async fn open_session(&self, user: User) -> Result<SignedIn, NotSignedIn> {
        let session = SessionId(self.ids.random());
        let random = random::<RANDOM_BYTES>().ok_or(NotSignedIn::NoRandomness)?;
        let (token, text) = RefreshToken::make(session.0, random);
        let now_ms = self.clock.now_ms();
        let new = NewSession {
            id: session,
            user: user.id,
            token: token.hash,
            expires_at_ms: self.session_end(now_ms),
            at_ms: now_ms,
        };
        self.sessions.insert_session(new).await?;
        Ok(self.signed_in(user, session, text))
    }

    /// When a session ends whose tokens were made now: not before either of them.
    fn session_end(&self, now_ms: i64) -> i64 {
        let access = Duration::from_secs(self.keys.lifetime_s().unsigned_abs());
        let life = self.refresh_life.max(access);
        now_ms.saturating_add(i64::try_from(life.as_millis()).unwrap_or(i64::MAX))
    }

    fn signed_in(&self, user: User, session: SessionId, refresh_token: String) -> SignedIn {
        let now_ms = self.clock.now_ms();
        let issued = self.keys.issue(&speaks_for(&user), Some(session.0), now_ms);
        SignedIn {
            user,
            access_token: issued.token,
            expires_in_s: self.keys.lifetime_s().unsigned_abs(),
            refresh_token,
        }
    }
}

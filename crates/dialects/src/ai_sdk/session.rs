//! What signing in answers (`docs/wire/ai-sdk.md` W50).

use chat_core::id::UserId;
use records::User;
use serde::Serialize;
use utoipa::ToSchema;

use super::view::timestamp;

/// A token and whom it speaks for.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TokenResponse {
    /// The token, for `Authorization: Bearer`.
    pub access_token: String,
    /// Always `bearer`.
    #[schema(pattern = "^bearer$")]
    pub token_type: &'static str,
    /// Whom it speaks for.
    pub user: UserView,
    /// What `POST /api/auth/refresh` takes, once, for the next token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// How many seconds the token lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

impl TokenResponse {
    /// The answer that hands this token to this user.
    pub const fn new(access_token: String, user: UserView) -> Self {
        Self {
            access_token,
            token_type: "bearer",
            user,
            refresh_token: None,
            expires_in: None,
        }
    }

    /// The same with what renews it, and the seconds that the token lives.
    #[must_use]
    pub fn renewable(mut self, refresh_token: String, expires_in_s: u64) -> Self {
        self.refresh_token = Some(refresh_token);
        self.expires_in = Some(expires_in_s);
        self
    }
}

impl std::fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenResponse")
            .field("user", &self.user.id)
            .finish_non_exhaustive()
    }
}

/// A user, as they are told about themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct UserView {
    /// Their id.
    #[schema(format = Uuid)]
    pub id: String,
    /// Their e-mail address; a guest's is `guest-` and digits, by which the frontend knows them.
    pub email: String,
    /// Whether they have signed up.
    #[serde(rename = "type")]
    pub kind: UserKind,
}

impl UserView {
    /// This user.
    pub fn new(id: UserId, email: String, kind: UserKind) -> Self {
        Self {
            id: id.to_string(),
            email,
            kind,
        }
    }
}

impl From<&User> for UserView {
    fn from(user: &User) -> Self {
        Self::new(user.id, user.email.clone(), user.kind.into())
    }
}

/// Who is signed in, as the frontend's own session endpoint says it; nobody is `null` in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionResponse {
    /// Who.
    pub user: UserView,
    /// Until when.
    #[schema(format = DateTime)]
    pub expires: String,
}

impl SessionResponse {
    /// This user until this time, in milliseconds since the Unix epoch.
    pub fn new(user: UserView, expires_at_ms: i64) -> Self {
        Self {
            user,
            expires: timestamp(expires_at_ms),
        }
    }
}

/// What signing out answers: an empty object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, ToSchema)]
pub struct SignedOut {}

/// Whether a user has signed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserKind {
    /// They have.
    Regular,
    /// They were let in without.
    Guest,
}

impl From<records::UserKind> for UserKind {
    fn from(kind: records::UserKind) -> Self {
        match kind {
            records::UserKind::Regular => Self::Regular,
            records::UserKind::Guest => Self::Guest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_with_its_user_and_does_not_show_in_debug() {
        let id = UserId::new(uuid::Uuid::from_u128(2));
        let user = UserView::new(id, "guest-1".to_owned(), UserKind::Guest);
        let answer = TokenResponse::new("a.b.c".to_owned(), user);
        assert_eq!(
            serde_json::to_string(&answer).unwrap(),
            "{\"access_token\":\"a.b.c\",\"token_type\":\"bearer\",\"user\":\
             {\"id\":\"00000000-0000-0000-0000-000000000002\",\"email\":\"guest-1\",\"type\":\"guest\"}}"
        );
        assert!(!format!("{answer:?}").contains("a.b.c"));
    }

    #[test]
    fn a_token_that_is_renewed_says_with_what_and_when() {
        let id = UserId::new(uuid::Uuid::from_u128(2));
        let user = UserView::new(id, "a@x.example".to_owned(), UserKind::Regular);
        let answer = TokenResponse::new("a.b.c".to_owned(), user).renewable("r".to_owned(), 900);
        let json = serde_json::to_value(&answer).unwrap();
        assert_eq!(json["refresh_token"], "r");
        assert_eq!(json["expires_in"], 900);
        assert!(!format!("{answer:?}").contains("\"r\""));
    }

    #[test]
    fn a_session_is_a_user_and_a_time_or_null() {
        let id = UserId::new(uuid::Uuid::from_u128(2));
        let user = UserView::new(id, "guest-1".to_owned(), UserKind::Guest);
        let session = SessionResponse::new(user, 1_765_485_481_007);
        assert_eq!(
            serde_json::to_string(&session).unwrap(),
            "{\"user\":{\"id\":\"00000000-0000-0000-0000-000000000002\",\"email\":\"guest-1\",\"type\":\"guest\"},\
             \"expires\":\"2025-12-11T20:38:01.007Z\"}"
        );
        assert_eq!(
            serde_json::to_string(&None::<SessionResponse>).unwrap(),
            "null"
        );
        assert_eq!(serde_json::to_string(&SignedOut {}).unwrap(), "{}");
    }
}

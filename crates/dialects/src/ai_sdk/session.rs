//! What signing in answers (`docs/wire/ai-sdk.md` W50).

use chat_core::id::UserId;
use serde::Serialize;
use utoipa::ToSchema;

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
}

impl TokenResponse {
    /// The answer that hands this token to this user.
    pub const fn new(access_token: String, user: UserView) -> Self {
        Self {
            access_token,
            token_type: "bearer",
            user,
        }
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

/// Whether a user has signed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserKind {
    /// They have.
    Regular,
    /// They were let in without.
    Guest,
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
}

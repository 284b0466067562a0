//! Why a token is not taken.

/// Why a token does not say who is calling. No variant holds any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is none.
    #[error("there is no token: `Authorization: Bearer <token>` is expected")]
    Missing,
    /// It is no token of ours: not three base64url pieces of JSON, too long, or without the claims that we need.
    #[error("the token cannot be read")]
    Malformed,
    /// It names another algorithm than the one that is set, `none` included.
    #[error("the token names an algorithm that is not accepted")]
    WrongAlgorithm,
    /// None of our secrets made its signature.
    #[error("the token's signature is not ours")]
    BadSignature,
    /// It is not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It was valid once.
    #[error("the token has expired")]
    Expired,
}

//! Issues and verifies the tokens that say who is calling, and checks passwords.
//!
//! A service gives this crate its secrets and the time and gets signed tokens, or a verdict on one that a caller
//! brought. It knows no HTTP framework and no store: whether the user in a valid token still exists is for the caller
//! to look up. It reads neither the environment nor the clock, and what it says in an error or in `Debug` never holds
//! a secret or a token.

pub mod bearer;
pub mod error;
pub mod guest;
pub mod jwks;
pub mod password;
pub mod refresh;
pub mod secret;
pub mod token;

pub use bearer::bearer;
pub use error::TokenError;
pub use guest::guest_email;
pub use jwks::{Expected, ForeignTokenError, Identity, KeySet, UnfitKeySet};
pub use password::{MAX_PASSWORD_BYTES, Verdict, Work, check_password, hash_password};
pub use refresh::RefreshToken;
pub use secret::{Secret, WeakSecret, check_secret_strength};
pub use token::{Algorithm, Caller, CallerKind, Issued, NoSecret, TokenKeys, Verified};

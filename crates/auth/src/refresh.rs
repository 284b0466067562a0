//! Refresh tokens: `rt_`, the session's id, a dot, and 32 random bytes.
//!
//! Only the SHA-256 of the whole text is for a store to keep. What a caller presents is hashed and the hashes are compared:
//! how long that takes tells of the hash and nothing of the token, since nobody can choose a text by its hash.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// What a refresh token begins with, so that a leaked one is known for what it is.
const PREFIX: &str = "rt_";

/// How many random bytes a refresh token has.
pub const RANDOM_BYTES: usize = 32;

/// A refresh token as its session knows it. `Debug` shows nothing that is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshToken {
    /// The session that it holds open.
    pub session: Uuid,
    /// The SHA-256 of its text.
    pub hash: [u8; 32],
}

impl RefreshToken {
    /// A new token of this session: what is stored, and the text that the caller gets.
    pub fn make(session: Uuid, random: [u8; RANDOM_BYTES]) -> (Self, String) {
        let text = format!(
            "{PREFIX}{}.{}",
            session.simple(),
            URL_SAFE_NO_PAD.encode(random)
        );
        let hash = Sha256::digest(&text).into();
        (Self { session, hash }, text)
    }

    /// The token that a caller presented; `None` when it is no text of ours in our spelling.
    pub fn read(text: &str) -> Option<Self> {
        let (session, random) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let bytes = Some(random).filter(|random| random.len() == 43);
        let bytes = URL_SAFE_NO_PAD.decode(bytes?).ok()?;
        let is_ours = session.len() == 32
            && !session.bytes().any(|byte| byte.is_ascii_uppercase())
            && bytes.len() == RANDOM_BYTES;
        let session = Uuid::try_parse(session).ok().filter(|_| is_ours)?;
        let hash = Sha256::digest(text).into();
        Some(Self { session, hash })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_made_and_another_has_another_hash() {
        let session = Uuid::from_u128(0xab7);
        let (made, text) = RefreshToken::make(session, [7; RANDOM_BYTES]);
        assert_eq!(
            text,
            "rt_00000000000000000000000000000ab7.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc"
        );
        assert_eq!(RefreshToken::read(&text), Some(made));
        let (other, _) = RefreshToken::make(session, [8; RANDOM_BYTES]);
        assert_eq!(other.session, session);
        assert_ne!(other.hash, made.hash);
    }

    #[test]
    fn what_is_no_token_of_ours_is_not_read() {
        let (_, text) = RefreshToken::make(Uuid::from_u128(0xab7), [7; RANDOM_BYTES]);
        let long = format!("{text}A");
        let upper = text.replace("ab7", "AB7");
        for wrong in [
            "",
            "rt_",
            "rt_.",
            &text[3..],
            &text[..text.len() - 1],
            &long,
            &upper,
            "rt_00000000000000000000000000000ab7.",
            "rt_00000000-0000-0000-0000-000000000ab7.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
            "rt_ü.BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc",
        ] {
            assert_eq!(RefreshToken::read(wrong), None, "{wrong}");
        }
    }
}

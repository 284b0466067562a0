//! Passwords: hashes of new ones, and checks against the hashes that this server and older backends made.
//!
//! A password is the UTF-8 bytes that were sent. It is not normalised: the hashes that older backends made are of the bytes as
//! they came, and one that was changed first would match none of them. Who types the same word on a machine that composes
//! its letters otherwise has another password.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc},
};
use bcrypt::HashParts;

/// The longest password, in bytes of UTF-8. A longer one is none of ours and matches nothing.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// The length of a salt, in bytes (RFC 9106, section 3.1).
pub const SALT_BYTES: usize = 16;

/// What one hash may cost: a stored hash that asks for more is not worked on, since each login with it would hold up others.
const MOST_BCRYPT_COST: u32 = 16;
const MOST_ARGON2_KIB: u32 = 256 * 1024;
const MOST_ARGON2_PASSES: u32 = 16;
const MOST_ARGON2_LANES: u32 = 16;

/// The cost of the template's bcrypt hashes.
const USUAL_BCRYPT_COST: u32 = 10;

/// What came of a password that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "only a password that matches signs anyone in"]
pub enum Verdict {
    /// It is the right one.
    Matches {
        /// Whether its hash should be replaced by a new one: it is of bcrypt, or cheaper than those that are made today.
        upgrade: bool,
    },
    /// It is another one, or there is none.
    Wrong,
    /// The hash that is stored is of no kind that is known, damaged, or asks for more work than is allowed.
    Unreadable,
}

/// What a check cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Argon2id computations.
    pub argon2: u32,
    /// bcrypt computations.
    pub bcrypt: u32,
}

/// The hash of a new password, as a PHC string: Argon2id with 19 MiB, two passes and one lane, the least that OWASP's
/// password storage cheat sheet recommends.
///
/// What may be set as a password is for the caller to say, up to [`MAX_PASSWORD_BYTES`]. `salt` is random and used once. Takes some ten milliseconds of a core. `None` when the machine has no memory for it.
pub fn hash_password(password: &str, salt: [u8; SALT_BYTES]) -> Option<String> {
    let hash = todays().hash_password_with_salt(password.as_bytes(), &salt);
    hash.ok().map(|hash| hash.to_string())
}

/// Checks a password against what is stored, and says what that cost.
///
/// `stored` is a PHC string of Argon2id or a bcrypt hash (`$2a$`, `$2b$`, `$2y$`), or `None` when there is no such user or
/// it has no password. bcrypt sees the first 72 bytes of a password only, and so did the libraries that made the hashes
/// (bcrypt-ts, bcryptjs).
///
/// Whatever is not a match costs one Argon2id and one bcrypt computation, so that the time of an answer tells neither
/// whether there is such a user nor where its hash came from. Only a stored hash with other parameters than the usual ones
/// (of today's, and bcrypt's cost 10) takes another time.
pub fn check_password(password: &str, stored: Option<&str>) -> (Verdict, Work) {
    let mut work = Work::default();
    let fits = password.len() <= MAX_PASSWORD_BYTES;
    let password = if fits { password } else { "" };
    let verdict = match stored {
        None => Verdict::Wrong,
        Some(stored) if stored.starts_with("$2") => by_bcrypt(password, stored, &mut work),
        Some(stored) => by_argon2(password, stored, &mut work),
    };
    let is_empty_for_long = !fits && matches!(verdict, Verdict::Matches { .. });
    let verdict = if is_empty_for_long {
        Verdict::Wrong
    } else {
        verdict
    };
    if !matches!(verdict, Verdict::Matches { .. }) {
        if work.argon2 == 0 {
            // What comes out is of no interest, here and below.
            let _hash = std::hint::black_box(hash_password(password, [0; SALT_BYTES]));
            work.argon2 += 1;
        }
        if work.bcrypt == 0 {
            let _parts = std::hint::black_box(bcrypt::hash_with_salt(
                password,
                USUAL_BCRYPT_COST,
                [0; SALT_BYTES],
            ));
            work.bcrypt += 1;
        }
    }
    (verdict, work)
}

fn todays() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

fn by_bcrypt(password: &str, stored: &str, work: &mut Work) -> Verdict {
    // `$2x$` marks hashes of a faulty implementation, which this one would not compute.
    let known = ["$2a$", "$2b$", "$2y$"]
        .iter()
        .any(|kind| stored.starts_with(kind));
    let parts = stored.parse::<HashParts>().ok();
    if !known || parts.is_none_or(|parts| parts.get_cost() > MOST_BCRYPT_COST) {
        return Verdict::Unreadable;
    }
    work.bcrypt += 1;
    match bcrypt::verify(password, stored) {
        Ok(true) => Verdict::Matches { upgrade: true },
        Ok(false) => Verdict::Wrong,
        Err(_) => Verdict::Unreadable,
    }
}

fn by_argon2(password: &str, stored: &str, work: &mut Work) -> Verdict {
    let Ok(hash) = phc::PasswordHash::new(stored) else {
        return Verdict::Unreadable;
    };
    let (Ok(params), true) = (Params::try_from(&hash), hash.hash.is_some()) else {
        return Verdict::Unreadable;
    };
    let affordable = params.m_cost() <= MOST_ARGON2_KIB
        && params.t_cost() <= MOST_ARGON2_PASSES
        && params.p_cost() <= MOST_ARGON2_LANES;
    if hash.algorithm != argon2::ARGON2ID_IDENT || !affordable {
        return Verdict::Unreadable;
    }
    work.argon2 += 1;
    match todays().verify_password(password.as_bytes(), &hash) {
        Ok(()) => Verdict::Matches {
            upgrade: is_outdated(&hash, &params),
        },
        Err(argon2::password_hash::Error::PasswordInvalid) => Verdict::Wrong,
        Err(_) => Verdict::Unreadable,
    }
}

fn is_outdated(hash: &phc::PasswordHash, params: &Params) -> bool {
    hash.version != Some(Version::V0x13.into())
        || params.m_cost() < Params::DEFAULT_M_COST
        || params.t_cost() < Params::DEFAULT_T_COST
        || params.output_len() < Some(Params::DEFAULT_OUTPUT_LEN)
}

#[cfg(test)]
mod tests;

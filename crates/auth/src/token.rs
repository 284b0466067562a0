//! JSON Web Tokens (RFC 7519), signed with a secret of ours.

use std::{fmt, time::Duration};

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, errors::ErrorKind};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Secret, TokenError};

/// How long after its end a token is still taken, in seconds: clocks of two machines differ.
pub const LEEWAY_S: i64 = 60;

/// The longest token that is looked at, in bytes. Ours have about 400.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// How tokens are signed. One is set, and no other is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    #[default]
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl Algorithm {
    /// Reads a name as RFC 7518 spells it: `HS256`, `HS384` or `HS512`; `None` for any other.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "HS384" => Some(Self::Hs384),
            "HS512" => Some(Self::Hs512),
            _ => None,
        }
    }

    const fn jwt(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Hs384 => jsonwebtoken::Algorithm::HS384,
            Self::Hs512 => jsonwebtoken::Algorithm::HS512,
        }
    }
}

/// Whether a caller has signed up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CallerKind {
    /// Has an account with a password. A token that does not say is of this kind.
    #[default]
    Regular,
    /// Was let in without one.
    Guest,
}

impl CallerKind {
    /// The name it has in tokens and in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Guest => "guest",
        }
    }
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user's id.
    pub user: Uuid,
    /// Whether they have signed up.
    pub kind: CallerKind,
    /// Their e-mail address, where the token holds it.
    pub email: Option<String>,
}

/// What a valid token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Who it speaks for.
    pub caller: Caller,
    /// The session that it belongs to and ends with; `None` in a token of another service that has the same secret.
    pub session: Option<Uuid>,
    /// When it ends, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
}

/// A token that was made.
#[derive(Clone, PartialEq, Eq)]
pub struct Issued {
    /// The token.
    pub token: String,
    /// When it ends, in milliseconds since the Unix epoch; always a whole second.
    pub expires_at_ms: i64,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("expires_at_ms", &self.expires_at_ms)
            .finish_non_exhaustive()
    }
}

/// Keys were asked for without a secret to make them of, or with an empty one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tokens cannot be signed without a secret: at least one is needed, and none may be empty")]
pub struct NoSecret;

/// Signs and verifies tokens.
pub struct TokenKeys {
    sign: EncodingKey,
    verify: Vec<DecodingKey>,
    algorithm: Algorithm,
    validation: Validation,
    lifetime_s: i64,
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKeys")
            .field("algorithm", &self.algorithm)
            .field("secrets", &self.verify.len())
            .field("lifetime_s", &self.lifetime_s)
            .finish_non_exhaustive()
    }
}

impl TokenKeys {
    /// Keys that sign with the first secret and verify with any of them, so that a secret can be replaced while
    /// tokens of the old one live.
    ///
    /// A token lives for `lifetime`, in whole seconds.
    pub fn new(
        secrets: &[Secret],
        algorithm: Algorithm,
        lifetime: Duration,
    ) -> Result<Self, NoSecret> {
        let first = secrets.first().ok_or(NoSecret)?;
        if secrets.iter().any(Secret::is_empty) {
            return Err(NoSecret);
        }
        let mut validation = Validation::new(algorithm.jwt());
        // The time is compared below, with the caller's clock: the library would read the machine's.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        Ok(Self {
            sign: EncodingKey::from_secret(first.expose()),
            verify: secrets
                .iter()
                .map(|secret| DecodingKey::from_secret(secret.expose()))
                .collect(),
            algorithm,
            validation,
            lifetime_s: i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX),
        })
    }

    /// How long a token lives, in whole seconds.
    pub const fn lifetime_s(&self) -> i64 {
        self.lifetime_s
    }

    /// A token for this caller, valid from `now_ms` (milliseconds since the Unix epoch) for the set lifetime, in the claim
    /// `sid` the session that it ends with.
    pub fn issue(&self, caller: &Caller, session: Option<Uuid>, now_ms: i64) -> Issued {
        let now_s = now_ms.div_euclid(1000);
        // Bounded so that the end still has a value in milliseconds.
        let expires_s = now_s.saturating_add(self.lifetime_s).min(i64::MAX / 1000);
        let claims = WrittenClaims {
            sub: caller.user,
            id: caller.user,
            kind: caller.kind,
            email: caller.email.as_deref(),
            sid: session,
            iat: now_s,
            exp: expires_s,
        };
        #[expect(
            clippy::expect_used,
            reason = "an HMAC takes any key and these claims are plain JSON, so signing has no way to fail"
        )]
        let token = jsonwebtoken::encode(&Header::new(self.algorithm.jwt()), &claims, &self.sign)
            .expect("signing with an HMAC cannot fail");
        Issued {
            token,
            expires_at_ms: expires_s * 1000,
        }
    }

    /// Who this token speaks for at `now_ms` (milliseconds since the Unix epoch).
    ///
    /// The algorithm is checked first, then the signature, then the claims, so that nothing in a forged token is
    /// looked at. The user is the first present of `sub`, `userId` and `id`, since tokens of older backends have
    /// either; a missing `type` means regular; `exp` must be there, and [`LEEWAY_S`] are granted on it. A `sid` that is there
    /// must be an id, since a session that cannot be looked up cannot be known to go on.
    pub fn verify(&self, token: &str, now_ms: i64) -> Result<Verified, TokenError> {
        if token.is_empty() {
            return Err(TokenError::Missing);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let claims = self.read(token)?;
        let now_s = now_ms.div_euclid(1000);
        if now_s >= claims.exp.saturating_add(LEEWAY_S) {
            return Err(TokenError::Expired);
        }
        if claims
            .nbf
            .is_some_and(|nbf| nbf.saturating_sub(LEEWAY_S) > now_s)
        {
            return Err(TokenError::NotYetValid);
        }
        let user = claims.sub.or(claims.user_id).or(claims.id);
        let user = user.as_deref().and_then(hyphenated);
        let session = match claims.sid {
            Some(sid) => Some(hyphenated(&sid).ok_or(TokenError::Malformed)?),
            None => None,
        };
        Ok(Verified {
            caller: Caller {
                user: user.ok_or(TokenError::Malformed)?,
                kind: claims.kind.unwrap_or_default(),
                email: claims.email,
            },
            session,
            expires_at_ms: claims.exp.saturating_mul(1000),
        })
    }

    fn read(&self, token: &str) -> Result<ReadClaims, TokenError> {
        let mut refused = TokenError::BadSignature;
        for key in &self.verify {
            match jsonwebtoken::decode::<ReadClaims>(token, key, &self.validation) {
                Ok(data) => return Ok(data.claims),
                Err(error) => refused = reason(error.kind()),
            }
            if refused != TokenError::BadSignature {
                break;
            }
        }
        Err(refused)
    }
}

#[derive(Debug, Serialize)]
struct WrittenClaims<'a> {
    sub: Uuid,
    id: Uuid,
    #[serde(rename = "type")]
    kind: CallerKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    iat: i64,
    exp: i64,
}

#[derive(Debug, Deserialize)]
struct ReadClaims {
    sub: Option<String>,
    #[serde(rename = "userId")]
    user_id: Option<String>,
    id: Option<String>,
    #[serde(rename = "type")]
    kind: Option<CallerKind>,
    email: Option<String>,
    sid: Option<String>,
    nbf: Option<i64>,
    exp: i64,
}

/// An id in its usual spelling; the parser takes others too.
fn hyphenated(text: &str) -> Option<Uuid> {
    Some(text)
        .filter(|text| text.len() == 36)
        .and_then(|text| Uuid::try_parse(text).ok())
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's kinds grow with it, and whatever else it finds wrong is no token of ours"
)]
pub(crate) fn reason(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::BadSignature,
        ErrorKind::InvalidAlgorithm
        | ErrorKind::InvalidAlgorithmName
        | ErrorKind::UnsupportedAlgorithm => TokenError::WrongAlgorithm,
        _ => TokenError::Malformed,
    }
}

#[cfg(test)]
mod tests;

//! Tokens of another issuer, verified by the keys that it publishes (RFC 7517 and RFC 7519).
//!
//! Public keys only: a token that is signed with a shared secret is never verified here, however the key set names its
//! keys, so that nobody can sign with a public key as if it were a secret. Fetching the set is for the caller to do.

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;

use crate::{
    TokenError,
    token::{LEEWAY_S, MAX_TOKEN_BYTES, reason},
};

/// How many keys of a set are kept; no issuer publishes more than a handful.
const MAX_KEYS: usize = 64;

/// The longest subject, in bytes (`OpenID` Connect Core, section 2, where it is 255 ASCII characters).
const MAX_SUBJECT_BYTES: usize = 255;

/// The longest e-mail address that is kept, in bytes (RFC 5321, section 4.5.3.1).
const MAX_EMAIL_BYTES: usize = 254;

/// The smallest RSA key that is trusted (RFC 7518, section 3.3), in bytes of its modulus.
const MIN_RSA_BYTES: usize = 2048 / 8;

/// The public keys of an issuer.
pub struct KeySet {
    keys: Vec<Key>,
}

struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    verifier: DecodingKey,
}

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeySet")
            .field("keys", &self.keys.len())
            .finish()
    }
}

/// What a token must say to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Who issued it: the claim `iss`, letter by letter.
    pub issuer: String,
    /// Whom it is for: one of the claim `aud`.
    pub audience: String,
}

/// Whom a token of another issuer speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The claim `sub`: who it is, to this issuer.
    pub subject: String,
    /// The claim `email`, where there is one that can be shown.
    pub email: Option<String>,
    /// When the token ends, in milliseconds since the Unix epoch.
    pub expires_at_ms: i64,
}

/// Why a key set cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitKeySet {
    /// It is no JSON object with a list `keys`.
    #[error("it is no JSON Web Key Set: a JSON object with a list `keys` is accepted")]
    Unreadable,
    /// None of its keys is one that can verify a signature.
    #[error(
        "it has no key that can verify a signature: RSA of 2048 bits and more, P-256, P-384 and Ed25519 are accepted"
    )]
    NoKey,
}

/// Why a token of another issuer is not taken. No variant holds any of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForeignTokenError {
    /// Its key is not in the set: the issuer may have a new one since the set was fetched.
    #[error("the token's key is not one of the issuer's")]
    UnknownKey,
    /// It cannot be read, is not signed as the key says, not by the key, or not valid now.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Another issuer made it.
    #[error("the token is another issuer's")]
    WrongIssuer,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    WrongAudience,
}

impl KeySet {
    /// Reads a key set. Keys that are of no use here are passed over: unknown kinds, shared secrets, keys for encryption,
    /// RSA keys of fewer than 2048 bits.
    pub fn read(json: &[u8]) -> Result<Self, UnfitKeySet> {
        let set: RawSet =
            serde_json::from_slice(json).map_err(|_unread| UnfitKeySet::Unreadable)?;
        let keys: Vec<Key> = set
            .keys
            .into_iter()
            .filter_map(|key| usable(&serde_json::from_value(key).ok()?))
            .take(MAX_KEYS)
            .collect();
        if keys.is_empty() {
            return Err(UnfitKeySet::NoKey);
        }
        Ok(Self { keys })
    }

    /// Whom this token speaks for at `now_ms` (milliseconds since the Unix epoch).
    ///
    /// A token with a `kid` is verified by the key of that name, or, when there is none, by those without a name; one without
    /// by every key of its kind. `iss`, `aud`, `exp` and `sub` must be there; [`LEEWAY_S`] are granted on `exp` and `nbf`.
    pub fn verify(
        &self,
        token: &str,
        expected: &Expected,
        now_ms: i64,
    ) -> Result<Identity, ForeignTokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed.into());
        }
        let header = jsonwebtoken::decode_header(token).map_err(|error| reason(error.kind()))?;
        if is_shared_secret(header.alg) {
            return Err(TokenError::WrongAlgorithm.into());
        }
        // RFC 7515, section 4.1.11: what is marked as critical and not understood makes the token invalid.
        if header.crit.is_some() {
            return Err(TokenError::Malformed.into());
        }
        let claims = self.signed(token, header.kid.as_deref(), header.alg)?;
        claims.checked(expected, now_ms)
    }

    /// The claims, if one of the keys that may have signed them did.
    fn signed(
        &self,
        token: &str,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Claims, ForeignTokenError> {
        let named = |key: &&Key| id.is_some() && key.id.as_deref() == id;
        let is_named = self.keys.iter().any(|key| named(&key));
        let eligible = |key: &&Key| {
            if is_named {
                named(key)
            } else {
                id.is_none() || key.id.is_none()
            }
        };
        let mut refused = if is_named {
            TokenError::WrongAlgorithm.into()
        } else {
            ForeignTokenError::UnknownKey
        };
        let mut validation = Validation::new(algorithm);
        // What the claims say is compared below, with the caller's clock.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        validation.required_spec_claims.clear();
        let fitting = |key: &&Key| key.algorithms.contains(&algorithm);
        for key in self.keys.iter().filter(eligible).filter(fitting) {
            match jsonwebtoken::decode::<Claims>(token, &key.verifier, &validation) {
                Ok(data) => return Ok(data.claims),
                Err(error) => {
                    let why = reason(error.kind());
                    // Another key of the set may have signed it, or one that is not in it yet.
                    if why != TokenError::BadSignature || is_named {
                        refused = why.into();
                    }
                }
            }
        }
        Err(refused)
    }
}

#[derive(Deserialize)]
struct RawSet {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audience>,
    exp: Option<NumericDate>,
    nbf: Option<NumericDate>,
    email: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Seconds since the Unix epoch, which may have a fraction (RFC 7519, section 2).
#[derive(Clone, Copy, Deserialize)]
#[serde(from = "f64")]
struct NumericDate(i64);

impl From<f64> for NumericDate {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the fraction of a second is what is to go, and what is out of range becomes the nearest time"
    )]
    fn from(seconds: f64) -> Self {
        Self(seconds as i64)
    }
}

impl Claims {
    fn checked(self, expected: &Expected, now_ms: i64) -> Result<Identity, ForeignTokenError> {
        if self.iss.as_deref() != Some(expected.issuer.as_str()) {
            return Err(ForeignTokenError::WrongIssuer);
        }
        let is_for_us = match &self.aud {
            Some(Audience::One(audience)) => *audience == expected.audience,
            Some(Audience::Many(audiences)) => audiences.contains(&expected.audience),
            None => false,
        };
        if !is_for_us {
            return Err(ForeignTokenError::WrongAudience);
        }
        let now_s = now_ms.div_euclid(1000);
        let NumericDate(expires_s) = self.exp.ok_or(TokenError::Malformed)?;
        if now_s >= expires_s.saturating_add(LEEWAY_S) {
            return Err(TokenError::Expired.into());
        }
        if self
            .nbf
            .is_some_and(|NumericDate(from_s)| from_s.saturating_sub(LEEWAY_S) > now_s)
        {
            return Err(TokenError::NotYetValid.into());
        }
        let is_subject = |subject: &String| {
            !subject.is_empty()
                && subject.len() <= MAX_SUBJECT_BYTES
                && !subject.chars().any(char::is_control)
        };
        let subject = self.sub.filter(is_subject).ok_or(TokenError::Malformed)?;
        let can_be_shown = |email: &&str| {
            !email.is_empty()
                && email.len() <= MAX_EMAIL_BYTES
                && !email.chars().any(char::is_control)
        };
        let email = self.email.as_ref().and_then(serde_json::Value::as_str);
        Ok(Identity {
            subject,
            email: email.filter(can_be_shown).map(str::to_owned),
            expires_at_ms: expires_s.saturating_mul(1000),
        })
    }
}

/// The key, with the algorithms that it may be used with; `None` for one that is of no use here.
fn usable(jwk: &Jwk) -> Option<Key> {
    if jwk
        .common
        .public_key_use
        .as_ref()
        .is_some_and(|purpose| *purpose != PublicKeyUse::Signature)
    {
        return None;
    }
    let of_its_kind = algorithms_of(&jwk.algorithm);
    let algorithms: Vec<Algorithm> = match jwk.common.key_algorithm {
        Some(named) => of_its_kind
            .iter()
            .copied()
            .filter(|algorithm| named == (*algorithm).into())
            .collect(),
        None => of_its_kind.to_vec(),
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    if let jsonwebtoken::DecodingKeyKind::RsaModulusExponent { n, .. } = key.kind()
        && n.iter().skip_while(|byte| **byte == 0).count() < MIN_RSA_BYTES
    {
        return None;
    }
    (!algorithms.is_empty()).then(|| Key {
        id: jwk.common.key_id.clone(),
        algorithms,
        verifier: key,
    })
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's kinds of keys and curves grow with it, and one that is not named here is of no use"
)]
const fn algorithms_of(key: &AlgorithmParameters) -> &'static [Algorithm] {
    match key {
        AlgorithmParameters::RSA(_) => &[
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::ES256],
            EllipticCurve::P384 => &[Algorithm::ES384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) => match key.curve {
            EllipticCurve::Ed25519 => &[Algorithm::EdDSA],
            _ => &[],
        },
        _ => &[],
    }
}

const fn is_shared_secret(algorithm: Algorithm) -> bool {
    matches!(
        algorithm,
        Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512
    )
}

#[cfg(test)]
mod tests;

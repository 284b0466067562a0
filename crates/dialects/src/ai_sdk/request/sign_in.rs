//! The bodies of `/api/auth/login`, `/register` and `/refresh` (`docs/wire/ai-sdk.md` W28).

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    InvalidRequest, is_within,
    wire::{self, Object},
};

/// The longest e-mail address, in UTF-16 units: so much do the frontends' own databases hold.
pub const MAX_EMAIL: usize = 64;

/// The shortest password of a new account, in UTF-16 units.
pub const MIN_PASSWORD: usize = 6;

/// The longest password, in bytes: hashing takes longer the longer it is.
pub const MAX_PASSWORD: usize = 1024;

/// The longest refresh token, in bytes.
const MAX_TOKEN: usize = 1024;

/// Who signs in or up.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The e-mail address as it was typed.
    pub email: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// An e-mail address and a password.
#[derive(Clone, Serialize, ToSchema)]
pub struct CredentialsRequest {
    /// The address.
    #[schema(format = Email, max_length = 64)]
    pub email: String,
    /// The password; of a new account at least 6 characters.
    #[schema(format = Password, min_length = 1, max_length = 1024)]
    pub password: String,
}

/// A refresh token that is presented.
#[derive(Clone, PartialEq, Eq)]
pub struct RefreshToken(pub String);

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefreshToken(…)")
    }
}

/// A refresh token, good for one use.
#[derive(Clone, Serialize, ToSchema)]
pub struct RefreshRequest {
    /// The token that signing in or the last refresh gave.
    #[schema(format = Password, min_length = 1)]
    pub refresh_token: String,
}

#[derive(Deserialize)]
struct CredentialsBody {
    email: Option<String>,
    password: Option<String>,
}

#[derive(Deserialize)]
struct RefreshBody {
    refresh_token: Option<String>,
}

/// Checks the body of a login. The address may be any text: one that is nobody's is a wrong one and no bad request.
pub fn decode_login(body: &[u8]) -> Result<Credentials, InvalidRequest> {
    let body = wire::parse::<Object<CredentialsBody>>(body, "")?.0;
    let email = body
        .email
        .filter(|email| !email.is_empty() && email.len() <= MAX_PASSWORD)
        .ok_or_else(|| InvalidRequest::new("email: an e-mail address is accepted"))?;
    let password = password(body.password, 1)?;
    Ok(Credentials { email, password })
}

/// Checks the body of a registration.
pub fn decode_register(body: &[u8]) -> Result<Credentials, InvalidRequest> {
    let body = wire::parse::<Object<CredentialsBody>>(body, "")?.0;
    let email = body
        .email
        .filter(|email| is_email(email) && is_within(email, MAX_EMAIL))
        .ok_or_else(|| {
            InvalidRequest::new(format!(
                "email: an e-mail address of at most {MAX_EMAIL} characters is accepted"
            ))
        })?;
    let password = password(body.password, MIN_PASSWORD)?;
    Ok(Credentials { email, password })
}

/// Checks the body of a refresh.
pub fn decode_refresh(body: &[u8]) -> Result<RefreshToken, InvalidRequest> {
    let body = wire::parse::<Object<RefreshBody>>(body, "")?.0;
    body.refresh_token
        .filter(|token| !token.is_empty() && token.len() <= MAX_TOKEN)
        .map(RefreshToken)
        .ok_or_else(|| InvalidRequest::new("refresh_token: a refresh token is accepted"))
}

fn password(password: Option<String>, min: usize) -> Result<String, InvalidRequest> {
    password
        .filter(|password| {
            password.len() <= MAX_PASSWORD && password.encode_utf16().take(min).count() == min
        })
        .ok_or_else(|| {
            InvalidRequest::new(format!(
                "password: a text of {min} characters or more and at most {MAX_PASSWORD} bytes is accepted"
            ))
        })
}

/// Whether a text is an e-mail address as a browser's own field for one takes it (HTML, section 4.10.5.1.5), with a dot in its
/// domain: an address without one is of this machine's network, and no frontend takes it.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let is_atom =
        |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !local.is_empty()
        && local.bytes().all(is_atom)
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

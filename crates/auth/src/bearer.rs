//! The `Authorization` header.

use crate::TokenError;

/// The token in the value of an `Authorization` header (RFC 6750, section 2.1).
///
/// `None`, an empty value and another scheme, such as `Basic`, are [`TokenError::Missing`]; a `Bearer` with nothing
/// behind it, or with what is not one word of token characters, is [`TokenError::Malformed`]. The scheme may be
/// written in any case, as RFC 9110 section 11.1 says.
pub fn bearer(header: Option<&str>) -> Result<&str, TokenError> {
    let header = header.unwrap_or_default().trim_matches([' ', '\t']);
    let (scheme, token) = header.split_once([' ', '\t']).unwrap_or((header, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(TokenError::Missing);
    }
    let token = token.trim_start_matches([' ', '\t']);
    let is_token_char = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if token.is_empty() || !token.bytes().all(is_token_char) {
        return Err(TokenError::Malformed);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_token_of_a_bearer_header_only() {
        for header in ["Bearer a.b-c_d", "bearer   a.b-c_d", " BEARER\ta.b-c_d "] {
            assert_eq!(bearer(Some(header)), Ok("a.b-c_d"), "{header:?}");
        }
        for header in [
            None,
            Some(""),
            Some(" "),
            Some("Basic YTpi"),
            Some("Bearera.b"),
        ] {
            assert_eq!(bearer(header), Err(TokenError::Missing), "{header:?}");
        }
        for header in [
            "Bearer",
            "Bearer ",
            "Bearer a b",
            "Bearer a,b",
            "Bearer ü",
            "Bearer \"a\"",
        ] {
            assert_eq!(
                bearer(Some(header)),
                Err(TokenError::Malformed),
                "{header:?}"
            );
        }
    }
}

use jsonwebtoken::{EncodingKey, Header, encode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW_MS: i64 = 1_765_485_481_500;
const NOW_S: i64 = NOW_MS / 1000;
const HOUR: Duration = Duration::from_hours(1);

fn secret(byte: u8) -> Secret {
    Secret::new(vec![byte; 32])
}

fn keys(secrets: &[u8]) -> TokenKeys {
    let secrets: Vec<Secret> = secrets.iter().map(|byte| secret(*byte)).collect();
    TokenKeys::new(&secrets, Algorithm::Hs256, HOUR).unwrap()
}

fn guest() -> Caller {
    Caller {
        user: Uuid::from_u128(7),
        kind: CallerKind::Guest,
        email: Some("guest-1".to_owned()),
    }
}

/// A token with these claims, signed as ours are.
fn signed(claims: &Value) -> String {
    signed_as(jsonwebtoken::Algorithm::HS256, claims)
}

fn signed_as(algorithm: jsonwebtoken::Algorithm, claims: &Value) -> String {
    encode(
        &Header::new(algorithm),
        claims,
        &EncodingKey::from_secret(&[1; 32]),
    )
    .unwrap()
}

/// base64url without padding, by hand, so that the test makes tokens that the library would not.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_usize, |word, byte| (word << 8) | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            out.push(char::from(ALPHABET[(word >> (18 - 6 * place)) & 63]));
        }
    }
    out
}

/// Whom a token speaks for.
fn caller(keys: &TokenKeys, token: &str, now_ms: i64) -> Result<Caller, TokenError> {
    keys.verify(token, now_ms).map(|verified| verified.caller)
}

fn claims() -> Value {
    json!({ "sub": Uuid::from_u128(7), "type": "guest", "exp": NOW_S + 60 })
}

#[test]
fn a_token_says_who_it_was_issued_to() {
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let keys = TokenKeys::new(&[secret(1)], algorithm, HOUR).unwrap();
        let issued = keys.issue(&guest(), None, NOW_MS);
        assert_eq!(issued.expires_at_ms, (NOW_S + 3600) * 1000);
        assert_eq!(caller(&keys, &issued.token, NOW_MS), Ok(guest()));
    }
}

#[test]
fn a_token_holds_the_claims_that_other_backends_read() {
    let issued = keys(&[1]).issue(&guest(), None, NOW_MS);
    let claims: Value = jsonwebtoken::dangerous::insecure_decode(&issued.token)
        .unwrap()
        .claims;
    assert_eq!(
        claims,
        json!({
            "sub": "00000000-0000-0000-0000-000000000007",
            "id": "00000000-0000-0000-0000-000000000007",
            "type": "guest",
            "email": "guest-1",
            "iat": NOW_S,
            "exp": NOW_S + 3600,
        })
    );
}

#[test]
fn a_token_names_its_session_and_one_without_is_taken() {
    let session = Uuid::from_u128(9);
    let issued = keys(&[1]).issue(&guest(), Some(session), NOW_MS);
    assert_eq!(
        keys(&[1]).verify(&issued.token, NOW_MS),
        Ok(Verified {
            caller: guest(),
            session: Some(session),
            expires_at_ms: issued.expires_at_ms,
        })
    );
    let foreign = keys(&[1]).verify(&signed(&claims()), NOW_MS).unwrap();
    assert_eq!(foreign.session, None);
}

#[test]
fn a_session_that_is_no_id_is_malformed() {
    for sid in ["", "7", "00000000000000000000000000000007"] {
        let mut claims = claims();
        claims["sid"] = json!(sid);
        assert_eq!(
            keys(&[1]).verify(&signed(&claims), NOW_MS),
            Err(TokenError::Malformed),
            "{sid:?}"
        );
    }
}

#[test]
fn a_token_ends_a_minute_after_its_time() {
    let keys = keys(&[1]);
    let issued = keys.issue(&guest(), None, NOW_MS);
    let last = issued.expires_at_ms + LEEWAY_S * 1000 - 1;
    assert_eq!(caller(&keys, &issued.token, last), Ok(guest()));
    assert_eq!(
        keys.verify(&issued.token, last + 1),
        Err(TokenError::Expired)
    );
}

#[test]
fn a_token_that_starts_later_is_refused() {
    let mut claims = claims();
    claims["nbf"] = json!(NOW_S + LEEWAY_S);
    assert_eq!(caller(&keys(&[1]), &signed(&claims), NOW_MS), {
        let mut caller = guest();
        caller.email = None;
        Ok(caller)
    });
    claims["nbf"] = json!(NOW_S + LEEWAY_S + 1);
    assert_eq!(
        keys(&[1]).verify(&signed(&claims), NOW_MS),
        Err(TokenError::NotYetValid)
    );
}

#[test]
fn a_second_secret_verifies_and_only_the_first_signs() {
    let old = keys(&[1]).issue(&guest(), None, NOW_MS);
    let rotated = keys(&[2, 1]);
    assert_eq!(caller(&rotated, &old.token, NOW_MS), Ok(guest()));
    let new = rotated.issue(&guest(), None, NOW_MS);
    assert_eq!(caller(&keys(&[2]), &new.token, NOW_MS), Ok(guest()));
    assert_eq!(
        keys(&[1]).verify(&new.token, NOW_MS),
        Err(TokenError::BadSignature)
    );
    assert_eq!(
        keys(&[3, 4]).verify(&new.token, NOW_MS),
        Err(TokenError::BadSignature)
    );
}

#[test]
fn an_expired_token_of_the_second_secret_is_expired_not_forged() {
    let old = keys(&[1]).issue(&guest(), None, 0);
    assert_eq!(
        keys(&[2, 1]).verify(&old.token, NOW_MS),
        Err(TokenError::Expired)
    );
}

#[test]
fn a_changed_payload_is_a_bad_signature() {
    let token = signed(&claims());
    let mut pieces: Vec<String> = token.split('.').map(str::to_owned).collect();
    let mut changed = claims();
    changed["sub"] = json!(Uuid::from_u128(8));
    pieces[1] = base64url(changed.to_string().as_bytes());
    assert_eq!(
        keys(&[1]).verify(&pieces.join("."), NOW_MS),
        Err(TokenError::BadSignature)
    );
}

#[test]
fn an_unsigned_token_is_refused_however_none_is_spelled() {
    let payload = base64url(claims().to_string().as_bytes());
    for none in ["none", "None", "NONE", "nOnE"] {
        let header = base64url(json!({ "alg": none, "typ": "JWT" }).to_string().as_bytes());
        for token in [
            format!("{header}.{payload}."),
            format!("{header}.{payload}"),
            format!("{header}.{payload}.AAAA"),
        ] {
            let refused = keys(&[1]).verify(&token, NOW_MS);
            assert!(
                matches!(
                    refused,
                    Err(TokenError::WrongAlgorithm | TokenError::Malformed)
                ),
                "{refused:?} for {none}"
            );
        }
    }
}

#[test]
fn another_algorithm_is_refused_though_the_secret_is_right() {
    for other in [
        jsonwebtoken::Algorithm::HS384,
        jsonwebtoken::Algorithm::HS512,
    ] {
        assert_eq!(
            keys(&[1]).verify(&signed_as(other, &claims()), NOW_MS),
            Err(TokenError::WrongAlgorithm)
        );
    }
    let header = base64url(br#"{"alg":"RS256","typ":"JWT"}"#);
    let payload = base64url(claims().to_string().as_bytes());
    assert_eq!(
        keys(&[1]).verify(&format!("{header}.{payload}.AAAA"), NOW_MS),
        Err(TokenError::WrongAlgorithm)
    );
}

#[test]
fn a_token_without_a_type_is_a_regular_users() {
    let claims = json!({ "sub": Uuid::from_u128(7), "exp": NOW_S + 60 });
    assert_eq!(
        caller(&keys(&[1]), &signed(&claims), NOW_MS),
        Ok(Caller {
            user: Uuid::from_u128(7),
            kind: CallerKind::Regular,
            email: None,
        })
    );
}

#[test]
fn the_user_is_the_first_of_sub_user_id_and_id() {
    let (one, two, three) = (Uuid::from_u128(1), Uuid::from_u128(2), Uuid::from_u128(3));
    let exp = NOW_S + 60;
    for (claims, user) in [
        (
            json!({ "sub": one, "userId": two, "id": three, "exp": exp }),
            one,
        ),
        (json!({ "userId": two, "id": three, "exp": exp }), two),
        (json!({ "id": three, "exp": exp }), three),
    ] {
        assert_eq!(
            caller(&keys(&[1]), &signed(&claims), NOW_MS).unwrap().user,
            user
        );
    }
}

#[test]
fn a_signed_token_without_the_claims_we_need_is_malformed() {
    let user = Uuid::from_u128(7);
    for claims in [
        json!({}),
        json!([]),
        json!("text"),
        json!({ "sub": user }),
        json!({ "exp": NOW_S + 60 }),
        json!({ "sub": user, "exp": "soon" }),
        json!({ "sub": user, "exp": null }),
        json!({ "sub": "7", "exp": NOW_S + 60 }),
        json!({ "sub": user.simple().to_string(), "exp": NOW_S + 60 }),
        json!({ "sub": 7, "exp": NOW_S + 60 }),
        json!({ "sub": user, "type": "admin", "exp": NOW_S + 60 }),
    ] {
        assert_eq!(
            keys(&[1]).verify(&signed(&claims), NOW_MS),
            Err(TokenError::Malformed),
            "{claims}"
        );
    }
}

#[test]
fn a_long_token_is_refused_unread() {
    let claims = json!({ "sub": Uuid::from_u128(7), "exp": NOW_S + 60, "email": "x".repeat(8192) });
    assert_eq!(
        keys(&[1]).verify(&signed(&claims), NOW_MS),
        Err(TokenError::Malformed)
    );
    assert_eq!(keys(&[1]).verify("", NOW_MS), Err(TokenError::Missing));
}

#[test]
fn keys_need_a_secret_and_never_show_it() {
    assert_eq!(
        TokenKeys::new(&[], Algorithm::Hs256, HOUR).unwrap_err(),
        NoSecret
    );
    let empty = Secret::new(Vec::new());
    assert_eq!(
        TokenKeys::new(&[secret(1), empty], Algorithm::Hs256, HOUR).unwrap_err(),
        NoSecret
    );
    let secret = Secret::new(b"correct horse battery staple.....".to_vec());
    let keys = TokenKeys::new(&[secret], Algorithm::Hs256, HOUR).unwrap();
    let issued = keys.issue(&guest(), None, NOW_MS);
    let shown = format!("{keys:?} {issued:?}");
    assert!(!shown.contains("horse") && !shown.contains(&issued.token));
    assert!(!shown.contains("99, 111"), "{shown}");
}

#[test]
fn times_at_the_edge_of_the_range_do_no_harm() {
    let keys = TokenKeys::new(&[secret(1)], Algorithm::Hs256, Duration::MAX).unwrap();
    let issued = keys.issue(&guest(), None, i64::MAX);
    assert_eq!(caller(&keys, &issued.token, 0), Ok(guest()));
    let before = keys.issue(&guest(), None, i64::MIN);
    assert!(keys.verify(&before.token, i64::MIN).is_ok());
    for exp in [i64::MIN, i64::MAX] {
        let claims = json!({ "sub": Uuid::from_u128(7), "exp": exp, "nbf": i64::MIN });
        let verdict = keys.verify(&signed(&claims), NOW_MS);
        assert_eq!(verdict.is_ok(), exp > 0);
    }
}

proptest! {
    #[test]
    fn garbage_up_to_64_kb_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..65_536)) {
        let text = String::from_utf8_lossy(&bytes);
        prop_assert!(keys(&[1, 2]).verify(&text, NOW_MS).is_err());
    }

    #[test]
    fn garbage_in_the_shape_of_a_token_is_refused(
        header in prop::collection::vec(any::<u8>(), 0..300),
        payload in prop::collection::vec(any::<u8>(), 0..300),
        signature in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let token = [header, payload, signature].map(|piece| base64url(&piece)).join(".");
        prop_assert!(keys(&[1, 2]).verify(&token, NOW_MS).is_err());
    }

    #[test]
    fn a_token_with_one_changed_byte_is_refused(at in any::<prop::sample::Index>(), byte in 33_u8..127) {
        let token = signed(&claims());
        let mut changed = token.clone().into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != byte);
        changed[at] = byte;
        let changed = String::from_utf8(changed).unwrap();
        prop_assert!(keys(&[1]).verify(&changed, NOW_MS).is_err());
    }
}

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{EncodingKey, Header, encode};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW_MS: i64 = 1_765_485_481_500;
const NOW_S: i64 = NOW_MS / 1000;

/// Keys of these tests, made for them by OpenSSL.
const RSA: &str = include_str!("keys/rsa.b64");
const OTHER_RSA: &str = include_str!("keys/other_rsa.b64");
const SMALL_RSA: &str = include_str!("keys/small_rsa.b64");
const P256: &str = include_str!("keys/p256.b64");
const P384: &str = include_str!("keys/p384.b64");
const ED25519: &str = include_str!("keys/ed25519.b64");

const ALL: [(Algorithm, &str); 9] = [
    (Algorithm::RS256, RSA),
    (Algorithm::RS384, RSA),
    (Algorithm::RS512, RSA),
    (Algorithm::PS256, RSA),
    (Algorithm::PS384, RSA),
    (Algorithm::PS512, RSA),
    (Algorithm::ES256, P256),
    (Algorithm::ES384, P384),
    (Algorithm::EdDSA, ED25519),
];

fn secret(algorithm: Algorithm, key: &str) -> EncodingKey {
    let der = STANDARD.decode(key.replace('\n', "")).unwrap();
    if matches!(algorithm, Algorithm::ES256 | Algorithm::ES384) {
        EncodingKey::from_ec_der(&der)
    } else if algorithm == Algorithm::EdDSA {
        EncodingKey::from_ed_der(&der)
    } else {
        EncodingKey::from_rsa_der(&der)
    }
}

/// The public half, as an issuer publishes it; `named` sets `kid`.
fn public(algorithm: Algorithm, key: &str, named: Option<&str>) -> Value {
    let jwk = Jwk::from_encoding_key(&secret(algorithm, key), algorithm).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    jwk.as_object_mut().unwrap().remove("alg");
    if let Some(named) = named {
        jwk["kid"] = json!(named);
    }
    jwk
}

fn set(keys: &[Value]) -> KeySet {
    KeySet::read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

fn expected() -> Expected {
    Expected {
        issuer: "https://login.example".to_owned(),
        audience: "skein".to_owned(),
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://login.example", "aud": "skein", "sub": "auth0|7", "exp": NOW_S + 60, "email": "ann@example.com",
    })
}

fn token(algorithm: Algorithm, key: &str, named: Option<&str>, claims: &Value) -> String {
    let mut header = Header::new(algorithm);
    header.kid = named.map(str::to_owned);
    encode(&header, claims, &secret(algorithm, key)).unwrap()
}

fn verified(keys: &KeySet, token: &str) -> Result<Identity, ForeignTokenError> {
    keys.verify(token, &expected(), NOW_MS)
}

/// What a token with these claims is worth.
fn judged(claims: &Value) -> Result<Identity, ForeignTokenError> {
    let keys = set(&[public(Algorithm::ES256, P256, None)]);
    verified(&keys, &token(Algorithm::ES256, P256, None, claims))
}

#[test]
fn every_public_algorithm_is_verified() {
    for (algorithm, key) in ALL {
        let keys = set(&[public(algorithm, key, Some("a"))]);
        let identity = verified(&keys, &token(algorithm, key, Some("a"), &claims()));
        assert_eq!(
            identity,
            Ok(Identity {
                subject: "auth0|7".to_owned(),
                email: Some("ann@example.com".to_owned()),
                expires_at_ms: (NOW_S + 60) * 1000,
            }),
            "{algorithm:?}"
        );
    }
}

#[test]
fn a_key_verifies_only_what_its_kind_and_its_own_word_allow() {
    let keys = set(&[public(Algorithm::RS256, RSA, Some("a"))]);
    for (algorithm, key) in [(Algorithm::ES256, P256), (Algorithm::EdDSA, ED25519)] {
        assert_eq!(
            verified(&keys, &token(algorithm, key, Some("a"), &claims())),
            Err(TokenError::WrongAlgorithm.into())
        );
    }
    let mut only = public(Algorithm::RS256, RSA, Some("a"));
    only["alg"] = json!("RS512");
    let keys = set(&[only]);
    assert_eq!(
        verified(&keys, &token(Algorithm::RS256, RSA, Some("a"), &claims())),
        Err(TokenError::WrongAlgorithm.into())
    );
    assert!(verified(&keys, &token(Algorithm::RS512, RSA, Some("a"), &claims())).is_ok());
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let public_key = public(Algorithm::RS256, RSA, Some("a"));
    let keys = set(&[
        public_key.clone(),
        json!({"kty": "oct", "k": "AAAA", "kid": "b"}),
    ]);
    let secrets = [
        public_key["n"].as_str().unwrap().as_bytes().to_vec(),
        public_key.to_string().into_bytes(),
        vec![0, 0, 0],
    ];
    for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
        for (secret, named) in secrets.iter().zip(["a", "a", "b"]) {
            let mut header = Header::new(algorithm);
            header.kid = Some(named.to_owned());
            let forged = encode(&header, &claims(), &EncodingKey::from_secret(secret)).unwrap();
            assert_eq!(
                verified(&keys, &forged),
                Err(TokenError::WrongAlgorithm.into())
            );
        }
    }
    let only_secrets = json!({"keys": [{"kty": "oct", "k": "AAAA"}]}).to_string();
    assert_eq!(
        KeySet::read(only_secrets.as_bytes()).unwrap_err(),
        UnfitKeySet::NoKey
    );
}

#[test]
fn an_unsigned_token_is_refused_however_none_is_spelled() {
    let keys = set(&[public(Algorithm::RS256, RSA, None)]);
    let signed = token(Algorithm::RS256, RSA, None, &claims());
    let payload = signed.split('.').nth(1).unwrap();
    let url_safe = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    for none in ["none", "None", "NONE", "nOnE", ""] {
        let header = url_safe.encode(json!({"alg": none, "typ": "JWT"}).to_string());
        for forged in [
            format!("{header}.{payload}."),
            format!("{header}.{payload}.AAAA"),
        ] {
            assert!(
                matches!(
                    verified(&keys, &forged),
                    Err(ForeignTokenError::Token(
                        TokenError::Malformed | TokenError::WrongAlgorithm
                    ))
                ),
                "{none}"
            );
        }
    }
}

#[test]
fn the_key_is_found_by_its_name_or_tried_where_names_are_missing() {
    let signed = |named| token(Algorithm::RS256, RSA, named, &claims());
    let named = set(&[
        public(Algorithm::RS256, OTHER_RSA, Some("a")),
        public(Algorithm::RS256, RSA, Some("b")),
    ]);
    assert!(verified(&named, &signed(Some("b"))).is_ok());
    assert!(verified(&named, &signed(None)).is_ok());
    assert_eq!(
        verified(&named, &signed(Some("a"))),
        Err(TokenError::BadSignature.into())
    );
    assert_eq!(
        verified(&named, &signed(Some("c"))),
        Err(ForeignTokenError::UnknownKey)
    );
    let nameless = set(&[
        public(Algorithm::RS256, OTHER_RSA, None),
        public(Algorithm::RS256, RSA, None),
    ]);
    assert!(verified(&nameless, &signed(None)).is_ok());
    assert!(verified(&nameless, &signed(Some("c"))).is_ok());
    // None of them made this one; the issuer may have a new one by now.
    let other = set(&[public(Algorithm::RS256, OTHER_RSA, None)]);
    assert_eq!(
        verified(&other, &signed(None)),
        Err(ForeignTokenError::UnknownKey)
    );
}

#[test]
fn the_issuer_and_the_audience_must_be_the_expected_ones() {
    for (name, value, refused) in [
        (
            "iss",
            json!("https://login.example/"),
            ForeignTokenError::WrongIssuer,
        ),
        ("iss", json!(null), ForeignTokenError::WrongIssuer),
        ("aud", json!("other"), ForeignTokenError::WrongAudience),
        (
            "aud",
            json!(["other", "skein2"]),
            ForeignTokenError::WrongAudience,
        ),
        ("aud", json!([]), ForeignTokenError::WrongAudience),
        ("aud", json!(null), ForeignTokenError::WrongAudience),
    ] {
        let mut claims = claims();
        claims[name] = value;
        assert_eq!(judged(&claims), Err(refused), "{claims}");
    }
    let mut several = claims();
    several["aud"] = json!(["other", "skein"]);
    assert!(judged(&several).is_ok());
}

#[test]
fn a_token_is_taken_a_minute_before_and_after_its_time() {
    for (name, at, verdict) in [
        ("exp", json!(NOW_S - 59), Ok(())),
        ("exp", json!(NOW_S - 60), Err(TokenError::Expired)),
        ("exp", json!(1_765_485_481.5), Ok(())),
        ("exp", json!(null), Err(TokenError::Malformed)),
        ("nbf", json!(NOW_S + 60), Ok(())),
        ("nbf", json!(NOW_S + 61), Err(TokenError::NotYetValid)),
        ("nbf", json!(-1e300), Ok(())),
        ("exp", json!(1e300), Ok(())),
    ] {
        let mut claims = claims();
        claims[name] = at;
        assert_eq!(
            judged(&claims).map(|_| ()),
            verdict.map_err(ForeignTokenError::from),
            "{claims}"
        );
    }
}

#[test]
fn a_subject_is_needed_and_an_address_is_not() {
    for sub in [
        json!(null),
        json!(""),
        json!("a\nb"),
        json!("x".repeat(256)),
    ] {
        let mut claims = claims();
        claims["sub"] = sub;
        assert_eq!(
            judged(&claims),
            Err(TokenError::Malformed.into()),
            "{claims}"
        );
    }
    for email in [
        json!(null),
        json!(7),
        json!(""),
        json!("a\u{7}b"),
        json!("x".repeat(255)),
    ] {
        let mut claims = claims();
        claims["email"] = email;
        assert_eq!(judged(&claims).unwrap().email, None, "{claims}");
    }
}

#[test]
fn a_header_that_marks_something_as_critical_is_refused() {
    let keys = set(&[public(Algorithm::ES256, P256, None)]);
    let mut header = Header::new(Algorithm::ES256);
    header.crit = Some(vec!["exp".to_owned()]);
    let marked = encode(&header, &claims(), &secret(Algorithm::ES256, P256)).unwrap();
    assert_eq!(verified(&keys, &marked), Err(TokenError::Malformed.into()));
}

#[test]
fn keys_that_are_of_no_use_are_passed_over() {
    let mut encryption = public(Algorithm::RS256, RSA, None);
    encryption["use"] = json!("enc");
    let mut mismatched = public(Algorithm::RS256, RSA, None);
    mismatched["alg"] = json!("ES256");
    for useless in [
        encryption,
        mismatched,
        public(Algorithm::RS256, SMALL_RSA, None),
        json!({"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"}),
        json!({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}),
        json!({"kty": "unheard of"}),
        json!({}),
        json!(7),
    ] {
        let alone = json!({"keys": [useless]}).to_string();
        assert_eq!(
            KeySet::read(alone.as_bytes()).unwrap_err(),
            UnfitKeySet::NoKey,
            "{alone}"
        );
        let keys = set(&[useless, public(Algorithm::ES256, P256, None)]);
        assert!(verified(&keys, &token(Algorithm::ES256, P256, None, &claims())).is_ok());
    }
}

#[test]
fn what_is_no_key_set_is_told_as_such() {
    for text in ["", "[]", "{}", "{\"keys\":{}}", "<html>"] {
        assert_eq!(
            KeySet::read(text.as_bytes()).unwrap_err(),
            UnfitKeySet::Unreadable,
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn a_token_with_one_changed_byte_is_refused(at in any::<prop::sample::Index>(), byte in 33_u8..127) {
        let keys = set(&[public(Algorithm::EdDSA, ED25519, None)]);
        let mut changed = token(Algorithm::EdDSA, ED25519, None, &claims()).into_bytes();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != byte);
        changed[at] = byte;
        prop_assert!(verified(&keys, &String::from_utf8(changed).unwrap()).is_err());
    }

    #[test]
    fn garbage_is_no_token_and_no_key_set(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let keys = set(&[public(Algorithm::EdDSA, ED25519, None)]);
        prop_assert!(verified(&keys, &String::from_utf8_lossy(&bytes)).is_err());
        prop_assert!(KeySet::read(&bytes).is_err());
    }
}

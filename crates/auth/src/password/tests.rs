use super::*;

/// Of `crypt` of libxcrypt.
const BCRYPT: [(&str, &str); 4] = [
    (
        "correct horse",
        "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    ),
    (
        "correct horse",
        "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    ),
    (
        "correct horse",
        "$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2",
    ),
    (
        "pässwört",
        "$2b$04$abcdefghijklmnopqrstuu1cDoLWDR/WUf1WNLV3Klgn6BEq1nueu",
    ),
];

/// Of 80 letters `a`, by the same.
const BCRYPT_OF_80: &str = "$2b$04$abcdefghijklmnopqrstuuBzzIgyKkz7xMWYSzkIjUSnxEQFQ0WNe";

/// Of the word `password`, from the tests of the reference implementation (phc-winner-argon2, `src/test.c`).
const ARGON2_64_MIB: &str =
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
const ARGON2_256_KIB: &str =
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";

fn verdict(password: &str, stored: &str) -> Verdict {
    check_password(password, Some(stored)).0
}

#[test]
fn a_new_hash_is_todays_argon2id_and_matches_its_password_only() {
    let hash = hash_password("correct horse", [7; SALT_BYTES]).unwrap();
    assert!(
        hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$BwcHBwcHBwcHBwcHBwcHBw$"),
        "{hash}"
    );
    let (right, work) = check_password("correct horse", Some(&hash));
    assert_eq!(right, Verdict::Matches { upgrade: false });
    assert_eq!(
        work,
        Work {
            argon2: 1,
            bcrypt: 0
        }
    );
    assert_eq!(verdict("correct horsf", &hash), Verdict::Wrong);
    assert_ne!(
        hash,
        hash_password("correct horse", [8; SALT_BYTES]).unwrap()
    );
}

#[test]
fn hashes_of_older_backends_match_and_are_to_be_replaced() {
    for (password, stored) in BCRYPT {
        assert_eq!(
            verdict(password, stored),
            Verdict::Matches { upgrade: true },
            "{stored}"
        );
        assert_eq!(verdict("correct horsf", stored), Verdict::Wrong, "{stored}");
    }
    for (stored, upgrade) in [(ARGON2_64_MIB, false), (ARGON2_256_KIB, true)] {
        assert_eq!(verdict("password", stored), Verdict::Matches { upgrade });
        assert_eq!(verdict("passwore", stored), Verdict::Wrong);
    }
}

#[test]
fn bcrypt_sees_72_bytes_as_the_template_does_and_argon2_all() {
    for length in [72, 73, 80, 1024] {
        assert_eq!(
            verdict(&"a".repeat(length), BCRYPT_OF_80),
            Verdict::Matches { upgrade: true },
            "{length}"
        );
    }
    assert_eq!(verdict(&"a".repeat(71), BCRYPT_OF_80), Verdict::Wrong);
    let long = "a".repeat(80);
    let hash = hash_password(&long, [7; SALT_BYTES]).unwrap();
    assert_eq!(verdict(&long, &hash), Verdict::Matches { upgrade: false });
    assert_eq!(verdict(&"a".repeat(79), &hash), Verdict::Wrong);
}

#[test]
fn a_password_is_its_bytes_and_not_what_they_look_like() {
    // One ä is a letter, the other an a with two dots put upon it.
    let composed = hash_password("p\u{e4}ssword", [7; SALT_BYTES]).unwrap();
    assert_eq!(verdict("pa\u{308}ssword", &composed), Verdict::Wrong);
}

#[test]
fn a_password_that_is_too_long_matches_nothing() {
    assert_eq!(verdict(&"a".repeat(1025), BCRYPT_OF_80), Verdict::Wrong);
    // In its place an empty one is hashed, and that one does not match either.
    let empty = hash_password("", [7; SALT_BYTES]).unwrap();
    assert_eq!(verdict(&"a".repeat(1025), &empty), Verdict::Wrong);
    assert_eq!(verdict("", &empty), Verdict::Matches { upgrade: false });
}

#[test]
fn what_is_no_match_costs_the_same_whoever_it_was() {
    let todays = hash_password("correct horse", [7; SALT_BYTES]).unwrap();
    let long = "a".repeat(1025);
    for (what, password, stored) in [
        ("nobody", "wrong", None),
        ("one of ours", "wrong", Some(todays.as_str())),
        ("an imported one", "wrong", Some(BCRYPT[0].1)),
        ("a damaged hash", "wrong", Some("$2b$04$short")),
        ("no hash at all", "wrong", Some("plain text")),
        ("a long password", &long, Some(todays.as_str())),
        ("a long password of nobody", &long, None),
    ] {
        let (verdict, work) = check_password(password, stored);
        assert!(!matches!(verdict, Verdict::Matches { .. }), "{what}");
        assert_eq!(
            work,
            Work {
                argon2: 1,
                bcrypt: 1
            },
            "{what}"
        );
    }
}

#[test]
fn a_hash_that_cannot_be_read_or_asks_for_too_much_is_told_as_such() {
    for stored in [
        "",
        "correct horse",
        "$2b$04$",
        "$2x$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2b$17$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2b$99$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=262145,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=17,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=17$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$pbkdf2-sha256$i=600000$c29tZXNhbHQ$nf65EOgLrQMR",
    ] {
        assert_eq!(
            verdict("correct horse", stored),
            Verdict::Unreadable,
            "{stored}"
        );
    }
}

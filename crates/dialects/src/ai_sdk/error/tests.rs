use std::fmt::Write as _;

use super::*;

fn json(body: &[u8]) -> String {
    String::from_utf8(body.to_vec()).unwrap()
}

// docs/wire/ai-sdk.md W31.
#[test]
fn every_code_has_its_status() {
    let mut table = String::new();
    for kind in ErrorKind::ALL {
        let codes: Vec<String> = Surface::ALL
            .iter()
            .map(|surface| ApiError::new(kind, *surface).to_string())
            .collect();
        writeln!(table, "{} {}", kind.status(), codes.join(" ")).unwrap();
    }
    insta::assert_snapshot!(table);
}

// docs/wire/ai-sdk.md W30, W32.
#[test]
fn every_engine_error_has_its_answer_on_every_surface() {
    let fault = || Box::<dyn std::error::Error + Send + Sync>::from("the disk is full");
    let errors = [
        EngineError::NotFound {
            what: "conversation",
        },
        EngineError::Forbidden,
        EngineError::MessageTaken,
        EngineError::KeySpent,
        EngineError::NothingWaits,
        EngineError::StillWaits,
        EngineError::QuotaSpent,
        EngineError::Busy,
        EngineError::TooLong {
            needed: 9000,
            allowed: 8000,
        },
        EngineError::Unavailable,
        EngineError::Store(StoreError::Unavailable(fault())),
        EngineError::Store(StoreError::Corrupt {
            what: "message",
            source: fault(),
        }),
        EngineError::Store(StoreError::Fatal(fault())),
    ];
    let mut table = String::new();
    for error in &errors {
        for surface in [Surface::Chat, Surface::Document] {
            let told = ApiError::from_engine(error, surface);
            let body = json(&told.body(Some("r1")).to_json());
            assert!(!body.contains("disk"), "{body}");
            writeln!(table, "{error} -> {} {body}", told.status()).unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

// docs/wire/ai-sdk.md W30, W34.
#[test]
fn a_bad_request_says_which_parameter() {
    let error = ApiError::from(InvalidRequest {
        cause: "id: a UUID is accepted".to_owned(),
    });
    assert_eq!(error.status(), 400);
    insta::assert_snapshot!(json(&error.body(Some("r1")).to_json()));
    insta::assert_snapshot!(json(&error.body(None).with_error().to_json()));
}

// docs/wire/ai-sdk.md W33.
#[test]
fn absence_can_be_hidden() {
    let hidden = ApiError::new(ErrorKind::NotFound, Surface::Chat).hiding_absence();
    assert_eq!(hidden, ApiError::new(ErrorKind::Forbidden, Surface::Chat));
    let other = ApiError::new(ErrorKind::Offline, Surface::Chat);
    assert_eq!(other.clone().hiding_absence(), other);
}

// docs/wire/ai-sdk.md W33.
#[test]
fn what_is_not_there_may_be_of_another_surface() {
    let absent = ApiError::new(ErrorKind::NotFound, Surface::Vote).absent_as(Surface::Chat);
    assert_eq!(absent.to_string(), "not_found:chat");
    let forbidden = ApiError::new(ErrorKind::Forbidden, Surface::Vote).absent_as(Surface::Chat);
    assert_eq!(forbidden.to_string(), "forbidden:vote");
}

// docs/wire/ai-sdk.md W30, W38.
#[test]
fn a_refused_registration_says_why() {
    let taken = ApiError::new(ErrorKind::BadRequest, Surface::Auth)
        .with_cause("email: an account with this address exists already")
        .with_sentence("Another account has this e-mail address.");
    insta::assert_snapshot!(json(&taken.body(Some("r1")).to_json()));
}

// docs/wire/ai-sdk.md W35.
#[test]
fn a_request_that_reached_no_route_suits_every_frontend() {
    insta::assert_snapshot!(json(&PathErrorBody::unknown_path("r1").to_json()));
    insta::assert_snapshot!(json(&PathErrorBody::wrong_method("r1").to_json()));
    insta::assert_snapshot!(json(&PathErrorBody::too_large(4096, "r1").to_json()));
}

// docs/wire/ai-sdk.md W38: what is wrong may be a token as well, and no password was asked for.
#[test]
fn who_is_not_signed_in_is_told_so_without_a_word_of_passwords() {
    for surface in Surface::ALL {
        let told = ApiError::new(ErrorKind::Unauthorized, surface).body(None);
        assert_eq!(told.message, "Please sign in and try again.");
        assert_eq!(told.detail, told.message);
    }
}

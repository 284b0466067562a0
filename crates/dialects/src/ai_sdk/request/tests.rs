use chat_core::{
    access::Visibility, id::ConversationId, message::Rating, ports::ConversationChange,
};
use proptest::prelude::*;
use records::DocumentKind;
use serde_json::{Value, json};

use super::*;
use crate::ai_sdk::view::DocumentKindName;

const ID: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
const OTHER: &str = "0198a2f0-0000-7000-8000-000000000001";
const UUID: &str = "a UUID in its 36-character hyphenated form is accepted";

fn bytes(body: &Value) -> Vec<u8> {
    body.to_string().into_bytes()
}

/// The body with this key replaced, or removed where the value is `null`.
fn with(mut body: Value, key: &str, value: Value) -> Vec<u8> {
    let map = body.as_object_mut().unwrap();
    if value.is_null() {
        map.remove(key);
    } else {
        map.insert(key.to_owned(), value);
    }
    bytes(&body)
}

// docs/wire/ai-sdk.md W21.
#[test]
fn an_id_has_one_spelling() {
    assert_eq!(
        id::<ConversationId>("id", Some(ID)),
        Ok(ID.parse().unwrap())
    );
    assert_eq!(document_id("id", Some(ID)).unwrap().0.to_string(), ID);
    for bad in [
        None,
        Some(""),
        Some("test-id"),
        Some("67e5504410b1426f9247bb680e5fe0c8"),
        Some("{67e55044-10b1-426f-9247-bb680e5fe0c8}"),
    ] {
        let cause = format!("id: {UUID}");
        assert_eq!(document_id("id", bad).unwrap_err().cause, cause);
        assert_eq!(id::<ConversationId>("id", bad).unwrap_err().cause, cause);
    }
}

// docs/wire/ai-sdk.md W28.
#[test]
fn a_chat_takes_a_title_and_a_visibility() {
    let read = |body: Value| decode_change(&bytes(&body));
    assert_eq!(
        read(
            json!({ "visibility": "public", "title": " Holidays  in Bonn\u{2003}", "other": [1] })
        ),
        Ok(ConversationChange {
            title: Some("Holidays  in Bonn".to_owned()),
            visibility: Some(Visibility::Public),
        })
    );
    let described = ChangeChatRequest {
        title: None,
        visibility: Some(Visibility::Private),
    };
    assert_eq!(
        decode_change(&serde_json::to_vec(&described).unwrap())
            .unwrap()
            .visibility,
        Some(Visibility::Private)
    );
    for title in [
        "😀".repeat(100),
        "שלום\u{200f}!".to_owned(),
        "👩\u{200d}🚀".to_owned(),
    ] {
        assert!(read(json!({ "title": title })).is_ok(), "{title}");
    }
    let title = "title: a text of 1 to 200 characters (UTF-16 units) on one line is accepted";
    for (body, cause) in [
        (json!({}), "the body: visibility or title is needed"),
        (
            json!({ "title": null }),
            "the body: visibility or title is needed",
        ),
        (json!([]), "the body: an object is accepted"),
        (json!({ "title": 7 }), "title: a string is accepted"),
        (json!({ "title": "" }), title),
        (json!({ "title": " \n" }), title),
        (json!({ "title": "a\nb" }), title),
        (json!({ "title": "a\u{0}" }), title),
        (json!({ "title": "a\u{2028}b" }), title),
        (json!({ "title": "a\u{2029}b" }), title),
        // What turns the text around it into another one where it is shown.
        (json!({ "title": "a\u{202e}b" }), title),
        (json!({ "title": "a\u{2066}b" }), title),
        (json!({ "title": "😀".repeat(101) }), title),
        (
            json!({ "visibility": "PUBLIC" }),
            "visibility: \"public\" or \"private\" is accepted",
        ),
    ] {
        assert_eq!(read(body.clone()).unwrap_err().cause, cause, "{body}");
    }
}

// docs/wire/ai-sdk.md W28.
#[test]
fn a_vote_names_a_message_and_a_thumb() {
    let body = || json!({ "chatId": ID, "messageId": OTHER, "type": "down" });
    assert_eq!(
        decode_vote(&bytes(&body())),
        Ok(Vote {
            conversation: ID.parse().unwrap(),
            message: OTHER.parse().unwrap(),
            rating: Rating::Down,
        })
    );
    let described = VoteRequest {
        chat_id: ID.to_owned(),
        message_id: OTHER.to_owned(),
        kind: VoteType::Up,
    };
    let read = decode_vote(&serde_json::to_vec(&described).unwrap()).unwrap();
    assert_eq!(read.rating, Rating::Up);
    for (key, value, cause) in [
        ("chatId", Value::Null, format!("chatId: {UUID}")),
        ("chatId", json!("7"), format!("chatId: {UUID}")),
        ("messageId", json!("7"), format!("messageId: {UUID}")),
        (
            "type",
            Value::Null,
            "type: \"up\" or \"down\" is accepted".to_owned(),
        ),
        (
            "type",
            json!("UP"),
            "type: \"up\" or \"down\" is accepted".to_owned(),
        ),
    ] {
        assert_eq!(
            decode_vote(&with(body(), key, value)).unwrap_err().cause,
            cause
        );
    }
}

// docs/wire/ai-sdk.md W28.
#[test]
fn a_document_has_a_title_a_text_and_a_kind() {
    let body = || json!({ "title": "Essay", "content": "", "kind": "text" });
    assert_eq!(
        decode_document(&bytes(&body())),
        Ok(SaveDocument {
            title: "Essay".to_owned(),
            content: String::new(),
            kind: DocumentKind::Text,
            is_manual_edit: false,
        })
    );
    let described = SaveDocumentRequest {
        title: "T".to_owned(),
        content: "a,b".to_owned(),
        kind: DocumentKindName::Sheet,
        is_manual_edit: Some(true),
    };
    let read = decode_document(&serde_json::to_vec(&described).unwrap()).unwrap();
    assert_eq!(
        (read.kind, read.is_manual_edit),
        (DocumentKind::Sheet, true)
    );
    let long = "x".repeat(1024 * 1024 + 1);
    for (key, value, cause) in [
        (
            "title",
            Value::Null,
            "title: a text of 1 to 1000 characters (UTF-16 units) is accepted",
        ),
        (
            "title",
            json!(""),
            "title: a text of 1 to 1000 characters (UTF-16 units) is accepted",
        ),
        ("content", Value::Null, "content: a string is accepted"),
        ("content", json!({}), "content: a string is accepted"),
        (
            "content",
            json!(long),
            "content: a text of at most 1048576 bytes is accepted",
        ),
        (
            "kind",
            json!("pdf"),
            "kind: \"text\", \"code\", \"image\" or \"sheet\" is accepted",
        ),
        (
            "isManualEdit",
            json!("yes"),
            "isManualEdit: a boolean is accepted",
        ),
    ] {
        assert_eq!(
            decode_document(&with(body(), key, value))
                .unwrap_err()
                .cause,
            cause
        );
    }
    let mut image = body();
    image["kind"] = json!("image");
    assert!(decode_document(&with(image, "content", json!(long))).is_ok());
}

// docs/wire/ai-sdk.md W29.
#[test]
fn a_restore_point_is_the_end_of_what_was_said() {
    const SECOND: i64 = 1_765_485_481_000;
    for (text, ms) in [
        ("2025-12-11T20:38:01.007Z", SECOND + 7),
        ("2025-12-11T20:38:01Z", SECOND),
        ("2025-12-11T20:38:01.0079Z", SECOND + 7),
        ("2025-12-11T20:38:01.123456789Z", SECOND + 123),
        ("1969-12-31T23:59:59.9999Z", -1),
        (
            "Thu Dec 11 2025 20:38:01 GMT+0000 (Coordinated Universal Time)",
            SECOND + 999,
        ),
        (
            "Thu Dec 11 2025 20:38:01 GMT 0000 (Coordinated Universal Time)",
            SECOND + 999,
        ),
        (
            "Thu Dec 11 2025 21:38:01 GMT 0100 (Mitteleuropäische Normalzeit)",
            SECOND + 999,
        ),
        ("Thu Dec 11 2025 21:38:01 GMT+0100", SECOND + 999),
        (
            "Thu Dec 11 2025 15:38:01 GMT-0500 (Eastern Standard Time)",
            SECOND + 999,
        ),
        (
            "Fri Dec 12 2025 02:08:01 GMT 0530 (India Standard Time)",
            SECOND + 999,
        ),
    ] {
        assert_eq!(restore_point(Some(text)), Ok(ms), "{text}");
    }
    for bad in [
        "",
        "now",
        "1765485481007",
        "2025-12-11",
        "2025-12-11T20:38:01",
        "2025-12-11T20:38:01+00:00",
        "2025-12-11T20:38:01 00:00",
        "2025-12-11 20:38:01Z",
        "2025-12-11T20:38:01.007Z[UTC]",
        "2025-13-11T20:38:01Z",
        "Thu Dec 11 2025",
        "Thu Dec 11 2025 20:38:01",
        "Thu Dec 32 2025 20:38:01 GMT 0000",
        "Invalid Date",
        "Thu Dec 11 2025 20:38:01 GMT",
        "Thu Dec 11 2025 20:38:01 GMT 00",
        "Thu Dec 11 2025 20:38:01 GMT 9999",
    ] {
        let cause = restore_point(Some(bad)).unwrap_err().cause;
        assert_eq!(
            cause, "timestamp: a time such as 2025-12-11T20:38:01.007Z is accepted",
            "{bad}"
        );
    }
    assert!(restore_point(None).is_err());
    assert!(restore_point(Some(&"2".repeat(10_000))).is_err());
}

// docs/wire/ai-sdk.md W28.
#[test]
fn a_search_has_words_and_a_bounded_limit() {
    let limit = |limit| SearchRequest::decode(Some(" Bonn "), limit).unwrap();
    assert_eq!(
        limit(None),
        SearchRequest {
            text: "Bonn".to_owned(),
            limit: 20
        }
    );
    assert_eq!(
        (
            limit(Some("0")).limit,
            limit(Some("51")).limit,
            limit(Some("x")).limit
        ),
        (1, 50, 20)
    );
    for q in [None, Some(""), Some("  "), Some(&*"x".repeat(201))] {
        let cause = SearchRequest::decode(q, None).unwrap_err().cause;
        assert_eq!(
            cause,
            "q: a text of 1 to 200 characters (UTF-16 units) is accepted"
        );
    }
}

// docs/wire/ai-sdk.md W28.
#[test]
fn an_account_has_an_address_and_a_password_of_some_length() {
    let body =
        |email: &str, password: &str| bytes(&json!({ "email": email, "password": password }));
    for email in [
        "a@x.example",
        "First.Last+tag@sub.x-y.example",
        &format!("{}@x.example", "l".repeat(54)),
    ] {
        assert_eq!(
            decode_register(&body(email, "secret")).unwrap().email,
            email
        );
    }
    for email in [
        "",
        "guest-1",
        "a",
        "@x.example",
        "a@",
        "a@x",
        "a@x.",
        "a@.x",
        "a@-x.example",
        "a@x-.example",
        "a b@x.example",
        " a@x.example",
        "a@x.example\n",
        "a@b@x.example",
        "ä@x.example",
        "a@x..example",
        &format!("{}@x.example", "l".repeat(55)),
    ] {
        let cause = decode_register(&body(email, "secret")).unwrap_err().cause;
        assert_eq!(
            cause, "email: an e-mail address of at most 64 characters is accepted",
            "{email}"
        );
    }
    for password in ["", "12345", "😀😀x", &"x".repeat(1025)] {
        let taken = decode_register(&body("a@x.example", password));
        assert_eq!(
            taken.unwrap_err().cause,
            "password: a text of 6 characters or more and at most 1024 bytes is accepted",
            "{password}"
        );
    }
    assert!(decode_register(&body("a@x.example", "😀😀😀")).is_ok());
    let login = decode_login(&body("guest-1", "x")).unwrap();
    assert_eq!((&*login.email, &*login.password), ("guest-1", "x"));
    assert!(!format!("{login:?}").contains("guest"));
    assert!(decode_login(&body("", "x")).is_err());
    assert!(decode_login(&body("a@x.example", "")).is_err());
    assert!(decode_login(b"{}").is_err());
}

// docs/wire/ai-sdk.md W28.
#[test]
fn a_refresh_needs_its_token() {
    assert_eq!(
        decode_refresh(b"{\"refresh_token\":\"r\"}"),
        Ok(RefreshToken("r".to_owned()))
    );
    let described = RefreshRequest {
        refresh_token: "r".to_owned(),
    };
    assert!(decode_refresh(&serde_json::to_vec(&described).unwrap()).is_ok());
    for bad in [
        "{}",
        "{\"refresh_token\":\"\"}",
        "{\"refresh_token\":7}",
        "[]",
        "",
    ] {
        assert!(decode_refresh(bad.as_bytes()).is_err(), "{bad}");
    }
    let long = json!({ "refresh_token": "x".repeat(1025) });
    assert!(decode_refresh(&bytes(&long)).is_err());
}

// docs/wire/ai-sdk.md W26.
#[test]
fn no_fault_says_anything_of_what_was_sent() {
    let secret = "my-secret-words";
    let causes = |body: &[u8]| {
        [
            decode_change(body).unwrap_err(),
            decode_vote(body).unwrap_err(),
            decode_document(body).unwrap_err(),
            decode_login(body).unwrap_err(),
            decode_register(body).unwrap_err(),
            decode_refresh(body).unwrap_err(),
        ]
    };
    for body in [
        json!(secret),
        json!([secret]),
        json!({
            "title": [secret], "visibility": secret, "chatId": secret, "content": [secret], "kind": secret,
            "email": [secret], "password": [secret], "refresh_token": [secret],
        }),
    ] {
        for error in causes(&bytes(&body)) {
            assert!(!error.cause.contains(secret), "{}", error.cause);
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = decode_change(&bytes);
        let _ = decode_vote(&bytes);
        let _ = decode_document(&bytes);
        let _ = decode_login(&bytes);
        let _ = decode_register(&bytes);
        let _ = decode_refresh(&bytes);
    }

    #[test]
    fn any_text_is_a_time_or_none(text in "\\PC{0,140}") {
        let _ = restore_point(Some(&text));
    }

    // docs/wire/ai-sdk.md W29, W40.
    #[test]
    fn every_time_that_is_told_is_read_back(ms in -62_135_596_800_000_i64..=253_402_207_199_999) {
        prop_assert_eq!(restore_point(Some(&crate::ai_sdk::timestamp(ms))), Ok(ms));
    }
}

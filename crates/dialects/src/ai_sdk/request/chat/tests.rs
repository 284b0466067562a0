use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

mod replies;

/// A send; what lets an answer go on is none.
fn decode(body: &[u8]) -> Result<SendMessage, InvalidRequest> {
    match decode_chat(body)? {
        ChatCommand::Send(send) => Ok(send),
        ChatCommand::Answer(_) => panic!("an answer and no send"),
    }
}

const CHAT: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
const MESSAGE: &str = "0198a2f0-0000-7000-8000-000000000001";

fn body() -> Value {
    json!({
        "id": CHAT,
        "message": { "id": MESSAGE, "role": "user", "parts": [{ "type": "text", "text": "Hi" }] },
        "selectedChatModel": "chat-model",
        "selectedVisibilityType": "private",
    })
}

fn read(body: &Value) -> Result<SendMessage, InvalidRequest> {
    decode(body.to_string().as_bytes())
}

fn text(text: &str) -> PartContent {
    PartContent::Text {
        text: text.to_owned(),
        annotations: Vec::new(),
    }
}

/// The body with the value at this pointer replaced, or removed.
fn with(pointer: &str, value: Option<Value>) -> Value {
    let mut body = body();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    match (value, parent) {
        (Some(value), Value::Object(map)) => drop(map.insert(key.to_owned(), value)),
        (None, Value::Object(map)) => drop(map.remove(key)),
        (Some(value), parent) => parent[key.parse::<usize>().unwrap()] = value,
        (None, _) => panic!("only keys are removed"),
    }
    body
}

fn refused(body: &Value) -> String {
    read(body).unwrap_err().cause
}

#[test]
fn a_whole_body_is_a_send() {
    let parts = json!([
        { "type": "file", "mediaType": "image/png", "name": "a.png", "url": "https://x.example/a.png" },
        { "type": "file", "mediaType": "image/jpeg", "name": "b", "url": "data:image/jpeg;base64,AAAA" },
        { "type": "text", "text": "Look", "state": "done", "providerMetadata": {} },
    ]);
    let mut body = with("/message/parts", Some(parts));
    body["message"]["createdAt"] = json!("2026-01-01T00:00:00.000Z");
    body["message"]["metadata"] = json!({ "deep": [1, { "a": null }] });
    body["trigger"] = json!("submit-message");
    body["selectedVisibilityType"] = json!("public");
    assert_eq!(
        read(&body),
        Ok(SendMessage {
            conversation: CHAT.parse().unwrap(),
            message: MESSAGE.parse().unwrap(),
            parts: vec![
                PartContent::File {
                    media_type: "image/png".to_owned(),
                    name: Some("a.png".to_owned()),
                    url: "https://x.example/a.png".to_owned(),
                },
                PartContent::File {
                    media_type: "image/jpeg".to_owned(),
                    name: Some("b".to_owned()),
                    url: "data:image/jpeg;base64,AAAA".to_owned(),
                },
                text("Look"),
            ],
            replies: Vec::new(),
            model: Some("chat-model".to_owned()),
            visibility: Visibility::Public,
        })
    );
}

#[test]
fn the_described_body_is_the_one_that_is_read() {
    let request = ChatRequest {
        id: CHAT.to_owned(),
        message: Some(ChatRequestMessage {
            id: MESSAGE.to_owned(),
            role: "user".to_owned(),
            parts: vec![
                ChatRequestPart::File {
                    media_type: "image/png".to_owned(),
                    name: "a.png".to_owned(),
                    url: "https://x.example/a.png".to_owned(),
                },
                ChatRequestPart::Text {
                    text: "Look".to_owned(),
                },
            ],
        }),
        messages: None,
        selected_chat_model: Some("any/model".to_owned()),
        selected_visibility_type: Some(Visibility::Public),
    };
    let send = decode(&serde_json::to_vec(&request).unwrap()).unwrap();
    assert_eq!(send.model.as_deref(), Some("any/model"));
    assert_eq!(send.visibility, Visibility::Public);
    assert_eq!(send.parts.len(), 2);
}

// docs/wire/ai-sdk.md W24.
#[test]
fn model_and_visibility_may_be_left_out() {
    let mut body = with("/selectedChatModel", None);
    body.as_object_mut()
        .unwrap()
        .remove("selectedVisibilityType");
    let send = read(&body).unwrap();
    assert_eq!((send.model, send.visibility), (None, Visibility::Private));
}

// docs/wire/ai-sdk.md W20 to W26.
#[test]
fn a_fault_is_named_by_the_parameter() {
    let uuid = "a UUID in its 36-character hyphenated form is accepted";
    let long = "a text of 1 to 2000 characters (UTF-16 units) is accepted";
    for (body, cause) in [
        (json!({}), format!("id: {uuid}")),
        (with("/id", Some(json!("test-id"))), format!("id: {uuid}")),
        (
            with("/id", Some(json!("67e5504410b1426f9247bb680e5fe0c8"))),
            format!("id: {uuid}"),
        ),
        (
            with("/id", Some(json!(7))),
            "id: a string is accepted".to_owned(),
        ),
        (with("/id", Some(Value::Null)), format!("id: {uuid}")),
        (
            with("/message", None),
            "message: missing; either message or messages is needed".to_owned(),
        ),
        (
            with("/message", Some(json!("Hi"))),
            "message: an object is accepted".to_owned(),
        ),
        (
            with("/message", Some(json!([MESSAGE, "user", []]))),
            "message: an object is accepted".to_owned(),
        ),
        (with("/message/id", None), format!("message.id: {uuid}")),
        (
            with("/message/id", Some(json!("1"))),
            format!("message.id: {uuid}"),
        ),
        (
            with("/message/role", None),
            "message.role: \"user\" is accepted".to_owned(),
        ),
        (
            with("/message/role", Some(json!("assistant"))),
            "message.role: \"user\" is accepted".to_owned(),
        ),
        (
            with("/message/parts", None),
            "message.parts: at least one part is needed".to_owned(),
        ),
        (
            with("/message/parts", Some(json!([]))),
            "message.parts: at least one part is needed".to_owned(),
        ),
        (
            with("/message/parts", Some(json!({}))),
            "message.parts: an array is accepted".to_owned(),
        ),
        (
            with("/message/parts", Some(json!(["Hi"]))),
            "message.parts[0]: an object is accepted".to_owned(),
        ),
        (
            with("/message/parts", Some(json!([["text", "Hi"]]))),
            "message.parts[0]: an object is accepted".to_owned(),
        ),
        (
            with("/message/parts", Some(json!([{}]))),
            "message.parts[0].type: missing".to_owned(),
        ),
        (
            with("/message/parts/0/type", Some(json!("image"))),
            "message.parts[0].type: \"text\" or \"file\" is accepted".to_owned(),
        ),
        (
            with("/message/parts/0/text", None),
            format!("message.parts[0].text: {long}"),
        ),
        (
            with("/message/parts/0/text", Some(json!(""))),
            format!("message.parts[0].text: {long}"),
        ),
        (
            with("/message/parts/0/text", Some(json!(["Hi"]))),
            "message.parts[0].text: a string is accepted".to_owned(),
        ),
        (
            with("/message/parts/0/text", Some(json!("x".repeat(2001)))),
            format!("message.parts[0].text: {long}"),
        ),
        (
            with("/selectedChatModel", Some(json!(1))),
            "selectedChatModel: a string is accepted".to_owned(),
        ),
        (
            with("/selectedVisibilityType", Some(json!("secret"))),
            "selectedVisibilityType: \"public\" or \"private\" is accepted".to_owned(),
        ),
    ] {
        assert_eq!(refused(&body), cause, "{body}");
    }
}

// docs/wire/ai-sdk.md W22.
#[test]
fn a_text_is_counted_as_the_frontend_counts_it() {
    for fits in ["x".repeat(2000), "ü".repeat(2000), "😀".repeat(1000)] {
        assert!(read(&with("/message/parts/0/text", Some(json!(fits)))).is_ok());
    }
    for over in ["ü".repeat(2001), format!("{}x", "😀".repeat(1000))] {
        assert!(read(&with("/message/parts/0/text", Some(json!(over)))).is_err());
    }
}

// docs/wire/ai-sdk.md W22.
#[test]
fn a_file_needs_a_known_type_a_name_and_a_url_of_the_web_or_an_image() {
    let file = |key: &str, value: Value| {
        let mut file = json!({
            "type": "file", "mediaType": "image/png", "name": "a.png", "url": "https://x.example/a.png"
        });
        file[key] = value;
        read(&with("/message/parts/0", Some(file)))
    };
    let cause = |key: &str, value: Value| file(key, value).unwrap_err().cause;
    assert!(file("name", json!("n".repeat(100))).is_ok());
    let long = |length: usize| format!("https://x.example/{:a<1$}", "", length - 18);
    for url in [
        json!("http://127.0.0.1:8000/a.png"),
        json!("HTTPS://x.example/a.png"),
        json!(long(2048)),
        json!("data:image/png;base64,iVBORw0KGg=="),
        json!("data:image/jpeg;base64,/9j+"),
        json!(format!("data:image/png;base64,{}", "A".repeat(1 << 20))),
    ] {
        assert!(file("url", url.clone()).is_ok(), "{url:.80}");
    }
    for media_type in [
        json!("image/gif"),
        json!("IMAGE/PNG"),
        json!(""),
        Value::Null,
    ] {
        assert_eq!(
            cause("mediaType", media_type),
            "message.parts[0].mediaType: image/jpeg or image/png is accepted"
        );
    }
    for name in [json!(""), json!("n".repeat(101)), Value::Null] {
        assert_eq!(
            cause("name", name),
            "message.parts[0].name: a text of 1 to 100 characters (UTF-16 units) is accepted"
        );
    }
    for url in [
        json!(""),
        json!("/a.png"),
        json!("a.png"),
        json!("//x.example/a"),
        json!("http://"),
        json!(long(2049)),
        json!("file:///etc/passwd"),
        json!("ftp://x.example/a.png"),
        json!("javascript:alert(1)"),
        json!("java\nscript:alert(1)"),
        json!(" javascript:alert(1)"),
        json!("blob:https://x.example/1"),
        json!("data:text/html;base64,AAAA"),
        json!("data:image/svg+xml;base64,AAAA"),
        json!("data:image/png,AAAA"),
        json!("data:image/png;base64,"),
        json!("data:image/png;base64,=="),
        json!("data:image/png;base64,A==="),
        json!("data:image/png;base64,AA AA"),
        json!("data:image/png;base64,AA\"<b>"),
        json!("data:;base64,AAAA"),
        Value::Null,
    ] {
        assert_eq!(
            cause("url", url),
            "message.parts[0].url: an http or https URL of at most 2048 characters, or data:image/jpeg;base64,… or data:image/png;base64,… is accepted"
        );
    }
}

// docs/wire/ai-sdk.md W23.
#[test]
fn a_whole_conversation_is_taken_for_its_last_user_message() {
    let mut body = with("/message", None);
    body["messages"] = json!([
        { "id": "any", "role": "assistant", "parts": [1, "two", { "type": "tool-x", "state": "output-denied" }] },
        { "id": MESSAGE, "role": "user", "parts": [{ "type": "text", "text": "Go on" }] },
    ]);
    let send = read(&body).unwrap();
    assert_eq!(send.message, MESSAGE.parse().unwrap());
    assert_eq!(send.parts, vec![text("Go on")]);

    body["messages"][1]["parts"] = json!([{ "type": "text", "text": "" }]);
    assert!(refused(&body).starts_with("messages[1].parts[0].text: "));
    body["messages"][1]["parts"] = json!([{ "type": "text", "text": 1 }]);
    assert!(refused(&body).starts_with("messages[1].parts[0].text: "));
    body["messages"] = json!([]);
    assert_eq!(refused(&body), "messages: at least one message is needed");
    body["messages"] = json!([7]);
    assert_eq!(refused(&body), "messages[0]: an object is accepted");
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    let whole = body().to_string();
    for body in [
        "",
        " ",
        "null",
        "[]",
        "\"text\"",
        "{",
        "nonsense",
        "{}{}",
        &format!("{whole}x"),
        &format!("{whole}{whole}"),
        &whole[..whole.len() - 1],
        &whole.replace("Hi", "\\ud800"),
        &whole.replace("Hi", "a\nb"),
    ] {
        assert!(decode(body.as_bytes()).is_err(), "{body}");
    }
    assert!(decode(b"\xff\xfe").is_err());
    let mut bad_utf8 = whole.into_bytes();
    let at = bad_utf8.windows(2).position(|pair| pair == b"Hi").unwrap();
    bad_utf8[at] = 0xff;
    assert!(decode(&bad_utf8).is_err());
}

// docs/wire/ai-sdk.md W20.
#[test]
fn a_key_that_is_given_twice_is_refused() {
    let body = body().to_string().replacen('{', "{\"id\":\"x\",", 1);
    assert_eq!(
        decode(body.as_bytes()).unwrap_err().cause,
        "the body.id: given twice"
    );
}

// docs/wire/ai-sdk.md W20.
#[test]
fn deep_nesting_is_refused_or_passed_over_and_never_fatal() {
    for depth in [100, 10_000, 1_000_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let deep = format!("{open}{close}");
        for (pointer, placed) in [
            ("/message", "message"),
            ("/id", "id"),
            ("/messages", "messages"),
        ] {
            let body = with(pointer, Some(json!("@")))
                .to_string()
                .replace("\"@\"", &deep);
            assert!(decode(body.as_bytes()).is_err() || placed == "messages");
        }
        assert!(decode(deep.as_bytes()).is_err());
        assert!(decode(open.as_bytes()).is_err());
        let ignored = with("/trigger", Some(json!("@")))
            .to_string()
            .replace("\"@\"", &deep);
        assert!(decode(ignored.as_bytes()).is_ok());
    }
}

// docs/wire/ai-sdk.md W26.
#[test]
fn a_fault_says_nothing_of_what_was_sent() {
    let secret = "my-secret-words";
    for body in [
        with("/message", Some(json!(secret))),
        with("/message/parts", Some(json!(secret))),
        with("/message/parts/0", Some(json!(secret))),
        with("/message/parts/0/type", Some(json!(secret))),
        with("/message/parts/0/text", Some(json!([secret]))),
        with("/selectedVisibilityType", Some(json!(secret))),
        with("/id", Some(json!(secret))),
        json!(secret),
    ] {
        assert!(!refused(&body).contains(secret), "{body}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn a_cut_body_is_refused(at in any::<prop::sample::Index>()) {
        let whole = body().to_string();
        let at = at.index(whole.len());
        prop_assert!(decode(&whole.as_bytes()[..at]).is_err());
    }
}

//! Bad requests: the contract's status and code, and nothing stored.

use std::{fmt::Write as _, time::Duration};

use auth::{Algorithm, Caller, CallerKind, Secret, TokenKeys};
use reqwest::Response;
use serde_json::{Value, json};
use server::routes::MAX_BODY;

use crate::support::{
    Ask, BEGAN_MS, EventStream, Person, RawConnection, SECRET, Skein, new_id, redacted, send_body,
};

/// A private chat of Ann's with one answer, and Ben, who has a chat of his own.
struct House {
    skein: Skein,
    ann: Person,
    ben: Person,
    chat: String,
    message: String,
    foreign: String,
}

impl House {
    async fn build() -> Self {
        let skein = Skein::start();
        let (ann, ben) = (skein.guest().await, skein.guest().await);
        let (chat, message, foreign) = (new_id(), new_id(), new_id());
        let said = ann
            .say_as(&chat, &message, "Hello. [[mock: tokens=2]]")
            .await;
        said.finish().await;
        ben.talk(&foreign, "Hi. [[mock: tokens=2]]").await;
        Self {
            skein,
            ann,
            ben,
            chat,
            message,
            foreign,
        }
    }

    /// Everything that a request could change: what is stored, and how often the model was asked.
    async fn state(&self) -> Value {
        json!({
            "ann": self.ann.chats().await,
            "ben": self.ben.chats().await,
            "messages": self.ann.messages(&self.chat).await,
            "foreign": self.ben.messages(&self.foreign).await,
            "asked": self.skein.llm.stats().requests,
        })
    }

    /// Sends a request without a token, or with the one that it brings.
    async fn ask(&self, ask: Ask) -> Response {
        ask.send(self.skein.address).await
    }
}

/// A send of Ann's with something changed in its body.
fn sent(house: &House, change: impl FnOnce(&mut Value)) -> Ask {
    let mut body = send_body(&house.chat, &new_id(), "Hello again.");
    change(&mut body);
    posted(body.to_string())
}

fn posted(body: impl Into<Vec<u8>>) -> Ask {
    Ask::post("/api/chat", body)
}

fn part(house: &House, part: Value) -> Ask {
    sent(house, |body| {
        body["message"]["parts"] = Value::Array(vec![part]);
    })
}

/// Every bad request that is told before it is asked who sends it [W36], and what it is answered.
fn malformed(house: &House) -> Vec<(&'static str, Ask, &'static str)> {
    const BAD: &str = "400 bad_request:api";
    let chat = &house.chat;
    let file = |media_type: &str, name: &str, url: &str| json!({"type": "file", "mediaType": media_type, "name": name, "url": url});
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    vec![
        ("no body", posted(""), BAD),
        ("no JSON", posted("{\"id\": "), BAD),
        ("no UTF-8", posted(b"{\"id\":\"\xff\xfe\"}".to_vec()), BAD),
        ("two values", posted("{} {}"), BAD),
        ("an array", posted("[]"), BAD),
        ("null", posted("null"), BAD),
        ("an empty object", posted("{}"), BAD),
        ("nested deeply", posted(deep(100_000)), BAD),
        ("nested deeply in a key of ours", posted(format!("{{\"id\":{}}}", deep(100_000))), BAD),
        ("nested deeply and cut off", posted("{\"x\":[".repeat(100_000)), BAD),
        ("an id that is no UUID", sent(house, |body| body["id"] = json!("chat-1")), BAD),
        ("an id without hyphens", sent(house, |body| body["id"] = json!(chat.replace('-', ""))), BAD),
        ("an id in braces", sent(house, |body| body["id"] = json!(format!("{{{chat}}}"))), BAD),
        ("an id that is a number", sent(house, |body| body["id"] = json!(7)), BAD),
        ("no id", sent(house, |body| body["id"] = Value::Null), BAD),
        ("an id twice", posted(format!("{{\"id\":\"{chat}\",\"id\":\"{chat}\",\"message\":{{}}}}")), BAD),
        ("no message", posted(json!({"id": chat}).to_string()), BAD),
        ("a message that is a text", sent(house, |body| body["message"] = json!("Hello")), BAD),
        ("a message id that is no UUID", sent(house, |body| body["message"]["id"] = json!("m")), BAD),
        ("a message of the assistant's", sent(house, |body| body["message"]["role"] = json!("assistant")), BAD),
        ("no parts", sent(house, |body| body["message"]["parts"] = json!([])), BAD),
        ("parts that are an object", sent(house, |body| body["message"]["parts"] = json!({})), BAD),
        ("an unknown part", part(house, json!({"type": "video"})), BAD),
        ("a part without a type", part(house, json!({"text": "Hello"})), BAD),
        ("an empty text", part(house, json!({"type": "text", "text": ""})), BAD),
        ("a text that is a number", part(house, json!({"type": "text", "text": 1})), BAD),
        ("2001 letters", part(house, json!({"type": "text", "text": "x".repeat(2001)})), BAD),
        ("2002 UTF-16 units in 1001 characters", part(house, json!({"type": "text", "text": "😀".repeat(1001)})), BAD),
        ("a file of another type", part(house, file("image/gif", "a", "https://a.example/a")), BAD),
        ("a file without a name", part(house, file("image/png", "", "https://a.example/a")), BAD),
        ("a file with a long name", part(house, file("image/png", &"n".repeat(101), "https://a.example/a")), BAD),
        ("a file with a relative address", part(house, file("image/png", "a", "/a.png")), BAD),
        ("an unknown visibility", sent(house, |body| body["selectedVisibilityType"] = json!("friends")), BAD),
        ("a visibility that is a flag", sent(house, |body| body["selectedVisibilityType"] = json!(true)), BAD),
        ("a model that is a number", sent(house, |body| body["selectedChatModel"] = json!(4)), BAD),
        ("no messages", posted(json!({"id": chat, "messages": []}).to_string()), BAD),
        ("messages that end with the assistant's, and answer nothing", posted(json!({"id": chat, "messages": [{"id": new_id(), "role": "assistant", "parts": []}]}).to_string()), BAD),
        ("4 MiB and a byte", posted(vec![b' '; MAX_BODY + 1]), "413 bad_request:api"),
        ("an empty key", sent(house, |_| {}).header("idempotency-key", ""), BAD),
        ("a key of 256 characters", sent(house, |_| {}).header("idempotency-key", "k".repeat(256)), BAD),
        ("a key that is no ASCII", sent(house, |_| {}).header("idempotency-key", "schlüssel"), BAD),
        ("a delete without an id", Ask::new("DELETE", "/api/chat"), BAD),
        ("a delete of no UUID", Ask::new("DELETE", "/api/chat?id=chat-1"), BAD),
        ("messages without a chat", Ask::get("/api/messages"), BAD),
        ("messages of no UUID", Ask::get("/api/messages?chatId=chat-1"), BAD),
        ("both cursors", Ask::get(format!("/api/history?starting_after={chat}&ending_before={chat}")), BAD),
        ("a cursor that is no UUID", Ask::get("/api/history?ending_before=chat-1"), BAD),
        ("another cursor that is no UUID", Ask::get("/api/history?starting_after=%00"), BAD),
    ]
}

/// Requests of Ben's about what is Ann's or nobody's, and what they are answered [W32, W33].
fn foreign(house: &House) -> Vec<(&'static str, Ask, &'static str)> {
    let chat = &house.chat;
    let none = new_id();
    let taken = send_body(&house.foreign, &house.message, "Mine now.");
    vec![
        (
            "a send to another's chat",
            sent(house, |_| {}),
            "403 forbidden:chat",
        ),
        (
            "an edit in another's chat",
            sent(house, |body| body["message"]["id"] = json!(house.message)),
            "403 forbidden:chat",
        ),
        (
            "a send under another's message id",
            posted(taken.to_string()),
            "400 bad_request:api",
        ),
        (
            "a send under another's message id to a new chat",
            posted(send_body(&none, &house.message, "Mine now.").to_string()),
            "400 bad_request:api",
        ),
        (
            "a delete of another's chat",
            Ask::new("DELETE", format!("/api/chat?id={chat}")),
            "403 forbidden:chat",
        ),
        (
            "a delete of no chat",
            Ask::new("DELETE", format!("/api/chat?id={none}")),
            "403 forbidden:chat",
        ),
        (
            "a stop of another's chat",
            Ask::new("POST", format!("/api/chat/{chat}/stop")),
            "403 forbidden:chat",
        ),
        (
            "a stop of no chat",
            Ask::new("POST", format!("/api/chat/{none}/stop")),
            "404 not_found:chat",
        ),
        (
            "a stop of no UUID",
            Ask::new("POST", "/api/chat/chat-1/stop"),
            "404 not_found:chat",
        ),
        (
            "a stream of another's chat",
            Ask::get(format!("/api/chat/{chat}/stream")),
            "403 forbidden:chat",
        ),
        (
            "a wait for another's chat",
            Ask::get(format!("/api/chat/{chat}/stream?wait=1")),
            "403 forbidden:chat",
        ),
        (
            "a stream of no chat",
            Ask::get(format!("/api/chat/{none}/stream")),
            "404 not_found:chat",
        ),
        (
            "a wait for no chat",
            Ask::get(format!("/api/chat/{none}/stream?wait=1")),
            "404 not_found:chat",
        ),
        (
            "a stream of no UUID",
            Ask::get("/api/chat/chat-1/stream"),
            "404 not_found:chat",
        ),
        (
            "messages of another's chat",
            Ask::get(format!("/api/messages?chatId={chat}")),
            "403 forbidden:chat",
        ),
        (
            "a list from another's chat on",
            Ask::get(format!("/api/history?ending_before={chat}")),
            "404 not_found:chat",
        ),
        (
            "a list up to another's chat",
            Ask::get(format!("/api/history?starting_after={chat}")),
            "404 not_found:chat",
        ),
        (
            "a list from no chat on",
            Ask::get(format!("/api/history?ending_before={none}")),
            "404 not_found:chat",
        ),
    ]
}

/// Paths and methods that nobody has [W35].
fn unrouted() -> Vec<(&'static str, Ask, &'static str)> {
    const NOWHERE: &str = "404 not_found:api";
    vec![
        ("an unknown path", Ask::get("/api/unknown"), NOWHERE),
        ("the prefix alone", Ask::get("/api"), NOWHERE),
        (
            "a known path with a slash behind",
            Ask::get("/api/history/"),
            NOWHERE,
        ),
        (
            "a chat's path with another verb",
            Ask::get(format!("/api/chat/{}/title", new_id())),
            NOWHERE,
        ),
        (
            "a wrong method",
            Ask::new("PUT", "/api/chat"),
            "405 bad_request:api",
        ),
        (
            "a method that nobody knows",
            Ask::new("BREW", "/api/history"),
            "405 bad_request:api",
        ),
    ]
}

/// A valid request for each route that needs to know who asks.
fn guarded(house: &House) -> Vec<(&'static str, Ask)> {
    let chat = &house.chat;
    vec![
        ("send", sent(house, |_| {})),
        ("delete", Ask::new("DELETE", format!("/api/chat?id={chat}"))),
        ("stop", Ask::new("POST", format!("/api/chat/{chat}/stop"))),
        ("stream", Ask::get(format!("/api/chat/{chat}/stream"))),
        ("history", Ask::get("/api/history")),
        ("chat", Ask::get(format!("/api/chat/{chat}"))),
        ("messages", Ask::get(format!("/api/messages?chatId={chat}"))),
    ]
}

#[tokio::test]
async fn bad_requests_are_answered_as_written_and_store_nothing() {
    let house = House::build().await;
    let before = house.state().await;
    let mut wrong = Vec::new();
    let mut bodies = String::new();
    let ben = &house.ben.token;
    // The malformed ones come without a token: they are told before it is asked who sends them [W36].
    let rows = malformed(&house).into_iter().chain(unrouted()).chain(
        foreign(&house)
            .into_iter()
            .map(|(what, ask, told)| (what, ask.token(ben), told)),
    );
    for (what, ask, expected) in rows {
        let answer = house.ask(ask).await;
        let status = answer.status().as_u16();
        assert_eq!(
            answer.headers()["content-type"],
            "application/json",
            "{what}"
        );
        let body: Value = answer.json().await.unwrap();
        let told = format!("{status} {}", body["code"].as_str().unwrap_or_default());
        if told != expected {
            wrong.push(format!("{what}: {told} instead of {expected}"));
        }
        let body = redacted(&body.to_string());
        writeln!(bodies, "{what}\n    {status} {body}").unwrap();
        let after = house.state().await;
        if after != before {
            wrong.push(format!(
                "{what}: changed what is stored\n{before:#}\n{after:#}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    insta::assert_snapshot!("bodies", bodies);
}

#[tokio::test]
async fn no_route_lets_a_stranger_in() {
    let house = House::build().await;
    let before = house.state().await;
    let mut wrong = Vec::new();
    for (credential, header) in credentials(&house.ann) {
        for (route, ask) in guarded(&house) {
            let ask = match &header {
                Some(header) => ask.header("authorization", header.clone()),
                None => ask,
            };
            let answer = house.ask(ask).await;
            let status = answer.status().as_u16();
            let body: Value = answer.json().await.unwrap_or_default();
            if (status, &body["code"]) != (401, &json!("unauthorized:chat")) {
                wrong.push(format!("{credential}, {route}: {status} {body}"));
            }
            if body.get("cause").is_some() {
                wrong.push(format!("{credential}, {route}: says why: {body}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(house.state().await, before);
}

/// Headers that nobody should be let in with. All but the first speak for Ann.
fn credentials(ann: &Person) -> Vec<(&'static str, Option<Vec<u8>>)> {
    let caller = |user: &str| Caller {
        user: user.parse().unwrap(),
        kind: CallerKind::Guest,
        email: None,
    };
    let hour = Duration::from_hours(1);
    let keys = |secret: &str, algorithm| {
        TokenKeys::new(&[Secret::new(secret.as_bytes().to_vec())], algorithm, hour).unwrap()
    };
    let ours = keys(SECRET, Algorithm::Hs256);
    let [_, claims, signature] = ann.token.split('.').collect::<Vec<_>>()[..] else {
        panic!("a token has three parts");
    };
    // {"alg":"none","typ":"JWT"}, and the same with another spelling of "none".
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let none_in_capitals = "eyJhbGciOiJOT05FIiwidHlwIjoiSldUIn0";
    let forged = keys("another secret, of 32 bytes and more", Algorithm::Hs256);
    let other_algorithm = keys(SECRET, Algorithm::Hs512);
    let bearer = |token: String| Some(format!("Bearer {token}").into_bytes());
    let mut flipped = ann.token.clone();
    let last_but_one = flipped.len() - 2;
    let other = if flipped.as_bytes()[last_but_one] == b'A' {
        "B"
    } else {
        "A"
    };
    flipped.replace_range(last_but_one..=last_but_one, other);
    vec![
        ("no header", None),
        ("an empty header", Some(Vec::new())),
        (
            "another scheme",
            Some(format!("Basic {}", ann.token).into_bytes()),
        ),
        ("no scheme", Some(ann.token.clone().into_bytes())),
        ("no token", bearer(String::new())),
        ("no JWT", bearer("abc".to_owned())),
        ("bytes that are no text", Some(b"Bearer \xff\xfe".to_vec())),
        ("garbage of 60 KB", bearer("x".repeat(60_000))),
        (
            "an expired token",
            bearer(
                ours.issue(&caller(&ann.id), None, BEGAN_MS - 2 * 3_600_000)
                    .token,
            ),
        ),
        (
            "a forged token",
            bearer(forged.issue(&caller(&ann.id), None, BEGAN_MS).token),
        ),
        (
            "another algorithm",
            bearer(
                other_algorithm
                    .issue(&caller(&ann.id), None, BEGAN_MS)
                    .token,
            ),
        ),
        ("a changed signature", bearer(flipped)),
        (
            "no signature",
            bearer(format!(
                "{}.{claims}.",
                ann.token.split('.').next().unwrap()
            )),
        ),
        ("alg none", bearer(format!("{none}.{claims}."))),
        (
            "alg none with a signature",
            bearer(format!("{none}.{claims}.{signature}")),
        ),
        ("alg NONE", bearer(format!("{none_in_capitals}.{claims}."))),
        (
            "a user who is not there",
            bearer(ours.issue(&caller(&new_id()), None, BEGAN_MS).token),
        ),
    ]
}

#[tokio::test]
async fn a_token_made_with_the_servers_secret_is_let_in() {
    // So that the refusals above are the tokens' own fault.
    let house = House::build().await;
    let secret = Secret::new(SECRET.as_bytes().to_vec());
    let keys = TokenKeys::new(&[secret], Algorithm::Hs256, Duration::from_mins(1)).unwrap();
    let caller = Caller {
        user: house.ann.id.parse().unwrap(),
        kind: CallerKind::Guest,
        email: None,
    };
    let token = keys.issue(&caller, None, BEGAN_MS).token;
    for (route, ask) in guarded(&house) {
        let answer = house.ask(ask.token(&token)).await;
        assert!(
            answer.status().is_success() || answer.status() == 404,
            "{route}: {answer:?}"
        );
    }
}

#[tokio::test]
async fn a_token_ends_with_its_time() {
    let skein = Skein::start_with(&[("JWT_ACCESS_TOKEN_EXPIRE_MINUTES", "30")]);
    let ann = skein.guest().await;
    assert!(ann.chats().await.is_empty());
    skein.clock.move_by(32 * 60_000);
    assert_eq!(ann.ask(Ask::get("/api/history")).await.status(), 401);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_and_the_server_goes_on() {
    let house = House::build().await;
    for bytes in [64 * 1024, 1024 * 1024] {
        let mut connection = RawConnection::to(house.skein.address).await;
        let head = format!(
            "GET /api/history HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\r\n",
            "x".repeat(bytes)
        );
        connection.try_write(head.as_bytes()).await;
        let answer = connection.read_head().await;
        let refused = ["HTTP/1.1 400 ", "HTTP/1.1 401 ", "HTTP/1.1 431 ", ""]
            .iter()
            .any(|head| {
                if head.is_empty() {
                    answer.is_empty()
                } else {
                    answer.starts_with(head)
                }
            });
        assert!(refused, "{bytes}: {answer}");
    }
    assert_eq!(house.ann.chats().await.len(), 1);
}

#[tokio::test]
async fn a_body_that_is_sent_in_half_stores_nothing() {
    let house = House::build().await;
    let before = house.state().await;
    let body = send_body(&house.chat, &new_id(), "Never whole.").to_string();
    let head = half_head(&house.ann, body.len());

    // The client says that no more comes, and reads on.
    let mut ended = RawConnection::to(house.skein.address).await;
    ended.write(head.as_bytes()).await;
    ended.write(&body.as_bytes()[..body.len() - 1]).await;
    ended.end_writing().await;
    let answer = ended.read_to_end().await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );

    // The client is gone in the middle.
    let mut gone = RawConnection::to(house.skein.address).await;
    gone.write(head.as_bytes()).await;
    gone.write(&body.as_bytes()[..10]).await;
    drop(gone);

    // The client stalls, and nobody else waits for it.
    let mut stalled = RawConnection::to(house.skein.address).await;
    stalled.write(head.as_bytes()).await;
    stalled.write(&body.as_bytes()[..10]).await;
    assert_eq!(house.state().await, before);

    // A slow one is served once it is whole.
    stalled.write(&body.as_bytes()[10..]).await;
    let mut answer = String::new();
    while !answer.contains("[DONE]") {
        let more = stalled.read().await;
        assert!(!more.is_empty(), "{answer}");
        answer += &String::from_utf8(more).unwrap();
    }
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(house.ann.messages(&house.chat).await.len(), 4);
}

#[tokio::test]
async fn a_chunked_body_that_is_too_large_or_breaks_off_is_refused() {
    let house = House::build().await;
    let before = house.state().await;
    let head = format!(
        "POST /api/chat HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        house.ann.token
    );
    let mut large = RawConnection::to(house.skein.address).await;
    large.write(head.as_bytes()).await;
    let chunk = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000));
    for _ in 0..4 {
        large.write(chunk.as_bytes()).await;
    }
    large.write(b"1\r\n \r\n").await;
    let answer = large.read_head().await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");

    let mut broken = RawConnection::to(house.skein.address).await;
    broken.write(head.as_bytes()).await;
    broken.write(b"zz\r\n{}\r\n").await;
    let answer = broken.read_head().await;
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert_eq!(house.state().await, before);
}

#[tokio::test]
async fn what_is_just_within_the_limits_is_taken() {
    let house = House::build().await;
    let mut body = send_body(&house.chat, &new_id(), &"😀".repeat(1000));
    body["unknown"] = json!({"deep": [[[["x"]]]]});
    body["message"]["metadata"] = json!({"createdAt": "now"});
    body["selectedChatModel"] = json!("a model that nobody has");
    let padding = MAX_BODY - body.to_string().len();
    let whole = format!("{body}{}", " ".repeat(padding));
    let ask = posted(whole)
        .token(&house.ann.token)
        .header("content-type", "text/plain")
        .header("idempotency-key", "k".repeat(255));
    let read = EventStream::new(house.ask(ask).await).finish().await;
    assert_eq!(read.chunks("finish").len(), 1);
    let message = &house.ann.messages(&house.chat).await[2];
    // Unknown keys are stored nowhere [W20].
    assert_eq!(
        message["parts"],
        json!([{"type": "text", "text": "😀".repeat(1000), "state": "done"}])
    );
}

#[tokio::test]
async fn what_was_refused_is_not_repeated() {
    let house = House::build().await;
    for (what, ask) in [
        ("id", sent(&house, |body| body["id"] = json!("geheim"))),
        ("key", posted("{\"geheim\": geheim}")),
        (
            "role",
            sent(&house, |body| body["message"]["role"] = json!("geheim")),
        ),
        ("query", Ask::get("/api/messages?chatId=geheim")),
        ("path", Ask::get("/api/geheim")),
    ] {
        let answer = house.ask(ask).await.text().await.unwrap();
        assert!(!answer.contains("geheim"), "[W26] {what}: {answer}");
    }
}

fn half_head(person: &Person, length: usize) -> String {
    format!(
        "POST /api/chat HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\ncontent-length: {length}\r\n\r\n",
        person.token
    )
}

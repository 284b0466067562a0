//! Answers that no well-behaved server gives, written byte for byte.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread::JoinHandle,
};

use chat_core::{
    event::FinishReason,
    ports::{Model, ModelErrorKind},
};

use super::{ChatCompletions, config, hello, read};

/// Gives each connection the next of these answers and closes it. The thread returns the request lines.
fn serve(answers: Vec<String>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut bytes = [0; 4096];
            // A GET ends with its head, a POST with its JSON.
            let is_whole = |request: &[u8]| {
                let end: &[u8] = if request.starts_with(b"GET") {
                    b"\r\n\r\n"
                } else {
                    b"}"
                };
                request.ends_with(end)
            };
            while !is_whole(&request) {
                let length = stream.read(&mut bytes).unwrap();
                assert!(length > 0, "the client hung up");
                request.extend_from_slice(&bytes[..length]);
            }
            let request = String::from_utf8(request).unwrap();
            asked.push(request.lines().next().unwrap_or_default().to_owned());
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (base, thread)
}

fn ok(content_type: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{content_type}connection: close\r\n\r\n{body}")
}

const COMPLETION: &str = r#"{"id":"c1","model":"m","choices":[{"message":{"content":"<think>hm</think>yes"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#;
const STREAM: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"yes\"}}]}\n\ndata: [DONE]\n\n";

#[tokio::test]
async fn a_whole_completion_answers_a_request_for_a_stream() {
    let (base, thread) = serve(vec![ok(
        "Content-Type: Application/JSON; charset=utf-8\r\n",
        COMPLETION,
    )]);
    let answer = ChatCompletions::new(config(&base))
        .unwrap()
        .answer(hello("m"))
        .await
        .unwrap();
    assert_eq!(answer.upstream_id.as_deref(), Some("c1"));
    let (text, thinking, end, usage) = read(answer).await;
    assert_eq!(
        (&*text, &*thinking, end, usage),
        ("yes", "hm", Ok(FinishReason::Stop), true)
    );
    assert_eq!(
        thread.join().unwrap(),
        ["POST /v1/chat/completions HTTP/1.1"]
    );
}

#[tokio::test]
async fn a_stream_needs_no_content_type() {
    for content_type in ["", "content-type: Text/Event-Stream;charset=utf-8\r\n"] {
        let (base, thread) = serve(vec![ok(content_type, STREAM)]);
        let answer = ChatCompletions::new(config(&base))
            .unwrap()
            .answer(hello("m"))
            .await
            .unwrap();
        assert_eq!(read(answer).await.0, "yes", "{content_type:?}");
        thread.join().unwrap();
    }
}

#[tokio::test]
async fn a_page_instead_of_a_stream_breaks_the_answer_at_once() {
    for (content_type, body) in [
        ("content-type: text/html\r\n", "<html>please log in</html>"),
        ("content-type: application/json\r\n", "{\"choices\":"),
    ] {
        let (base, thread) = serve(vec![ok(content_type, body)]);
        let error = ChatCompletions::new(config(&base))
            .unwrap()
            .answer(hello("m"))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ModelErrorKind::Broken);
        assert!(!format!("{error:?}").contains("log in"));
        assert_eq!(thread.join().unwrap().len(), 1);
    }
}

#[tokio::test]
async fn an_error_in_a_good_answer_is_one_and_may_be_asked_again() {
    let error = r#"{"error":{"message":"overloaded","code":503}}"#;
    let framed = format!("data: {error}\n\n");
    let (base, thread) = serve(vec![
        ok("content-type: application/json\r\n", error),
        ok("content-type: text/event-stream\r\n", &framed),
        ok("content-type: text/event-stream\r\n", STREAM),
    ]);
    let answer = ChatCompletions::new(config(&base))
        .unwrap()
        .answer(hello("m"))
        .await
        .unwrap();
    assert_eq!(read(answer).await.0, "yes");
    assert_eq!(thread.join().unwrap().len(), 3);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let moved =
        "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:9/v1\r\ncontent-length: 0\r\n\r\n";
    let (base, thread) = serve(vec![moved.to_owned()]);
    let error = ChatCompletions::new(config(&base))
        .unwrap()
        .answer(hello("m"))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Rejected);
    let said = error.source.unwrap().to_string();
    assert_eq!(
        said,
        "the upstream answered with status 307: redirects are not followed"
    );
    thread.join().unwrap();
}

#[tokio::test]
async fn a_list_of_models_is_asked_beside_the_answers() {
    let (base, thread) = serve(vec![ok("", r#"{"data":[{"id":"b"},{"id":"a"}]}"#)]);
    let listed = ChatCompletions::new(config(&base))
        .unwrap()
        .list_models()
        .await
        .unwrap();
    assert_eq!(listed.ids, ["b", "a"]);
    assert_eq!(thread.join().unwrap(), ["GET /v1/models HTTP/1.1"]);
}

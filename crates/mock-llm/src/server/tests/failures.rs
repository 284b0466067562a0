use std::time::Duration;

use serde_json::{Value, json};

use super::{chat, send, server, streamed, whole};
use crate::config::Config;
use crate::error::StartError;
use crate::server::MockLlm;

#[tokio::test]
async fn refuses_what_openai_refuses_in_its_shape() {
    let server = server();
    let check = async |method: &str, path: &str, body: &str, status: u16, code: Value| {
        let got = send(&server, method, path, body.to_owned()).await.unwrap();
        assert_eq!(got.status.as_u16(), status, "{method} {path} {body}");
        let error = &got.json()["error"];
        assert_eq!(error["code"], code, "{method} {path} {body}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(
            error["message"]
                .as_str()
                .is_some_and(|message| !message.is_empty())
        );
        assert!(error.get("param").is_some());
    };
    let chat = "/v1/chat/completions";
    check("POST", "/v1/nothing", "{}", 404, json!("unknown_url")).await;
    check("GET", chat, "", 405, json!("method_not_supported")).await;
    check(
        "GET",
        "/v1/models/mock-nonsense",
        "",
        404,
        json!("model_not_found"),
    )
    .await;
    check("POST", chat, "{\"model\":", 400, Value::Null).await;
    check("POST", chat, "{}", 400, Value::Null).await;
    check(
        "POST",
        chat,
        r#"{"model":"demo"}"#,
        400,
        json!("missing_required_parameter"),
    )
    .await;
    check(
        "POST",
        chat,
        r#"{"model":"demo","messages":[]}"#,
        400,
        json!("empty_array"),
    )
    .await;
    check(
        "POST",
        chat,
        r#"{"model":"demo","messages":"hi"}"#,
        400,
        json!("invalid_type"),
    )
    .await;
    let named = |rest: &str| format!(r#"{{"messages":[{{"role":"user","content":"hi"}}],{rest}}}"#);
    check(
        "POST",
        chat,
        &named(r#""model":"mock-nonsense""#),
        404,
        json!("model_not_found"),
    )
    .await;
    check(
        "POST",
        chat,
        &named(r#""model":"demo","stream_options":{}"#),
        400,
        Value::Null,
    )
    .await;
    let directive =
        r#"{"model":"demo","messages":[{"role":"user","content":"[[mock: nonsense]]"}]}"#;
    check("POST", chat, directive, 400, json!("mock_directive")).await;
    let stats = server.stats();
    assert_eq!(
        (stats.requests, stats.failed, stats.open_streams),
        (8, 8, 0)
    );
}

#[tokio::test]
async fn answers_with_the_status_it_was_told() {
    let server = server();
    let limited = streamed(&server, "[[mock: status=429 retry_after=7]]").await;
    assert_eq!(
        (
            limited.status.as_u16(),
            limited.headers["retry-after"].as_bytes()
        ),
        (429, &b"7"[..])
    );
    assert_eq!(limited.json()["error"]["code"], "rate_limit_exceeded");
    let quota = streamed(&server, "[[mock: 429 code=insufficient_quota]]").await;
    assert_eq!(quota.json()["error"]["code"], "insufficient_quota");
    let unauthorized = whole(&server, "[[mock: 401]]").await;
    assert_eq!(unauthorized.json()["error"]["code"], "invalid_api_key");
    assert_eq!(
        whole(&server, "[[mock: 500]]").await.json()["error"]["type"],
        "server_error"
    );
    let page = streamed(&server, "[[mock: 503 html]]").await;
    assert_eq!(
        (
            page.status.as_u16(),
            page.headers["content-type"].as_bytes()
        ),
        (503, &b"text/html"[..])
    );
    assert!(page.text().starts_with("<html>"));
}

#[tokio::test]
async fn fails_as_often_as_it_was_told_and_then_succeeds() {
    let server = server();
    let text = "[[mock: status=429 retry_after=0 times=2 tokens=1]]";
    let mut statuses = Vec::new();
    for _ in 0..4 {
        statuses.push(streamed(&server, text).await.status.as_u16());
    }
    assert_eq!(statuses, [429, 429, 200, 200]);
    // Another message counts by itself, and the same key together.
    assert_eq!(
        streamed(&server, &format!("{text} again"))
            .await
            .status
            .as_u16(),
        429
    );
    assert_eq!(
        streamed(&server, "[[mock: 500 times=1 key=k]] one")
            .await
            .status
            .as_u16(),
        500
    );
    assert_eq!(
        streamed(&server, "[[mock: 500 times=1 key=k]] two")
            .await
            .status
            .as_u16(),
        200
    );
    server.reset();
    assert_eq!(streamed(&server, text).await.status.as_u16(), 429);
}

#[tokio::test]
async fn rejects_the_fields_it_was_told_not_to_know() {
    let server = server();
    let ask = |field: &str, value: Value| {
        let text = format!("[[mock: tokens=1 reject={field}]]");
        let mut body = json!({"model": "demo", "stream": true, "messages": [{"role": "user", "content": text}]});
        body[field] = value;
        body
    };
    let usage = chat(
        &server,
        ask("stream_options", json!({"include_usage": true})),
    )
    .await;
    assert_eq!(usage.status.as_u16(), 400);
    assert!(
        usage
            .text()
            .contains("Unrecognized request argument supplied: stream_options")
    );
    for field in ["max_tokens", "max_completion_tokens"] {
        let got = chat(&server, ask(field, json!(5))).await;
        assert_eq!(
            (got.status.as_u16(), &got.json()["error"]["param"]),
            (400, &json!(field))
        );
        assert_eq!(got.json()["error"]["code"], "unsupported_parameter");
    }
    assert_eq!(
        streamed(&server, "[[mock: tokens=1 reject=max_tokens]]")
            .await
            .status
            .as_u16(),
        200
    );
    let long = whole(&server, "[[mock: context=3]] one two three").await;
    assert_eq!(long.json()["error"]["code"], "context_length_exceeded");
}

#[tokio::test]
async fn cuts_the_connection_after_the_last_token_it_was_told() {
    let server = server();
    for pace in [0, 2] {
        let got = streamed(
            &server,
            &format!("[[mock: tokens=9 cut_after=3 pace_ms={pace}]]"),
        )
        .await;
        assert_eq!(got.said("content"), "tok0 tok1 tok2");
        assert_eq!(
            (got.finish(), got.is_done(), got.ended),
            (None, false, false)
        );
    }
    let head_only = streamed(&server, "[[mock: tokens=9 cut_after=0]]").await;
    assert_eq!(
        (
            head_only.status.as_u16(),
            head_only.body.len(),
            head_only.ended
        ),
        (200, 0, false)
    );
    let half = whole(&server, "[[mock: tokens=9 cut_after=3]]").await;
    assert!(!half.ended && half.body.starts_with(b"{"));
    let dropped = super::asking("[[mock: drop]]", true).to_string();
    assert!(
        send(&server, "POST", "/v1/chat/completions", dropped)
            .await
            .is_err()
    );
    let stats = server.stats();
    assert_eq!((stats.cut, stats.hung_up, stats.completed), (5, 0, 0));
}

#[tokio::test]
async fn ends_without_what_belongs_at_the_end() {
    let server = server();
    let got = streamed(&server, "[[mock: tokens=2 no_done]]").await;
    assert_eq!(
        (got.finish().as_deref(), got.is_done(), got.ended),
        (Some("stop"), false, true)
    );
    let got = streamed(&server, "[[mock: tokens=2 no_finish]]").await;
    assert_eq!(
        (got.finish(), got.is_done(), got.ended),
        (None, false, true)
    );
    assert_eq!(got.said("content"), "tok0 tok1");
    let got = streamed(&server, "[[mock: tokens=9 error_after=2]]").await;
    assert_eq!(got.said("content"), "tok0 tok1");
    assert_eq!(
        got.frames().last().unwrap()["error"]["type"],
        "server_error"
    );
    assert!(!got.is_done());
}

#[tokio::test]
async fn sends_strange_frames_among_the_good_ones() {
    let server = server();
    let azure = streamed(&server, "[[mock: tokens=2 azure no_delta]]").await;
    let frames = azure.frames();
    assert_eq!(frames[0]["choices"], json!([]));
    assert!(frames[0]["prompt_filter_results"].is_array());
    assert!(
        frames[3]["choices"][0].get("delta").is_none(),
        "{}",
        frames[3]
    );
    assert_eq!(azure.said("content"), "tok0 tok1");

    let malformed = streamed(&server, "[[mock: tokens=3 malformed_after=1]]").await;
    let bad = malformed
        .data()
        .iter()
        .position(|data| serde_json::from_str::<Value>(data).is_err());
    assert_eq!(bad, Some(2));
    assert_eq!(malformed.said("content"), "tok0 tok1 tok2");

    let huge = streamed(&server, "[[mock: tokens=1 huge_line=300000]]").await;
    assert_eq!(huge.text().lines().map(str::len).max(), Some(300_000));
    assert!(huge.said("content").starts_with("xxx"));
}

#[tokio::test]
async fn writes_frames_as_it_was_told() {
    let server = server();
    let plain = streamed(&server, "[[mock: tokens=3]]")
        .await
        .said("content");
    let crlf = streamed(&server, "[[mock: tokens=3 crlf comments]]").await;
    assert!(crlf.text().starts_with(": keep-alive\r\n\r\ndata: {"));
    assert_eq!(
        crlf.text().matches('\n').count(),
        crlf.text().matches("\r\n").count()
    );
    assert_eq!(crlf.text().matches(": keep-alive").count(), 4);
    let cr = streamed(&server, "[[mock: tokens=3 cr tight]]").await;
    assert!(cr.text().starts_with("data:{") && !cr.text().contains('\n'));
    let dribble = streamed(&server, "[[mock: tokens=3 dribble=7]]").await;
    for got in [&crlf, &cr, &dribble] {
        assert_eq!(got.said("content"), plain);
        assert!(got.is_done());
    }
    let body = dribble.body.len();
    assert!(
        dribble.pieces.iter().all(|piece| *piece <= 7),
        "{:?}",
        dribble.pieces
    );
    assert_eq!(dribble.pieces.iter().sum::<usize>(), body);
}

#[test]
fn tells_when_its_port_is_taken() {
    let first = server();
    let config = Config {
        port: first.address().port(),
        ..Config::default()
    };
    assert!(matches!(
        MockLlm::start(config),
        Err(StartError::Bind { .. })
    ));
}

#[tokio::test]
async fn says_what_it_waited_for_in_vain() {
    let server = server();
    let wait = Duration::from_millis(1);
    let error = server
        .wait_for(|stats| stats.requests == 1, wait)
        .await
        .unwrap_err();
    assert_eq!((error.waited, error.last.requests), (wait, 0));
    assert!(
        server
            .blocking_wait_for(|stats| stats.requests == 1, wait)
            .is_err()
    );
    assert!(
        server
            .blocking_wait_for(|stats| stats.requests == 0, wait)
            .is_ok()
    );
}

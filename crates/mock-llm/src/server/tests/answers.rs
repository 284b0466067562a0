use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{chat, send, server, streamed, whole};
use crate::config::Config;
use crate::scenario::Scenario;
use crate::server::MockLlm;

#[tokio::test]
async fn streams_numbered_tokens_exactly_once() {
    let server = server();
    let got = streamed(&server, "[[mock: tokens=4]]").await;
    assert_eq!(
        got.headers["content-type"],
        "text/event-stream; charset=utf-8"
    );
    assert_eq!(got.said("content"), "tok0 tok1 tok2 tok3");
    assert_eq!(got.finish().as_deref(), Some("stop"));
    assert!(got.is_done() && got.ended);
    let frames = got.frames();
    assert_eq!(
        frames[0]["choices"][0]["delta"],
        json!({"role": "assistant", "content": "", "refusal": null})
    );
    assert_eq!(frames.len(), 6);
    assert!(
        frames.iter().all(|frame| frame.get("usage").is_none()),
        "nobody asked for usage"
    );
}

#[tokio::test]
async fn answers_the_same_request_with_the_same_bytes() {
    let server = server();
    for text in ["[[mock: tokens=9]]", "Tell me a table and a list, please"] {
        assert_eq!(
            streamed(&server, text).await.body,
            streamed(&server, text).await.body
        );
        assert_eq!(
            whole(&server, text).await.body,
            whole(&server, text).await.body
        );
    }
}

#[tokio::test]
async fn reports_usage_in_a_last_frame_when_asked() {
    let server = server();
    let body = |content: &str| {
        json!({
            "model": "demo", "stream": true, "stream_options": {"include_usage": true},
            "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": content}],
        })
    };
    let got = chat(&server, body("one two [[mock: tokens=3]]")).await;
    let frames = got.frames();
    let (usage, others) = frames.split_last().unwrap();
    assert_eq!(usage["choices"], json!([]));
    assert_eq!(usage["usage"]["prompt_tokens"], 6);
    assert_eq!(usage["usage"]["completion_tokens"], 3);
    assert_eq!(usage["usage"]["total_tokens"], 9);
    assert!(
        others
            .iter()
            .all(|frame| frame.get("usage") == Some(&Value::Null)),
        "{others:?}"
    );
    assert!(got.is_done());

    let mut same = body("one two [[mock: tokens=3]]");
    same["stream_options"] = json!({"include_usage": false});
    let same = chat(&server, same).await.frames();
    assert!(
        same.iter().all(|frame| frame.get("usage").is_none()),
        "a plan is shared too widely"
    );

    let without = chat(&server, body("[[mock: tokens=3 usage=off]]"))
        .await
        .frames();
    assert!(without.iter().all(|frame| frame.get("usage").is_none()));
    let unasked = streamed(&server, "[[mock: tokens=3 usage=on]]")
        .await
        .frames();
    assert_eq!(unasked.last().unwrap()["usage"]["completion_tokens"], 3);
}

#[tokio::test]
async fn answers_whole_without_stream() {
    let server = server();
    let got = whole(&server, "say this [[mock: echo]]").await.json();
    assert_eq!(got["object"], "chat.completion");
    assert_eq!(got["choices"][0]["message"]["content"], "say this");
    assert_eq!(got["choices"][0]["finish_reason"], "stop");
    assert_eq!(got["usage"]["completion_tokens"], 2);
}

#[tokio::test]
async fn reads_content_parts() {
    let server = server();
    let content = json!([
        {"type": "text", "text": "look [[mock: echo]]"},
        {"type": "image_url", "image_url": {"url": "data:,"}},
    ]);
    let got = chat(
        &server,
        json!({"model": "demo", "messages": [{"role": "user", "content": content}]}),
    )
    .await;
    assert_eq!(got.json()["choices"][0]["message"]["content"], "look");
}

#[tokio::test]
async fn thinks_before_it_speaks() {
    let server = server();
    let got = streamed(&server, r#"[[mock: text="yes" reasoning="well then"]]"#).await;
    assert_eq!(
        (
            got.said("reasoning_content").as_str(),
            got.said("content").as_str()
        ),
        ("well then", "yes")
    );
    let inline = streamed(&server, r#"[[mock: text="yes" think="well then"]]"#).await;
    assert_eq!(
        inline.said("content"),
        "<think>\nwell then\n</think>\n\nyes"
    );
    let whole = whole(&server, r#"[[mock: text="yes" reasoning=2]]"#)
        .await
        .json();
    assert_eq!(
        whole["choices"][0]["message"]["reasoning_content"],
        "tok0 tok1"
    );
    assert_eq!(
        whole["usage"]["completion_tokens_details"]["reasoning_tokens"],
        2
    );
}

#[tokio::test]
async fn calls_functions_in_parallel_and_then_tells_their_outputs() {
    let server = server();
    let ask = r#"[[mock: tool=weather args={"city":"Paris"} tool=clock args="not json"]]"#;
    let got = streamed(&server, ask).await;
    assert_eq!(got.finish().as_deref(), Some("tool_calls"));
    let mut arguments = [String::new(), String::new()];
    let mut opened = Vec::new();
    for frame in got.frames() {
        let call = &frame["choices"][0]["delta"]["tool_calls"][0];
        let Some(index) = call["index"].as_u64() else {
            continue;
        };
        if let Some(name) = call["function"]["name"].as_str() {
            assert_eq!(call["type"], "function");
            opened.push((name.to_owned(), call["id"].as_str().unwrap().to_owned()));
        }
        arguments[usize::try_from(index).unwrap()] +=
            call["function"]["arguments"].as_str().unwrap();
    }
    assert_eq!(arguments, [r#"{"city":"Paris"}"#, "not json"]);
    assert_eq!(
        (opened[0].0.as_str(), opened[1].0.as_str()),
        ("weather", "clock")
    );
    assert_ne!(opened[0].1, opened[1].1);

    let unstreamed = whole(&server, ask).await.json();
    let message = &unstreamed["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null);
    assert_eq!(
        message["tool_calls"][1]["function"],
        json!({"name": "clock", "arguments": "not json"})
    );

    let mut after = json!({"model": "demo", "messages": [
        {"role": "user", "content": ask},
        {"role": "assistant", "content": null, "tool_calls": message["tool_calls"]},
        {"role": "tool", "tool_call_id": "a", "content": "sunny"},
        {"role": "tool", "tool_call_id": "b", "content": "noon"},
    ]});
    let told = chat(&server, after.clone()).await.json();
    assert_eq!(
        told["choices"][0]["message"]["content"],
        "The tools answered:\n\n1. sunny\n2. noon"
    );
    after["messages"][0]["content"] = json!(format!("{ask} [[mock: tool_rounds=2]]"));
    let again = chat(&server, after).await.json();
    assert_eq!(again["choices"][0]["finish_reason"], "tool_calls");
    assert_ne!(
        again["choices"][0]["message"]["tool_calls"][0]["id"],
        message["tool_calls"][0]["id"]
    );
}

#[tokio::test]
async fn refuses_ends_early_and_stops_at_the_limit() {
    let server = server();
    let refused = streamed(&server, r#"[[mock: refusal="I would rather not"]]"#).await;
    assert_eq!(refused.said("refusal"), "I would rather not");
    assert_eq!(refused.said("content"), "");
    for word in ["length", "content_filter"] {
        let got = streamed(&server, &format!("[[mock: tokens=1 {word}]]")).await;
        assert_eq!(got.finish().as_deref(), Some(word));
    }
    let limited = json!({
        "model": "demo", "max_completion_tokens": 2, "messages": [{"role": "user", "content": "[[mock: tokens=9]]"}],
    });
    let limited = chat(&server, limited).await.json();
    assert_eq!(limited["choices"][0]["message"]["content"], "tok0 tok1");
    assert_eq!(limited["choices"][0]["finish_reason"], "length");
}

#[tokio::test]
async fn answers_a_title_request_with_a_title() {
    let server = server();
    let body = json!({"model": "demo", "messages": [
        {"role": "system", "content": "Write a short Title."},
        {"role": "user", "content": "How do I bake sourdough bread? [[mock: tokens=50]]"},
    ]});
    server.push(Scenario::text("for the next chat"));
    let got = chat(&server, body.clone()).await.json();
    assert_eq!(
        got["choices"][0]["message"]["content"],
        "Bake sourdough bread"
    );
    assert_eq!(server.pushed(), 1);

    let mut with_tools = body;
    with_tools["tools"] = json!([{"type": "function", "function": {"name": "createDocument"}}]);
    let got = chat(&server, with_tools).await.json();
    assert_eq!(got["choices"][0]["message"]["content"], "for the next chat");
}

#[tokio::test]
async fn hears_the_script_then_the_directive_then_the_model_then_the_fallback() {
    let server = MockLlm::start(Config {
        fallback: Scenario::text("fallback"),
        ..Config::default()
    })
    .unwrap();
    let body = |model: &str, text: &str| json!({"model": model, "messages": [{"role": "user", "content": text}]});
    let says = async |body| {
        let got: Value = chat(&server, body).await.json();
        got["choices"][0]["message"]["content"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(says(body("gpt-5", "hi")).await, "fallback");
    assert_eq!(
        says(body("mock-tokens=2,pace_ms=0", "hi")).await,
        "tok0 tok1"
    );
    assert_eq!(
        says(body("mock-tokens=2", "hi [[mock: tokens=1]]")).await,
        "tok0"
    );
    server.push(Scenario::text("pushed"));
    assert_eq!(
        says(body("mock-tokens=2", "hi [[mock: tokens=1]]")).await,
        "pushed"
    );
    assert_eq!(says(body("gpt-5", "hi")).await, "fallback");
}

#[tokio::test]
async fn keeps_the_pace_it_was_given() {
    let server = server();
    let start = Instant::now();
    let got = streamed(&server, "[[mock: tokens=5 pace_ms=20 first_ms=15]]").await;
    let took = start.elapsed();
    assert_eq!(got.said("content"), "tok0 tok1 tok2 tok3 tok4");
    assert!(took >= Duration::from_millis(95), "{took:?}");
    assert_eq!(got.pieces.len(), 5);
    let start = Instant::now();
    whole(&server, "[[mock: tokens=5 pace_ms=20 first_ms=15]]").await;
    assert!(start.elapsed() >= Duration::from_millis(95));
}

#[tokio::test]
async fn lists_its_models_and_records_requests() {
    let server = server();
    let models = send(&server, "GET", "/v1/models", String::new())
        .await
        .unwrap()
        .json();
    assert_eq!(models["object"], "list");
    assert_eq!(models["data"][0]["id"], "demo");
    for model in models["data"].as_array().unwrap() {
        let path = format!("/v1/models/{}", model["id"].as_str().unwrap());
        assert_eq!(
            send(&server, "GET", &path, String::new())
                .await
                .unwrap()
                .json(),
            *model
        );
    }
    streamed(&server, "hello").await;
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].body["messages"][0]["content"], "hello");
    assert_eq!(requests[0].header("authorization"), Some("Bearer any"));
    server.reset();
    assert_eq!(server.requests(), []);
    let quiet = MockLlm::start(Config::bench(2, Duration::ZERO)).unwrap();
    assert_eq!(streamed(&quiet, "hello").await.said("content"), "tok0 tok1");
    assert_eq!(quiet.requests(), []);
}

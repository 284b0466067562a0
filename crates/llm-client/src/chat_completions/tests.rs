mod raw;

use std::{sync::Arc, time::Duration};

use chat_core::{
    event::FinishReason,
    ports::{
        Model, ModelAnswer, ModelError, ModelErrorKind, ModelEventKind, ModelRequest, PromptItem,
        ToolSpec,
    },
};
use futures_util::StreamExt;
use mock_llm::{
    Config, Ending, Failure, FailureKind, Frames, MockLlm, Reasoning, ReasoningStyle, Say,
    Scenario, Wire,
};

use super::{ChatCompletions, Shared};
use crate::{Endpoint, Retries, Secret, Timeouts, UpstreamConfig};

/// Longer than anything here takes; only a failing test waits so long.
const LONG: Duration = Duration::from_secs(20);
/// How soon a hang-up has to reach the server: 100 ms are wanted, and a machine that is busy with other tests gets tenfold.
const SOON: Duration = Duration::from_secs(1);

fn mock() -> MockLlm {
    MockLlm::start(Config::default()).unwrap()
}

fn config(base: &str) -> UpstreamConfig {
    UpstreamConfig {
        retries: Retries {
            first_wait: Duration::from_millis(5),
            ..Retries::default()
        },
        ..UpstreamConfig::new(Endpoint::base(base).unwrap(), Some(Secret::new("sk-test")))
    }
}

fn client(mock: &MockLlm) -> ChatCompletions {
    ChatCompletions::new(config(&mock.base_url())).unwrap()
}

fn hello(model: &str) -> ModelRequest {
    ModelRequest {
        model: model.to_owned(),
        items: vec![PromptItem::User {
            text: "hello".to_owned(),
            images: Vec::new(),
        }],
        max_output: Some(100),
        tools: Vec::new(),
    }
}

/// The text, the thinking, the finish reason or error, and whether usage came.
async fn read(answer: ModelAnswer) -> (String, String, Result<FinishReason, ModelErrorKind>, bool) {
    let (mut text, mut thinking, mut end, mut usage) = (String::new(), String::new(), None, false);
    let mut events = answer.events;
    while let Some(event) = events.next().await {
        assert!(end.is_none(), "something came after the end");
        match event {
            Ok(event) => match event.kind {
                ModelEventKind::Text(more) => text.push_str(&more),
                ModelEventKind::Reasoning(more) => thinking.push_str(&more),
                ModelEventKind::Usage(_) => usage = true,
                ModelEventKind::Finished(reason) => end = Some(Ok(reason)),
                other @ (ModelEventKind::Refusal(_)
                | ModelEventKind::CallStarted { .. }
                | ModelEventKind::CallArguments { .. }) => panic!("{other:?}"),
            },
            Err(error) => end = Some(Err(error.kind)),
        }
    }
    (text, thinking, end.unwrap(), usage)
}

async fn answer(mock: &MockLlm, scenario: Scenario) -> Result<ModelAnswer, ModelError> {
    mock.push(scenario);
    client(mock).answer(hello("m")).await
}

#[tokio::test]
async fn streams_an_answer_with_its_head_and_usage() {
    let mock = mock();
    let answer = answer(&mock, Scenario::tokens(3)).await.unwrap();
    assert!(answer.upstream_id.as_ref().is_some_and(|id| !id.is_empty()));
    assert_eq!(answer.model.as_deref(), Some("m"));
    let (text, _, end, usage) = read(answer).await;
    assert_eq!(
        (text.trim(), end, usage),
        ("tok0 tok1 tok2", Ok(FinishReason::Stop), true)
    );
    let request = &mock.requests()[0];
    assert_eq!(request.header("authorization"), Some("Bearer sk-test"));
    assert_eq!(request.body["max_tokens"], 100);
    assert_eq!(request.body["stream"], true);
}

#[tokio::test]
async fn sends_an_azure_key_in_its_own_header() {
    let mock = mock();
    mock.push(Scenario::tokens(1));
    let config = UpstreamConfig {
        auth: Some(crate::Auth::ApiKey),
        ..config(&mock.base_url())
    };
    let client = ChatCompletions::new(config).unwrap();
    client.answer(hello("m")).await.unwrap();
    let request = &mock.requests()[0];
    assert_eq!(
        (request.header("api-key"), request.header("authorization")),
        (Some("sk-test"), None)
    );
}

#[tokio::test]
async fn reads_thinking_in_either_place_however_it_is_cut() {
    for style in [ReasoningStyle::Field, ReasoningStyle::ThinkTags] {
        let mock = mock();
        let scenario = Scenario {
            reasoning: Some(Reasoning {
                say: Say::Text("let me see".to_owned()),
                style,
            }),
            frames: Frames {
                azure: true,
                without_delta: true,
                ..Frames::default()
            },
            wire: Wire {
                dribble: Some(7),
                comments: true,
                ..Wire::default()
            },
            ..Scenario::text("yes")
        };
        let (text, thinking, end, _) = read(answer(&mock, scenario).await.unwrap()).await;
        assert_eq!(
            (text.trim(), thinking.trim(), end),
            ("yes", "let me see", Ok(FinishReason::Stop)),
            "{style:?}"
        );
    }
}

#[tokio::test]
async fn reads_calls() {
    let mock = mock();
    let answer = answer(&mock, Scenario::tool("weather", r#"{"city":"Bonn"}"#))
        .await
        .unwrap();
    let (mut name, mut arguments, mut end) = (String::new(), String::new(), None);
    let mut events = answer.events;
    while let Some(event) = events.next().await {
        match event.unwrap().kind {
            ModelEventKind::CallStarted {
                index: 0,
                name: called,
                ..
            } => name = called,
            ModelEventKind::CallArguments { index: 0, text } => arguments.push_str(&text),
            ModelEventKind::Finished(reason) => end = Some(reason),
            ModelEventKind::Usage(_) => {}
            other @ (ModelEventKind::Text(_)
            | ModelEventKind::Refusal(_)
            | ModelEventKind::Reasoning(_)
            | ModelEventKind::CallStarted { .. }
            | ModelEventKind::CallArguments { .. }) => panic!("{other:?}"),
        }
    }
    assert_eq!(
        (name.as_str(), arguments.as_str()),
        ("weather", r#"{"city":"Bonn"}"#)
    );
    assert_eq!(end, Some(FinishReason::ToolCalls));
}

#[tokio::test]
async fn asks_again_after_429_and_500_and_a_lost_connection() {
    for kind in [
        FailureKind::Status(429),
        FailureKind::Status(500),
        FailureKind::Drop,
    ] {
        let mock = mock();
        mock.push(Scenario {
            failure: Some(Failure {
                retry_after_s: Some(0),
                ..Failure::new(kind)
            }),
            ..Scenario::default()
        });
        mock.push(Scenario::tokens(0).ending(Ending::CutAfter(0)));
        let answer = answer(&mock, Scenario::tokens(2)).await.unwrap();
        assert_eq!(read(answer).await.0.trim(), "tok0 tok1", "{kind:?}");
        assert_eq!(mock.requests().len(), 3, "{kind:?}");
    }
}

#[tokio::test]
async fn waits_as_long_as_it_is_told() {
    let mock = mock();
    mock.push(Scenario {
        failure: Some(Failure {
            retry_after_s: Some(1),
            ..Failure::new(FailureKind::Status(429))
        }),
        ..Scenario::default()
    });
    let begun = std::time::Instant::now();
    answer(&mock, Scenario::tokens(1)).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn gives_up_after_two_repetitions() {
    let mock = mock();
    for _ in 0..3 {
        mock.push(Scenario::status(503));
    }
    let error = answer(&mock, Scenario::tokens(1)).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Unavailable);
    assert_eq!((mock.requests().len(), mock.pushed()), (3, 1));
}

#[tokio::test]
async fn gives_up_at_once_where_the_wait_would_pass_the_deadline() {
    let mock = mock();
    mock.push(Scenario {
        failure: Some(Failure {
            retry_after_s: Some(50),
            ..Failure::new(FailureKind::Status(429))
        }),
        ..Scenario::default()
    });
    let mut config = config(&mock.base_url());
    config.timeouts.deadline = Duration::from_secs(30);
    let asked = ChatCompletions::new(config).unwrap();
    let error = tokio::time::timeout(LONG, asked.answer(hello("m")))
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::RateLimited);
    assert_eq!(error.retry_after, Some(Duration::from_secs(50)));
    assert_eq!(mock.requests().len(), 1);
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let mock = mock();
    let client = client(&mock);
    for _ in 0..5 {
        mock.push(Scenario::tokens(2));
        read(client.answer(hello("m")).await.unwrap())
            .await
            .2
            .unwrap();
    }
    assert_eq!(mock.stats().connections, 1);
}

#[tokio::test]
async fn a_final_status_is_not_repeated() {
    let mock = mock();
    mock.push(Scenario::status(401));
    let error = answer(&mock, Scenario::tokens(1)).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Rejected);
    assert_eq!(mock.requests().len(), 1);
}

#[tokio::test]
async fn an_unreachable_server_is_unavailable() {
    let gone = mock();
    let client = client(&gone);
    gone.shutdown();
    let error = client.answer(hello("m")).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Unavailable);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_repeated() {
    for (ending, kind) in [
        (Ending::CutAfter(2), ModelErrorKind::Broken),
        (Ending::WithoutFinish, ModelErrorKind::Broken),
        (Ending::ErrorAfter(2), ModelErrorKind::Unavailable),
    ] {
        let mock = mock();
        let answer = answer(&mock, Scenario::tokens(2).ending(ending))
            .await
            .unwrap();
        let (text, _, end, _) = read(answer).await;
        assert_eq!((text.trim(), end), ("tok0 tok1", Err(kind)), "{ending:?}");
        assert_eq!(mock.requests().len(), 1, "{ending:?}");
    }
}

#[tokio::test]
async fn an_answer_without_done_is_whole() {
    let mock = mock();
    let answer = answer(&mock, Scenario::tokens(2).ending(Ending::WithoutDone))
        .await
        .unwrap();
    assert_eq!(read(answer).await.2, Ok(FinishReason::Stop));
}

#[tokio::test]
async fn silence_ends_an_answer_and_hangs_up() {
    let mock = mock();
    mock.push(Scenario::tokens(5).ending(Ending::SilentAfter(2)));
    let mut config = config(&mock.base_url());
    config.timeouts.silence = Duration::from_millis(100);
    let answer = ChatCompletions::new(config)
        .unwrap()
        .answer(hello("m"))
        .await
        .unwrap();
    let (text, _, end, _) = read(answer).await;
    assert_eq!(
        (text.trim(), end),
        ("tok0 tok1", Err(ModelErrorKind::Timeout))
    );
    mock.wait_for(|stats| stats.hung_up == 1, LONG)
        .await
        .unwrap();
}

#[tokio::test]
async fn comments_alone_keep_an_answer_alive_only_so_long() {
    let mock = mock();
    mock.push(Scenario {
        wire: Wire {
            keep_alive: Some(Duration::from_millis(20)),
            ..Wire::default()
        },
        ..Scenario::tokens(5).ending(Ending::SilentAfter(2))
    });
    let mut config = config(&mock.base_url());
    config.timeouts.silence = LONG;
    config.timeouts.between_events = Duration::from_millis(200);
    let answer = ChatCompletions::new(config)
        .unwrap()
        .answer(hello("m"))
        .await
        .unwrap();
    assert_eq!(read(answer).await.2, Err(ModelErrorKind::Timeout));
}

#[tokio::test]
async fn a_first_event_that_does_not_come_is_a_timeout_and_not_asked_again() {
    for silent in [
        Scenario {
            failure: Some(Failure::new(FailureKind::Silent)),
            ..Scenario::default()
        },
        Scenario::tokens(1).ending(Ending::SilentAfter(0)),
    ] {
        let mock = mock();
        mock.push(silent);
        let mut config = config(&mock.base_url());
        config.timeouts.first_event = Duration::from_millis(100);
        let error = ChatCompletions::new(config)
            .unwrap()
            .answer(hello("m"))
            .await
            .unwrap_err();
        assert_eq!(error.kind, ModelErrorKind::Timeout);
        mock.wait_for(|stats| stats.hung_up == 1, LONG)
            .await
            .unwrap();
        assert_eq!(mock.stats().requests, 1);
    }
}

#[tokio::test]
async fn what_is_no_stream_breaks_the_answer() {
    let malformed = Frames {
        malformed_after: Some(1),
        ..Frames::default()
    };
    let huge = Frames {
        huge_line_bytes: Some(2 << 20),
        ..Frames::default()
    };
    let mock = mock();
    let broken = answer(
        &mock,
        Scenario {
            frames: malformed,
            ..Scenario::tokens(3)
        },
    )
    .await
    .unwrap();
    assert_eq!(read(broken).await.2, Err(ModelErrorKind::Broken));
    let error = answer(
        &mock,
        Scenario {
            frames: huge.clone(),
            ..Scenario::tokens(3)
        },
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Broken);
    assert_eq!(mock.requests().len(), 2);

    let mut wide = config(&mock.base_url());
    wide.max_line_bytes = 4 << 20;
    mock.push(Scenario {
        frames: huge,
        ..Scenario::tokens(3)
    });
    let whole = ChatCompletions::new(wide)
        .unwrap()
        .answer(hello("m"))
        .await
        .unwrap();
    assert_eq!(read(whole).await.2, Ok(FinishReason::Stop));
}

#[tokio::test]
async fn dropping_an_answer_hangs_up_at_once() {
    let mock = mock();
    let scenario = Scenario::tokens(100_000).paced(Duration::from_millis(5));
    let mut answer = answer(&mock, scenario).await.unwrap();
    answer.events.next().await.unwrap().unwrap();
    let dropped = std::time::Instant::now();
    drop(answer);
    let stats = mock
        .wait_for(|stats| stats.hung_up == 1, LONG)
        .await
        .unwrap();
    let took = stats.hang_ups[0].at.saturating_duration_since(dropped);
    println!("the server was hung up on after {took:?}");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test]
async fn dropping_a_request_hangs_up_at_once() {
    let mock = mock();
    mock.push(Scenario {
        failure: Some(Failure::new(FailureKind::Silent)),
        ..Scenario::default()
    });
    let client = client(&mock);
    let asking = client.answer(hello("m"));
    tokio::select! {
        _ = asking => panic!("a silent server answered"),
        seen = mock.wait_for(|stats| stats.open_streams == 1, LONG) => { seen.unwrap(); }
    }
    let dropped = std::time::Instant::now();
    let stats = mock
        .wait_for(|stats| stats.hung_up == 1, LONG)
        .await
        .unwrap();
    let took = stats.hang_ups[0].at.saturating_duration_since(dropped);
    println!("the server was hung up on after {took:?}");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test]
async fn a_refused_field_is_left_out_and_remembered_by_all_lanes() {
    let mock = mock();
    let shared = Shared::new(config(&mock.base_url())).unwrap();
    let refusing = Scenario {
        rejects: vec!["max_tokens".to_owned(), "stream_options".to_owned()],
        ..Scenario::tokens(1)
    };
    for _ in 0..4 {
        mock.push(refusing.clone());
    }
    for (lane, sent) in [(0, 3), (1, 4)] {
        let client = ChatCompletions::for_lane(Arc::clone(&shared)).unwrap();
        let answer = client.answer(hello("m")).await.unwrap();
        assert_eq!(read(answer).await.2, Ok(FinishReason::Stop));
        assert_eq!(mock.requests().len(), sent, "lane {lane}");
    }
    let last = &mock.requests()[3].body;
    assert_eq!(last["max_completion_tokens"], 100);
    assert!(last.get("max_tokens").is_none() && last.get("stream_options").is_none());
}

#[tokio::test]
async fn a_model_that_takes_no_tools_answers_without_them() {
    let mock = mock();
    let client = client(&mock);
    mock.push(Scenario {
        rejects: vec!["tools".to_owned()],
        ..Scenario::tokens(1)
    });
    mock.push(Scenario::tokens(1));
    mock.push(Scenario::tokens(1));
    let request = ModelRequest {
        tools: vec![ToolSpec {
            name: "weather".to_owned(),
            description: String::new(),
            parameters: serde_json::json!({"type": "object"}),
        }],
        ..hello("m")
    };
    for _ in 0..2 {
        let answer = client.answer(request.clone()).await.unwrap();
        assert_eq!(read(answer).await.2, Ok(FinishReason::Stop));
    }
    let offered: Vec<bool> = mock
        .requests()
        .iter()
        .map(|request| request.body.get("tools").is_some())
        .collect();
    assert_eq!(offered, [true, false, false]);
}

#[tokio::test]
async fn a_field_refused_in_either_spelling_is_an_error() {
    let mock = mock();
    for _ in 0..4 {
        mock.push(Scenario {
            rejects: vec!["max_tokens".to_owned(), "max_completion_tokens".to_owned()],
            ..Scenario::tokens(1)
        });
    }
    let error = client(&mock).answer(hello("m")).await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Rejected);
    assert!(mock.requests().len() <= 3);
}

#[tokio::test]
async fn a_prompt_that_does_not_fit_is_told_apart() {
    let mock = mock();
    let code = Some("context_length_exceeded".to_owned());
    let failure = Some(Failure {
        code,
        ..Failure::new(FailureKind::Status(400))
    });
    let error = answer(
        &mock,
        Scenario {
            failure,
            ..Scenario::default()
        },
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::PromptTooLong);
}

#[tokio::test]
async fn lists_the_models() {
    let mock = mock();
    let listed = client(&mock).list_models().await.unwrap();
    assert!(!listed.ids.is_empty());
}

#[tokio::test]
async fn an_error_shows_neither_key_nor_prompt() {
    let mock = mock();
    for scenario in [Scenario::status(401), Scenario::status(400)] {
        let error = answer(&mock, scenario).await.unwrap_err();
        let shown = format!("{error:?} {}", error.source.as_ref().unwrap());
        assert!(
            !shown.contains("sk-test") && !shown.contains("hello"),
            "{shown}"
        );
    }
    assert!(!format!("{:?}", client(&mock)).contains("sk-test"));
}

#[test]
fn refuses_settings_that_cannot_work() {
    let refused = |change: fn(&mut UpstreamConfig)| {
        let mut config = config("http://127.0.0.1:9/v1");
        change(&mut config);
        ChatCompletions::new(config).unwrap_err().to_string()
    };
    assert!(
        refused(|config| config.timeouts = Timeouts {
            silence: Duration::ZERO,
            ..Timeouts::default()
        })
        .contains("`silence`")
    );
    assert!(refused(|config| config.max_line_bytes = 0).contains("`max_line_bytes`"));
    assert!(refused(|config| config.api_key = Some(Secret::new("a\nb"))).contains("API key"));
    assert!(
        refused(|config| config.endpoint = Endpoint::base("https://h/v1").unwrap())
            .contains("TLS provider")
    );
}

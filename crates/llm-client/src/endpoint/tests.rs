use super::{Auth, Endpoint};
use crate::ConfigError;

#[track_caller]
fn check(made: Result<Endpoint, ConfigError>, chat: &str, auth: Auth) {
    let made = made.unwrap();
    assert_eq!(made.chat_url(), chat);
    assert_eq!(made.default_auth(), auth);
}

#[test]
fn a_base_gets_the_path() {
    for (base, chat) in [
        (
            "https://api.openai.com/v1",
            "https://api.openai.com/v1/chat/completions",
        ),
        (
            "https://api.openai.com/v1/",
            "https://api.openai.com/v1/chat/completions",
        ),
        (
            " https://api.x.ai/v1\n",
            "https://api.x.ai/v1/chat/completions",
        ),
        (
            "http://localhost:11434/v1",
            "http://localhost:11434/v1/chat/completions",
        ),
        ("http://[::1]:8080", "http://[::1]:8080/chat/completions"),
        (
            "https://h/v1/chat/completions",
            "https://h/v1/chat/completions",
        ),
        (
            "https://h/v1?tenant=a",
            "https://h/v1/chat/completions?tenant=a",
        ),
        (
            "https://e.eastus.models.ai.azure.com/v1",
            "https://e.eastus.models.ai.azure.com/v1/chat/completions",
        ),
    ] {
        check(Endpoint::base(base), chat, Auth::Bearer);
    }
    for (base, chat) in [
        (
            "https://r.openai.azure.com/openai/v1/",
            "https://r.openai.azure.com/openai/v1/chat/completions",
        ),
        (
            "https://r.services.ai.azure.com/openai/v1",
            "https://r.services.ai.azure.com/openai/v1/chat/completions",
        ),
    ] {
        check(Endpoint::base(base), chat, Auth::ApiKey);
    }
}

#[test]
fn a_complete_url_is_verbatim() {
    let dated =
        "https://r.openai.azure.com/openai/deployments/gpt/chat/completions?api-version=2024-10-21";
    for (given, chat, auth) in [
        (dated, dated, Auth::ApiKey),
        (
            "https://r.openai.azure.com/openai/deployments/gpt?api-version=2024-10-21",
            dated,
            Auth::ApiKey,
        ),
        (
            "https://r.cognitiveservices.azure.com/openai/v1",
            "https://r.cognitiveservices.azure.com/openai/v1/chat/completions",
            Auth::ApiKey,
        ),
        (
            "https://llama.eastus2.models.ai.azure.com/v1/chat/completions",
            "https://llama.eastus2.models.ai.azure.com/v1/chat/completions",
            Auth::Bearer,
        ),
        (
            "https://gateway.example/llm/ask",
            "https://gateway.example/llm/ask",
            Auth::Bearer,
        ),
    ] {
        check(Endpoint::complete(given), chat, auth);
    }
}

#[test]
fn a_deployment_is_spelled_both_ways() {
    check(
        Endpoint::azure("https://r.openai.azure.com/", "my gpt", Some("2024-10-21")),
        "https://r.openai.azure.com/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21",
        Auth::ApiKey,
    );
    for resource in [
        "https://r.openai.azure.com",
        "https://r.openai.azure.com/openai",
        "https://r.openai.azure.com/openai/v1/",
    ] {
        check(
            Endpoint::azure(resource, "gpt", None),
            "https://r.openai.azure.com/openai/v1/chat/completions",
            Auth::ApiKey,
        );
    }
}

#[test]
fn models_are_listed_beside_the_answers() {
    let models = |made: Result<Endpoint, ConfigError>| {
        made.unwrap().models().map(|url| url.as_str().to_owned())
    };
    assert_eq!(
        models(Endpoint::base("https://api.openai.com/v1")).as_deref(),
        Some("https://api.openai.com/v1/models")
    );
    assert_eq!(
        models(Endpoint::complete("https://gateway.example/ask")),
        None
    );
    assert_eq!(
        models(Endpoint::azure(
            "https://r.openai.azure.com",
            "gpt",
            Some("2024-10-21")
        )),
        None
    );
}

#[test]
fn old_dated_apis_know_no_stream_options() {
    let knows = |version| {
        Endpoint::azure("https://r.openai.azure.com", "gpt", version)
            .unwrap()
            .knows_stream_options()
    };
    assert!(!knows(Some("2024-06-01")));
    assert!(!knows(Some("2023-12-01-preview")));
    assert!(knows(Some("2024-09-01-preview")));
    assert!(knows(Some("2024-10-21")));
    assert!(knows(Some("preview")));
    assert!(knows(None));
}

#[test]
fn refuses_what_is_no_url_and_shows_no_password() {
    for (given, shown) in [
        ("api.openai.com/v1", "`api.openai.com/v1` is no URL"),
        ("ftp://h/v1", "http and https are accepted"),
        ("", "`` is no URL"),
        ("https://h:x/v1?key=hunter2", "`https://h:x/v1` is no URL"),
        ("https://me:hunter2@h/v1", "`h` is no URL"),
        ("https://me:hunter2@h:x/v1", "`…` is no URL"),
    ] {
        let error = Endpoint::base(given).unwrap_err().to_string();
        assert!(error.contains(shown), "{given}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn knows_its_own_machine() {
    for (base, own) in [
        ("http://127.0.0.1:9/v1", true),
        ("http://[::1]:9/v1", true),
        ("http://localhost/v1", true),
        ("http://10.0.0.1/v1", false),
        ("https://localhost.example/v1", false),
    ] {
        assert_eq!(Endpoint::base(base).unwrap().is_loopback(), own, "{base}");
    }
}

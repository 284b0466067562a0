use std::time::Duration;

use chat_core::ports::ModelErrorKind;
use mock_llm::{Config, MockLlm};

use super::{Images, is_base64};
use crate::{Endpoint, Retries, Secret, Shared, UpstreamConfig};

fn images(base: &str, model: &str) -> Images {
    let config = UpstreamConfig {
        retries: Retries {
            first_wait: Duration::from_millis(5),
            ..Retries::default()
        },
        ..UpstreamConfig::new(Endpoint::base(base).unwrap(), Some(Secret::new("sk-test")))
    };
    Images::new(Shared::new(config).unwrap(), model.to_owned()).unwrap()
}

fn mock() -> MockLlm {
    MockLlm::start(Config::default()).unwrap()
}

#[tokio::test]
async fn an_image_is_asked_for_and_given_as_base64() {
    let mock = mock();
    let image = images(&mock.base_url(), "dall-e-3")
        .draw("a cat")
        .await
        .unwrap();
    assert!(image.starts_with("iVBORw0KGgo"), "{image}");
    let request = &mock.requests()[0];
    assert_eq!(
        request.body,
        serde_json::json!({
            "model": "dall-e-3", "prompt": "a cat", "n": 1, "size": "1024x1024", "response_format": "b64_json",
        })
    );
    assert!(
        request
            .headers
            .iter()
            .any(|(name, value)| name == "authorization" && value == "Bearer sk-test")
    );
}

#[tokio::test]
async fn models_that_give_nothing_else_are_not_asked_for_base64() {
    let mock = mock();
    images(&mock.base_url(), "gpt-image-1")
        .draw("a cat")
        .await
        .unwrap();
    assert_eq!(mock.requests()[0].body.get("response_format"), None);
}

#[tokio::test]
async fn a_server_that_refuses_the_format_is_asked_without_it() {
    let mock = mock();
    let client = images(&mock.base_url(), "x");
    client
        .draw("a cat [[mock: reject=response_format]]")
        .await
        .unwrap();
    let requests = mock.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].body.get("response_format"), None);
}

#[tokio::test]
async fn what_may_pass_is_tried_again_and_what_may_not_is_told() {
    let mock = mock();
    let client = images(&mock.base_url(), "x");
    client.draw("a [[mock: 503 times=2]]").await.unwrap();
    assert_eq!(mock.requests().len(), 3);
    let error = client.draw("b [[mock: 401]]").await.unwrap_err();
    assert_eq!(error.kind, ModelErrorKind::Rejected);
    assert_eq!(mock.requests().len(), 4);
}

#[test]
fn only_base64_is_taken_for_an_image() {
    assert!(is_base64("iVBORw0K+/==") && is_base64("AAAA"));
    for text in [
        "",
        "=",
        "a b",
        "\"><script>",
        "AAAA===",
        "data:image/png;base64,AAAA",
    ] {
        assert!(!is_base64(text), "{text}");
    }
}

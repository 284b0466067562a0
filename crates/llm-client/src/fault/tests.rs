use std::time::Duration;

use chat_core::ports::{ModelError, ModelErrorKind};
use reqwest::{
    StatusCode,
    header::{HeaderMap, HeaderName, HeaderValue},
};

use super::{Failure, Parameter};

fn failure(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> Failure {
    let headers: HeaderMap = headers
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect();
    Failure::status(
        StatusCode::from_u16(status).unwrap(),
        &headers,
        body.as_bytes(),
    )
}

#[track_caller]
fn check(kind: ModelErrorKind, again: bool, answers: &[(u16, &str)]) {
    for (status, body) in answers {
        let failure = failure(*status, &[], body);
        assert_eq!(
            (failure.kind, failure.again),
            (kind, again),
            "{status} {body}"
        );
    }
}

#[test]
fn a_wrong_request_is_rejected_for_good() {
    check(
        ModelErrorKind::Rejected,
        false,
        &[
            (
                400,
                r#"{"code":"Client specified an invalid argument","error":"Incorrect API key provided"}"#,
            ),
            (
                401,
                r#"{"error":{"message":"Incorrect API key","type":"invalid_request_error","code":"invalid_api_key"}}"#,
            ),
            (401, r#"{"error":{"code":"401","message":"m"}}"#),
            (403, ""),
            (
                404,
                r#"{"error":{"code":"DeploymentNotFound","message":"m"}}"#,
            ),
            (422, r#"{"detail":[{"loc":["body"],"msg":"bad"}]}"#),
            (
                429,
                r#"{"error":{"code":"insufficient_quota","type":"insufficient_quota"}}"#,
            ),
            (301, ""),
        ],
    );
}

#[test]
fn a_limit_on_the_rate_passes() {
    check(
        ModelErrorKind::RateLimited,
        true,
        &[
            (429, r#"{"error":{"code":"429","message":"m"}}"#),
            (
                429,
                r#"{"statusCode":429,"message":"Rate limit is exceeded."}"#,
            ),
            (429, "<html>"),
        ],
    );
}

#[test]
fn a_prompt_that_does_not_fit_is_known_by_code_or_words() {
    check(
        ModelErrorKind::PromptTooLong,
        false,
        &[
            (
                400,
                r#"{"error":{"code":"context_length_exceeded","message":"m"}}"#,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 4096 tokens.","code":400}"#,
            ),
            (
                400,
                r#"{"code":"c","error":"This model's maximum prompt length is 131072 but"}"#,
            ),
            (
                400,
                r#"[{"error":{"code":400,"message":"The input token count (9) exceeds","status":"INVALID_ARGUMENT"}}]"#,
            ),
            (413, "<html>"),
        ],
    );
}

#[test]
fn a_content_filter_is_known_by_either_code() {
    check(
        ModelErrorKind::ContentFilter,
        false,
        &[
            (
                400,
                r#"{"error":{"code":"content_filter","innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_results":{}}}}"#,
            ),
            (
                400,
                r#"{"error":{"code":null,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{}}}}"#,
            ),
        ],
    );
}

#[test]
fn a_server_fault_passes_if_it_is_a_passing_one() {
    check(
        ModelErrorKind::Unavailable,
        true,
        &[
            (408, ""),
            (409, ""),
            (500, "<html>oops</html>"),
            (502, ""),
            (503, "{}"),
            (504, "null"),
            (
                529,
                r#"{"type":"error","error":{"type":"overloaded_error"}}"#,
            ),
        ],
    );
    check(ModelErrorKind::Unavailable, false, &[(501, "")]);
}

#[test]
fn x_should_retry_wins() {
    assert!(failure(400, &[("x-should-retry", "true")], "").again);
    assert!(!failure(500, &[("x-should-retry", "false")], "").again);
    assert!(failure(500, &[("x-should-retry", "maybe")], "").again);
}

#[test]
fn passes_on_when_to_come_back() {
    let error = ModelError::from(failure(429, &[("retry-after", "90")], ""));
    assert_eq!(error.retry_after, Some(Duration::from_secs(90)));
}

#[test]
fn names_the_parameter_that_is_refused() {
    use Parameter::{MaxCompletionTokens, MaxTokens, StreamOptions, Tools};
    for (body, refused) in [
        (
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens","code":"unsupported_parameter"}}"#,
            Some(MaxTokens),
        ),
        (
            r#"{"error":{"message":"Unrecognized request argument supplied: max_completion_tokens"}}"#,
            Some(MaxCompletionTokens),
        ),
        (
            r#"{"error":{"message":"Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'."}}"#,
            Some(MaxTokens),
        ),
        (
            r#"{"error":{"message":"Unknown parameter: 'stream_options'.","param":null}}"#,
            Some(StreamOptions),
        ),
        (
            r#"{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra inputs are not permitted"}]}"#,
            Some(StreamOptions),
        ),
        (
            r#"{"error":{"message":"'max_tokens' is too large: 5000. This model's maximum context length is 4096","param":"max_tokens"}}"#,
            None,
        ),
        (
            r#"{"error":{"message":"max_tokens must be positive"}}"#,
            None,
        ),
        (
            r#"{"error":{"message":"Unsupported parameter: 'logprobs'"}}"#,
            None,
        ),
        (
            r#"{"error":{"message":"registry.ollama.ai/library/gemma:2b does not support tools","type":"api_error","param":null,"code":null}}"#,
            Some(Tools),
        ),
        (
            r#"{"object":"error","message":"\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set","type":"BadRequestError","param":null,"code":400}"#,
            Some(Tools),
        ),
        (
            r#"{"error":{"message":"tools is not supported in this model.","type":"invalid_request_error","param":null,"code":null}}"#,
            Some(Tools),
        ),
        (
            r#"{"error":{"message":"Invalid 'tools': array too long","param":"tools"}}"#,
            None,
        ),
        ("<html>", None),
    ] {
        assert_eq!(failure(400, &[], body).refused, refused, "{body}");
    }
    let server_fault = r#"{"error":{"message":"Unknown parameter: 'stream_options'."}}"#;
    assert_eq!(failure(500, &[], server_fault).refused, None);
    let llama = r#"{"error":{"code":500,"message":"tools param requires --jinja flag","type":"server_error"}}"#;
    assert_eq!(failure(500, &[], llama).refused, Some(Tools));
}

#[test]
fn says_codes_and_ids_but_never_the_upstreams_words() {
    let body = r#"{"error":{"message":"You said: open sesame","type":"server_error","code":"open sesame!","param":"open sesame"}}"#;
    let failed = failure(
        500,
        &[("x-request-id", "req_1"), ("x-other", "sesame")],
        body,
    );
    assert_eq!(
        failed.fault.to_string(),
        "the upstream answered with status 500, type server_error, request id req_1"
    );
    let error = ModelError::from(failed);
    assert!(!format!("{error:?}").contains("sesame"), "{error:?}");
    let refused = failure(
        401,
        &[],
        r#"{"error":{"code":"invalid_api_key","message":"sk-1"}}"#,
    );
    assert_eq!(
        refused.fault.to_string(),
        "the upstream answered with status 401, code invalid_api_key: the API key was refused"
    );
}

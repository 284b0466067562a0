//! Refusals, in the shape and with the words `OpenAI` uses.
//!
//! Source: `OpenAI`'s API reference, "Error codes", and recorded responses.

use bytes::Bytes;
use http_body_util::{Either, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::{AnswerBody, json_response};
use crate::directive::DirectiveError;
use crate::request::ChatRequest;
use crate::scenario::{Failure, Scenario};

/// A request that is refused.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    kind: &'static str,
    message: String,
    param: Option<String>,
    code: Option<&'static str>,
}

impl Problem {
    pub(crate) fn response(&self) -> Response<AnswerBody> {
        let error = json!({
            "message": self.message, "type": self.kind, "param": self.param, "code": self.code,
        });
        json_response(self.status, &json!({ "error": error }))
    }

    pub(crate) fn unknown_path(method: &Method, path: &str) -> Self {
        let message = format!("Invalid URL ({method} {path})");
        Self {
            status: StatusCode::NOT_FOUND,
            code: Some("unknown_url"),
            ..Self::invalid(message)
        }
    }

    pub(crate) fn wrong_method(method: &Method, path: &str) -> Self {
        let message =
            format!("Not allowed to {method} on {path}. (HINT: Perhaps you meant another method.)");
        let code = Some("method_not_supported");
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code,
            ..Self::invalid(message)
        }
    }

    pub(crate) fn unknown_model(name: &str) -> Self {
        let message = format!("The model `{name}` does not exist or you do not have access to it.");
        let code = Some("model_not_found");
        Self {
            status: StatusCode::NOT_FOUND,
            code,
            ..Self::invalid(message)
        }
    }

    pub(crate) fn too_large() -> Self {
        let message = "The request body was cut off or is larger than 64 MiB.".to_owned();
        Self {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            ..Self::invalid(message)
        }
    }

    pub(crate) fn server_error() -> Self {
        let message =
            "The server had an error while processing your request. Sorry about that!".to_owned();
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: "server_error",
            ..Self::invalid(message)
        }
    }

    fn invalid(message: String) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            kind: "invalid_request_error",
            message,
            param: None,
            code: None,
        }
    }

    fn naming(param: &str, code: &'static str, message: String) -> Self {
        Self {
            param: Some(param.to_owned()),
            code: Some(code),
            ..Self::invalid(message)
        }
    }
}

impl From<DirectiveError> for Problem {
    fn from(error: DirectiveError) -> Self {
        Self {
            code: Some("mock_directive"),
            ..Self::invalid(error.to_string())
        }
    }
}

impl ChatRequest {
    /// Reads a request body, and refuses what `OpenAI` refuses before it looks at the model.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, Problem> {
        let request: Self = serde_json::from_slice(body).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                let message = format!("Invalid type or missing field in the request: {error}");
                Problem { code: Some("invalid_type"), ..Problem::invalid(message) }
            }
            serde_json::error::Category::Io
            | serde_json::error::Category::Syntax
            | serde_json::error::Category::Eof => Problem::invalid(format!(
                "We could not parse the JSON body of your request. (HINT: This likely means you aren't using \
                 your HTTP library correctly. {error})"
            )),
        })?;
        if request.model.as_deref().unwrap_or_default().is_empty() {
            return Err(Problem::invalid(
                "you must provide a model parameter".to_owned(),
            ));
        }
        match &request.messages {
            None => {
                let message = "Missing required parameter: 'messages'.".to_owned();
                return Err(Problem::naming(
                    "messages",
                    "missing_required_parameter",
                    message,
                ));
            }
            Some(messages) if messages.is_empty() => {
                let message = "Invalid 'messages': empty array. Expected an array with minimum length 1, but \
                               got an empty array instead."
                    .to_owned();
                return Err(Problem::naming("messages", "empty_array", message));
            }
            Some(_) => {}
        }
        if request.stream_options.is_some() && !request.streams() {
            let message =
                "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
            let mut problem = Problem::invalid(message.to_owned());
            problem.param = Some("stream_options".to_owned());
            return Err(problem);
        }
        Ok(request)
    }
}

/// Refuses fields the scenario does not know, and prompts that are too long for it.
pub(crate) fn check(
    scenario: &Scenario,
    request: &ChatRequest,
    body: &[u8],
) -> Result<(), Problem> {
    if !scenario.rejects.is_empty() {
        let fields: serde_json::Map<String, Value> =
            serde_json::from_slice(body).unwrap_or_default();
        if let Some(field) = scenario
            .rejects
            .iter()
            .find(|field| fields.contains_key(*field))
        {
            return Err(unsupported(field));
        }
    }
    let prompt = request.prompt_tokens();
    if let Some(window) = scenario.context_tokens.filter(|window| prompt > *window) {
        let message = format!(
            "This model's maximum context length is {window} tokens. However, your messages resulted in \
             {prompt} tokens. Please reduce the length of the messages."
        );
        return Err(Problem::naming(
            "messages",
            "context_length_exceeded",
            message,
        ));
    }
    Ok(())
}

/// The response of a failure with this status.
pub(crate) fn refuse(failure: &Failure, status: u16) -> Response<AnswerBody> {
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = if failure.html {
        let reason = code.canonical_reason().unwrap_or("Error");
        let page = format!(
            "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n\
             <center><h1>{status} {reason}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
        );
        let mut response = Response::new(Either::Left(Full::new(Bytes::from(page))));
        *response.status_mut() = code;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        response
    } else {
        json_response(code, &error_object(failure, status))
    };
    if let Some(seconds) = failure.retry_after_s {
        response
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn error_object(failure: &Failure, status: u16) -> Value {
    let (kind, code, message) = match status {
        401 => (
            "invalid_request_error",
            Some("invalid_api_key"),
            "Incorrect API key provided. You can find your API key in your account settings.",
        ),
        403 => (
            "invalid_request_error",
            Some("permission_denied"),
            "You do not have access to this model.",
        ),
        404 => (
            "invalid_request_error",
            Some("model_not_found"),
            "The model does not exist.",
        ),
        429 => (
            "requests",
            Some("rate_limit_exceeded"),
            "Rate limit reached for requests. Please try again later.",
        ),
        400..=499 => (
            "invalid_request_error",
            None,
            "The request is refused, as the scenario says.",
        ),
        503 => (
            "server_error",
            None,
            "The engine is currently overloaded, please try again later.",
        ),
        _ => (
            "server_error",
            None,
            "The server had an error while processing your request. Sorry about that!",
        ),
    };
    let code = failure.code.as_deref().or(code);
    json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
}

fn unsupported(field: &str) -> Problem {
    match field {
        // Servers older than the field do not know it at all.
        "stream_options" => {
            Problem::invalid(format!("Unrecognized request argument supplied: {field}"))
        }
        "max_tokens" => Problem::naming(
            field,
            "unsupported_parameter",
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use \
             'max_completion_tokens' instead."
                .to_owned(),
        ),
        _ => Problem::naming(
            field,
            "unsupported_parameter",
            format!("Unsupported parameter: '{field}' is not supported with this model."),
        ),
    }
}

//! What went wrong, sorted by what a caller can do. Holds no word of an upstream's but codes.

use std::time::Duration;

use chat_core::ports::{ModelError, ModelErrorKind};
use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

use crate::retry;

/// A failed try.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ModelErrorKind,
    pub(crate) fault: Fault,
    /// When the upstream said to come back.
    pub(crate) retry_after: Option<Duration>,
    /// Whether the same request may succeed soon, so long as no event has come.
    pub(crate) again: bool,
    /// A parameter that the upstream does not know.
    pub(crate) refused: Option<Parameter>,
}

/// A request field that some upstreams refuse and that can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    MaxTokens,
    MaxCompletionTokens,
    StreamOptions,
    ResponseFormat,
    Tools,
}

/// What happened, for the operator's log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the upstream answered with status {status}{label}")]
    Status { status: u16, label: Label },
    #[error("the upstream sent an error in its stream{label}")]
    InStream { label: Label },
    #[error("the connection to the upstream failed")]
    Transport(#[source] reqwest::Error),
    #[error("the upstream answered with the content type `{0}` instead of a stream")]
    ContentType(String),
    #[error("the upstream sent a frame that is no completion chunk: {0}")]
    Malformed(&'static str),
    #[error("the upstream sent a line of more than {0} bytes")]
    LineTooLong(usize),
    #[error("the upstream sent no {what} for {} ms", after.as_millis())]
    Silent { what: &'static str, after: Duration },
    #[error("the upstream's stream ended before the answer did")]
    CutOff,
    #[error("the upstream gave up with the finish reason `{0}`")]
    GaveUp(String),
    #[error("the upstream lists no models")]
    NoModelList,
    #[error("the upstream's URL does not tell where it makes images")]
    NoImages,
}

/// The codes that an upstream gave, and what they mean as far as we know.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Label {
    code: Option<String>,
    kind: Option<String>,
    request_id: Option<String>,
    hint: Option<&'static str>,
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let named = [
            ("code", &self.code),
            ("type", &self.kind),
            ("request id", &self.request_id),
        ];
        for (name, value) in named {
            if let Some(value) = value {
                write!(f, ", {name} {value}")?;
            }
        }
        match self.hint {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

impl Failure {
    /// A failure that a repetition does not mend.
    pub(crate) fn new(kind: ModelErrorKind, fault: Fault) -> Self {
        Self {
            kind,
            fault,
            retry_after: None,
            again: false,
            refused: None,
        }
    }

    /// One that it may mend.
    pub(crate) fn passing(kind: ModelErrorKind, fault: Fault) -> Self {
        Self {
            again: true,
            ..Self::new(kind, fault)
        }
    }

    /// A frame or body that is no answer.
    pub(crate) fn malformed(what: &'static str) -> Self {
        Self::new(ModelErrorKind::Broken, Fault::Malformed(what))
    }

    /// Silence where something was due.
    pub(crate) fn silent(what: &'static str, after: Duration) -> Self {
        Self::new(ModelErrorKind::Timeout, Fault::Silent { what, after })
    }

    /// A request that could not be sent, or whose answer's head never came.
    pub(crate) fn unsent(error: reqwest::Error) -> Self {
        let again = !error.is_builder();
        // The URL may hold a key in its query.
        Self {
            again,
            ..Self::new(
                ModelErrorKind::Unavailable,
                Fault::Transport(error.without_url()),
            )
        }
    }

    /// An answer with an error status.
    pub(crate) fn status(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let report = Report::read(serde_json::from_slice(body).ok().as_ref());
        let kind = report.kind(Some(status.as_u16()));
        let quota = report.no_money();
        let again = match headers.get("x-should-retry").map(AsRef::as_ref) {
            Some(b"true") => true,
            Some(b"false") => false,
            _ => !quota && matches!(status.as_u16(), 408 | 409 | 429 | 500 | 502..=504 | 520..=529),
        };
        let mut label = report.label(Some(status.as_u16()));
        label.request_id = ["x-request-id", "apim-request-id", "x-ms-request-id"]
            .iter()
            .find_map(|name| headers.get(*name)?.to_str().ok())
            .and_then(plain);
        Self {
            kind,
            retry_after: retry::asked(headers),
            again,
            refused: report.refused(status),
            fault: Fault::Status {
                status: status.as_u16(),
                label,
            },
        }
    }

    /// An error object in an answer with a good status.
    pub(crate) fn in_stream(object: &Value) -> Self {
        let report = Report::read(Some(object));
        let kind = report.kind(report.status());
        let again = matches!(
            kind,
            ModelErrorKind::Unavailable | ModelErrorKind::RateLimited
        );
        let label = report.label(report.status());
        Self {
            again,
            ..Self::new(kind, Fault::InStream { label })
        }
    }
}

impl From<Failure> for ModelError {
    fn from(failure: Failure) -> Self {
        Self {
            kind: failure.kind,
            retry_after: failure.retry_after,
            source: Some(Box::new(failure.fault)),
        }
    }
}

/// An error body, whichever of the known shapes it has.
#[derive(Default)]
struct Report {
    /// In lower case; read for known phrases and never passed on.
    message: String,
    code: String,
    kind: String,
    inner: String,
    param: String,
}

impl Report {
    fn read(body: Option<&Value>) -> Self {
        let Some(body) = body else {
            return Self::default();
        };
        // Google's gateway wraps the object in a list.
        let body = body.get(0).unwrap_or(body);
        let error = match body.get("error") {
            Some(inner @ Value::Object(_)) => inner,
            _ => body,
        };
        let text = |value: Option<&Value>| match value {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        // xAI's `error` is the message itself; FastAPI servers say `detail`.
        let message = [
            error.get("message"),
            error.get("error"),
            error.get("detail"),
        ]
        .into_iter()
        .flatten()
        .map(|value| match value.as_str() {
            Some(text) => text.to_lowercase(),
            None => value.to_string().to_lowercase(),
        })
        .next()
        .unwrap_or_default();
        let code = [
            error.get("code"),
            error.get("statusCode"),
            error.get("status"),
        ]
        .into_iter()
        .map(text)
        .find(|code| !code.is_empty())
        .unwrap_or_default();
        Self {
            message,
            code,
            kind: text(error.get("type")),
            inner: text(error.pointer("/innererror/code")),
            param: text(error.get("param")),
        }
    }

    /// The status that the body itself names.
    fn status(&self) -> Option<u16> {
        self.code
            .parse()
            .ok()
            .filter(|status| (400..600).contains(status))
    }

    fn kind(&self, status: Option<u16>) -> ModelErrorKind {
        if self.is("content_filter") || self.inner == "ResponsibleAIPolicyViolation" {
            return ModelErrorKind::ContentFilter;
        }
        if self.too_long(status) {
            return ModelErrorKind::PromptTooLong;
        }
        if self.no_money() {
            return ModelErrorKind::Rejected;
        }
        match status {
            Some(429) => ModelErrorKind::RateLimited,
            Some(408 | 409) => ModelErrorKind::Unavailable,
            Some(..500) => ModelErrorKind::Rejected,
            None if self.code.contains("rate_limit") || self.kind.contains("rate_limit") => {
                ModelErrorKind::RateLimited
            }
            None if self.kind.contains("invalid_request") || self.kind.contains("auth") => {
                ModelErrorKind::Rejected
            }
            Some(_) | None => ModelErrorKind::Unavailable,
        }
    }

    fn too_long(&self, status: Option<u16>) -> bool {
        let phrases = [
            "maximum context length",
            "maximum prompt length",
            "context length exceeded",
            "context window",
            "available context size",
            "prompt is too long",
            "input token count",
        ];
        match status {
            Some(413) => true,
            Some(401 | 403 | 404 | 429) => false,
            _ => {
                self.is("context_length_exceeded")
                    || self.is("exceed_context_size_error")
                    || phrases.iter().any(|phrase| self.message.contains(phrase))
            }
        }
    }

    fn no_money(&self) -> bool {
        self.is("insufficient_quota") || self.is("billing_hard_limit_reached")
    }

    fn is(&self, name: &str) -> bool {
        self.code == name || self.kind == name
    }

    /// Whether the server says that this model takes no tools: Ollama of most models, vLLM and llama.cpp of any until they are
    /// started for it, the last with status 500.
    fn refuses_tools(&self, status: StatusCode) -> bool {
        let phrases = [
            "does not support tools",
            "tool choice requires",
            "tools param requires",
        ];
        matches!(status.as_u16(), 400 | 422 | 500 | 501)
            && phrases.iter().any(|phrase| self.message.contains(phrase))
    }

    /// The parameter that a 400 or 422 calls unknown, or tools that are refused.
    fn refused(&self, status: StatusCode) -> Option<Parameter> {
        if self.refuses_tools(status) {
            return Some(Parameter::Tools);
        }
        if !matches!(status.as_u16(), 400 | 422) || self.too_long(Some(status.as_u16())) {
            return None;
        }
        let names = |name: &str| self.param == name || self.message.contains(name);
        let unknown = [
            "unsupported",
            "not support",
            "unknown",
            "unrecognized",
            "unexpected",
            "not permitted",
            "extra",
            "not allowed",
            "only allowed",
        ]
        .iter()
        .any(|word| self.message.contains(word))
            || self.is("unsupported_parameter")
            || self.is("unknown_parameter");
        if !unknown {
            return None;
        }
        // OpenAI's message names both token limits, the refused one in `param`.
        if names("stream_options") {
            Some(Parameter::StreamOptions)
        } else if names("response_format") {
            Some(Parameter::ResponseFormat)
        } else if self.param == "tools" || find_word(&self.message, "tools").is_some() {
            Some(Parameter::Tools)
        } else if self.param == "max_completion_tokens" {
            Some(Parameter::MaxCompletionTokens)
        } else if self.param == "max_tokens" {
            Some(Parameter::MaxTokens)
        } else {
            let old = find_word(&self.message, "max_tokens");
            let new = find_word(&self.message, "max_completion_tokens");
            match (old, new) {
                (Some(old), Some(new)) if new < old => Some(Parameter::MaxCompletionTokens),
                (Some(_), _) => Some(Parameter::MaxTokens),
                (None, Some(_)) => Some(Parameter::MaxCompletionTokens),
                (None, None) => None,
            }
        }
    }

    fn label(&self, status: Option<u16>) -> Label {
        let hint = if self.no_money() {
            Some("the account has no money left")
        } else if matches!(status, Some(401 | 403)) || self.message.contains("api key") {
            Some("the API key was refused")
        } else if status == Some(404) {
            Some("the model or the URL is unknown there")
        } else if status.is_some_and(|status| (300..400).contains(&status)) {
            Some("redirects are not followed")
        } else {
            None
        };
        Label {
            code: plain(&self.code).or_else(|| plain(&self.inner)),
            kind: plain(&self.kind),
            request_id: None,
            hint,
        }
    }
}

/// An identifier as it is, or nothing: free text may quote the prompt.
pub(crate) fn plain(text: &str) -> Option<String> {
    let fits = (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-.:/".contains(&byte));
    fits.then(|| text.to_owned())
}

/// Where a name stands that is not the end of a longer one.
fn find_word(text: &str, name: &str) -> Option<usize> {
    text.match_indices(name)
        .map(|(at, _)| at)
        .find(|at| !text.get(..*at).is_some_and(|before| before.ends_with('_')))
}

#[cfg(test)]
mod tests;

//! Cross-origin requests: an origin that is allowed is echoed, and `*` never comes with credentials.
//!
//! Written here because preflights must be 204 and because a page of this server is always allowed, which `actix-cors` has no
//! setting for.

use actix_web::{
    dev::RequestHead,
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
};

use crate::config::Origins;

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
const EXPOSED: &str = "x-request-id, retry-after, openai-poll-after-ms, content-disposition, x-vercel-ai-ui-message-stream, x-skein-message-id";
const MAX_AGE_S: &str = "600";

/// What a cross-origin page is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    origin: HeaderValue,
    credentials: bool,
    answer: Answer,
}

/// What sort of request it is that was allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Answer {
    /// A preflight, with the headers that it asked for, to be echoed.
    Preflight(Option<HeaderValue>),
    /// Any other.
    Actual,
}

/// What to tell the page behind this request; `None` when it is none of another origin, or none that is allowed.
pub fn grant(origins: &Origins, head: &RequestHead) -> Option<Grant> {
    let origin = head.headers().get(header::ORIGIN)?;
    let text = origin.to_str().ok()?;
    let answer = if is_preflight(head) {
        Answer::Preflight(
            head.headers()
                .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
                .cloned(),
        )
    } else {
        Answer::Actual
    };
    let listed = origins.allows(text) || is_same(text, head);
    if listed {
        return Some(Grant {
            origin: origin.clone(),
            credentials: true,
            answer,
        });
    }
    origins.any.then(|| Grant {
        origin: HeaderValue::from_static("*"),
        credentials: false,
        answer,
    })
}

/// Whether a browser asks in advance whether it may.
pub fn is_preflight(head: &RequestHead) -> bool {
    head.method == Method::OPTIONS
        && head.headers().contains_key(header::ORIGIN)
        && head
            .headers()
            .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Writes the headers of a grant. Answers differ by origin in any case, and say so.
pub fn apply(grant: Option<Grant>, headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(grant) = grant else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, grant.origin);
    if grant.credentials {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
            HeaderValue::from_static("true"),
        );
    }
    let Answer::Preflight(asked) = grant.answer else {
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(EXPOSED),
        );
        return;
    };
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(METHODS),
    );
    headers.insert(
        header::ACCESS_CONTROL_MAX_AGE,
        HeaderValue::from_static(MAX_AGE_S),
    );
    if let Some(asked) = asked {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked);
    }
}

/// Whether the page came from the address that the request was sent to.
fn is_same(origin: &str, head: &RequestHead) -> bool {
    let host = head
        .headers()
        .get(header::HOST)
        .and_then(|value| value.to_str().ok());
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some() && authority == host
}

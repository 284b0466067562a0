//! Error answers of the AI SDK chat's routes (`docs/wire/ai-sdk.md` W30 to W35).

use chat_core::{error::EngineError, ports::StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use super::request::InvalidRequest;

/// What kind of error a client is told, the first half of its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request was not what is accepted.
    BadRequest,
    /// It is not known who asks.
    Unauthorized,
    /// Whoever asks may not.
    Forbidden,
    /// There is no such thing.
    NotFound,
    /// Too many requests.
    RateLimit,
    /// Not right now; the same request may succeed later.
    Offline,
    /// A fault of ours.
    Internal,
}

impl ErrorKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::BadRequest,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimit,
        Self::Offline,
        Self::Internal,
    ];

    /// The first half of the code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::RateLimit => "rate_limit",
            Self::Offline => "offline",
            Self::Internal => "internal",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::RateLimit => 429,
            Self::Offline => 503,
            Self::Internal => 500,
        }
    }
}

/// What the error is about, the second half of its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Surface {
    /// Conversations: sending, reading, streaming, listing, deleting.
    Chat,
    /// Signing in and up.
    Auth,
    /// A request as such, whatever it was for.
    Api,
    /// Streams.
    Stream,
    /// Lists of conversations.
    History,
    /// Votes.
    Vote,
    /// Documents.
    Document,
    /// Suggestions for documents.
    Suggestions,
}

impl Surface {
    /// All surfaces.
    pub const ALL: [Self; 8] = [
        Self::Chat,
        Self::Auth,
        Self::Api,
        Self::Stream,
        Self::History,
        Self::Vote,
        Self::Document,
        Self::Suggestions,
    ];

    /// The second half of the code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Auth => "auth",
            Self::Api => "api",
            Self::Stream => "stream",
            Self::History => "history",
            Self::Vote => "vote",
            Self::Document => "document",
            Self::Suggestions => "suggestions",
        }
    }
}

/// An error as a route answers it, before it is bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}", .kind.as_str(), .surface.as_str())]
pub struct ApiError {
    /// What kind of error.
    pub kind: ErrorKind,
    /// What it is about.
    pub surface: Surface,
    /// Which parameter was wrong, or what else the caller can act on.
    pub cause: Option<String>,
    /// What the reader is told in place of the usual sentence of this kind and surface.
    sentence: Option<&'static str>,
}

impl ApiError {
    /// An error without a cause to name.
    pub const fn new(kind: ErrorKind, surface: Surface) -> Self {
        Self {
            kind,
            surface,
            cause: None,
            sentence: None,
        }
    }

    /// A request that was not what is accepted: `bad_request:api`, on every route.
    pub fn bad_request(cause: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadRequest, Surface::Api).with_cause(cause)
    }

    /// The error of an engine command that was given for this surface.
    pub fn from_engine(error: &EngineError, surface: Surface) -> Self {
        match error {
            EngineError::NotFound { .. } => Self::new(ErrorKind::NotFound, surface),
            EngineError::Forbidden => Self::new(ErrorKind::Forbidden, surface),
            EngineError::MessageTaken => {
                Self::bad_request("message.id: the id belongs to another message")
            }
            EngineError::KeySpent => Self::bad_request(
                "Idempotency-Key: was used for another chat or for a message that was deleted since; a new one is accepted",
            ),
            EngineError::NothingWaits => Self::bad_request(
                "messages: no tool call with the toolCallId that was answered waits for an answer",
            ),
            EngineError::StillWaits => Self::bad_request(
                "messages: another tool call of the same message waits for an answer too; all are answered at once",
            ),
            EngineError::QuotaSpent => Self::new(ErrorKind::RateLimit, Surface::Chat),
            EngineError::TooLong { needed, allowed } => Self::bad_request(format!(
                "message.parts: the message has {needed} tokens, at most {allowed} fit the model"
            )),
            EngineError::Busy | EngineError::Unavailable => Self::new(ErrorKind::Offline, surface),
            EngineError::Store(error) => Self::from_store(error, surface),
        }
    }

    /// The error of a store that failed while it served this surface.
    pub const fn from_store(error: &StoreError, surface: Surface) -> Self {
        let kind = match (error, surface) {
            (StoreError::Unavailable(_), _) | (_, Surface::Chat) => ErrorKind::Offline,
            (StoreError::Corrupt { .. } | StoreError::Fatal(_), _) => ErrorKind::Internal,
        };
        Self::new(kind, surface)
    }

    /// The same, but a thing that is not there is one that is forbidden: for routes that must not tell which.
    #[must_use]
    pub fn hiding_absence(self) -> Self {
        match self.kind {
            ErrorKind::NotFound => Self {
                kind: ErrorKind::Forbidden,
                ..self
            },
            ErrorKind::BadRequest
            | ErrorKind::Unauthorized
            | ErrorKind::Forbidden
            | ErrorKind::RateLimit
            | ErrorKind::Offline
            | ErrorKind::Internal => self,
        }
    }

    /// The same, but what is not there is of this surface: some routes name a chat that is missing and forbid a vote.
    #[must_use]
    pub fn absent_as(self, surface: Surface) -> Self {
        match self.kind {
            ErrorKind::NotFound => Self { surface, ..self },
            ErrorKind::BadRequest
            | ErrorKind::Unauthorized
            | ErrorKind::Forbidden
            | ErrorKind::RateLimit
            | ErrorKind::Offline
            | ErrorKind::Internal => self,
        }
    }

    /// The same with this cause: which parameter was wrong and what is accepted there, and nothing of what was sent.
    #[must_use]
    pub fn with_cause(self, cause: impl Into<String>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..self
        }
    }

    /// The same with this sentence for the reader, where the usual one of its kind and surface says less. Frontends that show
    /// no `cause` show it.
    #[must_use]
    pub fn with_sentence(self, sentence: &'static str) -> Self {
        Self {
            sentence: Some(sentence),
            ..self
        }
    }

    /// The HTTP status.
    pub const fn status(&self) -> u16 {
        self.kind.status()
    }

    /// The body. `request_id` is told with an error of ours only, for the operator to find it in the log.
    pub fn body(&self, request_id: Option<&str>) -> ErrorBody {
        let usual = || sentence(self.kind, self.surface);
        let message = self.sentence.unwrap_or_else(usual);
        ErrorBody {
            code: format!("{}:{}", self.kind.as_str(), self.surface.as_str()),
            message: message.to_owned(),
            cause: self.cause.clone(),
            detail: message.to_owned(),
            error: None,
            request_id: (self.status() >= 500)
                .then(|| request_id.map(str::to_owned))
                .flatten(),
        }
    }
}

impl From<InvalidRequest> for ApiError {
    fn from(error: InvalidRequest) -> Self {
        Self::bad_request(error.cause)
    }
}

/// The body of an error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ErrorBody {
    /// `kind:surface`, by which the frontend picks its own words.
    #[schema(example = "not_found:chat")]
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Which parameter was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// The same sentence, where other frontends look for it.
    pub detail: String,
    /// The same sentence, on routes whose frontend shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The request's id; with a status of 500 and above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl ErrorBody {
    /// The same with the sentence as `error` too: for `GET /api/messages` and uploads.
    #[must_use]
    pub fn with_error(mut self) -> Self {
        self.error = Some(self.message.clone());
        self
    }

    /// The same for uploads, whose clients show `error` and `detail` as they are: they hold the cause where there is one.
    #[must_use]
    pub fn with_cause_as_error(mut self) -> Self {
        let shown = self.cause.clone().unwrap_or_else(|| self.message.clone());
        self.detail.clone_from(&shown);
        self.error = Some(shown);
        self
    }

    /// It as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        crate::frame::json(&mut out, self);
        out
    }
}

/// The body for a request below `/api` that reached no route: it suits every frontend that has routes there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PathErrorBody {
    /// `not_found:api` or `bad_request:api`.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// The same sentence.
    pub error: String,
    /// The same sentence.
    pub detail: String,
    /// Always `null`.
    #[schema(value_type = Option<Object>)]
    pub details: Option<()>,
    /// The request's id.
    pub request_id: String,
}

impl PathErrorBody {
    /// For a path that is none of ours; status 404.
    pub fn unknown_path(request_id: &str) -> Self {
        Self::new(ErrorKind::NotFound, "There is no such path.", request_id)
    }

    /// For a path that has no such method; status 405, with `Allow`.
    pub fn wrong_method(request_id: &str) -> Self {
        Self::new(
            ErrorKind::BadRequest,
            "This path does not take this method.",
            request_id,
        )
    }

    /// For a body that is longer than `limit` bytes; status 413.
    pub fn too_large(limit: usize, request_id: &str) -> Self {
        Self::new(
            ErrorKind::BadRequest,
            &format!("The body is too large: at most {limit} bytes are accepted."),
            request_id,
        )
    }

    /// It as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        crate::frame::json(&mut out, self);
        out
    }

    fn new(kind: ErrorKind, sentence: &str, request_id: &str) -> Self {
        Self {
            code: format!("{}:{}", kind.as_str(), Surface::Api.as_str()),
            message: sentence.to_owned(),
            error: sentence.to_owned(),
            detail: sentence.to_owned(),
            details: None,
            request_id: request_id.to_owned(),
        }
    }
}

const fn sentence(kind: ErrorKind, surface: Surface) -> &'static str {
    match (kind, surface) {
        (ErrorKind::BadRequest, _) => "The request is not what is accepted here.",
        (ErrorKind::Unauthorized, _) => "Please sign in and try again.",
        (ErrorKind::Forbidden, Surface::Chat | Surface::Vote) => {
            "This chat belongs to another user."
        }
        (ErrorKind::Forbidden, Surface::Auth) => "Your account may not do this.",
        (ErrorKind::Forbidden, Surface::Document) => "This document belongs to another user.",
        (ErrorKind::Forbidden, _) => "This belongs to another user.",
        (ErrorKind::NotFound, Surface::Chat) => "There is no such chat.",
        (ErrorKind::NotFound, Surface::Document) => "There is no such document.",
        (ErrorKind::NotFound, Surface::Vote) => "There is no such message.",
        (ErrorKind::NotFound, _) => "There is no such thing.",
        (ErrorKind::RateLimit, Surface::Chat) => {
            "You have sent as many messages as you may for now. Please try again later."
        }
        (ErrorKind::RateLimit, Surface::Auth) => "Too many attempts. Please try again later.",
        (ErrorKind::RateLimit, _) => "Too many requests. Please try again later.",
        (ErrorKind::Offline, _) => {
            "The server cannot do this right now. Please try again in a moment."
        }
        (ErrorKind::Internal, _) => "Something went wrong on the server.",
    }
}

#[cfg(test)]
mod tests;

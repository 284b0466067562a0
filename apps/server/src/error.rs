//! The one meeting of errors and HTTP.
//!
//! A handler answers with a [`Fault`]; the edge ([`crate::edge`]) turns it into the body of the dialect with the request's id
//! in it, and logs the cause of a 5xx once. What a client is told never holds a cause.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use chat_core::{error::EngineError, ports::StoreError};
use dialects::ai_sdk::{ApiError, ErrorKind, InvalidRequest, PathErrorBody, Surface};

/// Why a request is not served.
#[derive(Debug)]
pub struct Fault {
    shape: Shape,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

#[derive(Debug)]
enum Shape {
    /// An error of the AI SDK chat's routes.
    AiSdk { error: ApiError, also: Also },
    /// A body that is too large, in bytes.
    TooLarge(usize),
    /// Something that was tried too often, with the seconds after which it may be tried again.
    TooOften { error: ApiError, after_s: u64 },
}

/// What the body says besides.
#[derive(Debug, Clone, Copy)]
enum Also {
    /// Nothing.
    Nothing,
    /// The sentence under `error` too.
    Error,
    /// The cause, where there is one, under `error` and `detail`, for people to read.
    CauseAsError,
}

impl Fault {
    /// An error of this kind about this surface.
    pub fn new(kind: ErrorKind, surface: Surface) -> Self {
        ApiError::new(kind, surface).into()
    }

    /// A request that is not what is accepted; `cause` says which parameter, and what is accepted there.
    pub fn bad_request(cause: impl Into<String>) -> Self {
        ApiError::bad_request(cause).into()
    }

    /// A body that is larger than `limit` bytes.
    pub const fn too_large(limit: usize) -> Self {
        Self {
            shape: Shape::TooLarge(limit),
            cause: None,
        }
    }

    /// Something about this surface that was tried too often; the next try is taken after this time.
    pub fn too_often(surface: Surface, after: std::time::Duration) -> Self {
        // In whole seconds: who waits for fewer comes too early.
        let after_s = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        Self {
            shape: Shape::TooOften {
                error: ApiError::new(ErrorKind::RateLimit, surface),
                after_s: after_s.max(1),
            },
            cause: None,
        }
    }

    /// After how many seconds the same request may succeed, where that is known.
    pub const fn retry_after_s(&self) -> Option<u64> {
        match &self.shape {
            Shape::TooOften { after_s, .. } => Some(*after_s),
            Shape::AiSdk { .. } | Shape::TooLarge(_) => None,
        }
    }

    /// The outcome of an engine's command about this surface.
    pub fn engine(surface: Surface) -> impl Fn(EngineError) -> Self {
        move |error| Self {
            shape: Shape::AiSdk {
                error: ApiError::from_engine(&error, surface),
                also: Also::Nothing,
            },
            cause: Some(Box::new(error)),
        }
    }

    /// A fault of the store while it served this surface.
    pub fn store(surface: Surface) -> impl Fn(StoreError) -> Self {
        move |error| Self {
            shape: Shape::AiSdk {
                error: ApiError::from_store(&error, surface),
                also: Also::Nothing,
            },
            cause: Some(Box::new(error)),
        }
    }

    /// The same with a cause for the log.
    #[must_use]
    pub fn because(mut self, cause: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Box::new(cause));
        self
    }

    /// The same, but what is not there is told as forbidden.
    #[must_use]
    pub fn hiding_absence(mut self) -> Self {
        if let Shape::AiSdk { error, also } = self.shape {
            self.shape = Shape::AiSdk {
                error: error.hiding_absence(),
                also,
            };
        }
        self
    }

    /// The same, but what is not there is of this surface.
    #[must_use]
    pub fn absent_as(mut self, surface: Surface) -> Self {
        if let Shape::AiSdk { error, also } = self.shape {
            self.shape = Shape::AiSdk {
                error: error.absent_as(surface),
                also,
            };
        }
        self
    }

    /// The same with its sentence under `error` too.
    #[must_use]
    pub fn with_error(mut self) -> Self {
        if let Shape::AiSdk { also, .. } = &mut self.shape {
            *also = Also::Error;
        }
        self
    }

    /// The same as uploads tell it: with the cause, where there is one, under `error` and `detail`.
    #[must_use]
    pub fn with_cause_as_error(mut self) -> Self {
        if let Shape::AiSdk { also, .. } = &mut self.shape {
            *also = Also::CauseAsError;
        }
        self
    }

    /// What the log is told, once.
    pub fn cause(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn std::error::Error + 'static))
    }

    /// The body, as JSON.
    pub fn body(&self, request_id: &str) -> Vec<u8> {
        match &self.shape {
            Shape::AiSdk { error, also } => {
                let body = error.body(Some(request_id));
                match also {
                    Also::Nothing => body,
                    Also::Error => body.with_error(),
                    Also::CauseAsError => body.with_cause_as_error(),
                }
                .to_json()
            }
            Shape::TooOften { error, .. } => error.body(Some(request_id)).to_json(),
            Shape::TooLarge(limit) => PathErrorBody::too_large(*limit, request_id).to_json(),
        }
    }
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        Self {
            shape: Shape::AiSdk {
                error,
                also: Also::Nothing,
            },
            cause: None,
        }
    }
}

impl From<InvalidRequest> for Fault {
    fn from(error: InvalidRequest) -> Self {
        ApiError::from(error).into()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shape {
            Shape::AiSdk { error, .. } | Shape::TooOften { error, .. } => error.fmt(f),
            Shape::TooLarge(limit) => write!(f, "a body of more than {limit} bytes"),
        }
    }
}

impl ResponseError for Fault {
    fn status_code(&self) -> StatusCode {
        match &self.shape {
            Shape::AiSdk { error, .. } | Shape::TooOften { error, .. } => {
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Shape::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }

    fn error_response(&self) -> HttpResponse {
        // The edge writes the body: only there is the request's id known.
        HttpResponse::new(self.status_code())
    }
}

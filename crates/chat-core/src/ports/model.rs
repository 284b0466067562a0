use std::{pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::Stream;
use serde_json::Value;

use crate::{event::FinishReason, message::Call, message::ToolResult, run::Usage};

/// A model's server.
#[async_trait]
pub trait Model: Send + Sync {
    /// Asks for an answer and returns once its first event has come.
    ///
    /// Whatever may be tried again is tried again in here, so that a retry never repeats text. Dropping the future or
    /// the answer hangs up on the upstream at once. An error after the first event is the stream's last item; a
    /// stream that ends without [`ModelEventKind::Finished`] broke off.
    async fn answer(&self, request: ModelRequest) -> Result<ModelAnswer, ModelError>;
}

/// What a model is asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelRequest {
    /// The model's name.
    pub model: String,
    /// The prompt, in order.
    pub items: Vec<PromptItem>,
    /// The limit on the answer in tokens, reasoning included; `None` sends none.
    pub max_output: Option<u32>,
    /// The functions it may call.
    pub tools: Vec<ToolSpec>,
}

/// A piece of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum PromptItem {
    /// The operator's words.
    System(String),
    /// The person's words and files.
    User {
        /// The text.
        text: String,
        /// Images: URLs, `data:` with the bytes among them.
        images: Vec<String>,
    },
    /// What the model said and called.
    Assistant {
        /// The text; empty if it only called.
        text: String,
        /// The calls.
        calls: Vec<PromptCall>,
    },
    /// What a call gave.
    Output {
        /// The call's id.
        call_id: String,
        /// Its outcome.
        result: ToolResult,
    },
}

/// A call that the model made earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptCall {
    /// Its id.
    pub call_id: String,
    /// The function's name.
    pub name: String,
    /// The arguments, as the model wrote them.
    pub arguments: String,
}

impl From<&Call> for PromptCall {
    fn from(call: &Call) -> Self {
        Self {
            call_id: call.call_id.clone(),
            name: call.name.clone(),
            arguments: call.arguments.clone(),
        }
    }
}

/// A function that a model may call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
}

/// An answer that has begun.
pub struct ModelAnswer {
    /// The upstream's id for it.
    pub upstream_id: Option<String>,
    /// The model that answers, as the upstream names it.
    pub model: Option<String>,
    /// Its events.
    pub events: Pin<Box<dyn Stream<Item = Result<ModelEvent, ModelError>> + Send>>,
}

impl std::fmt::Debug for ModelAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModelAnswer")
            .field("upstream_id", &self.upstream_id)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// A piece of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEvent {
    /// What it means.
    pub kind: ModelEventKind,
    /// The upstream's own event, redacted, where its dialect may want to relay it.
    pub raw: Option<Arc<str>>,
}

/// What a piece of an answer means.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelEventKind {
    /// Text; never empty.
    Text(String),
    /// Words of a refusal; never empty.
    Refusal(String),
    /// Thinking; never empty.
    Reasoning(String),
    /// A call began. `index` tells the calls of one answer apart.
    CallStarted {
        /// Which call.
        index: u32,
        /// The upstream's id for it; may be empty.
        call_id: String,
        /// The function's name.
        name: String,
    },
    /// A call's arguments grew.
    CallArguments {
        /// Which call.
        index: u32,
        /// What was added; never empty.
        text: String,
    },
    /// What it cost. The last one counts; may come after `Finished`.
    Usage(Usage),
    /// The model is done. Comes once.
    Finished(FinishReason),
}

/// Why a model did not answer, or broke off.
#[derive(Debug, thiserror::Error)]
#[error("{kind}")]
pub struct ModelError {
    /// What a caller can do about it.
    pub kind: ModelErrorKind,
    /// When the upstream said to come back.
    pub retry_after: Option<Duration>,
    /// What happened, for the operator's log; holds neither secrets nor message text.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl From<ModelErrorKind> for ModelError {
    fn from(kind: ModelErrorKind) -> Self {
        Self {
            kind,
            retry_after: None,
            source: None,
        }
    }
}

/// Why a model did not answer, as a caller can act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ModelErrorKind {
    /// It cannot be reached, or failed; the same request may succeed later.
    #[error("the model's server is unavailable")]
    Unavailable,
    /// It refused the request: a wrong key, an unknown model, a bad parameter, no money left.
    #[error("the model's server refused the request")]
    Rejected,
    /// It is out of capacity for us.
    #[error("the model's server is out of capacity for us")]
    RateLimited,
    /// The prompt does not fit its window.
    #[error("the prompt does not fit the model's window")]
    PromptTooLong,
    /// A content filter refused the prompt or the answer.
    #[error("a content filter stopped the answer")]
    ContentFilter,
    /// It fell silent for longer than it may.
    #[error("the model's server fell silent")]
    Timeout,
    /// It sent what is no answer, or broke off.
    #[error("the model's server broke off")]
    Broken,
}

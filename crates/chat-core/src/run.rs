//! Runs and legs: attempts of a model to answer.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    event::CallAnswer,
    id::{ConversationId, LegId, MessageId, NodeId, RunId},
};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Stored; no model was called yet.
    Queued,
    /// A leg is at work.
    InProgress,
    /// Paused until a client answers a call.
    RequiresAction,
    /// Asked to stop; its owner is closing it.
    Cancelling,
    /// Answered.
    Completed,
    /// Ended by a fault.
    Failed,
    /// Stopped, or replaced by a later send.
    Cancelled,
    /// Ended early by a limit or a filter.
    Incomplete,
    /// Paused for longer than it may.
    Expired,
}

impl RunStatus {
    const ALL: [Self; 9] = [
        Self::Queued,
        Self::InProgress,
        Self::RequiresAction,
        Self::Cancelling,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
        Self::Incomplete,
        Self::Expired,
    ];

    /// The name it is stored under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::InProgress => "in_progress",
            Self::RequiresAction => "requires_action",
            Self::Cancelling => "cancelling",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Incomplete => "incomplete",
            Self::Expired => "expired",
        }
    }

    /// Reads a stored name; `None` for an unknown one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether the run is over.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::InProgress | Self::RequiresAction | Self::Cancelling => false,
            Self::Completed | Self::Failed | Self::Cancelled | Self::Incomplete | Self::Expired => {
                true
            }
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered.
    Completed,
    /// Ended by a fault.
    Failed,
    /// Stopped, or replaced by a later send.
    Cancelled,
    /// Ended early by a limit or a filter.
    Incomplete,
    /// Paused for longer than it may.
    Expired,
}

impl Outcome {
    /// The status of a run that ended so.
    pub const fn status(self) -> RunStatus {
        match self {
            Self::Completed => RunStatus::Completed,
            Self::Failed => RunStatus::Failed,
            Self::Cancelled => RunStatus::Cancelled,
            Self::Incomplete => RunStatus::Incomplete,
            Self::Expired => RunStatus::Expired,
        }
    }
}

/// Why a run fell short, as a caller can act on it. Never holds a cause's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunError {
    /// The process that ran it ended; the text so far is kept.
    Interrupted,
    /// The model's server could not be reached, or failed.
    UpstreamUnavailable,
    /// The model's server refused the request: a wrong key, an unknown model, a bad parameter.
    UpstreamRejected,
    /// The model's server is out of capacity for us.
    RateLimited,
    /// The model's server fell silent.
    Timeout,
    /// The model's server sent what is no answer, or broke off.
    UpstreamBroken,
    /// A content filter stopped it.
    ContentFilter,
    /// The answer reached its token limit.
    MaxOutputTokens,
    /// The prompt does not fit the model's window.
    PromptTooLong,
    /// The answer reached the number of steps it may take.
    MaxSteps,
    /// The answer outgrew what one leg may hold.
    TooLarge,
    /// A fault of ours.
    Internal,
}

/// Why a run was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopCause {
    /// Its reader asked.
    Asked,
    /// A later send took its place.
    Replaced,
    /// Its messages were deleted; nothing of it is kept.
    Dropped,
    /// The server is going down.
    Shutdown,
}

/// What the upstream said an answer cost, in tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the prompt.
    pub input: u64,
    /// Of these, read from the upstream's cache.
    #[serde(default)]
    pub cached_input: u64,
    /// Tokens of the answer, reasoning included.
    pub output: u64,
    /// Of these, reasoning.
    #[serde(default)]
    pub reasoning: u64,
    /// Whether we counted it because the upstream said nothing.
    #[serde(default)]
    pub estimated: bool,
}

impl Usage {
    /// Prompt and answer together.
    pub const fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// The sum of two steps.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            input: self.input.saturating_add(other.input),
            cached_input: self.cached_input.saturating_add(other.cached_input),
            output: self.output.saturating_add(other.output),
            reasoning: self.reasoning.saturating_add(other.reasoning),
            estimated: self.estimated || other.estimated,
        }
    }
}

/// What a leg was resolved to when it was opened. Stored with it; nothing read later may change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LegSettings {
    /// The model's name, as the upstream knows it.
    pub model: String,
    /// The model's window in tokens.
    pub window: u32,
    /// What the prompt may cost, in tokens.
    pub prompt_budget: u32,
    /// The limit on the answer that is sent upstream; `None` sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output: Option<u32>,
    /// The encoding that prompts for this model are counted in.
    pub encoding: String,
    /// The system prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Names of the server's tools that the model is offered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<String>,
    /// Names of those of the tools whose calls need their reader's consent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consent: Vec<String>,
    /// The model that tools write documents with; `None` is `model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_model: Option<String>,
    /// The model that makes the title; `None` is `model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title_model: Option<String>,
    /// How many model steps one leg may take.
    pub max_steps: u32,
}

/// A leg as it is stored: the opening snapshot that every encoder begins from, and its close.
#[derive(Debug, Clone, PartialEq)]
pub struct Leg {
    /// Its id.
    pub id: LegId,
    /// Its run.
    pub run: RunId,
    /// Its place in the run, from 0.
    pub index: u32,
    /// The conversation.
    pub conversation: ConversationId,
    /// The run's answer message.
    pub message: MessageId,
    /// The place reserved for that message.
    pub message_seq: u64,
    /// The node that works on it.
    pub node: NodeId,
    /// Which writer's turn it is; a write with an older epoch is refused.
    pub epoch: u64,
    /// When it was opened, in milliseconds since the Unix epoch.
    pub opened_at_ms: i64,
    /// What it was resolved to.
    pub settings: LegSettings,
    /// What its dialect wants back, opaque.
    pub echo: Option<Value>,
    /// The client's answers that it continues from; none in the first leg of a run.
    pub answers: Vec<CallAnswer>,
    /// Where its run stands.
    pub status: RunStatus,
    /// Why its run fell short, once it did.
    pub error: Option<RunError>,
    /// When it was closed; `None` while it is open.
    pub closed_at_ms: Option<i64>,
}

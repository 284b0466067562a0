//! Run events: what happened in a leg, in order. Everything a reader is ever shown is made of these.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    id::{MessageId, RunId},
    message::{PartContent, PartStatus, ToolResult},
    run::{Outcome, RunError, StopCause, Usage},
};

/// One event of a leg.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEvent {
    /// Its number in the leg, from 1. Never leaves the engine's callers: clients see frame numbers.
    pub n: u32,
    /// When it happened, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// What happened.
    pub kind: EventKind,
    /// The upstream's own event, verbatim, for the dialect of the same wire; every other dialect ignores it.
    pub raw: Option<Arc<str>>,
}

/// Which text of a part a delta adds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// A text part's text.
    Text,
    /// A refusal's text.
    Refusal,
    /// A reasoning part's text with this index.
    Reasoning(u8),
    /// A reasoning part's summary with this index.
    Summary(u8),
    /// A call's arguments.
    Arguments,
    /// A code interpreter's code.
    Code,
}

/// Why a model step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// A token limit.
    Length,
    /// A content filter.
    ContentFilter,
    /// The model called tools.
    ToolCalls,
}

/// A client's answer to a call, with which a leg opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallAnswer {
    /// The ordinal of the call in the answer message.
    pub call: u32,
    /// The call's own id, since the call itself stands in an earlier leg.
    pub call_id: String,
    /// What the client said.
    pub reply: Reply,
}

/// What a client said to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// What came of it: its own tool's output, or that the reader denies it.
    Result {
        /// The ordinal that the output takes.
        part: u32,
        /// What came of it.
        result: ToolResult,
    },
    /// Its reader lets this server run it.
    Consent {
        /// The reader's reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

/// How far an upstream's own tool has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolPhase {
    /// Begun.
    InProgress,
    /// Searching.
    Searching,
    /// Running code.
    Interpreting,
    /// Making an image.
    Generating,
    /// Done.
    Completed,
}

/// What happened. A leg begins with [`EventKind::LegOpened`] and closes with exactly one of
/// [`EventKind::Paused`] and [`EventKind::Ended`]; nothing follows that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// The leg was stored and will be worked on.
    LegOpened {
        /// Its run.
        run: RunId,
        /// Its place in the run, from 0.
        index: u32,
        /// The run's answer message.
        message: MessageId,
        /// The client's answers it continues from.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        answers: Vec<CallAnswer>,
    },
    /// A node began to work on it.
    LegTaken,
    /// The upstream accepted a request.
    StepStarted {
        /// The step, from 0 in each run.
        step: u32,
        /// The model that answers.
        model: String,
        /// The upstream's id for its answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        upstream_id: Option<String>,
    },
    /// A part began.
    PartStarted {
        /// Its ordinal.
        part: u32,
        /// The step it is of.
        step: u32,
        /// What it is, still empty of text.
        head: PartContent,
        /// A foreign id for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        alias: Option<String>,
    },
    /// A part grew.
    PartDelta {
        /// Its ordinal.
        part: u32,
        /// Which of its texts.
        field: Field,
        /// What was added; never empty.
        text: String,
    },
    /// A text part was annotated.
    PartAnnotated {
        /// Its ordinal.
        part: u32,
        /// The annotation's place, from 0.
        index: u32,
        /// The annotation.
        annotation: Value,
    },
    /// A part is whole, or was cut short.
    PartFinished {
        /// Its ordinal.
        part: u32,
        /// Which of the two.
        status: PartStatus,
        /// The whole part.
        content: Arc<PartContent>,
    },
    /// An upstream's own tool came along.
    ToolStatus {
        /// The call's ordinal.
        part: u32,
        /// How far.
        phase: ToolPhase,
    },
    /// A tool showed something before it was done.
    ToolOutput {
        /// The call's ordinal.
        part: u32,
        /// Its place, from 0.
        index: u32,
        /// Logs, an image, a file.
        output: Value,
    },
    /// A tool call is over.
    ToolFinished {
        /// The call's ordinal.
        part: u32,
        /// The ordinal that its output takes.
        output_part: u32,
        /// What it gave.
        result: ToolResult,
    },
    /// A call waits for its reader's consent.
    ApprovalRequested {
        /// The call's ordinal.
        part: u32,
        /// The consent's id.
        approval: String,
    },
    /// A document is being written.
    DocumentOpened {
        /// The document's id.
        document: String,
        /// What kind of document.
        document_kind: String,
        /// Its title.
        title: String,
        /// Whether it is a new one.
        new: bool,
    },
    /// A document grew.
    DocumentDelta {
        /// The document's id.
        document: String,
        /// What was added.
        text: String,
    },
    /// A document's version was stored.
    DocumentStored {
        /// The document's id.
        document: String,
        /// The version's time, in milliseconds since the Unix epoch.
        version_at_ms: i64,
    },
    /// A suggestion for a document was made.
    SuggestionMade {
        /// The document's id.
        document: String,
        /// The suggestion's id.
        suggestion: String,
        /// The words to replace.
        original: String,
        /// The words to put there.
        suggested: String,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
    },
    /// The conversation got a title.
    Retitled {
        /// The title.
        title: String,
    },
    /// The application's own data.
    Data {
        /// Its name.
        name: String,
        /// Its id, under which a later one replaces it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// The data.
        data: Value,
        /// Whether it is shown and not kept.
        transient: bool,
    },
    /// A model step is over.
    StepFinished {
        /// The step.
        step: u32,
        /// Why.
        reason: FinishReason,
        /// What it cost, as the upstream said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    },
    /// Someone asked the run to stop.
    StopRequested {
        /// Why.
        cause: StopCause,
    },
    /// The leg closes and its run waits for a client.
    Paused {
        /// Ordinals of the calls that wait for outputs.
        calls: Vec<u32>,
        /// Ordinals of the calls that wait for consent.
        approvals: Vec<u32>,
        /// When the run expires, in milliseconds since the Unix epoch.
        expires_at_ms: i64,
    },
    /// The leg closes and its run is over.
    Ended {
        /// How.
        outcome: Outcome,
        /// Why it fell short.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<RunError>,
        /// When the upstream said to come back, in milliseconds from now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// What the run cost: all its steps.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        usage: Option<Usage>,
    },
    /// An upstream event without a meaning here; only its raw form counts.
    Foreign,
}

impl EventKind {
    /// Whether it closes its leg.
    pub const fn is_closing(&self) -> bool {
        matches!(self, Self::Paused { .. } | Self::Ended { .. })
    }

    /// Whether it is shown only together with the pause of its run: that, and the requests for consent before it. Who
    /// answered one earlier would find nothing waiting.
    pub const fn comes_with_pause(&self) -> bool {
        matches!(self, Self::Paused { .. } | Self::ApprovalRequested { .. })
    }
}

//! Messages and their parts.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    id::{ConversationId, LegId, MessageId, RunId},
    run::{RunError, Usage},
};

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The operator or the application.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// The name it is stored under.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }

    /// Reads a stored name; `None` for an unknown one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::System, Self::User, Self::Assistant]
            .into_iter()
            .find(|role| role.as_str() == name)
    }
}

/// A message as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Its id, unique over all conversations.
    pub id: MessageId,
    /// The conversation it stands in.
    pub conversation: ConversationId,
    /// Its place in the conversation, from 1. Order is this, never time or id.
    pub seq: u64,
    /// Who speaks.
    pub role: Role,
    /// When it was made, in milliseconds since the Unix epoch.
    pub created_at_ms: i64,
    /// Everything else, which changes while an answer is written.
    pub body: MessageBody,
}

/// The part of a message that is written again when an answer grows.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MessageBody {
    /// Its parts, by ordinal from 0.
    pub parts: Vec<Part>,
    /// What became of it. A user's message is always [`MessageStatus::Completed`].
    pub status: MessageStatus,
    /// The run that wrote it; `None` for a message that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// Why it stopped short; only with [`MessageStatus::Failed`] or [`MessageStatus::Incomplete`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
    /// What the upstream said the answer cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// The model that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What its text costs in a prompt, once per encoding it was counted in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<TokenCost>,
}

impl MessageBody {
    /// About how many bytes its parts take.
    pub fn weight(&self) -> usize {
        self.parts.iter().map(|part| part.content.weight()).sum()
    }

    /// The concatenated text of its text parts, in order.
    pub fn text(&self) -> String {
        self.parts
            .iter()
            .filter_map(|part| part.content.as_text())
            .collect()
    }

    /// Its cost in the encoding of this name, if it was counted in it.
    pub fn cost(&self, encoding: &str) -> Option<u32> {
        self.costs
            .iter()
            .find(|cost| cost.encoding == encoding)
            .map(|cost| cost.tokens)
    }
}

/// What a message costs in one encoding, overhead of a message included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCost {
    /// The encoding's name, such as `o200k_base`.
    pub encoding: String,
    /// The cost in tokens.
    pub tokens: u32,
}

/// A message to store as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// Its id.
    pub id: MessageId,
    /// Who speaks.
    pub role: Role,
    /// Its parts and counts.
    pub body: MessageBody,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageStatus {
    /// Being written; only a message whose run is still going.
    InProgress,
    /// Whole.
    #[default]
    Completed,
    /// Ended early without a fault: a length limit, a content filter.
    Incomplete,
    /// Stopped by its reader or replaced by a later send; the text so far is kept.
    Cancelled,
    /// Ended by a fault; the text so far is kept.
    Failed,
}

/// A piece of a message. Addressed by (message, ordinal).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its place in the message, from 0.
    pub ordinal: u32,
    /// The leg that wrote it; `None` in a message that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<LegId>,
    /// The model step that wrote it, from 0 in each run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u32>,
    /// What became of it.
    pub status: PartStatus,
    /// When it began, in milliseconds since the Unix epoch.
    pub started_at_ms: i64,
    /// When it was finished; `None` while it grows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at_ms: Option<i64>,
    /// A foreign id for it, such as the upstream's own item id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// What it holds.
    pub content: PartContent,
}

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartStatus {
    /// Growing.
    InProgress,
    /// Whole.
    Completed,
    /// Cut short.
    Incomplete,
}

/// What a part holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PartContent {
    /// Text.
    Text {
        /// The text.
        text: String,
        /// Citations and the like, in the order they were made.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        annotations: Vec<Value>,
    },
    /// The model's refusal, in its own words.
    Refusal {
        /// The words.
        text: String,
    },
    /// The model's thinking.
    Reasoning {
        /// Summaries of it, as the upstream made them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        summary: Vec<String>,
        /// The thinking itself, where the upstream shows it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        text: Vec<String>,
        /// An opaque form to hand back to the same upstream.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        encrypted: Option<String>,
    },
    /// A tool call.
    Call(Call),
    /// What a tool call gave.
    CallOutput {
        /// The ordinal of the call.
        call: u32,
        /// The outcome.
        result: ToolResult,
    },
    /// The tools that a remote server offered.
    ToolList {
        /// The server's label.
        label: String,
        /// The tools, as that server describes them.
        tools: Value,
    },
    /// A file or an image, by reference.
    File {
        /// Its media type.
        media_type: String,
        /// Its name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Where it is: a URL, or `data:` with the bytes.
        url: String,
    },
    /// A source that the answer rests on.
    Source {
        /// Its URL.
        url: String,
        /// Its title.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
    },
    /// A data part of the application's own.
    Data {
        /// Its name.
        name: String,
        /// Its id, under which a later one replaces it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// The data.
        data: Value,
    },
    /// Something of an upstream that has no meaning here and is kept as it came.
    Opaque {
        /// The upstream's name for it.
        name: String,
        /// It.
        raw: Value,
    },
}

impl PartContent {
    /// An empty text part.
    pub const fn text() -> Self {
        Self::Text {
            text: String::new(),
            annotations: Vec::new(),
        }
    }

    /// About how many bytes its texts and data take.
    pub fn weight(&self) -> usize {
        match self {
            Self::Text { text, annotations } => {
                text.len() + annotations.iter().map(json_weight).sum::<usize>()
            }
            Self::Refusal { text } => text.len(),
            Self::Reasoning {
                summary,
                text,
                encrypted,
            } => {
                let sections: usize = summary.iter().chain(text).map(String::len).sum();
                sections + encrypted.as_ref().map_or(0, String::len)
            }
            Self::Call(call) => call.arguments.len() + call.code.as_ref().map_or(0, String::len),
            Self::CallOutput { result, .. } => result.weight(),
            Self::ToolList { tools, .. } => json_weight(tools),
            Self::File { url, .. } | Self::Source { url, .. } => url.len(),
            Self::Data { data, .. } => json_weight(data),
            Self::Opaque { raw, .. } => json_weight(raw),
        }
    }

    /// The text of a text part.
    pub fn as_text(&self) -> Option<&str> {
        if let Self::Text { text, .. } = self {
            Some(text)
        } else {
            None
        }
    }

    /// The call of a call part.
    pub const fn as_call(&self) -> Option<&Call> {
        if let Self::Call(call) = self {
            Some(call)
        } else {
            None
        }
    }

    /// The URL of an image.
    pub fn as_image(&self) -> Option<&str> {
        if let Self::File {
            url, media_type, ..
        } = self
            && media_type.starts_with("image/")
        {
            Some(url)
        } else {
            None
        }
    }

    /// The ordinal of the call that a call output belongs to, and its outcome.
    pub const fn as_output(&self) -> Option<(u32, &ToolResult)> {
        if let Self::CallOutput { call, result } = self {
            Some((*call, result))
        } else {
            None
        }
    }

    /// An empty reasoning part.
    pub const fn reasoning() -> Self {
        Self::Reasoning {
            summary: Vec::new(),
            text: Vec::new(),
            encrypted: None,
        }
    }
}

/// A tool call that the model made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The id that the model gave it; unique in its message, made by us where the model's was empty or used twice.
    pub call_id: String,
    /// The tool's name.
    pub name: String,
    /// What sort of tool.
    pub tool: ToolKind,
    /// Who runs it.
    pub executor: Executor,
    /// The arguments as the model wrote them: JSON text, unless the model broke it.
    pub arguments: String,
    /// The code of a code interpreter's call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Its reader's consent, where it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

impl Call {
    /// Whether it still waits for its reader's consent.
    pub fn waits_for_consent(&self) -> bool {
        self.approval
            .as_ref()
            .is_some_and(|approval| approval.approved.is_none())
    }
}

/// A reader's consent to a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// The id under which it was asked for.
    pub id: String,
    /// What the reader said; `None` while they have not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<bool>,
    /// Why, in the reader's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a reader thought of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rating {
    /// Thumbs up.
    Up,
    /// Thumbs down.
    Down,
}

/// What sort of tool a call is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolKind {
    /// A function.
    Function,
    /// Search in vector stores.
    FileSearch,
    /// Search in the web.
    WebSearch,
    /// Running code.
    CodeInterpreter,
    /// A tool of the remote server with this label.
    Mcp {
        /// The server's label.
        label: String,
    },
    /// Making an image.
    Image,
    /// A custom tool with free-form input.
    Custom,
}

/// Who runs a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Executor {
    /// The frontend; the run pauses for it.
    Client,
    /// This server.
    Server,
    /// The model's own host.
    Upstream,
}

/// What a tool call gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum ToolResult {
    /// Its output.
    Output {
        /// The output, as JSON.
        output: Value,
    },
    /// It failed.
    Error {
        /// One sentence, shown to the model and to the reader.
        message: String,
    },
    /// Its use was refused.
    Denied {
        /// The reader's reason.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
}

impl ToolResult {
    /// About how many bytes it takes.
    pub fn weight(&self) -> usize {
        match self {
            Self::Output { output } => json_weight(output),
            Self::Error { message } => message.len(),
            Self::Denied { reason } => reason.as_ref().map_or(0, String::len),
        }
    }
}

/// About how many bytes a JSON value takes in memory.
pub(crate) fn json_weight(value: &Value) -> usize {
    let inside: usize = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(json_weight).sum(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| name.len() + json_weight(value))
            .sum(),
    };
    size_of::<Value>() + inside
}

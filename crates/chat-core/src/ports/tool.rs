use async_trait::async_trait;
use serde_json::Value;

use super::{Model, ToolSpec};
use crate::{
    access::Owner,
    event::EventKind,
    id::{ConversationId, MessageId},
    message::ToolResult,
    run::LegSettings,
};

/// A tool that this server runs.
#[async_trait]
pub trait Tool: Send + Sync {
    /// What the model is told about it. The name is unique among an engine's tools.
    fn spec(&self) -> &ToolSpec;

    /// Runs it with the arguments as the model wrote them, and gives what the model and the reader are shown.
    ///
    /// Bad arguments are a [`ToolResult::Error`] with a sentence that lets the model mend them. Dropping the future
    /// stops the work.
    async fn run(&self, context: &ToolCallContext<'_>, arguments: &str) -> ToolResult;
}

/// On whose behalf a tool runs, and what it may use.
#[derive(Clone, Copy)]
pub struct ToolCallContext<'a> {
    /// The conversation's owner.
    pub owner: &'a Owner,
    /// The conversation.
    pub conversation: ConversationId,
    /// The answer being written.
    pub message: MessageId,
    /// What the leg was resolved to.
    pub settings: &'a LegSettings,
    /// The model, as it is reached from the lane that the tool runs on.
    pub model: &'a dyn Model,
    /// Where it shows what it does before it is done.
    pub events: &'a dyn ToolEvents,
}

impl std::fmt::Debug for ToolCallContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ToolCallContext")
            .field("owner", self.owner)
            .field("conversation", &self.conversation)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

/// Takes what tools show while they work.
#[async_trait]
pub trait ToolEvents: Send + Sync {
    /// Adds an event to the leg's log, in the order of the calls. Waits while the leg has too much to take.
    async fn tell(&self, event: ToolEvent);
}

/// What a tool may show; each is the run event of the same name.
#[derive(Debug, Clone, PartialEq)]
pub enum ToolEvent {
    /// [`EventKind::DocumentOpened`].
    DocumentOpened {
        /// The document's id.
        document: String,
        /// What kind of document.
        kind: String,
        /// Its title.
        title: String,
        /// Whether it is a new one.
        new: bool,
    },
    /// [`EventKind::DocumentDelta`].
    DocumentDelta {
        /// The document's id.
        document: String,
        /// What was added; never empty.
        text: String,
    },
    /// [`EventKind::DocumentStored`]. Told after the version is durable.
    DocumentStored {
        /// The document's id.
        document: String,
        /// The version's time, in milliseconds since the Unix epoch.
        version_at_ms: i64,
    },
    /// [`EventKind::SuggestionMade`].
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
        description: Option<String>,
    },
    /// [`EventKind::Data`].
    Data {
        /// Its name.
        name: String,
        /// Its id, under which a later one replaces it.
        id: Option<String>,
        /// The data.
        data: Value,
        /// Whether it is shown and not kept.
        transient: bool,
    },
}

impl From<ToolEvent> for EventKind {
    fn from(event: ToolEvent) -> Self {
        match event {
            ToolEvent::DocumentOpened {
                document,
                kind,
                title,
                new,
            } => Self::DocumentOpened {
                document,
                document_kind: kind,
                title,
                new,
            },
            ToolEvent::DocumentDelta { document, text } => Self::DocumentDelta { document, text },
            ToolEvent::DocumentStored {
                document,
                version_at_ms,
            } => Self::DocumentStored {
                document,
                version_at_ms,
            },
            ToolEvent::SuggestionMade {
                document,
                suggestion,
                original,
                suggested,
                description,
            } => Self::SuggestionMade {
                document,
                suggestion,
                original,
                suggested,
                description,
            },
            ToolEvent::Data {
                name,
                id,
                data,
                transient,
            } => Self::Data {
                name,
                id,
                data,
                transient,
            },
        }
    }
}

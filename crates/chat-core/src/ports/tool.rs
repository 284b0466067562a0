use async_trait::async_trait;

use super::ToolSpec;
use crate::{
    access::Owner,
    id::{ConversationId, MessageId},
    message::ToolResult,
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
    async fn run(&self, context: &ToolCallContext, arguments: &str) -> ToolResult;
}

/// On whose behalf a tool runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCallContext {
    /// The conversation's owner.
    pub owner: Owner,
    /// The conversation.
    pub conversation: ConversationId,
    /// The answer being written.
    pub message: MessageId,
}

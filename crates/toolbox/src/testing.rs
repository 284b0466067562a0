//! A call's context for tests: a model that follows a script, and everything that a tool told.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chat_core::{
    access::Owner,
    id::{ConversationId, MessageId, UserId},
    message::ToolResult,
    ports::{Tool, ToolCallContext, ToolEvent, ToolEvents},
    run::LegSettings,
    testing::{ScriptedModel, settings},
};
use serde_json::Value;
use uuid::Uuid;

/// Keeps what tools tell.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<Vec<ToolEvent>>);

impl Told {
    pub(crate) fn all(&self) -> Vec<ToolEvent> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl ToolEvents for Told {
    async fn tell(&self, event: ToolEvent) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(event);
    }
}

/// One answer of one owner's conversation.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) owner: Owner,
    pub(crate) settings: LegSettings,
    pub(crate) model: ScriptedModel,
    pub(crate) told: Told,
}

impl Answer {
    pub(crate) fn new(model: ScriptedModel) -> Self {
        Self {
            owner: owner(1),
            settings: settings(),
            model,
            told: Told::default(),
        }
    }

    pub(crate) fn context(&self) -> ToolCallContext<'_> {
        ToolCallContext {
            owner: &self.owner,
            conversation: ConversationId::new(Uuid::from_u128(7)),
            message: MessageId::new(Uuid::from_u128(8)),
            settings: &self.settings,
            model: &self.model,
            events: &self.told,
        }
    }

    pub(crate) async fn call(&self, tool: &dyn Tool, arguments: &Value) -> ToolResult {
        tool.run(&self.context(), &arguments.to_string()).await
    }
}

pub(crate) fn owner(number: u128) -> Owner {
    Owner::User(UserId::new(Uuid::from_u128(number)))
}

/// The output of a call that gave one.
pub(crate) fn output(result: ToolResult) -> Value {
    match result {
        ToolResult::Output { output } => output,
        other @ (ToolResult::Error { .. } | ToolResult::Denied { .. }) => {
            panic!("no output: {other:?}")
        }
    }
}

/// The sentence of a call that failed.
pub(crate) fn failure(result: ToolResult) -> String {
    match result {
        ToolResult::Error { message } => message,
        other @ (ToolResult::Output { .. } | ToolResult::Denied { .. }) => {
            panic!("no failure: {other:?}")
        }
    }
}

use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    message::ToolResult,
    ports::{Tool, ToolCallContext, ToolSpec},
};
use records::{DocumentKind, NewVersion};
use serde::Deserialize;
use serde_json::json;

use super::{Desk, MOST_BYTES, done, refusal, tell_delta, tell_opened, tell_stored};
use crate::{arguments, names};

/// The tool `editDocument`.
#[derive(Debug)]
pub(super) struct Edit {
    desk: Arc<Desk>,
    spec: ToolSpec,
}

#[derive(Deserialize)]
struct Arguments {
    id: String,
    old_string: String,
    new_string: String,
    #[serde(default)]
    replace_all: Option<bool>,
}

impl Edit {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        let spec = ToolSpec {
            name: names::EDIT_DOCUMENT.to_owned(),
            description: "Replace an exact piece of a document by another, for small changes that the user asks for. \
                          Never in the answer in which the document was created. Its earlier versions are kept."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "id": {"type": "string", "description": "The id that the document was created with."},
                    "old_string": {"type": "string", "description": "What stands there, exactly; long enough to be found once."},
                    "new_string": {"type": "string", "description": "What is to stand there."},
                    "replace_all": {"type": "boolean", "description": "Whether every occurrence is replaced, and not the first alone."},
                },
                "required": ["id", "old_string", "new_string"],
                "additionalProperties": false,
            }),
        };
        Self { desk, spec }
    }

    async fn edit(
        &self,
        context: &ToolCallContext<'_>,
        arguments: Arguments,
    ) -> Result<ToolResult, ToolResult> {
        let standing = self.desk.find(context, &arguments.id).await?;
        if standing.kind == DocumentKind::Image {
            return Err(refusal("An image has no words to replace."));
        }
        if standing.content.is_empty() {
            return Err(refusal("The document is empty."));
        }
        let (old, new) = (&arguments.old_string, &arguments.new_string);
        if old.is_empty() || !standing.content.contains(old) {
            return Err(refusal(
                "The text to replace does not stand in the document.",
            ));
        }
        let count = if arguments.replace_all == Some(true) {
            standing.content.matches(old).count()
        } else {
            1
        };
        // Before anything is made: many short pieces can be replaced by long ones.
        let length = standing.content.len() - count * old.len() + count.saturating_mul(new.len());
        if length > MOST_BYTES {
            return Err(refusal("The document would grow longer than it may."));
        }
        let version = NewVersion {
            document: standing.document,
            owner: context.owner.clone(),
            title: standing.title,
            kind: standing.kind,
            content: standing.content.replacen(old, new, count),
            at_ms: self.desk.ports.clock.now_ms(),
        };
        let version = self.desk.store(version).await?;
        let document = version.document.0.to_string();
        tell_opened(context, &document, version.kind, &version.title, false).await;
        if !version.content.is_empty() {
            tell_delta(context, &document, version.content.clone()).await;
        }
        tell_stored(context, &version).await;
        Ok(done(
            &version,
            "The document was edited and the user sees the new version.",
        ))
    }
}

#[async_trait]
impl Tool for Edit {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, context: &ToolCallContext<'_>, arguments: &str) -> ToolResult {
        let arguments = match arguments::read(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error,
        };
        let _turn = self.desk.turns.take(context.message).await;
        self.edit(context, arguments)
            .await
            .unwrap_or_else(|result| result)
    }
}

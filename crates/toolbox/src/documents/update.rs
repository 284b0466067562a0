use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    message::ToolResult,
    ports::{Tool, ToolCallContext, ToolSpec},
};
use records::{DocumentKind, DocumentVersion, NewVersion};
use serde::Deserialize;
use serde_json::json;

use super::{
    Desk, done, failure, log_writing, prompts, take_back, tell_opened, tell_stored,
    writing::WritingError,
};
use crate::{arguments, names};

/// The tool `updateDocument`.
#[derive(Debug)]
pub(super) struct Update {
    desk: Arc<Desk>,
    spec: ToolSpec,
}

#[derive(Deserialize)]
struct Arguments {
    id: String,
    description: String,
}

impl Update {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        let spec = ToolSpec {
            name: names::UPDATE_DOCUMENT.to_owned(),
            description: "Rewrite a document as the user asked for. Only when the user asks for a change, and never in \
                          the answer in which the document was created. Its earlier versions are kept."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "id": {"type": "string", "description": "The id that the document was created with."},
                    "description": {"type": "string", "description": "What is to be changed, with all that matters for it."},
                },
                "required": ["id", "description"],
                "additionalProperties": false,
            }),
        };
        Self { desk, spec }
    }

    async fn update(
        &self,
        context: &ToolCallContext<'_>,
        id: &str,
        description: &str,
    ) -> Result<ToolResult, ToolResult> {
        let standing = self.desk.find(context, id).await?;
        let DocumentVersion { kind, title, .. } = &standing;
        let document = standing.document.0.to_string();
        let is_image = *kind == DocumentKind::Image;
        let task = prompts::update(&standing, description);
        // Before the page is cleared for what will not come.
        if !is_image && !task.fits(context.settings).await {
            return Err(log_writing(&WritingError::TooLong));
        }
        tell_opened(context, &document, *kind, title, false).await;
        let stored = async {
            let written = if is_image {
                let description = format!("{title}\n\n{description}");
                self.desk.draw(context, &document, &description).await?
            } else {
                self.desk.write(context, &document, *kind, task).await?
            };
            if written.cut {
                // The end of the document would be lost.
                return Err(failure(
                    "The document was not changed: the new version grew longer than it may.",
                ));
            }
            let version = NewVersion {
                document: standing.document,
                owner: context.owner.clone(),
                title: title.clone(),
                kind: *kind,
                content: written.content,
                at_ms: self.desk.ports.clock.now_ms(),
            };
            self.desk.store(version).await
        }
        .await;
        match stored {
            Ok(version) => {
                tell_stored(context, &version).await;
                Ok(done(
                    &version,
                    "The document was rewritten and the user sees the new version.",
                ))
            }
            Err(result) => {
                take_back(context, &document, *kind, title, Some(&standing)).await;
                Err(result)
            }
        }
    }
}

#[async_trait]
impl Tool for Update {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, context: &ToolCallContext<'_>, arguments: &str) -> ToolResult {
        let Arguments { id, description } = match arguments::read(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error,
        };
        let _turn = self.desk.turns.take(context.message).await;
        self.update(context, &id, &description)
            .await
            .unwrap_or_else(|result| result)
    }
}

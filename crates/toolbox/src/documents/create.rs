use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    message::ToolResult,
    ports::{Tool, ToolCallContext, ToolSpec},
};
use records::{DocumentId, DocumentKind, NewVersion};
use serde::Deserialize;
use serde_json::json;

use super::{Desk, TITLE_CHARS, done, failure, prompts, take_back, tell_opened, tell_stored};
use crate::{arguments, names};

/// The tool `createDocument`.
#[derive(Debug)]
pub(super) struct Create {
    desk: Arc<Desk>,
    spec: ToolSpec,
}

#[derive(Deserialize)]
struct Arguments {
    title: String,
    kind: String,
}

impl Create {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        let mut kinds = vec!["text", "code", "sheet"];
        if desk.ports.images.is_some() {
            kinds.push("image");
        }
        let spec = ToolSpec {
            name: names::CREATE_DOCUMENT.to_owned(),
            description: "Create a document, which the user sees growing beside the conversation. Another model writes \
                          it from the title alone, so the title must say everything that is wanted. Do not repeat its \
                          content afterwards, and do not change it in the same answer."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "title": {
                        "type": "string",
                        "description": "What the document is, with everything that was asked of it.",
                    },
                    "kind": {"type": "string", "enum": kinds},
                },
                "required": ["title", "kind"],
                "additionalProperties": false,
            }),
        };
        Self { desk, spec }
    }

    /// The kind with this name, if it is offered.
    fn kind(&self, name: &str) -> Option<DocumentKind> {
        DocumentKind::from_name(name)
            .filter(|kind| *kind != DocumentKind::Image || self.desk.ports.images.is_some())
    }

    async fn create(
        &self,
        context: &ToolCallContext<'_>,
        title: &str,
        kind: DocumentKind,
    ) -> Result<ToolResult, ToolResult> {
        let ports = &self.desk.ports;
        let id = DocumentId(ports.ids.random());
        let document = id.0.to_string();
        tell_opened(context, &document, kind, title, true).await;
        let stored = async {
            let written = if kind == DocumentKind::Image {
                self.desk.draw(context, &document, title).await?
            } else {
                let task = prompts::create(kind, title);
                self.desk.write(context, &document, kind, task).await?
            };
            let version = NewVersion {
                document: id,
                owner: context.owner.clone(),
                title: title.to_owned(),
                kind,
                content: written.content,
                at_ms: ports.clock.now_ms(),
            };
            Ok((self.desk.store(version).await?, written.cut))
        }
        .await;
        let (version, cut) = match stored {
            Ok(stored) => stored,
            Err(result) => {
                take_back(context, &document, kind, title, None).await;
                return Err(result);
            }
        };
        tell_stored(context, &version).await;
        let sentence = if cut {
            "A document was created and the user sees it, but it was cut off: it reached the length that a document \
             may have."
        } else {
            "A document was created and the user sees it."
        };
        Ok(done(&version, sentence))
    }
}

#[async_trait]
impl Tool for Create {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, context: &ToolCallContext<'_>, arguments: &str) -> ToolResult {
        let Arguments { title, kind } = match arguments::read(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error,
        };
        let title = title.trim();
        if title.is_empty() || title.chars().count() > TITLE_CHARS {
            return failure(&format!(
                "A document's title has 1 to {TITLE_CHARS} characters."
            ));
        }
        let Some(kind) = self.kind(&kind) else {
            let accepted = &self.spec.parameters["properties"]["kind"]["enum"];
            return failure(&format!("A document's kind is one of {accepted}."));
        };
        let _turn = self.desk.turns.take(context.message).await;
        self.create(context, title, kind)
            .await
            .unwrap_or_else(|result| result)
    }
}

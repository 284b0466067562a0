use std::sync::Arc;

use async_trait::async_trait;
use chat_core::{
    access::Owner,
    id::UserId,
    message::ToolResult,
    ports::{Tool, ToolCallContext, ToolEvent, ToolSpec},
};
use records::{DocumentKind, DocumentVersion, Suggestion};
use serde::Deserialize;
use serde_json::json;

use super::{
    Desk, NOT_STORED, failure, items::Items, log_store, log_writing, prompts, refusal,
    writing::Writing,
};
use crate::{arguments, names};

/// How many suggestions are made at most.
const MOST: usize = 5;

/// The tool `requestSuggestions`.
#[derive(Debug)]
pub(super) struct Suggest {
    desk: Arc<Desk>,
    spec: ToolSpec,
}

#[derive(Deserialize)]
struct Arguments {
    #[serde(rename = "documentId", alias = "id")]
    document: String,
}

impl Suggest {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        let spec = ToolSpec {
            name: names::REQUEST_SUGGESTIONS.to_owned(),
            description: "Have suggestions made for how a document could be written better. Only when the user asks for \
                          suggestions. The user sees them beside the document."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "documentId": {"type": "string", "description": "The id that the document was created with."},
                },
                "required": ["documentId"],
                "additionalProperties": false,
            }),
        };
        Self { desk, spec }
    }

    async fn suggest(
        &self,
        context: &ToolCallContext<'_>,
        id: &str,
    ) -> Result<ToolResult, ToolResult> {
        let standing = self.desk.find(context, id).await?;
        if standing.content.trim().is_empty() {
            return Err(refusal("The document is empty."));
        }
        if standing.kind == DocumentKind::Image {
            return Err(refusal("An image has no words to improve."));
        }
        let user = match context.owner {
            Owner::User(id) | Owner::Browser(id) => *id,
            Owner::Tenant => {
                return Err(refusal(
                    "Suggestions are made for a user, and nobody is signed in.",
                ));
            }
        };
        let made = self.make(context, &standing, user).await?;
        if made.is_empty() {
            return Err(failure(
                "The model made no suggestions that fit the document.",
            ));
        }
        for suggestion in made {
            // False only when the version was deleted meanwhile.
            match self
                .desk
                .ports
                .documents
                .insert_suggestion(suggestion)
                .await
            {
                Ok(true) => {}
                Ok(false) => return Err(refusal(super::NOT_FOUND)),
                Err(error) => {
                    log_store(&error, "a suggestion cannot be stored");
                    return Err(failure(NOT_STORED));
                }
            }
        }
        Ok(ToolResult::Output {
            output: json!({
                "id": standing.document.0.to_string(),
                "title": standing.title,
                "kind": standing.kind.as_str(),
                "message": "Suggestions were added to the document and the user sees them.",
            }),
        })
    }

    /// Has suggestions made, and shows each as soon as it is whole.
    async fn make(
        &self,
        context: &ToolCallContext<'_>,
        standing: &DocumentVersion,
        user: UserId,
    ) -> Result<Vec<Suggestion>, ToolResult> {
        let ports = &self.desk.ports;
        let mut items = Items::default();
        let mut made: Vec<Suggestion> = Vec::new();
        let mut writing = match Writing::begin(context, prompts::suggestions(standing)).await {
            Ok(writing) => writing,
            Err(error) => return Err(log_writing(&error)),
        };
        while made.len() < MOST && !items.is_full() {
            let text = match writing.next().await {
                Ok(Some(text)) => text,
                Ok(None) => break,
                // Each stands for itself, and the reader has seen those that are made.
                Err(error) if !made.is_empty() => {
                    log_writing(&error);
                    break;
                }
                Err(error) => return Err(log_writing(&error)),
            };
            for item in items.push(&text) {
                let original = item.original.trim();
                let suggested = item.suggested.trim();
                let known = made.iter().any(|other| other.original == original);
                // What does not stand in the document cannot be replaced there.
                let fits = !original.is_empty()
                    && original != suggested
                    && standing.content.contains(original);
                if known || !fits || made.len() == MOST {
                    continue;
                }
                let suggestion = Suggestion {
                    // Those of one moment are listed by their ids: in the order in which they were made.
                    id: ports.ids.ordered(),
                    document: standing.document,
                    version_at_ms: standing.created_at_ms,
                    original: original.to_owned(),
                    suggested: suggested.to_owned(),
                    description: item.description.filter(|text| !text.trim().is_empty()),
                    resolved: false,
                    user,
                    created_at_ms: ports.clock.now_ms(),
                };
                context.events.tell(shown(&suggestion)).await;
                made.push(suggestion);
            }
        }
        Ok(made)
    }
}

fn shown(suggestion: &Suggestion) -> ToolEvent {
    ToolEvent::SuggestionMade {
        document: suggestion.document.0.to_string(),
        suggestion: suggestion.id.to_string(),
        original: suggestion.original.clone(),
        suggested: suggestion.suggested.clone(),
        description: suggestion.description.clone(),
    }
}

#[async_trait]
impl Tool for Suggest {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, context: &ToolCallContext<'_>, arguments: &str) -> ToolResult {
        let Arguments { document } = match arguments::read(arguments) {
            Ok(arguments) => arguments,
            Err(error) => return error,
        };
        let _turn = self.desk.turns.take(context.message).await;
        self.suggest(context, &document)
            .await
            .unwrap_or_else(|result| result)
    }
}

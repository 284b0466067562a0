mod create;
mod edit;
mod items;
mod prompts;
mod suggest;
mod turns;
mod update;
mod writing;

use std::sync::Arc;

use chat_core::{
    message::ToolResult,
    ports::{Clock, IdSource, StoreError, Tool, ToolCallContext, ToolEvent},
};
use records::{AddVersion, DocumentId, DocumentKind, DocumentVersion, Documents, NewVersion};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{ImageModel, fence::Unfence};

use turns::Turns;
use writing::{Ended, Task, Writing, WritingError};

/// The largest document that a tool writes, in bytes of text.
const MOST_BYTES: usize = 1024 * 1024;
/// So much of a document is told as it comes; of what follows at least [`LONG_DELTA`] bytes at once. An event weighs a
/// multiple of a word, and a long document told word by word would be more than a leg may hold.
const WORD_BY_WORD: usize = 16 * 1024;
/// See [`WORD_BY_WORD`].
const LONG_DELTA: usize = 64;
/// The largest image, in bytes of base64: what one event of an answer may hold.
const MOST_IMAGE_BYTES: usize = 6 * 1024 * 1024;
/// The longest title, in characters.
const TITLE_CHARS: usize = 300;

const NOT_FOUND: &str = "Document not found";
const NOT_STORED: &str = "The document could not be stored.";
const NOT_READ: &str = "The document could not be read.";

/// What the document tools work with.
#[derive(Clone)]
pub struct DocumentPorts {
    /// Where documents are kept.
    pub documents: Arc<dyn Documents>,
    /// The time of a version.
    pub clock: Arc<dyn Clock>,
    /// Ids of documents and suggestions.
    pub ids: Arc<dyn IdSource>,
    /// Makes images; without it no model is offered documents of that kind.
    pub images: Option<Arc<dyn ImageModel>>,
}

impl std::fmt::Debug for DocumentPorts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DocumentPorts")
            .field("images", &self.images.is_some())
            .finish_non_exhaustive()
    }
}

/// The tools `createDocument`, `updateDocument`, `editDocument` and `requestSuggestions`.
///
/// In one answer they take turns: pages show one document at a time.
pub fn document_tools(ports: DocumentPorts) -> Vec<Arc<dyn Tool>> {
    let desk = Arc::new(Desk {
        ports,
        turns: Turns::default(),
    });
    vec![
        Arc::new(create::Create::new(Arc::clone(&desk))),
        Arc::new(update::Update::new(Arc::clone(&desk))),
        Arc::new(edit::Edit::new(Arc::clone(&desk))),
        Arc::new(suggest::Suggest::new(desk)),
    ]
}

/// What all of them share.
#[derive(Debug)]
struct Desk {
    ports: DocumentPorts,
    turns: Turns,
}

/// A text that was written to its end, or to the size that a document may have.
struct Written {
    content: String,
    /// Why it is not all that the model would have written.
    cut: bool,
}

impl Desk {
    /// The newest version of the caller's own document; else what the call gives.
    async fn find(
        &self,
        context: &ToolCallContext<'_>,
        id: &str,
    ) -> Result<DocumentVersion, ToolResult> {
        // One spelling only, as everywhere else: a document has one id.
        let uuid = Uuid::try_parse(id).ok().filter(|_| id.len() == 36);
        let Some(uuid) = uuid else {
            return Err(refusal(NOT_FOUND));
        };
        match self.ports.documents.newest_version(DocumentId(uuid)).await {
            // Whether it is another's or not there is not told apart.
            Ok(Some(version)) if version.owner == *context.owner => Ok(version),
            Ok(_) => Err(refusal(NOT_FOUND)),
            Err(error) => {
                log_store(&error, "a document cannot be read");
                Err(failure(NOT_READ))
            }
        }
    }

    /// Adds a version; else what the call gives.
    async fn store(&self, version: NewVersion) -> Result<DocumentVersion, ToolResult> {
        match self.ports.documents.add_version(version).await {
            Ok(AddVersion::Stored(version)) => Ok(version),
            Ok(AddVersion::Foreign) => Err(refusal(NOT_FOUND)),
            Err(error) => {
                log_store(&error, "a document cannot be stored");
                Err(failure(NOT_STORED))
            }
        }
    }

    /// Has the content written and shows it while it grows.
    async fn write(
        &self,
        context: &ToolCallContext<'_>,
        document: &str,
        kind: DocumentKind,
        task: Task,
    ) -> Result<Written, ToolResult> {
        let mut growing = Growing {
            context,
            document,
            fence: (kind != DocumentKind::Text).then(Unfence::default),
            content: String::new(),
            unsaid: String::new(),
        };
        let mut writing = Writing::begin(context, task)
            .await
            .map_err(|error| log_writing(&error))?;
        while let Some(text) = writing.next().await.map_err(|error| log_writing(&error))? {
            if !growing.add(&text).await {
                break;
            }
        }
        growing.finish().await;
        if growing.content.trim().is_empty() {
            return Err(log_writing(&WritingError::Nothing));
        }
        Ok(Written {
            content: growing.content,
            cut: writing.ended() == Ended::Cut,
        })
    }

    /// Has the image made and shows it whole.
    async fn draw(
        &self,
        context: &ToolCallContext<'_>,
        document: &str,
        description: &str,
    ) -> Result<Written, ToolResult> {
        let Some(images) = &self.ports.images else {
            return Err(refusal("There is no model that makes images."));
        };
        let content = match images.draw(description).await {
            Ok(content) => content,
            Err(error) => return Err(log_writing(&WritingError::Model(error))),
        };
        if content.is_empty() {
            return Err(log_writing(&WritingError::Nothing));
        }
        if content.len() > MOST_IMAGE_BYTES {
            return Err(failure("The image is too large to be kept."));
        }
        tell_delta(context, document, content.clone()).await;
        Ok(Written {
            content,
            cut: false,
        })
    }
}

/// A document that is being written, as its reader sees it.
struct Growing<'a> {
    context: &'a ToolCallContext<'a>,
    document: &'a str,
    fence: Option<Unfence>,
    content: String,
    /// The end of the content that was not told yet.
    unsaid: String,
}

impl Growing<'_> {
    /// Adds what the model wrote, and says whether there is room for more.
    async fn add(&mut self, text: &str) -> bool {
        let text = match &mut self.fence {
            Some(fence) => fence.push(text),
            None => text.to_owned(),
        };
        self.show(&text).await
    }

    async fn finish(&mut self) {
        if let Some(fence) = &mut self.fence {
            let rest = fence.finish();
            self.show(&rest).await;
        }
        self.tell().await;
    }

    /// Shows as much as there is room for, and says whether that was all.
    async fn show(&mut self, text: &str) -> bool {
        let room = MOST_BYTES.saturating_sub(self.content.len());
        let fits = text
            .get(..text.floor_char_boundary(room))
            .unwrap_or_default();
        if !fits.is_empty() {
            self.content.push_str(fits);
            self.unsaid.push_str(fits);
            if self.content.len() <= WORD_BY_WORD || self.unsaid.len() >= LONG_DELTA {
                self.tell().await;
            }
        }
        fits.len() == text.len()
    }

    async fn tell(&mut self) {
        let unsaid = std::mem::take(&mut self.unsaid);
        if !unsaid.is_empty() {
            tell_delta(self.context, self.document, unsaid).await;
        }
    }
}

async fn tell_delta(context: &ToolCallContext<'_>, document: &str, text: String) {
    context
        .events
        .tell(ToolEvent::DocumentDelta {
            document: document.to_owned(),
            text,
        })
        .await;
}

async fn tell_opened(
    context: &ToolCallContext<'_>,
    document: &str,
    kind: DocumentKind,
    title: &str,
    new: bool,
) {
    context
        .events
        .tell(ToolEvent::DocumentOpened {
            document: document.to_owned(),
            kind: kind.as_str().to_owned(),
            title: title.to_owned(),
            new,
        })
        .await;
}

async fn tell_stored(context: &ToolCallContext<'_>, version: &DocumentVersion) {
    context
        .events
        .tell(ToolEvent::DocumentStored {
            document: version.document.0.to_string(),
            version_at_ms: version.created_at_ms,
        })
        .await;
}

/// Takes back what was shown of a document that will not be stored: the page shows the version that stands, or nothing,
/// and stops waiting for more.
async fn take_back(
    context: &ToolCallContext<'_>,
    document: &str,
    kind: DocumentKind,
    title: &str,
    standing: Option<&DocumentVersion>,
) {
    tell_opened(context, document, kind, title, standing.is_none()).await;
    if let Some(version) = standing
        && !version.content.is_empty()
    {
        tell_delta(context, document, version.content.clone()).await;
    }
    context
        .events
        .tell(ToolEvent::Data {
            name: "finish".to_owned(),
            id: None,
            data: Value::Null,
            transient: true,
        })
        .await;
}

/// What a call gives that worked on this document.
fn done(version: &DocumentVersion, content: &str) -> ToolResult {
    ToolResult::Output {
        output: json!({
            "id": version.document.0.to_string(),
            "title": version.title,
            "kind": version.kind.as_str(),
            "content": content,
        }),
    }
}

/// An expected failure, which pages show in place of the document.
fn refusal(sentence: &str) -> ToolResult {
    ToolResult::Output {
        output: json!({ "error": sentence }),
    }
}

fn failure(sentence: &str) -> ToolResult {
    ToolResult::Error {
        message: sentence.to_owned(),
    }
}

/// What a text gives that was not written.
fn log_writing(error: &WritingError) -> ToolResult {
    match error {
        WritingError::TooLong => return refusal(error.sentence()),
        WritingError::Nothing => tracing::warn!("the model that writes documents wrote nothing"),
        WritingError::Model(error) => {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "the model that writes documents failed"
            );
        }
    }
    failure(error.sentence())
}

fn log_store(error: &StoreError, what: &'static str) {
    tracing::error!(error = error as &dyn std::error::Error, "{what}");
}

#[cfg(test)]
mod tests;

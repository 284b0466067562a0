//! A model that writes, as one text with an end.

use std::pin::Pin;

use chat_core::{
    event::FinishReason,
    ports::{
        ModelError, ModelErrorKind, ModelEvent, ModelEventKind, ModelRequest, PromptItem,
        ToolCallContext,
    },
    run::LegSettings,
};
use futures_util::{Stream, StreamExt};
use token_budget::{Encoding, LARGE_TEXT_BYTES, message_cost, prompt_cost};

/// Why there is no text.
#[derive(Debug)]
pub(crate) enum WritingError {
    /// The prompt does not fit the model's window.
    TooLong,
    /// The model failed, broke off or was stopped by a filter.
    Model(ModelError),
    /// The model wrote nothing, or declined.
    Nothing,
}

impl WritingError {
    /// What the model that called, and the reader, are told: never an upstream's own words.
    pub(crate) fn sentence(&self) -> &'static str {
        match self {
            Self::TooLong => "The document is too long for the model that would have to read it.",
            Self::Nothing => "The model wrote nothing.",
            Self::Model(error) => match error.kind {
                ModelErrorKind::Unavailable | ModelErrorKind::Timeout | ModelErrorKind::Broken => {
                    "The model that writes documents failed, so nothing was stored; the same call may succeed later."
                }
                ModelErrorKind::RateLimited => {
                    "The model that writes documents is out of capacity, so nothing was stored; the same call may \
                     succeed later."
                }
                ModelErrorKind::Rejected => {
                    "The model that writes documents refused the request, so nothing was stored."
                }
                ModelErrorKind::PromptTooLong => {
                    "The document is too long for the model that would have to read it."
                }
                ModelErrorKind::ContentFilter => {
                    "A content filter stopped the document, so nothing was stored."
                }
            },
        }
    }
}

/// How a text ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The model was done.
    Whole,
    /// The model reached its limit.
    Cut,
}

/// What a model is asked to write.
#[derive(Debug)]
pub(crate) struct Task {
    /// What it is to do, in our words.
    pub(crate) instructions: String,
    /// What it is to do it with: a request, a document.
    pub(crate) material: String,
}

impl Task {
    /// Whether the prompt fits the leg's budget. Long texts are counted on a blocking thread.
    pub(crate) async fn fits(&self, settings: &LegSettings) -> bool {
        let encoding = settings.encoding.parse().unwrap_or(Encoding::O200kBase);
        let system = message_cost(encoding, "system", &self.instructions, None);
        let user = if self.material.len() <= LARGE_TEXT_BYTES {
            message_cost(encoding, "user", &self.material, None)
        } else {
            let text = self.material.clone();
            tokio::task::spawn_blocking(move || message_cost(encoding, "user", &text, None))
                .await
                // Counting does not fail; should it ever, the text counts as too long.
                .unwrap_or(u32::MAX)
        };
        prompt_cost([system, user]) <= settings.prompt_budget
    }
}

/// A text that a model is writing.
pub(crate) struct Writing {
    events: Pin<Box<dyn Stream<Item = Result<ModelEvent, ModelError>> + Send>>,
    ended: Option<Ended>,
}

impl Writing {
    /// Asks the document model to write.
    pub(crate) async fn begin(
        context: &ToolCallContext<'_>,
        task: Task,
    ) -> Result<Self, WritingError> {
        let settings = context.settings;
        if !task.fits(settings).await {
            return Err(WritingError::TooLong);
        }
        let request = ModelRequest {
            model: settings
                .artifact_model
                .as_ref()
                .unwrap_or(&settings.model)
                .clone(),
            items: vec![
                PromptItem::System(task.instructions),
                PromptItem::User {
                    text: task.material,
                    images: Vec::new(),
                },
            ],
            max_output: settings.max_output,
            tools: Vec::new(),
        };
        let answer = context.model.answer(request).await;
        Ok(Self {
            events: answer.map_err(WritingError::Model)?.events,
            ended: None,
        })
    }

    /// What it writes next; `None` once it is done. An error is the last that comes.
    pub(crate) async fn next(&mut self) -> Result<Option<String>, WritingError> {
        while self.ended.is_none() {
            let Some(event) = self.events.next().await else {
                return Err(WritingError::Model(ModelErrorKind::Broken.into()));
            };
            match event.map_err(WritingError::Model)?.kind {
                ModelEventKind::Text(text) => return Ok(Some(text)),
                ModelEventKind::Refusal(_) => return Err(WritingError::Nothing),
                ModelEventKind::Finished(FinishReason::ContentFilter) => {
                    return Err(WritingError::Model(ModelErrorKind::ContentFilter.into()));
                }
                ModelEventKind::Finished(FinishReason::Length) => self.ended = Some(Ended::Cut),
                ModelEventKind::Finished(FinishReason::Stop | FinishReason::ToolCalls) => {
                    self.ended = Some(Ended::Whole);
                }
                ModelEventKind::Reasoning(_)
                | ModelEventKind::CallStarted { .. }
                | ModelEventKind::CallArguments { .. }
                | ModelEventKind::Usage(_) => {}
            }
        }
        Ok(None)
    }

    /// How it ended; [`Ended::Cut`] while it has not.
    pub(crate) fn ended(&self) -> Ended {
        self.ended.unwrap_or(Ended::Cut)
    }
}

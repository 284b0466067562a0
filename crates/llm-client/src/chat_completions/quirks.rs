//! What was learned about models: which optional request fields they take.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::fault::Parameter;

/// How many models are remembered. Names come from requests, so that their number has no other bound.
const MOST: usize = 1024;

/// How a request to a model is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Quirks {
    /// Whether the token limit is called `max_completion_tokens`.
    pub(super) new_limit: bool,
    /// Whether the usage is asked for.
    pub(super) stream_options: bool,
    /// Whether it is offered tools.
    pub(super) tools: bool,
}

impl Quirks {
    /// Itself without the refused field, if that is one it sends.
    pub(super) fn without(self, refused: Parameter) -> Option<Self> {
        match refused {
            Parameter::MaxTokens if !self.new_limit => Some(Self {
                new_limit: true,
                ..self
            }),
            Parameter::MaxCompletionTokens if self.new_limit => Some(Self {
                new_limit: false,
                ..self
            }),
            Parameter::StreamOptions if self.stream_options => Some(Self {
                stream_options: false,
                ..self
            }),
            // A model that takes no tools can still answer.
            Parameter::Tools if self.tools => Some(Self {
                tools: false,
                ..self
            }),
            Parameter::MaxTokens
            | Parameter::MaxCompletionTokens
            | Parameter::StreamOptions
            | Parameter::Tools
            | Parameter::ResponseFormat => None,
        }
    }
}

/// The quirks by model, for all lanes.
#[derive(Debug, Default)]
pub(super) struct Learned(Mutex<HashMap<String, Quirks>>);

impl Learned {
    pub(super) fn find(&self, model: &str) -> Option<Quirks> {
        let learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(model).copied()
    }

    pub(super) fn keep(&self, model: &str, quirks: Quirks) {
        let mut learned = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if learned.len() >= MOST {
            learned.clear();
        }
        learned.insert(model.to_owned(), quirks);
    }
}

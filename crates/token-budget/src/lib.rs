//! Counts tokens and fits a conversation into a model's context window.

//! The AI SDK chat: the wire that the `useChat` hook of the `ai` package speaks, and the routes around it.
//!
//! Its rules are numbered in `docs/wire/ai-sdk.md`.

pub mod error;
pub mod event;
pub mod request;
pub mod view;

pub use error::{ApiError, ErrorBody, ErrorKind, PathErrorBody, Surface};
pub use event::{AiSdkChunks, AiSdkEncoder, error_text};
pub use request::{ChatRequest, InvalidRequest, SendMessage, decode};
pub use view::{
    ChatRow, HistoryResponse, MessageRow, MessagesResponse, UiMessage, append_message, timestamp,
};

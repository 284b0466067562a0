//! The AI SDK chat: the wire that the `useChat` hook of the `ai` package speaks, and the routes around it.
//!
//! Its rules are numbered in `docs/wire/ai-sdk.md`.

pub mod chunks;
pub mod error;
pub mod event;
pub mod history;
pub mod request;
pub mod session;
pub mod upload;
pub mod view;
mod words;

pub use chunks::AiSdkChunks;
pub use error::{ApiError, ErrorBody, ErrorKind, PathErrorBody, Surface};
pub use event::AiSdkEncoder;
pub use history::{HistoryFrom, HistoryRequest};
pub use request::{
    ApprovalReply, CallReplies, ChangeChatRequest, ChatCommand, ChatRequest, Credentials,
    CredentialsRequest, InvalidRequest, RefreshRequest, RefreshToken, SaveDocument,
    SaveDocumentRequest, SearchRequest, SendMessage, Vote, VoteRequest, decode_change, decode_chat,
    decode_document, decode_login, decode_refresh, decode_register, decode_vote, document_id,
    restore_point,
};
pub use session::{SessionResponse, SignedOut, TokenResponse, UserKind, UserView};
pub use upload::{MAX_UPLOAD, UploadFault};
pub use view::{
    ChatRow, DeletedResponse, DocumentKindName, DocumentRow, HistoryResponse, MessageRow,
    MessagesResponse, ModelCapabilities, ModelRow, ModelsResponse, SearchResponse, SearchResult,
    StopResponse, SuggestionRow, UiMessage, UploadResponse, VOTED, VoteRow, append_message,
    timestamp,
};
pub use words::error_text;

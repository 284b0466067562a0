//! Types and ports of everything that the run engine itself does not call: users, files, documents, the views that
//! frontends keep of threads, the secrets we make, and moving all of it between stores.
//!
//! Both stores implement these ports; routes reach them through use cases and hold no port themselves. This crate does
//! no I/O. A method of a port is one atomic, durable change, as in [`chat_core::ports`].

mod archive;
mod documents;
mod files;
mod raw;
mod secrets;
mod sessions;
mod thread_views;
mod users;

pub use archive::{Archive, ConversationRecord, MessageRecord, Put, SessionRecord, UserRecord};
pub use chat_core::message::Rating;
pub use chat_core::ports::StoreError;
pub use documents::{
    AddVersion, DocumentId, DocumentKind, DocumentVersion, Documents, NewVersion, Suggestion,
};
pub use files::{ByteStream, FileId, FileRefusal, Files, MAX_PIECE_BYTES, NewFile, StoredFile};
pub use raw::{BrokenDocument, RawCollections, RawDocuments};
pub use secrets::Secrets;
pub use sessions::{NewSession, Rotation, SessionId, Sessions};
pub use thread_views::{ThreadView, ThreadViews};
pub use users::{
    NewUser, PasswordHash, Promotion, User, UserKind, UserRefusal, Users, email_key,
    exact_email_key, identity_key,
};

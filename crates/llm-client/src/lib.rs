//! Streams answers from OpenAI-compatible model servers.
//!
//! For the service that runs the engine: [`ChatCompletions`] implements the engine's port
//! [`Model`](chat_core::ports::Model) over the Chat Completions wire, as `OpenAI`, Azure, xAI and most local servers
//! speak it, each with its quirks.
//!
//! | step | what to use |
//! |---|---|
//! | where is the server, what does it accept? | [`Endpoint`], [`Auth`], [`Secret`] |
//! | how long may it take? | [`UpstreamConfig`], [`Timeouts`], [`Retries`] |
//! | what do all lanes share? | [`Shared`], once per upstream |
//! | who asks? | [`ChatCompletions::for_lane`], once per upstream and lane |
//! | who makes images? | [`Images::new`], once per model |
//!
//! One client serves one thread: a connection pool that many threads share costs several times the CPU per event.
//! The lanes share only what was learned about a model. Connections are HTTP/1.1, since a single HTTP/2 connection
//! makes requests wait unseen beyond its stream limit.
//!
//! The crate never stores anything and never logs or returns message text, keys or an upstream's own words: errors
//! hold statuses, codes and request ids.

mod chat_completions;
mod config;
mod endpoint;
mod error;
mod fault;
mod images;
mod retry;
mod secret;
mod sse;
mod transport;

pub use chat_completions::{ChatCompletions, ModelList, Shared};
pub use config::{Retries, Timeouts, UpstreamConfig};
pub use endpoint::{Auth, Endpoint};
pub use error::ConfigError;
pub use images::Images;
pub use secret::Secret;

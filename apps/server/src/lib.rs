//! Skein's server: configuration, wiring, routes.
//!
//! Thin on purpose: a handler extracts, decodes with a dialect, gives the engine one command and encodes what comes back. What
//! a send does, who may read what and what survives a crash is decided in `chat-core` and the stores.

pub mod accounts;
pub mod attachments;
pub mod caller;
pub mod cli;
pub mod client_address;
pub mod commands;
pub mod config;
pub mod console;
pub mod cors;
pub mod documents;
pub mod edge;
pub mod error;
pub mod health;
pub mod lanes;
pub mod models;
pub mod openapi;
pub mod origin;
pub mod routes;
pub mod sse;
pub mod startup;
pub mod state;
pub mod stores;
pub mod system;
pub mod telemetry;
pub mod tools;

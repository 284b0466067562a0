//! Conversations, messages and runs, the engine that drives a model to answer, and the ports it calls.
//!
//! This crate is what a service imports to own conversations: it holds the domain types, the rules (who may do
//! what, one active run per conversation, a run outlives the request that began it) and the run engine. It
//! never does I/O itself: stores, models, signals, the clock and ids are [`ports`], and a
//! service passes its own. It never knows a wire format: dialects turn [`event::RunEvent`]s into bytes.
//!
//! Start reading at [`engine::Engine`]; `docs/architecture.md` follows one message through the house.

pub mod access;
pub mod codec;
pub mod conversation;
pub mod cost;
pub mod engine;
pub mod error;
pub mod event;
pub mod fold;
pub mod id;
pub mod message;
pub mod ports;
pub mod run;
pub mod terms;
pub mod testing;

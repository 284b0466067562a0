//! Request and event shapes of each frontend, as serde types and pure encoders.
//!
//! A dialect is two pure functions: from a request's bytes to a domain command, and from run events to the bytes of a
//! stream or of an answer. Nothing here does I/O, reads a clock or knows a store, a model or an HTTP framework; the
//! same input gives the same bytes, always and on any machine. The rules of each dialect, with their reasons, are in
//! `docs/wire/`.

pub mod ai_sdk;
pub mod frame;
pub mod ids;

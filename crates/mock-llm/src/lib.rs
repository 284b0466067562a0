#![doc = include_str!("../README.md")]

mod body;
mod compose;
mod config;
mod demo;
mod directive;
mod error;
mod frame;
mod ledger;
mod paper;
mod plan;
mod request;
mod respond;
mod scenario;
mod server;
mod title;
mod wishes;

pub use config::{Config, Pace};
pub use directive::DirectiveError;
pub use error::{StartError, WaitError};
pub use ledger::{HangUp, RecordedRequest, Stats};
pub use scenario::{
    Ending, Failure, FailureKind, Frames, LineEnd, Reasoning, ReasoningStyle, Say, Scenario,
    ToolCall, UsageMode, Wire,
};
pub use server::MockLlm;

//! The server from outside: the real application on a free port, a temporary store, and a model's server that does as
//! it is told. Rules in brackets are those of `docs/wire/ai-sdk.md`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test tells by a panic that it failed; the exemption for tests does not see the helpers of a test binary"
)]

mod accounts;
mod approvals;
mod chat;
mod commands;
mod crash;
mod crowd;
mod documents;
mod errors;
mod files;
mod history;
mod limits;
mod models;
mod nodes;
mod openapi;
mod ownership;
mod process;
mod resume;
mod routes;
mod search;
mod stop;
mod support;
mod table;
mod tools;
mod trailing;
mod transport;
mod upstream;
mod votes;

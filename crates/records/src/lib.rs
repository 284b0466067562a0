//! Types and ports of everything that the run engine itself does not call: users, and the secrets we make.
//!
//! Both stores implement these ports; routes reach them through use cases and hold no port themselves. This crate does
//! no I/O. A method of a port is one atomic, durable change, as in [`chat_core::ports`].

mod secrets;
mod users;

pub use chat_core::ports::StoreError;
pub use secrets::Secrets;
pub use users::{NewUser, User, UserKind, UserRefusal, Users, email_key};

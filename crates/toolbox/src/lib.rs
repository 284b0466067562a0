//! Tools that the server runs for a model: the weather, and documents that models write.

mod hints;
mod instructions;

pub use hints::{Origin, origin_hints};
pub use instructions::document_instructions;

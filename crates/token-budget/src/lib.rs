//! Counts tokens and fits a conversation into a model's context window.
//!
//! For any service that sends conversations to language models. The crate is pure: it does no I/O,
//! knows no message format, and keeps nothing but the vocabularies it has loaded. It needs no
//! network: the vocabularies of `o200k_base` and `cl100k_base` are part of the program.
//!
//! | step | what to use |
//! |---|---|
//! | what can the model hold? | [`ModelTable::find`] |
//! | how much of it is for the prompt? | [`Budget::for_model`], [`Budget::for_web_chat`] |
//! | what does a message cost? | [`message_cost`], once; keep the number with the message |
//! | which messages are sent? | [`whole_budget`] or [`last_n`], on the kept numbers |
//!
//! ```
//! use token_budget::{Budget, Item, ModelTable, Turn, message_cost, whole_budget};
//!
//! let model = ModelTable::builtin().find("openai/gpt-4o-mini");
//! let budget = Budget::for_model(&model, Some(1_000));
//! let cost = |role, text| message_cost(model.encoding, role, text, None);
//!
//! let history = [
//!     Item { cost: cost("user", "What is a token?"), is_user: true },
//!     Item { cost: cost("assistant", "A piece of a word."), is_user: false },
//! ];
//! let turn = Turn {
//!     pinned: cost("system", "Answer briefly."),
//!     live: &history,
//!     new: cost("user", "And how long is one?"),
//! };
//!
//! let fit = whole_budget(budget.prompt, &turn)?;
//! assert_eq!(fit.start, 0); // send history[fit.start..]
//! assert!(fit.prompt + budget.reply <= budget.window);
//! # Ok::<(), token_budget::TooLong>(())
//! ```
//!
//! # Hostile text
//!
//! [`count()`] takes time and memory linear in the length of any text and does not panic. Its result
//! is tiktoken's, unless a text holds a run of more than 4,096 characters of one class. It is still
//! work: in async code, hand texts above [`LARGE_TEXT_BYTES`] to a blocking thread, and call
//! [`warm_up`] in the background at start, since the first count per encoding loads its vocabulary.
//!
//! # Other models
//!
//! A model without an entry has a window of 128,000 tokens ([`DEFAULT_WINDOW`]) and is counted in
//! `o200k_base` with a margin of a tenth. Describe your own, or correct an entry, with
//! [`ModelTable::with_override`]:
//!
//! ```
//! use token_budget::{Encoding, ModelLimits, ModelTable};
//!
//! let models = ModelTable::builtin()
//!     .with_override("llama-3.3", ModelLimits::guessed(32_768))
//!     .with_override("acme/small", ModelLimits::new(16_000, Encoding::O200kBase).with_output_cap(2_000));
//! assert_eq!(models.find("meta/llama-3.3-70b-instruct").window, 32_768);
//! assert_eq!(models.find("acme/small-2").output_cap, Some(2_000));
//! ```
//!
//! # What a count is worth
//!
//! Counts are estimates: providers add framing of their own and change it. [`Budget`] keeps a margin
//! for that. Where a response reports its usage, record and show those figures; these only plan.

mod budget;
mod count;
mod encoding;
mod fit;
mod models;

pub use budget::{Budget, WebChatLimits};
pub use count::{
    LARGE_TEXT_BYTES, MESSAGE_OVERHEAD, PROMPT_OVERHEAD, count, is_loaded, message_cost,
    prompt_cost, warm_up,
};
pub use encoding::{Encoding, UnknownEncoding};
pub use fit::{Fit, Item, TooLong, Turn, last_n, whole_budget};
pub use models::{DEFAULT_WINDOW, ModelLimits, ModelTable};

//! The ports: what the engine asks of the world. A store, a model and a clock are passed in by the service.
//!
//! A method is one atomic, durable change: when it answers `Ok`, the change survives the loss of the process and of
//! the machine's power. A change that must not be half done is one method, never two. What a method's doc comment
//! says, sentence by sentence, is what `storage-contract` tests on every store.

mod attachments;
mod chance;
mod conversations;
mod messages;
mod model;
mod nodes;
mod notes;
mod run_log;
mod runs;
mod signals;
mod tool;

pub use attachments::{Attachments, NoAttachments};
pub use chance::{Clock, IdSource};
pub use conversations::{
    ConversationChange, Conversations, Cut, Deleted, DroppedLeg, FreshLeg, HistoryCursor,
    HistoryPage, HistoryQuery, IdempotencyKey, LegRef, OpenLeg, Opened, Policy, Predecessor, Quota,
    Refusal, ResumeRun, Resumed, ResumedLeg,
};
pub use messages::{MessagePage, MessageQuery, Messages, SearchHit, SearchQuery, Wanted};
pub use model::{
    Model, ModelAnswer, ModelError, ModelErrorKind, ModelEvent, ModelEventKind, ModelRequest,
    PromptCall, PromptItem, ToolSpec,
};
pub use nodes::{Beat, Nodes};
pub use notes::{Notes, Pin, PinScope, Summary};
pub use run_log::{LogBatch, RunLog};
pub use runs::{
    AnswerRecord, Checkpoint, CloseLeg, Closed, EndPaused, PausedRun, Runs, Standing, StopAsked,
};
pub use signals::{LocalSignals, Signal, SignalStream, Signals};
pub use tool::{Tool, ToolCallContext, ToolEvent, ToolEvents};

/// Why a store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached or is overloaded; the same call may succeed later.
    #[error("the store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// What the store holds cannot be read as what it should be.
    #[error("a stored {what} cannot be read")]
    Corrupt {
        /// What it should have been.
        what: &'static str,
        /// Why it is not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store failed in a way that a repetition will not mend.
    #[error("the store failed")]
    Fatal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

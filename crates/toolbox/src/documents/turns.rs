//! One document at a time in each answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use chat_core::id::MessageId;
use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// Lets the calls of one answer work on documents one after the other, in the order in which they came.
///
/// A model may call several tools at once, and pages show one document: the texts of two would be mixed.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<MessageId, Weak<Turn<()>>>>);

impl Turns {
    /// Waits for the turn; it is over when what this gives is dropped.
    pub(crate) async fn take(&self, message: MessageId) -> OwnedMutexGuard<()> {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| turn.strong_count() > 0);
            if let Some(turn) = turns.get(&message).and_then(Weak::upgrade) {
                turn
            } else {
                let turn = Arc::new(Turn::new(()));
                turns.insert(message, Arc::downgrade(&turn));
                turn
            }
        };
        turn.lock_owned().await
    }
}

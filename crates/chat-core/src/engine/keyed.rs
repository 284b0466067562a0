//! Commands of one conversation, one after the other in the order in which they came.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::{Mutex as Queue, OwnedMutexGuard};

use crate::id::ConversationId;

/// One fair queue per conversation that is in use.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<ConversationId, Weak<Queue<()>>>>);

impl Turns {
    /// Waits for this command's turn; the turn lasts until the guard is dropped.
    pub(super) async fn take(&self, conversation: ConversationId) -> OwnedMutexGuard<()> {
        let queue = {
            let mut queues = self.lock();
            if let Some(queue) = queues.get(&conversation).and_then(Weak::upgrade) {
                queue
            } else {
                // Queues that nobody waits in are dropped here and there, so that the map stays as small as its use.
                if queues.len() >= 64 && queues.len().is_power_of_two() {
                    queues.retain(|_, queue| queue.strong_count() > 0);
                }
                let queue = Arc::new(Queue::new(()));
                queues.insert(conversation, Arc::downgrade(&queue));
                queue
            }
        };
        queue.lock_owned().await
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Weak<Queue<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mongodb::bson::Document;

use crate::error::Failure;

/// The sessions in which transactions of a handle go on.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenSessions(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    closed: bool,
    ids: Vec<Document>,
}

/// A session that is in use as long as this is not dropped.
#[derive(Debug)]
pub(crate) struct OpenSession {
    all: OpenSessions,
    id: Document,
}

impl OpenSessions {
    /// Counts a session in.
    pub(crate) fn open(&self, id: Document) -> OpenSession {
        self.lock().ids.push(id.clone());
        OpenSession {
            all: self.clone(),
            id,
        }
    }

    /// All that are in use. From now on none of them may start a transaction.
    pub(crate) fn close(&self) -> Vec<Document> {
        let mut state = self.lock();
        state.closed = true;
        state.ids.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenSession {
    /// Fails once the handle is closed.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        if self.all.lock().closed {
            return Err(Failure::Misuse("the store is closed".to_owned()));
        }
        Ok(())
    }
}

impl Drop for OpenSession {
    fn drop(&mut self) {
        self.all.lock().ids.retain(|id| *id != self.id);
    }
}

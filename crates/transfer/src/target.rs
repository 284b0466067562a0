use std::{fmt, sync::Arc};

use chat_core::ports::{Messages, Notes};
use records::{Archive, Documents, Files, ThreadViews, Users};

/// A store, by all the ports that import and export use.
#[derive(Clone)]
pub struct Target {
    /// Whole records.
    pub archive: Arc<dyn Archive>,
    /// Messages by id, for a dry run.
    pub messages: Arc<dyn Messages>,
    /// Users by e-mail address.
    pub users: Arc<dyn Users>,
    /// Summaries and pins.
    pub notes: Arc<dyn Notes>,
    /// Documents with their versions and suggestions.
    pub documents: Arc<dyn Documents>,
    /// What Assistants frontends keep of threads.
    pub thread_views: Arc<dyn ThreadViews>,
    /// Files with their bytes.
    pub files: Arc<dyn Files>,
}

impl Target {
    /// The target that one store is, which has all the ports.
    pub fn new<S>(store: S) -> Self
    where
        S: Archive + Messages + Users + Notes + Documents + ThreadViews + Files + Clone + 'static,
    {
        let store = Arc::new(store);
        Self {
            archive: Arc::<S>::clone(&store),
            messages: Arc::<S>::clone(&store),
            users: Arc::<S>::clone(&store),
            notes: Arc::<S>::clone(&store),
            documents: Arc::<S>::clone(&store),
            thread_views: Arc::<S>::clone(&store),
            files: store,
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target")
    }
}

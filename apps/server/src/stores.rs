//! Where everything is kept: one store behind all ports, an embedded one or MongoDB.

use std::sync::Arc;

use anyhow::Context as _;
use chat_core::ports::{
    Conversations, LocalSignals, Messages, Nodes, Notes, RunLog, Runs, Signals,
};
use records::{Archive, Documents, Files, Secrets, Sessions, ThreadViews, Users};
use storage_mongo::{Action, MongoStore, Step};
use storage_sqlite::SqliteStore;
use tokio_util::sync::CancellationToken;

use crate::config::Storage;

/// Every port, all of one store. Clones are the same store.
#[derive(Clone)]
pub struct Stores {
    /// Conversations and their slots.
    pub conversations: Arc<dyn Conversations>,
    /// Messages.
    pub messages: Arc<dyn Messages>,
    /// Runs and legs.
    pub runs: Arc<dyn Runs>,
    /// The log of events.
    pub run_log: Arc<dyn RunLog>,
    /// What rings between nodes.
    pub signals: Arc<dyn Signals>,
    /// The nodes over the store.
    pub nodes: Arc<dyn Nodes>,
    /// Summaries and pins.
    pub notes: Arc<dyn Notes>,
    /// People and guests.
    pub users: Arc<dyn Users>,
    /// Who is signed in.
    pub sessions: Arc<dyn Sessions>,
    /// Secrets that we make.
    pub secrets: Arc<dyn Secrets>,
    /// Whole records, for import and export.
    pub archive: Arc<dyn Archive>,
    /// Documents and suggestions.
    pub documents: Arc<dyn Documents>,
    /// What Assistants frontends keep of threads.
    pub thread_views: Arc<dyn ThreadViews>,
    /// Files.
    pub files: Arc<dyn Files>,
    /// Where it is, for people. Holds no password.
    pub place: String,
    mongo: Option<MongoStore>,
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

impl Stores {
    /// Opens the store, which is waited for if it is not there yet, and brings its layout up to date. `tell` is given a line
    /// now and then while that takes time.
    pub async fn open(storage: Storage, mut tell: impl FnMut(&str)) -> anyhow::Result<Self> {
        match storage {
            Storage::Folder(folder) => {
                let place = folder.display().to_string();
                // Blocks, but nothing else goes on at the start.
                let store = SqliteStore::open(storage_sqlite::Config::new(folder))?;
                Ok(Self::of(store, Arc::new(LocalSignals::new()), place))
            }
            Storage::Mongo(config) => {
                let store = connect(config, &mut tell).await?;
                let place = store.place();
                match store.migrate_telling(&mut tell).await?.len() {
                    0 => {}
                    steps => tell(&format!(
                        "brought the layout of {place} up to date in {steps} steps"
                    )),
                }
                Ok(Self::of_mongo(store))
            }
        }
    }

    /// Opens the store as it is, without changing anything; `None` when there is none yet.
    ///
    /// One whose layout is older is refused. The embedded store's layout is brought up to date all the same, for it is
    /// nobody else's.
    pub async fn open_existing(
        storage: Storage,
        mut tell: impl FnMut(&str),
    ) -> anyhow::Result<Option<Self>> {
        match storage {
            Storage::Folder(folder) => {
                if folder.join(storage_sqlite::DATABASE_FILE).is_file() {
                    return Self::open(Storage::Folder(folder), tell).await.map(Some);
                }
                Ok(None)
            }
            Storage::Mongo(config) => {
                let store = connect(config, &mut tell).await?;
                let place = store.place();
                let plan = store.plan().await?;
                if plan.iter().any(is_first_collection) {
                    return Ok(None);
                }
                anyhow::ensure!(
                    plan.is_empty(),
                    "the layout of {place} is not up to date; run `skein migrate` first"
                );
                Ok(Some(Self::of_mongo(store)))
            }
        }
    }

    /// What goes on beside the calls until `stop`: with MongoDB, hearing of the other nodes' changes.
    pub async fn keep(&self, stop: CancellationToken) {
        if let Some(store) = &self.mongo {
            store.keep(stop).await;
        }
    }

    /// Leaves nothing open behind: a transaction that a process left would keep what it wrote locked for up to a minute.
    pub async fn close(&self) {
        if let Some(store) = &self.mongo {
            store.close().await;
        }
    }

    fn of_mongo(store: MongoStore) -> Self {
        let (signals, place) = (store.signals(), store.place());
        Self {
            mongo: Some(store.clone()),
            ..Self::of(store, signals, place)
        }
    }

    fn of<S>(store: S, signals: Arc<dyn Signals>, place: String) -> Self
    where
        S: Conversations + Messages + Runs + RunLog + Nodes + Notes,
        S: Users + Sessions + Secrets + Archive + Documents + ThreadViews + Files + 'static,
    {
        let store = Arc::new(store);
        Self {
            conversations: Arc::clone(&store) as Arc<_>,
            messages: Arc::clone(&store) as Arc<_>,
            runs: Arc::clone(&store) as Arc<_>,
            run_log: Arc::clone(&store) as Arc<_>,
            signals,
            nodes: Arc::clone(&store) as Arc<_>,
            notes: Arc::clone(&store) as Arc<_>,
            users: Arc::clone(&store) as Arc<_>,
            sessions: Arc::clone(&store) as Arc<_>,
            secrets: Arc::clone(&store) as Arc<_>,
            archive: Arc::clone(&store) as Arc<_>,
            documents: Arc::clone(&store) as Arc<_>,
            thread_views: Arc::clone(&store) as Arc<_>,
            files: store,
            place,
            mongo: None,
        }
    }
}

/// Whether a step makes the collection without which there is no store at all.
fn is_first_collection(step: &Step) -> bool {
    matches!(&step.action, Action::CreateCollection { collection } if collection == "skein_conversations")
}

/// Connects to MongoDB and changes nothing there.
pub async fn connect(
    config: storage_mongo::Config,
    tell: &mut impl FnMut(&str),
) -> anyhow::Result<MongoStore> {
    MongoStore::connect(config, tell)
        .await
        .context("MONGODB_URI")
}

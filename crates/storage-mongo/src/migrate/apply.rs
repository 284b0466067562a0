use mongodb::{
    IndexModel,
    bson::{Document, doc},
};
use tokio::time::Instant;

use super::{
    Action, Change, Source, Step,
    index::Index,
    plan::{Layout, name_of},
};
use crate::{
    MongoStore, OpenError,
    connect::UNAUTHORIZED,
    error::{Failure, code},
    transaction::{OUTAGE_PAUSE, Patience},
};

impl MongoStore {
    pub(crate) async fn migrate_to(
        &self,
        sources: &[Source],
        on_wait: impl FnMut(&str),
    ) -> Result<Vec<Step>, OpenError> {
        if self.missing(sources).await?.is_empty() {
            return Ok(Vec::new());
        }
        let lock = self.lock_layout(on_wait).await?;
        let done = lock.during(self.apply_missing(sources)).await;
        let released = lock.release().await;
        let done = done?;
        released?;
        Ok(done)
    }

    async fn apply_missing(&self, sources: &[Source]) -> Result<Vec<Step>, OpenError> {
        let mut done = Vec::new();
        // Looked up again: another node may have been at work while we waited for the lock.
        for source in self.missing(sources).await? {
            self.apply(source, &mut done).await?;
        }
        Ok(done)
    }

    async fn apply(&self, source: &Source, done: &mut Vec<Step>) -> Result<(), OpenError> {
        let migration = source.read()?;
        let mut layout = Layout::default();
        for change in &migration.steps {
            self.look(&mut layout, change.collection()).await?;
            let Some(action) = layout.action(change) else {
                continue;
            };
            let replaced = layout.replaced(change, &action);
            if let Err(failure) = self.act(change, &action, &replaced).await {
                return Err(self.failed_step(source, &action, failure));
            }
            tracing::debug!(migration = source.name, "{action}");
            layout.forget(change.collection());
            done.push(Step {
                migration: source.name.to_owned(),
                action,
            });
        }
        self.record(source, migration.expands)
            .await
            .map_err(|failure| self.failed(failure))
    }

    /// Does a step. When the index cannot be built that `replaced` must go for, these are built again.
    async fn act(
        &self,
        change: &Change,
        action: &Action,
        replaced: &[IndexModel],
    ) -> Result<(), Failure> {
        match (action, change) {
            (Action::CreateCollection { collection }, _) => {
                self.patiently(|| self.create_collection(collection)).await
            }
            (Action::DropIndex { collection, index }, _) => {
                self.patiently(|| self.drop_index(collection, index)).await
            }
            (
                Action::CreateIndex { .. } | Action::ReplaceIndex { .. },
                Change::CreateIndex(index),
            ) => {
                let done = self.replace(index, replaced).await;
                if done.is_err() {
                    self.restore(&index.on, replaced).await;
                }
                done
            }
            (Action::KeepIndex { .. }, _)
            | (_, Change::CreateCollection(_) | Change::DropIndex { .. }) => Ok(()),
        }
    }

    async fn replace(&self, index: &Index, replaced: &[IndexModel]) -> Result<(), Failure> {
        for old in replaced {
            let name = name_of(old);
            self.patiently(|| self.drop_index(&index.on, &name)).await?;
        }
        let model = index.model();
        self.patiently(|| self.create_index(&index.on, &model))
            .await
    }

    /// Builds indexes as they were; one that is still there stays as it is.
    async fn restore(&self, collection: &str, replaced: &[IndexModel]) {
        for old in replaced {
            let built = self.patiently(|| self.create_index(collection, old)).await;
            if let Err(failure) = built {
                let index = name_of(old);
                tracing::warn!(collection, index, %failure, "an index that was to be replaced may be gone");
            }
        }
    }

    /// Does a part of a step again and again while it fails in a way that passes, such as an election.
    ///
    /// The time that it may take is that of the server, since an index takes as long as its documents are many; the
    /// time for which it may fail is that of any operation.
    async fn patiently<F>(&self, part: impl Fn() -> F) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Failure>>,
    {
        let mut failing = Patience::new(self.deadline(), OUTAGE_PAUSE);
        loop {
            let began = Instant::now();
            let Err(failure) = part().await else {
                return Ok(());
            };
            // The driver itself waits for a primary once or twice; what took longer was at work until then.
            if began.elapsed() > self.deadline() * 3 {
                failing = Patience::new(self.deadline(), OUTAGE_PAUSE);
            }
            failing.pause_after(failure).await?;
        }
    }

    async fn create_collection(&self, collection: &str) -> Result<(), Failure> {
        match self.database().create_collection(collection).await {
            Err(error) if code(&error) != Some(NAMESPACE_EXISTS) => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn create_index(&self, collection: &str, index: &IndexModel) -> Result<(), Failure> {
        let collection = self.database().collection::<Document>(collection);
        collection.create_index(index.clone()).await?;
        Ok(())
    }

    async fn drop_index(&self, collection: &str, index: &str) -> Result<(), Failure> {
        let collection = self.database().collection::<Document>(collection);
        match collection.drop_index(index).await {
            Err(error) if code(&error) != Some(INDEX_NOT_FOUND) => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn record(&self, source: &Source, expands: bool) -> Result<(), Failure> {
        let record = doc! {
            "$setOnInsert": {
                "name": source.name,
                "checksum": source.checksum(),
                "expands": expands,
            },
            "$currentDate": {"applied_at": true},
        };
        self.retried(|| async {
            self.migrations()
                .update_one(doc! {"_id": source.number}, record.clone())
                .upsert(true)
                .await?;
            Ok(())
        })
        .await
    }

    fn failed_step(&self, source: &Source, action: &Action, failure: Failure) -> OpenError {
        let database = self.database().name().to_owned();
        let Failure::Mongo(error) = failure else {
            return self.failed(failure);
        };
        let reason = match code(&error) {
            Some(UNAUTHORIZED) => {
                return OpenError::NoRights {
                    action: action.to_string(),
                    database,
                };
            }
            // The server's own words quote the values.
            Some(DUPLICATE_KEY) => {
                "two documents have the same values in its fields; make them different and start again"
                    .to_owned()
            }
            Some(_) => error.kind.to_string(),
            None => return self.failed(error.into()),
        };
        OpenError::MigrationFailed {
            name: source.name.to_owned(),
            database,
            step: action.to_string(),
            reason,
        }
    }
}

const INDEX_NOT_FOUND: i32 = 27;
const NAMESPACE_EXISTS: i32 = 48;
const DUPLICATE_KEY: i32 = 11_000;

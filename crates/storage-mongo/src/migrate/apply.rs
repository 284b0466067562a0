use mongodb::bson::{Document, doc};

use super::{Action, Change, Source, Step, index::Index, plan::Layout};
use crate::{
    MongoStore, OpenError,
    connect::UNAUTHORIZED,
    error::{Failure, code},
};

impl MongoStore {
    pub(crate) async fn migrate_to(&self, sources: &[Source]) -> Result<Vec<Step>, OpenError> {
        if self.missing(sources).await?.is_empty() {
            return Ok(Vec::new());
        }
        let lock = self.lock_layout().await?;
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
            if let Err(failure) = self.act(change, &action).await {
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

    /// Does a step. Its limit is that of the server, since an index takes as long as its documents are many.
    async fn act(&self, change: &Change, action: &Action) -> Result<(), Failure> {
        match action {
            Action::CreateCollection { collection } => {
                match self.database().create_collection(collection).await {
                    Err(error) if code(&error) != Some(NAMESPACE_EXISTS) => Err(error.into()),
                    _ => Ok(()),
                }
            }
            Action::DropIndex { collection, index } => self.drop_index(collection, index).await,
            Action::CreateIndex { .. } | Action::ReplaceIndex { .. } => {
                if let Action::ReplaceIndex {
                    collection,
                    dropped,
                    ..
                } = action
                {
                    for index in dropped {
                        self.drop_index(collection, index).await?;
                    }
                }
                match change {
                    Change::CreateIndex(index) => self.create_index(index).await,
                    Change::CreateCollection(_) | Change::DropIndex { .. } => Ok(()),
                }
            }
            Action::KeepIndex { .. } => Ok(()),
        }
    }

    async fn create_index(&self, index: &Index) -> Result<(), Failure> {
        let collection = self.database().collection::<Document>(&index.on);
        collection.create_index(index.model()).await?;
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

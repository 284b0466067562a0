use async_trait::async_trait;
use mongodb::bson::{DateTime, Document, doc};
use records::{StoreError, ThreadView, ThreadViews};
use serde::{Deserialize, Serialize};

use crate::{
    MongoStore,
    error::Failure,
    layout::{Stored, date},
    transaction::Tx,
};

/// A thread as an Assistants frontend lists it, in `skein_assistant_threads`.
#[derive(Debug, Serialize, Deserialize)]
struct ViewDocument {
    user: String,
    thread: String,
    name: String,
    is_group: bool,
    created_at: DateTime,
    updated_at: DateTime,
}

impl Stored for ViewDocument {
    const COLLECTION: &'static str = "skein_assistant_threads";
}

impl ViewDocument {
    fn new(view: ThreadView) -> Self {
        Self {
            user: view.user,
            thread: view.thread,
            name: view.name,
            is_group: view.is_group,
            created_at: date(view.created_at_ms),
            updated_at: date(view.updated_at_ms),
        }
    }

    fn read(self) -> ThreadView {
        ThreadView {
            user: self.user,
            thread: self.thread,
            name: self.name,
            is_group: self.is_group,
            created_at_ms: self.created_at.timestamp_millis(),
            updated_at_ms: self.updated_at.timestamp_millis(),
        }
    }
}

#[async_trait]
impl ThreadViews for MongoStore {
    async fn insert_thread_view(&self, view: ThreadView) -> Result<bool, StoreError> {
        let view = &ViewDocument::new(view);
        let stored = self
            .transact(|mut tx| async move {
                let stored = insert(self, &mut tx, view).await;
                (tx, stored)
            })
            .await?;
        Ok(stored)
    }

    async fn find_thread_view(
        &self,
        user: &str,
        thread: &str,
    ) -> Result<Option<ThreadView>, StoreError> {
        let found = self
            .retried(|| async {
                let all = self.all::<ViewDocument>();
                Ok(all.find_one(doc! {"user": user, "thread": thread}).await?)
            })
            .await?;
        Ok(found.map(ViewDocument::read))
    }

    async fn list_thread_views(
        &self,
        user: Option<&str>,
        after: Option<(&str, &str)>,
        limit: u32,
    ) -> Result<Vec<ThreadView>, StoreError> {
        if limit == 0 {
            // To the server it would mean all.
            return Ok(Vec::new());
        }
        let filter = listed(user, after);
        let found = self
            .retried(|| async {
                let all = self.all::<ViewDocument>();
                let page = all
                    .find(filter.clone())
                    .sort(doc! {"user": 1, "thread": 1})
                    .limit(i64::from(limit));
                self.read_all(page).await
            })
            .await?;
        Ok(found.into_iter().map(ViewDocument::read).collect())
    }
}

fn listed(user: Option<&str>, after: Option<(&str, &str)>) -> Document {
    let mut all = Vec::new();
    if let Some(user) = user {
        all.push(doc! {"user": user});
    }
    if let Some((user, thread)) = after {
        // The first is there for the index.
        all.push(doc! {"user": {"$gte": user}});
        all.push(doc! {"$or": [
            {"user": {"$gt": user}},
            {"user": user, "thread": {"$gt": thread}},
        ]});
    }
    if all.is_empty() {
        return Document::new();
    }
    doc! {"$and": all}
}

async fn insert(store: &MongoStore, tx: &mut Tx, view: &ViewDocument) -> Result<bool, Failure> {
    let all = store.all::<ViewDocument>();
    let found = all
        .find_one(doc! {"user": &view.user, "thread": &view.thread})
        .session(&mut tx.session)
        .await?;
    if found.is_some() {
        return Ok(false);
    }
    all.insert_one(view).session(&mut tx.session).await?;
    Ok(true)
}

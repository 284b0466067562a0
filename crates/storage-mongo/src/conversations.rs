use std::sync::Mutex;

use async_trait::async_trait;
use chat_core::{
    conversation::Conversation,
    id::{ConversationId, MessageId},
    ports::{
        ConversationChange, Conversations, Cut, Deleted, HistoryCursor, HistoryPage, HistoryQuery,
        OpenLeg, Opened, ResumeRun, Resumed, StoreError,
    },
};
use mongodb::{
    bson::{Document, doc},
    options::ReturnDocument,
};

use crate::{
    MongoStore, cut,
    error::Failure,
    layout::{ConversationDocument, KeyDocument, StoredId as _, date},
    open_leg::{Prepared, dropped_ids, open_leg},
    paused,
    transaction::Tx,
};

#[async_trait]
impl Conversations for MongoStore {
    async fn open_leg(&self, open: OpenLeg) -> Result<Opened, StoreError> {
        let prepared = Prepared::new(&open).await?;
        let (send, prepared) = (&open, &prepared);
        let opened = self
            .transact(|mut tx| async move {
                let opened = open_leg(self, &mut tx, send, prepared).await;
                (tx, opened)
            })
            .await?;
        if let Opened::Fresh(fresh) = &opened {
            self.log().release(&dropped_ids(&fresh.dropped));
        }
        Ok(opened)
    }

    async fn resume_run(&self, resume: ResumeRun) -> Result<Resumed, StoreError> {
        let prepared = paused::Prepared::new(&resume).await?;
        let (resume, prepared) = (&resume, &prepared);
        let resumed = self
            .transact(|mut tx| async move {
                let resumed = paused::resume(self, &mut tx, resume, prepared).await;
                (tx, resumed)
            })
            .await?;
        Ok(resumed)
    }

    async fn cut(
        &self,
        conversation: ConversationId,
        from: MessageId,
    ) -> Result<Option<Cut>, StoreError> {
        let before = &Mutex::new(None);
        let done = self
            .transact(|mut tx| async move {
                let done = cut::cut(self, &mut tx, conversation, from, before).await;
                (tx, done)
            })
            .await?;
        if let Some(done) = &done {
            self.log().release(&dropped_ids(&done.dropped));
        }
        Ok(done)
    }

    async fn change_conversation(
        &self,
        id: ConversationId,
        change: ConversationChange,
    ) -> Result<Option<Conversation>, StoreError> {
        let mut set = Document::new();
        if let Some(title) = change.title {
            set.insert("title", title);
        }
        if let Some(visibility) = change.visibility {
            set.insert("visibility", visibility.as_str());
        }
        if set.is_empty() {
            return self.find_conversation(id).await;
        }
        let changed = self
            .retried(|| async {
                let all = self.all::<ConversationDocument>();
                Ok(all
                    .find_one_and_update(doc! {"_id": id.stored()}, doc! {"$set": set.clone()})
                    .return_document(ReturnDocument::After)
                    .await?)
            })
            .await?;
        Ok(changed.map(ConversationDocument::read).transpose()?)
    }

    async fn find_conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        let found = self
            .retried(|| async {
                let all = self.all::<ConversationDocument>();
                Ok(all.find_one(doc! {"_id": id.stored()}).await?)
            })
            .await?;
        Ok(found.map(ConversationDocument::read).transpose()?)
    }

    async fn list_conversations(&self, query: HistoryQuery) -> Result<HistoryPage, StoreError> {
        let filter = history_filter(&query);
        // One more than wanted tells whether there are more.
        let limit = i64::from(query.limit) + 1;
        let found = self
            .retried(|| async {
                let all = self.all::<ConversationDocument>();
                let page = all
                    .find(filter.clone())
                    .sort(doc! {"created_at": -1, "_id": -1})
                    .limit(limit);
                self.read_all(page).await
            })
            .await?;
        let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let more = found.len() > wanted;
        let page = found.into_iter().take(wanted);
        Ok(HistoryPage {
            conversations: page
                .map(ConversationDocument::read)
                .collect::<Result<_, _>>()?,
            more,
        })
    }

    async fn retitle(
        &self,
        id: ConversationId,
        was: Option<&str>,
        title: &str,
    ) -> Result<bool, StoreError> {
        let changed = self
            .transact(|mut tx| async move {
                let changed = retitle(self, &mut tx, id, was, title).await;
                (tx, changed)
            })
            .await?;
        Ok(changed)
    }

    async fn delete_conversation(&self, id: ConversationId) -> Result<Option<Deleted>, StoreError> {
        let deleted = self
            .transact(|mut tx| async move {
                let deleted = delete(self, &mut tx, id).await;
                (tx, deleted)
            })
            .await?;
        if let Some(deleted) = &deleted {
            self.log().release(&dropped_ids(&deleted.dropped));
        }
        Ok(deleted)
    }
}

/// The conversations of a query. The bound on the time alone is there for the index.
fn history_filter(query: &HistoryQuery) -> Document {
    let owner = query.owner.to_string();
    match query.cursor {
        HistoryCursor::Newest => doc! {"owner": owner},
        HistoryCursor::OlderThan(at_ms, id) => doc! {
            "owner": owner,
            "created_at": {"$lte": date(at_ms)},
            "$or": [
                {"created_at": {"$lt": date(at_ms)}},
                {"created_at": date(at_ms), "_id": {"$lt": id.stored()}},
            ],
        },
        HistoryCursor::NewerThan(at_ms, id) => doc! {
            "owner": owner,
            "created_at": {"$gte": date(at_ms)},
            "$or": [
                {"created_at": {"$gt": date(at_ms)}},
                {"created_at": date(at_ms), "_id": {"$gt": id.stored()}},
            ],
        },
    }
}

async fn retitle(
    store: &MongoStore,
    tx: &mut Tx,
    id: ConversationId,
    was: Option<&str>,
    title: &str,
) -> Result<bool, Failure> {
    let all = store.all::<ConversationDocument>();
    let found = all
        .find_one(doc! {"_id": id.stored()})
        .session(&mut tx.session)
        .await?;
    let Some(found) = found else {
        return Ok(false);
    };
    if found.title.as_deref() != was {
        // An earlier run may have been committed without our knowing.
        return Ok(tx.may_be_done && found.title.as_deref() == Some(title));
    }
    all.update_one(doc! {"_id": id.stored()}, doc! {"$set": {"title": title}})
        .session(&mut tx.session)
        .await?;
    Ok(true)
}

async fn delete(
    store: &MongoStore,
    tx: &mut Tx,
    id: ConversationId,
) -> Result<Option<Deleted>, Failure> {
    let conversation = doc! {"conversation": id.stored()};
    let found = store
        .all::<ConversationDocument>()
        .find_one_and_delete(doc! {"_id": id.stored()})
        .session(&mut tx.session)
        .await?;
    let Some(found) = found else {
        return Ok(None);
    };
    let dropped = cut::cut_from(store, tx, id, 0).await?.dropped;
    store
        .all::<KeyDocument>()
        .delete_many(conversation.clone())
        .session(&mut tx.session)
        .await?;
    store
        .database()
        .collection::<Document>(PINS)
        .delete_many(conversation)
        .session(&mut tx.session)
        .await?;
    Ok(Some(Deleted {
        conversation: found.read()?,
        dropped,
    }))
}

const PINS: &str = "skein_pins";

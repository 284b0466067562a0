use async_trait::async_trait;
use chat_core::{
    access::{InvalidOwner, Owner},
    id::{ConversationId, MessageId, UserId},
};
use mongodb::bson::{Document, doc};
use records::{
    Archive, ConversationRecord, MessageRecord, Put, Rating, SessionId, SessionRecord, StoreError,
    UserRecord,
};
use serde::Deserialize;

use crate::{
    MongoStore,
    blocking::aside,
    documents::DocumentDocument,
    error::Failure,
    layout::{
        ConversationDocument, MessageDocument, Stored as _, StoredId, signed, stored_rating,
        unsigned,
    },
    notes::PinDocument,
    sessions::SessionDocument,
    transaction::Tx,
    users::UserDocument,
};

mod messages;

#[async_trait]
impl Archive for MongoStore {
    async fn put_user(&self, user: UserRecord) -> Result<Put, StoreError> {
        Ok(self.insert_user_document(&UserDocument::new(&user)).await?)
    }

    async fn put_session(&self, session: SessionRecord) -> Result<Put, StoreError> {
        let session = SessionDocument::new(&session);
        Ok(self.put_session_document(&session).await?)
    }

    async fn put_conversation(&self, conversation: ConversationRecord) -> Result<Put, StoreError> {
        let conversation = &written(&conversation)?;
        let put = self
            .transact(|mut tx| async move {
                let put = put_conversation(self, &mut tx, conversation).await;
                (tx, put)
            })
            .await?;
        Ok(put)
    }

    async fn put_messages(
        &self,
        conversation: ConversationId,
        messages: Vec<MessageRecord>,
    ) -> Result<Vec<Put>, StoreError> {
        let batch = &messages::Batch::new(conversation, messages).await?;
        let outcomes = self
            .transact(|mut tx| async move {
                let outcomes = batch.put(self, &mut tx).await;
                (tx, outcomes)
            })
            .await?;
        Ok(outcomes)
    }

    async fn put_rating(&self, message: MessageId, rating: Rating) -> Result<Put, StoreError> {
        let put = self
            .transact(|mut tx| async move {
                let put = put_rating(self, &mut tx, message, rating).await;
                (tx, put)
            })
            .await?;
        Ok(put)
    }

    async fn scan_users(
        &self,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<UserRecord>, StoreError> {
        let found: Vec<UserDocument> = self.scan(behind(after), "_id", limit).await?;
        let users = found.into_iter().map(UserDocument::read);
        Ok(users.collect::<Result<_, _>>()?)
    }

    async fn scan_sessions(
        &self,
        user: Option<UserId>,
        after: Option<SessionId>,
        limit: u32,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let mut filter = behind(after);
        if let Some(user) = user {
            filter.insert("user", user.stored());
        }
        let found: Vec<SessionDocument> = self.scan(filter, "_id", limit).await?;
        let sessions = found.into_iter().map(SessionDocument::read);
        Ok(sessions.collect::<Result<_, _>>()?)
    }

    async fn scan_conversations(
        &self,
        owner: Option<&Owner>,
        after: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<ConversationRecord>, StoreError> {
        let mut filter = behind(after);
        if let Some(owner) = owner {
            filter.insert("owner", owner.to_string());
        }
        let found: Vec<ConversationDocument> = self.scan(filter, "_id", limit).await?;
        Ok(found.into_iter().map(read).collect::<Result<_, _>>()?)
    }

    async fn scan_messages(
        &self,
        conversation: ConversationId,
        after: u64,
        limit: u32,
    ) -> Result<Vec<MessageRecord>, StoreError> {
        let filter = doc! {"conversation": conversation.stored(), "seq": {"$gt": signed(after)}};
        let found: Vec<MessageDocument> = self.scan(filter, "seq", limit).await?;
        let is_long = found.iter().any(|message| message.body.is_long());
        let records = aside(is_long, move || {
            found.into_iter().map(messages::read).collect()
        });
        Ok(records.await?)
    }

    async fn scan_owners(
        &self,
        after: Option<&Owner>,
        limit: u32,
    ) -> Result<Vec<Owner>, StoreError> {
        let mut after = after.map(Owner::to_string).unwrap_or_default();
        let mut next = Vec::new();
        for source in OWNERS {
            next.push(self.owner_after(source, &after).await?);
        }
        let mut owners = Vec::new();
        for _ in 0..limit {
            let Some(first) = next.iter().flatten().min().cloned() else {
                break;
            };
            let owner = first
                .parse()
                .map_err(Failure::corrupt::<InvalidOwner>("owner"))?;
            owners.push(owner);
            after = first;
            for (source, next) in OWNERS.into_iter().zip(&mut next) {
                if next.as_ref() == Some(&after) {
                    *next = self.owner_after(source, &after).await?;
                }
            }
        }
        Ok(owners)
    }
}

/// Where owners are: the collection, the field, and a field that must be `true` for its document to count.
#[derive(Debug, Clone, Copy)]
struct Source {
    collection: &'static str,
    field: &'static str,
    only: Option<&'static str>,
}

const OWNERS: [Source; 4] = [
    Source {
        collection: ConversationDocument::COLLECTION,
        field: "owner",
        only: None,
    },
    Source {
        collection: PinDocument::COLLECTION,
        field: "owner",
        only: None,
    },
    Source {
        collection: "skein_files.files",
        field: "metadata.owner",
        only: Some("metadata.complete"),
    },
    Source {
        collection: DocumentDocument::COLLECTION,
        field: "owner",
        only: None,
    },
];

impl MongoStore {
    /// A page of documents in the order of this field; messages without their terms.
    async fn scan<T>(&self, filter: Document, order: &str, limit: u32) -> Result<Vec<T>, Failure>
    where
        T: crate::layout::Stored + serde::de::DeserializeOwned,
    {
        if limit == 0 {
            // To the server it would mean all.
            return Ok(Vec::new());
        }
        self.retried(|| async {
            let page = self.all::<T>();
            let page = page
                .find(filter.clone())
                .projection(doc! {"terms": 0})
                .sort(doc! {order: 1})
                .limit(i64::from(limit));
            self.read_all(page).await
        })
        .await
    }

    /// The first owner behind this one, each of which costs one look into an index, however much is theirs.
    async fn owner_after(&self, source: Source, after: &str) -> Result<Option<String>, Failure> {
        let mut filter = doc! {source.field: {"$gt": after}};
        if let Some(only) = source.only {
            filter.insert(only, true);
        }
        let found = self
            .retried(|| async {
                let all = self.database().collection::<Document>(source.collection);
                Ok(all
                    .find_one(filter.clone())
                    .sort(doc! {source.field: 1})
                    .projection(doc! {"_id": 0, source.field: 1})
                    .await?)
            })
            .await?;
        let Some(mut found) = found else {
            return Ok(None);
        };
        let mut path = source.field.split('.').peekable();
        while let Some(name) = path.next() {
            if path.peek().is_none() {
                let owner = found.get_str(name).map_err(Failure::corrupt("owner"))?;
                return Ok(Some(owner.to_owned()));
            }
            let inner = found
                .get_document(name)
                .map_err(Failure::corrupt("owner"))?;
            found = inner.clone();
        }
        Ok(None)
    }
}

fn behind(after: Option<impl StoredId>) -> Document {
    match after {
        Some(after) => doc! {"_id": {"$gt": after.stored()}},
        None => Document::new(),
    }
}

fn written(record: &ConversationRecord) -> Result<ConversationDocument, Failure> {
    Ok(ConversationDocument {
        alias: record.alias.clone(),
        metadata: serde_json::to_string(&record.metadata)
            .map_err(Failure::corrupt("conversation's metadata"))?,
        tokens_used: signed(record.tokens_used),
        next_seq: signed(record.next_seq.max(1)),
        ..ConversationDocument::new(&record.conversation)
    })
}

fn read(mut document: ConversationDocument) -> Result<ConversationRecord, Failure> {
    Ok(ConversationRecord {
        alias: document.alias.take(),
        metadata: serde_json::from_str(&document.metadata)
            .map_err(Failure::corrupt("conversation's metadata"))?,
        tokens_used: unsigned(document.tokens_used)?,
        next_seq: unsigned(document.next_seq)?,
        conversation: document.read()?,
    })
}

async fn put_conversation(
    store: &MongoStore,
    tx: &mut Tx,
    conversation: &ConversationDocument,
) -> Result<Put, Failure> {
    let all = store.all::<ConversationDocument>();
    let known = all
        .find_one(doc! {"_id": conversation.id})
        .session(&mut tx.session)
        .await?;
    if known.is_some() {
        return Ok(Put::Known);
    }
    if let Some(alias) = &conversation.alias {
        let other = all
            .find_one(doc! {"alias": alias})
            .session(&mut tx.session)
            .await?;
        if other.is_some() {
            return Ok(Put::Taken);
        }
    }
    // One that came meanwhile is a conflict, and all of this is done again.
    all.insert_one(conversation)
        .session(&mut tx.session)
        .await?;
    Ok(Put::New)
}

async fn put_rating(
    store: &MongoStore,
    tx: &mut Tx,
    message: MessageId,
    rating: Rating,
) -> Result<Put, Failure> {
    #[derive(Deserialize)]
    struct Rated {
        rating: Option<i64>,
    }
    let id = doc! {"_id": message.stored()};
    let found = store
        .part::<MessageDocument, Rated>()
        .find_one(id.clone())
        .projection(doc! {"rating": 1})
        .session(&mut tx.session)
        .await?;
    match found {
        None => return Ok(Put::Orphan),
        Some(Rated { rating: Some(_) }) => return Ok(Put::Known),
        Some(Rated { rating: None }) => {}
    }
    store
        .all::<MessageDocument>()
        .update_one(id, doc! {"$set": {"rating": stored_rating(rating)}})
        .session(&mut tx.session)
        .await?;
    Ok(Put::New)
}

#[cfg(test)]
mod tests;

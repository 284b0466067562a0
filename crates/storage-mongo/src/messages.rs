use async_trait::async_trait;
use chat_core::{
    id::MessageId,
    message::Message,
    ports::{MessagePage, MessageQuery, Messages, SearchHit, SearchQuery, StoreError, Wanted},
};
use mongodb::bson::doc;

use crate::{
    MongoStore,
    blocking::aside,
    error::Failure,
    layout::{MessageDocument, StoredId as _, signed},
    search,
};

#[async_trait]
impl Messages for MongoStore {
    async fn find_message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        let found = self
            .retried(|| async {
                Ok(self
                    .all::<MessageDocument>()
                    .find_one(doc! {"_id": id.stored()})
                    .projection(doc! {"terms": 0})
                    .await?)
            })
            .await?;
        let message = read_all(Vec::from_iter(found)).await?.pop();
        Ok(message)
    }

    async fn list_messages(&self, query: MessageQuery) -> Result<MessagePage, StoreError> {
        let (seq, order) = match query.wanted {
            Wanted::After(seq) => (doc! {"$gt": signed(seq)}, 1),
            Wanted::Before(seq) => (doc! {"$lt": signed(seq)}, -1),
        };
        let filter = doc! {"conversation": query.conversation.stored(), "seq": seq};
        // One more than wanted tells whether there are more.
        let limit = i64::from(query.limit) + 1;
        let mut found = self
            .retried(|| async {
                let all = self.all::<MessageDocument>();
                let page = all
                    .find(filter.clone())
                    .projection(doc! {"terms": 0})
                    .sort(doc! {"seq": order})
                    .limit(limit);
                self.read_all(page).await
            })
            .await?;
        let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let more = found.len() > wanted;
        found.truncate(wanted);
        Ok(MessagePage {
            messages: read_all(found).await?,
            more,
        })
    }

    async fn search_messages(&self, query: SearchQuery) -> Result<Vec<SearchHit>, StoreError> {
        Ok(search::find(self, &query).await?)
    }
}

/// What documents say.
pub(crate) async fn read_all(found: Vec<MessageDocument>) -> Result<Vec<Message>, Failure> {
    let is_long = found.iter().any(|message| message.body.is_long());
    aside(is_long, move || {
        found.into_iter().map(MessageDocument::read).collect()
    })
    .await
}

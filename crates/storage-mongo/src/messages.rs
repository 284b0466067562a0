use async_trait::async_trait;
use chat_core::{
    id::{ConversationId, MessageId},
    message::{Message, Rating},
    ports::{MessagePage, MessageQuery, Messages, SearchHit, SearchQuery, StoreError, Wanted},
};
use mongodb::bson::{Uuid, doc};
use serde::Deserialize;

use crate::{
    MongoStore,
    blocking::aside,
    error::Failure,
    layout::{MessageDocument, StoredId, read_rating, signed, stored_rating},
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

    async fn rate_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        rating: Rating,
    ) -> Result<bool, StoreError> {
        let rated = self
            .retried(|| async {
                let all = self.all::<MessageDocument>();
                let message = doc! {"_id": message.stored(), "conversation": conversation.stored()};
                let rating = doc! {"$set": {"rating": stored_rating(rating)}};
                Ok(all.update_one(message, rating).await?.matched_count == 1)
            })
            .await?;
        Ok(rated)
    }

    async fn list_ratings(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<(MessageId, Rating)>, StoreError> {
        #[derive(Deserialize)]
        struct Rated {
            #[serde(rename = "_id")]
            id: Uuid,
            rating: i64,
        }
        let found = self
            .retried(|| async {
                let all = self.part::<MessageDocument, Rated>();
                let rated = all
                    .find(doc! {"conversation": conversation.stored(), "rating": {"$exists": true}})
                    .projection(doc! {"rating": 1})
                    .sort(doc! {"seq": 1});
                self.read_all(rated).await
            })
            .await?;
        let ratings = found.into_iter().map(|message| {
            Ok((
                StoredId::from_stored(message.id),
                read_rating(message.rating)?,
            ))
        });
        Ok(ratings.collect::<Result<_, Failure>>()?)
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

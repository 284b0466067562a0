use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    id::{ConversationId, MessageId},
    message::{Message, Rating},
    ports::{MessagePage, MessageQuery, Messages, SearchHit, SearchQuery, StoreError, Wanted},
    terms,
};

#[async_trait]
impl Messages for MemoryStore {
    async fn find_message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.lock().messages.get(&id).cloned())
    }

    async fn list_messages(&self, query: MessageQuery) -> Result<MessagePage, StoreError> {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut messages: Vec<Message> = self
            .lock()
            .messages
            .values()
            .filter(|message| message.conversation == query.conversation)
            .filter(|message| match query.wanted {
                Wanted::After(seq) => message.seq > seq,
                Wanted::Before(seq) => message.seq < seq,
            })
            .cloned()
            .collect();
        messages.sort_by_key(|message| message.seq);
        if matches!(query.wanted, Wanted::Before(_)) {
            messages.reverse();
        }
        let more = messages.len() > limit;
        messages.truncate(limit);
        Ok(MessagePage { messages, more })
    }

    async fn search_messages(&self, query: SearchQuery) -> Result<Vec<SearchHit>, StoreError> {
        let wanted = terms::fold(&query.text);
        let state = self.lock();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut hits: Vec<SearchHit> = state
            .messages
            .values()
            .filter_map(|message| {
                let row = state.conversations.get(&message.conversation)?;
                let terms = terms::fold(&message.body.text());
                let found = row.conversation.owner == query.owner
                    && wanted.iter().all(|term| terms.contains(term));
                found.then(|| SearchHit {
                    message: message.clone(),
                    title: row.conversation.title.clone(),
                })
            })
            .collect();
        hits.sort_by_key(|hit| {
            std::cmp::Reverse((hit.message.created_at_ms, hit.message.seq, hit.message.id))
        });
        hits.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        Ok(hits)
    }

    async fn rate_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        rating: Rating,
    ) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let is_there = state.message_of(conversation, message).is_some();
        if is_there {
            state.ratings.insert(message, rating);
        }
        Ok(is_there)
    }

    async fn list_ratings(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<(MessageId, Rating)>, StoreError> {
        let state = self.lock();
        let rated = |message: &Message| Some((message.seq, *state.ratings.get(&message.id)?));
        let mut ratings: Vec<(u64, MessageId, Rating)> = state
            .messages
            .values()
            .filter(|message| message.conversation == conversation)
            .filter_map(|message| rated(message).map(|(seq, rating)| (seq, message.id, rating)))
            .collect();
        ratings.sort_by_key(|(seq, ..)| *seq);
        let pair = |(_, id, rating)| (id, rating);
        Ok(ratings.into_iter().map(pair).collect())
    }
}

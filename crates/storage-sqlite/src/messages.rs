use async_trait::async_trait;
use chat_core::{
    id::{ConversationId, MessageId},
    message::{Message, Rating},
    ports::{MessagePage, MessageQuery, Messages, SearchHit, SearchQuery, StoreError, Wanted},
};
use rusqlite::{Connection, params};

use crate::{
    SqliteStore,
    error::Failure,
    rows::{self, StoredId as _, signed},
    search,
};

#[async_trait]
impl Messages for SqliteStore {
    async fn find_message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        self.query(move |connection| {
            connection
                .prepare_cached(
                    "SELECT id, conversation, seq, role, created_at, body FROM message WHERE id = ?1",
                )?
                .query_and_then([id.bytes()], rows::message)?
                .next()
                .transpose()
        })
        .await
    }

    async fn list_messages(&self, query: MessageQuery) -> Result<MessagePage, StoreError> {
        self.query(move |connection| list(connection, &query)).await
    }

    async fn search_messages(&self, query: SearchQuery) -> Result<Vec<SearchHit>, StoreError> {
        self.query(move |connection| find_by_terms(connection, &query))
            .await
    }

    async fn rate_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        rating: Rating,
    ) -> Result<bool, StoreError> {
        self.write(move |writing| {
            let rated = writing
                .connection
                .prepare_cached(
                    "UPDATE message SET rating = ?3 WHERE id = ?1 AND conversation = ?2",
                )?
                .execute(params![
                    message.bytes(),
                    conversation.bytes(),
                    rows::rating_number(rating)
                ])?;
            Ok(rated == 1)
        })
        .await
    }

    async fn list_ratings(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<(MessageId, Rating)>, StoreError> {
        self.query(move |connection| {
            let mut statement = connection.prepare_cached(RATINGS)?;
            let mut rated = statement.query([conversation.bytes()])?;
            let mut ratings = Vec::new();
            while let Some(row) = rated.next()? {
                if let Some(rating) = rows::rating(row, 1)? {
                    ratings.push((rows::id(row, 0)?, rating));
                }
            }
            Ok(ratings)
        })
        .await
    }
}

/// Finds the ratings of a conversation's messages, in order.
pub(crate) const RATINGS: &str = "SELECT id, rating FROM message
     WHERE conversation = ?1 AND rating IS NOT NULL ORDER BY seq";

fn list(connection: &Connection, query: &MessageQuery) -> Result<MessagePage, Failure> {
    // One more than wanted tells whether there are more.
    let limit = i64::from(query.limit) + 1;
    let (mut statement, from) = match query.wanted {
        Wanted::After(seq) => (
            connection.prepare_cached(
                "SELECT id, conversation, seq, role, created_at, body FROM message
                 WHERE conversation = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
            )?,
            seq,
        ),
        Wanted::Before(seq) => (
            connection.prepare_cached(
                "SELECT id, conversation, seq, role, created_at, body FROM message
                 WHERE conversation = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
            )?,
            seq,
        ),
    };
    let mut messages: Vec<_> = statement
        .query_and_then(
            params![query.conversation.bytes(), signed(from), limit],
            rows::message,
        )?
        .collect::<Result<_, _>>()?;
    let wanted = usize::try_from(query.limit).unwrap_or(usize::MAX);
    let more = messages.len() > wanted;
    messages.truncate(wanted);
    Ok(MessagePage { messages, more })
}

fn find_by_terms(connection: &Connection, query: &SearchQuery) -> Result<Vec<SearchHit>, Failure> {
    let Some(terms) = search::query(&query.owner, &query.text) else {
        return Ok(Vec::new());
    };
    connection
        .prepare_cached(
            "SELECT m.id, m.conversation, m.seq, m.role, m.created_at, m.body, c.title
             FROM message_terms t
             JOIN message m ON m.key = t.rowid
             JOIN conversation c ON c.id = m.conversation
             WHERE message_terms MATCH ?1 AND c.owner = ?2
             ORDER BY m.created_at DESC, m.key DESC LIMIT ?3",
        )?
        .query_and_then(
            params![terms, query.owner.to_string(), query.limit],
            |row| {
                Ok(SearchHit {
                    message: rows::message(row)?,
                    title: row.get(6)?,
                })
            },
        )?
        .collect()
}

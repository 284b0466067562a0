use async_trait::async_trait;
use chat_core::{
    access::Owner,
    id::ConversationId,
    ports::{Notes, Pin, PinScope, StoreError, Summary},
};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::{
    SqliteStore,
    error::Failure,
    rows::{self, StoredId as _, signed},
};

#[async_trait]
impl Notes for SqliteStore {
    async fn find_summary(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Summary>, StoreError> {
        self.query(move |connection| {
            connection
                .prepare_cached(
                    "SELECT text, covers_upto, costs, model, created_at FROM summary
                     WHERE conversation = ?1",
                )?
                .query_and_then([conversation.bytes()], summary)?
                .next()
                .transpose()
        })
        .await
    }

    async fn store_summary(
        &self,
        conversation: ConversationId,
        was: Option<u64>,
        summary: Summary,
    ) -> Result<bool, StoreError> {
        self.write(move |writing| replace_summary(writing.connection, conversation, was, &summary))
            .await
    }

    async fn list_pins(
        &self,
        owner: &Owner,
        conversation: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<Pin>, StoreError> {
        let owner = owner.to_string();
        self.query(move |connection| {
            let mut pins: Vec<Pin> = connection
                .prepare_cached(
                    "SELECT id, owner, conversation, prompt, answer, created_at FROM pin
                     WHERE owner = ?1 ORDER BY created_at, id LIMIT ?2",
                )?
                .query_and_then(params![owner, limit], pin)?
                .collect::<Result<_, _>>()?;
            let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
            if let Some(conversation) = conversation {
                let of_conversation = connection
                    .prepare_cached(
                        "SELECT id, owner, conversation, prompt, answer, created_at FROM pin
                         WHERE conversation = ?1 ORDER BY created_at, id LIMIT ?2",
                    )?
                    .query_and_then(params![conversation.bytes(), limit], pin)?
                    .take(wanted - pins.len().min(wanted))
                    .collect::<Result<Vec<_>, _>>()?;
                pins.extend(of_conversation);
            }
            Ok(pins)
        })
        .await
    }

    async fn insert_pin(&self, pin: Pin) -> Result<bool, StoreError> {
        self.write(move |writing| insert_pin(writing.connection, &pin))
            .await
    }
}

fn replace_summary(
    connection: &Connection,
    conversation: ConversationId,
    was: Option<u64>,
    summary: &Summary,
) -> Result<bool, Failure> {
    if !exists(connection, conversation)? {
        return Ok(false);
    }
    let stored: Option<i64> = connection
        .prepare_cached("SELECT covers_upto FROM summary WHERE conversation = ?1")?
        .query_row([conversation.bytes()], |row| row.get(0))
        .optional()?;
    if stored != was.map(signed) {
        return Ok(false);
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO summary (conversation, text, covers_upto, costs, model, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            conversation.bytes(),
            summary.text,
            signed(summary.covers_upto),
            rows::to_json("summary's costs", &summary.costs)?,
            summary.model,
            summary.created_at_ms,
        ])?;
    Ok(true)
}

fn insert_pin(connection: &Connection, pin: &Pin) -> Result<bool, Failure> {
    let (owner, conversation) = match &pin.scope {
        PinScope::Owner(owner) => (Some(owner.to_string()), None),
        PinScope::Conversation(id) if exists(connection, *id)? => (None, Some(id.bytes())),
        PinScope::Conversation(_) => return Ok(false),
    };
    let stored = connection
        .prepare_cached(
            "INSERT INTO pin (id, owner, conversation, prompt, answer, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (id) DO NOTHING",
        )?
        .execute(params![
            pin.id.bytes(),
            owner,
            conversation,
            pin.prompt,
            pin.answer,
            pin.created_at_ms,
        ])?;
    Ok(stored == 1)
}

fn exists(connection: &Connection, conversation: ConversationId) -> Result<bool, Failure> {
    Ok(connection
        .prepare_cached("SELECT 1 FROM conversation WHERE id = ?1")?
        .exists([conversation.bytes()])?)
}

fn summary(row: &Row<'_>) -> Result<Summary, Failure> {
    let costs: String = row.get(2)?;
    Ok(Summary {
        text: row.get(0)?,
        covers_upto: rows::unsigned(row, 1)?,
        costs: rows::from_json("summary's costs", &costs)?,
        model: row.get(3)?,
        created_at_ms: row.get(4)?,
    })
}

fn pin(row: &Row<'_>) -> Result<Pin, Failure> {
    let conversation: Option<[u8; 16]> = row.get(2)?;
    Ok(Pin {
        id: rows::id(row, 0)?,
        scope: match conversation {
            Some(bytes) => PinScope::Conversation(ConversationId::from_bytes(bytes)),
            None => PinScope::Owner(rows::owner(row, 1)?),
        },
        prompt: row.get(3)?,
        answer: row.get(4)?,
        created_at_ms: row.get(5)?,
    })
}

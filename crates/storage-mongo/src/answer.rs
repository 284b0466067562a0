//! An answer message as it is written: by its leg while it grows, and by whoever ends or continues a run that waits.

use chat_core::message::{MessageBody, Role};
use mongodb::bson::{Uuid, doc, serialize_to_bson};

use crate::{
    MongoStore,
    blocking::{LONG, aside},
    error::Failure,
    layout::{MessageDocument, StoredText, date, search_terms},
    transaction::Tx,
};

/// What an answer holds as it is stored, made before the transaction, which holds others up.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    body: StoredText,
    terms: Vec<String>,
}

impl Content {
    /// `None` for a body without content, which is not stored.
    pub(crate) async fn new(body: MessageBody) -> Result<Option<Self>, Failure> {
        aside(body.weight() >= LONG, move || Self::of(&body)).await
    }

    /// The same, at once: for a caller that is on the pool for long work already.
    pub(crate) fn of(body: &MessageBody) -> Result<Option<Self>, Failure> {
        if body.parts.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            body: StoredText::of("message", body)?,
            terms: search_terms(Role::Assistant, body),
        }))
    }
}

/// Where an answer stands, and what is kept from its first write on.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    pub(crate) id: Uuid,
    pub(crate) conversation: Uuid,
    pub(crate) seq: i64,
    pub(crate) owner: &'a str,
    pub(crate) created_at_ms: i64,
}

/// Inserts the answer at its reserved place, or overwrites its body.
pub(crate) async fn write(
    store: &MongoStore,
    tx: &mut Tx,
    place: Place<'_>,
    content: &Content,
) -> Result<(), Failure> {
    let body = serialize_to_bson(&content.body).map_err(Failure::corrupt("message"))?;
    let mut write = doc! {
        "$set": {"body": body},
        "$setOnInsert": {
            "conversation": place.conversation,
            "seq": place.seq,
            "role": Role::Assistant.as_str(),
            "created_at": date(place.created_at_ms),
            "owner": place.owner,
        },
    };
    if content.terms.is_empty() {
        write.insert("$unset", doc! {"terms": ""});
    } else if let Ok(set) = write.get_document_mut("$set") {
        set.insert("terms", &content.terms);
    }
    store
        .all::<MessageDocument>()
        .update_one(doc! {"_id": place.id}, write)
        .upsert(true)
        .session(&mut tx.session)
        .await?;
    Ok(())
}

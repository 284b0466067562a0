use async_trait::async_trait;
use chat_core::{
    access::{InvalidOwner, Owner},
    id::{ConversationId, PinId},
    message::TokenCost,
    ports::{Notes, Pin, PinScope, StoreError, Summary},
};
use mongodb::bson::{DateTime, Document, Uuid, doc};
use serde::{Deserialize, Serialize};

use crate::{
    MongoStore,
    error::Failure,
    layout::{ConversationDocument, Stored, StoredId as _, date, signed, unsigned},
    transaction::Tx,
};

/// A conversation's summary, in `skein_summaries`.
#[derive(Debug, Serialize, Deserialize)]
struct SummaryDocument {
    /// The conversation.
    #[serde(rename = "_id")]
    id: Uuid,
    text: String,
    covers_upto: i64,
    costs: Vec<CostDocument>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    created_at: DateTime,
}

/// What a summary costs in one encoding.
#[derive(Debug, Serialize, Deserialize)]
struct CostDocument {
    encoding: String,
    tokens: i64,
}

/// A pinned exchange, in `skein_pins`. It has an owner or a conversation.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct PinDocument {
    #[serde(rename = "_id")]
    id: Uuid,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conversation: Option<Uuid>,
    prompt: String,
    answer: String,
    created_at: DateTime,
}

impl Stored for SummaryDocument {
    const COLLECTION: &'static str = "skein_summaries";
}

impl Stored for PinDocument {
    const COLLECTION: &'static str = "skein_pins";
}

impl SummaryDocument {
    fn new(conversation: ConversationId, summary: Summary) -> Self {
        let cost = |cost: TokenCost| CostDocument {
            encoding: cost.encoding,
            tokens: i64::from(cost.tokens),
        };
        Self {
            id: conversation.stored(),
            text: summary.text,
            covers_upto: signed(summary.covers_upto),
            costs: summary.costs.into_iter().map(cost).collect(),
            model: summary.model,
            created_at: date(summary.created_at_ms),
        }
    }

    fn read(self) -> Result<Summary, Failure> {
        let cost = |cost: CostDocument| {
            Ok(TokenCost {
                encoding: cost.encoding,
                tokens: u32::try_from(cost.tokens).map_err(Failure::corrupt("summary's cost"))?,
            })
        };
        Ok(Summary {
            text: self.text,
            covers_upto: unsigned(self.covers_upto)?,
            costs: self
                .costs
                .into_iter()
                .map(cost)
                .collect::<Result<_, Failure>>()?,
            model: self.model,
            created_at_ms: self.created_at.timestamp_millis(),
        })
    }
}

impl PinDocument {
    fn new(pin: Pin) -> Self {
        let (owner, conversation) = match pin.scope {
            PinScope::Owner(owner) => (Some(owner.to_string()), None),
            PinScope::Conversation(id) => (None, Some(id.stored())),
        };
        Self {
            id: pin.id.stored(),
            owner,
            conversation,
            prompt: pin.prompt,
            answer: pin.answer,
            created_at: date(pin.created_at_ms),
        }
    }

    fn read(self) -> Result<Pin, Failure> {
        let scope = match (self.owner, self.conversation) {
            (Some(owner), None) => PinScope::Owner(
                owner
                    .parse()
                    .map_err(Failure::corrupt::<InvalidOwner>("owner"))?,
            ),
            (None, Some(id)) => PinScope::Conversation(ConversationId::from_stored(id)),
            _ => return Err(Failure::corrupt("pin")("it has no scope, or two")),
        };
        Ok(Pin {
            id: PinId::from_stored(self.id),
            scope,
            prompt: self.prompt,
            answer: self.answer,
            created_at_ms: self.created_at.timestamp_millis(),
        })
    }
}

#[async_trait]
impl Notes for MongoStore {
    async fn find_summary(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Summary>, StoreError> {
        let found = self
            .retried(|| async {
                let all = self.all::<SummaryDocument>();
                Ok(all.find_one(doc! {"_id": conversation.stored()}).await?)
            })
            .await?;
        Ok(found.map(SummaryDocument::read).transpose()?)
    }

    async fn store_summary(
        &self,
        conversation: ConversationId,
        was: Option<u64>,
        summary: Summary,
    ) -> Result<bool, StoreError> {
        let summary = &SummaryDocument::new(conversation, summary);
        let stored = self
            .transact(|mut tx| async move {
                let stored = replace_summary(self, &mut tx, was, summary).await;
                (tx, stored)
            })
            .await?;
        Ok(stored)
    }

    async fn list_pins(
        &self,
        owner: &Owner,
        conversation: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<Pin>, StoreError> {
        let mut pins = self
            .pins(doc! {"owner": owner.to_string()}, i64::from(limit))
            .await?;
        if let Some(conversation) = conversation {
            let left = limit.saturating_sub(u32::try_from(pins.len()).unwrap_or(u32::MAX));
            let filter = doc! {"conversation": conversation.stored()};
            pins.extend(self.pins(filter, i64::from(left)).await?);
        }
        Ok(pins)
    }

    async fn insert_pin(&self, pin: Pin) -> Result<bool, StoreError> {
        let pin = &PinDocument::new(pin);
        let stored = self
            .transact(|mut tx| async move {
                let stored = insert_pin(self, &mut tx, pin).await;
                (tx, stored)
            })
            .await?;
        Ok(stored)
    }
}

impl MongoStore {
    /// Writes to a conversation, so that a cut or a deletion that races the transaction is a conflict, and says whether
    /// there is one.
    async fn touch(&self, tx: &mut Tx, conversation: Uuid) -> Result<bool, Failure> {
        let touched = self
            .all::<ConversationDocument>()
            .update_one(doc! {"_id": conversation}, doc! {"$inc": {"writes": 1_i64}})
            .session(&mut tx.session)
            .await?;
        Ok(touched.matched_count == 1)
    }

    async fn pins(&self, filter: Document, limit: i64) -> Result<Vec<Pin>, Failure> {
        if limit == 0 {
            // To the server it would mean all.
            return Ok(Vec::new());
        }
        let found = self
            .retried(|| async {
                let all = self.all::<PinDocument>();
                let page = all
                    .find(filter.clone())
                    .sort(doc! {"created_at": 1, "_id": 1})
                    .limit(limit);
                self.read_all(page).await
            })
            .await?;
        found.into_iter().map(PinDocument::read).collect()
    }
}

async fn replace_summary(
    store: &MongoStore,
    tx: &mut Tx,
    was: Option<u64>,
    summary: &SummaryDocument,
) -> Result<bool, Failure> {
    let all = store.all::<SummaryDocument>();
    let found = all
        .find_one(doc! {"_id": summary.id})
        .session(&mut tx.session)
        .await?;
    if found.map(|found| found.covers_upto) != was.map(signed)
        || !store.touch(tx, summary.id).await?
    {
        return Ok(false);
    }
    all.replace_one(doc! {"_id": summary.id}, summary)
        .upsert(true)
        .session(&mut tx.session)
        .await?;
    Ok(true)
}

async fn insert_pin(store: &MongoStore, tx: &mut Tx, pin: &PinDocument) -> Result<bool, Failure> {
    let all = store.all::<PinDocument>();
    let found = all
        .find_one(doc! {"_id": pin.id})
        .session(&mut tx.session)
        .await?;
    if found.is_some() {
        return Ok(false);
    }
    if let Some(conversation) = pin.conversation
        && !store.touch(tx, conversation).await?
    {
        return Ok(false);
    }
    all.insert_one(pin).session(&mut tx.session).await?;
    Ok(true)
}

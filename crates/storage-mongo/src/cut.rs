//! Deleting messages with the runs that wrote or were to write them.

use chat_core::{id::ConversationId, ports::DroppedLeg};
use mongodb::bson::{Document, Uuid, doc};
use serde::Deserialize;

use crate::{
    MongoStore,
    error::Failure,
    layout::{LegDocument, MessageDocument, RunDocument, SealDocument, StoredId, signed},
    transaction::Tx,
};

/// Deletes the messages of a conversation from this place on, with their runs, legs and seals, and the summary if it
/// covers one of them. Gives the legs that were open.
///
/// Log records of the legs are left to the sweeper. A write of such a leg that races this one writes to the leg, too, so
/// that one of the two is done again on what the other one left.
pub(crate) async fn cut_from(
    store: &MongoStore,
    tx: &mut Tx,
    conversation: ConversationId,
    from: u64,
) -> Result<Vec<DroppedLeg>, Failure> {
    #[derive(Deserialize)]
    struct Leg {
        #[serde(rename = "_id")]
        id: Uuid,
        node: Uuid,
        #[serde(default)]
        open: bool,
    }
    let conversation = conversation.stored();
    let answered = doc! {"conversation": conversation, "answer_seq": {"$gte": signed(from)}};
    let all = store.part::<LegDocument, Leg>();
    let legs = all
        .find(answered.clone())
        .projection(doc! {"node": 1, "open": 1})
        .sort(doc! {"answer_seq": 1, "idx": 1});
    let legs = tx.read_all(legs).await?;
    store
        .all::<MessageDocument>()
        .delete_many(doc! {"conversation": conversation, "seq": {"$gte": signed(from)}})
        .session(&mut tx.session)
        .await?;
    store
        .database()
        .collection::<Document>(SUMMARIES)
        .delete_one(doc! {"_id": conversation, "covers_upto": {"$gte": signed(from)}})
        .session(&mut tx.session)
        .await?;
    if legs.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = legs.iter().map(|leg| leg.id).collect();
    store
        .all::<SealDocument>()
        .delete_many(doc! {"_id": {"$in": ids}})
        .session(&mut tx.session)
        .await?;
    store
        .all::<LegDocument>()
        .delete_many(answered.clone())
        .session(&mut tx.session)
        .await?;
    store
        .all::<RunDocument>()
        .delete_many(answered)
        .session(&mut tx.session)
        .await?;
    let open = legs.into_iter().filter(|leg| leg.open);
    Ok(open
        .map(|leg| DroppedLeg {
            leg: StoredId::from_stored(leg.id),
            node: StoredId::from_stored(leg.node),
        })
        .collect())
}

const SUMMARIES: &str = "skein_summaries";

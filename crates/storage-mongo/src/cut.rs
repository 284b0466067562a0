//! Deleting messages with the runs that wrote or were to write them.

use std::sync::{Mutex, PoisonError};

use chat_core::{
    id::{ConversationId, MessageId},
    ports::{Cut, DroppedLeg},
};
use mongodb::bson::{Document, Uuid, doc};
use serde::Deserialize;

use crate::{
    MongoStore,
    error::Failure,
    layout::{
        ConversationDocument, LegDocument, MessageDocument, RunDocument, SealDocument, StoredId,
        signed, unsigned,
    },
    transaction::Tx,
};

/// Deletes from a message on as [`chat_core::ports::Conversations::cut`] says.
///
/// `before` is what an earlier run of this body deleted, which may have been committed without our knowing: then nothing is
/// left to tell it by.
pub(crate) async fn cut(
    store: &MongoStore,
    tx: &mut Tx,
    conversation: ConversationId,
    from: MessageId,
    before: &Mutex<Option<Cut>>,
) -> Result<Option<Cut>, Failure> {
    #[derive(Deserialize)]
    struct Place {
        seq: i64,
    }
    let place = store
        .part::<MessageDocument, Place>()
        .find_one(doc! {"_id": from.stored(), "conversation": conversation.stored()})
        .projection(doc! {"seq": 1})
        .session(&mut tx.session)
        .await?;
    // Nothing panics while it is held.
    let remembered = || before.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(place) = place else {
        return Ok(remembered().clone().filter(|_| tx.may_be_done));
    };
    // A send that races this writes the conversation, too.
    store
        .all::<ConversationDocument>()
        .update_one(
            doc! {"_id": conversation.stored()},
            doc! {"$inc": {"epoch": 1_i64}},
        )
        .session(&mut tx.session)
        .await?;
    let cut = cut_from(store, tx, conversation, unsigned(place.seq)?).await?;
    *remembered() = Some(cut.clone());
    Ok(Some(cut))
}

/// Deletes the messages of a conversation from this place on, with their runs, legs and seals, and the summary if it
/// covers one of them. Gives the number of messages and the legs that were open.
///
/// Log records of the legs are left to the sweeper. A write of such a leg that races this one writes to the leg, too, so
/// that one of the two is done again on what the other one left.
pub(crate) async fn cut_from(
    store: &MongoStore,
    tx: &mut Tx,
    conversation: ConversationId,
    from: u64,
) -> Result<Cut, Failure> {
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
    let deleted = store
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
    let messages = deleted.deleted_count;
    if legs.is_empty() {
        return Ok(Cut {
            messages,
            dropped: Vec::new(),
        });
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
    let dropped = open.map(|leg| DroppedLeg {
        leg: StoredId::from_stored(leg.id),
        node: StoredId::from_stored(leg.node),
    });
    Ok(Cut {
        messages,
        dropped: dropped.collect(),
    })
}

const SUMMARIES: &str = "skein_summaries";

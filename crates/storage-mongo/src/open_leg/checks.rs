//! What may stand in the way of a send.

use std::collections::HashSet;

use chat_core::{message::Role, ports::OpenLeg};
use mongodb::bson::{Uuid, doc};
use serde::Deserialize;

use crate::{
    MongoStore,
    error::Failure,
    layout::{MessageDocument, RunDocument, StoredId, date, signed, unsigned},
    transaction::Tx,
};

/// Whether the caller has sent more messages than they may.
///
/// A send of theirs that races this one writes the same document of `skein_quotas`, so that the later one counts again.
pub(super) async fn is_spent(
    store: &MongoStore,
    tx: &mut Tx,
    open: &OpenLeg,
) -> Result<bool, Failure> {
    let Some(quota) = open.quota else {
        return Ok(false);
    };
    // All of it is in the index; no message is read.
    let sent = doc! {
        "owner": open.caller.to_string(),
        "role": Role::User.as_str(),
        "created_at": {"$gte": date(quota.since_ms)},
    };
    // No more than tells whether it is spent; the server's numbers are signed.
    let most = quota.limit.saturating_add(1).min(i64::MAX.unsigned_abs());
    let count = store
        .all::<MessageDocument>()
        .count_documents(sent)
        .limit(most)
        .session(&mut tx.session)
        .await?;
    Ok(count > quota.limit)
}

/// Where the cut begins: at a person's message of the conversation, and at no other.
pub(super) async fn cut_place(
    store: &MongoStore,
    tx: &mut Tx,
    open: &OpenLeg,
) -> Result<Option<u64>, Failure> {
    #[derive(Deserialize)]
    struct Place {
        seq: i64,
    }
    let Some(from) = open.cut_from else {
        return Ok(None);
    };
    let found = store
        .part::<MessageDocument, Place>()
        .find_one(doc! {
            "_id": from.stored(),
            "conversation": open.conversation.stored(),
            "role": Role::User.as_str(),
        })
        .projection(doc! {"seq": 1})
        .session(&mut tx.session)
        .await?;
    found.map(|place| unsigned(place.seq)).transpose()
}

/// Whether ids of a send are another's.
pub(super) enum Taken {
    No,
    Yes,
    /// The answer's id is that of the very same run.
    ByItself,
}

/// Whether an id of an input message or of the answer is another's: a stored message's that stays, one that an answer
/// will have, or that of an input message before it.
///
/// The ids of answers that are still to come count, since an answer that cannot be stored could never be closed.
pub(super) async fn taken(
    store: &MongoStore,
    tx: &mut Tx,
    open: &OpenLeg,
    cut: Option<u64>,
) -> Result<Taken, Failure> {
    #[derive(Deserialize)]
    struct Message {
        conversation: Uuid,
        seq: i64,
    }
    #[derive(Deserialize)]
    struct Run {
        #[serde(rename = "_id")]
        id: Uuid,
        conversation: Uuid,
        answer_seq: i64,
    }
    let mut ids = HashSet::from([open.answer]);
    if !open.input.iter().all(|message| ids.insert(message.id)) {
        return Ok(Taken::Yes);
    }
    let ids: Vec<Uuid> = ids.into_iter().map(StoredId::stored).collect();
    let stays = |conversation: Uuid, seq: i64| {
        conversation != open.conversation.stored() || cut.is_none_or(|cut| seq < signed(cut))
    };
    let all = store.part::<RunDocument, Run>();
    let runs = all
        .find(doc! {"answer": {"$in": ids.clone()}})
        .projection(doc! {"conversation": 1, "answer_seq": 1});
    let runs = tx.read_all(runs).await?;
    if runs.iter().any(|run| run.id == open.run.stored()) {
        return Ok(Taken::ByItself);
    }
    let all = store.part::<MessageDocument, Message>();
    let messages = all
        .find(doc! {"_id": {"$in": ids}})
        .projection(doc! {"conversation": 1, "seq": 1});
    let messages = tx.read_all(messages).await?;
    let any = runs
        .iter()
        .any(|run| stays(run.conversation, run.answer_seq))
        || messages
            .iter()
            .any(|message| stays(message.conversation, message.seq));
    Ok(if any { Taken::Yes } else { Taken::No })
}

//! A run as it stands: the holder of a conversation's slot, or a run that is named.

use chat_core::{
    id::{ConversationId, LegId, MessageId, NodeId, RunId},
    ports::PausedRun,
    run::RunStatus,
};
use mongodb::bson::{DateTime, Document, Uuid, doc};
use serde::Deserialize;

use crate::{
    MongoStore,
    error::Failure,
    layout::{LegDocument, RunDocument, StoredId, named},
    transaction::Tx,
};

/// A run with its newest leg.
#[derive(Debug)]
pub(crate) struct RunNow {
    pub(crate) conversation: ConversationId,
    pub(crate) run: RunId,
    pub(crate) status: RunStatus,
    pub(crate) ended_at: Option<DateTime>,
    /// The id that the answer has or will have.
    pub(crate) answer: MessageId,
    pub(crate) answer_seq: i64,
    /// The conversation's owner, as it is stored.
    pub(crate) owner: String,
    /// Its newest leg. No other one can be open.
    pub(crate) leg: LegId,
    /// That leg's node.
    pub(crate) node: NodeId,
    /// That leg's place in the run.
    pub(crate) index: i64,
    /// Whether that leg is open.
    pub(crate) is_open: bool,
}

impl RunNow {
    /// Whether it waits for its client.
    pub(crate) fn waits(&self) -> bool {
        !self.is_open && self.status == RunStatus::RequiresAction
    }

    /// It as one that waits.
    pub(crate) fn paused(&self) -> PausedRun {
        PausedRun {
            conversation: self.conversation,
            run: self.run,
            leg: self.leg,
            message: self.answer,
        }
    }
}

/// The run that holds a conversation's slot.
pub(crate) async fn holder(
    store: &MongoStore,
    tx: &mut Tx,
    conversation: ConversationId,
) -> Result<Option<RunNow>, Failure> {
    find(store, tx, doc! {"slot": conversation.stored()}).await
}

/// The run with this id.
pub(crate) async fn run(
    store: &MongoStore,
    tx: &mut Tx,
    run: RunId,
) -> Result<Option<RunNow>, Failure> {
    find(store, tx, doc! {"_id": run.stored()}).await
}

async fn find(
    store: &MongoStore,
    tx: &mut Tx,
    wanted: Document,
) -> Result<Option<RunNow>, Failure> {
    #[derive(Deserialize)]
    struct Run {
        #[serde(rename = "_id")]
        id: Uuid,
        conversation: Uuid,
        answer: Uuid,
        answer_seq: i64,
        status: String,
        ended_at: Option<DateTime>,
    }
    #[derive(Deserialize)]
    struct Leg {
        #[serde(rename = "_id")]
        id: Uuid,
        node: Uuid,
        idx: i64,
        owner: String,
        #[serde(default)]
        open: bool,
    }
    let run = store
        .part::<RunDocument, Run>()
        .find_one(wanted)
        .projection(doc! {
            "conversation": 1, "answer": 1, "answer_seq": 1, "status": 1, "ended_at": 1,
        })
        .session(&mut tx.session)
        .await?;
    let Some(run) = run else {
        return Ok(None);
    };
    let leg = store
        .part::<LegDocument, Leg>()
        .find_one(doc! {"run": run.id})
        .sort(doc! {"idx": -1})
        .projection(doc! {"node": 1, "idx": 1, "owner": 1, "open": 1})
        .session(&mut tx.session)
        .await?
        .ok_or_else(|| Failure::corrupt("run")("it has no leg"))?;
    Ok(Some(RunNow {
        conversation: StoredId::from_stored(run.conversation),
        run: StoredId::from_stored(run.id),
        status: named(
            "run's status",
            &run.status,
            RunStatus::from_name(&run.status),
        )?,
        ended_at: run.ended_at,
        answer: StoredId::from_stored(run.answer),
        answer_seq: run.answer_seq,
        owner: leg.owner,
        leg: StoredId::from_stored(leg.id),
        node: StoredId::from_stored(leg.node),
        index: leg.idx,
        is_open: leg.open,
    }))
}

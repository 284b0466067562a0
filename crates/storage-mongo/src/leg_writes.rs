//! The transactions of a leg: what it has come to, and its end.

use chat_core::{
    ports::{AnswerRecord, Checkpoint, CloseLeg, Closed},
    run::RunStatus,
};
use mongodb::bson::{Binary, Document, Uuid, doc, spec::BinarySubtype};
use serde::Deserialize;

use crate::{
    MongoStore,
    answer::{self, Content, Place},
    error::Failure,
    layout::{LegDocument, RunDocument, SealDocument, StoredId as _, date, signed},
    transaction::Tx,
};

/// An answer as it is stored, made before the transaction, which holds others up.
#[derive(Debug)]
pub(crate) struct Prepared {
    id: Uuid,
    created_at_ms: i64,
    content: Content,
}

impl Prepared {
    /// `None` for one without content, which is not stored.
    pub(crate) async fn new(answer: Option<AnswerRecord>) -> Result<Option<Self>, Failure> {
        let Some(answer) = answer else {
            return Ok(None);
        };
        let content = Content::new(answer.body).await?;
        Ok(content.map(|content| Self {
            id: answer.id.stored(),
            created_at_ms: answer.created_at_ms,
            content,
        }))
    }
}

/// Writes what an open leg has come to, as [`chat_core::ports::Runs::checkpoint`] says.
pub(crate) async fn write_checkpoint(
    store: &MongoStore,
    tx: &mut Tx,
    checkpoint: &Checkpoint,
    answer: Option<&Prepared>,
) -> Result<Closed, Failure> {
    let status = checkpoint.status.as_str();
    let cancelling = RunStatus::Cancelling.as_str();
    let written = vec![doc! {"$set": {
        // Names of ours; neither begins with the sign that would make it an expression.
        "status": {"$cond": [{"$eq": ["$status", cancelling]}, cancelling, status]},
        "writes": {"$add": ["$writes", 1_i64]},
    }}];
    let leg = store
        .part::<LegDocument, Target>()
        .find_one_and_update(ours(checkpoint.leg.stored(), checkpoint.epoch), written)
        .projection(Target::fields())
        .session(&mut tx.session)
        .await?;
    let Some(leg) = leg else {
        return Ok(Closed::Lost);
    };
    if leg.status != cancelling && leg.status != status {
        store
            .all::<RunDocument>()
            .update_one(doc! {"_id": leg.run}, doc! {"$set": {"status": status}})
            .session(&mut tx.session)
            .await?;
        write_status_of_others(store, tx, &leg, doc! {"$set": {"status": status}}).await?;
    }
    if let Some(answer) = answer {
        write_answer(store, tx, &leg, answer).await?;
    }
    Ok(Closed::Done)
}

/// Closes a leg as [`chat_core::ports::Runs::close_leg`] says.
pub(crate) async fn close(
    store: &MongoStore,
    tx: &mut Tx,
    close: &CloseLeg,
    answer: Option<&Prepared>,
) -> Result<Closed, Failure> {
    let mut status = doc! {"status": close.status.as_str()};
    if let Some(error) = &close.error {
        let error = serde_json::to_string(error).map_err(Failure::corrupt("run's error"))?;
        status.insert("error", error);
    }
    let mut closed = status.clone();
    closed.insert("closed_at", date(close.at_ms));
    let closed = doc! {"$set": closed, "$unset": {"open": ""}, "$inc": {"writes": 1_i64}};
    let mut open = ours(close.leg.stored(), close.epoch);
    if close.status == RunStatus::RequiresAction {
        // A run that is to stop does not wait.
        open.insert("status", doc! {"$ne": RunStatus::Cancelling.as_str()});
    }
    let leg = store
        .part::<LegDocument, Target>()
        .find_one_and_update(open, closed)
        .projection(Target::fields())
        .session(&mut tx.session)
        .await?;
    let Some(leg) = leg else {
        return if tx.may_be_done {
            closed_before(store, tx, close).await
        } else {
            Ok(Closed::Lost)
        };
    };
    write_status_of_others(store, tx, &leg, doc! {"$set": status.clone()}).await?;
    let mut run = doc! {};
    if close.status.is_terminal() {
        status.insert("ended_at", date(close.at_ms));
        status.insert("freed", leg.conversation);
        run.insert("$unset", doc! {"slot": ""});
    } else if let Some(expires_at_ms) = close.expires_at_ms {
        status.insert("expires_at", date(expires_at_ms));
    }
    run.insert("$set", status);
    store
        .all::<RunDocument>()
        .update_one(doc! {"_id": leg.run}, run)
        .session(&mut tx.session)
        .await?;
    if let Some(answer) = answer {
        write_answer(store, tx, &leg, answer).await?;
    }
    let seal = SealDocument {
        id: close.leg.stored(),
        events: Binary {
            subtype: BinarySubtype::Generic,
            bytes: close.seal.clone(),
        },
    };
    store
        .all::<SealDocument>()
        .insert_one(seal)
        .session(&mut tx.session)
        .await?;
    Ok(Closed::Done)
}

/// What a write of a leg needs to know of it.
#[derive(Debug, Deserialize)]
struct Target {
    run: Uuid,
    idx: i64,
    conversation: Uuid,
    answer: Uuid,
    answer_seq: i64,
    owner: String,
    /// Before the write.
    status: String,
}

impl Target {
    fn fields() -> Document {
        doc! {
            "run": 1, "idx": 1, "conversation": 1, "answer": 1, "answer_seq": 1, "owner": 1,
            "status": 1,
        }
    }
}

/// The leg with this id if it is open and in this epoch.
fn ours(leg: Uuid, epoch: u64) -> Document {
    doc! {"_id": leg, "epoch": signed(epoch), "open": true}
}

/// Whether an earlier run of a close was committed without our knowing: then the seal that is there is ours.
async fn closed_before(
    store: &MongoStore,
    tx: &mut Tx,
    close: &CloseLeg,
) -> Result<Closed, Failure> {
    let seal = store
        .all::<SealDocument>()
        .find_one(doc! {"_id": close.leg.stored()})
        .session(&mut tx.session)
        .await?;
    let is_ours = seal.is_some_and(|seal| seal.events.bytes == close.seal);
    let leg = store
        .all::<LegDocument>()
        .find_one(doc! {
            "_id": close.leg.stored(),
            "epoch": signed(close.epoch),
            "closed_at": date(close.at_ms),
        })
        .session(&mut tx.session)
        .await?;
    Ok(if is_ours && leg.is_some() {
        Closed::Done
    } else {
        Closed::Lost
    })
}

/// Writes a run's status to its other legs: it is stored with each.
async fn write_status_of_others(
    store: &MongoStore,
    tx: &mut Tx,
    leg: &Target,
    status: Document,
) -> Result<(), Failure> {
    // A first leg is the only one as long as it is open.
    if leg.idx > 0 {
        store
            .all::<LegDocument>()
            .update_many(doc! {"run": leg.run}, status)
            .session(&mut tx.session)
            .await?;
    }
    Ok(())
}

/// Writes the answer of a leg.
async fn write_answer(
    store: &MongoStore,
    tx: &mut Tx,
    leg: &Target,
    answer: &Prepared,
) -> Result<(), Failure> {
    if answer.id != leg.answer {
        return Err(Failure::Misuse(
            "the answer of a leg has another id than the leg was opened with".to_owned(),
        ));
    }
    let place = Place {
        id: leg.answer,
        conversation: leg.conversation,
        seq: leg.answer_seq,
        owner: &leg.owner,
        created_at_ms: answer.created_at_ms,
    };
    answer::write(store, tx, place, &answer.content).await
}

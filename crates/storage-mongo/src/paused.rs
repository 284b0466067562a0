//! Runs that wait for their client: how one ends, goes on and is found.

use std::collections::HashMap;

use chat_core::{
    id::{LegId, RunId},
    ports::{Closed, EndPaused, PausedRun, ResumeRun, Resumed, ResumedLeg},
    run::RunStatus,
};
use mongodb::bson::{Uuid, doc};
use serde::Deserialize;

use crate::{
    MongoStore,
    answer::{self, Content, Place},
    blocking::{LONG, aside},
    error::Failure,
    layout::{
        ConversationDocument, KeyDocument, LegDocument, RunDocument, StoredId, date, unsigned,
    },
    open_leg::repeated,
    slot::{self, RunNow},
    transaction::Tx,
};

/// What the next leg of a run stores, made before its transaction, which holds others up.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    leg: LegDocument,
    content: Option<Content>,
    key: Option<KeyDocument>,
}

impl Prepared {
    pub(crate) async fn new(resume: &ResumeRun) -> Result<Self, Failure> {
        let resume = resume.clone();
        // The answers are in the body, too.
        aside(resume.body.weight() >= LONG, move || {
            Ok(Self {
                leg: LegDocument::next(&resume)?,
                content: Content::of(&resume.body)?,
                key: KeyDocument::of_answers(&resume),
            })
        })
        .await
    }
}

/// Opens the next leg of a run as [`chat_core::ports::Conversations::resume_run`] says.
///
/// It writes the conversation, as every send and every cut does, and the run, as its end does: of those that race, one is
/// done again on what the other left.
pub(crate) async fn resume(
    store: &MongoStore,
    tx: &mut Tx,
    resume: &ResumeRun,
    prepared: &Prepared,
) -> Result<Resumed, Failure> {
    #[derive(Deserialize)]
    struct Conversation {
        next_seq: i64,
        epoch: i64,
    }
    if tx.may_be_done
        && let Some(leg) = resumed_before(store, tx, resume).await?
    {
        return Ok(Resumed::Fresh(leg));
    }
    if let Some(first) = repeated(store, tx, prepared.key.as_ref()).await? {
        return Ok(Resumed::Repeated(first));
    }
    let conversation = doc! {"_id": resume.conversation.stored()};
    let found = store
        .part::<ConversationDocument, Conversation>()
        .find_one(conversation.clone())
        .projection(doc! {"next_seq": 1, "epoch": 1})
        .session(&mut tx.session)
        .await?;
    let run = slot::run(store, tx, resume.run).await?;
    let (Some(found), Some(run)) = (found, run) else {
        return Ok(Resumed::Lost);
    };
    if run.conversation != resume.conversation || run.leg != resume.after || run.is_open {
        return Ok(Resumed::Lost);
    }
    let goes_on = match run.status {
        RunStatus::RequiresAction => true,
        RunStatus::Expired | RunStatus::Cancelled => {
            run.answer_seq + 1 == found.next_seq
                && slot::holder(store, tx, resume.conversation)
                    .await?
                    .is_none()
        }
        RunStatus::Queued
        | RunStatus::InProgress
        | RunStatus::Cancelling
        | RunStatus::Completed
        | RunStatus::Failed
        | RunStatus::Incomplete => false,
    };
    if !goes_on {
        return Ok(Resumed::Lost);
    }

    let epoch = found.epoch + 1;
    store
        .all::<ConversationDocument>()
        .update_one(conversation, doc! {"$set": {"epoch": epoch}})
        .session(&mut tx.session)
        .await?;
    reopen(store, tx, resume, &run, epoch).await?;
    let mut leg = prepared.leg.clone();
    leg.idx = run.index + 1;
    leg.answer = run.answer.stored();
    leg.answer_seq = run.answer_seq;
    leg.epoch = epoch;
    leg.owner.clone_from(&run.owner);
    let resumed = resumed_leg(leg.idx, leg.epoch, leg.answer, leg.answer_seq)?;
    store
        .all::<LegDocument>()
        .insert_one(leg)
        .session(&mut tx.session)
        .await?;
    if let Some(content) = &prepared.content {
        answer::write(store, tx, place(&run, resume.at_ms), content).await?;
    }
    if let Some(key) = &prepared.key {
        store
            .all::<KeyDocument>()
            .insert_one(key)
            .session(&mut tx.session)
            .await?;
    }
    Ok(Resumed::Fresh(resumed))
}

/// Ends a run that waits as [`chat_core::ports::Runs::end_paused`] says.
pub(crate) async fn end(
    store: &MongoStore,
    tx: &mut Tx,
    end: &EndPaused,
    content: Option<&Content>,
) -> Result<Closed, Failure> {
    let Some(run) = slot::run(store, tx, end.run).await? else {
        return Ok(Closed::Lost);
    };
    if run.leg != end.leg {
        return Ok(Closed::Lost);
    }
    if run.waits() {
        write_end(store, tx, &run, end, content).await?;
        return Ok(Closed::Done);
    }
    let is_ours = tx.may_be_done
        && run.status == end.status
        && run.ended_at == Some(date(end.at_ms))
        && !run.is_open;
    Ok(if is_ours { Closed::Done } else { Closed::Lost })
}

/// Writes the end of a run that waits: its status, its answer and the slot.
pub(crate) async fn write_end(
    store: &MongoStore,
    tx: &mut Tx,
    run: &RunNow,
    end: &EndPaused,
    content: Option<&Content>,
) -> Result<(), Failure> {
    let status = end.status.as_str();
    let ended = doc! {
        "$set": {
            "status": status,
            "ended_at": date(end.at_ms),
            "freed": run.conversation.stored(),
        },
        "$unset": {"slot": "", "expires_at": ""},
    };
    store
        .all::<RunDocument>()
        .update_one(doc! {"_id": run.run.stored()}, ended)
        .session(&mut tx.session)
        .await?;
    store
        .all::<LegDocument>()
        .update_many(
            doc! {"run": run.run.stored()},
            doc! {"$set": {"status": status}},
        )
        .session(&mut tx.session)
        .await?;
    if let Some(content) = content {
        answer::write(store, tx, place(run, end.at_ms), content).await?;
    }
    Ok(())
}

/// Runs that expire at or before this time, as [`chat_core::ports::Runs::list_expired`] says.
///
/// In a transaction, so that a run's newest leg is the one it waited with when it was found.
pub(crate) async fn list_expired(
    store: &MongoStore,
    tx: &mut Tx,
    at_ms: i64,
    limit: u32,
) -> Result<Vec<PausedRun>, Failure> {
    #[derive(Deserialize)]
    struct Run {
        #[serde(rename = "_id")]
        id: Uuid,
        conversation: Uuid,
        answer: Uuid,
    }
    #[derive(Deserialize)]
    struct Leg {
        #[serde(rename = "_id")]
        id: Uuid,
        run: Uuid,
    }
    if limit == 0 {
        // To the server it would mean all.
        return Ok(Vec::new());
    }
    let all = store.part::<RunDocument, Run>();
    let runs = all
        .find(doc! {
            "expires_at": {"$lte": date(at_ms)},
            "status": RunStatus::RequiresAction.as_str(),
        })
        .projection(doc! {"conversation": 1, "answer": 1})
        .sort(doc! {"expires_at": 1, "_id": 1})
        .limit(i64::from(limit));
    let runs = tx.read_all(runs).await?;
    if runs.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = runs.iter().map(|run| run.id).collect();
    let all = store.part::<LegDocument, Leg>();
    let legs = all
        .find(doc! {"run": {"$in": ids}})
        .projection(doc! {"run": 1})
        .sort(doc! {"run": 1, "idx": 1});
    // The last one of a run is its newest.
    let newest: HashMap<Uuid, Uuid> = tx
        .read_all(legs)
        .await?
        .into_iter()
        .map(|leg| (leg.run, leg.id))
        .collect();
    runs.into_iter()
        .map(|run| {
            let leg = newest.get(&run.id).copied();
            let leg = leg.ok_or_else(|| Failure::corrupt("run")("it has no leg"))?;
            Ok(PausedRun {
                conversation: StoredId::from_stored(run.conversation),
                run: RunId::from_stored(run.id),
                leg: LegId::from_stored(leg),
                message: StoredId::from_stored(run.answer),
            })
        })
        .collect()
}

/// The leg that an earlier run of this body opened, which may have been committed without our knowing.
async fn resumed_before(
    store: &MongoStore,
    tx: &mut Tx,
    resume: &ResumeRun,
) -> Result<Option<ResumedLeg>, Failure> {
    #[derive(Deserialize)]
    struct Before {
        idx: i64,
        epoch: i64,
        answer: Uuid,
        answer_seq: i64,
    }
    let same = doc! {
        "_id": resume.leg.stored(),
        "run": resume.run.stored(),
        "conversation": resume.conversation.stored(),
    };
    let leg = store
        .part::<LegDocument, Before>()
        .find_one(same)
        .projection(doc! {"idx": 1, "epoch": 1, "answer": 1, "answer_seq": 1})
        .session(&mut tx.session)
        .await?;
    leg.map(|leg| resumed_leg(leg.idx, leg.epoch, leg.answer, leg.answer_seq))
        .transpose()
}

fn resumed_leg(
    index: i64,
    epoch: i64,
    answer: Uuid,
    answer_seq: i64,
) -> Result<ResumedLeg, Failure> {
    Ok(ResumedLeg {
        index: u32::try_from(index).map_err(Failure::corrupt("leg's index"))?,
        epoch: unsigned(epoch)?,
        message: StoredId::from_stored(answer),
        message_seq: unsigned(answer_seq)?,
    })
}

/// Makes a run active again, with the slot.
async fn reopen(
    store: &MongoStore,
    tx: &mut Tx,
    resume: &ResumeRun,
    run: &RunNow,
    epoch: i64,
) -> Result<(), Failure> {
    let status = RunStatus::Queued.as_str();
    let active = doc! {
        "$set": {
            "status": status,
            "node": resume.node.stored(),
            "epoch": epoch,
            "slot": resume.conversation.stored(),
        },
        // `freed` among them: written again with the same value it would not ring.
        "$unset": {"expires_at": "", "ended_at": "", "error": "", "freed": ""},
    };
    store
        .all::<RunDocument>()
        .update_one(doc! {"_id": run.run.stored()}, active)
        .session(&mut tx.session)
        .await?;
    store
        .all::<LegDocument>()
        .update_many(
            doc! {"run": run.run.stored()},
            doc! {"$set": {"status": status}, "$unset": {"error": ""}},
        )
        .session(&mut tx.session)
        .await?;
    Ok(())
}

/// Where a run's answer stands; `at_ms` is its time if it was not stored before.
fn place(run: &RunNow, at_ms: i64) -> Place<'_> {
    Place {
        id: run.answer.stored(),
        conversation: run.conversation.stored(),
        seq: run.answer_seq,
        owner: &run.owner,
        created_at_ms: at_ms,
    }
}

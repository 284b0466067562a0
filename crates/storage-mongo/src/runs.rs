use async_trait::async_trait;
use chat_core::{
    id::{ConversationId, LegId, NodeId},
    ports::{
        Checkpoint, CloseLeg, Closed, EndPaused, PausedRun, Runs, Standing, StopAsked, StoreError,
    },
    run::{Leg, RunStatus},
};
use mongodb::{
    bson::{Uuid, doc},
    options::ReturnDocument,
};
use serde::Deserialize;

use crate::{
    MongoStore,
    answer::Content,
    blocking::aside,
    error::Failure,
    layout::{LegDocument, RunDocument, Stop, StoredId as _, signed},
    leg_writes::{Prepared, close, write_checkpoint},
    paused,
    slot::{self, RunNow},
    transaction::Tx,
};

#[async_trait]
impl Runs for MongoStore {
    async fn find_leg(&self, id: LegId) -> Result<Option<Leg>, StoreError> {
        let found = self
            .retried(|| async {
                let legs = self.all::<LegDocument>();
                Ok(legs.find_one(doc! {"_id": id.stored()}).await?)
            })
            .await?;
        Ok(read(found).await?)
    }

    async fn newest_leg(&self, conversation: ConversationId) -> Result<Option<Leg>, StoreError> {
        let found = self
            .retried(|| async {
                Ok(self
                    .all::<LegDocument>()
                    .find_one(doc! {"conversation": conversation.stored()})
                    .sort(doc! {"answer_seq": -1, "idx": -1})
                    .await?)
            })
            .await?;
        Ok(read(found).await?)
    }

    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<Closed, StoreError> {
        let answer = Prepared::new(checkpoint.answer.clone()).await?;
        let (checkpoint, answer) = (&checkpoint, answer.as_ref());
        let closed = self
            .transact(|mut tx| async move {
                let closed = write_checkpoint(self, &mut tx, checkpoint, answer).await;
                (tx, closed)
            })
            .await?;
        Ok(closed)
    }

    async fn close_leg(&self, leg: CloseLeg) -> Result<Closed, StoreError> {
        let answer = Prepared::new(leg.answer.clone()).await?;
        let (leg, answer) = (&leg, answer.as_ref());
        let closed = self
            .transact(|mut tx| async move {
                let closed = close(self, &mut tx, leg, answer).await;
                (tx, closed)
            })
            .await?;
        if closed == Closed::Done {
            self.log().release(&[leg.leg]);
        }
        Ok(closed)
    }

    async fn ask_stop(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<StopAsked>, StoreError> {
        let asked = self
            .transact(|mut tx| async move {
                let asked = mark_stop(self, &mut tx, conversation).await;
                (tx, asked)
            })
            .await?;
        Ok(asked)
    }

    async fn end_paused(&self, end: EndPaused) -> Result<Closed, StoreError> {
        let content = Content::new(end.body.clone()).await?;
        let (end, content) = (&end, content.as_ref());
        let closed = self
            .transact(|mut tx| async move {
                let closed = paused::end(self, &mut tx, end, content).await;
                (tx, closed)
            })
            .await?;
        Ok(closed)
    }

    async fn list_expired(&self, at_ms: i64, limit: u32) -> Result<Vec<PausedRun>, StoreError> {
        let expired = self
            .transact(|mut tx| async move {
                let expired = paused::list_expired(self, &mut tx, at_ms, limit).await;
                (tx, expired)
            })
            .await?;
        Ok(expired)
    }

    async fn find_paused(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<PausedRun>, StoreError> {
        let holder = self
            .transact(|mut tx| async move {
                let holder = slot::holder(self, &mut tx, conversation).await;
                (tx, holder)
            })
            .await?;
        Ok(holder.filter(RunNow::waits).map(|run| run.paused()))
    }

    async fn list_orphans(&self, alive: &[NodeId]) -> Result<Vec<Leg>, StoreError> {
        let alive: Vec<Uuid> = alive.iter().map(|node| node.stored()).collect();
        let found = self
            .retried(|| async {
                let legs = self.all::<LegDocument>();
                let orphans = legs
                    .find(doc! {"open": true, "node": {"$nin": alive.clone()}})
                    .sort(doc! {"opened_at": 1, "_id": 1});
                self.read_all(orphans).await
            })
            .await?;
        let is_long = found.iter().any(LegDocument::is_long);
        let legs = aside(is_long, move || {
            found.into_iter().map(LegDocument::read).collect()
        });
        Ok(legs.await?)
    }

    async fn standing(&self, legs: &[LegId]) -> Result<Vec<Standing>, StoreError> {
        #[derive(Deserialize)]
        struct Part {
            #[serde(rename = "_id")]
            id: Uuid,
            #[serde(default)]
            open: bool,
            status: String,
        }
        let ids: Vec<Uuid> = legs.iter().map(|leg| leg.stored()).collect();
        let found = self
            .retried(|| async {
                let parts = self.part::<LegDocument, Part>();
                let asked = parts
                    .find(doc! {"_id": {"$in": ids.clone()}})
                    .projection(doc! {"open": 1, "status": 1});
                self.read_all(asked).await
            })
            .await?;
        let standing = |id: &Uuid| match found.iter().find(|leg| leg.id == *id) {
            None => Standing::Gone,
            Some(leg) if !leg.open => Standing::Closed,
            Some(leg) if leg.status == RunStatus::Cancelling.as_str() => Standing::Stopping,
            Some(_) => Standing::Open,
        };
        Ok(ids.iter().map(standing).collect())
    }

    async fn release_leg(&self, leg: LegId, epoch: u64) -> Result<Closed, StoreError> {
        let released = self
            .retried(|| async {
                let ours = doc! {
                    "_id": leg.stored(),
                    "epoch": signed(epoch),
                    "open": true,
                    "status": {"$ne": RunStatus::Cancelling.as_str()},
                };
                let nobodys = doc! {
                    "$set": {"node": NodeId::NOBODY.stored()},
                    "$inc": {"writes": 1_i64},
                };
                let legs = self.all::<LegDocument>();
                Ok(legs.update_one(ours, nobodys).await?.matched_count == 1)
            })
            .await?;
        Ok(if released { Closed::Done } else { Closed::Lost })
    }

    async fn claim_leg(&self, leg: LegId, node: NodeId) -> Result<Option<Leg>, StoreError> {
        let claimed = self
            .transact(|mut tx| async move {
                let claimed = claim(self, &mut tx, leg, node).await;
                (tx, claimed)
            })
            .await?;
        Ok(read(claimed).await?)
    }
}

async fn claim(
    store: &MongoStore,
    tx: &mut Tx,
    leg: LegId,
    node: NodeId,
) -> Result<Option<LegDocument>, Failure> {
    let legs = store.all::<LegDocument>();
    let of = |node: NodeId| doc! {"_id": leg.stored(), "node": node.stored(), "open": true};
    if tx.may_be_done {
        // An earlier run may have been committed without our knowing.
        let ours = legs.find_one(of(node)).session(&mut tx.session).await?;
        if ours.is_some() {
            return Ok(ours);
        }
    }
    let taken = doc! {
        "$set": {"node": node.stored()},
        "$inc": {"epoch": 1_i64, "writes": 1_i64},
    };
    Ok(legs
        .find_one_and_update(of(NodeId::NOBODY), taken)
        .return_document(ReturnDocument::After)
        .session(&mut tx.session)
        .await?)
}

async fn mark_stop(
    store: &MongoStore,
    tx: &mut Tx,
    conversation: ConversationId,
) -> Result<Option<StopAsked>, Failure> {
    let holder = slot::holder(store, tx, conversation).await?;
    let Some(holder) = holder.filter(|holder| holder.is_open) else {
        return Ok(None);
    };
    if holder.status != RunStatus::Cancelling {
        let status = RunStatus::Cancelling.as_str();
        let (run, leg) = (holder.run.stored(), holder.leg.stored());
        let legs = store.all::<LegDocument>();
        let stopped = doc! {
            "$set": {"status": status, "stop": Stop::Asked.as_str()},
            "$inc": {"writes": 1_i64},
        };
        legs.update_one(doc! {"_id": leg}, stopped)
            .session(&mut tx.session)
            .await?;
        legs.update_many(doc! {"run": run}, doc! {"$set": {"status": status}})
            .session(&mut tx.session)
            .await?;
        store
            .all::<RunDocument>()
            .update_one(doc! {"_id": run}, doc! {"$set": {"status": status}})
            .session(&mut tx.session)
            .await?;
    }
    Ok(Some(StopAsked {
        leg: holder.leg,
        node: holder.node,
    }))
}

/// What a leg's document says.
async fn read(found: Option<LegDocument>) -> Result<Option<Leg>, Failure> {
    let Some(found) = found else {
        return Ok(None);
    };
    aside(found.is_long(), move || found.read()).await.map(Some)
}

use std::collections::HashSet;

use chat_core::id::LegId;
use mongodb::bson::{Uuid, doc, oid::ObjectId};
use serde::Deserialize;

use crate::{
    MongoStore,
    error::Failure,
    layout::{LegDocument, LogDocument, StoredId},
};

/// Which legs have records in a log document.
#[derive(Debug, Deserialize)]
struct Legs {
    #[serde(rename = "_id")]
    id: ObjectId,
    legs: Vec<OfLeg>,
}

#[derive(Debug, Deserialize)]
struct OfLeg {
    leg: Uuid,
}

/// How many log documents are looked at in one go.
const PAGE: i64 = 500;

impl MongoStore {
    /// Deletes the log documents of legs that this handle closed or deleted, unless another leg in them is open.
    pub(crate) async fn sweep_released(&self) -> Result<(), Failure> {
        let legs = self.log().take_released();
        if legs.is_empty() {
            return Ok(());
        }
        self.log().forget(&legs).await;
        for some in legs.chunks(500) {
            let some: Vec<Uuid> = some.iter().map(|leg| leg.stored()).collect();
            self.retried(|| async {
                let all = self.part::<LogDocument, Legs>();
                let found = all
                    .find(doc! {"legs.leg": {"$in": some.clone()}})
                    .projection(doc! {"legs.leg": 1});
                let found = self.read_all(found).await?;
                self.delete_settled(found).await
            })
            .await?;
        }
        Ok(())
    }

    /// Deletes all log documents whose legs are all closed or gone, and forgets legs that others closed.
    ///
    /// They are looked at by id and never judged by their age: a leg that is open needs its log, however old.
    pub(crate) async fn sweep_all(&self) -> Result<(), Failure> {
        let known = self.log().known().await;
        let ids = known.iter().map(|leg| leg.stored()).collect();
        let open = self.retried(|| self.open_among(&ids)).await?;
        let closed: Vec<LegId> = known
            .into_iter()
            .filter(|leg| !open.contains(&leg.stored()))
            .collect();
        self.log().forget(&closed).await;

        let mut after = ObjectId::from_bytes([0; 12]);
        loop {
            let found = self
                .retried(|| async {
                    let all = self.part::<LogDocument, Legs>();
                    let page = all
                        .find(doc! {"_id": {"$gt": after}})
                        .sort(doc! {"_id": 1})
                        .projection(doc! {"legs.leg": 1})
                        .limit(PAGE);
                    self.read_all(page).await
                })
                .await?;
            let Some(last) = found.last() else {
                return Ok(());
            };
            after = last.id;
            self.delete_settled(found).await?;
        }
    }

    async fn delete_settled(&self, found: Vec<Legs>) -> Result<(), Failure> {
        let legs: HashSet<Uuid> = found
            .iter()
            .flat_map(|document| document.legs.iter().map(|record| record.leg))
            .collect();
        let open = self.open_among(&legs).await?;
        let settled: Vec<ObjectId> = found
            .into_iter()
            .filter(|document| {
                let mut legs = document.legs.iter();
                !legs.any(|record| open.contains(&record.leg))
            })
            .map(|document| document.id)
            .collect();
        if !settled.is_empty() {
            self.all::<LogDocument>()
                .delete_many(doc! {"_id": {"$in": settled}})
                .await?;
        }
        Ok(())
    }

    async fn open_among(&self, legs: &HashSet<Uuid>) -> Result<HashSet<Uuid>, Failure> {
        #[derive(Deserialize)]
        struct Leg {
            #[serde(rename = "_id")]
            id: Uuid,
        }
        if legs.is_empty() {
            return Ok(HashSet::new());
        }
        let ids: Vec<Uuid> = legs.iter().copied().collect();
        let all = self.part::<LegDocument, Leg>();
        let open = all
            .find(doc! {"_id": {"$in": ids}, "open": true})
            .projection(doc! {"_id": 1});
        let open = self.read_all(open).await?;
        Ok(open.into_iter().map(|leg| leg.id).collect())
    }
}

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use chat_core::{
    codec,
    event::RunEvent,
    id::LegId,
    ports::{LogBatch, RunLog, StoreError},
};
use mongodb::bson::{Document, doc, oid::ObjectId};
use serde::Deserialize;

use crate::{
    MongoStore,
    blocking::{LONG, aside},
    error::{Failure, is_duplicate},
    layout::{LegDocument, LogDocument, LogRecord, SealDocument, StoredBytes, StoredId as _},
    transaction::Patience,
};

#[async_trait]
impl RunLog for MongoStore {
    async fn append(&self, batches: Vec<LogBatch>) -> Result<(), StoreError> {
        let mut patience = Patience::new(self.deadline(), PAUSE);
        let batches: Vec<LogBatch> = batches
            .into_iter()
            .filter(|batch| !batch.events.is_empty())
            .collect();
        let mut next = patience
            .limit(async { Ok(self.log().next().await) })
            .await?;
        let mut read = HashSet::new();
        loop {
            let plan = self.plan_append(&mut next, &mut read, &batches);
            let failure = match patience.limit(plan).await {
                Ok(plan) if plan.records.is_empty() => return Ok(()),
                Ok(plan) => match patience.limit(self.insert(plan.records)).await {
                    Ok(()) => {
                        next.extend(plan.next);
                        return Ok(());
                    }
                    Err(failure) => {
                        // It may be stored all the same, or another handle was first: the log itself says.
                        next.retain(|leg, _| !plan.next.contains_key(leg));
                        read.clear();
                        failure
                    }
                },
                Err(failure) => failure,
            };
            if let Failure::Mongo(error) = &failure
                && is_duplicate(error)
            {
                patience.pause().await?;
            } else {
                patience.pause_after(failure).await?;
            }
        }
    }

    async fn read(&self, leg: LegId, after: u32, limit: u32) -> Result<Vec<RunEvent>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let events = self.retried(|| self.read_events(leg, after, limit)).await?;
        Ok(events)
    }
}

/// The longest pause before an append is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// A document is begun anew beyond this many bytes, far from the 16 MB that it may have.
const DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// What an append comes to in view of what is stored.
struct Plan {
    records: Vec<LogRecord>,
    /// The next numbers once they are stored.
    next: HashMap<LegId, u32>,
}

impl MongoStore {
    /// What of these batches is new. Legs that are unknown, and those that seem to have a gap, are looked up first.
    async fn plan_append(
        &self,
        known: &mut HashMap<LegId, u32>,
        read: &mut HashSet<LegId>,
        batches: &[LogBatch],
    ) -> Result<Plan, Failure> {
        let mut plan = Plan {
            records: Vec::new(),
            next: HashMap::new(),
        };
        let mut gone = HashSet::new();
        for batch in batches {
            let leg = batch.leg;
            let end = batch.last().saturating_add(1);
            if gone.contains(&leg) {
                continue;
            }
            let mut at = plan.next.get(&leg).or_else(|| known.get(&leg)).copied();
            if at.is_none_or(|at| batch.first > at)
                && !plan.next.contains_key(&leg)
                && read.insert(leg)
            {
                at = self.next_number(leg).await?;
                match at {
                    Some(at) => known.insert(leg, at),
                    None => known.remove(&leg),
                };
            }
            let Some(at) = at else {
                gone.insert(leg);
                continue;
            };
            if batch.first > at {
                return Err(Failure::Misuse(format!(
                    "a batch of leg {leg} begins at {}, which leaves a gap: its log goes on at {at}",
                    batch.first
                )));
            }
            if end > at {
                let skipped = usize::try_from(at - batch.first).unwrap_or(usize::MAX);
                let events: Arc<[RunEvent]> = match skipped {
                    0 => Arc::clone(&batch.events),
                    _ => batch.events.get(skipped..).unwrap_or_default().into(),
                };
                encode(leg, at, events, &mut plan.records).await?;
                plan.next.insert(leg, end);
            }
        }
        Ok(plan)
    }

    /// The number that the next event of a leg will have; `None` for a leg that is not open.
    async fn next_number(&self, leg: LegId) -> Result<Option<u32>, Failure> {
        #[derive(Deserialize)]
        struct Next {
            next: i64,
        }
        let open = doc! {"_id": leg.stored(), "open": true};
        let open = self
            .part::<LegDocument, Document>()
            .find_one(open)
            .projection(doc! {"_id": 1})
            .await?;
        if open.is_none() {
            return Ok(None);
        }
        let pipeline = [
            doc! {"$match": {"legs.leg": leg.stored()}},
            doc! {"$project": {"_id": 0, "legs.leg": 1, "legs.next": 1}},
            doc! {"$unwind": "$legs"},
            doc! {"$match": {"legs.leg": leg.stored()}},
            doc! {"$group": {"_id": null, "next": {"$max": "$legs.next"}}},
        ];
        let mut cursor = self
            .all::<LogDocument>()
            .aggregate(pipeline)
            .with_type::<Next>()
            .await?;
        if !cursor.advance().await? {
            return Ok(Some(1));
        }
        let next = cursor.deserialize_current()?.next;
        Ok(Some(
            u32::try_from(next).map_err(Failure::corrupt("number"))?,
        ))
    }

    /// Stores records, all or none.
    async fn insert(&self, records: Vec<LogRecord>) -> Result<(), Failure> {
        let mut documents: Vec<LogDocument> = Vec::new();
        let mut bytes = DOCUMENT_BYTES;
        for record in records {
            bytes += record.events.len();
            match documents.last_mut() {
                Some(document) if bytes <= DOCUMENT_BYTES => document.legs.push(record),
                _ => {
                    bytes = record.events.len();
                    documents.push(LogDocument {
                        id: ObjectId::new(),
                        writer: self.writer(),
                        legs: vec![record],
                    });
                }
            }
        }
        let log = self.all::<LogDocument>();
        if let [document] = documents.as_slice() {
            log.insert_one(document).await?;
            return Ok(());
        }
        let (log, documents) = (&log, &documents);
        self.transact(|mut tx| async move {
            let inserted = log.insert_many(documents).session(&mut tx.session).await;
            (tx, inserted.map(drop).map_err(Failure::from))
        })
        .await
    }

    async fn read_events(
        &self,
        leg: LegId,
        after: u32,
        limit: u32,
    ) -> Result<Vec<RunEvent>, Failure> {
        match self.is_open(leg).await? {
            None => return Ok(Vec::new()),
            Some(false) => return self.read_seal(leg, after, limit).await,
            Some(true) => {}
        }
        let events = self.read_log(leg, after, limit).await?;
        // A log that ends too early may be that of a leg that was closed meanwhile and swept.
        if !events.is_empty() || self.is_open(leg).await? != Some(false) {
            return Ok(events);
        }
        self.read_seal(leg, after, limit).await
    }

    /// Whether a leg is open; `None` if there is none.
    async fn is_open(&self, leg: LegId) -> Result<Option<bool>, Failure> {
        #[derive(Deserialize)]
        struct Part {
            #[serde(default)]
            open: bool,
        }
        let found = self
            .part::<LegDocument, Part>()
            .find_one(doc! {"_id": leg.stored()})
            .projection(doc! {"open": 1})
            .await?;
        Ok(found.map(|leg| leg.open))
    }

    async fn read_seal(
        &self,
        leg: LegId,
        after: u32,
        limit: u32,
    ) -> Result<Vec<RunEvent>, Failure> {
        let seal = self
            .all::<SealDocument>()
            .find_one(doc! {"_id": leg.stored()})
            .await?;
        let Some(seal) = seal else {
            // Deleted meanwhile, or else it would be there: it is written with the close.
            return match self.is_open(leg).await? {
                None => Ok(Vec::new()),
                Some(_) => Err(Failure::corrupt("seal")("it is not there")),
            };
        };
        let mut events = aside(seal.events.bytes.len() >= LONG, move || {
            Ok(codec::decode_seal(&seal.events.bytes)?)
        })
        .await?;
        events.retain(|event| event.n > after);
        events.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(events)
    }

    /// Events from the log, without a gap.
    async fn read_log(&self, leg: LegId, after: u32, limit: u32) -> Result<Vec<RunEvent>, Failure> {
        let wanted = i64::from(after) + 1;
        let last = i64::from(after) + i64::from(limit);
        let pipeline = [
            doc! {"$match": {"legs": {"$elemMatch": {
                "leg": leg.stored(),
                "next": {"$gt": wanted},
                "first": {"$lte": last},
            }}}},
            doc! {"$project": {"_id": 0, "legs": {"$filter": {"input": "$legs", "as": "record", "cond": {
                "$and": [
                    {"$eq": ["$$record.leg", leg.stored()]},
                    {"$gt": ["$$record.next", wanted]},
                    {"$lte": ["$$record.first", last]},
                ],
            }}}}},
            doc! {"$unwind": "$legs"},
            doc! {"$replaceRoot": {"newRoot": "$legs"}},
            doc! {"$sort": {"first": 1}},
            // Each record has an event at least.
            doc! {"$limit": i64::from(limit)},
        ];
        let mut cursor = self
            .all::<LogDocument>()
            .aggregate(pipeline)
            .allow_disk_use(true)
            .with_type::<LogRecord>()
            .await?;
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut expected = after.saturating_add(1);
        let mut events = Vec::new();
        while events.len() < limit && cursor.advance().await? {
            let record = cursor.deserialize_current()?;
            let is_long = record.events.len() >= LONG;
            let decoded = aside(is_long, move || {
                Ok(codec::decode_batch(
                    &record.events.read("record of events")?,
                )?)
            });
            for event in decoded.await? {
                if event.n < expected {
                    continue;
                }
                // Swept in part: what follows is not the next.
                if event.n > expected {
                    return Ok(events);
                }
                expected = expected.saturating_add(1);
                events.push(event);
            }
        }
        events.truncate(limit);
        Ok(events)
    }
}

/// Writes events of a leg down as records, several if they are very long.
async fn encode(
    leg: LegId,
    first: u32,
    events: Arc<[RunEvent]>,
    records: &mut Vec<LogRecord>,
) -> Result<(), Failure> {
    let bytes = codec::encode_batch(&events)?;
    if bytes.len() > DOCUMENT_BYTES && events.len() > 1 {
        let (one, other) = events.split_at(events.len() / 2);
        let half = u32::try_from(one.len()).unwrap_or(u32::MAX);
        Box::pin(encode(leg, first, one.into(), records)).await?;
        return Box::pin(encode(
            leg,
            first.saturating_add(half),
            other.into(),
            records,
        ))
        .await;
    }
    let next = i64::from(first) + i64::try_from(events.len()).unwrap_or(i64::MAX);
    let events = aside(bytes.len() >= LONG, move || {
        StoredBytes::of("record of events", bytes)
    })
    .await?;
    records.push(LogRecord {
        leg: leg.stored(),
        first: i64::from(first),
        next,
        events,
    });
    Ok(())
}

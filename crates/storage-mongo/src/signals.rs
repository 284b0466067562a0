use chat_core::{
    id::{ConversationId, LegId, NodeId},
    ports::{LocalSignals, Signal, SignalStream, Signals},
    run::StopCause,
};
use mongodb::bson::{Bson, Document, Uuid, doc};
use serde::Deserialize;

use crate::layout::{LegDocument, LogDocument, RunDocument, Stop, Stored, StoredId};

/// Signals of all nodes that share a database.
///
/// What rings here is heard here at once. What other nodes change rings by the database's change stream, which
/// [`MongoStore::keep`](crate::MongoStore::keep) reads.
#[derive(Debug, Default)]
pub struct MongoSignals(LocalSignals);

impl Signals for MongoSignals {
    fn ring(&self, signal: Signal) {
        self.0.ring(signal);
    }

    fn subscribe(&self) -> SignalStream {
        self.0.subscribe()
    }
}

/// A change, cut down to what rings: the ids in it. Neither events nor texts come over the wire.
#[derive(Debug, Deserialize)]
pub(crate) struct Change {
    #[serde(rename = "operationType")]
    operation: String,
    coll: Option<String>,
    /// The id of what was changed; only that of a log document is no UUID.
    id: Option<Bson>,
    /// The legs of a log document.
    legs: Option<Vec<Uuid>>,
    /// The conversation of a run that was opened.
    slot: Option<Uuid>,
    /// The conversation of a leg that continues its run.
    resumed: Option<Uuid>,
    #[serde(default)]
    closed: bool,
    stop: Option<String>,
    node: Option<Uuid>,
    freed: Option<Uuid>,
}

impl Change {
    /// The stages that give changes of this form, and only those that ring, without the log of `writer`.
    pub(crate) fn pipeline(writer: Uuid) -> Vec<Document> {
        let updated = |field: &str| format!("updateDescription.updatedFields.{field}");
        let wanted = vec![
            doc! {
                "ns.coll": LogDocument::COLLECTION,
                "operationType": "insert",
                "fullDocument.writer": {"$ne": writer},
            },
            doc! {"ns.coll": LegDocument::COLLECTION, "operationType": "delete"},
            // The first leg of a run comes with the run.
            doc! {
                "ns.coll": LegDocument::COLLECTION,
                "operationType": "insert",
                "fullDocument.idx": {"$gt": 0},
            },
            doc! {
                "ns.coll": LegDocument::COLLECTION,
                "operationType": "update",
                "$or": [
                    {updated("closed_at"): {"$exists": true}},
                    {updated("stop"): {"$exists": true}},
                    {updated("node"): NodeId::NOBODY.stored()},
                ],
            },
            doc! {"ns.coll": RunDocument::COLLECTION, "operationType": "insert"},
            doc! {
                "ns.coll": RunDocument::COLLECTION,
                "operationType": "update",
                updated("freed"): {"$exists": true},
            },
        ];
        let value = |field: &str| format!("${}", updated(field));
        vec![
            doc! {"$match": {"$or": wanted}},
            doc! {"$project": {
                "operationType": 1,
                "coll": "$ns.coll",
                "id": "$documentKey._id",
                "legs": "$fullDocument.legs.leg",
                "slot": "$fullDocument.slot",
                // A run that is inserted has a conversation, too, and no index.
                "resumed": {"$cond": [
                    {"$gt": ["$fullDocument.idx", 0]}, "$fullDocument.conversation", null,
                ]},
                "closed": {"$gt": [value("closed_at"), null]},
                "stop": value("stop"),
                "node": value("node"),
                "freed": value("freed"),
            }},
        ]
    }

    /// What it rings.
    pub(crate) fn signals(&self) -> Vec<Signal> {
        let mut rung = Vec::new();
        match (self.coll.as_deref(), self.operation.as_str()) {
            (Some(LogDocument::COLLECTION), _) => {
                let legs = self.legs.iter().flatten();
                rung.extend(legs.map(|leg| Signal::LegAdvanced(LegId::from_stored(*leg))));
            }
            (Some(LegDocument::COLLECTION), operation) => {
                let Some(leg) = self.leg() else {
                    return rung;
                };
                if operation == "delete" {
                    rung.push(Signal::StopAsked(leg, StopCause::Dropped));
                }
                rung.extend(
                    self.resumed
                        .map(ConversationId::from_stored)
                        .map(Signal::SlotTaken),
                );
                if let Some(stop) = self.stop.as_deref().and_then(Stop::from_name) {
                    rung.push(Signal::StopAsked(leg, stop.cause()));
                }
                if self.closed {
                    rung.push(Signal::LegAdvanced(leg));
                }
                if self.node == Some(NodeId::NOBODY.stored()) {
                    rung.push(Signal::LegReleased(leg));
                }
            }
            (Some(RunDocument::COLLECTION), _) => {
                let conversation = ConversationId::from_stored;
                rung.extend(self.slot.map(conversation).map(Signal::SlotTaken));
                rung.extend(self.freed.map(conversation).map(Signal::SlotFreed));
            }
            _ => {}
        }
        rung
    }

    /// Whether the stream ends with it, as when the database was dropped.
    pub(crate) fn is_end(&self) -> bool {
        self.operation == "invalidate"
    }

    fn leg(&self) -> Option<LegId> {
        let Some(Bson::Binary(id)) = &self.id else {
            return None;
        };
        id.to_uuid().ok().map(LegId::from_stored)
    }
}

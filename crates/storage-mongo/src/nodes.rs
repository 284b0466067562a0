use async_trait::async_trait;
use chat_core::{
    id::NodeId,
    ports::{Beat, Nodes, StoreError},
};
use mongodb::{
    Collection,
    bson::{Uuid, doc},
};
use serde::{Deserialize, Serialize};

use crate::{
    MongoStore,
    error::Failure,
    layout::{Stored, StoredId, signed, unsigned},
};

/// A node that works, in `skein_nodes`. When it was seen last is stored beside this by the server's clock, for people.
#[derive(Debug, Serialize, Deserialize)]
struct NodeDocument {
    #[serde(rename = "_id")]
    id: Uuid,
    count: i64,
}

impl Stored for NodeDocument {
    const COLLECTION: &'static str = "skein_nodes";
}

#[async_trait]
impl Nodes for MongoStore {
    async fn renew(&self, node: NodeId) -> Result<Vec<Beat>, StoreError> {
        let nodes = self.lease_nodes();
        let beats = self
            .retried(|| async {
                nodes
                    .update_one(
                        doc! {"_id": node.stored()},
                        doc! {"$inc": {"count": 1_i64}, "$currentDate": {"seen_at": true}},
                    )
                    .upsert(true)
                    .await?;
                let mut beats = Vec::new();
                let mut cursor = nodes.find(doc! {}).await?;
                while cursor.advance().await? {
                    let found = cursor.deserialize_current()?;
                    beats.push(Beat {
                        node: StoredId::from_stored(found.id),
                        count: unsigned(found.count)?,
                    });
                }
                Ok::<_, Failure>(beats)
            })
            .await?;
        Ok(beats)
    }

    async fn bury(&self, silent: Beat) -> Result<bool, StoreError> {
        let taken_out = self
            .retried(|| async {
                let silent = doc! {"_id": silent.node.stored(), "count": signed(silent.count)};
                Ok(self.lease_nodes().delete_one(silent).await?)
            })
            .await?;
        Ok(taken_out.deleted_count == 1)
    }

    async fn retire(&self, node: NodeId) -> Result<(), StoreError> {
        self.retried(|| async {
            self.lease_nodes()
                .delete_one(doc! {"_id": node.stored()})
                .await?;
            Ok(())
        })
        .await?;
        Ok(())
    }
}

impl MongoStore {
    /// The nodes, by connections of their own: a renewal that waited behind a hundred searches would cost the node its
    /// lease.
    fn lease_nodes(&self) -> Collection<NodeDocument> {
        self.lease_database().collection(NodeDocument::COLLECTION)
    }
}

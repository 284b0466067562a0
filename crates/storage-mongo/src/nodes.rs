use async_trait::async_trait;
use chat_core::{
    id::NodeId,
    ports::{Beat, Nodes, StoreError},
};
use mongodb::bson::{Uuid, doc};
use serde::{Deserialize, Serialize};

use crate::{
    MongoStore,
    error::Failure,
    layout::{Stored, StoredId, unsigned},
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
        let nodes = self.all::<NodeDocument>();
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

    async fn retire(&self, nodes: &[NodeId]) -> Result<(), StoreError> {
        let ids: Vec<Uuid> = nodes.iter().map(|node| node.stored()).collect();
        self.retried(|| async {
            self.all::<NodeDocument>()
                .delete_many(doc! {"_id": {"$in": ids.clone()}})
                .await?;
            Ok(())
        })
        .await?;
        Ok(())
    }
}

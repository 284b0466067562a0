use std::time::Duration;

use mongodb::bson::{Document, Uuid, doc};

use super::document::{ChunkDocument, FileDocument};
use crate::{MongoStore, error::Failure};

/// An upload that was not touched for so long is dead. Longer than any write can be under way.
pub(super) const UNTOUCHED_FOR: Duration = Duration::from_hours(1);

impl MongoStore {
    /// Removes what uploads left that ended an hour ago or earlier without an end, and what is left of deleted files.
    ///
    /// Says how many there were. Cheap where there are none: it looks into an index of unfinished ones. Any node may do it
    /// at any time, also several at once; time is the server's.
    pub(crate) async fn sweep_uploads(&self) -> Result<u64, Failure> {
        let dead = doc! {
            "metadata.touched_at": {"$exists": true},
            "$expr": {"$lt": [
                "$metadata.touched_at",
                {"$subtract": ["$$NOW", millis(UNTOUCHED_FOR)]},
            ]},
        };
        let files = self.all::<FileDocument>();
        let mut swept = 0;
        loop {
            // From here on it cannot be completed any more.
            let found = self
                .retried(|| async {
                    Ok::<_, Failure>(
                        files
                            .find_one_and_update(
                                dead.clone(),
                                doc! {"$set": {"metadata.gone": Uuid::new()}},
                            )
                            .await?,
                    )
                })
                .await?;
            let Some(found) = found else {
                return Ok(swept);
            };
            self.remove_upload(found.id).await?;
            swept += 1;
        }
    }

    /// Removes an upload that cannot be completed any more: the chunks first, so that nothing is left that is not found.
    pub(super) async fn remove_upload(&self, upload: Uuid) -> Result<(), Failure> {
        let chunks = self.part::<ChunkDocument, Document>();
        let files = self.part::<FileDocument, Document>();
        self.retried(|| async {
            chunks.delete_many(doc! {"files_id": upload}).await?;
            files
                .delete_one(doc! {"_id": upload, "metadata.complete": false})
                .await?;
            Ok(())
        })
        .await
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

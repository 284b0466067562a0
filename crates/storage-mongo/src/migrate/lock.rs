use std::time::Duration;

use mongodb::bson::{Uuid, doc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::{
    MongoStore, OpenError,
    error::{Failure, is_duplicate},
};

/// The right to change the layout, held by one handle.
///
/// It is a document that names its owner and the time until which it holds, by the server's clock; it is renewed while
/// the work goes on. What a dead owner holds lapses by itself.
#[derive(Debug)]
pub(crate) struct Lock<'a> {
    store: &'a MongoStore,
    owner: Uuid,
}

impl MongoStore {
    /// Takes the lock, as soon as nobody else holds it.
    ///
    /// `on_wait` gets a line at once and every few seconds while somebody does.
    pub(crate) async fn lock_layout(
        &self,
        mut on_wait: impl FnMut(&str),
    ) -> Result<Lock<'_>, OpenError> {
        let lock = Lock {
            store: self,
            owner: Uuid::new(),
        };
        let began = Instant::now();
        let mut tell_at = began;
        while !lock.take().await.map_err(|failure| self.failed(failure))? {
            let now = Instant::now();
            if now >= tell_at {
                tell_at = now + TOLD_EVERY;
                on_wait(&format!(
                    "waiting for another node that migrates {} ({} s)",
                    self.place(),
                    began.elapsed().as_secs()
                ));
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(lock)
    }
}

impl Lock<'_> {
    /// Does `work` while it renews the lock; stops it when another node has taken the lock.
    pub(crate) async fn during<T>(
        &self,
        work: impl Future<Output = Result<T, OpenError>>,
    ) -> Result<T, OpenError> {
        tokio::select! {
            done = work => done,
            () = self.renewed() => Err(OpenError::LockLost {
                database: self.store.database().name().to_owned(),
            }),
        }
    }

    /// Renews it for as long as it is ours.
    async fn renewed(&self) {
        let mut ticks = interval(RENEWED_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.take().await {
                Ok(true) => {}
                Ok(false) => return,
                // A failure is not the end: the lock holds for a while, and steps can be done twice.
                Err(failure) => {
                    tracing::warn!(%failure, "the lock of the migrations could not be renewed");
                }
            }
        }
    }

    /// Gives it back.
    pub(crate) async fn release(self) -> Result<(), OpenError> {
        self.store
            .retried(|| async {
                let ours = doc! {"_id": LOCK, "owner": self.owner};
                self.store.migrations().delete_one(ours).await?;
                Ok(())
            })
            .await
            .map_err(|failure| self.store.failed(failure))
    }

    /// Takes it or holds it for longer, and says whether it is ours.
    async fn take(&self) -> Result<bool, Failure> {
        let all = self.store.migrations();
        let until =
            doc! {"$add": ["$$NOW", i64::try_from(HELD_FOR.as_millis()).unwrap_or(i64::MAX)]};
        let ours = vec![doc! {"$set": {"owner": self.owner, "expires_at": until}}];
        self.store
            .retried(|| async {
                // Nobody's, if it was not there.
                let lapsed = doc! {"$setOnInsert": {"expires_at": mongodb::bson::DateTime::MIN}};
                match all
                    .update_one(doc! {"_id": LOCK}, lapsed)
                    .upsert(true)
                    .await
                {
                    Err(error) if !is_duplicate(&error) => return Err(error.into()),
                    _ => {}
                }
                let free = doc! {
                    "_id": LOCK,
                    "$or": [{"owner": self.owner}, {"$expr": {"$lt": ["$expires_at", "$$NOW"]}}],
                };
                let taken = all.update_one(free, ours.clone()).await?;
                Ok(taken.matched_count == 1)
            })
            .await
    }
}

/// Its id among the records of migrations, which have numbers.
const LOCK: &str = "lock";
const HELD_FOR: Duration = Duration::from_secs(30);
const RENEWED_EVERY: Duration = Duration::from_secs(5);
const TOLD_EVERY: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

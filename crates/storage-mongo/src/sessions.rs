use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chat_core::id::UserId;
use mongodb::bson::{Binary, DateTime, Uuid, doc, spec::BinarySubtype};
use records::{NewSession, Put, Rotation, SessionId, SessionRecord, Sessions, StoreError};
use serde::{Deserialize, Serialize};

use crate::{
    MongoStore,
    error::Failure,
    layout::{Stored, StoredId, date},
    transaction::Tx,
    users::UserDocument,
};

/// A session, in `skein_sessions`. One that ended is not there any more.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SessionDocument {
    #[serde(rename = "_id")]
    id: Uuid,
    user: Uuid,
    /// The SHA-256 of the current refresh token.
    token: Binary,
    created_at: DateTime,
    expires_at: DateTime,
}

impl Stored for SessionDocument {
    const COLLECTION: &'static str = "skein_sessions";
}

impl StoredId for SessionId {
    fn stored(self) -> Uuid {
        Uuid::from_bytes(self.0.into_bytes())
    }

    fn from_stored(uuid: Uuid) -> Self {
        Self(uuid::Uuid::from_bytes(uuid.bytes()))
    }
}

impl SessionDocument {
    pub(crate) fn new(session: &SessionRecord) -> Self {
        Self {
            id: session.id.stored(),
            user: session.user.stored(),
            token: hash(session.token),
            created_at: date(session.created_at_ms),
            expires_at: date(session.expires_at_ms),
        }
    }

    /// What it says.
    pub(crate) fn read(self) -> Result<SessionRecord, Failure> {
        Ok(SessionRecord {
            id: SessionId::from_stored(self.id),
            user: UserId::from_stored(self.user),
            token: <[u8; 32]>::try_from(self.token.bytes.as_slice())
                .map_err(Failure::corrupt("session's token"))?,
            expires_at_ms: self.expires_at.timestamp_millis(),
            created_at_ms: self.created_at.timestamp_millis(),
        })
    }
}

#[async_trait]
impl Sessions for MongoStore {
    async fn insert_session(&self, session: NewSession) -> Result<(), StoreError> {
        let session = &SessionDocument::new(&SessionRecord {
            id: session.id,
            user: session.user,
            token: session.token,
            expires_at_ms: session.expires_at_ms,
            created_at_ms: session.at_ms,
        });
        self.transact(|mut tx| async move {
            let done = insert(self, &mut tx, session).await;
            (tx, done)
        })
        .await?;
        Ok(())
    }

    async fn find_session(&self, id: SessionId, at_ms: i64) -> Result<Option<UserId>, StoreError> {
        let found = self
            .retried(|| async {
                let all = self.all::<SessionDocument>();
                Ok(all
                    .find_one(doc! {"_id": id.stored(), "expires_at": {"$gte": date(at_ms)}})
                    .await?)
            })
            .await?;
        Ok(found.map(|session| UserId::from_stored(session.user)))
    }

    async fn rotate_session(
        &self,
        id: SessionId,
        presented: [u8; 32],
        next: [u8; 32],
        at_ms: i64,
        expires_at_ms: i64,
    ) -> Result<Rotation, StoreError> {
        let use_of = &Use {
            id: id.stored(),
            presented: hash(presented),
            next: hash(next),
            at: date(at_ms),
            expires_at: date(expires_at_ms),
            ended: Mutex::new(None),
        };
        let rotation = self
            .transact(|mut tx| async move {
                let rotation = use_of.carry_out(self, &mut tx).await;
                (tx, rotation)
            })
            .await?;
        Ok(rotation)
    }

    async fn end_session(&self, id: SessionId) -> Result<bool, StoreError> {
        Ok(self.end_all("_id", id.stored()).await? > 0)
    }

    async fn end_sessions_of(&self, user: UserId) -> Result<u64, StoreError> {
        Ok(self.end_all("user", user.stored()).await?)
    }

    async fn sweep_sessions(&self, at_ms: i64) -> Result<u64, StoreError> {
        // In no transaction: there may be many of them, and nothing depends on their going together. Of a sweep whose
        // answer was lost only the rest is counted.
        let swept = self
            .retried(|| async {
                let all = self.all::<SessionDocument>();
                let expired = doc! {"expires_at": {"$lt": date(at_ms)}};
                Ok(all.delete_many(expired).await?.deleted_count)
            })
            .await?;
        Ok(swept)
    }
}

impl MongoStore {
    /// Stores a session of a user who is there, unless its id is there.
    pub(crate) async fn put_session_document(
        &self,
        session: &SessionDocument,
    ) -> Result<Put, Failure> {
        self.transact(|mut tx| async move {
            let put = put(self, &mut tx, session).await;
            (tx, put)
        })
        .await
    }

    /// Ends the sessions whose `field` is this and says how many there were.
    async fn end_all(&self, field: &str, value: Uuid) -> Result<u64, Failure> {
        // What an earlier run ended, which may have been committed without our knowing.
        let before = &Mutex::new(0);
        self.transact(|mut tx| async move {
            let ended = end_all(self, &mut tx, field, value, before).await;
            (tx, ended)
        })
        .await
    }
}

/// A refresh token that is presented.
#[derive(Debug)]
struct Use {
    id: Uuid,
    presented: Binary,
    next: Binary,
    at: DateTime,
    expires_at: DateTime,
    /// Whose session an earlier run ended, which may have been committed without our knowing.
    ended: Mutex<Option<Uuid>>,
}

impl Use {
    async fn carry_out(&self, store: &MongoStore, tx: &mut Tx) -> Result<Rotation, Failure> {
        let all = store.all::<SessionDocument>();
        let id = doc! {"_id": self.id};
        let session = all
            .find_one(doc! {"_id": self.id, "expires_at": {"$gte": self.at}})
            .session(&mut tx.session)
            .await?;
        // Nothing panics while it is held.
        let ended = || self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(session) = session else {
            let ended = ended().filter(|_| tx.may_be_done);
            return Ok(ended.map_or(Rotation::Unknown, |user| {
                Rotation::Reused(UserId::from_stored(user))
            }));
        };
        let user = UserId::from_stored(session.user);
        if session.token == self.presented {
            let rotated = doc! {"$set": {
                "token": &self.next,
                "expires_at": self.expires_at,
            }};
            all.update_one(id, rotated).session(&mut tx.session).await?;
            return Ok(Rotation::Rotated(user));
        }
        // An earlier run may have been committed without our knowing: its token is ours.
        if tx.may_be_done && session.token == self.next {
            return Ok(Rotation::Rotated(user));
        }
        all.delete_one(id).session(&mut tx.session).await?;
        *ended() = Some(session.user);
        Ok(Rotation::Reused(user))
    }
}

async fn insert(store: &MongoStore, tx: &mut Tx, session: &SessionDocument) -> Result<(), Failure> {
    let all = store.all::<SessionDocument>();
    let found = all
        .find_one(doc! {"_id": session.id})
        .session(&mut tx.session)
        .await?;
    match found {
        None => {
            all.insert_one(session).session(&mut tx.session).await?;
            Ok(())
        }
        Some(found) if tx.may_be_done && found.token == session.token => Ok(()),
        Some(_) => Err(Failure::Misuse(
            "a new session has the id of another".to_owned(),
        )),
    }
}

async fn put(store: &MongoStore, tx: &mut Tx, session: &SessionDocument) -> Result<Put, Failure> {
    let all = store.all::<SessionDocument>();
    let known = all
        .find_one(doc! {"_id": session.id})
        .session(&mut tx.session)
        .await?;
    if known.is_some() {
        return Ok(Put::Known);
    }
    let user = store
        .all::<UserDocument>()
        .find_one(doc! {"_id": session.user})
        .session(&mut tx.session)
        .await?;
    if user.is_none() {
        return Ok(Put::Orphan);
    }
    // One that came meanwhile is a conflict, and all of this is done again.
    all.insert_one(session).session(&mut tx.session).await?;
    Ok(Put::New)
}

async fn end_all(
    store: &MongoStore,
    tx: &mut Tx,
    field: &str,
    value: Uuid,
    before: &Mutex<u64>,
) -> Result<u64, Failure> {
    let ended = store
        .all::<SessionDocument>()
        .delete_many(doc! {field: value})
        .session(&mut tx.session)
        .await?
        .deleted_count;
    // Nothing panics while it is held.
    let mut before = before.lock().unwrap_or_else(PoisonError::into_inner);
    if ended == 0 && tx.may_be_done {
        return Ok(*before);
    }
    *before = ended;
    Ok(ended)
}

fn hash(bytes: [u8; 32]) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: bytes.to_vec(),
    }
}

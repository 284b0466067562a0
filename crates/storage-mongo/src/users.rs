use async_trait::async_trait;
use chat_core::id::UserId;
use mongodb::bson::{Binary, DateTime, Document, Uuid, doc, spec::BinarySubtype};
use records::{
    NewUser, PasswordHash, Promotion, Put, Secrets, StoreError, User, UserKind, UserRecord,
    UserRefusal, Users, email_key,
};
use serde::{Deserialize, Serialize};

use crate::{
    MongoStore,
    error::Failure,
    layout::{Stored, StoredId as _, date, named},
    transaction::Tx,
};

/// A user, in `skein_users`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct UserDocument {
    #[serde(rename = "_id")]
    id: Uuid,
    email: String,
    /// The form of the address that is unique.
    email_key: String,
    kind: String,
    created_at: DateTime,
    /// The hash of the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl Stored for UserDocument {
    const COLLECTION: &'static str = "skein_users";
}

impl UserDocument {
    pub(crate) fn new(record: &UserRecord) -> Self {
        Self {
            id: record.user.id.stored(),
            email: record.user.email.clone(),
            email_key: record.email_key.clone(),
            kind: record.user.kind.as_str().to_owned(),
            created_at: date(record.user.created_at_ms),
            password: record.password.as_ref().map(|hash| hash.text().to_owned()),
        }
    }

    /// What it says.
    pub(crate) fn read(self) -> Result<UserRecord, Failure> {
        Ok(UserRecord {
            user: User {
                id: UserId::from_stored(self.id),
                email: self.email,
                kind: named("user's kind", &self.kind, UserKind::from_name(&self.kind))?,
                created_at_ms: self.created_at.timestamp_millis(),
            },
            email_key: self.email_key,
            password: self.password.map(PasswordHash::new),
        })
    }
}

/// A secret of ours, in `skein_settings` under its name.
#[derive(Debug, Serialize, Deserialize)]
struct SecretDocument {
    #[serde(rename = "_id")]
    name: String,
    value: Binary,
}

impl Stored for SecretDocument {
    const COLLECTION: &'static str = "skein_settings";
}

#[async_trait]
impl Users for MongoStore {
    async fn insert_user(&self, user: NewUser) -> Result<Result<User, UserRefusal>, StoreError> {
        let record = UserRecord {
            email_key: user.email_key.clone(),
            user: User {
                id: user.id,
                email: user.email,
                kind: user.kind,
                created_at_ms: user.at_ms,
            },
            password: user.password,
        };
        match self
            .insert_user_document(&UserDocument::new(&record))
            .await?
        {
            Put::New => Ok(Ok(record.user)),
            Put::Taken => Ok(Err(UserRefusal::EmailTaken)),
            Put::Known | Put::Orphan => {
                Err(Failure::Misuse("a new user has the id of another".to_owned()).into())
            }
        }
    }

    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let found = self.find_user_document(doc! {"_id": id.stored()}).await?;
        Ok(found.map(|record| record.user))
    }

    async fn find_user_by_email(&self, key: &str) -> Result<Option<User>, StoreError> {
        let found = self.find_user_document(doc! {"email_key": key}).await?;
        Ok(found.map(|record| record.user))
    }

    async fn find_password(&self, id: UserId) -> Result<Option<PasswordHash>, StoreError> {
        let found = self.find_user_document(doc! {"_id": id.stored()}).await?;
        Ok(found.and_then(|record| record.password))
    }

    async fn replace_password(
        &self,
        id: UserId,
        was: &PasswordHash,
        next: PasswordHash,
    ) -> Result<bool, StoreError> {
        let next = &next;
        let replaced = self
            .transact(|mut tx| async move {
                let replaced = replace_password(self, &mut tx, id, was, next).await;
                (tx, replaced)
            })
            .await?;
        Ok(replaced)
    }

    async fn promote_guest(
        &self,
        promotion: Promotion,
    ) -> Result<Result<User, UserRefusal>, StoreError> {
        let promotion = &promotion;
        let promoted = self
            .transact(|mut tx| async move {
                let promoted = promote(self, &mut tx, promotion).await;
                (tx, promoted)
            })
            .await?;
        Ok(promoted)
    }
}

#[async_trait]
impl Secrets for MongoStore {
    async fn secret(&self, name: &str, candidate: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let candidate = &SecretDocument {
            name: name.to_owned(),
            value: Binary {
                subtype: BinarySubtype::Generic,
                bytes: candidate,
            },
        };
        let secret = self
            .transact(|mut tx| async move {
                let secret = keep_secret(self, &mut tx, candidate).await;
                (tx, secret)
            })
            .await?;
        Ok(secret)
    }
}

impl MongoStore {
    /// Stores a user unless its id or its address is there.
    pub(crate) async fn insert_user_document(&self, user: &UserDocument) -> Result<Put, Failure> {
        self.transact(|mut tx| async move {
            let put = insert(self, &mut tx, user).await;
            (tx, put)
        })
        .await
    }

    async fn find_user_document(&self, filter: Document) -> Result<Option<UserRecord>, Failure> {
        let found = self
            .retried(|| async {
                let all = self.all::<UserDocument>();
                Ok(all.find_one(filter.clone()).await?)
            })
            .await?;
        found.map(UserDocument::read).transpose()
    }
}

async fn insert(store: &MongoStore, tx: &mut Tx, user: &UserDocument) -> Result<Put, Failure> {
    let all = store.all::<UserDocument>();
    for (filter, put) in [
        (doc! {"_id": user.id}, Put::Known),
        (doc! {"email_key": &user.email_key}, Put::Taken),
    ] {
        let found = all.find_one(filter).session(&mut tx.session).await?;
        if found.is_some() {
            return Ok(put);
        }
    }
    // One that came meanwhile is a conflict, and all of this is done again.
    all.insert_one(user).session(&mut tx.session).await?;
    Ok(Put::New)
}

async fn replace_password(
    store: &MongoStore,
    tx: &mut Tx,
    id: UserId,
    was: &PasswordHash,
    next: &PasswordHash,
) -> Result<bool, Failure> {
    let all = store.all::<UserDocument>();
    let of = |hash: &PasswordHash| doc! {"_id": id.stored(), "password": hash.text()};
    let replaced = all
        .update_one(of(was), doc! {"$set": {"password": next.text()}})
        .session(&mut tx.session)
        .await?;
    if replaced.matched_count == 0 && tx.may_be_done {
        let found = all.find_one(of(next)).session(&mut tx.session).await?;
        return Ok(found.is_some());
    }
    Ok(replaced.matched_count == 1)
}

async fn promote(
    store: &MongoStore,
    tx: &mut Tx,
    promotion: &Promotion,
) -> Result<Result<User, UserRefusal>, Failure> {
    let all = store.all::<UserDocument>();
    let id = doc! {"_id": promotion.id.stored()};
    let Some(mut user) = all.find_one(id.clone()).session(&mut tx.session).await? else {
        return Ok(Err(UserRefusal::NotAGuest));
    };
    let key = email_key(&promotion.email);
    let password = promotion.password.text();
    if user.kind != UserKind::Guest.as_str() {
        let is_ours =
            tx.may_be_done && user.email_key == key && user.password.as_deref() == Some(password);
        return if is_ours {
            Ok(Ok(user.read()?.user))
        } else {
            Ok(Err(UserRefusal::NotAGuest))
        };
    }
    let holder = all
        .find_one(doc! {"email_key": &key, "_id": {"$ne": user.id}})
        .session(&mut tx.session)
        .await?;
    if holder.is_some() {
        return Ok(Err(UserRefusal::EmailTaken));
    }
    user.email.clone_from(&promotion.email);
    user.email_key = key;
    UserKind::Regular.as_str().clone_into(&mut user.kind);
    user.password = Some(password.to_owned());
    let regular = doc! {"$set": {
        "email": &user.email,
        "email_key": &user.email_key,
        "kind": &user.kind,
        "password": &user.password,
    }};
    // One who took the address meanwhile is a conflict, and all of this is done again.
    all.update_one(id, regular).session(&mut tx.session).await?;
    Ok(Ok(user.read()?.user))
}

async fn keep_secret(
    store: &MongoStore,
    tx: &mut Tx,
    candidate: &SecretDocument,
) -> Result<Vec<u8>, Failure> {
    let all = store.all::<SecretDocument>();
    let found = all
        .find_one(doc! {"_id": &candidate.name})
        .session(&mut tx.session)
        .await?;
    if let Some(found) = found {
        return Ok(found.value.bytes);
    }
    all.insert_one(candidate).session(&mut tx.session).await?;
    Ok(candidate.value.bytes.clone())
}

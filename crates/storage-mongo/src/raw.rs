use std::{fmt, time::Duration};

use async_trait::async_trait;
use chat_core::ports::StoreError;
use futures_util::StreamExt as _;
use mongodb::{
    Client, Database,
    bson::{Bson, Document, RawDocument, RawDocumentBuf, doc},
    error::ErrorKind,
    options::{ClientOptions, ReadPreference, SelectionCriteria},
};
use records::{BrokenDocument, RawCollections, RawDocuments};
use secrecy::ExposeSecret as _;
use serde_json::Value;

use crate::{
    Config, OpenError,
    connect::{UNAUTHORIZED, hosts, public_part, public_uri, reason},
    error::{self, Failure},
};

/// A source that does not answer within this time is not there: whoever imports can start anew.
const PATIENCE: Duration = Duration::from_secs(10);
/// So many documents come at once: few, for one may have 16 MB.
const BATCH: u32 = 64;

/// A foreign database that is only read: a standalone server will do, and a user who may read.
pub struct RawDatabase {
    database: Database,
    place: String,
}

impl fmt::Debug for RawDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RawDatabase").field(&self.place).finish()
    }
}

impl RawDatabase {
    /// The database that the connection string names, after it answered.
    ///
    /// Secondaries are preferred, so that an import is no load on the primary. There is no default name: a database that is
    /// read by mistake would be imported by mistake.
    pub async fn connect(config: &Config) -> Result<Self, OpenError> {
        let uri = config.uri.expose_secret();
        let place = public_part(uri);
        let mut options = match ClientOptions::parse(uri).await {
            Ok(options) => options,
            Err(error) if matches!(&*error.kind, ErrorKind::DnsResolve { .. }) => {
                return Err(OpenError::Unreachable {
                    hosts: place,
                    seconds: 0,
                    reason: reason(&error),
                });
            }
            Err(_) => {
                // As in `MongoStore::connect`: the driver's words may quote a password.
                let spoken = match ClientOptions::parse(public_uri(uri)).await {
                    Ok(_) => "the part before the @ cannot be read".to_owned(),
                    Err(error) => reason(&error),
                };
                return Err(OpenError::BadUri { reason: spoken });
            }
        };
        let bad = |reason: String| OpenError::BadUri { reason };
        let name = options
            .default_database
            .clone()
            .or_else(|| config.database.clone())
            .ok_or_else(|| bad("it names no database to read from".to_owned()))?;
        let hosts = hosts(&options);
        options
            .app_name
            .get_or_insert_with(|| "skein import".to_owned());
        options.server_selection_timeout = Some(PATIENCE);
        options.selection_criteria = Some(SelectionCriteria::ReadPreference(
            ReadPreference::SecondaryPreferred { options: None },
        ));
        let client = Client::with_options(options).map_err(|error| bad(reason(&error)))?;
        let database = client.database(&name);
        match database.list_collection_names().await {
            Ok(_names) => Ok(Self {
                place: format!("{hosts}/{name}"),
                database,
            }),
            Err(error) if matches!(&*error.kind, ErrorKind::Authentication { .. }) => {
                Err(OpenError::WrongPassword { hosts })
            }
            Err(error) if error::code(&error) == Some(UNAUTHORIZED) => Err(OpenError::NoRights {
                action: "list the collections".to_owned(),
                database: name,
            }),
            Err(error) if error::is_passing(&error) => Err(OpenError::Unreachable {
                hosts,
                seconds: PATIENCE.as_secs(),
                reason: "nothing answers".to_owned(),
            }),
            Err(error) => Err(OpenError::Database {
                database: name,
                source: error.into(),
            }),
        }
    }
}

#[async_trait]
impl RawCollections for RawDatabase {
    fn name(&self) -> String {
        self.place.clone()
    }

    async fn list_collections(&self) -> Result<Vec<String>, StoreError> {
        let mut names = self
            .database
            .list_collection_names()
            .await
            .map_err(Failure::from)?;
        names.sort_unstable();
        Ok(names)
    }

    async fn read_collection(&self, collection: &str) -> Result<RawDocuments, StoreError> {
        let documents = self
            .database
            .collection::<RawDocumentBuf>(collection)
            .find(doc! {})
            .sort(doc! { "_id": 1 })
            .batch_size(BATCH)
            .await
            .map_err(Failure::from)?;
        let as_json = |document: Result<RawDocumentBuf, mongodb::error::Error>| {
            let document = document.map_err(Failure::from)?;
            Ok(read(&document).ok_or_else(|| BrokenDocument { id: id(&document) }))
        };
        Ok(Box::pin(documents.map(as_json)))
    }
}

/// A document as Extended JSON, which it says itself as to a text format; `None` when it is broken. The driver reads none of
/// it before, since it would end at the first that is.
fn read(document: &RawDocument) -> Option<Value> {
    let document = Document::try_from(document).ok()?;
    serde_json::to_value(&document).ok()
}

fn id(document: &RawDocument) -> Option<Value> {
    let id = Bson::try_from(document.get("_id").ok()??).ok()?;
    serde_json::to_value(&id).ok()
}

#[cfg(test)]
mod tests;

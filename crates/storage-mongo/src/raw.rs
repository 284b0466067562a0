use std::{fmt, time::Duration};

use async_trait::async_trait;
use chat_core::ports::StoreError;
use futures_util::StreamExt as _;
use mongodb::{
    Client, Database,
    bson::{Document, doc},
    error::ErrorKind,
    options::{ClientOptions, ReadPreference, SelectionCriteria},
};
use records::{RawCollections, RawDocuments};
use secrecy::ExposeSecret as _;

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
            .collection::<Document>(collection)
            .find(doc! {})
            .sort(doc! { "_id": 1 })
            .batch_size(BATCH)
            .await
            .map_err(Failure::from)?;
        let as_json = |document: Result<Document, mongodb::error::Error>| {
            let document = document.map_err(Failure::from)?;
            // A document says itself to a text format as Extended JSON.
            serde_json::to_value(&document)
                .map_err(|error| Failure::corrupt("document")(error).into())
        };
        Ok(Box::pin(documents.map(as_json)))
    }
}

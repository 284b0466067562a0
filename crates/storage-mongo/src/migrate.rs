//! Migrations: numbered files that are applied once, by one node at a time.

mod apply;
mod index;
mod lock;
mod plan;

#[cfg(test)]
mod tests;

use std::fmt::{self, Write as _};

use mongodb::{
    Collection,
    bson::{DateTime, Document, doc},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{MongoStore, OpenError, error::Failure};

use self::index::Index;

impl MongoStore {
    /// What [`migrate`](Self::migrate) would do now, in order; changes nothing. Empty when nothing is to be done.
    pub async fn plan(&self) -> Result<Vec<Step>, OpenError> {
        self.plan_of(MIGRATIONS).await
    }

    /// Brings the database to the layout of this release and says what it did, in order; empty when nothing was to be
    /// done.
    ///
    /// One node does it at a time, and another one waits for it and then finds nothing to do. Every step can be done
    /// again, so that a process that dies in the middle leaves the rest to the next one. A migration is recorded after
    /// its last step. A failed step leaves what is stored as it was. A database that a newer release migrated is taken
    /// as it is where those migrations only add to the layout, so that nodes of two releases can share it.
    pub async fn migrate(&self) -> Result<Vec<Step>, OpenError> {
        self.migrate_telling(|_line| {}).await
    }

    /// Does what [`migrate`](Self::migrate) does; `on_wait` gets a line for people every few seconds that another node
    /// is at it and keeps us waiting.
    pub async fn migrate_telling(&self, on_wait: impl FnMut(&str)) -> Result<Vec<Step>, OpenError> {
        self.migrate_to(MIGRATIONS, on_wait).await
    }

    pub(crate) fn migrations(&self) -> Collection<Document> {
        self.database().collection(RECORDS)
    }
}

/// A change of the layout that a migration makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The migration's name.
    pub migration: String,
    /// What is done.
    pub action: Action,
}

/// What a step does, in view of what is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Makes a collection.
    CreateCollection {
        /// Its name.
        collection: String,
    },
    /// Builds an index.
    CreateIndex {
        /// In which collection.
        collection: String,
        /// Its name.
        index: String,
    },
    /// Drops indexes that have the name or the keys of the wanted one, but not its meaning, and builds that one.
    ReplaceIndex {
        /// In which collection.
        collection: String,
        /// Its name.
        index: String,
        /// The names of those that go.
        dropped: Vec<String>,
    },
    /// Drops an index.
    DropIndex {
        /// In which collection.
        collection: String,
        /// Its name.
        index: String,
    },
    /// Leaves an index as it is, which serves under another name.
    KeepIndex {
        /// In which collection.
        collection: String,
        /// The name that it would have been given.
        index: String,
        /// The name it has.
        found: String,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateCollection { collection } => {
                write!(f, "create the collection {collection}")
            }
            Self::CreateIndex { collection, index } => {
                write!(f, "build the index {index} of {collection}")
            }
            Self::ReplaceIndex {
                collection,
                index,
                dropped,
            } => write!(
                f,
                "replace {} of {collection} by the index {index}",
                dropped.join(" and ")
            ),
            Self::DropIndex { collection, index } => {
                write!(f, "drop the index {index} of {collection}")
            }
            Self::KeepIndex {
                collection,
                index,
                found,
            } => write!(
                f,
                "keep {found} of {collection}, which serves as the index {index}"
            ),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.migration, self.action)
    }
}

/// A migration as it is in its file. Never edited once released.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source {
    /// Its number, from 1 without a gap.
    pub(crate) number: i64,
    /// Its file's name, without the ending.
    pub(crate) name: &'static str,
    /// The file.
    pub(crate) json: &'static str,
}

/// All migrations of this release.
pub(crate) const MIGRATIONS: &[Source] = &[
    Source {
        number: 1,
        name: "0001_conversations_and_records",
        json: include_str!("../../../migrations/mongodb/0001_conversations_and_records.json"),
    },
    Source {
        number: 2,
        name: "0002_chatbot",
        json: include_str!("../../../migrations/mongodb/0002_chatbot.json"),
    },
];

/// What a migration's file says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Migration {
    /// What it is for, for people.
    #[serde(rename = "about")]
    pub(crate) _about: String,
    /// Whether a release that does not know it can work with what it leaves.
    pub(crate) expands: bool,
    pub(crate) steps: Vec<Change>,
}

/// What a migration wants to be so afterwards.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Change {
    CreateCollection(String),
    CreateIndex(Index),
    DropIndex { on: String, name: String },
}

/// That a migration was applied, in `skein_migrations` under its number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    #[serde(rename = "_id")]
    pub(crate) number: i64,
    pub(crate) name: String,
    pub(crate) checksum: String,
    pub(crate) expands: bool,
    /// By the server's clock, for people only.
    pub(crate) applied_at: DateTime,
}

const RECORDS: &str = "skein_migrations";

impl Source {
    pub(crate) fn read(&self) -> Result<Migration, OpenError> {
        serde_json::from_str(self.json).map_err(|source| OpenError::BadMigration {
            name: self.name,
            source,
        })
    }

    /// The SHA-256 of its text in lower-case hexadecimal, line ends counted as `\n`.
    pub(crate) fn checksum(&self) -> String {
        let mut hex = String::new();
        for byte in Sha256::digest(self.json.replace("\r\n", "\n")) {
            // Writing to a string does not fail.
            let _written = write!(hex, "{byte:02x}");
        }
        hex
    }
}

impl MongoStore {
    /// Those of `sources` that are not recorded yet.
    ///
    /// Refuses a database that a newer release has changed beyond what this one knows, and one whose recorded migrations
    /// are not the ones in `sources`.
    async fn missing<'a>(&self, sources: &'a [Source]) -> Result<Vec<&'a Source>, OpenError> {
        let records = self
            .retried(|| async {
                let mut found = Vec::new();
                let all = self.migrations().clone_with_type::<Record>();
                // The lock is in the same collection, under a name.
                let mut cursor = all.find(doc! {"_id": {"$type": "number"}}).await?;
                while cursor.advance().await? {
                    found.push(cursor.deserialize_current()?);
                }
                Ok::<_, Failure>(found)
            })
            .await
            .map_err(|failure| self.failed(failure))?;
        let database = || self.database().name().to_owned();
        for record in &records {
            match sources.iter().find(|source| source.number == record.number) {
                Some(source) if source.checksum() != record.checksum => {
                    return Err(OpenError::MigrationChanged {
                        name: source.name.to_owned(),
                        database: database(),
                    });
                }
                None if !record.expands => {
                    return Err(OpenError::NewerRelease {
                        database: database(),
                        name: record.name.clone(),
                    });
                }
                Some(_) | None => {}
            }
        }
        let is_missing =
            |source: &&Source| !records.iter().any(|record| record.number == source.number);
        Ok(sources.iter().filter(is_missing).collect())
    }
}

use std::collections::HashMap;

use mongodb::IndexModel;

use super::{Action, Change, Source, Step, index::Likeness};
use crate::{
    MongoStore, OpenError,
    error::{Failure, code},
};

/// What is in the database, as far as migrations change it.
#[derive(Debug, Default)]
pub(crate) struct Layout(HashMap<String, Vec<IndexModel>>);

impl MongoStore {
    pub(crate) async fn plan_of(&self, sources: &[Source]) -> Result<Vec<Step>, OpenError> {
        let missing = self.missing(sources).await?;
        let mut layout = Layout::default();
        let mut steps = Vec::new();
        for source in missing {
            for change in source.read()?.steps {
                self.look(&mut layout, change.collection()).await?;
                let Some(action) = layout.action(&change) else {
                    continue;
                };
                layout.expect(&change, &action);
                steps.push(Step {
                    migration: source.name.to_owned(),
                    action,
                });
            }
        }
        Ok(steps)
    }

    /// Looks at a collection, unless it was looked at before.
    pub(crate) async fn look(
        &self,
        layout: &mut Layout,
        collection: &str,
    ) -> Result<(), OpenError> {
        if layout.0.contains_key(collection) {
            return Ok(());
        }
        let indexes = self
            .retried(|| self.indexes(collection))
            .await
            .map_err(|failure| self.failed(failure))?;
        if let Some(indexes) = indexes {
            layout.0.insert(collection.to_owned(), indexes);
        }
        Ok(())
    }

    /// The indexes of a collection; `None` if there is no such collection.
    async fn indexes(&self, collection: &str) -> Result<Option<Vec<IndexModel>>, Failure> {
        let collection = self
            .database()
            .collection::<mongodb::bson::Document>(collection);
        let mut cursor = match collection.list_indexes().await {
            Ok(cursor) => cursor,
            Err(error) if code(&error) == Some(NAMESPACE_NOT_FOUND) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut indexes = Vec::new();
        while cursor.advance().await? {
            indexes.push(cursor.deserialize_current()?);
        }
        Ok(Some(indexes))
    }
}

const NAMESPACE_NOT_FOUND: i32 = 26;

impl Layout {
    /// Forgets a collection, which has to be looked at again.
    pub(crate) fn forget(&mut self, collection: &str) {
        self.0.remove(collection);
    }

    /// What a change comes to in view of what is there; `None` if it is so already.
    pub(crate) fn action(&self, change: &Change) -> Option<Action> {
        let there = self.0.get(change.collection());
        match change {
            Change::CreateCollection(collection) => {
                there.is_none().then(|| Action::CreateCollection {
                    collection: collection.clone(),
                })
            }
            Change::CreateIndex(wanted) => {
                let (collection, index) = (wanted.on.clone(), wanted.name.clone());
                let there = there.map(Vec::as_slice).unwrap_or_default();
                let serves = there
                    .iter()
                    .find(|found| wanted.compare(found) == Likeness::Serves);
                if let Some(found) = serves {
                    let found = name_of(found);
                    return (found != index).then_some(Action::KeepIndex {
                        collection,
                        index,
                        found,
                    });
                }
                let dropped: Vec<String> = there
                    .iter()
                    .filter(|found| wanted.compare(found) == Likeness::Clashes)
                    .map(name_of)
                    .collect();
                Some(if dropped.is_empty() {
                    Action::CreateIndex { collection, index }
                } else {
                    Action::ReplaceIndex {
                        collection,
                        index,
                        dropped,
                    }
                })
            }
            Change::DropIndex { on, name } => there
                .is_some_and(|there| there.iter().any(|found| name_of(found) == *name))
                .then(|| Action::DropIndex {
                    collection: on.clone(),
                    index: name.clone(),
                }),
        }
    }

    /// The indexes that must go for this action.
    pub(crate) fn replaced(&self, change: &Change, action: &Action) -> Vec<IndexModel> {
        let Action::ReplaceIndex { dropped, .. } = action else {
            return Vec::new();
        };
        let there = self.0.get(change.collection());
        let goes = |found: &&IndexModel| dropped.contains(&name_of(found));
        there.into_iter().flatten().filter(goes).cloned().collect()
    }

    /// Takes an action as done.
    pub(crate) fn expect(&mut self, change: &Change, action: &Action) {
        let there = self.0.entry(change.collection().to_owned()).or_default();
        match (change, action) {
            (Change::CreateIndex(wanted), Action::ReplaceIndex { dropped, .. }) => {
                there.retain(|found| !dropped.contains(&name_of(found)));
                there.push(wanted.model());
            }
            (Change::CreateIndex(wanted), Action::CreateIndex { .. }) => there.push(wanted.model()),
            (Change::DropIndex { name, .. }, _) => there.retain(|found| name_of(found) != *name),
            _ => {}
        }
    }
}

impl Change {
    /// The collection that it is about.
    pub(crate) fn collection(&self) -> &str {
        match self {
            Self::CreateCollection(collection) => collection,
            Self::CreateIndex(index) => &index.on,
            Self::DropIndex { on, .. } => on,
        }
    }
}

pub(crate) fn name_of(index: &IndexModel) -> String {
    index
        .options
        .as_ref()
        .and_then(|options| options.name.clone())
        .unwrap_or_default()
}

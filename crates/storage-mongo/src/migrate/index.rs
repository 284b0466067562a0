use mongodb::{
    IndexModel,
    bson::{Bson, Document, doc},
    options::{Collation, IndexOptions},
};
use serde::Deserialize;

/// An index that a migration wants.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    pub(crate) on: String,
    pub(crate) name: String,
    /// Fields in order, each 1 (ascending) or -1.
    pub(crate) keys: Vec<(String, i32)>,
    #[serde(default)]
    pub(crate) unique: bool,
    /// Which documents are in it; all of them without this.
    #[serde(default)]
    pub(crate) only: Option<Only>,
}

/// Which documents are in an index.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Only {
    /// Those that have this field.
    Has(String),
    /// Those in which this field is `true`.
    IsTrue(String),
    /// Those in which this field is this text.
    Is(String, String),
}

/// How an index that is there stands to one that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Likeness {
    /// It does what the wanted one does.
    Serves,
    /// It has its name or its keys, but another meaning: the two cannot be there together.
    Clashes,
    /// It has nothing to do with it.
    Other,
}

impl Index {
    pub(crate) fn model(&self) -> IndexModel {
        let options = IndexOptions::builder()
            .name(self.name.clone())
            .unique(self.unique.then_some(true))
            .partial_filter_expression(self.only.as_ref().map(Only::filter))
            // A collection that somebody made with a collation would otherwise take two names for one.
            .collation(self.unique.then(simple))
            .build();
        IndexModel::builder()
            .keys(self.key_pattern())
            .options(options)
            .build()
    }

    /// How `found`, which is in the same collection, stands to this one.
    pub(crate) fn compare(&self, found: &IndexModel) -> Likeness {
        let none = IndexOptions::default();
        let options = found.options.as_ref().unwrap_or(&none);
        let same_keys = keys_of(&found.keys) == keys_of(&self.key_pattern());
        let same_name = options.name.as_deref() == Some(self.name.as_str());
        // Options that change neither what it holds nor what it refuses are left alone, such as a version.
        let same_meaning = options.unique.unwrap_or_default() == self.unique
            && options.partial_filter_expression == self.only.as_ref().map(Only::filter)
            && !options.sparse.unwrap_or_default()
            && !options.hidden.unwrap_or_default()
            && options.expire_after.is_none()
            && options
                .collation
                .as_ref()
                .is_none_or(|collation| collation.locale == simple().locale);
        match (same_keys, same_name) {
            (true, _) if same_meaning => Likeness::Serves,
            (false, false) => Likeness::Other,
            _ => Likeness::Clashes,
        }
    }

    fn key_pattern(&self) -> Document {
        self.keys
            .iter()
            .map(|(field, direction)| (field.clone(), Bson::Int32(*direction)))
            .collect()
    }
}

impl Only {
    fn filter(&self) -> Document {
        match self {
            Self::Has(field) => doc! {field: {"$exists": true}},
            Self::IsTrue(field) => doc! {field: true},
            Self::Is(field, text) => doc! {field: text},
        }
    }
}

/// The comparison of bytes; the server does not list it, as it is what an index has by itself.
fn simple() -> Collation {
    Collation::builder().locale("simple").build()
}

/// Keys as they can be compared: a shell writes directions as floats, others as integers of either length.
fn keys_of(keys: &Document) -> Vec<(&str, String)> {
    let direction = |value: &Bson| {
        let number = value
            .as_i32()
            .map(i64::from)
            .or_else(|| value.as_i64())
            .or_else(|| {
                value
                    .as_f64()
                    .map(|number| if number > 0.0 { 1 } else { -1 })
            });
        // A kind of index that has a name, such as `text`.
        number.map_or_else(|| value.to_string(), |number| number.to_string())
    };
    keys.iter()
        .map(|(field, value)| (field.as_str(), direction(value)))
        .collect()
}

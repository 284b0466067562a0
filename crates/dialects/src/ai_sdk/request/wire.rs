//! The body as it comes, and how its faults are named.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{error::Category, value::RawValue};

use super::InvalidRequest;

#[derive(Deserialize)]
pub(super) struct Body<'a> {
    pub(super) id: Option<String>,
    pub(super) message: Option<Object<Message>>,
    /// Unread but for the end: they can be megabytes of what the store knows better.
    #[serde(borrow)]
    pub(super) messages: Option<Vec<&'a RawValue>>,
    #[serde(rename = "selectedChatModel")]
    pub(super) selected_chat_model: Option<String>,
    #[serde(rename = "selectedVisibilityType")]
    pub(super) selected_visibility_type: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    pub(super) id: Option<String>,
    pub(super) role: Option<String>,
    pub(super) parts: Option<Vec<Object<Part>>>,
}

/// A message of whoever: an assistant's parts may be anything.
#[derive(Deserialize)]
pub(super) struct Speaker<'a> {
    pub(super) id: Option<String>,
    pub(super) role: Option<String>,
    #[serde(borrow)]
    pub(super) parts: Option<Vec<&'a RawValue>>,
}

/// A part of an assistant's message, of which only an answer to an approval counts. The values are looked at when they
/// are known to be of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ToolPart<'a> {
    #[serde(borrow)]
    pub(super) state: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) tool_call_id: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) approval: Option<&'a RawValue>,
}

#[derive(Deserialize, Default)]
pub(super) struct Approval {
    pub(super) approved: Option<bool>,
    pub(super) reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Part {
    // Needed, so that a long list of empty objects ends at its first one.
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) text: Option<String>,
    #[serde(rename = "mediaType")]
    pub(super) media_type: Option<String>,
    pub(super) name: Option<String>,
    pub(super) url: Option<String>,
}

/// A JSON object; serde alone would take an array with the values in order as well.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Only<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Only<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Only(PhantomData)).map(Self)
    }
}

/// Reads JSON that stands at `at` in the body; faults are named by where they are, never by what was there.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a [u8], at: &str) -> Result<T, InvalidRequest> {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = match (at, error.path().iter().len()) {
            ("", 0) => "the body".to_owned(),
            ("", _) => error.path().to_string(),
            (at, 0) => at.to_owned(),
            (at, _) => format!("{at}.{}", error.path()),
        };
        name_fault(&path, error.inner())
    })?;
    deserializer
        .end()
        .map_err(|error| name_fault("the body", &error))?;
    Ok(value)
}

fn name_fault(path: &str, error: &serde_json::Error) -> InvalidRequest {
    match error.classify() {
        Category::Data => {
            // serde's own words quote what was sent, but for these two, which name fields of ours.
            let words = error.to_string();
            let field = |start: &str| {
                words
                    .strip_prefix(start)
                    .and_then(|rest| rest.split_once('`'))
                    .map(|(field, _)| field.to_owned())
            };
            if let Some(field) = field("missing field `") {
                InvalidRequest::new(format!("{path}.{field}: missing"))
            } else if let Some(field) = field("duplicate field `") {
                InvalidRequest::new(format!("{path}.{field}: given twice"))
            } else {
                // What comes last is what our own types expect; what was found stands before it.
                let expected = words
                    .rsplit_once(", expected ")
                    .map_or("", |(_, rest)| rest);
                let expected = expected.split(" at line ").next().unwrap_or_default();
                // serde's word for a list is no word of JSON's.
                let expected = expected.replace("a sequence", "an array");
                InvalidRequest::new(match expected.as_str() {
                    "" => format!("{path}: a value of another type is accepted"),
                    expected => format!("{path}: {expected} is accepted"),
                })
            }
        }
        Category::Io | Category::Syntax | Category::Eof => InvalidRequest::new(format!(
            "the body: not valid JSON at line {}, column {}",
            error.line(),
            error.column()
        )),
    }
}

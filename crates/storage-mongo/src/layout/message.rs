use std::collections::HashSet;

use chat_core::{
    id::{ConversationId, MessageId},
    message::{Message, MessageBody, Rating, Role},
    terms,
};
use mongodb::bson::{DateTime, Uuid};
use serde::{Deserialize, Serialize};

use super::{Stored, StoredId, StoredText, date, named, signed, unsigned};
use crate::error::Failure;

/// A message, in `skein_messages`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MessageDocument {
    #[serde(rename = "_id")]
    pub(crate) id: Uuid,
    pub(crate) conversation: Uuid,
    pub(crate) seq: i64,
    pub(crate) role: String,
    pub(crate) created_at: DateTime,
    /// A foreign id for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alias: Option<String>,
    /// A reader's vote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rating: Option<i64>,
    pub(crate) body: StoredText,
    /// The conversation's owner, for the index of terms.
    pub(crate) owner: String,
    /// What a search finds it by; see [`search_terms`]. Not read back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) terms: Vec<String>,
}

impl Stored for MessageDocument {
    const COLLECTION: &'static str = "skein_messages";
}

impl MessageDocument {
    /// A message of this owner's conversation.
    pub(crate) fn new(
        id: MessageId,
        conversation: ConversationId,
        owner: &str,
        role: Role,
        created_at_ms: i64,
        body: &MessageBody,
    ) -> Result<Self, Failure> {
        Ok(Self {
            id: id.stored(),
            conversation: conversation.stored(),
            seq: 0,
            role: role.as_str().to_owned(),
            created_at: date(created_at_ms),
            alias: None,
            rating: None,
            body: StoredText::of("message", body)?,
            owner: owner.to_owned(),
            terms: search_terms(role, body),
        })
    }

    /// The same at this place.
    pub(crate) fn at(mut self, seq: u64) -> Self {
        self.seq = signed(seq);
        self
    }

    /// What it says.
    pub(crate) fn read(self) -> Result<Message, Failure> {
        Ok(Message {
            id: StoredId::from_stored(self.id),
            conversation: StoredId::from_stored(self.conversation),
            seq: unsigned(self.seq)?,
            role: named("role", &self.role, Role::from_name(&self.role))?,
            created_at_ms: self.created_at.timestamp_millis(),
            body: self.body.read("message")?,
        })
    }
}

/// A rating as it is stored.
pub(crate) const fn stored_rating(rating: Rating) -> i64 {
    match rating {
        Rating::Up => 1,
        Rating::Down => -1,
    }
}

/// Reads a stored rating.
pub(crate) fn read_rating(stored: i64) -> Result<Rating, Failure> {
    match stored {
        1 => Ok(Rating::Up),
        -1 => Ok(Rating::Down),
        other => Err(Failure::corrupt("rating")(format!(
            "the number {other} is unknown"
        ))),
    }
}

/// What a message is found by: the terms of its text, each once, the first 50,000 of them and no more than 2 MiB, since
/// they share a document with the text. A system message is found by nothing.
pub(crate) fn search_terms(role: Role, body: &MessageBody) -> Vec<String> {
    if role == Role::System {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut bytes = 0;
    terms::fold(&body.text())
        .into_iter()
        .filter(|term| seen.insert(term.clone()))
        .take(MOST_TERMS)
        .take_while(|term| {
            bytes += term.len();
            bytes <= MOST_TERM_BYTES
        })
        .collect()
}

const MOST_TERMS: usize = 50_000;
const MOST_TERM_BYTES: usize = 2 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use chat_core::message::{Part, PartContent, PartStatus};

    use super::*;

    fn body(text: String) -> MessageBody {
        MessageBody {
            parts: vec![Part {
                ordinal: 0,
                leg: None,
                step: None,
                status: PartStatus::Completed,
                started_at_ms: 0,
                finished_at_ms: None,
                alias: None,
                content: PartContent::Text {
                    text,
                    annotations: Vec::new(),
                },
            }],
            ..MessageBody::default()
        }
    }

    #[test]
    fn each_term_counts_once_and_a_system_message_has_none() {
        let body = body("one two One".to_owned());
        assert_eq!(search_terms(Role::User, &body), ["one", "two"]);
        assert_eq!(search_terms(Role::System, &body), Vec::<String>::new());
    }

    #[test]
    fn a_hostile_text_has_no_endless_terms() {
        let many: Vec<String> = (0..60_000).map(|number| number.to_string()).collect();
        assert_eq!(
            search_terms(Role::User, &body(many.join(" "))).len(),
            MOST_TERMS
        );
        let long: Vec<String> = (0..40_000).map(|number| format!("{number:0>64}")).collect();
        let bytes: usize = search_terms(Role::User, &body(long.join(" ")))
            .iter()
            .map(String::len)
            .sum();
        assert!(
            bytes <= MOST_TERM_BYTES && bytes > MOST_TERM_BYTES / 2,
            "{bytes}"
        );
    }
}

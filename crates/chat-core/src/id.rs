//! Ids: newtypes over UUIDs, so that a message's id is never taken for a run's.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a text that should be an id was not: a UUID in its 36-character hyphenated form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: a UUID in its 36-character hyphenated form is accepted")]
pub struct InvalidId;

/// Reads a UUID in its 36-character hyphenated form only, in either case.
///
/// The other forms that the `uuid` crate reads (braced, simple, URN) would give one object several spellings.
fn parse(text: &str) -> Result<Uuid, InvalidId> {
    if text.len() != 36 {
        return Err(InvalidId);
    }
    Uuid::try_parse(text).or(Err(InvalidId))
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID, of any version.
            pub const fn new(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                parse(text).map(Self)
            }
        }
    };
}

id! {
    /// A conversation's id: chosen by its client, or a random one (version 4).
    ConversationId
}
id! {
    /// A message's id: chosen by its client, or time-ordered (version 7). Unique over all conversations.
    MessageId
}
id! {
    /// A run's id, time-ordered.
    RunId
}
id! {
    /// A leg's id: random, since a leg can be reached by its id alone.
    LegId
}
id! {
    /// A user's id, random.
    UserId
}
id! {
    /// An incarnation of a node: fresh at every start, so that a restarted node is another one.
    NodeId
}
id! {
    /// The id of a pinned exchange, random.
    PinId
}

impl NodeId {
    /// Nobody: the node of a leg that was released for another one to work on.
    pub const NOBODY: Self = Self::new(Uuid::nil());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_the_hyphenated_form() {
        let text = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let id: ConversationId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        for other in [
            "67e5504410b1426f9247bb680e5fe0c8",
            "{67e55044-10b1-426f-9247-bb680e5fe0c8}",
            "urn:uuid:67e55044-10b1-426f-9247-bb680e5fe0c8",
            "",
            "67e55044-10b1-426f-9247-bb680e5fe0cg",
        ] {
            assert_eq!(other.parse::<ConversationId>(), Err(InvalidId), "{other}");
        }
    }
}

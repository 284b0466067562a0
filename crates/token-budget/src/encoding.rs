//! The vocabularies that texts are counted in.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A vocabulary that models split their text by.
///
/// `o200k_harmony` (gpt-oss) has the ordinary tokens of `o200k_base` and is counted as that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Encoding {
    /// `o200k_base`: gpt-4o and everything `OpenAI` made after it.
    O200kBase,
    /// `cl100k_base`: gpt-4, gpt-3.5-turbo and the embedding models.
    Cl100kBase,
}

impl Encoding {
    /// Every encoding, for those who list or warm them all.
    pub const ALL: [Self; 2] = [Self::O200kBase, Self::Cl100kBase];

    /// The name by which it is stored and configured: `o200k_base` or `cl100k_base`.
    ///
    /// These names never change; [`FromStr`] reads them back.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::O200kBase => "o200k_base",
            Self::Cl100kBase => "cl100k_base",
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Encoding {
    type Err = UnknownEncoding;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|encoding| encoding.as_str() == name)
            .ok_or_else(|| UnknownEncoding {
                name: name.to_owned(),
            })
    }
}

/// The name of an encoding that this crate does not have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the encoding {name:?} is not known: use o200k_base or cl100k_base")]
pub struct UnknownEncoding {
    /// The name as it was given.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_stable_and_read_back() {
        for (encoding, name) in [
            (Encoding::O200kBase, "o200k_base"),
            (Encoding::Cl100kBase, "cl100k_base"),
        ] {
            assert_eq!(encoding.to_string(), name);
            assert_eq!(name.parse(), Ok(encoding));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = "p50k_base".parse::<Encoding>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "the encoding \"p50k_base\" is not known: use o200k_base or cl100k_base"
        );
    }
}

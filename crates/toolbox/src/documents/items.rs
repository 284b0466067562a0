//! Reads suggestions out of a model's words while they come.

use serde::Deserialize;

/// The most that is read of what a model says instead of a list, in bytes.
const MOST_BYTES: usize = 256 * 1024;

/// A suggestion as a model writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Item {
    #[serde(
        alias = "originalSentence",
        alias = "original_sentence",
        alias = "originalText",
        alias = "original_text"
    )]
    pub(crate) original: String,
    #[serde(
        alias = "suggestedSentence",
        alias = "suggested_sentence",
        alias = "suggestedText",
        alias = "suggested_text",
        alias = "suggestion"
    )]
    pub(crate) suggested: String,
    #[serde(default)]
    pub(crate) description: Option<String>,
}

/// Finds the objects that are suggestions in a text that comes in pieces, wherever they stand: in a list, in an object
/// around a list, between other words, or one on each line.
#[derive(Debug, Default)]
pub(crate) struct Items {
    text: String,
    /// How far it was read.
    read: usize,
    /// Where the objects begin that are open.
    open: Vec<usize>,
    in_string: bool,
    escaped: bool,
    full: bool,
}

impl Items {
    /// Whether it takes in nothing more: a model that wrote so much makes no more suggestions.
    pub(crate) const fn is_full(&self) -> bool {
        self.full
    }

    /// Takes in more text and gives the suggestions that are whole now.
    pub(crate) fn push(&mut self, text: &str) -> Vec<Item> {
        let mut found = Vec::new();
        if self.text.len() + text.len() > MOST_BYTES {
            self.full = true;
            return found;
        }
        self.text.push_str(text);
        let mut read = self.read;
        for byte in self.text.bytes().skip(self.read) {
            let at = read;
            read += 1;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                // A quote outside of every object is part of other words.
                b'"' if !self.open.is_empty() => self.in_string = true,
                b'{' => self.open.push(at),
                b'}' => {
                    let object = self
                        .open
                        .pop()
                        .and_then(|start| self.text.get(start..read))
                        .and_then(|object| serde_json::from_str(object).ok());
                    found.extend(object);
                }
                _ => {}
            }
        }
        self.read = read;
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [&str; 4] = [
        r#"[{"original":"A {b}","suggested":"C","description":"d"},{"original":"\"x\"","suggested":"é"}]"#,
        "Here \"you\" are:\n```json\n{\"suggestions\": [\n {\"originalSentence\": \"A {b}\", \"suggestedSentence\": \"C\", \"description\": \"d\"},\n {\"originalText\":\"\\\"x\\\"\",\"suggestedText\":\"é\",\"description\":null, \"more\": {\"x\": 1}}]}\n```",
        "{\"original\":\"A {b}\",\"suggested\":\"C\",\"description\":\"d\"}\n{\"original\":\"\\\"x\\\"\",\"suggested\":\"é\"}",
        r#"} {"no": 1} {"original":"A {b}","suggested":"C","description":"d"} {"original":"\"x\"","suggestion":"é"} {"original":"cut"#,
    ];

    fn expected() -> [Item; 2] {
        [
            Item {
                original: "A {b}".to_owned(),
                suggested: "C".to_owned(),
                description: Some("d".to_owned()),
            },
            Item {
                original: "\"x\"".to_owned(),
                suggested: "é".to_owned(),
                description: None,
            },
        ]
    }

    #[test]
    fn finds_suggestions_wherever_they_stand() {
        for text in TEXTS {
            assert_eq!(Items::default().push(text), expected(), "{text}");
        }
    }

    #[test]
    fn every_cut_gives_the_same_suggestions() {
        for text in TEXTS {
            for (at, _) in text.char_indices() {
                let mut items = Items::default();
                let mut found = items.push(&text[..at]);
                found.extend(items.push(&text[at..]));
                assert_eq!(found, expected(), "{text} at {at}");
            }
        }
    }

    #[test]
    fn gives_a_suggestion_as_soon_as_it_is_whole() {
        let mut items = Items::default();
        assert!(items.push(r#"[{"original":"a","suggested":"b""#).is_empty());
        assert_eq!(items.push("}").len(), 1);
    }
}

//! What the demo model writes when it is asked for code, a table or suggestions and nothing else.

use std::fmt::Write as _;

use serde_json::json;

use crate::request::ChatRequest;

/// What a request without functions asks for with its system prompt: a word in capitals or of its own says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paper {
    /// A JSON array of suggestions (`JSON`).
    Suggestions,
    /// A table (`CSV`).
    Table,
    /// A program (`program`).
    Code,
}

impl Paper {
    /// What is asked for; `None` for a conversation.
    pub(crate) fn of(request: &ChatRequest) -> Option<Self> {
        if request.offers_any() {
            return None;
        }
        request.system().find_map(|word| match word {
            "JSON" => Some(Self::Suggestions),
            "CSV" => Some(Self::Table),
            "program" => Some(Self::Code),
            _ => None,
        })
    }

    /// It, made from the words of the last user message.
    pub(crate) fn write(self, text: &str) -> String {
        match self {
            Self::Suggestions => suggestions(text),
            Self::Table => table(text),
            Self::Code => code(text),
        }
    }
}

/// For the first two sentences, the same with another end.
fn suggestions(text: &str) -> String {
    let sentences = text
        .split_inclusive(['.', '!', '?', '\n'])
        .map(str::trim)
        .filter(|sentence| sentence.chars().count() > 1);
    let items: Vec<_> = sentences
        .take(2)
        .map(|sentence| {
            let bare = sentence.trim_end_matches(['.', '!', '?']);
            json!({
                "original": sentence,
                "suggested": format!("{bare}, as everyone can see."),
                "description": "More vivid.",
            })
        })
        .collect();
    json!(items).to_string()
}

/// The words with their lengths.
fn table(text: &str) -> String {
    let mut csv = "Word,Letters\n".to_owned();
    for word in text.split(|c: char| !c.is_alphanumeric()) {
        if !word.is_empty() {
            let _ = writeln!(csv, "{word},{}", word.chars().count());
        }
    }
    csv
}

/// A program that counts the words.
fn code(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line: String = line.chars().take(120).collect();
    format!(
        "# Written by Skein's demo model, which knows one program only.\ntext = {}\nfor word in text.split():\n    \
         print(word, len(word))\n",
        json!(line)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paper(system: &str, offered: bool) -> Option<Paper> {
        let tools = if offered {
            json!([{"type": "function"}])
        } else {
            json!([])
        };
        let body = json!({
            "model": "demo",
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": "x"}],
            "tools": tools,
        });
        Paper::of(&ChatRequest::parse(body.to_string().as_bytes()).unwrap())
    }

    #[test]
    fn the_system_prompt_says_what_is_asked_for() {
        assert_eq!(
            paper("Answer with a JSON array.", false),
            Some(Paper::Suggestions)
        );
        assert_eq!(paper("Write a table as CSV:", false), Some(Paper::Table));
        assert_eq!(paper("Write the program.", false), Some(Paper::Code));
        assert_eq!(paper("Be brief.", false), None);
        assert_eq!(paper("Write the program.", true), None);
    }

    #[test]
    fn each_is_what_was_asked_for_and_nothing_else() {
        assert_eq!(
            Paper::Table.write("big rivers"),
            "Word,Letters\nbig,3\nrivers,6\n"
        );
        assert!(
            Paper::Code
                .write("say \"hi\"")
                .contains("text = \"say \\\"hi\\\"\"\n")
        );
        let suggestions = Paper::Suggestions.write("It rains. It pours! Why?");
        let suggestions: serde_json::Value = serde_json::from_str(&suggestions).unwrap();
        assert_eq!(suggestions[0]["original"], "It rains.");
        assert_eq!(
            suggestions[1]["suggested"],
            "It pours, as everyone can see."
        );
        assert_eq!(suggestions.as_array().unwrap().len(), 2);
    }
}

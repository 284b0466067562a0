//! Names of models that clients send and no upstream knows: what the operator made of them, and those of the chatbot
//! template's releases.

use std::{collections::BTreeMap, fmt, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};

use super::Capabilities;

/// The longest name of an alias, in characters.
const MAX_NAME: usize = 200;

/// What the releases of the template call their models; all of them are the default model.
const TEMPLATE: &[Known] = &[
    known("chat-model", "Chat model"),
    Known {
        tools: Some(false),
        ..known("chat-model-reasoning", "Reasoning model")
    },
    known("google/gemini-2.5-flash-lite", "Gemini 2.5 Flash Lite"),
    known("google/gemini-3-pro-preview", "Gemini 3 Pro"),
    known("anthropic/claude-haiku-4.5", "Claude Haiku 4.5"),
    known("anthropic/claude-sonnet-4.5", "Claude Sonnet 4.5"),
    known("anthropic/claude-opus-4.5", "Claude Opus 4.5"),
    known("anthropic/claude-3.7-sonnet-thinking", "Claude 3.7 Sonnet"),
    known("openai/gpt-4.1-mini", "GPT-4.1 Mini"),
    known("openai/gpt-5.2", "GPT-5.2"),
    known("xai/grok-4.1-fast-non-reasoning", "Grok 4.1 Fast"),
    known("xai/grok-code-fast-1-thinking", "Grok Code Fast"),
    known("moonshotai/kimi-k2.5", "Kimi K2.5"),
    known("deepseek/deepseek-v3.2", "DeepSeek V3.2"),
    known("openai/gpt-oss-20b", "GPT OSS 20B"),
    known("openai/gpt-oss-120b", "GPT OSS 120B"),
];

struct Known {
    id: &'static str,
    name: &'static str,
    tools: Option<bool>,
}

const fn known(id: &'static str, name: &'static str) -> Known {
    Known {
        id,
        name,
        tools: None,
    }
}

/// What a name stands for. What is not said is that of the model behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The upstream's name of the model; `None` for the one that the upstream lists under this very name, else the default.
    pub model: Option<String>,
    /// Whether it is offered tools.
    pub tools: Option<bool>,
    /// Whether images may be sent to it.
    pub vision: Option<bool>,
    /// Whether it thinks before it answers.
    pub reasoning: Option<bool>,
    /// Its name for people.
    pub name: Option<String>,
    /// A sentence about it, for people.
    pub description: Option<String>,
}

/// All aliases: the operator's, and below them those of the template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Aliases {
    operators: BTreeMap<String, Alias>,
}

/// Why a text is no table of aliases, in one line that says what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidAliases(String);

impl Aliases {
    /// The operator's aliases that a setting holds: JSON itself, or `@` and the path of a file with it.
    pub fn read(setting: &str) -> Result<Self, InvalidAliases> {
        match setting.strip_prefix('@') {
            None => Self::parse(setting),
            Some(path) => std::fs::read_to_string(Path::new(path.trim()))
                .map_err(|error| InvalidAliases(format!("{setting} cannot be read: {error}")))
                .and_then(|text| Self::parse(&text)),
        }
    }

    /// The same from JSON: `{"name": {"model": "…", "tools": true, …}}`.
    pub fn parse(json: &str) -> Result<Self, InvalidAliases> {
        let parser = &mut serde_json::Deserializer::from_str(json);
        let read: Result<Entries, _> = serde_path_to_error::deserialize(&mut *parser);
        let entries = read.map_err(|error| {
            let at = error.path().to_string();
            let at = if at == "." {
                String::new()
            } else {
                format!("{at}: ")
            };
            InvalidAliases(format!(
                "{at}{}; an object such as {{\"fast\": {{\"model\": \"gpt-4o-mini\", \"tools\": true}}}} is accepted",
                error.into_inner()
            ))
        })?;
        parser.end().map_err(|_more| {
            InvalidAliases(
                "there is something after the object; one JSON object is accepted".to_owned(),
            )
        })?;
        Ok(Self {
            operators: entries.0,
        })
    }

    /// What the operator made of a name.
    pub fn operators(&self, name: &str) -> Option<&Alias> {
        self.operators.get(name)
    }

    /// All names of the operator's, in order.
    pub fn of_operator(&self) -> impl Iterator<Item = (&str, &Alias)> {
        self.operators
            .iter()
            .map(|(name, alias)| (name.as_str(), alias))
    }

    /// What a name of the template's stands for.
    pub fn template(name: &str) -> Option<Alias> {
        TEMPLATE
            .iter()
            .find(|known| known.id == name)
            .map(Known::alias)
    }

    /// All names of the template's.
    pub fn of_template() -> impl Iterator<Item = (&'static str, Alias)> {
        TEMPLATE.iter().map(|known| (known.id, known.alias()))
    }
}

impl Alias {
    /// What the model behind it can do, where this says nothing else.
    pub fn over(&self, behind: Capabilities) -> Capabilities {
        Capabilities {
            tools: self.tools.unwrap_or(behind.tools),
            vision: self.vision.unwrap_or(behind.vision),
            reasoning: self.reasoning.unwrap_or(behind.reasoning),
        }
    }
}

impl Known {
    fn alias(&self) -> Alias {
        Alias {
            tools: self.tools,
            name: Some(self.name.to_owned()),
            ..Alias::default()
        }
    }
}

/// The entries of the table, each name once.
struct Entries(BTreeMap<String, Alias>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Table;
        impl<'de> Visitor<'de> for Table {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of aliases")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = BTreeMap::new();
                while let Some((name, alias)) = map.next_entry::<String, Alias>()? {
                    if name.is_empty() || name.chars().take(MAX_NAME + 1).count() > MAX_NAME {
                        return Err(A::Error::custom(format!(
                            "the alias {name:?} has no name of 1 to {MAX_NAME} characters"
                        )));
                    }
                    if alias
                        .model
                        .as_deref()
                        .is_some_and(|model| model.trim().is_empty())
                    {
                        return Err(A::Error::custom(format!(
                            "the alias {name:?} names an empty model"
                        )));
                    }
                    if entries.contains_key(&name) {
                        return Err(A::Error::custom(format!("the alias {name:?} stands twice")));
                    }
                    entries.insert(name, alias);
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(Table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read() {
        let aliases = Aliases::parse(
            r#"{"fast": {"model": "gpt-4o-mini", "tools": false, "name": "Fast"}, "own": {}}"#,
        )
        .unwrap();
        let fast = aliases.operators("fast").unwrap();
        assert_eq!(
            (fast.model.as_deref(), fast.tools, fast.vision),
            (Some("gpt-4o-mini"), Some(false), None)
        );
        let names: Vec<&str> = aliases.of_operator().map(|(name, _)| name).collect();
        assert_eq!(names, ["fast", "own"]);
        assert!(aliases.operators("chat-model").is_none());
    }

    #[test]
    fn what_is_no_table_is_told_with_its_place() {
        for (json, beginning) in [
            ("", "EOF while parsing"),
            (
                "[]",
                "invalid type: sequence, expected an object of aliases",
            ),
            (r#"{"a": 1}"#, "a: invalid type: integer `1`"),
            (
                r#"{"a": {"tool": true}}"#,
                "a.tool: unknown field `tool`, expected one of `model`, `tools`",
            ),
            (
                r#"{"a": {"tools": "yes"}}"#,
                "a.tools: invalid type: string \"yes\", expected a boolean",
            ),
            (r#"{"a": {}, "a": {}}"#, "the alias \"a\" stands twice"),
            (r#"{"": {}}"#, "the alias \"\" has no name"),
            (
                r#"{"a": {"model": " "}}"#,
                "the alias \"a\" names an empty model",
            ),
            ("{} {}", "there is something after the object"),
        ] {
            let told = Aliases::parse(json).unwrap_err().to_string();
            assert!(told.starts_with(beginning), "{json}: {told}");
            assert!(told.contains("is accepted"), "{told}");
            assert!(!told.contains('\n'), "{told}");
        }
    }

    #[test]
    fn a_file_is_read_by_its_path() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("models.json");
        let setting = format!("@{}", path.display());
        let told = Aliases::read(&setting).unwrap_err().to_string();
        assert!(told.contains("models.json cannot be read"), "{told}");
        std::fs::write(&path, r#"{"fast": {}}"#).unwrap();
        assert!(Aliases::read(&setting).unwrap().operators("fast").is_some());
    }

    #[test]
    fn the_template_s_names_are_all_there() {
        assert_eq!(Aliases::of_template().count(), 16);
        let reasoning = Aliases::template("chat-model-reasoning").unwrap();
        assert_eq!((reasoning.model, reasoning.tools), (None, Some(false)));
        assert!(Aliases::template("gpt-4o").is_none());
    }
}

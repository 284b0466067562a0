//! The body of a Chat Completions request, as far as the answer depends on it.
//!
//! Source: `OpenAI`'s API reference, "Create chat completion". Unknown fields are accepted.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A request body.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct ChatRequest {
    pub(crate) model: Option<String>,
    pub(crate) messages: Option<Vec<Message>>,
    #[serde(default)]
    pub(crate) stream: Option<bool>,
    #[serde(default)]
    pub(crate) stream_options: Option<StreamOptions>,
    #[serde(default)]
    tools: Option<Vec<Offer>>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    max_completion_tokens: Option<u64>,
}

#[derive(Debug, serde::Deserialize)]
pub(crate) struct StreamOptions {
    #[serde(default)]
    pub(crate) include_usage: Option<bool>,
}

/// A function that is offered, as far as it is named.
#[derive(Debug, serde::Deserialize)]
struct Offer {
    #[serde(default)]
    function: Option<OfferedFunction>,
}

#[derive(Debug, serde::Deserialize)]
struct OfferedFunction {
    #[serde(default)]
    name: Option<String>,
}

/// One message of the history.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Message {
    role: String,
    #[serde(default)]
    content: Content,
    #[serde(default)]
    tool_calls: Option<Vec<IgnoredAny>>,
}

impl ChatRequest {
    pub(crate) fn streams(&self) -> bool {
        self.stream == Some(true)
    }

    pub(crate) fn wants_usage(&self) -> bool {
        self.stream_options
            .as_ref()
            .and_then(|options| options.include_usage)
            == Some(true)
    }

    /// The most tokens the answer may have.
    pub(crate) fn limit(&self) -> Option<usize> {
        let limit = self.max_completion_tokens.or(self.max_tokens)?;
        Some(usize::try_from(limit).unwrap_or(usize::MAX))
    }

    fn history(&self) -> &[Message] {
        self.messages.as_deref().unwrap_or_default()
    }

    /// The last user message, with its directives.
    pub(crate) fn last_user(&self) -> &str {
        self.history()
            .iter()
            .rev()
            .find(|message| message.role == "user")
            .map_or("", |m| &m.content.0)
    }

    /// How many user messages there are.
    pub(crate) fn turns(&self) -> usize {
        self.history()
            .iter()
            .filter(|message| message.role == "user")
            .count()
    }

    /// Whether a function of this name is offered.
    pub(crate) fn offers(&self, name: &str) -> bool {
        let offers = self.tools.as_deref().unwrap_or_default();
        offers.iter().any(|offer| {
            let function = offer.function.as_ref();
            function.and_then(|function| function.name.as_deref()) == Some(name)
        })
    }

    /// The words of the system prompts.
    pub(crate) fn system(&self) -> impl Iterator<Item = &str> {
        let prompts = self.history().iter();
        prompts
            .filter(|message| message.role == "system" || message.role == "developer")
            .flat_map(|message| message.content.0.split(|c: char| !c.is_alphanumeric()))
    }

    /// Whether a system prompt speaks of a title: then the answer is one.
    ///
    /// A request that offers functions is a conversation, whose prompt may well explain a `title` argument.
    pub(crate) fn asks_for_title(&self) -> bool {
        !self.offers_any() && self.system().any(|word| word.eq_ignore_ascii_case("title"))
    }

    /// Whether any function is offered.
    pub(crate) fn offers_any(&self) -> bool {
        self.tools.as_ref().is_some_and(|tools| !tools.is_empty())
    }

    /// The outputs at the end of the history: those the next answer is about.
    pub(crate) fn tool_outputs(&self) -> Vec<&str> {
        let tail = self
            .history()
            .iter()
            .rev()
            .take_while(|message| message.role == "tool");
        let mut outputs: Vec<&str> = tail.map(|message| message.content.0.as_str()).collect();
        outputs.reverse();
        outputs
    }

    /// How many times functions were called since the last user message.
    pub(crate) fn tool_rounds(&self) -> usize {
        let since = self
            .history()
            .iter()
            .rev()
            .take_while(|message| message.role != "user");
        since
            .filter(|message| {
                message
                    .tool_calls
                    .as_ref()
                    .is_some_and(|calls| !calls.is_empty())
            })
            .count()
    }

    /// The tokens of the prompt: the words of all messages.
    pub(crate) fn prompt_tokens(&self) -> u64 {
        self.history()
            .iter()
            .map(|message| message.content.0.split_whitespace().count() as u64)
            .sum()
    }
}

/// The text of a message: a string, or the `text` of all parts, a line each.
#[derive(Debug, Default)]
struct Content(String);

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ContentVisitor)
    }
}

struct ContentVisitor;

impl<'de> Visitor<'de> for ContentVisitor {
    type Value = Content;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an array of content parts, or null")
    }

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        Ok(Content(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Content, E> {
        Ok(Content(text))
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Content, A::Error> {
        let mut text = String::new();
        while let Some(part) = parts.next_element::<Part>()? {
            if let Some(part) = part.0 {
                if !text.is_empty() {
                    text.push('\n');
                }
                text.push_str(&part);
            }
        }
        Ok(Content(text))
    }
}

/// One part of a message; only a text has a value, images and files are passed over.
struct Part(Option<String>);

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartVisitor;
        impl<'de> Visitor<'de> for PartVisitor {
            type Value = Part;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a content part")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut part: A) -> Result<Part, A::Error> {
                let mut text = None;
                while let Some(key) = part.next_key::<String>()? {
                    if key == "text" {
                        text = part.next_value()?;
                    } else {
                        part.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(Part(text))
            }
        }
        deserializer.deserialize_map(PartVisitor)
    }
}

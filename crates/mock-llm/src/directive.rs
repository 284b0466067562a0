//! The text form of a scenario: `[[mock: tokens=5 pace_ms=0]]` in a message, `mock-tokens=5` as a model.
//!
//! Every word is listed in the crate's README.

use std::str::FromStr;
use std::time::Duration;

use crate::config::Pace;
use crate::scenario::{
    Ending, Failure, FailureKind, LineEnd, Reasoning, ReasoningStyle, Say, Scenario, ToolCall,
    UsageMode,
};

/// The largest number of tokens of one answer; more would only fill memory.
pub(crate) const MAX_TOKENS: usize = 100_000;
/// The largest `huge_line`, in bytes.
pub(crate) const MAX_LINE_BYTES: usize = 64 * 1024 * 1024;

const OPEN: &str = "[[mock:";
const CLOSE: &str = "]]";
const TITLE_PREFIX: &str = "title.";

/// What is wrong with a directive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveError {
    /// The word is none of those in the README.
    #[error(
        "mock directive: the word `{0}` is unknown; see the README of mock-llm for all of them"
    )]
    UnknownWord(String),
    /// The word needs another value.
    #[error("mock directive: `{word}` does not take `{value}`; it takes {accepted}")]
    BadValue {
        /// The word.
        word: String,
        /// What it was given; empty when it was given nothing.
        value: String,
        /// What it takes.
        accepted: &'static str,
    },
    /// A quoted or JSON value, or the directive itself, has no end.
    #[error(
        "mock directive: no end of `{0}`; a directive ends with `]]`, a value in quotes or braces is JSON"
    )]
    NoEnd(String),
}

impl FromStr for Scenario {
    type Err = DirectiveError;

    /// Reads the inside of a directive, such as `tokens=5 cut_after=2`.
    fn from_str(text: &str) -> Result<Self, DirectiveError> {
        let mut scenario = Self::default();
        for item in items(text)? {
            apply(&mut scenario, &item)?;
        }
        Ok(scenario)
    }
}

/// One word of a directive, with what stands after its `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    word: String,
    value: Option<String>,
}

/// Takes the directives out of `message`: what they say, and the text without them.
pub(crate) fn extract(message: &str) -> Result<(Vec<Item>, String), DirectiveError> {
    let mut items = Vec::new();
    let mut text = String::new();
    let mut rest = message;
    while let Some((before, inside)) = rest.split_once(OPEN) {
        text.push_str(before);
        rest = inside;
        while let Some((item, after)) = next_item(rest)? {
            items.push(item);
            rest = after;
        }
        rest = rest.strip_prefix(CLOSE).ok_or_else(|| no_end(inside))?;
    }
    text.push_str(rest);
    Ok((items, text.trim().to_owned()))
}

/// Reads all items of `text`, which has no brackets.
pub(crate) fn items(text: &str) -> Result<Vec<Item>, DirectiveError> {
    let mut items = Vec::new();
    let mut rest = text;
    while let Some((item, after)) = next_item(rest)? {
        items.push(item);
        rest = after;
    }
    // What is left is nothing, or a `]]` where there is nothing to close.
    let rest = rest.trim_matches(is_separator);
    if rest.is_empty() {
        Ok(items)
    } else {
        Err(DirectiveError::UnknownWord(rest.to_owned()))
    }
}

/// Changes `scenario` by the items meant for it: those with `title.` for a title, the others for an answer.
pub(crate) fn apply_all(
    scenario: &mut Scenario,
    items: &[Item],
    title: bool,
) -> Result<(), DirectiveError> {
    for item in items {
        match item.word.strip_prefix(TITLE_PREFIX) {
            Some(word) if title => {
                apply(
                    scenario,
                    &Item {
                        word: word.to_owned(),
                        value: item.value.clone(),
                    },
                )?;
            }
            None if !title => apply(scenario, item)?,
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// The next item of `text` and what follows it; `None` at the end of the text or before `]]`.
fn next_item(text: &str) -> Result<Option<(Item, &str)>, DirectiveError> {
    let text = text.trim_start_matches(is_separator);
    if text.is_empty() || text.starts_with(CLOSE) {
        return Ok(None);
    }
    let end = bare_end(text);
    let (word, value_start) = match text.get(..end).and_then(|bare| bare.split_once('=')) {
        Some((word, _)) => (word, Some(word.len() + 1)),
        None => (text.get(..end).unwrap_or(text), None),
    };
    let Some(start) = value_start else {
        let item = Item {
            word: word.to_owned(),
            value: None,
        };
        return Ok(Some((item, text.get(end..).unwrap_or_default())));
    };
    let rest = text.get(start..).unwrap_or_default();
    let (value, after) = value(rest)?;
    Ok(Some((
        Item {
            word: word.to_owned(),
            value: Some(value),
        },
        after,
    )))
}

/// Reads one value: a JSON string (decoded), a JSON object or array (as written), or a bare word.
fn value(text: &str) -> Result<(String, &str), DirectiveError> {
    if text.starts_with('"') {
        let mut stream = serde_json::Deserializer::from_str(text).into_iter::<String>();
        let Some(Ok(value)) = stream.next() else {
            return Err(no_end(text));
        };
        Ok((value, text.get(stream.byte_offset()..).unwrap_or_default()))
    } else if text.starts_with(['{', '[']) {
        let mut stream =
            serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>();
        let Some(Ok(_)) = stream.next() else {
            return Err(no_end(text));
        };
        let (value, after) = text
            .split_at_checked(stream.byte_offset())
            .unwrap_or((text, ""));
        Ok((value.to_owned(), after))
    } else {
        let (value, after) = text.split_at_checked(bare_end(text)).unwrap_or((text, ""));
        Ok((value.to_owned(), after))
    }
}

fn bare_end(text: &str) -> usize {
    let separator = text.find(is_separator).unwrap_or(text.len());
    let close = text.find(CLOSE).unwrap_or(text.len());
    separator.min(close)
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || c == ','
}

fn no_end(text: &str) -> DirectiveError {
    DirectiveError::NoEnd(text.chars().take(40).collect())
}

fn apply(scenario: &mut Scenario, item: &Item) -> Result<(), DirectiveError> {
    match item.word.as_str() {
        "demo" => scenario.say = Say::Demo,
        "echo" => scenario.say = Say::Echo,
        "tokens" => scenario.say = Say::Tokens(item.number(MAX_TOKENS)?),
        "text" => scenario.say = Say::Text(item.text()?),
        "refusal" => {
            let text = item
                .value
                .clone()
                .unwrap_or_else(|| "I'm sorry, I can't help with that.".to_owned());
            scenario.say = Say::Refusal(text);
        }
        "tool" => scenario.tool_calls.push(ToolCall {
            name: item.text()?,
            arguments: "{}".to_owned(),
        }),
        "args" => match scenario.tool_calls.last_mut() {
            Some(call) => call.arguments = item.text()?,
            None => return Err(item.bad("its place after `tool=`")),
        },
        "tool_rounds" => scenario.tool_rounds = item.number(1000)?,
        "reasoning" => scenario.reasoning = Some(item.reasoning(ReasoningStyle::Field)?),
        "think" => scenario.reasoning = Some(item.reasoning(ReasoningStyle::ThinkTags)?),
        "pace_ms" => scenario.pace = Some(Pace::Fixed(item.millis()?)),
        "human" => scenario.pace = Some(Pace::Human),
        "first_ms" => scenario.first = item.millis()?,
        "usage" => {
            scenario.usage = match item.value.as_deref() {
                Some("on") => UsageMode::Always,
                Some("off") => UsageMode::Never,
                Some("asked") => UsageMode::AsAsked,
                Some(_) | None => return Err(item.bad("on, off or asked")),
            }
        }
        "finish" => scenario.finish = Some(item.text()?),
        "length" | "content_filter" => scenario.finish = Some(item.word.clone()),
        "no_done" => scenario.ending = Ending::WithoutDone,
        "no_finish" => scenario.ending = Ending::WithoutFinish,
        "cut" => scenario.ending = Ending::CutAfter(3),
        "cut_after" => scenario.ending = Ending::CutAfter(item.number(MAX_TOKENS)?),
        "silent_after" => scenario.ending = Ending::SilentAfter(item.number(MAX_TOKENS)?),
        "error_after" => scenario.ending = Ending::ErrorAfter(item.number(MAX_TOKENS)?),
        "times" => scenario.times = Some(item.number(u32::MAX)?),
        "key" => scenario.key = Some(item.text()?),
        "reject" => scenario.rejects.push(item.text()?),
        "context" => scenario.context_tokens = Some(item.number(u64::MAX)?),
        _ => return apply_to_wire(scenario, item),
    }
    Ok(())
}

fn apply_to_wire(scenario: &mut Scenario, item: &Item) -> Result<(), DirectiveError> {
    match item.word.as_str() {
        "azure" => scenario.frames.azure = true,
        "no_delta" => scenario.frames.without_delta = true,
        "malformed_after" => scenario.frames.malformed_after = Some(item.number(MAX_TOKENS)?),
        "huge_line" => scenario.frames.huge_line_bytes = Some(item.number(MAX_LINE_BYTES)?),
        "crlf" => scenario.wire.line_end = LineEnd::CrLf,
        "cr" => scenario.wire.line_end = LineEnd::Cr,
        "tight" => scenario.wire.tight = true,
        "comments" => scenario.wire.comments = true,
        "dribble" => scenario.wire.dribble = Some(item.number::<usize>(4096)?.max(1)),
        "keep_alive_ms" => {
            scenario.wire.keep_alive = Some(item.millis()?.max(Duration::from_millis(1)));
        }
        _ => return apply_failure(scenario, item),
    }
    Ok(())
}

fn apply_failure(scenario: &mut Scenario, item: &Item) -> Result<(), DirectiveError> {
    // `retry_after`, `html` and `code` describe a failure, and imply the usual one when none is named.
    let failure = |status| move || Failure::new(FailureKind::Status(status));
    match item.word.as_str() {
        "status" => {
            let kind =
                FailureKind::Status(status(&item.text()?).ok_or_else(|| item.bad("400 to 599"))?);
            scenario.failure.get_or_insert_with(failure(500)).kind = kind;
        }
        "drop" => scenario.failure = Some(Failure::new(FailureKind::Drop)),
        "silent" => scenario.failure = Some(Failure::new(FailureKind::Silent)),
        "retry_after" => {
            let seconds = item.number(u32::MAX)?;
            scenario
                .failure
                .get_or_insert_with(failure(429))
                .retry_after_s = Some(seconds);
        }
        "html" => scenario.failure.get_or_insert_with(failure(503)).html = true,
        "code" => {
            let code = item.text()?;
            scenario.failure.get_or_insert_with(failure(400)).code = Some(code);
        }
        word => match status(word) {
            Some(status) if item.value.is_none() => {
                scenario.failure.get_or_insert_with(failure(500)).kind =
                    FailureKind::Status(status);
            }
            Some(_) | None => return Err(DirectiveError::UnknownWord(item.word.clone())),
        },
    }
    Ok(())
}

fn status(text: &str) -> Option<u16> {
    text.parse()
        .ok()
        .filter(|status| (400..600).contains(status))
}

impl Item {
    fn text(&self) -> Result<String, DirectiveError> {
        self.value
            .clone()
            .ok_or_else(|| self.bad("a value after `=`"))
    }

    fn number<N: FromStr + PartialOrd + Copy>(&self, most: N) -> Result<N, DirectiveError> {
        let number = self.value.as_deref().and_then(|value| value.parse().ok());
        number
            .filter(|number| *number <= most)
            .ok_or_else(|| self.bad("a whole number, not above the limit in the README"))
    }

    fn millis(&self) -> Result<Duration, DirectiveError> {
        self.number(86_400_000).map(Duration::from_millis)
    }

    fn reasoning(&self, style: ReasoningStyle) -> Result<Reasoning, DirectiveError> {
        let say = match self.value.as_deref() {
            None => Say::Text("The user wrote something. A short answer is best.".to_owned()),
            Some(value) if value.bytes().all(|b| b.is_ascii_digit()) => {
                Say::Tokens(self.number(MAX_TOKENS)?)
            }
            Some(value) => Say::Text(value.to_owned()),
        };
        Ok(Reasoning { say, style })
    }

    fn bad(&self, accepted: &'static str) -> DirectiveError {
        DirectiveError::BadValue {
            word: self.word.clone(),
            value: self.value.clone().unwrap_or_default(),
            accepted,
        }
    }
}

#[cfg(test)]
mod tests;

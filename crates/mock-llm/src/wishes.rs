//! Phrases that make the demo model call a function that is offered, and what it says about the outputs.

use serde_json::{Value, json};

use crate::request::ChatRequest;
use crate::scenario::{Say, Scenario, ToolCall};

/// Words with which people ask for something to be made.
const MAKE: &[&str] = &["write", "create", "make", "draft", "compose"];
/// What they ask for, and the kind of document that it is; the first that stands in the text counts.
const KINDS: &[(&[&str], &str)] = &[
    (&["table", "sheet", "spreadsheet", "csv"], "sheet"),
    (&["code", "program", "script", "function"], "code"),
    (
        &[
            "document", "essay", "article", "story", "letter", "poem", "report", "text",
        ],
        "text",
    ),
];

/// Calls the function that the last user message wishes for, or tells what came of the call.
pub(crate) fn hear(scenario: &mut Scenario, request: &ChatRequest, text: &str) {
    let outputs = request.tool_outputs();
    if outputs.is_empty() {
        scenario.tool_calls.extend(call(request, text));
    } else if let Some(said) = about(&outputs) {
        scenario.say = Say::Text(said);
    }
}

fn call(request: &ChatRequest, text: &str) -> Option<ToolCall> {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    if request.offers("getWeather")
        && let Some(city) = city(text)
    {
        return Some(tool("getWeather", &json!({ "city": city })));
    }
    if request.offers("createDocument") && has(MAKE) {
        let (_, kind) = KINDS.iter().find(|(names, _)| has(names))?;
        let title: String = subject(text).chars().take(200).collect();
        return Some(tool(
            "createDocument",
            &json!({"title": title, "kind": kind}),
        ));
    }
    None
}

fn tool(name: &str, arguments: &Value) -> ToolCall {
    ToolCall {
        name: name.to_owned(),
        arguments: arguments.to_string(),
    }
}

/// The place in "the weather in Paris?"; `None` where none is named.
fn city(text: &str) -> Option<&str> {
    let lower = text.to_ascii_lowercase();
    let after = lower.find("weather")? + "weather".len();
    let (at, word) = [" in ", " at ", " for "]
        .into_iter()
        .filter_map(|word| Some((after + lower.get(after..)?.find(word)?, word)))
        .min()?;
    let rest = text.get(at + word.len()..)?;
    let end = rest
        .find(['?', '!', '.', ';', ':', '\n'])
        .unwrap_or(rest.len());
    let mut place = rest.get(..end)?.trim();
    for when in [" today", " tomorrow", " now", " please"] {
        place = place
            .strip_suffix(when)
            .unwrap_or(place)
            .trim_end_matches([' ', ',']);
    }
    (!place.is_empty()).then_some(place)
}

/// What comes after "about" or "on", else the whole text on one line.
fn subject(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let after = [" about ", " on "]
        .into_iter()
        .find_map(|word| Some(line.split_once(word)?.1));
    let subject = after
        .unwrap_or(&line)
        .trim_end_matches(['.', '!', '?', ' ']);
    let mut chars = subject.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

/// One sentence about each output that is understood; `None` unless all are.
fn about(outputs: &[&str]) -> Option<String> {
    let said: Option<Vec<String>> = outputs
        .iter()
        .map(|output| sentence(&serde_json::from_str(output).ok()?))
        .collect();
    said.map(|said| said.join("\n\n"))
}

fn sentence(output: &Value) -> Option<String> {
    if let Some(degrees) = output
        .pointer("/current/temperature_2m")
        .and_then(Value::as_f64)
    {
        let place = output.get("cityName").and_then(Value::as_str);
        return Some(format!(
            "It is {degrees} °C in {} now.",
            place.or(output.get("timezone")?.as_str())?
        ));
    }
    if let Some(error) = output.get("error").and_then(Value::as_str) {
        return Some(format!("That did not work: {error}."));
    }
    output.get("kind").and_then(Value::as_str)?;
    let title = output.get("title").and_then(Value::as_str)?;
    Some(format!(
        "Done: “{title}” is beside our conversation. I am **Skein's demo model**, so do not expect much of it."
    ))
}

#[cfg(test)]
mod tests;

//! From a request and a scenario to the pieces of an answer, not yet frames.

use crate::demo::{self, Prompt};
use crate::paper::Paper;
use crate::request::ChatRequest;
use crate::scenario::{ReasoningStyle, Say, Scenario};

/// The longest piece of a text without spaces, in characters: a language without spaces streams too.
const LONGEST_PIECE: usize = 16;
/// The length of a piece of arguments, in characters.
const ARGUMENT_PIECE: usize = 8;

/// An answer in the order it is said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) pieces: Vec<Piece>,
    /// Why it ends.
    pub(crate) finish: String,
}

/// What one frame adds to an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Reasoning(String),
    Content(String),
    Refusal(String),
    /// The start of a function call.
    Call {
        index: usize,
        name: String,
    },
    /// More of the arguments of a call.
    Arguments {
        index: usize,
        text: String,
    },
}

/// Composes the answer of `scenario` to `request`, whose last user message reads `text` without directives.
pub(crate) fn compose(scenario: &Scenario, request: &ChatRequest, text: &str) -> Answer {
    let outputs = request.tool_outputs();
    let prompt = Prompt {
        text,
        turns: request.turns(),
        outputs: &outputs,
    };
    let mut pieces = Vec::new();
    if let Some(reasoning) = &scenario.reasoning {
        let thoughts = spoken(&reasoning.say, &prompt);
        match reasoning.style {
            ReasoningStyle::Field => pieces.extend(thoughts.into_iter().map(Piece::Reasoning)),
            ReasoningStyle::ThinkTags => {
                pieces.extend(["<thi", "nk>\n"].map(|tag| Piece::Content(tag.to_owned())));
                pieces.extend(thoughts.into_iter().map(Piece::Content));
                pieces.extend(["\n</th", "ink>\n\n"].map(|tag| Piece::Content(tag.to_owned())));
            }
        }
    }
    let paper = Paper::of(request).map(|paper| Say::Text(paper.write(text)));
    let say = match (&scenario.say, &paper) {
        (Say::Demo, Some(paper)) => paper,
        (say, _) => say,
    };
    match say {
        Say::Demo if !scenario.tool_calls.is_empty() => {}
        Say::Refusal(text) => pieces.extend(split(text).into_iter().map(Piece::Refusal)),
        say @ (Say::Demo | Say::Echo | Say::Tokens(_) | Say::Text(_)) => {
            pieces.extend(spoken(say, &prompt).into_iter().map(Piece::Content));
        }
    }
    for (index, call) in scenario.tool_calls.iter().enumerate() {
        pieces.push(Piece::Call {
            index,
            name: call.name.clone(),
        });
        let arguments: Vec<char> = call.arguments.chars().collect();
        let parts = arguments.chunks(ARGUMENT_PIECE);
        pieces.extend(parts.map(|part| Piece::Arguments {
            index,
            text: part.iter().collect(),
        }));
    }
    let mut finish = if scenario.tool_calls.is_empty() {
        "stop"
    } else {
        "tool_calls"
    };
    if let Some(limit) = request.limit().filter(|limit| *limit < pieces.len()) {
        pieces.truncate(limit);
        finish = "length";
    }
    Answer {
        pieces,
        finish: scenario.finish.clone().unwrap_or_else(|| finish.to_owned()),
    }
}

fn spoken(say: &Say, prompt: &Prompt<'_>) -> Vec<String> {
    match say {
        Say::Demo => split(&demo::answer(prompt)),
        Say::Echo => split(prompt.text),
        Say::Tokens(count) => (0..*count)
            .map(|i| {
                if i == 0 {
                    "tok0".to_owned()
                } else {
                    format!(" tok{i}")
                }
            })
            .collect(),
        Say::Text(text) | Say::Refusal(text) => split(text),
    }
}

/// Cuts a text into words, each with the space behind it; together they are the text.
fn split(text: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut length = 0;
    let mut after_space = false;
    for c in text.chars() {
        if (after_space && !c.is_whitespace()) || length == LONGEST_PIECE {
            pieces.push(std::mem::take(&mut piece));
            length = 0;
        }
        after_space = c.is_whitespace();
        piece.push(c);
        length += 1;
    }
    if !piece.is_empty() {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn cuts_a_text_into_words_that_make_it_up_again() {
        assert_eq!(split("one  two\n\nthree"), ["one  ", "two\n\n", "three"]);
        assert_eq!(split(""), Vec::<String>::new());
        let long = "ありがとうございますと言いましたので終わりです";
        assert!(split(long).len() > 1);
        assert_eq!(split(long).concat(), long);
    }
}

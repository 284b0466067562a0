//! Parts the thinking that some models print before their answer from the answer.

/// What begins and ends it.
const TAGS: [(&str, &str); 2] = [("<think>", "</think>"), ("<thinking>", "</thinking>")];

/// Tells thinking between `<think>` or `<thinking>` and its end from the answer after it.
///
/// Only at the beginning, white space aside: a tag later on is the answer's own. The tags and the white space around
/// the thinking belong to neither. Any cut of the text into pieces gives the same two texts.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    state: State,
    /// What cannot be told yet: the beginning of a tag, or white space that is dropped if a tag follows.
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    /// Before the first word of the thinking that this tag ends.
    Opened(&'static str),
    Thinking(&'static str),
    /// After the end tag, before the first word of the answer.
    Closed,
    Answer,
}

/// A piece of one of the two texts; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Thinking(String),
    Answer(String),
}

impl Splitter {
    /// Whether everything from here on is the answer.
    pub(crate) fn is_through(&self) -> bool {
        self.state == State::Answer
    }

    /// Takes in more text and gives what can be told.
    pub(crate) fn push(&mut self, text: &str, out: &mut dyn FnMut(Piece)) {
        if self.is_through() {
            if !text.is_empty() {
                out(Piece::Answer(text.to_owned()));
            }
            return;
        }
        self.held.push_str(text);
        while self.step(out) {}
    }

    /// Gives what is held when no more text comes; what does come after it is the answer's.
    pub(crate) fn finish(&mut self, out: &mut dyn FnMut(Piece)) {
        let rest = std::mem::take(&mut self.held);
        match std::mem::replace(&mut self.state, State::Answer) {
            State::Thinking(_) | State::Opened(_) => {
                let rest = rest.trim_end();
                if !rest.is_empty() {
                    out(Piece::Thinking(rest.to_owned()));
                }
            }
            State::Closed => {}
            State::Start | State::Answer => {
                if !rest.is_empty() {
                    out(Piece::Answer(rest));
                }
            }
        }
    }

    /// Goes one state further; false once more text is needed.
    fn step(&mut self, out: &mut dyn FnMut(Piece)) -> bool {
        let words = self.held.trim_start();
        match self.state {
            State::Start => {
                for (open, close) in TAGS {
                    if let Some(rest) = words.strip_prefix(open) {
                        self.held = rest.to_owned();
                        self.state = State::Opened(close);
                        return true;
                    }
                }
                if TAGS.iter().any(|(open, _)| open.starts_with(words)) {
                    return false;
                }
                self.state = State::Answer;
                out(Piece::Answer(std::mem::take(&mut self.held)));
                false
            }
            State::Opened(close) => {
                self.held = words.to_owned();
                if self.held.is_empty() {
                    return false;
                }
                self.state = State::Thinking(close);
                true
            }
            State::Thinking(close) => {
                if let Some((thought, rest)) = self.held.split_once(close) {
                    let thought = thought.trim_end();
                    if !thought.is_empty() {
                        out(Piece::Thinking(thought.to_owned()));
                    }
                    self.held = rest.to_owned();
                    self.state = State::Closed;
                    return true;
                }
                let sure = self.held.len() - unsure(&self.held, close);
                let rest = self.held.split_off(sure);
                if sure > 0 {
                    out(Piece::Thinking(std::mem::replace(&mut self.held, rest)));
                } else {
                    self.held = rest;
                }
                false
            }
            State::Closed => {
                if words.is_empty() {
                    self.held.clear();
                    return false;
                }
                self.state = State::Answer;
                out(Piece::Answer(words.to_owned()));
                self.held.clear();
                false
            }
            State::Answer => false,
        }
    }
}

/// How many bytes at the end may belong to the end tag or to the white space before it.
fn unsure(text: &str, close: &str) -> usize {
    let tag = (1..close.len())
        .rev()
        .find(|&length| close.get(..length).is_some_and(|tag| text.ends_with(tag)))
        .unwrap_or(0);
    let before = text.get(..text.len() - tag).unwrap_or_default();
    tag + before.len() - before.trim_end().len()
}

#[cfg(test)]
mod tests;

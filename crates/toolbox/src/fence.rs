//! Takes the Markdown fence off a text that a model was told to write without one.

/// The shortest fence.
const FENCE: &str = "```";
/// The longest opening line that is waited for, in bytes: whoever goes on for longer is not naming a language.
const LONGEST_OPENING: usize = 80;

/// Takes a fence of backticks off a text that comes in pieces.
///
/// Only a fence that the text begins with, white space aside, counts; its end is, as in `CommonMark` (section 4.5), the
/// first line of at least as many backticks and nothing else, and what follows it is dropped. Any cut of the text into
/// pieces gives the same text.
#[derive(Debug, Default)]
pub(crate) struct Unfence {
    state: State,
    /// What cannot be told yet.
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    /// No fence: everything goes through.
    Plain,
    /// Within a fence of so many backticks, at the beginning of a line.
    LineStart(usize),
    /// Within a fence of so many backticks, in a line that is not its end.
    InLine(usize),
    Done,
}

impl Unfence {
    /// Takes in more text and gives what can be told to be inside.
    pub(crate) fn push(&mut self, text: &str) -> String {
        let mut out = String::new();
        self.held.push_str(text);
        while self.step(false, &mut out) {}
        out
    }

    /// Gives the rest when no more text comes.
    pub(crate) fn finish(&mut self) -> String {
        let mut out = String::new();
        while self.step(true, &mut out) {}
        out
    }

    /// Goes one state further; false once more text is needed.
    fn step(&mut self, last: bool, out: &mut String) -> bool {
        if self.held.is_empty() {
            return false;
        }
        match self.state {
            State::Start => self.start(last),
            State::Plain => {
                out.push_str(&std::mem::take(&mut self.held));
                false
            }
            State::LineStart(ticks) => {
                let (line, whole) = match self.held.split_once('\n') {
                    Some((line, _)) => (line, true),
                    None => (self.held.as_str(), last),
                };
                if whole && closes(line, ticks) {
                    self.held.clear();
                    self.state = State::Done;
                    return false;
                }
                if !whole && may_close(line) {
                    return false;
                }
                self.state = State::InLine(ticks);
                true
            }
            State::InLine(ticks) => {
                if let Some(end) = self.held.find('\n') {
                    let rest = self.held.split_off(end + 1);
                    out.push_str(&std::mem::replace(&mut self.held, rest));
                    self.state = State::LineStart(ticks);
                    true
                } else {
                    out.push_str(&std::mem::take(&mut self.held));
                    false
                }
            }
            State::Done => {
                self.held.clear();
                false
            }
        }
    }

    fn start(&mut self, last: bool) -> bool {
        let text = self.held.trim_start();
        if !text.starts_with(FENCE) {
            // White space, or the beginning of a fence, may still become one.
            if !last && FENCE.starts_with(text) {
                return false;
            }
            self.state = State::Plain;
            return true;
        }
        let Some((opening, rest)) = text.split_once('\n') else {
            if !last && text.len() <= LONGEST_OPENING {
                return false;
            }
            self.state = State::Plain;
            return true;
        };
        let ticks = opening.len() - opening.trim_start_matches('`').len();
        // An opening line has no backtick after its fence: `code` in three backticks is no block.
        if opening.get(ticks..).unwrap_or_default().contains('`') || opening.len() > LONGEST_OPENING
        {
            self.state = State::Plain;
            return true;
        }
        self.held = rest.to_owned();
        self.state = State::LineStart(ticks);
        true
    }
}

/// Whether a whole line ends a fence of so many backticks.
fn closes(line: &str, ticks: usize) -> bool {
    let bare = line.trim_start_matches(' ');
    let fence = bare.trim_end();
    line.len() - bare.len() <= 3 && fence.len() >= ticks && fence.bytes().all(|byte| byte == b'`')
}

/// Whether more text can make this beginning of a line the end of a fence.
fn may_close(line: &str) -> bool {
    let bare = line.trim_start_matches(' ');
    let rest = bare.trim_start_matches('`');
    line.len() - bare.len() <= 3
        && (rest.trim().is_empty() && (rest.is_empty() || rest.len() < bare.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfenced(pieces: &[&str]) -> String {
        let mut fence = Unfence::default();
        let mut out: String = pieces.iter().map(|piece| fence.push(piece)).collect();
        out.push_str(&fence.finish());
        out
    }

    const TEXTS: [(&str, &str); 12] = [
        ("print(1)\n", "print(1)\n"),
        ("```python\nprint(1)\n```", "print(1)\n"),
        ("\n ```\na,b\n1,2\n```\n\nThat was a table.", "a,b\n1,2\n"),
        ("````md\n```\ninner\n```\n````\n", "```\ninner\n```\n"),
        (
            "```js\nlet a = `x`;\n   ``` not the end\n",
            "let a = `x`;\n   ``` not the end\n",
        ),
        ("```\nnever closed", "never closed"),
        ("```\n\n\n```  \n", "\n\n"),
        ("``` `no` block\nrest", "``` `no` block\nrest"),
        ("``", "``"),
        ("```", "```"),
        ("   ", "   "),
        ("```\r\nx\r\n```\r\n", "x\r\n"),
    ];

    #[test]
    fn takes_off_a_fence_around_everything() {
        for (text, expected) in TEXTS {
            assert_eq!(unfenced(&[text]), expected, "{text:?}");
        }
    }

    #[test]
    fn every_cut_gives_the_same_text() {
        for (text, expected) in TEXTS {
            let single: Vec<String> = text.chars().map(String::from).collect();
            let single: Vec<&str> = single.iter().map(String::as_str).collect();
            assert_eq!(unfenced(&single), expected, "{text:?} by characters");
            for (at, _) in text.char_indices() {
                for (second, _) in text.char_indices().filter(|(second, _)| *second >= at) {
                    let pieces = [&text[..at], &text[at..second], &text[second..]];
                    assert_eq!(unfenced(&pieces), expected, "{pieces:?}");
                }
            }
        }
    }

    #[test]
    fn shows_a_line_before_it_is_whole() {
        let mut fence = Unfence::default();
        assert_eq!(fence.push("```rust\nfn ma"), "fn ma");
        assert_eq!(fence.push("in()"), "in()");
    }
}

//! Cuts a text so that no step of the tokenizer works on a long run.
//!
//! A tokenizer first splits a text by a pattern and then merges pairs within each part. Parts
//! without a bound are what makes it slow, or makes its pattern overflow. Every part of both
//! patterns is a run of one kind with a few characters before it, or a run of [`OTHER`] followed by
//! a run of [`TAIL`]; bounding these runs bounds the parts.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// The most characters of one kind that stay together.
pub(super) const MAX_RUN: usize = 4096;

// One bit per kind. A character may be of several kinds.
const SPACE: u8 = 1;
const LETTER: u8 = 1 << 1;
const DIGIT: u8 = 1 << 2;
const OTHER: u8 = 1 << 3;
/// What `[\r\n/]*` of o200k's pattern takes after punctuation: neither all space nor all other.
const TAIL: u8 = 1 << 4;
/// `\p{M}` continues letters in o200k and punctuation in cl100k.
const MARK: u8 = LETTER | OTHER;
const KINDS: usize = 5;

/// `text` in pieces: each ends where a run would grow past [`MAX_RUN`], the last where the text does.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(first_cut(rest).unwrap_or(rest.len()));
        rest = after;
        Some(piece)
    })
}

/// Prepares the table of character classes.
pub(super) fn warm_up() {
    LazyLock::force(&CLASSES);
}

/// Where the first run of `text` passes [`MAX_RUN`] characters.
fn first_cut(text: &str) -> Option<usize> {
    if text.len() <= MAX_RUN {
        return None;
    }
    let mut lengths = [0_usize; KINDS];
    for (at, character) in text.char_indices() {
        let kinds = kinds_of(character);
        for (kind, length) in lengths.iter_mut().enumerate() {
            *length = if kinds & (1 << kind) == 0 {
                0
            } else {
                *length + 1
            };
            if *length > MAX_RUN {
                return Some(at);
            }
        }
    }
    None
}

fn kinds_of(character: char) -> u8 {
    match character {
        '\r' | '\n' => SPACE | TAIL,
        '/' => OTHER | TAIL,
        '\t' | '\u{b}' | '\u{c}' | ' ' => SPACE,
        'a'..='z' | 'A'..='Z' => LETTER,
        '0'..='9' => DIGIT,
        '\0'..='\x7f' => OTHER,
        _ => kinds_beyond_ascii(character),
    }
}

fn kinds_beyond_ascii(character: char) -> u8 {
    let after = CLASSES.partition_point(|class| class.first <= character);
    after
        .checked_sub(1)
        .and_then(|at| CLASSES.get(at))
        .filter(|class| character <= class.last)
        .map_or(OTHER, |class| class.kinds)
}

struct ClassRange {
    first: char,
    last: char,
    kinds: u8,
}

// The tokenizers' patterns are compiled from the same tables, so both agree on every character,
// whichever version of Unicode the standard library has. `[^\s\p{L}\p{N}]` is the rest.
static CLASSES: LazyLock<Vec<ClassRange>> = LazyLock::new(|| {
    let mut classes = Vec::new();
    for (pattern, kinds) in [
        (r"\s", SPACE),
        (r"\p{L}", LETTER),
        (r"\p{M}", MARK),
        (r"\p{N}", DIGIT),
    ] {
        let parsed = regex_syntax::parse(pattern).map(regex_syntax::hir::Hir::into_kind);
        if let Ok(HirKind::Class(Class::Unicode(class))) = parsed {
            classes.extend(class.iter().map(|range| ClassRange {
                first: range.start(),
                last: range.end(),
                kinds,
            }));
        }
    }
    classes.sort_unstable_by_key(|class| class.first);
    classes
});

#[cfg(test)]
mod tests {
    use super::*;

    // Written out, since counts that callers have stored depend on it.
    const LIMIT: usize = 4096;

    #[test]
    fn knows_the_kind_of_characters_of_every_script() {
        for (characters, kinds) in [
            (" \t\u{b}\u{c}\u{a0}\u{2028}\u{3000}", SPACE),
            ("\r\n", SPACE | TAIL),
            ("azAZéßЖΩאا日ひア한ʰǅ", LETTER),
            ("09٣५½Ⅷ①", DIGIT),
            ("!'~\0\u{7f}¿。Ⓐ😀❤\u{200d}\u{e000}", OTHER),
            ("/", OTHER | TAIL),
            ("\u{301}\u{fe0f}\u{93f}\u{e0100}", MARK),
        ] {
            for character in characters.chars() {
                assert_eq!(kinds_of(character), kinds, "{character:?}");
            }
        }
    }

    #[test]
    fn ascii_is_classed_as_the_tables_class_it() {
        for character in '\0'..='\x7f' {
            assert_eq!(
                kinds_of(character) & !TAIL,
                kinds_beyond_ascii(character),
                "{character:?}"
            );
        }
    }

    #[test]
    fn a_run_of_the_limit_stays_whole_and_one_more_is_cut() {
        for one in [" ", "\n", "a", "é", "7", "!", "😀", "\u{301}"] {
            let run = one.repeat(LIMIT);
            assert_eq!(pieces(&run).collect::<Vec<_>>(), [run.as_str()]);
            let longer = format!("{run}{one}");
            assert_eq!(pieces(&longer).collect::<Vec<_>>(), [run.as_str(), one]);
        }
    }

    #[test]
    fn runs_of_a_kind_are_cut_though_their_characters_differ() {
        for two in ["aé", "a\u{301}", "!\u{301}", "!😀", "\n/", "\r/", " \n"] {
            let text = two.repeat(LIMIT / 2 + 1);
            assert_eq!(pieces(&text).count(), 2, "{two:?}");
        }
    }

    #[test]
    fn changes_of_kind_are_never_cut() {
        for two in ["a ", "a1", "a!", "1\u{301}", "日。", "é\n", "! "] {
            let text = two.repeat(LIMIT);
            assert_eq!(pieces(&text).count(), 1, "{two:?}");
        }
    }
}

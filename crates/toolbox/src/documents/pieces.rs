//! How large the pieces are that a growing document is shown in.

use records::DocumentKind;

/// So far a document is shown in small pieces, in characters.
const SMALL_UNTIL: usize = 512;
/// The longest piece there of prose and of everything else, in characters.
const SMALL_PROSE: usize = 24;
const SMALL_OTHER: usize = 8;
/// After that, a piece of what is shown as a whole again and again is at least this part of what was shown already.
const SHARE: usize = 32;

/// Cuts and gathers what a model writes into the pieces that readers are shown.
///
/// Small ones first: pages open their panel when the text shown so far has a length between two near bounds (401 to
/// 449 characters of prose, 301 to 309 of code), which a larger step would skip. Later, code and tables are
/// gathered: pages are sent the whole of them with each piece, which would grow with the square of the length.
#[derive(Debug)]
pub(crate) struct Pieces {
    prose: bool,
    /// Characters given so far.
    given: usize,
    /// Bytes given so far.
    given_bytes: usize,
    held: String,
}

impl Pieces {
    pub(crate) fn new(kind: DocumentKind) -> Self {
        Self {
            prose: kind == DocumentKind::Text,
            given: 0,
            given_bytes: 0,
            held: String::new(),
        }
    }

    /// Takes in more text; then [`Pieces::next`] gives what is due.
    pub(crate) fn push(&mut self, text: &str) {
        self.held.push_str(text);
    }

    /// The next piece that is due, never empty; with `last`, also what would wait for more.
    pub(crate) fn next(&mut self, last: bool) -> Option<String> {
        if self.held.is_empty() {
            return None;
        }
        let piece = if self.given < SMALL_UNTIL {
            let most = if self.prose { SMALL_PROSE } else { SMALL_OTHER };
            let end = cut(&self.held, most);
            let rest = self.held.split_off(end);
            std::mem::replace(&mut self.held, rest)
        } else {
            let due = self.prose || self.held.len() >= self.given_bytes / SHARE;
            if !due && !last {
                return None;
            }
            std::mem::take(&mut self.held)
        };
        self.given += piece.chars().count();
        self.given_bytes += piece.len();
        Some(piece)
    }
}

/// Where the first piece of at most so many characters ends: after a word if one ends there.
fn cut(text: &str, most: usize) -> usize {
    let mut after_space = false;
    for (count, (at, ch)) in text.char_indices().enumerate() {
        if count == most || (after_space && !ch.is_whitespace()) {
            return at;
        }
        after_space = ch.is_whitespace();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(kind: DocumentKind, text: &str) -> Vec<String> {
        let mut pieces = Pieces::new(kind);
        pieces.push(text);
        let mut all = Vec::new();
        while let Some(piece) = pieces.next(true) {
            all.push(piece);
        }
        all
    }

    #[test]
    fn all_pieces_are_the_text_and_pass_through_every_window_that_pages_wait_for() {
        let text = "Wörter und 日本語 ohne Leerzeichen".repeat(60);
        for (kind, window) in [
            (DocumentKind::Text, 401..=449),
            (DocumentKind::Code, 301..=309),
        ] {
            let all = pieces(kind, &text);
            assert_eq!(all.concat(), text);
            let mut length = 0;
            let passed = all.iter().any(|piece| {
                length += piece.encode_utf16().count();
                window.contains(&length)
            });
            assert!(passed, "{kind:?}");
        }
    }

    #[test]
    fn a_long_table_is_shown_less_and_less_often() {
        let mut pieces = Pieces::new(DocumentKind::Sheet);
        let (mut shown, mut length) = (0, 0);
        for _ in 0..100_000 {
            pieces.push("1,2,3,4,5\n");
            while let Some(piece) = pieces.next(false) {
                length += piece.len();
                shown += length;
            }
        }
        assert!(shown < 50 * 1_000_000, "{shown} bytes for 1 MB");
    }
}

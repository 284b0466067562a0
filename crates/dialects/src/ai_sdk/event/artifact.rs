//! Documents that are being written, and suggestions to them (`docs/wire/ai-sdk.md` W19).
//!
//! The page shows what comes as it comes, and opens its panel by the sizes that it sees: so texts go out in pieces and the
//! rest as snapshots of all there is, each a function of the events so far.

use records::DocumentKind;
use serde::Serialize;

use super::chunk::chunk;
use crate::frame::FrameSink;

/// The longest piece of a text, in UTF-16 units. The page opens its panel when it sees a length of 401 to 449, which no
/// pieces of this length can pass over.
const MAX_PIECE: usize = 49;

/// How much a snapshot may be longer than the one before it, in UTF-16 units, up to [`SMALL`]. The page opens its panel when
/// the one before had 301 to 309.
const SMALL_GROWTH: usize = 9;

/// From this length on, in UTF-16 units, snapshots grow by a share of what there is, or the stream would be the square of
/// the document.
const SMALL: usize = 320;

/// That share: one in so many.
const SHARE: usize = 16;

/// The application's own data of this name ends the writing of documents on the page.
pub(super) const FINISH: &str = "finish";

/// The documents that are being written.
#[derive(Debug, Default)]
pub(super) struct Artifacts {
    open: Vec<Artifact>,
}

#[derive(Debug)]
struct Artifact {
    document: String,
    kind: DocumentKind,
    /// All there is, where snapshots are made of it.
    text: String,
    /// How many UTF-16 units it has.
    units: usize,
    /// How many bytes of it the client has.
    told: usize,
    /// How many UTF-16 units that is.
    told_units: usize,
}

impl Artifacts {
    /// A document is begun: a new one with this title, or one that the client knows. One of an unknown kind is not told.
    pub(super) fn opened(
        &mut self,
        document: &str,
        kind: &str,
        new: Option<&String>,
        out: &mut FrameSink,
    ) {
        self.close(document);
        let Some(kind) = DocumentKind::from_name(kind) else {
            return;
        };
        if let Some(title) = new {
            transient("data-kind", kind.as_str(), out);
            transient("data-id", document, out);
            transient("data-title", title, out);
        }
        transient("data-clear", &(), out);
        self.open.push(Artifact {
            document: document.to_owned(),
            kind,
            text: String::new(),
            units: 0,
            told: 0,
            told_units: 0,
        });
    }

    /// A document grew by this text. One that was not begun is not told: the page would add it to another.
    pub(super) fn grown(&mut self, document: &str, text: &str, out: &mut FrameSink) {
        let Some(artifact) = self.open.iter_mut().find(|open| open.document == document) else {
            return;
        };
        match artifact.kind {
            DocumentKind::Text => {
                for piece in pieces(text) {
                    transient("data-textDelta", piece, out);
                }
            }
            DocumentKind::Code | DocumentKind::Sheet => {
                artifact.push(text);
                artifact.tell(out);
            }
            // A part of an image shows nothing.
            DocumentKind::Image => artifact.push(text),
        }
    }

    /// A document's version was stored: the client is told all of it, and may fetch it.
    pub(super) fn stored(&mut self, document: &str, out: &mut FrameSink) {
        if let Some(artifact) = self.close(document) {
            artifact.tell_rest(out);
        }
        transient("data-finish", &(), out);
    }

    /// The application says itself that nothing more comes, of whichever document: what is begun is told whole.
    pub(super) fn finished(&mut self, out: &mut FrameSink) {
        for artifact in self.open.drain(..) {
            artifact.tell_rest(out);
        }
    }

    fn close(&mut self, document: &str) -> Option<Artifact> {
        let at = self
            .open
            .iter()
            .position(|open| open.document == document)?;
        Some(self.open.remove(at))
    }
}

impl Artifact {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.units += text.encode_utf16().count();
    }

    /// Tells the snapshots that are due.
    fn tell(&mut self, out: &mut FrameSink) {
        while self.told_units < SMALL && self.told_units < self.units {
            let rest = self.text.get(self.told..).unwrap_or_default();
            let (bytes, units) = prefix(rest, SMALL_GROWTH);
            self.told += bytes;
            self.told_units += units;
            self.snapshot(out);
        }
        let grown = self.units - self.told_units;
        if grown > 0 && grown * SHARE >= self.told_units {
            self.told = self.text.len();
            self.told_units = self.units;
            self.snapshot(out);
        }
    }

    /// Tells what the client does not have.
    fn tell_rest(mut self, out: &mut FrameSink) {
        if self.told < self.text.len() {
            self.told = self.text.len();
            self.snapshot(out);
        }
    }

    /// Writes what is told so far.
    fn snapshot(&self, out: &mut FrameSink) {
        let name = match self.kind {
            // Never accumulated.
            DocumentKind::Text => return,
            DocumentKind::Code => "data-codeDelta",
            DocumentKind::Sheet => "data-sheetDelta",
            DocumentKind::Image => "data-imageDelta",
        };
        transient(name, self.text.get(..self.told).unwrap_or_default(), out);
    }
}

/// The text in pieces of at most [`MAX_PIECE`] UTF-16 units, cut after a blank where there is one.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (most, _) = prefix(rest, MAX_PIECE);
        let fits = rest.get(..most).unwrap_or(rest);
        let end = if most == rest.len() {
            most
        } else {
            fits.rfind(char::is_whitespace)
                .and_then(|at| {
                    fits.get(at..)?
                        .chars()
                        .next()
                        .map(|blank| at + blank.len_utf8())
                })
                .unwrap_or(most)
        };
        let (piece, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(piece)
    })
}

/// How many bytes, and UTF-16 units, the longest beginning of a text has that has at most so many units.
fn prefix(text: &str, max_units: usize) -> (usize, usize) {
    let mut units = 0;
    for (at, ch) in text.char_indices() {
        if units + ch.len_utf16() > max_units {
            return (at, units);
        }
        units += ch.len_utf16();
    }
    (text.len(), units)
}

fn transient<T: Serialize + ?Sized>(kind: &str, data: &T, out: &mut FrameSink) {
    out.frame(|to| {
        chunk(to, kind)
            .json("data", data)
            .flag("transient", true)
            .end();
    });
}

/// A suggestion as the page takes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SuggestionData<'a> {
    pub(super) id: &'a str,
    pub(super) document_id: &'a str,
    pub(super) original_text: &'a str,
    pub(super) suggested_text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<&'a str>,
    pub(super) is_resolved: bool,
}

/// A suggestion was made.
pub(super) fn suggestion_frame(suggestion: &SuggestionData<'_>, out: &mut FrameSink) {
    transient("data-suggestion", suggestion, out);
}

//! Writes a chunk's JSON straight into the stream's bytes: nothing is built in between, for most chunks are a few
//! characters of text and there are very many of them.

use serde::Serialize;

use crate::frame::json;

/// A chunk that is being written: `type` first, then keys in the order of the calls.
pub(super) struct Chunk<'a> {
    to: &'a mut Vec<u8>,
}

/// Begins a chunk of this type.
pub(super) fn chunk<'a>(to: &'a mut Vec<u8>, kind: &str) -> Chunk<'a> {
    to.extend_from_slice(b"{\"type\":");
    json(to, kind);
    Chunk { to }
}

/// A text as JSON, for a value that is written many times.
pub(super) fn text_json(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 2);
    json(&mut out, text);
    out
}

impl Chunk<'_> {
    /// Adds a key whose value is JSON already. Keys are ours and need no escaping.
    pub(super) fn raw(self, key: &str, value: &[u8]) -> Self {
        self.to.extend_from_slice(b",\"");
        self.to.extend_from_slice(key.as_bytes());
        self.to.extend_from_slice(b"\":");
        self.to.extend_from_slice(value);
        self
    }

    /// Adds a text.
    pub(super) fn text(self, key: &str, text: &str) -> Self {
        self.json(key, text)
    }

    /// Adds a text, or no key at all: a `null` ends the client's stream.
    pub(super) fn optional(self, key: &str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(key, text),
            None => self,
        }
    }

    /// Adds `true`, or no key at all.
    pub(super) fn flag(self, key: &str, on: bool) -> Self {
        if on { self.raw(key, b"true") } else { self }
    }

    /// Adds a value.
    pub(super) fn json<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Self {
        let chunk = self.raw(key, b"");
        json(chunk.to, value);
        chunk
    }

    /// Ends the chunk.
    pub(super) fn end(self) {
        self.to.push(b'}');
    }
}

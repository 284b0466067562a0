//! Frames: the numbered pieces of a stream, as server-sent events.

use chat_core::event::RunEvent;
use serde::Serialize;

/// What a heartbeat is: a comment, which is no frame and has no number (`docs/wire/ai-sdk.md` W4).
pub const HEARTBEAT: &[u8] = b": keep-alive\n\n";

/// Turns a leg's events into frames.
///
/// An encoder is made of the leg's opening snapshot and nothing else, and is shown every event of the leg from the
/// first on, also when most of its frames are skipped: so the bytes and their numbers are the same for every reader,
/// at any time, on any node.
pub trait Encoder: Send {
    /// Writes the frames of the leg's next event; most have one, some none.
    fn event(&mut self, event: &RunEvent, out: &mut FrameSink);
}

/// Collects frames as bytes and counts them, from 0 in each leg.
///
/// A frame is `id: <its number>`, `data: <one line>` and an empty line (`docs/wire/ai-sdk.md` W2).
#[derive(Debug, Default)]
pub struct FrameSink {
    bytes: Vec<u8>,
    next: u64,
    skip_to: u64,
    withholds: bool,
}

impl FrameSink {
    /// A sink for a reader who has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// A sink for a reader who has seen the frames up to this number: they are counted and not written.
    pub fn after(last_seen: u64) -> Self {
        Self {
            skip_to: last_seen.saturating_add(1),
            ..Self::default()
        }
    }

    /// The number that the next frame takes.
    pub const fn next_index(&self) -> u64 {
        self.next
    }

    /// What was written since the last call.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Whether nothing is there to take.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Writes everything from here on, whatever the reader said to have seen.
    ///
    /// For the end of a leg whose node died: frames may have been seen that were not durable yet, and their numbers
    /// now belong to the frames of the close (`docs/wire/ai-sdk.md` W6).
    pub(crate) const fn stop_skipping(&mut self) {
        self.skip_to = 0;
    }

    /// Counts the frames that `write` makes, and writes none of them if they are withheld: the others keep their numbers, so
    /// that these mean the same to every reader.
    pub(crate) fn withheld(&mut self, is_withheld: bool, write: impl FnOnce(&mut Self)) {
        self.withholds = is_withheld;
        write(self);
        self.withholds = false;
    }

    /// Counts a frame and, unless the reader has it, writes it. `data` writes one line: no `\n`, no `\r`.
    pub(crate) fn frame(&mut self, data: impl FnOnce(&mut Vec<u8>)) {
        let index = self.next;
        self.next += 1;
        if index < self.skip_to || self.withholds {
            return;
        }
        // Room for a usual delta at once: a reader who keeps up takes every frame alone, from an empty buffer.
        self.bytes.reserve(128);
        self.bytes.extend_from_slice(b"id: ");
        json(&mut self.bytes, &index);
        self.bytes.extend_from_slice(b"\ndata: ");
        data(&mut self.bytes);
        self.bytes.extend_from_slice(b"\n\n");
    }
}

/// The number in a `Last-Event-ID` header, as [`FrameSink::after`] takes it.
///
/// `None` for what is no number of a frame of ours; the reader is then one who has seen nothing.
pub fn last_event_id(header: &str) -> Option<u64> {
    let header = header.trim_matches([' ', '\t']);
    if header.is_empty() || !header.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    header.parse().ok()
}

/// Writes a value as JSON on one line: a line break inside a text is escaped.
pub(crate) fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    #[expect(
        clippy::expect_used,
        reason = "a vector takes every byte, and texts, numbers and JSON values are all that is written"
    )]
    serde_json::to_writer(out, value).expect("writing JSON to memory cannot fail");
}

#[cfg(test)]
mod tests;

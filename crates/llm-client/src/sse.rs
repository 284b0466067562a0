//! Bytes to lines that the parser of server-sent events reads in linear time and bounded memory.
//!
//! `eventsource-stream` by itself copies the rest of its buffer for every line, reads an unfinished line again with
//! every read, never ends a line or an event, holds everything back after a byte that is no UTF-8, and panics at a byte
//! order mark. [`Lines`] stands before it: it passes on whole lines only, about a kilobyte at a time, within a cap,
//! repaired. A line longer than a kilobyte is one piece: cut up, it would be read again with every part.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use futures_util::Stream;
use tokio::time::{Instant, Sleep};

/// The size of a piece, as long as its lines are shorter: large enough that pieces do not count, small enough that
/// copying the rest of one for each of its lines does not either.
const PIECE: usize = 1024;

/// Why no more lines come.
#[derive(Debug)]
pub(crate) enum LineError<E> {
    /// The body failed.
    Body(E),
    /// A line, or an event of several, is longer than the cap.
    TooLong,
    /// No byte came in time.
    Silent,
}

/// The whole lines of a body, line ends made `\n` and broken UTF-8 replaced. Ends after the first error.
pub(crate) struct Lines<S> {
    body: S,
    cap: usize,
    silence: Duration,
    /// Whole lines not yet passed on.
    ready: Bytes,
    /// The beginning of a line whose end has not come.
    open: Vec<u8>,
    /// The beginning of a character whose end has not come: at most three bytes.
    cut: Vec<u8>,
    /// Whether the first line has come, before which byte order marks are dropped.
    begun: bool,
    /// Whether the last byte was a carriage return, so that a line feed belongs to it.
    after_cr: bool,
    /// The size of the event so far, comments left out.
    event: usize,
    heard: Instant,
    alarm: Pin<Box<Sleep>>,
    ended: bool,
}

impl<S> Lines<S> {
    /// Lines of at most `cap` bytes, with at most `silence` between two reads.
    pub(crate) fn new(body: S, cap: usize, silence: Duration) -> Self {
        Self {
            body,
            cap,
            silence,
            ready: Bytes::new(),
            open: Vec::new(),
            cut: Vec::new(),
            begun: false,
            after_cr: false,
            event: 0,
            heard: Instant::now(),
            alarm: Box::pin(tokio::time::sleep(silence)),
            ended: false,
        }
    }

    /// Takes in a read: its whole lines become ready, the rest waits for its line's end.
    fn take_in(&mut self, read: Bytes) {
        let text = self.repair(read);
        let Some(end) = memchr::memrchr(b'\n', &text) else {
            self.open.extend_from_slice(&text);
            return;
        };
        let mut lines = text;
        let rest = lines.split_off(end + 1);
        if self.open.is_empty() {
            self.ready = lines;
        } else {
            self.open.extend_from_slice(&lines);
            self.ready = Bytes::from(std::mem::take(&mut self.open));
        }
        self.open.extend_from_slice(&rest);
        if !self.begun {
            self.begun = true;
            while self.ready.starts_with("\u{feff}".as_bytes()) {
                self.ready.advance(3);
            }
        }
    }

    /// The same text with `\n` for every line end and U+FFFD for what is no UTF-8. Copies only what needs it.
    fn repair(&mut self, read: Bytes) -> Bytes {
        let sound = self.cut.is_empty()
            && !self.after_cr
            && memchr::memchr(b'\r', &read).is_none()
            && std::str::from_utf8(&read).is_ok();
        if sound {
            return read;
        }
        let mut bytes = std::mem::take(&mut self.cut);
        bytes.extend_from_slice(&read);
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.line_ends(text.as_bytes(), &mut out);
                    break;
                }
                Err(error) => {
                    let (text, bad) = rest.split_at(error.valid_up_to());
                    self.line_ends(text, &mut out);
                    let Some(length) = error.error_len() else {
                        self.cut = bad.to_vec();
                        break;
                    };
                    self.line_ends("\u{fffd}".as_bytes(), &mut out);
                    rest = bad.get(length..).unwrap_or_default();
                }
            }
        }
        Bytes::from(out)
    }

    fn line_ends(&mut self, text: &[u8], out: &mut Vec<u8>) {
        for &byte in text {
            let belongs_to_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
            match byte {
                b'\r' => out.push(b'\n'),
                b'\n' if belongs_to_cr => {}
                _ => out.push(byte),
            }
        }
    }

    /// The next piece of what is ready; `None` if a line or event in it is too long.
    fn piece(&mut self) -> Option<Bytes> {
        let length = match self.ready.get(..PIECE) {
            None => self.ready.len(),
            Some(head) => memchr::memrchr(b'\n', head)
                .or_else(|| memchr::memchr(b'\n', &self.ready))
                .map_or(self.ready.len(), |end| end + 1),
        };
        let piece = self.ready.split_to(length);
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', &piece) {
            let line = end - start;
            self.event = match piece.get(start) {
                _ if line == 0 => 0,
                Some(b':') => self.event,
                _ => self.event.saturating_add(line),
            };
            if line > self.cap || self.event > self.cap {
                return None;
            }
            start = end + 1;
        }
        Some(piece)
    }

    /// Ready once nothing was heard for too long.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.alarm.as_mut().poll(cx));
            let due = self.heard + self.silence;
            if Instant::now() >= due {
                return Poll::Ready(());
            }
            // Moved only when it rings, not with every read.
            self.alarm.as_mut().reset(due);
        }
    }
}

impl<S, E> Stream for Lines<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<Bytes, LineError<E>>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let error = loop {
            if !this.ready.is_empty() {
                match this.piece() {
                    Some(piece) => return Poll::Ready(Some(Ok(piece))),
                    None => break LineError::TooLong,
                }
            }
            if this.open.len() > this.cap {
                break LineError::TooLong;
            }
            match Pin::new(&mut this.body).poll_next(cx) {
                Poll::Ready(Some(Ok(read))) => {
                    this.heard = Instant::now();
                    this.take_in(read);
                }
                Poll::Ready(Some(Err(error))) => break LineError::Body(error),
                Poll::Ready(None) => {
                    // A line without an end is no line, and its event is not dispatched.
                    this.ended = true;
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    ready!(this.poll_silence(cx));
                    break LineError::Silent;
                }
            }
        };
        this.ended = true;
        Poll::Ready(Some(Err(error)))
    }
}

#[cfg(test)]
mod tests;

//! A live leg's log in memory: appended by the leg's task, read by any number of readers, each with a cursor.
//!
//! A delta costs its text once and twelve bytes; a reader that lags holds nobody up. Readers see a prefix of the log:
//! what must be durable before it is shown is appended hidden and shown later.

mod packing;

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use tokio::sync::watch;

use self::packing::{compact, spread, weight};
use super::lease::Lease;
use crate::{
    event::{EventKind, Field, RunEvent},
    id::LegId,
    ports::LogBatch,
};

/// What readers may see of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// The number of the last event that is shown.
    pub(crate) n: u32,
    /// Whether that is the leg's closing event.
    pub(crate) closed: bool,
    /// Whether the leg was given up to another node: what comes is in the store.
    pub(crate) given_away: bool,
}

#[derive(Debug)]
pub(crate) struct LegLog {
    leg: LegId,
    opened_at_ms: i64,
    inner: Mutex<Inner>,
    seen: watch::Sender<Seen>,
    durable: watch::Sender<u32>,
    /// Whether the store refuses its events.
    given_up: AtomicBool,
    /// Whether the flusher has it in its queue.
    pub(super) queued: AtomicBool,
    /// The text held by all live logs of the node, in bytes.
    held: Arc<AtomicUsize>,
    /// Without it nothing is shown.
    lease: Lease,
    /// Whether nothing is shown any more but the end.
    lost: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    /// Up to where readers are to see, once the lease allows it.
    to_show: u32,
    /// The text of all compact deltas, one after the other.
    text: String,
    entries: Vec<Entry>,
    /// Events that are no compact deltas.
    whole: Vec<(EventKind, Option<Arc<str>>)>,
    /// What all of these weigh.
    bytes: usize,
    /// The number of the last event that the store has.
    flushed: u32,
    /// Where the text that the store has not ends.
    flushed_text: usize,
}

/// One event. A compact delta's text begins where the one before it ended.
#[derive(Debug, Clone, Copy)]
struct Entry {
    after_ms: u32,
    /// Where the text ends, after this event.
    text_end: u32,
    /// A compact delta's part and field; or, with the top bit, an index into the whole events.
    tag: u32,
}

const WHOLE: u32 = 1 << 31;

impl LegLog {
    pub(super) fn new(leg: LegId, opened_at_ms: i64, held: Arc<AtomicUsize>, lease: Lease) -> Self {
        Self {
            leg,
            opened_at_ms,
            inner: Mutex::default(),
            seen: watch::Sender::new(Seen::default()),
            durable: watch::Sender::new(0),
            given_up: AtomicBool::new(false),
            queued: AtomicBool::new(false),
            held,
            lease,
            lost: AtomicBool::new(false),
        }
    }

    /// Appends an event, hidden, and gives its number.
    pub(crate) fn push(&self, at_ms: i64, kind: EventKind, raw: Option<Arc<str>>) -> u32 {
        let mut inner = self.lock();
        if raw.is_none()
            && let EventKind::PartDelta { part, field, text } = &kind
            && let Some(tag) = compact(*part, *field)
        {
            return self.append_delta(&mut inner, at_ms, tag, text);
        }
        self.append_whole(&mut inner, at_ms, kind, raw)
    }

    /// Appends a delta, hidden. Gives its number and how many bytes of text the store has not yet.
    pub(crate) fn push_delta(
        &self,
        at_ms: i64,
        part: u32,
        field: Field,
        text: &str,
    ) -> (u32, usize) {
        let mut inner = self.lock();
        let n = if let Some(tag) = compact(part, field) {
            self.append_delta(&mut inner, at_ms, tag, text)
        } else {
            let text = text.to_owned();
            self.append_whole(
                &mut inner,
                at_ms,
                EventKind::PartDelta { part, field, text },
                None,
            )
        };
        let unflushed = inner.text.len() - inner.flushed_text;
        (n, unflushed)
    }

    /// Shows everything up to here, as soon as the node's lease holds.
    pub(crate) fn show(&self, n: u32) {
        let mut inner = self.lock();
        inner.to_show = n;
        self.show_to(&inner);
    }

    /// Shows what was held back while the lease did not hold.
    pub(super) fn show_held_back(&self) {
        self.show_to(&self.lock());
    }

    /// Shows nothing more but the end: another node closed the leg, and readers go by what that one kept.
    pub(super) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    /// Shows everything up to here, the last of which is the closing event. The store has it, so no lease is needed.
    pub(crate) fn show_end(&self, n: u32) {
        self.lock().to_show = n;
        self.seen.send_modify(|seen| {
            seen.n = n;
            seen.closed = true;
        });
    }

    /// Sends readers to the store: another node goes on with the leg.
    pub(super) fn give_away(&self) {
        self.seen.send_modify(|seen| seen.given_away = true);
    }

    /// The lock is held, so that what one call shows is not hidden again by a slower one.
    fn show_to(&self, inner: &MutexGuard<'_, Inner>) {
        let n = inner.to_show;
        let held_back = self.lease.is_frozen() || self.lost.load(Ordering::Acquire);
        if !held_back && n > self.seen().n {
            self.seen.send_modify(|seen| seen.n = n);
        }
    }

    /// Takes back what is hidden and puts other events in its place, hidden as well; gives the last one's number.
    pub(crate) fn replace_hidden(&self, events: Vec<RunEvent>) -> u32 {
        let shown = self.seen.borrow().n;
        let mut inner = self.lock();
        inner
            .entries
            .truncate(usize::try_from(shown).unwrap_or(usize::MAX));
        let mut last = shown;
        for event in events {
            last = self.append_whole(&mut inner, event.at_ms, event.kind, event.raw);
        }
        last
    }

    /// What readers may see, and its changes.
    pub(crate) fn watch(&self) -> watch::Receiver<Seen> {
        self.seen.subscribe()
    }

    pub(crate) fn seen(&self) -> Seen {
        *self.seen.borrow()
    }

    /// Up to `limit` shown events after number `after`; `None` once the log was emptied.
    pub(crate) fn read(&self, after: u32, limit: usize) -> Option<Vec<RunEvent>> {
        let shown = self.seen().n;
        let events = self.read_until(after, shown, limit);
        (after == shown || !events.is_empty()).then_some(events)
    }

    /// Gives the memory back. Only once the leg is sealed: who is behind reads the seal.
    pub(super) fn empty(&self) {
        let emptied = std::mem::take(&mut *self.lock());
        self.held.fetch_sub(emptied.bytes, Ordering::Relaxed);
    }

    /// All events, hidden ones too.
    pub(crate) fn read_all(&self) -> Vec<RunEvent> {
        self.read_until(0, u32::MAX, usize::MAX)
    }

    /// What it holds, in bytes: all texts, outputs and raw events.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// The events that the store does not have yet, or `None`. The closing ones of a closed leg are in its seal.
    pub(super) fn unflushed(&self) -> Option<LogBatch> {
        if self.seen().closed || self.given_up.load(Ordering::Acquire) {
            return None;
        }
        let flushed = self.lock().flushed;
        let events = self.read_until(flushed, u32::MAX, usize::MAX);
        (!events.is_empty()).then(|| LogBatch {
            leg: self.leg,
            first: flushed + 1,
            events: events.into(),
        })
    }

    /// Notes that the store has everything up to here.
    pub(super) fn flushed(&self, n: u32) {
        let mut inner = self.lock();
        if n > inner.flushed {
            let index = usize::try_from(n).unwrap_or(usize::MAX).saturating_sub(1);
            inner.flushed_text = inner
                .entries
                .get(index)
                .map_or(inner.text.len(), |entry| end_of(*entry));
            inner.flushed = n;
        }
        drop(inner);
        self.durable.send_if_modified(|durable| {
            let is_more = n > *durable;
            *durable = n.max(*durable);
            is_more
        });
    }

    /// Notes that the store refuses these events: nothing more of them is sent, and nobody waits for it any longer.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Release);
        self.durable.send_replace(u32::MAX);
    }

    /// Returns once the store has everything up to here, and says whether it does: not if the log was given up.
    pub(super) async fn wait_durable(&self, n: u32) -> bool {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self
            .durable
            .subscribe()
            .wait_for(|durable| *durable >= n)
            .await;
        !self.given_up.load(Ordering::Acquire)
    }

    pub(super) const fn leg(&self) -> LegId {
        self.leg
    }

    /// Returns once the leg has closed.
    pub(crate) async fn wait_closed(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.seen.subscribe().wait_for(|seen| seen.closed).await;
    }

    fn read_until(&self, after: u32, until: u32, limit: usize) -> Vec<RunEvent> {
        let inner = self.lock();
        let start = usize::try_from(after).unwrap_or(usize::MAX);
        let end = usize::try_from(until)
            .unwrap_or(usize::MAX)
            .min(inner.entries.len());
        let Some(entries) = inner.entries.get(start..end) else {
            return Vec::new();
        };
        let mut text_start = match start.checked_sub(1) {
            None => 0,
            Some(before) => inner.entries.get(before).map_or(0, |entry| end_of(*entry)),
        };
        let mut events = Vec::with_capacity(entries.len().min(limit));
        for (n, entry) in (after + 1..).zip(entries.iter().take(limit)) {
            let text_end = end_of(*entry);
            let (kind, raw) = if entry.tag & WHOLE == 0 {
                let (part, field) = spread(entry.tag);
                let text = inner
                    .text
                    .get(text_start..text_end)
                    .unwrap_or_default()
                    .to_owned();
                (EventKind::PartDelta { part, field, text }, None)
            } else {
                let index = usize::try_from(entry.tag & !WHOLE).unwrap_or(usize::MAX);
                match inner.whole.get(index) {
                    Some((kind, raw)) => (kind.clone(), raw.clone()),
                    None => break,
                }
            };
            text_start = text_end;
            events.push(RunEvent {
                n,
                at_ms: self.opened_at_ms + i64::from(entry.after_ms),
                kind,
                raw,
            });
        }
        events
    }

    fn append_delta(&self, inner: &mut Inner, at_ms: i64, tag: u32, text: &str) -> u32 {
        inner.text.push_str(text);
        self.weigh(inner, text.len() + size_of::<Entry>());
        self.append(inner, at_ms, tag)
    }

    fn append_whole(
        &self,
        inner: &mut Inner,
        at_ms: i64,
        kind: EventKind,
        raw: Option<Arc<str>>,
    ) -> u32 {
        let tag = WHOLE | u32::try_from(inner.whole.len()).unwrap_or(WHOLE - 1);
        self.weigh(
            inner,
            weight(&kind) + raw.as_ref().map_or(0, |raw| raw.len()),
        );
        inner.whole.push((kind, raw));
        self.append(inner, at_ms, tag)
    }

    fn weigh(&self, inner: &mut Inner, bytes: usize) {
        inner.bytes += bytes;
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    fn append(&self, inner: &mut Inner, at_ms: i64, tag: u32) -> u32 {
        let before = inner.entries.last().map_or(0, |entry| entry.after_ms);
        // Time does not run backwards within a leg, whatever the wall clock does.
        let after_ms = u32::try_from(at_ms - self.opened_at_ms)
            .unwrap_or(0)
            .max(before);
        let text_end = u32::try_from(inner.text.len()).unwrap_or(u32::MAX);
        inner.entries.push(Entry {
            after_ms,
            text_end,
            tag,
        });
        u32::try_from(inner.entries.len()).unwrap_or(u32::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while it was held cannot have left it half changed in a way that matters: entries come last.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for LegLog {
    fn drop(&mut self) {
        self.empty();
    }
}

fn end_of(entry: Entry) -> usize {
    usize::try_from(entry.text_end).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;

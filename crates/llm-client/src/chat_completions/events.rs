//! An answer under way: frames from the wire, events to the engine, and the clock over both.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use chat_core::ports::{ModelError, ModelErrorKind, ModelEvent};
use eventsource_stream::{EventStream, EventStreamError};
use futures_util::Stream;
use tokio::time::{Instant, Sleep};

use crate::{
    Timeouts,
    fault::{Failure, Fault},
    sse::{LineError, Lines},
};

use super::decode::{Decoder, End};

/// How long the end of a body may take after the end of its answer: whoever reads it to the end can use the connection
/// again, and almost all servers send both at once.
const DRAIN: Duration = Duration::from_millis(100);

/// The events of one answer. The first failure, or the end, is its last item.
pub(crate) struct Events<S> {
    /// `None` for a whole completion, and once the stream is over: dropping it hangs up.
    frames: Option<EventStream<Lines<S>>>,
    /// Whether the answer is over and only its body's end is missing.
    drains: bool,
    decoder: Decoder,
    failure: Option<Failure>,
    cap: usize,
    timeouts: Timeouts,
    /// When the last frame came.
    heard: Instant,
    /// Rings when a frame is overdue; the second is how long it was set for.
    alarm: (Pin<Box<Sleep>>, Duration),
}

impl<S> Events<S>
where
    S: Stream<Item = Result<Bytes, reqwest::Error>> + Unpin,
{
    /// The events of a body that streams, with lines of at most `cap` bytes.
    pub(crate) fn stream(body: S, cap: usize, timeouts: Timeouts) -> Self {
        let lines = Lines::new(body, cap, timeouts.silence);
        Self::new(
            Some(EventStream::new(lines)),
            Decoder::default(),
            cap,
            timeouts,
        )
    }

    /// The events of a whole completion.
    pub(crate) fn completion(body: &[u8], timeouts: Timeouts) -> Self {
        let mut decoder = Decoder::default();
        let end = match decoder.completion(body) {
            Ok(()) => End::Done,
            Err(failure) => End::Failed(failure),
        };
        let mut events = Self::new(None, decoder, 0, timeouts);
        events.failure = events.decoder.end(end);
        events
    }

    /// Waits for the first event. The head is complete by then as far as the upstream sends one.
    pub(crate) async fn first(&mut self) -> Option<Result<ModelEvent, Failure>> {
        futures_util::future::poll_fn(|cx| self.poll_event(cx)).await
    }

    /// The upstream's id for the answer, and the model it names.
    pub(crate) fn head(&self) -> (Option<String>, Option<String>) {
        self.decoder.head()
    }

    /// The stream that a caller reads, with `first` put back.
    pub(crate) fn after(self, first: ModelEvent) -> Answer<S> {
        Answer {
            first: Some(first),
            events: self,
        }
    }

    fn new(
        frames: Option<EventStream<Lines<S>>>,
        decoder: Decoder,
        cap: usize,
        timeouts: Timeouts,
    ) -> Self {
        let limit = timeouts.between_events;
        Self {
            frames,
            drains: false,
            decoder,
            failure: None,
            cap,
            timeouts,
            heard: Instant::now(),
            alarm: (Box::pin(tokio::time::sleep(limit)), limit),
        }
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<ModelEvent, Failure>>> {
        loop {
            if let Some(event) = self.decoder.pop() {
                return Poll::Ready(Some(Ok(event)));
            }
            if let Some(failure) = self.failure.take() {
                return Poll::Ready(Some(Err(failure)));
            }
            let Some(frames) = &mut self.frames else {
                return Poll::Ready(None);
            };
            let end = match Pin::new(frames).poll_next(cx) {
                Poll::Ready(Some(Ok(_))) if self.drains => continue,
                Poll::Ready(Some(Ok(frame))) => {
                    self.heard = Instant::now();
                    match self.decoder.frame(&frame.event, &frame.data) {
                        Ok(false) => continue,
                        Ok(true) => End::Done,
                        Err(failure) => End::Failed(failure),
                    }
                }
                Poll::Ready(Some(Err(error))) => End::Failed(self.failed(error)),
                Poll::Ready(None) => End::Closed,
                Poll::Pending => End::Failed(ready!(self.poll_overdue(cx))),
            };
            if self.drains {
                self.frames = None;
                continue;
            }
            if matches!(end, End::Done) {
                self.drains = true;
            } else {
                self.frames = None;
            }
            self.failure = self.decoder.end(end);
        }
    }

    /// Ready once the next frame is overdue.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<Failure> {
        let limit = if self.drains {
            DRAIN
        } else if self.decoder.is_finished() {
            self.timeouts.after_finish
        } else {
            self.timeouts.between_events
        };
        let (alarm, set_for) = &mut self.alarm;
        if *set_for != limit {
            *set_for = limit;
            alarm.as_mut().reset(self.heard + limit);
        }
        loop {
            ready!(alarm.as_mut().poll(cx));
            let due = self.heard + limit;
            if Instant::now() >= due {
                return Poll::Ready(Failure::silent("event", limit));
            }
            // Moved only when it rings, not with every frame.
            alarm.as_mut().reset(due);
        }
    }

    fn failed(&self, error: EventStreamError<LineError<reqwest::Error>>) -> Failure {
        match error {
            EventStreamError::Transport(LineError::Body(error)) => Failure::passing(
                ModelErrorKind::Broken,
                Fault::Transport(error.without_url()),
            ),
            EventStreamError::Transport(LineError::TooLong) => {
                Failure::new(ModelErrorKind::Broken, Fault::LineTooLong(self.cap))
            }
            EventStreamError::Transport(LineError::Silent) => {
                Failure::silent("byte", self.timeouts.silence)
            }
            // Their messages would quote the text.
            EventStreamError::Utf8(_) | EventStreamError::Parser(_) => {
                Failure::malformed("not a stream of events")
            }
        }
    }
}

/// The stream of [`chat_core::ports::ModelAnswer::events`].
pub(crate) struct Answer<S> {
    first: Option<ModelEvent>,
    events: Events<S>,
}

impl<S> Stream for Answer<S>
where
    S: Stream<Item = Result<Bytes, reqwest::Error>> + Unpin,
{
    type Item = Result<ModelEvent, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let next = ready!(self.events.poll_event(cx));
        Poll::Ready(next.map(|item| item.map_err(ModelError::from)))
    }
}

#[cfg(test)]
mod tests;

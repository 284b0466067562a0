//! Streams a leg's frames to a client. The only place where events meet a socket.

use std::{convert::Infallible, pin::Pin, time::Duration};

use actix_web::{HttpResponse, HttpResponseBuilder, http::header, web::Bytes};
use chat_core::engine::Watch;
use dialects::frame::{Encoder, FrameSink, HEARTBEAT};
use futures_util::stream;
use tokio::time::{Instant, Sleep, sleep_until};

/// A stream is never silent for longer than this, so that proxies and clients know that it lives.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(10);

/// The head of every stream: unbuffered, untransformed, never cached.
pub fn head() -> HttpResponseBuilder {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-cache, no-transform"))
        .insert_header(("x-accel-buffering", "no"));
    response
}

/// A body that follows a leg to its end: the frames after `sink`'s beginning, and heartbeats in silence.
///
/// A client that leaves ends the body and nothing else. When the store fails the body ends without its terminator, and
/// the client can come back for the rest.
pub fn body<E: Encoder + 'static>(
    watch: Watch,
    encoder: E,
    sink: FrameSink,
) -> impl stream::Stream<Item = Result<Bytes, Infallible>> {
    let now = Instant::now();
    let reader = Reader {
        watch,
        encoder,
        sink,
        last: now,
        idle: Box::pin(sleep_until(now + HEARTBEAT_EVERY)),
    };
    stream::unfold(reader, |mut reader| async move {
        let bytes = reader.next().await?;
        Some((Ok(bytes), reader))
    })
}

struct Reader<E> {
    watch: Watch,
    encoder: E,
    sink: FrameSink,
    /// When something was last sent.
    last: Instant,
    /// Set anew only when it fires: a timer per frame would cost more than the frame.
    idle: Pin<Box<Sleep>>,
}

impl<E: Encoder> Reader<E> {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            tokio::select! {
                biased;
                events = self.watch.next() => {
                    let events = match events {
                        Ok(events) => events?,
                        Err(error) => {
                            tracing::warn!(error = &error as &dyn std::error::Error, "a stream ends: its events cannot be read");
                            return None;
                        }
                    };
                    for event in &events {
                        self.encoder.event(event, &mut self.sink);
                    }
                    if !self.sink.is_empty() {
                        self.last = Instant::now();
                        return Some(self.sink.take().into());
                    }
                }
                () = self.idle.as_mut() => {
                    let now = Instant::now();
                    let due = self.last + HEARTBEAT_EVERY;
                    if now >= due {
                        self.last = now;
                        self.idle.as_mut().reset(now + HEARTBEAT_EVERY);
                        return Some(Bytes::from_static(HEARTBEAT));
                    }
                    self.idle.as_mut().reset(due);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;

//! A response body that keeps to a timetable and notices when nobody reads it any more.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::{Instant, Sleep};

use crate::ledger::Ticket;
use crate::plan::{End, Plan};

/// The body of one response.
///
/// hyper drops it at once when the client closes its connection; its [`Ticket`] then tells the ledger.
#[derive(Debug)]
pub(crate) struct PacedBody {
    plan: Arc<Plan>,
    next: usize,
    sent: usize,
    start: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    /// When the next comment of a silent end is due.
    comment_at: Option<Duration>,
    /// Whether hyper had the chance to flush what it holds.
    flushed: bool,
    ticket: Ticket,
}

impl PacedBody {
    /// A body whose timetable starts now.
    pub(crate) fn new(plan: Arc<Plan>, ticket: Ticket) -> Self {
        let start = Instant::now();
        let mut body = Self {
            plan,
            next: 0,
            sent: 0,
            start,
            sleep: None,
            comment_at: None,
            flushed: false,
            ticket,
        };
        if body.is_end_stream() {
            body.ticket.complete();
        }
        body
    }

    fn poll_until(&mut self, at: Duration, cx: &mut Context<'_>) -> Poll<()> {
        if at.is_zero() {
            return Poll::Ready(());
        }
        // The due times count from the start: a pause that took too long does not delay the later ones.
        let due = self.start + at;
        match &mut self.sleep {
            Some(sleep) if sleep.deadline() == due => {}
            Some(sleep) => sleep.as_mut().reset(due),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(due))),
        }
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().poll(cx),
            None => Poll::Ready(()),
        }
    }

    /// Lets hyper put everything so far on the wire before the next piece, or the cut, follows.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.flushed {
            return Poll::Ready(());
        }
        self.flushed = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl Body for PacedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if this.plan.dribble {
            ready!(this.poll_flush(cx));
        }
        if let Some(step) = this.plan.steps.get(this.next).copied() {
            ready!(this.poll_until(step.at, cx));
            let bytes = this.plan.bytes.slice(this.sent..step.end);
            this.next += 1;
            this.sent = step.end;
            this.flushed = false;
            this.ticket.sent(bytes.len());
            if this.is_end_stream() {
                this.ticket.complete();
            }
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match &this.plan.end {
            End::Complete => Poll::Ready(None),
            End::Cut => {
                ready!(this.poll_flush(cx));
                this.ticket.cut();
                Poll::Ready(Some(Err(io::Error::other("cut, as the scenario says"))))
            }
            End::Silence(None) => Poll::Pending,
            End::Silence(Some((every, comment))) => {
                let (every, comment) = (*every, comment.clone());
                let due = *this
                    .comment_at
                    .get_or_insert_with(|| this.start.elapsed() + every);
                ready!(this.poll_until(due, cx));
                this.comment_at = Some(due + every);
                Poll::Ready(Some(Ok(Frame::data(comment))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.plan.end == End::Complete && self.next == self.plan.steps.len()
    }
}

//! Closes legs that nobody works on any more.

use std::sync::Arc;

use super::{
    Shared, handover,
    live::LiveLeg,
    send,
    writer::{End, Writer},
};
use crate::{
    error::EngineError,
    event::RunEvent,
    id::NodeId,
    message::Part,
    ports::{Closed, StoreError},
    run::{Leg, RunError, RunStatus},
};

/// What became of orphans.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Orphans {
    /// How many were closed here.
    pub(super) closed: usize,
    /// How many could not be closed and are still open.
    pub(super) left: usize,
}

/// Says for the first time that this node lives, and closes what nobody works on. Gives how many legs it closed.
///
/// Nodes that are known to the store may be alive: their legs are left to them, or to [`super::nodes::reap`].
pub(super) async fn recover(shared: &Arc<Shared>) -> Result<usize, EngineError> {
    let beats = shared.ports.nodes.renew(shared.node).await?;
    let known: Vec<NodeId> = beats.into_iter().map(|beat| beat.node).collect();
    Ok(close_orphans(shared, &known).await?.closed)
}

/// Closes every leg whose node is not alive, as interrupted and with the text that is stored. Those that were released are
/// taken over instead.
pub(super) async fn close_orphans(
    shared: &Arc<Shared>,
    alive: &[NodeId],
) -> Result<Orphans, StoreError> {
    let mut orphans = Orphans::default();
    for leg in shared.ports.runs.list_orphans(alive).await? {
        let id = leg.id;
        let done = if leg.node == NodeId::NOBODY {
            handover::take_over(shared, id).await.map(|_taken| false)
        } else {
            close_orphan(shared, leg).await
        };
        match done {
            Ok(closed) => orphans.closed += usize::from(closed),
            // One leg that cannot be read must not keep the server down; it stays as it is.
            Err(error) => {
                orphans.left += 1;
                tracing::error!(error = &error as &dyn std::error::Error, leg = %id, "an orphan cannot be closed");
            }
        }
    }
    Ok(orphans)
}

/// Closes a leg that nobody works on, and says whether it was this node that closed it.
async fn close_orphan(shared: &Arc<Shared>, leg: Leg) -> Result<bool, StoreError> {
    let stored = match shared.ports.run_log.read(leg.id, 0, u32::MAX).await {
        Err(error @ StoreError::Corrupt { .. }) => {
            // One damaged log must not keep the server down: the leg ends without its text.
            tracing::error!(error = &error as &dyn std::error::Error, leg = %leg.id, "the log of a leg is damaged");
            Vec::new()
        }
        read => read?,
    };
    let prior = prior_parts(shared, &leg).await?;
    let (live, last) = relive(shared, leg, stored);
    let writer = Writer::new(shared, &live, prior);
    let was_stopped = live.leg.status == RunStatus::Cancelling;
    let end_as = if was_stopped {
        End::interrupted_stop()
    } else {
        End::failed(RunError::Interrupted)
    };
    Ok(end(writer, last, end_as).await == Some(Closed::Done))
}

/// A leg as its log has it so far, and the number of its last event.
pub(super) fn relive(shared: &Shared, leg: Leg, stored: Vec<RunEvent>) -> (Arc<LiveLeg>, u32) {
    let log = shared.new_log(&leg);
    let mut last = 0;
    if stored.is_empty() {
        last = log.push(leg.opened_at_ms, send::opening_event(&leg), None);
    }
    for event in stored {
        last = log.push(event.at_ms, event.kind, event.raw);
    }
    let live = Arc::new(LiveLeg::new(leg, log));
    live.log.show(last);
    (live, last)
}

/// Closes a leg of this node whose task is gone, as failed.
pub(super) async fn close_live(shared: &Shared, live: &Arc<LiveLeg>, error: RunError) {
    let writer = Writer::new(shared, live, Vec::new());
    let last = writer.fold().last_n();
    // Whoever closed it, it is closed.
    let _by_whom = end(writer, last, End::failed(error)).await;
}

/// A leg whose closing event was flushed but whose close was not stored ends as that event says: it was never shown,
/// but it is what happened.
async fn end(writer: Writer<'_>, last: u32, end: End) -> Option<Closed> {
    if writer.fold().closing().is_some() {
        writer.close_as_folded(last).await
    } else {
        writer.close(end, None).await
    }
}

/// The parts that earlier legs of the run wrote.
async fn prior_parts(shared: &Shared, leg: &Leg) -> Result<Vec<Part>, StoreError> {
    let message = shared.ports.messages.find_message(leg.message).await?;
    let parts = message
        .map(|message| message.body.parts)
        .unwrap_or_default();
    Ok(parts
        .into_iter()
        .filter(|part| part.leg != Some(leg.id))
        .collect())
}

//! Closes legs that nobody works on any more.

use std::sync::Arc;

use super::{
    Shared,
    live::LiveLeg,
    log::LegLog,
    send,
    writer::{End, Writer},
};
use crate::{
    error::EngineError,
    message::Part,
    ports::StoreError,
    run::{Leg, RunError, RunStatus},
};

/// Closes every orphan that can be closed and gives how many.
pub(super) async fn recover(shared: &Arc<Shared>) -> Result<usize, EngineError> {
    let orphans = shared.ports.runs.list_orphans(&[shared.node]).await?;
    let mut closed = 0;
    for leg in orphans {
        let id = leg.id;
        match close_orphan(shared, leg).await {
            Ok(()) => closed += 1,
            // One leg that cannot be read must not keep the server down; it stays as it is.
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, leg = %id, "an orphan cannot be closed");
            }
        }
    }
    Ok(closed)
}

async fn close_orphan(shared: &Arc<Shared>, leg: Leg) -> Result<(), EngineError> {
    let stored = match shared.ports.run_log.read(leg.id, 0, u32::MAX).await {
        Err(error @ StoreError::Corrupt { .. }) => {
            // One damaged log must not keep the server down: the leg ends without its text.
            tracing::error!(error = &error as &dyn std::error::Error, leg = %leg.id, "the log of a leg is damaged");
            Vec::new()
        }
        read => read?,
    };
    let prior = prior_parts(shared, &leg).await?;
    let log = LegLog::new(leg.id, leg.opened_at_ms, Arc::clone(&shared.held_bytes));
    let mut last = 0;
    if stored.is_empty() {
        last = log.push(leg.opened_at_ms, send::opening_event(&leg), None);
    }
    for event in stored {
        last = log.push(event.at_ms, event.kind, event.raw);
    }
    let live = Arc::new(LiveLeg::new(leg, log));
    live.log.show(last, false);
    let writer = Writer::new(shared, &live, prior);
    let was_stopped = live.leg.status == RunStatus::Cancelling;
    let end_as = if was_stopped {
        End::interrupted_stop()
    } else {
        End::failed(RunError::Interrupted)
    };
    end(writer, last, end_as).await;
    Ok(())
}

/// Closes a leg of this node whose task is gone, as failed.
pub(super) async fn close_live(shared: &Shared, live: &Arc<LiveLeg>, error: RunError) {
    let writer = Writer::new(shared, live, Vec::new());
    let last = writer.fold().last_n();
    end(writer, last, End::failed(error)).await;
}

/// A leg whose closing event was flushed but whose close was not stored ends as that event says: it was never shown,
/// but it is what happened.
async fn end(writer: Writer<'_>, last: u32, end: End) {
    if writer.fold().closing().is_some() {
        writer.close_as_folded(last).await;
    } else {
        writer.close(end, None).await;
    }
}

/// The parts that earlier legs of the run wrote.
async fn prior_parts(shared: &Shared, leg: &Leg) -> Result<Vec<Part>, EngineError> {
    let message = shared.ports.messages.find_message(leg.message).await?;
    let parts = message
        .map(|message| message.body.parts)
        .unwrap_or_default();
    Ok(parts
        .into_iter()
        .filter(|part| part.leg != Some(leg.id))
        .collect())
}

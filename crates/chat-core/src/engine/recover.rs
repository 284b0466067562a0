//! Closes legs that nobody works on any more.

use std::{collections::HashSet, sync::Arc};

use futures_util::{StreamExt as _, stream};

use super::{
    Shared, handover,
    live::{LiveLeg, Prior},
    send,
    writer::{End, Writer},
};
use crate::{
    error::EngineError,
    event::RunEvent,
    id::{LegId, NodeId},
    ports::{Closed, StoreError},
    run::{Leg, RunError, RunStatus},
};

/// So many legs are closed side by side: each waits for the store, and readers wait for each.
const AT_ONCE: usize = 16;

/// Says for the first time that this node lives, and closes what nobody works on. Gives how many legs it closed.
///
/// Nodes that are known to the store may be alive: their legs are left to them, or to [`super::nodes::reap`].
pub(super) async fn recover(shared: &Arc<Shared>) -> Result<usize, EngineError> {
    shared.ports.nodes.renew(shared.node).await?;
    Ok(close_orphans(shared).await?)
}

/// Closes every leg whose node the store does not know any more, as interrupted and with the text that is stored, and
/// gives how many. Those that were released are taken over instead.
pub(super) async fn close_orphans(shared: &Arc<Shared>) -> Result<usize, StoreError> {
    let open = shared.ports.runs.list_orphans(&[shared.node]).await?;
    if open.is_empty() {
        return Ok(0);
    }
    // Read after the legs: a node is known to the store before it opens its first, so one that has joined meanwhile is
    // among them.
    let beats = shared.ports.nodes.renew(shared.node).await?;
    let lives = |node| beats.iter().any(|beat| beat.node == node);
    let orphans = open.into_iter().filter(|leg| !lives(leg.node));
    let closed = stream::iter(orphans.map(|leg| close_or_take_over(shared, leg)))
        .buffer_unordered(AT_ONCE)
        .filter(|closed| std::future::ready(*closed))
        .count()
        .await;
    Ok(closed)
}

/// Says whether this node closed it.
async fn close_or_take_over(shared: &Arc<Shared>, leg: Leg) -> bool {
    let id = leg.id;
    let is_released = leg.node == NodeId::NOBODY;
    let done = if is_released && leg.status != RunStatus::Cancelling && is_fresh(shared, &leg) {
        handover::take_over(shared, id).await.map(|()| false)
    } else {
        close_orphan(shared, leg).await
    };
    done.unwrap_or_else(|error| {
        // One leg that cannot be read must not keep the server down; it stays as it is until the next look.
        tracing::error!(error = &error as &dyn std::error::Error, leg = %id, "an orphan cannot be closed");
        false
    })
}

/// Whether anyone still waits for this leg's answer: one that was released when all nodes ended is not begun days later.
fn is_fresh(shared: &Shared, leg: &Leg) -> bool {
    let age_ms = shared.ports.clock.now_ms().saturating_sub(leg.opened_at_ms);
    u64::try_from(age_ms).is_ok_and(|age| u128::from(age) < shared.settings.max_leg.as_millis())
}

/// Closes the legs of this node that it does not work on: the store took a send whose sender was told that it did not,
/// because its answer was lost. Gives those that are to be looked at again.
///
/// `before` are those of the look before this one: a leg that is missing twice is not just being registered.
pub(super) async fn close_forgotten(
    shared: &Arc<Shared>,
    before: &HashSet<LegId>,
) -> Result<HashSet<LegId>, StoreError> {
    let others: Vec<NodeId> = shared.company.borrow().others(shared.node);
    let mut forgotten = HashSet::new();
    for leg in shared.ports.runs.list_orphans(&others).await? {
        if leg.node != shared.node || shared.live.find(leg.id).is_some() {
            continue;
        }
        let id = leg.id;
        if before.contains(&id) {
            tracing::warn!(leg = %id, "closing a leg that this node does not know of: its send was answered as failed");
            close_orphan(shared, leg).await?;
        } else {
            forgotten.insert(id);
        }
    }
    Ok(forgotten)
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
    let prior = prior_of(shared, &leg).await?;
    let (live, last) = relive(shared, leg, prior, stored);
    let writer = Writer::new(shared, &live);
    let was_stopped = live.leg.status == RunStatus::Cancelling;
    let end_as = if was_stopped {
        End::interrupted_stop()
    } else {
        End::failed(RunError::Interrupted)
    };
    Ok(end(writer, last, end_as).await == Some(Closed::Done))
}

/// A leg as its log has it so far, and the number of its last event.
pub(super) fn relive(
    shared: &Shared,
    leg: Leg,
    prior: Prior,
    stored: Vec<RunEvent>,
) -> (Arc<LiveLeg>, u32) {
    let log = shared.new_log(&leg);
    let mut last = 0;
    let mut shown = 0;
    let mut stored = stored;
    if stored.last().is_some_and(|event| !event.kind.is_closing())
        && let Some(asked) = stored
            .iter()
            .position(|event| event.kind.comes_with_pause())
    {
        // The run was about to wait, and nobody was asked yet.
        stored.truncate(asked);
    }
    if stored.is_empty() {
        last = log.push(leg.opened_at_ms, send::opening_event(&leg), None);
        shown = last;
    }
    let mut is_hidden = false;
    for event in stored {
        // A close that was flushed and not stored may yet be another one, and then nobody is asked for consent.
        is_hidden |= event.kind.is_closing() || event.kind.comes_with_pause();
        last = log.push(event.at_ms, event.kind, event.raw);
        if !is_hidden {
            shown = last;
        }
    }
    let live = Arc::new(LiveLeg::new(leg, log, prior));
    live.log.show(shown);
    (live, last)
}

/// Closes a leg of this node whose task is gone, as failed.
pub(super) async fn close_live(shared: &Shared, live: &Arc<LiveLeg>, error: RunError) {
    let writer = Writer::new(shared, live);
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

/// What the legs before this one made of their run.
pub(super) async fn prior_of(shared: &Shared, leg: &Leg) -> Result<Prior, StoreError> {
    if leg.index == 0 {
        return Ok(Prior::default());
    }
    let message = shared.ports.messages.find_message(leg.message).await?;
    let Some(mut body) = message.map(|message| message.body) else {
        return Ok(Prior::default());
    };
    body.parts.retain(|part| part.leg != Some(leg.id));
    Ok(Prior {
        parts: body.parts,
        usage: body.usage,
    })
}

//! A leg whose upstream has said nothing yet goes from a node that ends to one that stays.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{Shared, live::LiveLeg, recover, send, title, writer::End};
use crate::{
    id::{ConversationId, LegId},
    message::{NewMessage, Role},
    ports::{Closed, MessageQuery, StoreError, Wanted},
    run::{RunError, RunStatus},
};

/// A leg's events have this long to become durable before it is given up; otherwise it ends here.
const COMMIT_WAIT: Duration = Duration::from_secs(5);

/// Gives a leg up to whichever node takes it; or says how it ends because it could not.
///
/// Its task must have ended. All its events are made durable first, so that the other node goes on after them.
pub(super) async fn give_away(shared: &Shared, live: &Arc<LiveLeg>, last: u32) -> Result<(), End> {
    let interrupted = Err(End::failed(RunError::Interrupted));
    // A flusher that waits for the store is not waited for: the node is about to end.
    match timeout(COMMIT_WAIT, shared.flusher.commit(&live.log, last)).await {
        Ok(true) => {}
        Ok(false) | Err(_) => return interrupted,
    }
    let leg = &live.leg;
    let released = shared.ports.runs.release_leg(leg.id, leg.epoch).await;
    match &released {
        Ok(Closed::Done) => {}
        // It may have been released all the same, by a call whose answer was lost; and taken, since then.
        Ok(Closed::Lost) | Err(_) => match shared.ports.runs.find_leg(leg.id).await {
            Ok(Some(found)) if found.node != shared.node => {}
            Ok(Some(found)) if found.status == RunStatus::Cancelling => {
                return Err(End::CANCELLED);
            }
            Ok(_) | Err(_) => {
                if let Err(error) = &released {
                    tracing::warn!(error = error as &dyn std::error::Error, leg = %leg.id, "a leg cannot be left to another node");
                }
                return interrupted;
            }
        },
    }
    shared.live.remove(leg.id);
    live.log.give_away();
    tracing::info!(leg = %leg.id, "a leg is left to another node");
    Ok(())
}

/// Takes over a leg that was released, unless another node is faster, and sets it to work.
pub(super) async fn take_over(shared: &Arc<Shared>, id: LegId) -> Result<(), StoreError> {
    if shared.draining.is_cancelled() {
        return Ok(());
    }
    let Some(leg) = shared.ports.runs.claim_leg(id, shared.node).await? else {
        return Ok(());
    };
    if shared.draining.is_cancelled() {
        // This node ends as well: whatever comes of it, a later look finds the leg.
        let _given_back = shared.ports.runs.release_leg(id, leg.epoch).await?;
        return Ok(());
    }
    let stored = shared.ports.run_log.read(id, 0, u32::MAX).await?;
    let durable = stored.last().map_or(0, |event| event.n);
    let prior = recover::prior_of(shared, &leg).await?;
    let (live, _last) = recover::relive(shared, leg, prior, stored);
    live.log.flushed(durable);
    shared.live.insert(&live);
    shared.flusher.note(&live.log, 0);
    let title = match first_of(shared, live.leg.conversation, live.leg.message_seq).await {
        Ok(Some(first)) => title::begin(shared, &live.leg, &[first]),
        // An answer without a title is better than none.
        Ok(None) | Err(_) => None,
    };
    tracing::info!(leg = %id, "took over a leg that another node left");
    send::start(
        shared,
        live,
        send::Start {
            title,
            ..send::Start::default()
        },
    );
    Ok(())
}

/// The message that a new conversation began with, if it has no title yet: the title was to be made by the node that is
/// gone.
async fn first_of(
    shared: &Shared,
    conversation: ConversationId,
    before: u64,
) -> Result<Option<NewMessage>, StoreError> {
    let found = shared
        .ports
        .conversations
        .find_conversation(conversation)
        .await?;
    if found.is_none_or(|found| found.title.is_some()) {
        return Ok(None);
    }
    let query = MessageQuery {
        conversation,
        wanted: Wanted::Before(before),
        limit: 2,
    };
    let page = shared.ports.messages.list_messages(query).await?;
    let mut messages = page.messages.into_iter();
    Ok(match (messages.next(), messages.next()) {
        (Some(first), None) if first.role == Role::User => Some(NewMessage {
            id: first.id,
            role: first.role,
            body: first.body,
        }),
        _ => None,
    })
}

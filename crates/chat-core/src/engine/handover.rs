//! A leg whose upstream has said nothing yet goes from a node that ends to one that stays.

use std::sync::Arc;

use super::{Shared, live::LiveLeg, recover, send, title};
use crate::{
    id::{ConversationId, LegId},
    message::{NewMessage, Role},
    ports::{Closed, MessageQuery, StoreError, Wanted},
};

/// Gives a leg up to whichever node takes it, and says whether it could: not when it was closed, or is to stop.
///
/// Its task must have ended. All its events are made durable first, so that the other node goes on after them.
pub(super) async fn give_away(shared: &Shared, live: &Arc<LiveLeg>, last: u32) -> bool {
    if !shared.flusher.commit(&live.log, last).await {
        return false;
    }
    let leg = &live.leg;
    match shared.ports.runs.release_leg(leg.id, leg.epoch).await {
        Ok(Closed::Done) => {
            shared.live.remove(leg.id);
            live.log.give_away();
            tracing::info!(leg = %leg.id, "a leg is left to another node");
            true
        }
        Ok(Closed::Lost) => false,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, leg = %leg.id, "a leg cannot be left to another node");
            false
        }
    }
}

/// Takes over a leg that was released, unless another node is faster, and sets it to work.
pub(super) async fn take_over(shared: &Arc<Shared>, id: LegId) -> Result<(), StoreError> {
    if shared.draining.is_cancelled() {
        return Ok(());
    }
    let Some(leg) = shared.ports.runs.claim_leg(id, shared.node).await? else {
        return Ok(());
    };
    let stored = shared.ports.run_log.read(id, 0, u32::MAX).await?;
    let durable = stored.last().map_or(0, |event| event.n);
    let (live, _last) = recover::relive(shared, leg, stored);
    live.log.flushed(durable);
    shared.live.insert(&live);
    shared.flusher.note(&live.log, 0);
    let title = match first_of(shared, live.leg.conversation, live.leg.message_seq).await? {
        Some(first) => title::begin(shared, &live.leg, &[first]),
        None => None,
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

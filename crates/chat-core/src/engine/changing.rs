//! Changing and deleting what is stored.

use super::{Engine, Shared};
use crate::{
    access::{Action, Owner},
    conversation::Conversation,
    error::EngineError,
    id::{ConversationId, MessageId},
    message::Rating,
    ports::{ConversationChange, DroppedLeg, HistoryCursor, HistoryQuery},
    run::StopCause,
};

/// So many conversations are listed at a time to be deleted.
const PAGE: u32 = 100;

impl Engine {
    /// Changes a conversation's title or who may read it, and gives it as it is now.
    pub async fn change(
        &self,
        caller: &Owner,
        id: ConversationId,
        change: ConversationChange,
    ) -> Result<Conversation, EngineError> {
        self.0.checked(caller, id, Action::Write).await?;
        let conversations = &self.0.ports.conversations;
        let changed = conversations.change_conversation(id, change).await?;
        changed.ok_or(GONE)
    }

    /// Keeps what the conversation's owner thinks of a message, in the place of what they thought before.
    pub async fn rate(
        &self,
        caller: &Owner,
        conversation: ConversationId,
        message: MessageId,
        rating: Rating,
    ) -> Result<(), EngineError> {
        self.0.checked(caller, conversation, Action::Write).await?;
        let messages = &self.0.ports.messages;
        if messages.rate_message(conversation, message, rating).await? {
            Ok(())
        } else {
            Err(EngineError::NotFound { what: "message" })
        }
    }

    /// Deletes a conversation with all it holds and gives it as it was. An active run is stopped and nothing of it kept.
    ///
    /// Like [`Engine::send`] it is carried out to its end also when its caller goes away.
    pub async fn delete(
        &self,
        caller: &Owner,
        conversation: ConversationId,
    ) -> Result<Conversation, EngineError> {
        let (engine, caller) = (self.clone(), caller.clone());
        self.carry_out(async move {
            let shared = &engine.0;
            let _turn = shared.turns.take(conversation).await;
            shared.checked(&caller, conversation, Action::Write).await?;
            delete(shared, conversation).await?.ok_or(GONE)
        })
        .await
    }

    /// Deletes a stored message and all after it, and gives how many messages that were. A run that writes one of them, or
    /// waits with it, is gone as well, and nothing of it kept.
    ///
    /// Like [`Engine::send`] it is carried out to its end also when its caller goes away.
    pub async fn delete_from(
        &self,
        caller: &Owner,
        message: MessageId,
    ) -> Result<u64, EngineError> {
        let (engine, caller) = (self.clone(), caller.clone());
        self.carry_out(async move {
            let shared = &engine.0;
            let missing = || EngineError::NotFound { what: "message" };
            let found = shared.ports.messages.find_message(message).await?;
            let conversation = found.ok_or_else(missing)?.conversation;
            let _turn = shared.turns.take(conversation).await;
            shared.checked(&caller, conversation, Action::Write).await?;
            let cut = shared
                .ports
                .conversations
                .cut(conversation, message)
                .await?;
            let cut = cut.ok_or_else(missing)?;
            tell_dropped(shared, &cut.dropped);
            Ok(cut.messages)
        })
        .await
    }

    /// Deletes all conversations of the caller's own that were made before this call, one after the other, and gives how
    /// many those were.
    ///
    /// Like [`Engine::send`] it is carried out to its end also when its caller goes away. What a failing store leaves is
    /// deleted by calling again.
    pub async fn delete_all(&self, caller: &Owner) -> Result<u64, EngineError> {
        let (engine, owner) = (self.clone(), caller.clone());
        self.carry_out(async move {
            let shared = &engine.0;
            let called_at_ms = shared.ports.clock.now_ms();
            let mut cursor = HistoryCursor::Newest;
            let mut deleted = 0;
            loop {
                let query = HistoryQuery {
                    owner: owner.clone(),
                    cursor,
                    limit: PAGE,
                };
                let page = shared.ports.conversations.list_conversations(query).await?;
                for conversation in page.conversations {
                    cursor = HistoryCursor::OlderThan(conversation.created_at_ms, conversation.id);
                    if conversation.created_at_ms > called_at_ms {
                        continue;
                    }
                    let _turn = shared.turns.take(conversation.id).await;
                    deleted += u64::from(delete(shared, conversation.id).await?.is_some());
                }
                if !page.more {
                    return Ok(deleted);
                }
            }
        })
        .await
    }
}

const GONE: EngineError = EngineError::NotFound {
    what: "conversation",
};

async fn delete(
    shared: &Shared,
    conversation: ConversationId,
) -> Result<Option<Conversation>, EngineError> {
    let conversations = &shared.ports.conversations;
    let deleted = conversations.delete_conversation(conversation).await?;
    Ok(deleted.map(|deleted| {
        tell_dropped(shared, &deleted.dropped);
        deleted.conversation
    }))
}

fn tell_dropped(shared: &Shared, dropped: &[DroppedLeg]) {
    for dropped in dropped {
        shared.tell(dropped.leg, StopCause::Dropped);
    }
}

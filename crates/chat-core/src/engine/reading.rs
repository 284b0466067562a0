//! What the engine tells of conversations, messages and legs.

use super::{Engine, watch};
use crate::{
    access::{Action, Owner},
    conversation::Conversation,
    error::EngineError,
    id::{ConversationId, MessageId},
    message::{Message, MessageStatus, Rating},
    ports::{
        HistoryPage, HistoryQuery, MessagePage, MessageQuery, SearchHit, SearchQuery, Signal,
        Wanted,
    },
    run::Leg,
};

impl Engine {
    /// The leg that was opened last in a conversation, or `None` if it has none.
    pub async fn newest_leg(
        &self,
        caller: &Owner,
        conversation: ConversationId,
    ) -> Result<Option<Leg>, EngineError> {
        self.0.checked(caller, conversation, Action::Read).await?;
        Ok(self.0.ports.runs.newest_leg(conversation).await?)
    }

    /// The newest leg of a conversation if it is open, else the next one that is opened; waits until there is one, or
    /// until the node is told to stop.
    pub async fn next_leg(
        &self,
        caller: &Owner,
        conversation: ConversationId,
    ) -> Result<Leg, EngineError> {
        let mut signals = self.0.ports.signals.subscribe();
        let newest = self.newest_leg(caller, conversation).await?;
        let known = newest
            .as_ref()
            .filter(|leg| leg.closed_at_ms.is_some())
            .map(|leg| leg.id);
        let mut newest = newest;
        loop {
            // One that was opened and closed between two looks is new all the same.
            if let Some(leg) = newest.filter(|leg| Some(leg.id) != known) {
                return Ok(leg);
            }
            let rung = watch::ring_or_time(&mut signals, |signal| {
                signal == Signal::SlotTaken(conversation)
            });
            tokio::select! {
                biased;
                () = self.0.draining.cancelled() => return Err(EngineError::Unavailable),
                () = rung => {}
            }
            newest = self.newest_leg(caller, conversation).await?;
        }
    }

    /// The conversation, if the caller may read it.
    pub async fn conversation(
        &self,
        caller: &Owner,
        id: ConversationId,
    ) -> Result<Conversation, EngineError> {
        self.0.checked(caller, id, Action::Read).await
    }

    /// The conversation, if the caller owns it. One that belongs to another is not found, public or not.
    pub async fn own_conversation(
        &self,
        caller: &Owner,
        id: ConversationId,
    ) -> Result<Conversation, EngineError> {
        match self.0.checked(caller, id, Action::Write).await {
            Err(EngineError::Forbidden) => Err(EngineError::NotFound {
                what: "conversation",
            }),
            checked => checked,
        }
    }

    /// A page of an owner's own conversations, newest first.
    pub async fn conversations(&self, query: HistoryQuery) -> Result<HistoryPage, EngineError> {
        Ok(self.0.ports.conversations.list_conversations(query).await?)
    }

    /// A page of a conversation's stored messages. A message in progress is not among them, nor is the record of an
    /// answer that is still being written; but one that goes on after its reader answered a call is, as it is stored: its
    /// stream begins after that call, so that a page needs what came before. A dialect shows it as it was then.
    pub async fn messages(
        &self,
        caller: &Owner,
        conversation: ConversationId,
        wanted: Wanted,
        limit: u32,
    ) -> Result<MessagePage, EngineError> {
        self.0.checked(caller, conversation, Action::Read).await?;
        let query = MessageQuery {
            conversation,
            wanted,
            limit,
        };
        let mut page = self.0.ports.messages.list_messages(query).await?;
        page.messages.retain(is_shown);
        Ok(page)
    }

    /// The owner's own messages that hold every word of the text, newest first.
    pub async fn search(&self, query: SearchQuery) -> Result<Vec<SearchHit>, EngineError> {
        let mut hits = self.0.ports.messages.search_messages(query).await?;
        hits.retain(|hit| is_shown(&hit.message));
        Ok(hits)
    }

    /// What a conversation's owner thought of its messages, in the messages' order. Nobody else is told.
    pub async fn ratings(
        &self,
        caller: &Owner,
        conversation: ConversationId,
    ) -> Result<Vec<(MessageId, Rating)>, EngineError> {
        self.0.checked(caller, conversation, Action::Write).await?;
        Ok(self.0.ports.messages.list_ratings(conversation).await?)
    }
}

/// Whether readers get it: not while it is being written or waits, unless it goes on after an answered call.
fn is_shown(message: &Message) -> bool {
    message.body.status != MessageStatus::InProgress || goes_on(message)
}

/// Whether a message's reader has answered a call in it.
fn goes_on(message: &Message) -> bool {
    message.body.parts.iter().any(|part| {
        let approval = part
            .content
            .as_call()
            .and_then(|call| call.approval.as_ref());
        approval.is_some_and(|approval| approval.approved.is_some())
    })
}

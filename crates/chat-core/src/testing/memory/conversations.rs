use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    conversation::Conversation,
    id::{ConversationId, MessageId},
    message::Role,
    ports::{
        ConversationChange, Conversations, Cut, Deleted, HistoryCursor, HistoryPage, HistoryQuery,
        OpenLeg, Opened, PinScope, ResumeRun, Resumed, StoreError,
    },
};

#[async_trait]
impl Conversations for MemoryStore {
    async fn open_leg(&self, open: OpenLeg) -> Result<Opened, StoreError> {
        let mut state = self.lock();
        let key = open.key.clone().map(|key| (open.caller.clone(), key));
        if let Some(first) = key.as_ref().and_then(|key| state.keys.get(key)) {
            return Ok(Opened::Repeated(*first));
        }
        let cut = open
            .cut_from
            .and_then(|id| state.message_of(open.conversation, id))
            .filter(|message| message.role == Role::User)
            .map(|message| message.seq);
        if let Some(refusal) = state.refuses(&open, cut) {
            return Ok(Opened::Refused(refusal));
        }
        let fresh = state.open(open, cut, key);
        Ok(Opened::Fresh(Box::new(fresh)))
    }

    async fn resume_run(&self, resume: ResumeRun) -> Result<Resumed, StoreError> {
        Ok(self.lock().resume(resume))
    }

    async fn cut(
        &self,
        conversation: ConversationId,
        from: MessageId,
    ) -> Result<Option<Cut>, StoreError> {
        let mut state = self.lock();
        let Some(seq) = state
            .message_of(conversation, from)
            .map(|message| message.seq)
        else {
            return Ok(None);
        };
        let before = state.messages.len();
        let dropped = state.cut(conversation, seq);
        if let Some(row) = state.conversations.get_mut(&conversation) {
            row.epoch += 1;
        }
        let messages = before - state.messages.len();
        Ok(Some(Cut {
            messages: u64::try_from(messages).unwrap_or(u64::MAX),
            dropped,
        }))
    }

    async fn change_conversation(
        &self,
        id: ConversationId,
        change: ConversationChange,
    ) -> Result<Option<Conversation>, StoreError> {
        let mut state = self.lock();
        let Some(row) = state.conversations.get_mut(&id) else {
            return Ok(None);
        };
        let conversation = &mut row.conversation;
        if let Some(title) = change.title {
            conversation.title = Some(title);
        }
        if let Some(visibility) = change.visibility {
            conversation.visibility = visibility;
        }
        Ok(Some(conversation.clone()))
    }

    async fn find_conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        Ok(self
            .lock()
            .conversations
            .get(&id)
            .map(|row| row.conversation.clone()))
    }

    async fn list_conversations(&self, query: HistoryQuery) -> Result<HistoryPage, StoreError> {
        let place = |conversation: &Conversation| (conversation.created_at_ms, conversation.id);
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut found: Vec<Conversation> = self
            .lock()
            .conversations
            .values()
            .map(|row| row.conversation.clone())
            .filter(|conversation| conversation.owner == query.owner)
            .filter(|conversation| match query.cursor {
                HistoryCursor::Newest => true,
                HistoryCursor::OlderThan(at, id) => place(conversation) < (at, id),
                HistoryCursor::NewerThan(at, id) => place(conversation) > (at, id),
            })
            .collect();
        found.sort_by_key(|conversation| std::cmp::Reverse(place(conversation)));
        let more = found.len() > limit;
        found.truncate(limit);
        Ok(HistoryPage {
            conversations: found,
            more,
        })
    }

    async fn retitle(
        &self,
        id: ConversationId,
        was: Option<&str>,
        title: &str,
    ) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let row = state
            .conversations
            .get_mut(&id)
            .filter(|row| row.conversation.title.as_deref() == was);
        Ok(row.is_some_and(|row| {
            row.conversation.title = Some(title.to_owned());
            true
        }))
    }

    async fn delete_conversation(&self, id: ConversationId) -> Result<Option<Deleted>, StoreError> {
        let mut state = self.lock();
        let Some(row) = state.conversations.remove(&id) else {
            return Ok(None);
        };
        let dropped = state.cut(id, 0);
        state
            .pins
            .retain(|pin| pin.scope != PinScope::Conversation(id));
        state.keys.retain(|_, first| first.conversation != id);
        Ok(Some(Deleted {
            conversation: row.conversation,
            dropped,
        }))
    }
}

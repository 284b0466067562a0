use async_trait::async_trait;

use super::MemoryStore;
use crate::{
    access::Owner,
    id::ConversationId,
    ports::{Notes, Pin, PinScope, StoreError, Summary},
};

#[async_trait]
impl Notes for MemoryStore {
    async fn find_summary(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<Summary>, StoreError> {
        Ok(self.lock().summaries.get(&conversation).cloned())
    }

    async fn store_summary(
        &self,
        conversation: ConversationId,
        was: Option<u64>,
        summary: Summary,
    ) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let stored = state.summaries.get(&conversation);
        let is_as_read = stored.map(|summary| summary.covers_upto) == was;
        let stores = is_as_read && state.conversations.contains_key(&conversation);
        if stores {
            state.summaries.insert(conversation, summary);
        }
        Ok(stores)
    }

    async fn list_pins(
        &self,
        owner: &Owner,
        conversation: Option<ConversationId>,
        limit: u32,
    ) -> Result<Vec<Pin>, StoreError> {
        let state = self.lock();
        let of = |scope: &PinScope| {
            let mut pins: Vec<Pin> = state
                .pins
                .iter()
                .filter(|pin| pin.scope == *scope)
                .cloned()
                .collect();
            pins.sort_by_key(|pin| (pin.created_at_ms, pin.id));
            pins
        };
        let mut pins = of(&PinScope::Owner(owner.clone()));
        if let Some(conversation) = conversation {
            pins.extend(of(&PinScope::Conversation(conversation)));
        }
        pins.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(pins)
    }

    async fn insert_pin(&self, pin: Pin) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let has_place = match &pin.scope {
            PinScope::Owner(_) => true,
            PinScope::Conversation(id) => state.conversations.contains_key(id),
        };
        let stores = has_place && state.pins.iter().all(|other| other.id != pin.id);
        if stores {
            state.pins.push(pin);
        }
        Ok(stores)
    }
}

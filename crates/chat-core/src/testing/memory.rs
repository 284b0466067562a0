mod nodes;
mod notes;
mod run_log;
mod runs;
mod waiting;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    access::Owner,
    conversation::{Conversation, NewConversation, Origin},
    event::RunEvent,
    id::{ConversationId, LegId, MessageId, NodeId, RunId},
    message::{Message, Rating, Role},
    ports::{
        ConversationChange, Conversations, Cut, Deleted, DroppedLeg, FreshLeg, HistoryCursor,
        HistoryPage, HistoryQuery, IdempotencyKey, LegRef, MessagePage, MessageQuery, Messages,
        OpenLeg, Opened, Pin, PinScope, Policy, Predecessor, Quota, Refusal, ResumeRun, Resumed,
        SearchHit, SearchQuery, StoreError, Summary, Wanted,
    },
    run::{Leg, RunStatus},
    terms,
};

/// A store in memory. Clones are the same store; what it holds survives an engine's end, as a real one's would.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    conversations: HashMap<ConversationId, ConversationRow>,
    messages: HashMap<MessageId, Message>,
    runs: HashMap<RunId, RunRow>,
    legs: HashMap<LegId, LegRow>,
    keys: HashMap<(Owner, IdempotencyKey), LegRef>,
    summaries: HashMap<ConversationId, Summary>,
    pins: Vec<Pin>,
    ratings: HashMap<MessageId, Rating>,
    nodes: BTreeMap<NodeId, u64>,
    opened: u64,
}

#[derive(Debug)]
struct ConversationRow {
    conversation: Conversation,
    next_seq: u64,
    epoch: u64,
    /// The run that holds the conversation.
    slot: Option<RunId>,
}

impl ConversationRow {
    fn new(
        id: ConversationId,
        owner: &Owner,
        new: Option<NewConversation>,
        created_at_ms: i64,
    ) -> Self {
        Self {
            conversation: Conversation {
                id,
                owner: owner.clone(),
                visibility: new.as_ref().map(|new| new.visibility).unwrap_or_default(),
                origin: new.as_ref().map_or(Origin::AiSdk, |new| new.origin),
                title: new.and_then(|new| new.title),
                created_at_ms,
            },
            next_seq: 1,
            epoch: 0,
            slot: None,
        }
    }

    fn take_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq - 1
    }
}

#[derive(Debug)]
struct RunRow {
    status: RunStatus,
    /// When it expires; only while it waits for its client.
    expires_at_ms: Option<i64>,
}

#[derive(Debug)]
struct LegRow {
    leg: Leg,
    /// Its place among all legs ever opened.
    order: u64,
    log: BTreeMap<u32, RunEvent>,
    seal: Option<Vec<u8>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets which nodes there were, as an embedded store does when its process ends.
    pub fn forget_nodes(&self) {
        self.lock().nodes.clear();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn message_of(&self, conversation: ConversationId, id: MessageId) -> Option<&Message> {
        self.messages
            .get(&id)
            .filter(|message| message.conversation == conversation)
    }

    fn open_leg_of(&self, run: RunId) -> Option<&Leg> {
        self.legs
            .values()
            .map(|row| &row.leg)
            .find(|leg| leg.run == run && leg.closed_at_ms.is_none())
    }

    /// Deletes messages from `seq` on and the runs that answer there.
    fn cut(&mut self, conversation: ConversationId, seq: u64) -> Vec<DroppedLeg> {
        self.messages
            .retain(|_, message| message.conversation != conversation || message.seq < seq);
        let messages = &self.messages;
        self.ratings.retain(|id, _| messages.contains_key(id));
        if self
            .summaries
            .get(&conversation)
            .is_some_and(|summary| summary.covers_upto >= seq)
        {
            self.summaries.remove(&conversation);
        }
        self.drop_legs(|leg| leg.conversation == conversation && leg.message_seq >= seq)
    }

    fn drop_legs(&mut self, gone: impl Fn(&Leg) -> bool) -> Vec<DroppedLeg> {
        let mut rows: Vec<&LegRow> = self.legs.values().filter(|row| gone(&row.leg)).collect();
        rows.sort_by_key(|row| row.order);
        let legs: Vec<Leg> = rows.into_iter().map(|row| row.leg.clone()).collect();
        for leg in &legs {
            self.legs.remove(&leg.id);
            self.runs.remove(&leg.run);
            for row in self.conversations.values_mut() {
                if row.slot == Some(leg.run) {
                    row.slot = None;
                }
            }
        }
        legs.iter()
            .filter(|leg| leg.closed_at_ms.is_none())
            .map(|leg| DroppedLeg {
                leg: leg.id,
                node: leg.node,
            })
            .collect()
    }

    fn refuses(&self, open: &OpenLeg, cut: Option<u64>) -> Option<Refusal> {
        if open
            .quota
            .is_some_and(|quota| self.is_spent(&open.caller, quota))
        {
            return Some(Refusal::QuotaSpent);
        }
        let row = self.conversations.get(&open.conversation);
        match row {
            None if open.create.is_none() => return Some(Refusal::NotFound),
            Some(row) if row.conversation.owner != open.caller => return Some(Refusal::Forbidden),
            None | Some(_) => {}
        }
        let stays = |conversation, seq| {
            conversation != open.conversation || cut.is_none_or(|cut| seq < cut)
        };
        let taken = |id: &MessageId| {
            let stored = self.messages.get(id);
            let awaited = self.legs.values().find(|row| row.leg.message == *id);
            stored.is_some_and(|message| stays(message.conversation, message.seq))
                || awaited.is_some_and(|row| stays(row.leg.conversation, row.leg.message_seq))
        };
        let mut ids: Vec<MessageId> = open.input.iter().map(|message| message.id).collect();
        ids.push(open.answer);
        ids.sort_unstable();
        if ids.iter().any(taken) || ids.windows(2).any(|pair| pair.first() == pair.last()) {
            return Some(Refusal::MessageTaken);
        }
        let holder = row.and_then(|row| row.slot);
        let is_cut = |row: &LegRow| cut.is_some_and(|cut| row.leg.message_seq >= cut);
        let stays = holder.is_some_and(|run| {
            !self
                .legs
                .values()
                .any(|row| row.leg.run == run && is_cut(row))
        });
        match (holder.filter(|_| stays), open.policy) {
            (None, _) => None,
            (Some(_), Policy::Refuse) => Some(Refusal::Busy),
            (Some(run), Policy::Replace) => {
                let paused = self.paused(run)?;
                let named = open.ends.as_ref().map(|end| (end.run, end.leg));
                (named != Some((paused.run, paused.leg))).then_some(Refusal::Paused(paused))
            }
        }
    }

    fn is_spent(&self, caller: &Owner, quota: Quota) -> bool {
        let is_own = |id| {
            let row = self.conversations.get(id);
            row.is_some_and(|row| row.conversation.owner == *caller)
        };
        let sent = self.messages.values().filter(|message| {
            message.role == Role::User
                && message.created_at_ms >= quota.since_ms
                && is_own(&message.conversation)
        });
        u64::try_from(sent.count()).unwrap_or(u64::MAX) > quota.limit
    }

    /// Does what a send asks for, once it was checked.
    fn open(
        &mut self,
        open: OpenLeg,
        cut: Option<u64>,
        key: Option<(Owner, IdempotencyKey)>,
    ) -> FreshLeg {
        let dropped = cut
            .map(|seq| self.cut(open.conversation, seq))
            .unwrap_or_default();
        let holder = self
            .conversations
            .get(&open.conversation)
            .and_then(|row| row.slot);
        let predecessor = holder
            .and_then(|run| self.open_leg_of(run))
            .map(|leg| Predecessor {
                leg: leg.id,
                node: leg.node,
            });
        if predecessor.is_some() {
            if let Some(run) = holder.and_then(|run| self.runs.get_mut(&run)) {
                run.status = RunStatus::Cancelling;
            }
        } else if let (Some(_), Some(end)) = (holder, open.ends) {
            self.end(end);
        }
        let mut created = false;
        let row = self
            .conversations
            .entry(open.conversation)
            .or_insert_with(|| {
                created = true;
                ConversationRow::new(open.conversation, &open.caller, open.create, open.at_ms)
            });
        row.epoch += u64::from(cut.is_some());
        for message in open.input {
            self.messages.insert(
                message.id,
                Message {
                    id: message.id,
                    conversation: open.conversation,
                    seq: row.take_seq(),
                    role: message.role,
                    created_at_ms: open.at_ms,
                    body: message.body,
                },
            );
        }
        let answer_seq = row.take_seq();
        row.slot = Some(open.run);
        let fresh = FreshLeg {
            conversation: row.conversation.clone(),
            created,
            answer_seq,
            epoch: row.epoch,
            predecessor,
            dropped,
        };
        let status = RunStatus::Queued;
        self.runs.insert(
            open.run,
            RunRow {
                status,
                expires_at_ms: None,
            },
        );
        self.opened += 1;
        self.legs.insert(
            open.leg,
            LegRow {
                leg: Leg {
                    id: open.leg,
                    run: open.run,
                    index: 0,
                    conversation: open.conversation,
                    message: open.answer,
                    message_seq: answer_seq,
                    node: open.node,
                    epoch: fresh.epoch,
                    opened_at_ms: open.at_ms,
                    settings: open.settings,
                    echo: open.echo,
                    answers: Vec::new(),
                    status,
                    error: None,
                    closed_at_ms: None,
                },
                order: self.opened,
                log: BTreeMap::new(),
                seal: None,
            },
        );
        if let Some(key) = key {
            let first = LegRef {
                leg: open.leg,
                run: open.run,
                conversation: open.conversation,
            };
            self.keys.insert(key, first);
        }
        fresh
    }

    fn open_row(&mut self, leg: LegId) -> Option<&mut LegRow> {
        self.legs
            .get_mut(&leg)
            .filter(|row| row.leg.closed_at_ms.is_none())
    }

    fn snapshot(&self, row: &LegRow) -> Leg {
        let status = self
            .runs
            .get(&row.leg.run)
            .map_or(row.leg.status, |run| run.status);
        Leg {
            status,
            ..row.leg.clone()
        }
    }

    fn write_answer(&mut self, leg: &Leg, answer: crate::ports::AnswerRecord) {
        if answer.body.parts.is_empty() {
            return;
        }
        let message = self.messages.entry(answer.id).or_insert_with(|| Message {
            id: answer.id,
            conversation: leg.conversation,
            seq: leg.message_seq,
            role: Role::Assistant,
            created_at_ms: answer.created_at_ms,
            body: crate::message::MessageBody::default(),
        });
        message.body = answer.body;
    }
}

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

#[async_trait]
impl Messages for MemoryStore {
    async fn find_message(&self, id: MessageId) -> Result<Option<Message>, StoreError> {
        Ok(self.lock().messages.get(&id).cloned())
    }

    async fn list_messages(&self, query: MessageQuery) -> Result<MessagePage, StoreError> {
        let limit = usize::try_from(query.limit).unwrap_or(usize::MAX);
        let mut messages: Vec<Message> = self
            .lock()
            .messages
            .values()
            .filter(|message| message.conversation == query.conversation)
            .filter(|message| match query.wanted {
                Wanted::After(seq) => message.seq > seq,
                Wanted::Before(seq) => message.seq < seq,
            })
            .cloned()
            .collect();
        messages.sort_by_key(|message| message.seq);
        if matches!(query.wanted, Wanted::Before(_)) {
            messages.reverse();
        }
        let more = messages.len() > limit;
        messages.truncate(limit);
        Ok(MessagePage { messages, more })
    }

    async fn search_messages(&self, query: SearchQuery) -> Result<Vec<SearchHit>, StoreError> {
        let wanted = terms::fold(&query.text);
        let state = self.lock();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let mut hits: Vec<SearchHit> = state
            .messages
            .values()
            .filter_map(|message| {
                let row = state.conversations.get(&message.conversation)?;
                let terms = terms::fold(&message.body.text());
                let found = row.conversation.owner == query.owner
                    && wanted.iter().all(|term| terms.contains(term));
                found.then(|| SearchHit {
                    message: message.clone(),
                    title: row.conversation.title.clone(),
                })
            })
            .collect();
        hits.sort_by_key(|hit| {
            std::cmp::Reverse((hit.message.created_at_ms, hit.message.seq, hit.message.id))
        });
        hits.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
        Ok(hits)
    }

    async fn rate_message(
        &self,
        conversation: ConversationId,
        message: MessageId,
        rating: Rating,
    ) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let is_there = state.message_of(conversation, message).is_some();
        if is_there {
            state.ratings.insert(message, rating);
        }
        Ok(is_there)
    }

    async fn list_ratings(
        &self,
        conversation: ConversationId,
    ) -> Result<Vec<(MessageId, Rating)>, StoreError> {
        let state = self.lock();
        let rated = |message: &Message| Some((message.seq, *state.ratings.get(&message.id)?));
        let mut ratings: Vec<(u64, MessageId, Rating)> = state
            .messages
            .values()
            .filter(|message| message.conversation == conversation)
            .filter_map(|message| rated(message).map(|(seq, rating)| (seq, message.id, rating)))
            .collect();
        ratings.sort_by_key(|(seq, ..)| *seq);
        let pair = |(_, id, rating)| (id, rating);
        Ok(ratings.into_iter().map(pair).collect())
    }
}

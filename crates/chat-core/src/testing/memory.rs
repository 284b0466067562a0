use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;

use crate::{
    access::Owner,
    codec,
    conversation::{Conversation, Origin},
    event::RunEvent,
    id::{ConversationId, LegId, MessageId, NodeId, RunId},
    message::{Message, Role},
    ports::{
        Beat, Checkpoint, CloseLeg, Closed, Conversations, Deleted, DroppedLeg, FreshLeg,
        HistoryCursor, HistoryPage, HistoryQuery, IdempotencyKey, LegRef, LogBatch, MessagePage,
        MessageQuery, Messages, Nodes, Notes, OpenLeg, Opened, Pin, PinScope, Policy, Predecessor,
        Refusal, RunLog, Runs, SearchHit, SearchQuery, Standing, StopAsked, StoreError, Summary,
        Wanted,
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
    fn new(open: &OpenLeg) -> Self {
        let new = open.create.clone();
        Self {
            conversation: Conversation {
                id: open.conversation,
                owner: open.caller.clone(),
                title: new.as_ref().and_then(|new| new.title.clone()),
                visibility: new.as_ref().map(|new| new.visibility).unwrap_or_default(),
                origin: new.map_or(Origin::AiSdk, |new| new.origin),
                created_at_ms: open.at_ms,
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
}

#[derive(Debug)]
struct LegRow {
    leg: Leg,
    /// Its place among all legs ever opened.
    order: u64,
    log: BTreeMap<u32, RunEvent>,
    seal: Option<Vec<u8>>,
}

/// An append that the contract forbids.
#[derive(Debug, thiserror::Error)]
#[error("a batch of leg {leg} begins at {first}, which leaves a gap: its log goes on at {next}")]
struct Gap {
    leg: LegId,
    first: u32,
    next: u32,
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
        (open.policy == Policy::Refuse && stays).then_some(Refusal::Busy)
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
        if let Some(run) = holder.and_then(|run| self.runs.get_mut(&run)) {
            run.status = match predecessor {
                Some(_) => RunStatus::Cancelling,
                None => RunStatus::Cancelled,
            };
        }
        let mut created = false;
        let row = self
            .conversations
            .entry(open.conversation)
            .or_insert_with(|| {
                created = true;
                ConversationRow::new(&open)
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
        self.runs.insert(open.run, RunRow { status });
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
}

#[async_trait]
impl Runs for MemoryStore {
    async fn find_leg(&self, id: LegId) -> Result<Option<Leg>, StoreError> {
        let state = self.lock();
        Ok(state.legs.get(&id).map(|row| state.snapshot(row)))
    }

    async fn newest_leg(&self, conversation: ConversationId) -> Result<Option<Leg>, StoreError> {
        let state = self.lock();
        let newest = state
            .legs
            .values()
            .filter(|row| row.leg.conversation == conversation)
            .max_by_key(|row| row.order);
        Ok(newest.map(|row| state.snapshot(row)))
    }

    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<Closed, StoreError> {
        let mut state = self.lock();
        let Some(leg) = open_with(&state, checkpoint.leg, checkpoint.epoch) else {
            return Ok(Closed::Lost);
        };
        if let Some(run) = state.runs.get_mut(&leg.run)
            && run.status != RunStatus::Cancelling
        {
            run.status = checkpoint.status;
        }
        if let Some(answer) = checkpoint.answer {
            state.write_answer(&leg, answer);
        }
        Ok(Closed::Done)
    }

    async fn close_leg(&self, close: CloseLeg) -> Result<Closed, StoreError> {
        let mut state = self.lock();
        let Some(leg) = open_with(&state, close.leg, close.epoch) else {
            return Ok(Closed::Lost);
        };
        if let Some(row) = state.legs.get_mut(&close.leg) {
            row.leg.closed_at_ms = Some(close.at_ms);
            row.leg.error = close.error;
            row.seal = Some(close.seal);
            row.log.clear();
        }
        if let Some(run) = state.runs.get_mut(&leg.run) {
            run.status = close.status;
        }
        if let Some(row) = state.conversations.get_mut(&leg.conversation)
            && row.slot == Some(leg.run)
            && close.status.is_terminal()
        {
            row.slot = None;
        }
        if let Some(answer) = close.answer {
            state.write_answer(&leg, answer);
        }
        Ok(Closed::Done)
    }

    async fn ask_stop(
        &self,
        conversation: ConversationId,
    ) -> Result<Option<StopAsked>, StoreError> {
        let mut state = self.lock();
        let holder = state
            .conversations
            .get(&conversation)
            .and_then(|row| row.slot);
        let Some(asked) = holder
            .and_then(|run| state.open_leg_of(run))
            .map(|leg| StopAsked {
                leg: leg.id,
                node: leg.node,
            })
        else {
            return Ok(None);
        };
        if let Some(run) = holder.and_then(|run| state.runs.get_mut(&run)) {
            run.status = RunStatus::Cancelling;
        }
        Ok(Some(asked))
    }

    async fn list_orphans(&self, alive: &[NodeId]) -> Result<Vec<Leg>, StoreError> {
        let state = self.lock();
        let mut rows: Vec<&LegRow> = state
            .legs
            .values()
            .filter(|row| row.leg.closed_at_ms.is_none() && !alive.contains(&row.leg.node))
            .collect();
        rows.sort_by_key(|row| row.order);
        Ok(rows.into_iter().map(|row| state.snapshot(row)).collect())
    }

    async fn standing(&self, legs: &[LegId]) -> Result<Vec<Standing>, StoreError> {
        let state = self.lock();
        let standing = |leg: &LegId| match state.legs.get(leg).map(|row| state.snapshot(row)) {
            None => Standing::Gone,
            Some(leg) if leg.closed_at_ms.is_some() => Standing::Closed,
            Some(leg) if leg.status == RunStatus::Cancelling => Standing::Stopping,
            Some(_) => Standing::Open,
        };
        Ok(legs.iter().map(standing).collect())
    }

    async fn release_leg(&self, leg: LegId, epoch: u64) -> Result<Closed, StoreError> {
        let mut state = self.lock();
        let stops = open_with(&state, leg, epoch)
            .and_then(|leg| state.runs.get(&leg.run))
            .is_none_or(|run| run.status == RunStatus::Cancelling);
        let Some(row) = state.open_row(leg).filter(|_| !stops) else {
            return Ok(Closed::Lost);
        };
        row.leg.node = NodeId::NOBODY;
        Ok(Closed::Done)
    }

    async fn claim_leg(&self, leg: LegId, node: NodeId) -> Result<Option<Leg>, StoreError> {
        let mut state = self.lock();
        let Some(row) = state
            .open_row(leg)
            .filter(|row| row.leg.node == NodeId::NOBODY)
        else {
            return Ok(None);
        };
        row.leg.node = node;
        row.leg.epoch += 1;
        Ok(state.legs.get(&leg).map(|row| state.snapshot(row)))
    }
}

#[async_trait]
impl Nodes for MemoryStore {
    async fn renew(&self, node: NodeId) -> Result<Vec<Beat>, StoreError> {
        let mut state = self.lock();
        *state.nodes.entry(node).or_default() += 1;
        let beat = |(&node, &count): (&NodeId, &u64)| Beat { node, count };
        Ok(state.nodes.iter().map(beat).collect())
    }

    async fn bury(&self, silent: Beat) -> Result<bool, StoreError> {
        let mut state = self.lock();
        let is_silent = state.nodes.get(&silent.node) == Some(&silent.count);
        if is_silent {
            state.nodes.remove(&silent.node);
        }
        Ok(is_silent)
    }

    async fn retire(&self, node: NodeId) -> Result<(), StoreError> {
        self.lock().nodes.remove(&node);
        Ok(())
    }
}

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

fn open_with(state: &State, leg: LegId, epoch: u64) -> Option<Leg> {
    let leg = &state.legs.get(&leg)?.leg;
    (leg.closed_at_ms.is_none() && leg.epoch == epoch).then(|| leg.clone())
}

#[async_trait]
impl RunLog for MemoryStore {
    async fn append(&self, batches: Vec<LogBatch>) -> Result<(), StoreError> {
        let mut state = self.lock();
        // All are checked before the first is stored, since a refused append stores nothing.
        let mut next: HashMap<LegId, u32> = HashMap::new();
        for batch in &batches {
            let Some(row) = state.open_row(batch.leg) else {
                continue;
            };
            let next = next.entry(batch.leg).or_insert_with(|| {
                row.log
                    .last_key_value()
                    .map_or(1, |(last, _)| last.saturating_add(1))
            });
            if batch.first > *next {
                return Err(StoreError::Fatal(Box::new(Gap {
                    leg: batch.leg,
                    first: batch.first,
                    next: *next,
                })));
            }
            let length = u32::try_from(batch.events.len()).unwrap_or(u32::MAX);
            *next = batch.first.saturating_add(length).max(*next);
        }
        for batch in batches {
            let Some(row) = state.open_row(batch.leg) else {
                continue;
            };
            for event in batch.events.iter() {
                row.log.entry(event.n).or_insert_with(|| event.clone());
            }
        }
        Ok(())
    }

    async fn read(&self, leg: LegId, after: u32, limit: u32) -> Result<Vec<RunEvent>, StoreError> {
        let state = self.lock();
        let Some(row) = state.legs.get(&leg) else {
            return Ok(Vec::new());
        };
        let events = match &row.seal {
            None => row.log.values().cloned().collect(),
            Some(seal) => codec::decode_seal(seal).map_err(|error| StoreError::Corrupt {
                what: "seal",
                source: Box::new(error),
            })?,
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(events
            .into_iter()
            .filter(|event| event.n > after)
            .take(limit)
            .collect())
    }
}

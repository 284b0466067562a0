mod conversations;
mod messages;
mod nodes;
mod notes;
mod opening;
mod run_log;
mod runs;
mod waiting;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    access::Owner,
    conversation::{Conversation, NewConversation, Origin},
    event::RunEvent,
    id::{ConversationId, LegId, MessageId, NodeId, RunId},
    message::{Message, Rating, Role},
    ports::{DroppedLeg, IdempotencyKey, LegRef, Pin, Summary},
    run::{Leg, RunStatus},
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

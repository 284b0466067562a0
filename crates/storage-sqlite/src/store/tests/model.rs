//! Random sequences of changes, with the store closed and opened between them, against a simple model.

use std::collections::BTreeMap;

use chat_core::{
    access::Owner,
    id::{ConversationId, LegId},
    ports::{
        Checkpoint, CloseLeg, Closed, Conversations as _, DroppedLeg, FreshLeg, OpenLeg, Opened,
        Policy, Predecessor, Refusal, RunLog as _, Runs as _, StopAsked,
    },
    run::RunStatus,
};
use proptest::prelude::*;
use storage_contract::sample;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Open {
        conversation: usize,
        refuse: bool,
        /// Which of the messages that are there to cut from, if any.
        cut: Option<prop::sample::Index>,
    },
    Append {
        leg: prop::sample::Index,
        events: u32,
    },
    Checkpoint {
        leg: prop::sample::Index,
    },
    Close {
        leg: prop::sample::Index,
        pause: bool,
        stale: bool,
    },
    AskStop {
        conversation: usize,
    },
    Delete {
        conversation: usize,
    },
    Reopen,
}

const CONVERSATIONS: usize = 2;

fn step() -> impl Strategy<Value = Step> {
    let leg = any::<prop::sample::Index>;
    let conversation = || 0..CONVERSATIONS;
    prop_oneof![
        8 => (conversation(), prop::bool::weighted(0.2), prop::option::weighted(0.3, leg()))
            .prop_map(|(conversation, refuse, cut)| Step::Open { conversation, refuse, cut }),
        6 => (leg(), 1..5_u32).prop_map(|(leg, events)| Step::Append { leg, events }),
        4 => leg().prop_map(|leg| Step::Checkpoint { leg }),
        8 => (leg(), prop::bool::weighted(0.3), prop::bool::weighted(0.1))
            .prop_map(|(leg, pause, stale)| Step::Close { leg, pause, stale }),
        2 => conversation().prop_map(|conversation| Step::AskStop { conversation }),
        1 => conversation().prop_map(|conversation| Step::Delete { conversation }),
        1 => Just(Step::Reopen),
    ]
}

/// A run with its one leg, as the model has it.
#[derive(Debug)]
struct Run {
    open: OpenLeg,
    leg: FreshLeg,
    status: RunStatus,
    closed: bool,
    holds_slot: bool,
    /// Its conversation or its message was deleted.
    gone: bool,
    events: u32,
}

impl Run {
    fn writable(&self) -> bool {
        !self.closed && !self.gone
    }
}

#[derive(Debug, Default)]
struct Model {
    runs: Vec<Run>,
    /// Messages by conversation and place.
    messages: BTreeMap<(ConversationId, u64), String>,
    /// The next place of each conversation that is there.
    next: BTreeMap<ConversationId, u64>,
}

impl Model {
    fn holder(&mut self, id: ConversationId) -> Option<&mut Run> {
        let mut holders = self
            .runs
            .iter_mut()
            .filter(|run| run.holds_slot && run.open.conversation == id);
        let holder = holders.next();
        assert!(holders.next().is_none(), "two hold the slot");
        holder
    }

    /// Deletes from this place on and gives the open legs among what was deleted.
    fn delete(&mut self, id: ConversationId, from: u64) -> Vec<DroppedLeg> {
        self.messages
            .retain(|(of, seq), _| *of != id || *seq < from);
        let mut dropped = Vec::new();
        for run in &mut self.runs {
            if run.open.conversation == id && run.leg.answer_seq >= from && !run.gone {
                if run.writable() {
                    dropped.push(DroppedLeg {
                        leg: run.open.leg,
                        node: run.open.node,
                    });
                }
                run.gone = true;
                run.holds_slot = false;
            }
        }
        dropped
    }
}

struct Check {
    dir: TempDir,
    store: Option<SqliteStore>,
    model: Model,
    owner: Owner,
    conversations: Vec<ConversationId>,
}

impl Check {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let store = SqliteStore::open(Config::new(dir.path())).unwrap();
        Self {
            dir,
            store: Some(store),
            model: Model::default(),
            owner: sample::owner(),
            conversations: (0..CONVERSATIONS)
                .map(|_| sample::conversation_id())
                .collect(),
        }
    }

    fn store(&self) -> SqliteStore {
        self.store.clone().unwrap()
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Open {
                conversation,
                refuse,
                cut,
            } => {
                self.open(self.conversations[conversation], refuse, cut)
                    .await;
            }
            Step::Append { leg, events } => self.append(leg, events).await,
            Step::Checkpoint { leg } => self.checkpoint(leg).await,
            Step::Close { leg, pause, stale } => self.close(leg, pause, stale).await,
            Step::AskStop { conversation } => {
                self.ask_stop(self.conversations[conversation]).await;
            }
            Step::Delete { conversation } => {
                let id = self.conversations[conversation];
                let deleted = self.store().delete_conversation(id).await.unwrap();
                let there = self.model.next.remove(&id).is_some();
                let dropped = self.model.delete(id, 0);
                assert_eq!(deleted.is_some(), there);
                assert_eq!(deleted.map(|it| it.dropped).unwrap_or_default(), dropped);
            }
            Step::Reopen => {
                self.store = None;
                self.store = Some(SqliteStore::open(Config::new(self.dir.path())).unwrap());
            }
        }
    }

    async fn open(&mut self, id: ConversationId, refuse: bool, cut: Option<prop::sample::Index>) {
        let mut open = sample::send(&self.owner, id, "");
        open.input[0] = sample::input(&format!("question {}", open.leg));
        let mut cut_seq = None;
        let places: Vec<_> = self
            .model
            .messages
            .keys()
            .filter(|(of, _)| *of == id)
            .map(|(_, seq)| *seq)
            .collect();
        if let Some(cut) = cut
            && !places.is_empty()
        {
            let seq = *cut.get(&places);
            // A cut that names an answer cuts nothing.
            let text = &self.model.messages[&(id, seq)];
            cut_seq = text.starts_with("question ").then_some(seq);
            open.cut_from = Some(self.message_id(id, seq).await);
        }
        if refuse {
            open.policy = Policy::Refuse;
        }
        let outcome = self.store().open_leg(open.clone()).await.unwrap();
        let stays = |run: &mut Run| cut_seq.is_none_or(|seq| run.leg.answer_seq < seq);
        if refuse && self.model.holder(id).is_some_and(stays) {
            assert_eq!(outcome, Opened::Refused(Refusal::Busy));
            return;
        }
        let Opened::Fresh(leg) = outcome else {
            panic!("{outcome:?}");
        };
        let dropped = cut_seq.map_or_else(Vec::new, |seq| self.model.delete(id, seq));
        assert_eq!(leg.dropped, dropped);
        let mut predecessor = None;
        if let Some(holder) = self.model.holder(id) {
            holder.holds_slot = false;
            if holder.closed {
                holder.status = RunStatus::Cancelled;
            } else {
                holder.status = RunStatus::Cancelling;
                predecessor = Some(Predecessor {
                    leg: holder.open.leg,
                    node: holder.open.node,
                });
            }
        }
        assert_eq!(leg.predecessor, predecessor);
        assert_eq!(leg.created, !self.model.next.contains_key(&id));
        let next = self.model.next.entry(id).or_insert(1);
        self.model
            .messages
            .insert((id, *next), open.input[0].body.text());
        assert_eq!(leg.answer_seq, *next + 1);
        *next += 2;
        self.model.runs.push(Run {
            open,
            leg: *leg,
            status: RunStatus::Queued,
            closed: false,
            holds_slot: true,
            gone: false,
            events: 0,
        });
    }

    async fn append(&mut self, leg: prop::sample::Index, events: u32) {
        let store = self.store();
        let Some(run) = pick(&mut self.model.runs, leg) else {
            return;
        };
        let batch = sample::deltas(run.events + 1..=run.events + events);
        store
            .append(vec![sample::batch(run.open.leg, &batch)])
            .await
            .unwrap();
        if run.writable() {
            run.events += events;
        }
    }

    async fn checkpoint(&mut self, leg: prop::sample::Index) {
        let store = self.store();
        let Some(run) = pick(&mut self.model.runs, leg) else {
            return;
        };
        let text = format!("half of {}, {} events", run.open.leg, run.events);
        let checkpoint = Checkpoint {
            leg: run.open.leg,
            epoch: run.leg.epoch,
            status: RunStatus::InProgress,
            answer: Some(sample::answer(&run.open, &text)),
        };
        let closed = store.checkpoint(checkpoint).await.unwrap();
        if run.writable() {
            assert_eq!(closed, Closed::Done);
            if run.status != RunStatus::Cancelling {
                run.status = RunStatus::InProgress;
            }
            let place = (run.open.conversation, run.leg.answer_seq);
            self.model.messages.insert(place, text);
        } else {
            assert_eq!(closed, Closed::Lost);
        }
    }

    async fn close(&mut self, leg: prop::sample::Index, pause: bool, stale: bool) {
        let store = self.store();
        let Some(run) = pick(&mut self.model.runs, leg) else {
            return;
        };
        // A run that lost its slot cannot wait for anybody; the engine cancels it.
        let pause = pause && run.holds_slot;
        let text = format!("all of {}", run.open.leg);
        let mut close = sample::close(&run.open, &run.leg, &text);
        if pause {
            close.status = RunStatus::RequiresAction;
        }
        if stale {
            close.epoch += 1;
        }
        let CloseLeg { status, .. } = close;
        let closed = store.close_leg(close).await.unwrap();
        if run.writable() && !stale {
            assert_eq!(closed, Closed::Done);
            run.closed = true;
            run.status = status;
            run.holds_slot &= pause;
            let place = (run.open.conversation, run.leg.answer_seq);
            self.model.messages.insert(place, text);
        } else {
            assert_eq!(closed, Closed::Lost);
        }
    }

    async fn ask_stop(&mut self, id: ConversationId) {
        let asked = self.store().ask_stop(id).await.unwrap();
        let expected = self.model.holder(id).filter(|run| !run.closed).map(|run| {
            run.status = RunStatus::Cancelling;
            StopAsked {
                leg: run.open.leg,
                node: run.open.node,
            }
        });
        assert_eq!(asked, expected);
    }

    async fn message_id(&self, id: ConversationId, seq: u64) -> chat_core::id::MessageId {
        use chat_core::ports::{MessageQuery, Messages as _, Wanted};

        let query = MessageQuery {
            conversation: id,
            wanted: Wanted::After(seq - 1),
            limit: 1,
        };
        self.store().list_messages(query).await.unwrap().messages[0].id
    }

    /// The store is what the model is.
    async fn compare(&self) {
        let store = self.store();
        for id in &self.conversations {
            let expected: Vec<_> = self
                .model
                .messages
                .range((*id, 0)..=(*id, u64::MAX))
                .map(|((_, seq), text)| (*seq, text.clone()))
                .collect();
            assert_eq!(sample::texts(&store, *id).await, expected);
            let newest = self
                .model
                .runs
                .iter()
                .rfind(|run| run.open.conversation == *id && !run.gone)
                .map(|run| run.open.leg);
            let found = store.newest_leg(*id).await.unwrap();
            assert_eq!(found.map(|leg| leg.id), newest);
        }
        for run in &self.model.runs {
            let leg = store.find_leg(run.open.leg).await.unwrap();
            let events = store.read(run.open.leg, 0, 1_000).await.unwrap();
            if run.gone {
                assert_eq!(leg, None);
                assert_eq!(events, []);
                continue;
            }
            let leg = leg.unwrap();
            assert_eq!(leg.status, run.status);
            assert_eq!(leg.closed_at_ms.is_some(), run.closed);
            if run.closed {
                let text = format!("all of {}", run.open.leg);
                assert_eq!(events, sample::events(&run.open, &text));
            } else if run.events == 0 {
                assert_eq!(events, []);
            } else {
                assert_eq!(events, sample::deltas(1..=run.events));
            }
        }
        self.compare_slots(&store).await;
    }

    async fn compare_slots(&self, store: &SqliteStore) {
        let mut holders: Vec<_> = self
            .model
            .runs
            .iter()
            .filter(|run| run.holds_slot)
            .map(|run| run.open.leg)
            .collect();
        let mut stored: Vec<LegId> = store
            .query(|connection| {
                connection
                    .prepare("SELECT l.id FROM leg l JOIN run r ON r.key = l.run WHERE r.slot IS NOT NULL")?
                    .query_and_then([], |row| crate::rows::id(row, 0))?
                    .collect()
            })
            .await
            .unwrap();
        holders.sort_unstable();
        stored.sort_unstable();
        assert_eq!(stored, holders);
        let log_rows: i64 = store
            .query(|connection| {
                Ok(connection.query_row("SELECT count(*) FROM run_log", [], |row| row.get(0))?)
            })
            .await
            .unwrap();
        let logged = self
            .model
            .runs
            .iter()
            .any(|run| run.writable() && run.events > 0);
        assert_eq!(log_rows > 0, logged, "rows are kept exactly while needed");
    }
}

fn pick(runs: &mut [Run], index: prop::sample::Index) -> Option<&mut Run> {
    if runs.is_empty() {
        return None;
    }
    // The latest ones are the interesting ones.
    let first = runs.len().saturating_sub(4);
    let runs = &mut runs[first..];
    let at = index.index(runs.len());
    runs.get_mut(at)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_changes_leaves_what_the_model_has(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        storage_contract::run(async {
            let mut check = Check::new();
            for step in steps {
                check.step(step).await;
                check.compare().await;
            }
        });
    }
}

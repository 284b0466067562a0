//! Random sequences of changes, with the store closed and opened between them, against a simple model.

use std::collections::BTreeMap;

use chat_core::{
    access::Owner,
    id::{ConversationId, LegId, NodeId},
    ports::{
        Checkpoint, CloseLeg, Closed, Conversations as _, Cut, DroppedLeg, EndPaused, FreshLeg,
        OpenLeg, Opened, PausedRun, Policy, Predecessor, Refusal, ResumeRun, Resumed, ResumedLeg,
        RunLog as _, Runs as _, StopAsked,
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
        /// Whether it says how a run that waits ends.
        ends: bool,
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
    EndPaused {
        leg: prop::sample::Index,
        stale: bool,
    },
    Resume {
        leg: prop::sample::Index,
        stale: bool,
    },
    Cut {
        conversation: usize,
        from: prop::sample::Index,
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
        8 => (
            conversation(),
            prop::bool::weighted(0.2),
            prop::bool::weighted(0.6),
            prop::option::weighted(0.3, leg()),
        )
            .prop_map(|(conversation, refuse, ends, cut)| Step::Open {
                conversation,
                refuse,
                ends,
                cut,
            }),
        6 => (leg(), 1..5_u32).prop_map(|(leg, events)| Step::Append { leg, events }),
        4 => leg().prop_map(|leg| Step::Checkpoint { leg }),
        8 => (leg(), prop::bool::weighted(0.3), prop::bool::weighted(0.1))
            .prop_map(|(leg, pause, stale)| Step::Close { leg, pause, stale }),
        2 => conversation().prop_map(|conversation| Step::AskStop { conversation }),
        3 => (leg(), prop::bool::weighted(0.1))
            .prop_map(|(leg, stale)| Step::EndPaused { leg, stale }),
        6 => (leg(), prop::bool::weighted(0.1))
            .prop_map(|(leg, stale)| Step::Resume { leg, stale }),
        2 => (conversation(), leg())
            .prop_map(|(conversation, from)| Step::Cut { conversation, from }),
        1 => conversation().prop_map(|conversation| Step::Delete { conversation }),
        1 => Just(Step::Reopen),
    ]
}

/// A run with its legs, as the model has it.
#[derive(Debug)]
struct Run {
    /// How it was opened, with the id and the node of its newest leg.
    open: OpenLeg,
    /// What came of that, with the epoch of its newest leg.
    leg: FreshLeg,
    /// The newest leg's place in the run.
    index: u32,
    /// The legs before the newest, by how they were closed.
    past: Vec<OpenLeg>,
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

    fn waits(&self) -> bool {
        !self.gone && self.status == RunStatus::RequiresAction
    }

    /// How it would end if it waits.
    fn end(&self) -> EndPaused {
        EndPaused {
            run: self.open.run,
            leg: self.open.leg,
            status: RunStatus::Cancelled,
            body: sample::body(&format!("end of {}", self.open.leg)),
            at_ms: self.open.at_ms + 1_000,
        }
    }

    fn place(&self) -> (ConversationId, u64) {
        (self.open.conversation, self.leg.answer_seq)
    }
}

#[derive(Debug, Default)]
struct Model {
    runs: Vec<Run>,
    /// Messages by conversation and place.
    messages: BTreeMap<(ConversationId, u64), String>,
    /// The next place of each conversation that is there.
    next: BTreeMap<ConversationId, u64>,
    /// How often each of them was sent to, gone on with or cut: its epoch.
    epochs: BTreeMap<ConversationId, u64>,
}

impl Model {
    /// The places of a conversation's messages.
    fn places(&self, id: ConversationId) -> Vec<u64> {
        let places = self.messages.keys().filter(|(of, _)| *of == id);
        places.map(|(_, seq)| *seq).collect()
    }

    fn raise_epoch(&mut self, id: ConversationId) -> u64 {
        let epoch = self.epochs.entry(id).or_default();
        *epoch += 1;
        *epoch
    }

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
                ends,
                cut,
            } => {
                self.open(self.conversations[conversation], refuse, ends, cut)
                    .await;
            }
            Step::EndPaused { leg, stale } => self.end_paused(leg, stale).await,
            Step::Resume { leg, stale } => self.resume(leg, stale).await,
            Step::Cut { conversation, from } => {
                self.cut(self.conversations[conversation], from).await;
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
                self.model.epochs.remove(&id);
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

    async fn open(
        &mut self,
        id: ConversationId,
        refuse: bool,
        ends: bool,
        cut: Option<prop::sample::Index>,
    ) {
        let mut open = sample::send(&self.owner, id, "");
        open.input[0] = sample::input(&format!("question {}", open.leg));
        let mut cut_seq = None;
        let places = self.model.places(id);
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
        if ends {
            open.ends = self.model.holder(id).map(|holder| holder.end());
        }
        let outcome = self.store().open_leg(open.clone()).await.unwrap();
        let stays = |run: &&mut Run| cut_seq.is_none_or(|seq| run.leg.answer_seq < seq);
        if let Some(holder) = self.model.holder(id).filter(stays) {
            let refusal = match (refuse, holder.waits(), ends) {
                (true, _, _) => Some(Refusal::Busy),
                (false, true, false) => Some(Refusal::Paused(PausedRun {
                    conversation: id,
                    run: holder.open.run,
                    leg: holder.open.leg,
                    message: holder.open.answer,
                })),
                (false, true, true) | (false, false, _) => None,
            };
            if let Some(refusal) = refusal {
                assert_eq!(outcome, Opened::Refused(refusal));
                return;
            }
        }
        let Opened::Fresh(leg) = outcome else {
            panic!("{outcome:?}");
        };
        let dropped = cut_seq.map_or_else(Vec::new, |seq| self.model.delete(id, seq));
        assert_eq!(leg.dropped, dropped);
        let mut predecessor = None;
        let mut ended = None;
        if let Some(holder) = self.model.holder(id) {
            holder.holds_slot = false;
            if holder.closed {
                holder.status = RunStatus::Cancelled;
                ended = Some((holder.place(), holder.end().body.text()));
            } else {
                holder.status = RunStatus::Cancelling;
                predecessor = Some(Predecessor {
                    leg: holder.open.leg,
                    node: holder.open.node,
                });
            }
        }
        self.model.messages.extend(ended);
        assert_eq!(leg.predecessor, predecessor);
        assert_eq!(leg.created, !self.model.next.contains_key(&id));
        assert_eq!(leg.epoch, self.model.raise_epoch(id));
        let next = self.model.next.entry(id).or_insert(1);
        self.model
            .messages
            .insert((id, *next), open.input[0].body.text());
        assert_eq!(leg.answer_seq, *next + 1);
        *next += 2;
        self.model.runs.push(Run {
            open,
            leg: *leg,
            index: 0,
            past: Vec::new(),
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
            let place = run.place();
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
        // A run that is to stop does not pause.
        let refused = pause && run.status == RunStatus::Cancelling;
        if run.writable() && !stale && !refused {
            assert_eq!(closed, Closed::Done);
            run.closed = true;
            run.status = status;
            run.holds_slot &= pause;
            let place = run.place();
            self.model.messages.insert(place, text);
        } else {
            assert_eq!(closed, Closed::Lost);
        }
    }

    async fn end_paused(&mut self, leg: prop::sample::Index, stale: bool) {
        let store = self.store();
        let Some(run) = pick(&mut self.model.runs, leg) else {
            return;
        };
        let mut end = run.end();
        if stale {
            end.leg = LegId::new(sample::uuid());
        }
        let text = end.body.text();
        let closed = store.end_paused(end).await.unwrap();
        if run.waits() && !stale {
            assert_eq!(closed, Closed::Done);
            run.status = RunStatus::Cancelled;
            run.holds_slot = false;
            let place = run.place();
            self.model.messages.insert(place, text);
        } else {
            assert_eq!(closed, Closed::Lost);
        }
    }

    async fn resume(&mut self, leg: prop::sample::Index, stale: bool) {
        let store = self.store();
        let holder = pick(&mut self.model.runs, leg).map(|run| run.open.conversation);
        let holder = holder.and_then(|id| self.model.holder(id).map(|run| run.open.run));
        let Some(run) = pick(&mut self.model.runs, leg) else {
            return;
        };
        let next = LegId::new(sample::uuid());
        let text = format!("resumed by {next}");
        let resume = ResumeRun {
            conversation: run.open.conversation,
            caller: run.open.caller.clone(),
            run: run.open.run,
            after: if stale { next } else { run.open.leg },
            leg: next,
            answers: Vec::new(),
            body: sample::body(&text),
            settings: run.open.settings.clone(),
            echo: None,
            node: NodeId::new(sample::uuid()),
            key: None,
            at_ms: run.open.at_ms + 2_000,
        };
        let node = resume.node;
        let outcome = store.resume_run(resume).await.unwrap();
        let is_last =
            self.model.next.get(&run.open.conversation) == Some(&(run.leg.answer_seq + 1));
        let may =
            run.waits() || (run.status == RunStatus::Cancelled && holder.is_none() && is_last);
        if stale || run.gone || !run.closed || !may {
            assert_eq!(outcome, Resumed::Lost);
            return;
        }
        let Resumed::Fresh(resumed) = outcome else {
            panic!("{outcome:?}");
        };
        run.past.push(run.open.clone());
        run.index += 1;
        run.open.leg = next;
        run.open.node = node;
        run.leg.epoch = resumed.epoch;
        run.status = RunStatus::Queued;
        run.closed = false;
        run.holds_slot = true;
        run.events = 0;
        let expected = ResumedLeg {
            index: run.index,
            epoch: resumed.epoch,
            message: run.open.answer,
            message_seq: run.leg.answer_seq,
        };
        assert_eq!(resumed, expected);
        let place = run.place();
        self.model.messages.insert(place, text);
        let epoch = self.model.raise_epoch(place.0);
        assert_eq!(resumed.epoch, epoch);
    }

    async fn cut(&mut self, id: ConversationId, from: prop::sample::Index) {
        let places = self.model.places(id);
        if places.is_empty() {
            return;
        }
        let seq = *from.get(&places);
        let message = self.message_id(id, seq).await;
        let cut = self.store().cut(id, message).await.unwrap();
        let messages = places.iter().filter(|place| **place >= seq).count();
        let expected = Cut {
            messages: u64::try_from(messages).unwrap(),
            dropped: self.model.delete(id, seq),
        };
        assert_eq!(cut, Some(expected));
        self.model.raise_epoch(id);
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
            for past in &run.past {
                let found = store.find_leg(past.leg).await.unwrap();
                assert_eq!(found.is_some(), !run.gone);
                let events = store.read(past.leg, 0, 1_000).await.unwrap();
                if run.gone {
                    assert_eq!(events, []);
                } else {
                    let text = format!("all of {}", past.leg);
                    assert_eq!(events, sample::events(past, &text));
                }
            }
            let leg = store.find_leg(run.open.leg).await.unwrap();
            let events = store.read(run.open.leg, 0, 1_000).await.unwrap();
            if run.gone {
                assert_eq!(leg, None);
                assert_eq!(events, []);
                continue;
            }
            let leg = leg.unwrap();
            assert_eq!((leg.status, leg.index), (run.status, run.index));
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
                    .prepare(
                        "SELECT l.id FROM leg l JOIN run r ON r.key = l.run
                         WHERE r.slot IS NOT NULL AND l.idx = (SELECT max(idx) FROM leg WHERE run = r.key)",
                    )?
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

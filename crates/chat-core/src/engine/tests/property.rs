//! Random interleavings of sends, edits, calls that wait and what is said to them, stops, deletes, readers that come and go, and crashes.
//!
//! Whatever the order: every leg has exactly one closing event, its events are numbered without a gap, the stored text is
//! the events' text, every reader saw what a replay gives, and a conversation's slot is never held by two.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::prelude::*;
use tokio::{
    runtime::{Builder, Runtime},
    task::AbortHandle,
    time::sleep,
};
use uuid::Uuid;

use super::{
    call, calls,
    support::{RunText as _, message, ports, read_all, start},
    tools::Weather,
};
use crate::{
    access::Owner,
    engine::{ApprovalAnswer, Engine, Ports, Resume, Settings},
    event::{EventKind, RunEvent},
    id::{ConversationId, LegId, MessageId, UserId},
    message::Call,
    ports::{MessageQuery, Messages as _, Model, ModelErrorKind, RunLog as _, Runs as _, Wanted},
    run::RunStatus,
    testing::{CountingIds, Line, ManualClock, MemoryStore, ScriptedModel},
};

#[derive(Debug, Clone)]
enum Op {
    /// Sends to a conversation, to be answered by so many words, with a certain end.
    Send {
        to: u8,
        words: u8,
        end: End,
    },
    /// Sends to a conversation, to be answered by a call that needs consent.
    Ask {
        to: u8,
    },
    /// Answers what waits in a conversation, or waited there.
    Answer {
        of: u8,
        approved: bool,
        words: u8,
    },
    /// Lets the time pass in which what waits may be answered.
    Expire,
    /// Deletes from a message of a conversation on.
    Cut {
        of: u8,
        at: u8,
    },
    /// Sends the last message of a conversation again.
    Edit {
        to: u8,
        words: u8,
    },
    Stop {
        of: u8,
    },
    Delete {
        what: u8,
    },
    /// Another reader of the newest leg.
    Watch {
        of: u8,
    },
    /// A reader goes away.
    Disconnect {
        which: u8,
    },
    Wait {
        ms: u8,
    },
    Crash,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Stops,
    Fails,
    Hangs,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let end = prop_oneof![4 => Just(End::Stops), 1 => Just(End::Fails), 2 => Just(End::Hangs)];
    let op = prop_oneof![
        6 => (0..2u8, 0..30u8, end).prop_map(|(to, words, end)| Op::Send { to, words, end }),
        2 => (0..2u8, 0..30u8).prop_map(|(to, words)| Op::Edit { to, words }),
        4 => (0..2u8).prop_map(|to| Op::Ask { to }),
        5 => (0..2u8, any::<bool>(), 0..30u8)
            .prop_map(|(of, approved, words)| Op::Answer { of, approved, words }),
        1 => Just(Op::Expire),
        1 => (0..2u8, any::<u8>()).prop_map(|(of, at)| Op::Cut { of, at }),
        2 => (0..2u8).prop_map(|of| Op::Stop { of }),
        1 => (0..2u8).prop_map(|what| Op::Delete { what }),
        3 => (0..2u8).prop_map(|of| Op::Watch { of }),
        1 => any::<u8>().prop_map(|which| Op::Disconnect { which }),
        6 => any::<u8>().prop_map(|ms| Op::Wait { ms }),
        1 => Just(Op::Crash),
    ];
    prop::collection::vec(op, 1..40)
}

/// A reader: what it saw, and whether it read to the end.
#[derive(Default)]
struct Seen {
    events: Vec<RunEvent>,
    finished: bool,
}

struct Reader {
    leg: LegId,
    seen: Arc<Mutex<Seen>>,
    task: AbortHandle,
}

struct World {
    store: MemoryStore,
    ids: Arc<CountingIds>,
    clock: Arc<ManualClock>,
    tool: Arc<Weather>,
    owner: Owner,
    legs: Vec<LegId>,
    /// What the store had of the legs that were open when a process crashed.
    flushed: Vec<(LegId, Vec<RunEvent>)>,
    readers: Vec<Reader>,
    next_message: u128,
    last_message: HashMap<u8, u128>,
}

fn conversation(number: u8) -> ConversationId {
    ConversationId::new(Uuid::from_u128(500 + u128::from(number)))
}

fn script(words: u8, end: End) -> Vec<Line> {
    let mut script = Vec::new();
    for word in 0..words {
        script.push(Line::text(&format!("w{word} ")));
        script.push(Line::Pause(Duration::from_millis(u64::from(word % 7) * 5)));
    }
    script.push(match end {
        End::Stops => Line::stop(),
        End::Fails => Line::Fail(ModelErrorKind::Broken),
        End::Hangs => Line::Hang,
    });
    script
}

fn asks() -> Vec<Line> {
    let mut script = vec![Line::text("May I? ")];
    script.extend(calls([call(0, "weather", "{}")]));
    script
}

impl World {
    async fn send(&mut self, engine: &Engine, to: u8, id: u128) {
        let mut send = message(&self.owner, conversation(to), id, "question");
        send.settings.consent = vec!["weather".to_owned()];
        let sent = engine.send(send).await.unwrap();
        self.legs.push(sent.leg.id);
        self.read(engine, sent.leg.id);
    }

    /// Answers each call of the last message that waits.
    async fn answer(&mut self, engine: &Engine, of: u8, approved: bool) {
        let Some(newest) = self.store.newest_leg(conversation(of)).await.unwrap() else {
            return;
        };
        let stored = self.store.find_message(newest.message).await.unwrap();
        let parts = stored.map_or_else(Vec::new, |message| message.body.parts);
        let calls = parts.iter().filter_map(|part| part.content.as_call());
        let waits = calls.clone().any(Call::waits_for_consent);
        let resume = Resume {
            caller: self.owner.clone(),
            conversation: conversation(of),
            message: newest.message,
            answers: calls
                .map(|call| ApprovalAnswer {
                    call_id: call.call_id.clone(),
                    approved,
                    reason: None,
                })
                .collect(),
            settings: newest.settings,
            echo: None,
            key: None,
        };
        let (one, other) = tokio::join!(engine.resume(resume.clone()), engine.resume(resume));
        let opened: Vec<LegId> = [one, other]
            .into_iter()
            .filter_map(|sent| Some(sent.ok()?.leg.id))
            .collect();
        assert!(opened.len() <= usize::from(waits), "one answer counts");
        for leg in opened {
            self.legs.push(leg);
            self.read(engine, leg);
        }
    }

    /// Deletes from one of a conversation's messages on.
    async fn cut(&mut self, engine: &Engine, of: u8, at: u8) {
        let query = MessageQuery {
            conversation: conversation(of),
            wanted: Wanted::After(0),
            limit: 1_000,
        };
        let messages = self.store.list_messages(query).await.unwrap().messages;
        let index = usize::from(at) % messages.len().max(1);
        if let Some(message) = messages.get(index) {
            // The answer that is written may be the one that is deleted.
            let _missing = engine.delete_from(&self.owner, message.id).await;
            self.last_message.remove(&of);
        }
    }

    fn read(&mut self, engine: &Engine, leg: LegId) {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (mut watch, shared) = (engine.watch(leg), Arc::clone(&seen));
        let reading = async move {
            while let Some(events) = watch.next().await.unwrap() {
                shared.lock().unwrap().events.extend(events);
            }
            shared.lock().unwrap().finished = true;
        };
        let task = engine.0.work.spawn(reading).abort_handle();
        self.readers.push(Reader { leg, seen, task });
    }

    /// One life of a process: until the operations end or it crashes. Gives what is left of them.
    async fn live<'a>(&mut self, ops: &'a [Op]) -> &'a [Op] {
        self.store.forget_nodes();
        let model = Arc::new(ScriptedModel::default());
        let port = Arc::clone(&model) as Arc<dyn Model>;
        let ports = Ports {
            clock: Arc::clone(&self.clock) as _,
            tools: vec![Arc::clone(&self.tool) as _],
            ..ports(&self.store, &self.ids)
        };
        let engine = start(ports, port, Settings::default());
        engine.recover().await.unwrap();
        self.check_slots().await;
        for (done, op) in (1..).zip(ops) {
            if matches!(op, Op::Crash) {
                for leg in self.store.list_orphans(&[]).await.unwrap() {
                    let events = self.store.read(leg.id, 0, u32::MAX).await.unwrap();
                    self.flushed.push((leg.id, events));
                }
                return &ops[done..];
            }
            self.carry_out(op, &engine, &model).await;
            self.check_slots().await;
        }
        // The end: everything that still hangs is stopped.
        for number in 0..2 {
            let _missing = engine.stop(&self.owner, conversation(number)).await;
        }
        engine.drain(Duration::from_mins(1)).await;
        for leg in &self.legs {
            let stored = self.store.read(*leg, 0, u32::MAX).await.unwrap();
            assert_eq!(read_all(&engine, *leg).await, stored);
        }
        &[]
    }

    async fn carry_out(&mut self, op: &Op, engine: &Engine, model: &ScriptedModel) {
        match op {
            Op::Send { to, words, end } => {
                model.push(script(*words, *end));
                self.next_message += 1;
                self.last_message.insert(*to, self.next_message);
                self.send(engine, *to, self.next_message).await;
            }
            Op::Edit { to, words } => {
                if let Some(id) = self.last_message.get(to).copied() {
                    model.push(script(*words, End::Stops));
                    self.send(engine, *to, id).await;
                }
            }
            Op::Ask { to } => {
                model.push(asks());
                self.next_message += 1;
                self.last_message.insert(*to, self.next_message);
                self.send(engine, *to, self.next_message).await;
            }
            Op::Answer {
                of,
                approved,
                words,
            } => {
                model.push(script(*words, End::Stops));
                self.answer(engine, *of, *approved).await;
            }
            Op::Expire => {
                self.clock.move_by(600_000);
                sleep(Duration::from_secs(6)).await;
            }
            Op::Cut { of, at } => self.cut(engine, *of, *at).await,
            Op::Stop { of } => {
                let _missing = engine.stop(&self.owner, conversation(*of)).await;
            }
            Op::Delete { what } => {
                let _missing = engine.delete(&self.owner, conversation(*what)).await;
                self.last_message.remove(what);
            }
            Op::Watch { of } => {
                let newest = engine.newest_leg(&self.owner, conversation(*of)).await;
                if let Ok(Some(leg)) = newest {
                    self.read(engine, leg.id);
                }
            }
            Op::Disconnect { which } => {
                let index = usize::from(*which) % self.readers.len().max(1);
                if let Some(reader) = self.readers.get(index) {
                    reader.task.abort();
                }
            }
            Op::Wait { ms } => sleep(Duration::from_millis(u64::from(*ms))).await,
            Op::Crash => {}
        }
    }

    /// At most one open leg of a conversation was not told to stop: the one that holds the slot.
    async fn check_slots(&self) {
        let mut holders: HashMap<ConversationId, u32> = HashMap::new();
        for leg in self.store.list_orphans(&[]).await.unwrap() {
            if leg.status != RunStatus::Cancelling {
                *holders.entry(leg.conversation).or_default() += 1;
            }
        }
        assert!(holders.values().all(|held| *held <= 1), "{holders:?}");
    }

    async fn check_all(&self) {
        assert_eq!(self.store.list_orphans(&[]).await.unwrap(), []);
        let mut sealed = HashMap::new();
        for leg in &self.legs {
            if let Some(events) = self.check_leg(*leg).await {
                sealed.insert(*leg, events);
            }
        }
        for number in 0..2 {
            let query = MessageQuery {
                conversation: conversation(number),
                wanted: Wanted::After(0),
                limit: 1_000,
            };
            let messages = self.store.list_messages(query).await.unwrap().messages;
            assert!(messages.windows(2).all(|pair| pair[0].seq < pair[1].seq));
        }
        self.check_texts(&sealed).await;
        for (leg, flushed) in &self.flushed {
            if let Some(events) = sealed.get(leg) {
                // What was about to be asked was not asked.
                let asked = |event: &RunEvent| event.kind.comes_with_pause();
                let asked = flushed.iter().position(asked).unwrap_or(flushed.len());
                assert!(
                    events.starts_with(&flushed[..asked]),
                    "a crash lost what was flushed"
                );
            }
        }
        for reader in &self.readers {
            if let Some(events) = sealed.get(&reader.leg) {
                check_reader(&reader.seen.lock().unwrap(), events);
            }
        }
    }

    /// A message is what the legs of its run wrote, one after the other.
    async fn check_texts(&self, sealed: &HashMap<LegId, Vec<RunEvent>>) {
        let mut written: HashMap<MessageId, String> = HashMap::new();
        for leg in &self.legs {
            if let (Some(events), Some(stored)) =
                (sealed.get(leg), self.store.find_leg(*leg).await.unwrap())
            {
                let text = written.entry(stored.message).or_default();
                text.push_str(&events.text());
            }
        }
        for (message, text) in written {
            let message = self.store.find_message(message).await.unwrap();
            let stored = message.map(|message| message.body.text());
            assert_eq!(stored.unwrap_or_default(), text);
        }
    }

    /// Checks a leg as it is stored and gives its events; `None` for one that was deleted.
    async fn check_leg(&self, leg: LegId) -> Option<Vec<RunEvent>> {
        let events = self.store.read(leg, 0, u32::MAX).await.unwrap();
        let Some(stored) = self.store.find_leg(leg).await.unwrap() else {
            assert_eq!(events, [], "a deleted leg has no events");
            return None;
        };
        let numbered = (1..).zip(&events).all(|(n, event)| event.n == n);
        assert!(numbered, "a gap or a double in {events:#?}");
        let closings = events.iter().filter(|event| event.kind.is_closing());
        assert_eq!(closings.count(), 1);
        assert!(events.last().unwrap().kind.is_closing());
        // A leg that ends is the last of its run.
        if let Some((outcome, _)) = events.ending() {
            assert_eq!(stored.status, outcome.status());
        }
        assert!(stored.status.is_terminal(), "{stored:?}");
        Some(events)
    }
}

/// A reader saw what a replay gives. One that left or whose process died saw a part of it; what was shown but not yet
/// flushed may then be missing from the store, and only the close that recovery wrote stands in its place.
fn check_reader(seen: &Seen, events: &[RunEvent]) {
    if seen.finished {
        assert_eq!(
            seen.events, events,
            "a reader saw something else than a replay"
        );
        return;
    }
    let same = seen
        .events
        .iter()
        .zip(events)
        .take_while(|(a, b)| a == b)
        .count();
    if same < seen.events.len() {
        let recovered = events[same..].iter().all(|event| {
            matches!(
                event.kind,
                EventKind::PartFinished { .. } | EventKind::Ended { .. }
            )
        });
        assert!(recovered, "{:#?}", &events[same..]);
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
}

fn run(ops: &[Op]) {
    let mut world = World {
        store: MemoryStore::new(),
        ids: Arc::new(CountingIds::after(10_000)),
        clock: Arc::new(ManualClock::at(1_700_000_000_000)),
        tool: Weather::new("weather", Duration::from_millis(30)),
        owner: Owner::User(UserId::new(Uuid::from_u128(1))),
        legs: Vec::new(),
        flushed: Vec::new(),
        readers: Vec::new(),
        next_message: 100_000,
        last_message: HashMap::new(),
    };
    let mut rest = ops;
    loop {
        let crashes = rest.iter().any(|op| matches!(op, Op::Crash));
        // The end of the runtime drops every task in it, wherever it is: a crash.
        rest = runtime().block_on(world.live(rest));
        if !crashes {
            break;
        }
    }
    runtime().block_on(world.check_all());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_interleaving_keeps_the_promises(ops in ops()) {
        run(&ops);
    }
}

//! Random interleavings of sends, edits, stops, deletes, readers that come and go, and crashes.
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

use super::support::{RunText as _, engine, message, read_all};
use crate::{
    access::Owner,
    engine::{Engine, Settings},
    event::{EventKind, RunEvent},
    id::{ConversationId, LegId, UserId},
    ports::{MessageQuery, Messages as _, Model, ModelErrorKind, RunLog as _, Runs as _, Wanted},
    run::RunStatus,
    testing::{CountingIds, Line, MemoryStore, ScriptedModel},
};

#[derive(Debug, Clone)]
enum Op {
    /// Sends to a conversation, to be answered by so many words, with a certain end.
    Send {
        to: u8,
        words: u8,
        end: End,
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

impl World {
    async fn send(&mut self, engine: &Engine, to: u8, id: u128) {
        let send = message(&self.owner, conversation(to), id, "question");
        let sent = engine.send(send).await.unwrap();
        self.legs.push(sent.leg.id);
        self.read(engine, sent.leg.id);
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
        let engine = engine(
            &self.store,
            &self.ids,
            port,
            Settings::default(),
            Vec::new(),
        );
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
        for (leg, flushed) in &self.flushed {
            if let Some(events) = sealed.get(leg) {
                assert!(events.starts_with(flushed), "a crash lost what was flushed");
            }
        }
        for reader in &self.readers {
            if let Some(events) = sealed.get(&reader.leg) {
                check_reader(&reader.seen.lock().unwrap(), events);
            }
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
        let ending = events.ending().map(|(outcome, _)| outcome.status());
        assert_eq!(Some(stored.status), ending);
        let message = self.store.find_message(stored.message).await.unwrap();
        let text = message.map(|message| message.body.text());
        assert_eq!(text.unwrap_or_default(), events.text());
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

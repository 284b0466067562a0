use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{runtime::Handle, time::sleep};
use uuid::Uuid;

use crate::{
    access::{Owner, Visibility},
    conversation::{NewConversation, Origin},
    engine::{Engine, Lane, Ports, Send, SendInput, Sent, Settings},
    error::EngineError,
    event::{EventKind, Field, RunEvent},
    fold::{Closing, Fold},
    id::{ConversationId, LegId, MessageId, NodeId, RunId, UserId},
    message::{Message, PartContent},
    ports::{
        Beat, Checkpoint, CloseLeg, Closed, EndPaused, LocalSignals, LogBatch, Model,
        NoAttachments, Nodes, PausedRun, Policy, RunLog, Runs, Standing, StopAsked, StoreError,
        Tool, Wanted,
    },
    run::{Leg, Outcome, RunError},
    testing::{CountingIds, Line, ManualClock, MemoryStore, ScriptedModel, settings},
};

/// An engine over a memory store and a scripted model, on the runtime that it is made on.
pub(super) struct House {
    pub(super) engine: Engine,
    pub(super) store: MemoryStore,
    pub(super) model: Arc<ScriptedModel>,
    pub(super) owner: Owner,
    pub(super) conversation: ConversationId,
    ids: Arc<CountingIds>,
}

impl House {
    pub(super) fn new(scripts: impl IntoIterator<Item = Vec<Line>>) -> Self {
        Self::with(scripts, Settings::default(), Vec::new())
    }

    pub(super) fn with(
        scripts: impl IntoIterator<Item = Vec<Line>>,
        settings: Settings,
        tools: Vec<Arc<dyn Tool>>,
    ) -> Self {
        let model = Arc::new(ScriptedModel::new(scripts));
        let ids = Arc::new(CountingIds::after(1_000));
        let store = MemoryStore::new();
        let engine = engine(
            &store,
            &ids,
            Arc::clone(&model) as Arc<dyn Model>,
            settings,
            tools,
        );
        Self {
            engine,
            store,
            model,
            owner: Owner::User(UserId::new(Uuid::from_u128(1))),
            conversation: ConversationId::new(Uuid::from_u128(2)),
            ids,
        }
    }

    /// Another node over the same store, with signals of its own: it hears nothing of this one and has to look.
    pub(super) async fn neighbour(&self, lifeline: &Lifeline) -> Engine {
        let mut ports = ports(&self.store, &self.ids);
        ports.nodes = Arc::new(lifeline.to(&self.store));
        let neighbour = start(ports, Arc::clone(&self.model) as _, Settings::default());
        neighbour.recover().await.unwrap();
        neighbour
    }

    /// One whose store is slow or fails.
    pub(super) fn faulty(scripts: impl IntoIterator<Item = Vec<Line>>, faults: &Faulty) -> Self {
        let mut house = Self::new(scripts);
        let faulty = Arc::new(Faulty {
            store: house.store.clone(),
            ..faults.clone()
        });
        house.engine = engine_with(
            &house.store,
            (
                Arc::clone(&faulty) as Arc<dyn Runs>,
                faulty as Arc<dyn RunLog>,
            ),
            &house.ids,
            Arc::clone(&house.model) as Arc<dyn Model>,
            Settings::default(),
            Vec::new(),
        );
        house
    }

    /// Another engine over the same store, as after a restart.
    pub(super) fn restarted(&self) -> Engine {
        self.store.forget_nodes();
        let model = Arc::clone(&self.model) as Arc<dyn Model>;
        engine(
            &self.store,
            &self.ids,
            model,
            Settings::default(),
            Vec::new(),
        )
    }

    /// Everything in its store, for a node of its own.
    pub(super) fn ports(&self) -> Ports {
        ports(&self.store, &self.ids)
    }

    pub(super) fn message(&self, id: u128, text: &str) -> Send {
        let mut message = message(&self.owner, self.conversation, id, text);
        message.settings.tools = self.engine.0.tools.keys().cloned().collect();
        message
    }

    pub(super) async fn send(&self, id: u128, text: &str) -> Sent {
        self.engine.send(self.message(id, text)).await.unwrap()
    }

    /// Sends and reads to the end.
    pub(super) async fn ask(&self, id: u128, text: &str) -> Vec<RunEvent> {
        let sent = self.send(id, text).await;
        read_all(&self.engine, sent.leg.id).await
    }

    pub(super) async fn messages(&self) -> Vec<Message> {
        let all = Wanted::After(0);
        let page = self
            .engine
            .messages(&self.owner, self.conversation, all, 100)
            .await;
        page.unwrap().messages
    }

    pub(super) async fn newest_leg(&self) -> Leg {
        let leg = self.engine.newest_leg(&self.owner, self.conversation).await;
        leg.unwrap().unwrap()
    }

    pub(super) async fn stop(&self) -> Result<bool, EngineError> {
        self.engine.stop(&self.owner, self.conversation).await
    }
}

pub(super) fn engine(
    store: &MemoryStore,
    ids: &Arc<CountingIds>,
    model: Arc<dyn Model>,
    settings: Settings,
    tools: Vec<Arc<dyn Tool>>,
) -> Engine {
    let ports = (
        Arc::new(store.clone()) as Arc<dyn Runs>,
        Arc::new(store.clone()) as Arc<dyn RunLog>,
    );
    engine_with(store, ports, ids, model, settings, tools)
}

pub(super) fn engine_with(
    store: &MemoryStore,
    (runs, run_log): (Arc<dyn Runs>, Arc<dyn RunLog>),
    ids: &Arc<CountingIds>,
    model: Arc<dyn Model>,
    settings: Settings,
    tools: Vec<Arc<dyn Tool>>,
) -> Engine {
    let ports = Ports {
        runs,
        run_log,
        tools,
        ..ports(store, ids)
    };
    start(ports, model, settings)
}

/// Everything in one memory store.
pub(super) fn ports(store: &MemoryStore, ids: &Arc<CountingIds>) -> Ports {
    Ports {
        conversations: Arc::new(store.clone()),
        messages: Arc::new(store.clone()),
        runs: Arc::new(store.clone()),
        run_log: Arc::new(store.clone()),
        signals: Arc::new(LocalSignals::new()),
        nodes: Arc::new(store.clone()),
        clock: Arc::new(ManualClock::at(1_700_000_000_000)),
        ids: Arc::clone(ids) as Arc<_>,
        attachments: Arc::new(NoAttachments),
        tools: Vec::new(),
    }
}

/// An engine on the runtime that this is called on.
pub(super) fn start(ports: Ports, model: Arc<dyn Model>, settings: Settings) -> Engine {
    let handle = Handle::current();
    let lane = Lane {
        handle: handle.clone(),
        model,
    };
    Engine::new(ports, vec![lane], handle, settings)
}

/// What a node shows that it lives by, which a test can cut.
#[derive(Debug, Clone, Default)]
pub(super) struct Lifeline {
    cut: Arc<AtomicBool>,
    store: MemoryStore,
}

impl Lifeline {
    fn to(&self, store: &MemoryStore) -> Self {
        Self {
            cut: Arc::clone(&self.cut),
            store: store.clone(),
        }
    }

    /// From now on the node cannot renew.
    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    /// From now on it can.
    pub(super) fn mend(&self) {
        self.cut.store(false, Ordering::Release);
    }
}

#[async_trait]
impl Nodes for Lifeline {
    async fn renew(&self, node: NodeId) -> Result<Vec<Beat>, StoreError> {
        if self.cut.load(Ordering::Acquire) {
            // As a store does that looks for its primary.
            sleep(Duration::from_millis(300)).await;
            return Err(StoreError::Unavailable("as the test wants it".into()));
        }
        self.store.renew(node).await
    }

    async fn bury(&self, silent: Beat) -> Result<bool, StoreError> {
        self.store.bury(silent).await
    }

    async fn retire(&self, node: NodeId) -> Result<(), StoreError> {
        self.store.retire(node).await
    }
}

/// A store that is slow or fails, as a test sets it.
#[derive(Debug, Clone, Default)]
pub(super) struct Faulty {
    pub(super) store: MemoryStore,
    /// How long a close takes.
    pub(super) slow_close: Duration,
    /// So many closes fail first, for the time being.
    pub(super) failing_closes: Arc<AtomicUsize>,
    /// So many appends fail first, for the time being.
    pub(super) failing_appends: Arc<AtomicUsize>,
    /// Appends with this leg are refused, now and later.
    pub(super) refused: Arc<OnceLock<LegId>>,
    /// So many questions how legs stand fail first, for the time being.
    pub(super) failing_standings: Arc<AtomicUsize>,
    /// The end of this run is refused while it waits, now and later.
    pub(super) endless: Arc<OnceLock<RunId>>,
}

impl Faulty {
    fn fails(failures: &AtomicUsize) -> Result<(), StoreError> {
        let left = failures.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| {
            left.checked_sub(1)
        });
        match left {
            Ok(_) => Err(StoreError::Unavailable("as the test wants it".into())),
            Err(_) => Ok(()),
        }
    }
}

#[async_trait]
impl Runs for Faulty {
    async fn find_leg(&self, id: LegId) -> Result<Option<Leg>, StoreError> {
        self.store.find_leg(id).await
    }

    async fn newest_leg(&self, id: ConversationId) -> Result<Option<Leg>, StoreError> {
        self.store.newest_leg(id).await
    }

    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<Closed, StoreError> {
        self.store.checkpoint(checkpoint).await
    }

    async fn close_leg(&self, close: CloseLeg) -> Result<Closed, StoreError> {
        sleep(self.slow_close).await;
        Self::fails(&self.failing_closes)?;
        self.store.close_leg(close).await
    }

    async fn ask_stop(&self, id: ConversationId) -> Result<Option<StopAsked>, StoreError> {
        self.store.ask_stop(id).await
    }

    async fn end_paused(&self, end: EndPaused) -> Result<Closed, StoreError> {
        if Some(&end.run) == self.endless.get() {
            return Err(StoreError::Fatal("as the test wants it".into()));
        }
        self.store.end_paused(end).await
    }

    async fn list_expired(&self, at_ms: i64, limit: u32) -> Result<Vec<PausedRun>, StoreError> {
        self.store.list_expired(at_ms, limit).await
    }

    async fn find_paused(&self, id: ConversationId) -> Result<Option<PausedRun>, StoreError> {
        self.store.find_paused(id).await
    }

    async fn list_orphans(&self, alive: &[NodeId]) -> Result<Vec<Leg>, StoreError> {
        self.store.list_orphans(alive).await
    }

    async fn standing(&self, legs: &[LegId]) -> Result<Vec<Standing>, StoreError> {
        Self::fails(&self.failing_standings)?;
        self.store.standing(legs).await
    }

    async fn release_leg(&self, leg: LegId, epoch: u64) -> Result<Closed, StoreError> {
        self.store.release_leg(leg, epoch).await
    }

    async fn claim_leg(&self, leg: LegId, node: NodeId) -> Result<Option<Leg>, StoreError> {
        self.store.claim_leg(leg, node).await
    }
}

#[async_trait]
impl RunLog for Faulty {
    async fn append(&self, batches: Vec<LogBatch>) -> Result<(), StoreError> {
        Self::fails(&self.failing_appends)?;
        if batches
            .iter()
            .any(|batch| Some(&batch.leg) == self.refused.get())
        {
            return Err(StoreError::Fatal("as the test wants it".into()));
        }
        self.store.append(batches).await
    }

    async fn read(&self, leg: LegId, after: u32, limit: u32) -> Result<Vec<RunEvent>, StoreError> {
        self.store.read(leg, after, limit).await
    }
}

pub(super) fn message(owner: &Owner, conversation: ConversationId, id: u128, text: &str) -> Send {
    Send {
        caller: owner.clone(),
        conversation,
        create: Some(NewConversation {
            visibility: Visibility::Private,
            origin: Origin::AiSdk,
            title: None,
        }),
        input: SendInput {
            id: MessageId::new(Uuid::from_u128(id)),
            parts: vec![PartContent::Text {
                text: text.to_owned(),
                annotations: Vec::new(),
            }],
        },
        policy: Policy::Replace,
        settings: settings(),
        echo: None,
        key: None,
        answers: Vec::new(),
        quota: None,
    }
}

/// Reads a leg to its end.
pub(super) async fn read_all(engine: &Engine, leg: LegId) -> Vec<RunEvent> {
    let mut watch = engine.watch(leg);
    let mut all = Vec::new();
    while let Some(events) = watch.next().await.unwrap() {
        all.extend(events);
    }
    all
}

/// What a list of events says.
pub(super) trait RunText {
    /// The text of all text deltas.
    fn text(&self) -> String;
    /// How it closed.
    fn ending(&self) -> Option<(Outcome, Option<RunError>)>;
}

impl RunText for Vec<RunEvent> {
    fn text(&self) -> String {
        let mut all = String::new();
        for event in self {
            if let EventKind::PartDelta {
                field: Field::Text,
                text,
                ..
            } = &event.kind
            {
                all.push_str(text);
            }
        }
        all
    }

    fn ending(&self) -> Option<(Outcome, Option<RunError>)> {
        let mut fold = Fold::new(LegId::new(Uuid::nil()), Vec::new());
        for event in self {
            fold.apply(event);
        }
        match fold.closing() {
            Some(Closing::Ended(outcome, error)) => Some((outcome, error)),
            Some(Closing::Paused(_)) | None => None,
        }
    }
}

/// Role and text of each message.
pub(super) fn texts(messages: &[Message]) -> Vec<(&'static str, String)> {
    let pair = |message: &Message| (message.role.as_str(), message.body.text());
    messages.iter().map(pair).collect()
}

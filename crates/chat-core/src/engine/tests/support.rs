use std::{sync::Arc, time::Duration};

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
    id::{ConversationId, LegId, MessageId, NodeId, UserId},
    message::{Message, PartContent},
    ports::{
        Checkpoint, CloseLeg, Closed, LocalSignals, Model, Policy, Runs, StopAsked, StoreError,
        Tool, Wanted,
    },
    run::{Leg, LegSettings, Outcome, RunError},
    testing::{CountingIds, Line, ManualClock, MemoryStore, ScriptedModel},
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

    /// One whose store takes so long to close a leg.
    pub(super) fn slow_to_close(
        scripts: impl IntoIterator<Item = Vec<Line>>,
        time: Duration,
    ) -> Self {
        let mut house = Self::new(scripts);
        house.engine = engine_with(
            &house.store,
            Arc::new(SlowToClose(house.store.clone(), time)),
            &house.ids,
            Arc::clone(&house.model) as Arc<dyn Model>,
            Settings::default(),
            Vec::new(),
        );
        house
    }

    /// Another engine over the same store, as after a restart.
    pub(super) fn restarted(&self) -> Engine {
        let model = Arc::clone(&self.model) as Arc<dyn Model>;
        engine(
            &self.store,
            &self.ids,
            model,
            Settings::default(),
            Vec::new(),
        )
    }

    pub(super) fn message(&self, id: u128, text: &str) -> Send {
        message(&self.owner, self.conversation, id, text)
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
    engine_with(store, Arc::new(store.clone()), ids, model, settings, tools)
}

pub(super) fn engine_with(
    store: &MemoryStore,
    runs: Arc<dyn Runs>,
    ids: &Arc<CountingIds>,
    model: Arc<dyn Model>,
    settings: Settings,
    tools: Vec<Arc<dyn Tool>>,
) -> Engine {
    let ports = Ports {
        conversations: Arc::new(store.clone()),
        messages: Arc::new(store.clone()),
        runs,
        run_log: Arc::new(store.clone()),
        signals: Arc::new(LocalSignals::new()),
        clock: Arc::new(ManualClock::at(1_700_000_000_000)),
        ids: Arc::clone(ids) as Arc<_>,
        tools,
    };
    let handle = Handle::current();
    let lane = Lane {
        handle: handle.clone(),
        model,
    };
    Engine::new(ports, vec![lane], handle, settings)
}

/// A store that takes its time to close a leg.
pub(super) struct SlowToClose(pub(super) MemoryStore, pub(super) Duration);

#[async_trait]
impl Runs for SlowToClose {
    async fn find_leg(&self, id: LegId) -> Result<Option<Leg>, StoreError> {
        self.0.find_leg(id).await
    }

    async fn newest_leg(&self, id: ConversationId) -> Result<Option<Leg>, StoreError> {
        self.0.newest_leg(id).await
    }

    async fn checkpoint(&self, checkpoint: Checkpoint) -> Result<Closed, StoreError> {
        self.0.checkpoint(checkpoint).await
    }

    async fn close_leg(&self, close: CloseLeg) -> Result<Closed, StoreError> {
        sleep(self.1).await;
        self.0.close_leg(close).await
    }

    async fn ask_stop(&self, id: ConversationId) -> Result<Option<StopAsked>, StoreError> {
        self.0.ask_stop(id).await
    }

    async fn list_orphans(&self, alive: &[NodeId]) -> Result<Vec<Leg>, StoreError> {
        self.0.list_orphans(alive).await
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
        settings: LegSettings {
            model: "scripted".to_owned(),
            window: 8_000,
            prompt_budget: 4_000,
            max_output: None,
            encoding: "o200k_base".to_owned(),
            system: None,
            tools: Vec::new(),
            max_steps: 5,
        },
        echo: None,
        key: None,
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
            Some(Closing::Paused) | None => None,
        }
    }
}

/// Role and text of each message.
pub(super) fn texts(messages: &[Message]) -> Vec<(&'static str, String)> {
    let pair = |message: &Message| (message.role.as_str(), message.body.text());
    messages.iter().map(pair).collect()
}

//! Stores that fail at the worst moment, with several nodes over them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};
use uuid::Uuid;

use super::{
    stuck,
    support::{House, Lifeline, RunText as _, message, read_all},
};
use crate::{
    conversation::Conversation,
    engine::{Engine, Lane, Ports, Settings},
    event::RunEvent,
    id::{ConversationId, LegId, MessageId, NodeId},
    ports::{
        Beat, Checkpoint, CloseLeg, Closed, ConversationChange, Conversations, Cut, Deleted,
        EndPaused, HistoryPage, HistoryQuery, LocalSignals, LogBatch, NoAttachments, Nodes,
        OpenLeg, Opened, PausedRun, ResumeRun, Resumed, RunLog, Runs, Standing, StopAsked,
        StoreError,
    },
    run::{Leg, Outcome, RunError},
    testing::{Line, MemoryStore},
};

/// A memory store that a test lets fail.
#[derive(Debug, Clone, Default)]
struct Hooks {
    store: MemoryStore,
    standing_hangs: Arc<AtomicBool>,
    reads_fail: Arc<AtomicUsize>,
    open_lost: Arc<AtomicBool>,
    renew_fails: Arc<AtomicBool>,
    append_hangs: Arc<AtomicBool>,
    orphans_fail: Arc<AtomicBool>,
    orphan_calls: Arc<AtomicUsize>,
    slow_close: Arc<AtomicBool>,
}

fn away() -> StoreError {
    StoreError::Unavailable("away".into())
}

#[async_trait]
impl Nodes for Hooks {
    async fn renew(&self, node: NodeId) -> Result<Vec<Beat>, StoreError> {
        if self.renew_fails.load(Ordering::Acquire) {
            sleep(Duration::from_millis(300)).await;
            return Err(away());
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

#[async_trait]
impl Runs for Hooks {
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
        if self.append_hangs.load(Ordering::Acquire) {
            sleep(Duration::from_secs(20)).await;
            return Err(away());
        }
        if self.slow_close.load(Ordering::Acquire) {
            sleep(Duration::from_millis(100)).await;
        }
        self.store.close_leg(close).await
    }
    async fn ask_stop(&self, id: ConversationId) -> Result<Option<StopAsked>, StoreError> {
        self.store.ask_stop(id).await
    }
    async fn end_paused(&self, end: EndPaused) -> Result<Closed, StoreError> {
        self.store.end_paused(end).await
    }

    async fn list_expired(&self, at_ms: i64, limit: u32) -> Result<Vec<PausedRun>, StoreError> {
        self.store.list_expired(at_ms, limit).await
    }

    async fn find_paused(&self, id: ConversationId) -> Result<Option<PausedRun>, StoreError> {
        self.store.find_paused(id).await
    }
    async fn list_orphans(&self, alive: &[NodeId]) -> Result<Vec<Leg>, StoreError> {
        self.orphan_calls.fetch_add(1, Ordering::AcqRel);
        if self.orphans_fail.load(Ordering::Acquire) {
            sleep(Duration::from_secs(20)).await;
            return Err(away());
        }
        self.store.list_orphans(alive).await
    }
    async fn standing(&self, legs: &[LegId]) -> Result<Vec<Standing>, StoreError> {
        if self.standing_hangs.load(Ordering::Acquire) {
            // The port's own deadline.
            sleep(Duration::from_secs(20)).await;
            return Err(away());
        }
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
impl RunLog for Hooks {
    async fn append(&self, batches: Vec<LogBatch>) -> Result<(), StoreError> {
        if self.append_hangs.load(Ordering::Acquire) {
            sleep(Duration::from_secs(20)).await;
            return Err(away());
        }
        self.store.append(batches).await
    }
    async fn read(&self, leg: LegId, after: u32, limit: u32) -> Result<Vec<RunEvent>, StoreError> {
        let fails = self
            .reads_fail
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1));
        if fails.is_ok() {
            return Err(away());
        }
        self.store.read(leg, after, limit).await
    }
}

#[async_trait]
impl Conversations for Hooks {
    async fn open_leg(&self, open: OpenLeg) -> Result<Opened, StoreError> {
        let opened = self.store.open_leg(open).await?;
        if self.open_lost.swap(false, Ordering::AcqRel) {
            return Err(away());
        }
        Ok(opened)
    }
    async fn resume_run(&self, resume: ResumeRun) -> Result<Resumed, StoreError> {
        self.store.resume_run(resume).await
    }
    async fn cut(&self, id: ConversationId, from: MessageId) -> Result<Option<Cut>, StoreError> {
        self.store.cut(id, from).await
    }
    async fn change_conversation(
        &self,
        id: ConversationId,
        change: ConversationChange,
    ) -> Result<Option<Conversation>, StoreError> {
        self.store.change_conversation(id, change).await
    }
    async fn find_conversation(
        &self,
        id: ConversationId,
    ) -> Result<Option<Conversation>, StoreError> {
        self.store.find_conversation(id).await
    }
    async fn list_conversations(&self, query: HistoryQuery) -> Result<HistoryPage, StoreError> {
        self.store.list_conversations(query).await
    }
    async fn retitle(
        &self,
        id: ConversationId,
        was: Option<&str>,
        title: &str,
    ) -> Result<bool, StoreError> {
        self.store.retitle(id, was, title).await
    }
    async fn delete_conversation(&self, id: ConversationId) -> Result<Option<Deleted>, StoreError> {
        self.store.delete_conversation(id).await
    }
}

async fn hooked(house: &House, hooks: &Hooks) -> Engine {
    let hooks = Arc::new(Hooks {
        store: house.store.clone(),
        ..hooks.clone()
    });
    let store = Arc::new(house.store.clone());
    let ports = Ports {
        conversations: Arc::clone(&hooks) as _,
        messages: store,
        runs: Arc::clone(&hooks) as _,
        run_log: Arc::clone(&hooks) as _,
        signals: Arc::new(LocalSignals::new()),
        nodes: hooks,
        clock: Arc::new(crate::testing::ManualClock::at(1_700_000_000_000)),
        ids: Arc::new(crate::testing::CountingIds::after(
            NEXT.fetch_add(10_000, Ordering::AcqRel),
        )),
        attachments: Arc::new(NoAttachments),
        tools: Vec::new(),
    };
    let handle = Handle::current();
    let lane = Lane {
        handle: handle.clone(),
        model: Arc::clone(&house.model) as _,
    };
    let engine = Engine::new(ports, vec![lane], handle, Settings::default());
    engine.recover().await.unwrap();
    engine
}

/// Engines of one store must not make the same ids.
static NEXT: AtomicU64 = AtomicU64::new(50_000);

fn slow(words: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for _ in 0..words {
        lines.push(Line::text("word "));
        lines.push(Line::Pause(Duration::from_secs(1)));
    }
    lines.push(Line::stop());
    lines
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_just_joined_keeps_its_legs() {
    let mut closed = Vec::new();
    for offset in 0..50_u64 {
        let mut house = House::new([stuck("alive")]);
        house.engine.drain(Duration::ZERO).await;
        house.engine = house.neighbour(&Lifeline::default()).await;
        sleep(Duration::from_millis(10_000 + offset * 100)).await;
        let new = house.neighbour(&Lifeline::default()).await;
        let leg = new.send(house.message(10, "A")).await.unwrap().leg.id;
        sleep(Duration::from_millis(2_500)).await;
        if house
            .store
            .find_leg(leg)
            .await
            .unwrap()
            .unwrap()
            .closed_at_ms
            .is_some()
        {
            closed.push(offset * 100);
        }
    }
    assert!(
        closed.is_empty(),
        "closed though its node lives, at offsets {closed:?} ms"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_ask_how_its_legs_stand_freezes() {
    let mut house = House::new([slow(60)]);
    house.engine.drain(Duration::ZERO).await;
    let hooks = Hooks::default();
    house.engine = hooked(&house, &hooks).await;
    let other = house.neighbour(&Lifeline::default()).await;
    sleep(Duration::from_secs(2)).await;
    let leg = house
        .engine
        .send(house.message(10, "A"))
        .await
        .unwrap()
        .leg
        .id;
    sleep(Duration::from_millis(1_500)).await;
    hooks.standing_hangs.store(true, Ordering::Release);
    let cut = Instant::now();
    let elsewhere = read_all(&other, leg).await;
    let at = cut.elapsed();
    sleep(Duration::from_secs(5)).await;
    let live = house.engine.0.live.find(leg);
    let shown = live.map(|live| live.log.seen().n);
    assert!(
        shown.is_none_or(|n| usize::try_from(n).unwrap() <= elsewhere.len()),
        "closed elsewhere {at:?} after with {} events as {:?}; its own node shows {shown:?} {:?} after, holds_lease {}",
        elsewhere.len(),
        elsewhere.ending(),
        cut.elapsed(),
        house.engine.holds_lease()
    );
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_was_claimed_and_cannot_be_begun_is_closed() {
    let silent = vec![Line::Pause(Duration::from_hours(1)), Line::stop()];
    let mut house = House::new([silent, vec![Line::text("next"), Line::stop()]]);
    house.engine.drain(Duration::ZERO).await;
    house.engine = house.neighbour(&Lifeline::default()).await;
    let hooks = Hooks::default();
    let other = hooked(&house, &hooks).await;
    sleep(Duration::from_secs(2)).await;
    let leg = house.send(10, "A").await.leg;
    sleep(Duration::from_millis(100)).await;
    hooks.reads_fail.store(1, Ordering::Release);
    house.engine.drain(Duration::from_secs(25)).await;
    sleep(Duration::from_mins(10)).await;
    let found = house.store.find_leg(leg.id).await.unwrap().unwrap();
    assert!(
        found.closed_at_ms.is_some(),
        "10 minutes later: node is other: {}, live there: {}, status {:?}",
        found.node == other.node(),
        other.live_legs(),
        found.status
    );
}

#[tokio::test(start_paused = true)]
async fn a_leg_whose_send_was_answered_as_failed_is_closed() {
    let mut house = House::new([slow(3), slow(3)]);
    house.engine.drain(Duration::ZERO).await;
    let hooks = Hooks::default();
    house.engine = hooked(&house, &hooks).await;
    let other = house.neighbour(&Lifeline::default()).await;
    hooks.open_lost.store(true, Ordering::Release);
    assert!(house.engine.send(house.message(10, "A")).await.is_err());
    sleep(Duration::from_mins(10)).await;
    let found = house.newest_leg().await;
    let stop = other.stop(&house.owner, house.conversation).await;
    sleep(Duration::from_mins(10)).await;
    let after_stop = house.newest_leg().await;
    assert!(
        found.closed_at_ms.is_some(),
        "open after 10 min; stop says {stop:?}, then {:?} closed {:?}",
        after_stop.status,
        after_stop.closed_at_ms
    );
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_a_store_ends_in_time() {
    let mut house = House::new([slow(100)]);
    house.engine.drain(Duration::ZERO).await;
    let hooks = Hooks::default();
    house.engine = hooked(&house, &hooks).await;
    let _other = house.neighbour(&Lifeline::default()).await;
    sleep(Duration::from_secs(2)).await;
    house.engine.send(house.message(10, "A")).await.unwrap();
    sleep(Duration::from_millis(2_500)).await;
    hooks.append_hangs.store(true, Ordering::Release);
    let mut worst = Duration::ZERO;
    let began = Instant::now();
    sleep(Duration::from_millis(900)).await;
    house.engine.drain(Duration::from_secs(25)).await;
    worst = worst.max(began.elapsed());
    assert!(worst < Duration::from_secs(34), "{worst:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watcher_beyond_the_close_is_told_of_it() {
    let mut house = House::new([slow(60)]);
    house.engine.drain(Duration::ZERO).await;
    house.engine = house.neighbour(&Lifeline::default()).await;
    let other = house.neighbour(&Lifeline::default()).await;
    let leg = house.send(10, "A").await.leg;
    sleep(Duration::from_millis(1_500)).await;
    // What a closer reads now ...
    let stored = house.store.read(leg.id, 0, u32::MAX).await.unwrap();
    let mut watch = other.watch(leg.id);
    let mut seen = Vec::new();
    while seen.len() < stored.len() + 4 {
        seen.extend(watch.next().await.unwrap().unwrap());
    }
    // ... it seals, with its end, while more was appended.
    let mut sealed = stored;
    sealed.push(RunEvent {
        n: u32::try_from(sealed.len()).unwrap() + 1,
        at_ms: leg.opened_at_ms,
        kind: crate::event::EventKind::Ended {
            outcome: Outcome::Failed,
            error: Some(RunError::Interrupted),
            retry_after_ms: None,
            usage: None,
        },
        raw: None,
    });
    let close = CloseLeg {
        leg: leg.id,
        epoch: leg.epoch,
        status: crate::run::RunStatus::Failed,
        error: Some(RunError::Interrupted),
        answer: None,
        expires_at_ms: None,
        seal: crate::codec::encode_seal(&sealed).unwrap(),
        at_ms: leg.opened_at_ms,
    };
    assert_eq!(house.store.close_leg(close).await.unwrap(), Closed::Done);
    let mut rest = Vec::new();
    while let Some(events) = watch.next().await.unwrap() {
        rest.extend(events);
    }
    assert!(
        rest.ending().is_some(),
        "the stream ends in silence: {} more events",
        rest.len()
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_buried_drops_its_legs_when_it_is_back() {
    let mut house = House::new((0..40).map(|_| slow(60)));
    house.engine.drain(Duration::ZERO).await;
    let own = Lifeline::default();
    house.engine = house.neighbour(&own).await;
    let faults = Hooks::default();
    faults.slow_close.store(true, Ordering::Release);
    let _other = hooked(&house, &faults).await;
    sleep(Duration::from_secs(2)).await;
    let mut legs = Vec::new();
    for i in 0..40_u128 {
        let conversation = ConversationId::new(Uuid::from_u128(7_000 + i));
        let send = message(&house.owner, conversation, 100 + i, "A");
        legs.push(house.engine.send(send).await.unwrap().leg.id);
    }
    sleep(Duration::from_secs(2)).await;
    own.cut();
    // Until the survivor has begun, and is far from done.
    while is_open(&house, legs[0]).await {
        sleep(Duration::from_millis(50)).await;
    }
    own.mend();
    sleep(Duration::from_secs(15)).await;
    assert_eq!(house.engine.live_legs(), 0);
    for leg in legs {
        let sealed = house.store.read(leg, 0, u32::MAX).await.unwrap();
        assert_eq!(
            sealed.ending(),
            Some((Outcome::Failed, Some(RunError::Interrupted)))
        );
        assert_eq!(read_all(&house.engine, leg).await, sealed);
    }
}

async fn is_open(house: &House, leg: LegId) -> bool {
    let leg = house.store.find_leg(leg).await.unwrap().unwrap();
    leg.closed_at_ms.is_none()
}

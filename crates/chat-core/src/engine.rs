//! The run engine: takes commands, drives models on lanes, lets anyone watch.
//!
//! A command carries the identity of its caller, and this is the one place where it is checked. A run lives on a lane, in
//! a task of the engine's own: the request that began it may end at any time. Everything a reader is shown is read from the leg's
//! log, in memory while this node works on the leg and from the store otherwise.

mod changing;
mod flush;
mod handover;
mod keyed;
mod lease;
mod leg;
mod live;
mod log;
mod nodes;
mod paused;
mod prompt;
mod reading;
mod recover;
mod send;
mod shared;
mod step;
mod title;
mod tools;
mod watch;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::{Notify, watch as watch_channel},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use paused::{ApprovalAnswer, Resume};
pub use send::{Send, SendInput, Sent};
pub use watch::Watch;

use crate::{
    access::{Action, Owner},
    error::EngineError,
    id::{ConversationId, LegId, NodeId},
    ports::{
        Attachments, Clock, Closed, Conversations, IdSource, Messages, Model, Nodes, RunLog, Runs,
        Signals, Tool,
    },
    run::StopCause,
};

/// A run that waits may be resumed on another node while it is being stopped: a stop looks at most so often.
const STOP_LOOKS: u32 = 5;
/// A stop waits at most this long for the run to be closed before it answers.
const STOP_WAIT: Duration = Duration::from_secs(2);
/// After the drain's time is up, legs have this long to close as interrupted.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

/// A node that ends has this long to say so.
const RETIRE_WAIT: Duration = Duration::from_secs(2);

/// What the engine calls.
#[derive(Clone)]
pub struct Ports {
    /// Conversations and their slots.
    pub conversations: Arc<dyn Conversations>,
    /// Messages.
    pub messages: Arc<dyn Messages>,
    /// Runs and legs.
    pub runs: Arc<dyn Runs>,
    /// The log of events.
    pub run_log: Arc<dyn RunLog>,
    /// What other nodes are told.
    pub signals: Arc<dyn Signals>,
    /// The nodes that work on the same store.
    pub nodes: Arc<dyn Nodes>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn IdSource>,
    /// The files that messages refer to.
    pub attachments: Arc<dyn Attachments>,
    /// The tools that this server runs.
    pub tools: Vec<Arc<dyn Tool>>,
}

/// Where legs run: a runtime, and the model's client that belongs to it.
#[derive(Clone)]
pub struct Lane {
    /// The runtime; a current-thread one of its own is the cheapest.
    pub handle: Handle,
    /// The model as it is reached from this lane.
    pub model: Arc<dyn Model>,
}

/// What an operator may set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// A leg is ended as timed out after this long.
    pub max_leg: Duration,
    /// A run that waits for its reader's consent expires after this long.
    pub max_pause: Duration,
    /// A leg is ended as incomplete when its text, with what the legs of its run before it wrote, outgrows this many
    /// bytes.
    pub max_leg_bytes: usize,
    /// New sends are refused while all live legs together hold more than this many bytes of text.
    pub max_live_bytes: usize,
    /// Whether a new conversation gets a title from the model that answers it.
    pub titles: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_leg: Duration::from_mins(30),
            max_pause: Duration::from_mins(10),
            max_leg_bytes: 8 << 20,
            max_live_bytes: 512 << 20,
            titles: false,
        }
    }
}

/// The run engine of one node. Clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    ports: Ports,
    settings: Settings,
    node: NodeId,
    live: live::Registry,
    lease: lease::Lease,
    /// Rung when another node released a leg.
    released: Notify,
    /// Who is there, as the last renewal showed.
    company: watch_channel::Sender<nodes::Company>,
    flusher: flush::Flusher,
    tools: BTreeMap<String, Arc<dyn Tool>>,
    lanes: Vec<Lane>,
    next_lane: AtomicUsize,
    /// Where commands and house-keeping run.
    home: Handle,
    turns: keyed::Turns,
    /// Commands, legs and title jobs: whatever must end before the node may.
    work: TaskTracker,
    /// House-keeping that goes on until the very end.
    keeping: TaskTracker,
    stop_keeping: CancellationToken,
    draining: CancellationToken,
    held_bytes: Arc<AtomicUsize>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("node", &self.0.node)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine that works for the ports on these lanes, one incarnation of a node.
    ///
    /// Commands and house-keeping run on `home`, a runtime that must outlive the engine, with timers enabled like the
    /// lanes. At least one lane is needed. Call [`Engine::recover`] before the first command.
    pub fn new(ports: Ports, lanes: Vec<Lane>, home: Handle, settings: Settings) -> Self {
        let tools = ports
            .tools
            .iter()
            .map(|tool| (tool.spec().name.clone(), Arc::clone(tool)))
            .collect();
        let node = NodeId::new(ports.ids.random());
        let shared = Arc::new(Shared {
            ports,
            settings,
            node,
            live: live::Registry::default(),
            lease: lease::Lease::default(),
            released: Notify::new(),
            company: watch_channel::Sender::default(),
            flusher: flush::Flusher::default(),
            tools,
            lanes,
            next_lane: AtomicUsize::new(0),
            home,
            turns: keyed::Turns::default(),
            work: TaskTracker::new(),
            keeping: TaskTracker::new(),
            stop_keeping: CancellationToken::new(),
            draining: CancellationToken::new(),
            held_bytes: Arc::default(),
        });
        let keeper = Arc::clone(&shared);
        shared.keeping.spawn_on(
            async move {
                keeper
                    .flusher
                    .run(
                        keeper.ports.run_log.as_ref(),
                        &keeper.lease,
                        &keeper.stop_keeping,
                    )
                    .await;
            },
            &shared.home,
        );
        let listener = Arc::clone(&shared);
        shared.keep(async move { listener.listen().await });
        let renewer = Arc::clone(&shared);
        shared.keep(async move { nodes::keep_lease(&renewer, &renewer.company).await });
        let reaper = Arc::clone(&shared);
        shared.keep(async move { nodes::reap(&reaper, reaper.company.subscribe()).await });
        Self(shared)
    }

    /// The id of this incarnation.
    pub fn node(&self) -> NodeId {
        self.0.node
    }

    /// Whether the other nodes can see that this one lives: it renewed its lease within the last five seconds. While it does
    /// not, answers are neither shown nor stored.
    pub fn holds_lease(&self) -> bool {
        !self.0.lease.is_frozen()
    }

    /// How many legs this node works on.
    pub fn live_legs(&self) -> usize {
        self.0.live.all().len()
    }

    /// Makes this node known to the others and closes what nobody works on: as failed by interruption, with the text that
    /// was flushed. Gives how many legs it closed.
    ///
    /// With the embedded store every open leg that is not this engine's own is one. Where nodes share a store, legs of
    /// nodes that may be alive are left; once a node has been silent for seven seconds, one of the others closes them.
    pub async fn recover(&self) -> Result<usize, EngineError> {
        recover::recover(&self.0).await
    }

    /// Stores a message and begins to answer it; both are durable on return. What it does to an active run is the
    /// policy of the [`Send`].
    ///
    /// The command is carried out to its end also when its caller goes away meanwhile.
    pub async fn send(&self, send: Send) -> Result<Sent, EngineError> {
        if self.0.is_full() {
            return Err(EngineError::Unavailable);
        }
        let shared = Arc::clone(&self.0);
        self.carry_out(async move { send::open(&shared, send).await })
            .await
    }

    /// Watches a leg from its first event. The caller must have been given the leg by this engine, which has checked
    /// who asks.
    pub fn watch(&self, leg: LegId) -> Watch {
        Watch::new(leg, Arc::clone(&self.0))
    }

    /// Goes on with an answer that waits for its reader's consent to calls, as a further leg of the same run and message:
    /// runs the calls that the reader consents to, and asks the model again. Durable on return.
    ///
    /// All calls that wait are answered at once, else [`EngineError::StillWaits`]. Of several that answer the same call one
    /// opens the leg; to the others, and for calls that were answered before, it is [`EngineError::NothingWaits`]. A late
    /// answer, after the run expired or was stopped, goes on with it as long as its message is the conversation's last.
    /// Like [`Engine::send`] it is carried out to its end also when its caller goes away.
    pub async fn resume(&self, resume: Resume) -> Result<Sent, EngineError> {
        if self.0.is_full() {
            return Err(EngineError::Unavailable);
        }
        let shared = Arc::clone(&self.0);
        self.carry_out(async move { paused::resume(&shared, resume).await })
            .await
    }

    /// Stops the conversation's active run, keeps its text and says whether there was one. One that waits for its reader
    /// is over at once.
    ///
    /// A send that came before is stopped as well, though it may still be on its way. When this answers, the run is
    /// closed, unless its owner is slow to do so. Asking again is no error. Like [`Engine::send`] it is carried out to
    /// its end also when its caller goes away.
    pub async fn stop(
        &self,
        caller: &Owner,
        conversation: ConversationId,
    ) -> Result<bool, EngineError> {
        let (engine, caller) = (self.clone(), caller.clone());
        self.carry_out(async move {
            let turn = engine.0.turns.take(conversation).await;
            let shared = &engine.0;
            shared.checked(&caller, conversation, Action::Write).await?;
            let mut looks = 0;
            let asked = loop {
                if let Some(asked) = shared.ports.runs.ask_stop(conversation).await? {
                    break asked;
                }
                looks += 1;
                match paused::stop(shared, conversation).await? {
                    None => return Ok(false),
                    Some(Closed::Done) => return Ok(true),
                    // Someone went on with it, or ended it, between the two looks.
                    Some(Closed::Lost) if looks < STOP_LOOKS => {}
                    Some(Closed::Lost) => return Err(EngineError::Unavailable),
                }
            };
            engine.0.tell(asked.leg, StopCause::Asked);
            drop(turn);
            let closed = async {
                match engine.0.live.find(asked.leg) {
                    Some(live) => live.log.wait_closed().await,
                    None => watch::closed_elsewhere(asked.leg, &engine.0).await,
                }
            };
            // The stop is recorded: an owner that is slow to close does not change the answer.
            let _late = timeout(STOP_WAIT, closed).await;
            Ok(true)
        })
        .await
    }

    /// Loads the vocabulary that messages to this model are counted with, in the background.
    pub fn warm_up(&self, encoding: token_budget::Encoding) {
        if !token_budget::is_loaded(encoding) {
            self.0
                .keeping
                .spawn_blocking_on(move || token_budget::warm_up(encoding), &self.0.home);
        }
    }

    /// Ends the node's work: takes no new commands, leaves legs that no upstream has answered yet to other nodes if there
    /// are any, lets the others go on for `grace`, closes the rest as interrupted with their text, and returns when
    /// everything is in the store.
    pub async fn drain(&self, grace: Duration) {
        let shared = &self.0;
        shared.draining.cancel();
        if shared.company.borrow().alive.len() > 1 {
            for live in shared.live.all() {
                live.release();
            }
        }
        shared.work.close();
        let drained = async {
            tokio::select! {
                () = shared.work.wait() => true,
                () = sleep(grace) => false,
                // Without a store nothing more can be shown or kept.
                () = shared.lease.lost() => false,
            }
        };
        if !drained.await {
            for live in shared.live.all() {
                live.stop(StopCause::Shutdown);
            }
            if timeout(CLOSE_WAIT, shared.work.wait()).await.is_err() {
                tracing::warn!(
                    legs = shared.live.all().len(),
                    "legs are left open; the next start closes them"
                );
            }
        }
        shared.stop_keeping.cancel();
        shared.keeping.close();
        shared.keeping.wait().await;
        // After the last renewal, which would put it back.
        match timeout(RETIRE_WAIT, shared.ports.nodes.retire(shared.node)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(
                    "this node could not say that it ends; the others will find it silent"
                );
            }
        }
    }

    /// Carries a command out to its end in a task of the engine's own: one that was half done when its caller went away
    /// would leave a run in the store that nobody works on, or one that was never told to stop.
    async fn carry_out<T: std::marker::Send + 'static>(
        &self,
        command: impl Future<Output = Result<T, EngineError>> + std::marker::Send + 'static,
    ) -> Result<T, EngineError> {
        match self.0.work.spawn_on(command, &self.0.home).await {
            Ok(outcome) => outcome,
            Err(_gone) => Err(EngineError::Unavailable),
        }
    }
}

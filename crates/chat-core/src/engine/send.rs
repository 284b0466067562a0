//! Sending: one message stored, one leg opened, one task begun.

use std::sync::Arc;

use serde_json::Value;
use token_budget::{Turn, whole_budget};
use tokio::sync::oneshot;

use super::{
    Lane, Shared, leg,
    live::{LiveLeg, Prior},
    paused::{self, ApprovalAnswer},
    prompt, recover, title,
};
use crate::{
    access::Owner,
    conversation::NewConversation,
    error::EngineError,
    event::EventKind,
    id::{ConversationId, LegId, MessageId, RunId},
    message::{Message, MessageBody, NewMessage, PartContent, Role},
    ports::{FreshLeg, IdempotencyKey, LegRef, OpenLeg, Opened, Policy, Quota, Refusal, Signal},
    run::{Leg, LegSettings, RunError, RunStatus, StopCause},
};

/// A run that waits may be resumed and wait again, over and over, while a send wants to end it: it looks at most so often.
const LOOKS: u32 = 5;

/// A message to store and to answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Send {
    /// Who sends it; must own the conversation.
    pub caller: Owner,
    /// Where.
    pub conversation: ConversationId,
    /// What to make the conversation of if it is not there; `None` refuses.
    pub create: Option<NewConversation>,
    /// The message.
    pub input: SendInput,
    /// What becomes of an active run.
    pub policy: Policy,
    /// What the leg is resolved to.
    pub settings: LegSettings,
    /// What the dialect wants back with the leg, opaque.
    pub echo: Option<Value>,
    /// The client's key under which a repeat gives the first outcome.
    pub key: Option<IdempotencyKey>,
    /// What the reader said to calls of a run that waits for that. The message ends such a run: a call that was denied is
    /// kept as denied with the reader's reason, and so is, without one, every call that was not answered or was consented
    /// to, for it does not run any more.
    pub answers: Vec<ApprovalAnswer>,
    /// How many messages the caller may send; [`EngineError::QuotaSpent`] when they have sent more already.
    pub quota: Option<Quota>,
}

/// What a person says.
#[derive(Debug, Clone, PartialEq)]
pub struct SendInput {
    /// The message's id. One that the conversation has already is an edit: that message and all after it are deleted,
    /// and this one takes their place.
    pub id: MessageId,
    /// Its parts, at least one.
    pub parts: Vec<PartContent>,
}

/// What a send came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Sent {
    /// The leg that answers, its opening snapshot.
    pub leg: Leg,
    /// Whether this is the outcome of an earlier send with the same key.
    pub repeated: bool,
}

/// Stores the message, opens the leg and sets its task to work.
pub(super) async fn open(shared: &Arc<Shared>, send: Send) -> Result<Sent, EngineError> {
    // Taken first of all: commands of one conversation are carried out in the order in which they came.
    let _turn = shared.turns.take(send.conversation).await;
    let ids = &shared.ports.ids;
    let at_ms = shared.ports.clock.now_ms();
    let input = count_input(&send, at_ms).await?;
    let mut open = OpenLeg {
        conversation: send.conversation,
        caller: send.caller,
        create: send.create,
        cut_from: Some(send.input.id),
        input: vec![input],
        run: RunId::new(ids.ordered()),
        leg: LegId::new(ids.random()),
        answer: MessageId::new(ids.ordered()),
        policy: send.policy,
        settings: send.settings,
        echo: send.echo,
        node: shared.node,
        key: send.key,
        ends: None,
        quota: send.quota,
        at_ms,
    };
    let fresh = match open_leg(shared, &mut open, &send.answers).await? {
        Ok(fresh) => fresh,
        Err(first) => return repeated(shared, first, open.conversation).await,
    };
    for dropped in &fresh.dropped {
        shared.tell(dropped.leg, StopCause::Dropped);
    }
    if let Some(predecessor) = &fresh.predecessor {
        shared.tell(predecessor.leg, StopCause::Replaced);
    }
    let leg = Leg {
        id: open.leg,
        run: open.run,
        index: 0,
        conversation: open.conversation,
        message: open.answer,
        message_seq: fresh.answer_seq,
        node: open.node,
        epoch: fresh.epoch,
        opened_at_ms: at_ms,
        settings: open.settings,
        echo: open.echo,
        answers: Vec::new(),
        status: RunStatus::Queued,
        error: None,
        closed_at_ms: None,
    };
    let live = begin(shared, leg.clone(), Prior::default());
    let predecessor = fresh
        .predecessor
        .filter(|predecessor| predecessor.node != shared.node)
        .map(|predecessor| predecessor.leg);
    let title = (fresh.created && fresh.conversation.title.is_none())
        .then(|| title::begin(shared, &leg, &open.input))
        .flatten();
    let alone = fresh
        .created
        .then(|| first_message(&open.input, &leg))
        .flatten();
    start(
        shared,
        live,
        Start {
            title,
            alone,
            predecessor,
        },
    );
    shared
        .ports
        .signals
        .ring(Signal::SlotTaken(open.conversation));
    Ok(Sent {
        leg,
        repeated: false,
    })
}

/// Opens the leg, and ends a run that holds the slot and waits for its reader; `Err` is what an earlier send with the same
/// key opened.
async fn open_leg(
    shared: &Shared,
    open: &mut OpenLeg,
    answers: &[ApprovalAnswer],
) -> Result<Result<FreshLeg, LegRef>, EngineError> {
    for _ in 0..LOOKS {
        match shared.ports.conversations.open_leg(open.clone()).await? {
            Opened::Fresh(fresh) => return Ok(Ok(*fresh)),
            Opened::Repeated(first) => return Ok(Err(first)),
            // Most sends meet none that waits, so nobody looks for one before.
            Opened::Refused(Refusal::Paused(paused)) => {
                let end = paused::end(shared, paused, RunStatus::Cancelled, Some(answers));
                open.ends = Some(end.await?);
            }
            Opened::Refused(refusal) => return Err(refused(refusal)),
        }
    }
    Err(EngineError::Unavailable)
}

/// Checks that the new message can be answered at all, and counts it, once in its life.
async fn count_input(send: &Send, at_ms: i64) -> Result<NewMessage, EngineError> {
    let encoding = prompt::encoding_of(&send.settings);
    let mut body = MessageBody::default();
    for (ordinal, content) in (0..).zip(send.input.parts.iter().cloned()) {
        body.parts.push(crate::message::Part {
            ordinal,
            leg: None,
            step: None,
            status: crate::message::PartStatus::Completed,
            started_at_ms: at_ms,
            finished_at_ms: Some(at_ms),
            alias: None,
            content,
        });
    }
    let cost = prompt::counted_cost(&body, Role::User, encoding).await;
    let pinned = send.settings.system.as_deref().map_or(0, |text| {
        token_budget::message_cost(encoding, "system", text, None)
    });
    let turn = Turn {
        pinned,
        live: &[],
        new: cost.tokens,
    };
    whole_budget(send.settings.prompt_budget, &turn).map_err(|too_long| EngineError::TooLong {
        needed: too_long.needed.into(),
        allowed: too_long.allowed.into(),
    })?;
    body.costs = vec![cost];
    Ok(NewMessage {
        id: send.input.id,
        role: Role::User,
        body,
    })
}

/// The message of a conversation that was made with it, as it was stored: reading it back would cost as much as all the rest
/// of a short answer.
fn first_message(input: &[NewMessage], leg: &Leg) -> Option<Message> {
    let [message] = input else { return None };
    Some(Message {
        id: message.id,
        conversation: leg.conversation,
        seq: leg.message_seq.saturating_sub(1),
        role: message.role,
        created_at_ms: leg.opened_at_ms,
        body: message.body.clone(),
    })
}

/// Puts a leg that was just opened into the registry, with its opening event shown.
pub(super) fn begin(shared: &Arc<Shared>, leg: Leg, prior: Prior) -> Arc<LiveLeg> {
    let log = shared.new_log(&leg);
    let opened = opening_event(&leg);
    let n = log.push(leg.opened_at_ms, opened, None);
    let live = Arc::new(LiveLeg::new(leg, log, prior));
    live.log.show(n);
    shared.live.insert(&live);
    shared.flusher.note(&live.log, 0);
    live
}

/// The first event of a leg: a function of its opening snapshot alone.
pub(super) fn opening_event(leg: &Leg) -> EventKind {
    EventKind::LegOpened {
        run: leg.run,
        index: leg.index,
        message: leg.message,
        answers: leg.answers.clone(),
    }
}

/// What a leg's task begins with, besides the leg.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// The title that is being made beside it.
    pub(super) title: Option<oneshot::Receiver<String>>,
    /// The message that it answers, if nothing else stands in the conversation.
    pub(super) alone: Option<Message>,
    /// The leg that it replaced, if another node works on that.
    pub(super) predecessor: Option<LegId>,
}

/// Sets a leg's task to work on the next lane. Should the task panic, the leg is closed as failed.
pub(super) fn start(shared: &Arc<Shared>, live: Arc<LiveLeg>, start: Start) {
    let task_shared = Arc::clone(shared);
    let Some(Lane { handle, model }) = shared.lane() else {
        let task =
            async move { recover::close_live(&task_shared, &live, RunError::Internal).await };
        shared.work.spawn_on(task, &shared.home);
        return;
    };
    let model = Arc::clone(model);
    let task = async move {
        let work = leg::work(&task_shared, &live, model.as_ref(), start);
        if leg::unwind_safe(work).await.is_err() {
            tracing::error!(leg = %live.leg.id, "a leg's task panicked");
            recover::close_live(&task_shared, &live, RunError::Internal).await;
        }
    };
    shared.work.spawn_on(task, handle);
}

/// What a command with the same key came to before.
pub(super) async fn repeated(
    shared: &Shared,
    first: LegRef,
    conversation: ConversationId,
) -> Result<Sent, EngineError> {
    if first.conversation != conversation {
        return Err(EngineError::KeySpent);
    }
    let leg = shared.ports.runs.find_leg(first.leg).await?;
    let leg = leg.ok_or(EngineError::KeySpent)?;
    Ok(Sent {
        leg,
        repeated: true,
    })
}

const fn refused(refusal: Refusal) -> EngineError {
    match refusal {
        Refusal::NotFound => EngineError::NotFound {
            what: "conversation",
        },
        Refusal::Forbidden => EngineError::Forbidden,
        Refusal::MessageTaken => EngineError::MessageTaken,
        Refusal::Busy => EngineError::Busy,
        Refusal::Paused(_) => EngineError::Unavailable,
        Refusal::QuotaSpent => EngineError::QuotaSpent,
    }
}

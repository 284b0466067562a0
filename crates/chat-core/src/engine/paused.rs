//! Runs that wait for their reader's consent: how they go on, and how they end without it.
//!
//! Such a run has no task and no lease. Whoever goes on with it or ends it, on whichever node, does so by one call of the
//! store, and the first one has it.

use std::sync::Arc;

use serde_json::Value;

use super::{
    Shared,
    live::Prior,
    prompt,
    send::{self, Sent, Start},
};
use crate::{
    access::{Action, Owner},
    error::EngineError,
    event::{CallAnswer, Reply},
    fold,
    id::{ConversationId, LegId, MessageId},
    message::{Call, MessageBody, MessageStatus, Role, ToolResult},
    ports::{
        Closed, EndPaused, IdempotencyKey, PausedRun, ResumeRun, Resumed, ResumedLeg, Signal,
        StoreError,
    },
    run::{Leg, LegSettings, RunStatus},
};

/// A run that another command has just resumed or ended is looked at once more.
const LOOKS: u32 = 2;
/// So many runs are expired at a time.
const PAGE: u32 = 100;

/// What a reader said to a call that waits for their consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalAnswer {
    /// The call's own id.
    pub call_id: String,
    /// Whether it may run.
    pub approved: bool,
    /// Why, in the reader's words.
    pub reason: Option<String>,
}

/// What a reader said to the calls of an answer that waits for that: it goes on then.
#[derive(Debug, Clone, PartialEq)]
pub struct Resume {
    /// Who says it; must own the conversation.
    pub caller: Owner,
    /// Where.
    pub conversation: ConversationId,
    /// The answer that waits.
    pub message: MessageId,
    /// What they said. Those to calls that do not wait any more are passed over.
    pub answers: Vec<ApprovalAnswer>,
    /// What the next leg is resolved to.
    pub settings: LegSettings,
    /// What the dialect wants back with that leg, opaque.
    pub echo: Option<Value>,
    /// The client's key under which a repeat gives the first outcome.
    pub key: Option<IdempotencyKey>,
}

/// Opens the next leg of a run that waits, and sets its task to work.
pub(super) async fn resume(shared: &Arc<Shared>, resume: Resume) -> Result<Sent, EngineError> {
    // As with sends: commands of one conversation are carried out in the order in which they came.
    let _turn = shared.turns.take(resume.conversation).await;
    let (caller, conversation) = (&resume.caller, resume.conversation);
    shared.checked(caller, conversation, Action::Write).await?;
    for _ in 0..LOOKS {
        let (command, prior) = match next(shared, &resume).await {
            Ok(next) => next,
            Err(error) => return known(shared, &resume, error).await,
        };
        let resumed = shared.ports.conversations.resume_run(command.clone());
        match resumed.await? {
            Resumed::Fresh(fresh) => {
                return Ok(begin(shared, command, fresh, prior));
            }
            Resumed::Repeated(first) => return send::repeated(shared, first, conversation).await,
            Resumed::Lost => {}
        }
    }
    Err(EngineError::NothingWaits)
}

/// The end of a run that waits: its answer as it is now. With `answers` no call waits any more: those that were denied are,
/// with the reader's reason, and so is every other one, since it will not run.
pub(super) async fn end(
    shared: &Shared,
    paused: PausedRun,
    status: RunStatus,
    answers: Option<&[ApprovalAnswer]>,
) -> Result<EndPaused, StoreError> {
    let at_ms = shared.ports.clock.now_ms();
    let message = shared.ports.messages.find_message(paused.message).await?;
    let mut body = message.map(|message| message.body).unwrap_or_default();
    for (call, call_id) in answers.map_or_else(Vec::new, |_| waiting(&body)) {
        let denial = answers
            .unwrap_or_default()
            .iter()
            .find(|answer| answer.call_id == call_id && !answer.approved);
        let answer = CallAnswer {
            call,
            call_id,
            reply: Reply::Result {
                part: fold::next_ordinal(&body.parts),
                result: ToolResult::Denied {
                    reason: denial.and_then(|denial| denial.reason.clone()),
                },
            },
        };
        fold::take_answer(&mut body.parts, &answer, paused.leg, at_ms);
    }
    body.status = if status == RunStatus::Expired {
        MessageStatus::Incomplete
    } else {
        MessageStatus::Cancelled
    };
    for cost in std::mem::take(&mut body.costs) {
        if let Ok(encoding) = cost.encoding.parse() {
            let counted = prompt::counted_cost(&body, Role::Assistant, encoding).await;
            body.costs.push(counted);
        }
    }
    Ok(EndPaused {
        run: paused.run,
        leg: paused.leg,
        status,
        body,
        at_ms,
    })
}

/// Stops the conversation's run if it waits. `None` when none does; [`Closed::Lost`] when someone else was faster.
pub(super) async fn stop(
    shared: &Shared,
    conversation: ConversationId,
) -> Result<Option<Closed>, StoreError> {
    let Some(paused) = shared.ports.runs.find_paused(conversation).await? else {
        return Ok(None);
    };
    let closed = close(shared, paused, RunStatus::Cancelled).await?;
    Ok(Some(closed))
}

/// Ends the runs whose time to be answered is over, and gives how many. Every node may try; the store knows who was first.
pub(super) async fn expire(shared: &Shared) -> Result<usize, StoreError> {
    let at_ms = shared.ports.clock.now_ms();
    let mut ended = 0;
    loop {
        let expired = shared.ports.runs.list_expired(at_ms, PAGE).await?;
        let before = ended;
        for paused in &expired {
            match close(shared, *paused, RunStatus::Expired).await {
                Ok(Closed::Done) => ended += 1,
                Ok(Closed::Lost) => {}
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
                // One that cannot be read must not keep the others from expiring.
                Err(error @ (StoreError::Corrupt { .. } | StoreError::Fatal(_))) => {
                    tracing::error!(error = &error as &dyn std::error::Error, run = %paused.run, "an expired run cannot be ended");
                }
            }
        }
        // A page of which none could be ended is looked at again with the next round.
        if expired.len() < PAGE as usize || ended == before {
            return Ok(ended);
        }
    }
}

/// Ends a run that waits. Its calls keep waiting, for a late answer.
async fn close(
    shared: &Shared,
    paused: PausedRun,
    status: RunStatus,
) -> Result<Closed, StoreError> {
    let end = end(shared, paused, status, None).await?;
    let closed = shared.ports.runs.end_paused(end).await?;
    if closed == Closed::Done {
        let freed = Signal::SlotFreed(paused.conversation);
        shared.ports.signals.ring(freed);
    }
    Ok(closed)
}

/// What the store is asked, and what the run has come to.
async fn next(shared: &Shared, resume: &Resume) -> Result<(ResumeRun, Prior), EngineError> {
    // The leg before the message: whoever changes that afterwards opens another leg, so that the store refuses this one.
    let newest = shared.ports.runs.newest_leg(resume.conversation).await?;
    let message = shared.ports.messages.find_message(resume.message).await?;
    let body = message
        .filter(|message| message.conversation == resume.conversation)
        .ok_or(EngineError::NotFound { what: "message" })?
        .body;
    let before = newest
        .filter(|leg| leg.message == resume.message && leg.closed_at_ms.is_some())
        .filter(|leg| may_go_on(leg.status))
        .ok_or(EngineError::NothingWaits)?;
    let answers = replies(&body, &resume.answers)?;
    let prior = Prior {
        parts: body.parts.clone(),
        usage: body.usage,
    };
    let (leg, at_ms) = (
        LegId::new(shared.ports.ids.random()),
        shared.ports.clock.now_ms(),
    );
    let mut body = MessageBody {
        status: MessageStatus::InProgress,
        error: None,
        costs: Vec::new(),
        ..body
    };
    for answer in &answers {
        fold::take_answer(&mut body.parts, answer, leg, at_ms);
    }
    let command = ResumeRun {
        conversation: resume.conversation,
        caller: resume.caller.clone(),
        run: before.run,
        after: before.id,
        leg,
        answers,
        body,
        settings: resume.settings.clone(),
        echo: resume.echo.clone(),
        node: shared.node,
        key: resume.key.clone(),
        at_ms,
    };
    Ok((command, prior))
}

/// Whether a run that stands so goes on with an answer, a late one included.
const fn may_go_on(status: RunStatus) -> bool {
    match status {
        RunStatus::RequiresAction | RunStatus::Expired | RunStatus::Cancelled => true,
        RunStatus::Queued
        | RunStatus::InProgress
        | RunStatus::Cancelling
        | RunStatus::Completed
        | RunStatus::Failed
        | RunStatus::Incomplete => false,
    }
}

/// Ordinals and ids of the calls that wait for consent.
fn waiting(body: &MessageBody) -> Vec<(u32, String)> {
    let calls = body
        .parts
        .iter()
        .filter_map(|part| Some((part.ordinal, part.content.as_call()?)));
    calls
        .filter(|(_, call)| Call::waits_for_consent(call))
        .map(|(ordinal, call)| (ordinal, call.call_id.clone()))
        .collect()
}

/// What the reader said to each call that waits: all of them at once.
fn replies(body: &MessageBody, given: &[ApprovalAnswer]) -> Result<Vec<CallAnswer>, EngineError> {
    let waiting = waiting(body);
    let given_to = |call_id: &str| given.iter().find(|answer| answer.call_id == call_id);
    if waiting.iter().all(|(_, id)| given_to(id).is_none()) {
        return Err(EngineError::NothingWaits);
    }
    let mut part = fold::next_ordinal(&body.parts);
    let mut answers = Vec::with_capacity(waiting.len());
    for (call, call_id) in waiting {
        let given = given_to(&call_id).ok_or(EngineError::StillWaits)?;
        let reason = given.reason.clone();
        let reply = if given.approved {
            Reply::Consent { reason }
        } else {
            part += 1;
            Reply::Result {
                part: part - 1,
                result: ToolResult::Denied { reason },
            }
        };
        answers.push(CallAnswer {
            call,
            call_id,
            reply,
        });
    }
    Ok(answers)
}

/// Sets the next leg's task to work.
fn begin(shared: &Arc<Shared>, command: ResumeRun, fresh: ResumedLeg, prior: Prior) -> Sent {
    let leg = Leg {
        id: command.leg,
        run: command.run,
        index: fresh.index,
        conversation: command.conversation,
        message: fresh.message,
        message_seq: fresh.message_seq,
        node: command.node,
        epoch: fresh.epoch,
        opened_at_ms: command.at_ms,
        settings: command.settings,
        echo: command.echo,
        answers: command.answers,
        status: RunStatus::Queued,
        error: None,
        closed_at_ms: None,
    };
    let live = send::begin(shared, leg.clone(), prior);
    send::start(shared, live, Start::default());
    let taken = Signal::SlotTaken(leg.conversation);
    shared.ports.signals.ring(taken);
    Sent {
        leg,
        repeated: false,
    }
}

/// What a command came to that finds nothing waiting: what its first try came to, if it is a repetition, and else the error.
async fn known(shared: &Shared, resume: &Resume, error: EngineError) -> Result<Sent, EngineError> {
    let Some(key) = &resume.key else {
        return Err(error);
    };
    // After a leg that nobody has: only the key can be answered.
    let nobody = LegId::new(shared.ports.ids.random());
    let probe = ResumeRun {
        conversation: resume.conversation,
        caller: resume.caller.clone(),
        run: crate::id::RunId::new(shared.ports.ids.ordered()),
        after: nobody,
        leg: nobody,
        answers: Vec::new(),
        body: MessageBody::default(),
        settings: resume.settings.clone(),
        echo: None,
        node: shared.node,
        key: Some(key.clone()),
        at_ms: shared.ports.clock.now_ms(),
    };
    match shared.ports.conversations.resume_run(probe).await? {
        Resumed::Repeated(first) => send::repeated(shared, first, resume.conversation).await,
        Resumed::Fresh(_) | Resumed::Lost => Err(error),
    }
}

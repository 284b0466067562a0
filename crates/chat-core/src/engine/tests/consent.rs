//! Calls that wait for their reader's consent.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    answer, call, calls, stuck,
    support::{Faulty, House, RunText as _, read_all, start, texts},
    tools::Weather,
};
use crate::{
    access::Owner,
    engine::{ApprovalAnswer, Engine, Ports, Resume, Send, Settings},
    error::EngineError,
    event::{EventKind, FinishReason, RunEvent},
    id::UserId,
    message::{Call, Message, MessageStatus, ToolResult},
    ports::{
        IdempotencyKey, Messages as _, ModelEventKind, PromptItem, RunLog as _, Runs as _, Tool,
    },
    run::{Leg, Outcome, RunError, RunStatus, Usage},
    testing::{Line, ManualClock, settings},
};

const NOW_MS: i64 = 1_700_000_000_000;

/// A house whose one tool needs consent.
pub(super) struct Asking {
    pub(super) house: House,
    pub(super) tool: Arc<Weather>,
    pub(super) clock: Arc<ManualClock>,
}

impl Asking {
    pub(super) fn new(scripts: impl IntoIterator<Item = Vec<Line>>) -> Self {
        Self::with(scripts, Duration::ZERO, &Faulty::default())
    }

    pub(super) fn with(
        scripts: impl IntoIterator<Item = Vec<Line>>,
        takes: Duration,
        faults: &Faulty,
    ) -> Self {
        let mut asking = Self {
            house: House::new(scripts),
            tool: Weather::new("weather", takes),
            clock: Arc::new(ManualClock::at(NOW_MS)),
        };
        let runs = Arc::new(Faulty {
            store: asking.house.store.clone(),
            ..faults.clone()
        });
        let ports = Ports {
            runs: Arc::clone(&runs) as _,
            run_log: runs,
            ..asking.ports()
        };
        asking.house.engine = start(
            ports,
            Arc::clone(&asking.house.model) as _,
            Settings::default(),
        );
        asking
    }

    pub(super) fn ports(&self) -> Ports {
        let free = Weather::new("free", Duration::ZERO);
        Ports {
            clock: Arc::clone(&self.clock) as _,
            tools: vec![Arc::clone(&self.tool) as Arc<dyn Tool>, free],
            ..self.house.ports()
        }
    }

    /// Another node over the same store.
    pub(super) fn node(&self) -> Engine {
        let model = Arc::clone(&self.house.model) as _;
        start(self.ports(), model, Settings::default())
    }

    pub(super) fn message(&self, id: u128, text: &str) -> Send {
        let mut send = self.house.message(id, text);
        send.settings.tools = vec!["weather".to_owned(), "free".to_owned()];
        send.settings.consent = vec!["weather".to_owned()];
        send
    }

    /// Sends, reads to the end and gives the leg with its events.
    pub(super) async fn ask(&self, id: u128) -> (Leg, Vec<RunEvent>) {
        let send = self.message(id, "What is the weather?");
        let leg = self.house.engine.send(send).await.unwrap().leg;
        let events = read_all(&self.house.engine, leg.id).await;
        (leg, events)
    }

    pub(super) fn resume(&self, leg: &Leg, answers: &[(&str, bool, Option<&str>)]) -> Resume {
        let answer = |(call_id, approved, reason): &(&str, bool, Option<&str>)| ApprovalAnswer {
            call_id: (*call_id).to_owned(),
            approved: *approved,
            reason: reason.map(str::to_owned),
        };
        Resume {
            caller: self.house.owner.clone(),
            conversation: self.house.conversation,
            message: leg.message,
            answers: answers.iter().map(answer).collect(),
            settings: self.message(0, "").settings,
            echo: None,
            key: None,
        }
    }

    pub(super) async fn stored(&self, leg: &Leg) -> Message {
        let found = self.house.store.find_message(leg.message).await.unwrap();
        found.unwrap()
    }

    pub(super) async fn status(&self, leg: &Leg) -> RunStatus {
        let found = self.house.store.find_leg(leg.id).await.unwrap();
        found.unwrap().status
    }
}

pub(super) fn weather() -> Vec<Line> {
    let mut script = vec![Line::text("Let me see. ")];
    script.extend(calls([call(0, "weather", "{\"city\":\"Rome\"}")]));
    script
}

/// What the model was told of calls, in its last request.
fn told(asking: &Asking) -> Vec<ToolResult> {
    let requests = asking.house.model.requests();
    let items = requests.last().unwrap().items.iter();
    let outputs = items.filter_map(|item| match item {
        PromptItem::Output { result, .. } => Some(result.clone()),
        PromptItem::System(_) | PromptItem::User { .. } | PromptItem::Assistant { .. } => None,
    });
    outputs.collect()
}

fn outputs(message: &Message) -> Vec<ToolResult> {
    let outputs = message
        .body
        .parts
        .iter()
        .filter_map(|part| part.content.as_output());
    outputs.map(|(_, result)| result.clone()).collect()
}

fn denied(reason: Option<&str>) -> ToolResult {
    ToolResult::Denied {
        reason: reason.map(str::to_owned),
    }
}

/// Where the first event stands for which this holds.
fn place(events: &[RunEvent], wanted: impl Fn(&EventKind) -> bool) -> usize {
    let place = events.iter().position(|event| wanted(&event.kind));
    place.unwrap_or_else(|| panic!("{events:#?}"))
}

pub(super) const fn is_asked(kind: &EventKind) -> bool {
    matches!(kind, EventKind::ApprovalRequested { .. })
}

#[tokio::test(start_paused = true)]
async fn a_call_that_needs_consent_waits_and_is_not_run() {
    let asking = Asking::new([weather()]);
    let (leg, events) = asking.ask(10).await;
    let [.., asked, finished, paused] = events.as_slice() else {
        panic!("{events:#?}");
    };
    let EventKind::ApprovalRequested { part, approval } = &asked.kind else {
        panic!("{asked:?}");
    };
    assert!(uuid::Uuid::parse_str(approval).is_ok());
    assert!(matches!(
        finished.kind,
        EventKind::StepFinished {
            step: 0,
            reason: FinishReason::ToolCalls,
            ..
        }
    ));
    assert_eq!(
        paused.kind,
        EventKind::Paused {
            calls: Vec::new(),
            approvals: vec![*part],
            expires_at_ms: NOW_MS + 600_000,
        }
    );
    assert_eq!(asking.tool.calls(), 0);
    let newest = asking.house.newest_leg().await;
    assert_eq!(newest.status, RunStatus::RequiresAction);
    assert!(newest.closed_at_ms.is_some());
    assert_eq!(read_all(&asking.node(), leg.id).await, events);
    let message = asking.stored(&leg).await;
    assert_eq!(message.body.status, MessageStatus::InProgress);
    assert!(message.body.parts.iter().any(|part| {
        let call = part.content.as_call();
        call.is_some_and(Call::waits_for_consent)
    }));
    let shown = texts(&asking.house.messages().await);
    assert_eq!(shown.len(), 1, "an answer in progress is not listed");
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_is_shown_once_the_run_waits() {
    let time = Duration::from_secs(7);
    let faults = Faulty {
        slow_close: time,
        ..Faulty::default()
    };
    let asking = Asking::with([weather()], Duration::ZERO, &faults);
    let neighbour = asking.node();
    let send = asking.message(10, "What is the weather?");
    let leg = asking.house.engine.send(send).await.unwrap().leg;
    for engine in [&asking.house.engine, &neighbour] {
        let mut watch = engine.watch(leg.id);
        let mut seen = Vec::new();
        while let Some(events) = watch.next().await.unwrap() {
            let waits = asking.status(&leg).await == RunStatus::RequiresAction;
            let of_the_end = |event: &RunEvent| {
                is_asked(&event.kind)
                    || matches!(event.kind, EventKind::StepFinished { .. })
                    || event.kind.is_closing()
            };
            assert!(waits || !events.iter().any(of_the_end), "{events:#?}");
            seen.extend(events);
        }
        let last = seen.last().unwrap();
        assert!(matches!(last.kind, EventKind::Paused { .. }));
    }
}

#[tokio::test(start_paused = true)]
async fn another_node_shows_what_is_asked_once_the_run_waits() {
    let faults = Faulty {
        slow_close: Duration::from_secs(7),
        ..Faulty::default()
    };
    let asking = Asking::with([weather()], Duration::ZERO, &faults);
    let neighbour = asking.node();
    let send = asking.message(10, "What is the weather?");
    let leg = asking.house.engine.send(send).await.unwrap().leg;
    sleep(Duration::from_secs(2)).await;
    let flushed = asking.house.store.read(leg.id, 0, u32::MAX).await.unwrap();
    assert!(
        flushed.iter().any(|event| is_asked(&event.kind)),
        "{flushed:#?}"
    );
    let mut watch = neighbour.watch(leg.id);
    let early = watch.next().await.unwrap().unwrap();
    assert!(!early.iter().any(|event| is_asked(&event.kind)));
    let late = watch.next().await.unwrap().unwrap();
    assert!(is_asked(&late[0].kind));
    assert_eq!(asking.status(&leg).await, RunStatus::RequiresAction);
}

#[tokio::test(start_paused = true)]
async fn consent_runs_the_call_and_continues_the_same_message() {
    let asking = Asking::new([weather(), answer(&["It is sunny."])]);
    let (leg, first) = asking.ask(10).await;
    let resume = asking.resume(&leg, &[("same", true, Some("please"))]);
    let resumed = asking.house.engine.resume(resume).await.unwrap();
    assert!(!resumed.repeated);
    let next = resumed.leg;
    assert_eq!((next.index, next.run), (1, leg.run));
    assert_eq!(
        (next.message, next.message_seq),
        (leg.message, leg.message_seq)
    );
    let events = read_all(&asking.house.engine, next.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert!(matches!(
        &events[0].kind,
        EventKind::LegOpened { index: 1, answers, .. } if answers.len() == 1
    ));
    let finished = place(&events, |kind| {
        matches!(kind, EventKind::ToolFinished { .. })
    });
    let started = place(&events, |kind| {
        matches!(kind, EventKind::StepStarted { step: 1, .. })
    });
    assert!(finished < started, "{events:#?}");
    assert_eq!(asking.tool.calls(), 1);
    assert!(matches!(told(&asking)[..], [ToolResult::Output { .. }]));

    let messages = asking.house.messages().await;
    assert_eq!(
        texts(&messages)[1],
        ("assistant", "Let me see. It is sunny.".to_owned())
    );
    let body = &messages[1].body;
    assert_eq!((messages.len(), body.status), (2, MessageStatus::Completed));
    let ordinals: Vec<u32> = body.parts.iter().map(|part| part.ordinal).collect();
    assert_eq!(ordinals, [0, 1, 2, 3]);
    let steps: Vec<_> = body.parts.iter().map(|part| part.step).collect();
    assert_eq!(steps, [Some(0), Some(0), Some(0), Some(1)]);
    let approval = body.parts[1].content.as_call().unwrap().approval.clone();
    let approval = approval.unwrap();
    assert_eq!(
        (approval.approved, approval.reason.as_deref()),
        (Some(true), Some("please"))
    );
    for (leg, events) in [(&leg, first), (&next, events)] {
        assert_eq!(read_all(&asking.node(), leg.id).await, events);
        assert_eq!(asking.status(leg).await, RunStatus::Completed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_told_to_the_model_with_its_reason() {
    let asking = Asking::new([weather(), answer(&["As you wish."])]);
    let (leg, _) = asking.ask(10).await;
    let resume = asking.resume(&leg, &[("same", false, Some("too expensive"))]);
    let next = asking.house.engine.resume(resume).await.unwrap().leg;
    let events = read_all(&asking.house.engine, next.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert_eq!(asking.tool.calls(), 0);
    assert_eq!(told(&asking), [denied(Some("too expensive"))]);
    let message = asking.stored(&next).await;
    assert_eq!(outputs(&message), [denied(Some("too expensive"))]);
    assert_eq!(message.body.status, MessageStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn the_other_calls_of_the_step_run_before_it_waits() {
    let script = calls([call(0, "weather", "{}"), call(1, "free", "{}")]);
    let asking = Asking::new([script, answer(&["Both."])]);
    let (leg, events) = asking.ask(10).await;
    let finished = place(&events, |kind| {
        matches!(kind, EventKind::ToolFinished { .. })
    });
    assert!(finished < place(&events, is_asked), "{events:#?}");
    assert_eq!(asking.tool.calls(), 0);
    let resume = asking.resume(&leg, &[("same", true, None)]);
    let next = asking.house.engine.resume(resume).await.unwrap().leg;
    let events = read_all(&asking.house.engine, next.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert_eq!(told(&asking).len(), 2);
    assert_eq!(asking.tool.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_cannot_be_run_is_not_asked_about() {
    let script = calls([call(0, "weather", "Rome"), call(1, "nothing", "{}")]);
    let asking = Asking::new([script, answer(&["I see."])]);
    let mut send = asking.message(10, "A");
    send.settings.consent.push("nothing".to_owned());
    let leg = asking.house.engine.send(send).await.unwrap().leg;
    let events = read_all(&asking.house.engine, leg.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert!(!events.iter().any(|event| is_asked(&event.kind)));
    assert_eq!(asking.tool.calls(), 0);
    let told = told(&asking);
    assert_eq!(told.len(), 2);
    assert!(
        told.iter()
            .all(|one| matches!(one, ToolResult::Error { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn all_calls_that_wait_are_answered_at_once() {
    let script = calls([call(0, "weather", "{}"), call(1, "weather", "{}")]);
    let asking = Asking::new([script, answer(&["Done."])]);
    let (leg, _) = asking.ask(10).await;
    let message = asking.stored(&leg).await;
    let ids: Vec<&str> = message
        .body
        .parts
        .iter()
        .filter_map(|part| part.content.as_call())
        .map(|call| call.call_id.as_str())
        .collect();
    let engine = &asking.house.engine;
    let one = asking.resume(&leg, &[(ids[0], true, None)]);
    assert!(matches!(
        engine.resume(one).await,
        Err(EngineError::StillWaits)
    ));
    let other = asking.resume(&leg, &[("call_of_nobody", true, None)]);
    assert!(matches!(
        engine.resume(other).await,
        Err(EngineError::NothingWaits)
    ));
    let both = asking.resume(
        &leg,
        &[
            ("call_of_nobody", true, None),
            (ids[0], true, None),
            (ids[1], false, None),
        ],
    );
    let next = engine.resume(both.clone()).await.unwrap().leg;
    read_all(engine, next.id).await;
    assert_eq!(asking.tool.calls(), 1);
    assert!(matches!(
        engine.resume(both).await,
        Err(EngineError::NothingWaits)
    ));
    let stored = asking.stored(&leg).await;
    assert_eq!(outputs(&stored).len(), 2);
    let ordinals = stored.body.parts.iter().map(|part| part.ordinal);
    assert!(ordinals.eq(0..5), "{stored:#?}");
}

#[tokio::test(start_paused = true)]
async fn of_several_answers_one_opens_a_leg() {
    let asking = Asking::new([weather(), answer(&["It is sunny."])]);
    let (leg, _) = asking.ask(10).await;
    let neighbour = asking.node();
    let resume = || asking.resume(&leg, &[("same", true, None)]);
    let (a, b, c) = tokio::join!(
        asking.house.engine.resume(resume()),
        neighbour.resume(resume()),
        asking.house.engine.resume(resume()),
    );
    let (opened, refused): (Vec<_>, Vec<_>) = [a, b, c].into_iter().partition(Result::is_ok);
    assert_eq!((opened.len(), refused.len()), (1, 2));
    for error in refused {
        assert!(matches!(error, Err(EngineError::NothingWaits)), "{error:?}");
    }
    let next = opened.into_iter().next().unwrap().unwrap().leg;
    read_all(&neighbour, next.id).await;
    assert_eq!(asking.tool.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_repeated_answer_with_its_key_gives_the_first_outcome() {
    let asking = Asking::new([weather(), answer(&["It is sunny."])]);
    let (leg, _) = asking.ask(10).await;
    let mut resume = asking.resume(&leg, &[("same", true, None)]);
    resume.key = Some(IdempotencyKey("key".to_owned()));
    let first = asking.house.engine.resume(resume.clone()).await.unwrap();
    read_all(&asking.house.engine, first.leg.id).await;
    let second = asking.house.engine.resume(resume).await.unwrap();
    assert!(second.repeated);
    assert_eq!(second.leg.id, first.leg.id);
}

#[tokio::test(start_paused = true)]
async fn another_node_goes_on_with_what_waits() {
    let asking = Asking::new([weather(), answer(&["It is sunny."])]);
    let (leg, _) = asking.ask(10).await;
    asking.house.engine.drain(Duration::from_secs(1)).await;
    assert_eq!(asking.status(&leg).await, RunStatus::RequiresAction);
    let neighbour = asking.node();
    assert_eq!(neighbour.recover().await.unwrap(), 0);
    let resume = asking.resume(&leg, &[("same", true, None)]);
    let next = neighbour.resume(resume).await.unwrap().leg;
    let events = read_all(&neighbour, next.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert_eq!(
        asking.stored(&leg).await.body.text(),
        "Let me see. It is sunny."
    );
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_a_later_leg_keeps_what_was_written_before() {
    for takes in [Duration::ZERO, Duration::from_hours(1)] {
        let asking = Asking::with([weather(), stuck("It is")], takes, &Faulty::default());
        let (leg, _) = asking.ask(10).await;
        let resume = asking.resume(&leg, &[("same", true, None)]);
        let next = asking.house.engine.resume(resume).await.unwrap().leg;
        sleep(Duration::from_secs(1)).await;
        let restarted = asking.house.restarted();
        assert_eq!(restarted.recover().await.unwrap(), 1);
        let message = asking.stored(&leg).await;
        let is_done = takes.is_zero();
        let text = if is_done {
            "Let me see. It is"
        } else {
            "Let me see. "
        };
        assert_eq!(message.body.text(), text);
        assert_eq!(message.body.status, MessageStatus::Failed);
        assert_eq!(outputs(&message).len(), usize::from(is_done));
        let call = message.body.parts[1].content.as_call().unwrap();
        assert!(!call.waits_for_consent(), "the answer is kept");
        assert_eq!(
            read_all(&restarted, next.id).await.ending(),
            Some((Outcome::Failed, Some(RunError::Interrupted)))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_nobody_answers_expires_and_goes_on_late() {
    let asking = Asking::new([weather(), answer(&["It is sunny."])]);
    let (leg, _) = asking.ask(10).await;
    asking.clock.move_by(599_999);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(asking.status(&leg).await, RunStatus::RequiresAction);
    asking.clock.move_by(1);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(asking.status(&leg).await, RunStatus::Expired);
    let message = asking.stored(&leg).await;
    assert_eq!(message.body.status, MessageStatus::Incomplete);
    assert_eq!(asking.house.messages().await.len(), 2);
    let encoding = &settings().encoding;
    assert!(message.body.cost(encoding).is_some());

    let resume = asking.resume(&leg, &[("same", true, None)]);
    let next = asking.house.engine.resume(resume).await.unwrap().leg;
    assert_eq!((next.run, next.message), (leg.run, leg.message));
    let events = read_all(&asking.house.engine, next.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    let messages = asking.house.messages().await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].body.text(), "Let me see. It is sunny.");
    assert_eq!(messages[1].body.status, MessageStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_nobody_answered_is_told_as_denied() {
    let asking = Asking::new([weather(), answer(&["Never mind."])]);
    let (leg, _) = asking.ask(10).await;
    asking.clock.move_by(600_000);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(asking.status(&leg).await, RunStatus::Expired);
    let (_, events) = asking.ask(11).await;
    assert_eq!(events.text(), "Never mind.");
    assert_eq!(told(&asking), [denied(None)]);
    let late = asking.resume(&leg, &[("same", true, None)]);
    assert!(matches!(
        asking.house.engine.resume(late).await,
        Err(EngineError::NothingWaits)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_new_message_ends_a_run_that_waits() {
    for (answers, reason) in [
        (vec![], None),
        (vec![("same", true, Some("go on"))], None),
        (vec![("same", false, Some("no"))], Some("no")),
    ] {
        let asking = Asking::new([weather(), answer(&["Something else."])]);
        let (leg, _) = asking.ask(10).await;
        let mut send = asking.message(11, "Something else?");
        send.answers = asking.resume(&leg, &answers).answers;
        let next = asking.house.engine.send(send).await.unwrap().leg;
        let events = read_all(&asking.house.engine, next.id).await;
        assert_eq!(events.ending(), Some((Outcome::Completed, None)));
        assert_eq!(asking.status(&leg).await, RunStatus::Cancelled);
        let message = asking.stored(&leg).await;
        assert_eq!(message.body.status, MessageStatus::Cancelled);
        assert_eq!(outputs(&message), [denied(reason)]);
        assert_eq!(told(&asking), [denied(reason)]);
        assert_eq!(asking.tool.calls(), 0);
        assert_eq!(asking.house.messages().await.len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn an_edit_drops_a_run_that_waits() {
    let asking = Asking::new([weather(), answer(&["Edited."])]);
    let (leg, _) = asking.ask(10).await;
    let (_, events) = asking.ask(10).await;
    assert_eq!(events.text(), "Edited.");
    assert_eq!(asking.house.store.find_leg(leg.id).await.unwrap(), None);
    assert_eq!(asking.house.messages().await.len(), 2);
    assert_eq!(told(&asking), []);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_a_run_that_waits() {
    let asking = Asking::new([weather(), answer(&["It is sunny."])]);
    let (leg, _) = asking.ask(10).await;
    assert!(asking.house.stop().await.unwrap());
    assert_eq!(asking.status(&leg).await, RunStatus::Cancelled);
    let message = asking.stored(&leg).await;
    assert_eq!(message.body.status, MessageStatus::Cancelled);
    assert!(
        !asking.house.stop().await.unwrap(),
        "nothing is left to stop"
    );
    // The reader may change their mind.
    let resume = asking.resume(&leg, &[("same", true, None)]);
    let next = asking.house.engine.resume(resume).await.unwrap().leg;
    read_all(&asking.house.engine, next.id).await;
    assert_eq!(asking.status(&next).await, RunStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_comes_while_a_run_begins_to_wait_ends_it() {
    let faults = Faulty {
        slow_close: Duration::from_millis(500),
        ..Faulty::default()
    };
    let asking = Asking::with([weather()], Duration::ZERO, &faults);
    let send = asking.message(10, "What is the weather?");
    let leg = asking.house.engine.send(send).await.unwrap().leg;
    sleep(Duration::from_millis(100)).await;
    assert!(asking.house.stop().await.unwrap());
    let events = read_all(&asking.house.engine, leg.id).await;
    assert_eq!(events.ending(), Some((Outcome::Cancelled, None)));
    let closings = events.iter().filter(|event| event.kind.is_closing());
    assert_eq!(closings.count(), 1);
    assert_eq!(asking.status(&leg).await, RunStatus::Cancelled);
    assert_eq!(asking.tool.calls(), 0);
    assert_eq!(read_all(&asking.node(), leg.id).await, events);
    let message = asking.stored(&leg).await;
    assert_eq!(message.body.status, MessageStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_later_leg_is_stopped_like_any_other() {
    let asking = Asking::with([weather()], Duration::from_hours(1), &Faulty::default());
    let (leg, _) = asking.ask(10).await;
    let resume = asking.resume(&leg, &[("same", true, None)]);
    let next = asking.house.engine.resume(resume).await.unwrap().leg;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(asking.tool.going.load(Ordering::Acquire), 1);
    assert!(asking.house.stop().await.unwrap());
    assert_eq!(asking.tool.going.load(Ordering::Acquire), 0);
    let message = asking.stored(&next).await;
    assert_eq!(message.body.status, MessageStatus::Cancelled);
    assert_eq!(message.body.text(), "Let me see. ");
    let again = asking.resume(&leg, &[("same", true, None)]);
    assert!(matches!(
        asking.house.engine.resume(again).await,
        Err(EngineError::NothingWaits)
    ));
}

#[tokio::test(start_paused = true)]
async fn each_request_has_its_own_steps_and_all_are_charged() {
    let costly = |script: Vec<Line>| {
        let mut script = script;
        script.push(Line::Say(ModelEventKind::Usage(Usage {
            input: 10,
            output: 1,
            ..Usage::default()
        })));
        script
    };
    let asking = Asking::new([
        costly(weather()),
        costly(weather()),
        costly(answer(&["Done."])),
    ]);
    let mut send = asking.message(10, "A");
    send.settings.max_steps = 1;
    let leg = asking.house.engine.send(send).await.unwrap().leg;
    read_all(&asking.house.engine, leg.id).await;
    for step in 1..3 {
        let message = asking.stored(&leg).await;
        let waits = message
            .body
            .parts
            .iter()
            .filter_map(|part| part.content.as_call())
            .find(|call| call.waits_for_consent());
        let id = waits.unwrap().call_id.clone();
        let mut resume = asking.resume(&leg, &[(&id, true, None)]);
        resume.settings.max_steps = 1;
        let next = asking.house.engine.resume(resume).await.unwrap().leg;
        let events = read_all(&asking.house.engine, next.id).await;
        place(
            &events,
            |kind| matches!(kind, EventKind::StepStarted { step: at, .. } if *at == step),
        );
    }
    let message = asking.stored(&leg).await;
    assert_eq!(message.body.status, MessageStatus::Completed);
    let usage = message.body.usage.unwrap();
    assert_eq!((usage.input, usage.output), (30, 3));
    assert_eq!(asking.tool.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn strangers_cannot_answer() {
    let asking = Asking::new([weather()]);
    let mut send = asking.message(10, "What is the weather?");
    // They may read it.
    if let Some(create) = &mut send.create {
        create.visibility = crate::access::Visibility::Public;
    }
    let leg = asking.house.engine.send(send).await.unwrap().leg;
    read_all(&asking.house.engine, leg.id).await;
    let mut resume = asking.resume(&leg, &[("same", true, None)]);
    resume.caller = Owner::User(UserId::new(uuid::Uuid::from_u128(77)));
    let engine = &asking.house.engine;
    assert!(matches!(
        engine.resume(resume.clone()).await,
        Err(EngineError::Forbidden)
    ));
    resume.caller = asking.house.owner.clone();
    resume.message = crate::id::MessageId::new(uuid::Uuid::from_u128(78));
    assert!(matches!(
        engine.resume(resume).await,
        Err(EngineError::NotFound { what: "message" })
    ));
    assert_eq!(asking.status(&leg).await, RunStatus::RequiresAction);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_not_found_by_a_search_before_its_run_is_over() {
    let asking = Asking::new([weather()]);
    let (leg, _) = asking.ask(10).await;
    let search = |text: &str| {
        asking.house.engine.search(crate::ports::SearchQuery {
            owner: asking.house.owner.clone(),
            text: text.to_owned(),
            limit: 10,
        })
    };
    assert_eq!(asking.status(&leg).await, RunStatus::RequiresAction);
    assert!(search("see").await.unwrap().is_empty());
    assert!(
        asking
            .house
            .engine
            .stop(&asking.house.owner, asking.house.conversation)
            .await
            .unwrap()
    );
    assert_eq!(search("see").await.unwrap().len(), 1);
}

//! Runs that begin to wait while something else happens to them.

use std::{
    sync::{Arc, atomic::AtomicUsize},
    time::Duration,
};

use tokio::time::{Instant, sleep};

use super::{
    answer, call, calls,
    consent::{Asking, is_asked, weather},
    stuck,
    support::{Faulty, RunText as _, read_all},
};
use crate::{
    error::EngineError,
    event::{EventKind, FinishReason, RunEvent},
    id::ConversationId,
    message::MessageStatus,
    ports::{LogBatch, ModelEventKind, RunLog as _},
    run::{Leg, Outcome, RunError, RunStatus, Usage},
    testing::Line,
};

/// A house whose closes take so long, with a run that is about to wait.
async fn about_to_wait(slow_close: Duration, faults: Faulty) -> (Asking, Leg) {
    let faults = Faulty {
        slow_close,
        ..faults
    };
    let asking = Asking::with([weather()], Duration::ZERO, &faults);
    let send = asking.message(10, "What is the weather?");
    let leg = asking.house.engine.send(send).await.unwrap().leg;
    sleep(Duration::from_millis(100)).await;
    (asking, leg)
}

#[tokio::test(start_paused = true)]
async fn a_crash_after_a_stop_leaves_nothing_waiting() {
    let (asking, leg) = about_to_wait(Duration::from_hours(1), Faulty::default()).await;
    assert!(asking.house.stop().await.unwrap());
    let restarted = asking.house.restarted();
    assert_eq!(restarted.recover().await.unwrap(), 1);
    let events = read_all(&restarted, leg.id).await;
    assert!(
        matches!(events.ending(), Some((Outcome::Cancelled, _))),
        "{events:#?}"
    );
    assert!(!events.iter().any(|event| is_asked(&event.kind)));
    let message = asking.stored(&leg).await;
    assert_eq!(message.body.status, MessageStatus::Cancelled);
    let calls = message.body.parts.iter();
    let mut calls = calls.filter_map(|part| part.content.as_call());
    assert!(calls.all(|call| !call.waits_for_consent()));
}

#[tokio::test(start_paused = true)]
async fn readers_of_a_deleted_leg_are_asked_nothing() {
    let (asking, leg) = about_to_wait(Duration::from_millis(500), Faulty::default()).await;
    let house = &asking.house;
    let (events, ()) = tokio::join!(read_all(&house.engine, leg.id), async {
        sleep(Duration::from_millis(100)).await;
        let deleted = house.engine.delete(&house.owner, house.conversation).await;
        deleted.unwrap();
    });
    assert_eq!(events.ending(), Some((Outcome::Cancelled, None)));
    assert!(!events.iter().any(|event| is_asked(&event.kind)));
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_a_run_that_begins_to_wait_outlasts_a_store_that_is_away() {
    let faults = Faulty {
        failing_standings: Arc::new(AtomicUsize::new(3)),
        ..Faulty::default()
    };
    let (asking, leg) = about_to_wait(Duration::from_millis(500), faults).await;
    assert!(asking.house.stop().await.unwrap());
    assert_eq!(asking.status(&leg).await, RunStatus::Cancelled);
    let events = read_all(&asking.house.engine, leg.id).await;
    assert_eq!(events.ending(), Some((Outcome::Cancelled, None)));
}

#[tokio::test(start_paused = true)]
async fn one_run_that_cannot_be_ended_does_not_keep_others_from_expiring() {
    let faults = Faulty::default();
    let mut asking = Asking::with([weather(), weather()], Duration::ZERO, &faults);
    let (first, _) = asking.ask(10).await;
    faults.endless.set(first.run).unwrap();
    asking.clock.move_by(1);
    asking.house.conversation = ConversationId::new(uuid::Uuid::from_u128(3));
    let (second, _) = asking.ask(11).await;
    asking.clock.move_by(600_000);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(asking.status(&second).await, RunStatus::Expired);
    assert_eq!(asking.status(&first).await, RunStatus::RequiresAction);
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_a_run_waits_leaves_nothing_waiting() {
    // It hangs after a call whose arguments are not whole.
    let mut script = weather();
    script.pop();
    script.push(Line::Hang);
    let asking = Asking::new([script]);
    let send = asking.message(10, "What is the weather?");
    let leg = asking.house.engine.send(send).await.unwrap().leg;
    sleep(Duration::from_secs(1)).await;
    // What another node's log holds between the request and the pause, as while it waits for a title.
    let stored = asking.house.store.read(leg.id, 0, u32::MAX).await.unwrap();
    let last = stored.last().unwrap();
    let kinds = [
        EventKind::ApprovalRequested {
            part: 1,
            approval: "asked".to_owned(),
        },
        EventKind::StepFinished {
            step: 0,
            reason: FinishReason::ToolCalls,
            usage: None,
        },
    ];
    let events = (last.n + 1..).zip(kinds).map(|(n, kind)| RunEvent {
        n,
        at_ms: last.at_ms,
        kind,
        raw: None,
    });
    let batch = LogBatch {
        leg: leg.id,
        first: last.n + 1,
        events: events.collect(),
    };
    asking.house.store.append(vec![batch]).await.unwrap();
    let restarted = asking.house.restarted();
    assert_eq!(restarted.recover().await.unwrap(), 1);
    let events = read_all(&restarted, leg.id).await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Failed, Some(RunError::Interrupted)))
    );
    assert!(!events.iter().any(|event| is_asked(&event.kind)));
    let message = asking.stored(&leg).await;
    let call = message.body.parts[1].content.as_call().unwrap();
    assert!(!call.waits_for_consent());
}

#[tokio::test(start_paused = true)]
async fn a_crash_in_a_later_leg_charges_each_step_once() {
    let costly = |mut script: Vec<Line>| {
        script.push(Line::Say(ModelEventKind::Usage(Usage {
            input: 10,
            output: 1,
            ..Usage::default()
        })));
        script
    };
    let asking = Asking::new([
        costly(weather()),
        costly(calls([call(0, "free", "{}")])),
        stuck("It is"),
    ]);
    let (leg, _) = asking.ask(10).await;
    let resume = asking.resume(&leg, &[("same", true, None)]);
    asking.house.engine.resume(resume).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let restarted = asking.house.restarted();
    assert_eq!(restarted.recover().await.unwrap(), 1);
    let message = asking.stored(&leg).await;
    assert_eq!(message.body.text(), "Let me see. It is");
    let usage = message.body.usage.unwrap();
    assert_eq!((usage.input, usage.output), (20, 2));
}

#[tokio::test(start_paused = true)]
async fn a_later_leg_that_another_node_takes_over_runs_no_tool_again() {
    let silent = vec![Line::Pause(Duration::from_hours(1)), Line::stop()];
    let asking = Asking::new([weather(), silent, answer(&["It is sunny."])]);
    let (leg, _) = asking.ask(10).await;
    let other = asking.node();
    other.recover().await.unwrap();
    sleep(Duration::from_secs(2)).await;
    let resume = asking.resume(&leg, &[("same", true, None)]);
    let next = asking.house.engine.resume(resume).await.unwrap().leg;
    sleep(Duration::from_millis(100)).await;
    asking.house.engine.drain(Duration::from_secs(25)).await;
    let events = read_all(&other, next.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    let outcomes = events.iter();
    let outcomes = outcomes.filter(|event| matches!(event.kind, EventKind::ToolFinished { .. }));
    assert_eq!(outcomes.count(), 1);
    assert_eq!(asking.house.model.requests().len(), 3);
    let message = asking.stored(&leg).await;
    assert_eq!(message.body.text(), "Let me see. It is sunny.");
}

#[tokio::test(start_paused = true)]
async fn an_earlier_answer_that_still_waits_does_not_take_the_place_of_the_newest() {
    let asking = Asking::new([weather()]);
    let (first, _) = asking.ask(10).await;
    assert!(asking.house.stop().await.unwrap());
    let (second, _) = asking.ask(11).await;
    let before = asking.stored(&second).await;
    assert!(matches!(
        asking
            .house
            .engine
            .resume(asking.resume(&first, &[("same", true, None)]))
            .await,
        Err(EngineError::NothingWaits)
    ));
    assert_eq!(asking.stored(&second).await, before);
    let mut elsewhere = asking.resume(&second, &[("same", true, None)]);
    elsewhere.conversation = ConversationId::new(uuid::Uuid::from_u128(3));
    let mut send = asking.message(12, "Elsewhere");
    send.conversation = elsewhere.conversation;
    asking.house.engine.send(send).await.unwrap();
    assert!(matches!(
        asking.house.engine.resume(elsewhere).await,
        Err(EngineError::NotFound { what: "message" })
    ));
}

#[tokio::test(start_paused = true)]
async fn what_a_waiting_run_cost_is_estimated_where_the_upstream_does_not_say() {
    let asking = Asking::new([weather(), answer(&["It is sunny."])]);
    let (leg, _) = asking.ask(10).await;
    let waiting = asking.stored(&leg).await.body.usage.unwrap();
    assert!(waiting.estimated && waiting.input > 0 && waiting.output > 0);
    let resume = asking.resume(&leg, &[("same", true, None)]);
    let next = asking.house.engine.resume(resume).await.unwrap().leg;
    read_all(&asking.house.engine, next.id).await;
    let whole = asking.stored(&leg).await.body.usage.unwrap();
    assert!(whole.input > 2 * waiting.input && whole.output > waiting.output);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_goes_on_is_listed_as_it_is_stored() {
    let asking = Asking::new([weather(), stuck("It is")]);
    let (leg, _) = asking.ask(10).await;
    assert_eq!(asking.house.messages().await.len(), 1);
    let resume = asking.resume(&leg, &[("same", true, None)]);
    asking.house.engine.resume(resume).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let messages = asking.house.messages().await;
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[1].body.status, MessageStatus::InProgress);
}

#[tokio::test(start_paused = true)]
async fn what_was_consented_to_runs_also_with_a_model_that_is_offered_no_tools() {
    let asking = Asking::new([weather(), answer(&["It is sunny."])]);
    let (leg, _) = asking.ask(10).await;
    let mut resume = asking.resume(&leg, &[("same", true, None)]);
    resume.settings.tools = Vec::new();
    let next = asking.house.engine.resume(resume).await.unwrap().leg;
    let events = read_all(&asking.house.engine, next.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert_eq!(asking.tool.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn conversations_that_are_made_while_all_are_deleted_stay() {
    let asking = Asking::new([answer(&["one"])]);
    asking.ask(10).await;
    let mut later = asking.message(11, "Later");
    later.conversation = ConversationId::new(uuid::Uuid::from_u128(3));
    asking.clock.move_by(1);
    asking.house.engine.send(later).await.unwrap();
    asking.clock.move_by(-1);
    let (engine, owner) = (&asking.house.engine, &asking.house.owner);
    assert_eq!(engine.delete_all(owner).await.unwrap(), 1);
    let left = ConversationId::new(uuid::Uuid::from_u128(3));
    assert!(engine.conversation(owner, left).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn each_leg_may_take_as_many_steps() {
    let asking = Asking::new([
        weather(),
        calls([call(0, "free", "{}")]),
        answer(&["It is sunny."]),
    ]);
    let (leg, _) = asking.ask(10).await;
    let mut resume = asking.resume(&leg, &[("same", true, None)]);
    resume.settings.max_steps = 2;
    let next = asking.house.engine.resume(resume).await.unwrap().leg;
    let events = read_all(&asking.house.engine, next.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_next_answer_is_given_the_leg_that_goes_on() {
    let asking = Asking::new([weather(), stuck("It is")]);
    let (leg, _) = asking.ask(10).await;
    let house = &asking.house;
    let resumed = async {
        // After it has begun to wait, and not when it would look unasked.
        sleep(Duration::from_millis(1_300)).await;
        let resume = asking.resume(&leg, &[("same", true, None)]);
        (
            house.engine.resume(resume).await.unwrap().leg,
            Instant::now(),
        )
    };
    let next = async {
        let next = house
            .engine
            .next_leg(&house.owner, house.conversation)
            .await;
        (next.unwrap(), Instant::now())
    };
    let ((next, seen_at), (resumed, opened_at)) = tokio::join!(next, resumed);
    assert_eq!(next.id, resumed.id);
    assert!(seen_at - opened_at < Duration::from_millis(100));
}

//! What the ports say of runs that wait for their client: how they are found and how they end.

use std::sync::Arc;

use chat_core::{
    ports::{
        Checkpoint, CloseLeg, Closed, EndPaused, OpenLeg, Opened, PausedRun, Policy, Refusal,
        StopAsked,
    },
    run::RunStatus,
};
use tokio::task::JoinSet;

use crate::{ChatStore, sample};

/// A conversation's run that waits is found, and no other one.
pub async fn a_paused_run_is_found(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let found = store.find_paused(open.conversation).await.unwrap();
    assert_eq!(found, Some(sample::waiting(&open)));

    let going = sample::send(&open.caller, sample::conversation_id(), "going");
    sample::opened(&*store, &going).await;
    let missing = sample::conversation_id();
    for id in [going.conversation, missing] {
        assert_eq!(store.find_paused(id).await.unwrap(), None);
    }
}

/// A replacing send ends a paused holder as it was told to: status, answer and slot.
pub async fn a_paused_holder_ends_as_the_send_says(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let mut next = sample::send(&open.caller, open.conversation, "next");
    let waiting = sample::waiting(&open);
    next.ends = Some(sample::end(waiting, RunStatus::Cancelled, "denied"));
    let leg = sample::opened(&*store, &next).await;
    assert_eq!(leg.predecessor, None);
    assert_eq!(leg.dropped, []);
    assert_eq!(status(&store, &open).await, RunStatus::Cancelled);
    assert_eq!(text(&store, &open).await, "denied");
    assert_eq!(store.find_paused(open.conversation).await.unwrap(), None);
    assert_eq!(store.list_expired(i64::MAX, 10).await.unwrap(), []);
    assert_eq!(
        store.ask_stop(open.conversation).await.unwrap(),
        Some(StopAsked {
            leg: next.leg,
            node: next.node
        })
    );
}

/// A paused holder that the send does not name as it is refuses the send, and nothing is changed.
pub async fn a_paused_holder_that_is_not_named_refuses_the_send(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let (other, _) = sample::paused(&*store).await;
    let waiting = sample::waiting(&open);
    let stale = PausedRun {
        leg: other.leg,
        ..waiting
    };
    for named in [None, Some(sample::waiting(&other)), Some(stale)] {
        let mut next = sample::send(&open.caller, open.conversation, "next");
        next.ends = named.map(|run| sample::end(run, RunStatus::Cancelled, "denied"));
        refused(&store, &next, Refusal::Paused(waiting)).await;
    }
    assert_eq!(sample::texts(&*store, open.conversation).await.len(), 2);
    assert_eq!(status(&store, &open).await, RunStatus::RequiresAction);
    assert_eq!(text(&store, &open).await, "which city?");
    assert_eq!(status(&store, &other).await, RunStatus::RequiresAction);
}

/// That a holder waits is the last thing that is checked.
pub async fn a_paused_holder_is_looked_at_last(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let mut next = sample::send(&open.caller, open.conversation, "next");
    next.input[0].id = open.input[0].id;
    refused(&store, &next, Refusal::MessageTaken).await;
    next.caller = sample::owner();
    refused(&store, &next, Refusal::Forbidden).await;
    let mut next = sample::send(&open.caller, open.conversation, "next");
    next.policy = Policy::Refuse;
    next.ends = Some(sample::end(
        sample::waiting(&open),
        RunStatus::Cancelled,
        "denied",
    ));
    refused(&store, &next, Refusal::Busy).await;
    assert_eq!(status(&store, &open).await, RunStatus::RequiresAction);
}

/// A paused run that the cut deletes needs no end.
pub async fn a_cut_deletes_a_paused_run(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let mut edit = sample::send(&open.caller, open.conversation, "edited");
    edit.cut_from = Some(open.input[0].id);
    let leg = sample::opened(&*store, &edit).await;
    assert_eq!(leg.predecessor, None);
    assert_eq!(leg.dropped, []);
    assert_eq!(store.find_leg(open.leg).await.unwrap(), None);
    assert_eq!(
        sample::texts(&*store, open.conversation).await[0].1,
        "edited"
    );
    assert_eq!(store.list_expired(i64::MAX, 10).await.unwrap(), []);
}

/// An end is for a run that waits: for one whose leg is open it is not used.
pub async fn an_end_leaves_a_run_that_goes_on_to_its_owner(store: Arc<dyn ChatStore>) {
    let first = sample::send(&sample::owner(), sample::conversation_id(), "one");
    sample::opened(&*store, &first).await;
    let mut next = sample::send(&first.caller, first.conversation, "two");
    next.ends = Some(sample::end(
        sample::waiting(&first),
        RunStatus::Cancelled,
        "no",
    ));
    let leg = sample::opened(&*store, &next).await;
    assert_eq!(
        leg.predecessor.map(|predecessor| predecessor.leg),
        Some(first.leg)
    );
    assert_eq!(status(&store, &first).await, RunStatus::Cancelling);
    assert_eq!(store.find_message(first.answer).await.unwrap(), None);
}

/// A paused run is ended with its answer, and frees the slot.
pub async fn a_paused_run_is_ended(store: Arc<dyn ChatStore>) {
    for ended in [RunStatus::Cancelled, RunStatus::Expired] {
        let (open, _) = sample::paused(&*store).await;
        let end = sample::end(sample::waiting(&open), ended, "at last");
        assert_eq!(
            store.end_paused(end.clone()).await.unwrap(),
            Closed::Done,
            "{ended:?}"
        );
        assert_eq!(status(&store, &open).await, ended);
        assert_eq!(text(&store, &open).await, "at last");
        assert_eq!(store.find_paused(open.conversation).await.unwrap(), None);
        assert_eq!(store.end_paused(end).await.unwrap(), Closed::Lost);
        let mut next = sample::send(&open.caller, open.conversation, "next");
        next.policy = Policy::Refuse;
        sample::opened(&*store, &next).await;
    }
}

/// An end of a run that does not wait, or whose newest leg is another one, is lost and changes nothing.
pub async fn a_late_end_of_a_paused_run_is_lost(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let waiting = sample::waiting(&open);
    let end = sample::end(waiting, RunStatus::Cancelled, "late");
    sample::resumed(&*store, &sample::resume(&open.caller, waiting, "resumed")).await;
    lost(&store, &end).await;
    assert_eq!(status(&store, &open).await, RunStatus::Queued);
    assert_eq!(text(&store, &open).await, "resumed");

    let going = sample::send(&open.caller, sample::conversation_id(), "going");
    sample::opened(&*store, &going).await;
    let missing = sample::send(&open.caller, sample::conversation_id(), "never sent");
    for run in [&going, &missing] {
        let end = sample::end(sample::waiting(run), RunStatus::Cancelled, "late");
        lost(&store, &end).await;
    }
    assert_eq!(status(&store, &going).await, RunStatus::Queued);

    let (deleted, _) = sample::paused(&*store).await;
    store
        .delete_conversation(deleted.conversation)
        .await
        .unwrap();
    let end = sample::end(sample::waiting(&deleted), RunStatus::Cancelled, "late");
    lost(&store, &end).await;
    assert_eq!(store.find_message(deleted.answer).await.unwrap(), None);
}

/// A run that pauses again is ended only by its newest leg.
pub async fn an_end_names_the_newest_leg(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let waiting = sample::waiting(&open);
    let resume = sample::resume(&open.caller, waiting, "resumed");
    let leg = sample::resumed(&*store, &resume).await;
    let pause = CloseLeg {
        leg: resume.leg,
        epoch: leg.epoch,
        status: RunStatus::RequiresAction,
        expires_at_ms: Some(open.at_ms + 1_000_000),
        ..sample::close(&open, &again(&open), "and then?")
    };
    assert_eq!(store.close_leg(pause).await.unwrap(), Closed::Done);
    lost(&store, &sample::end(waiting, RunStatus::Cancelled, "late")).await;
    let newest = PausedRun {
        leg: resume.leg,
        ..waiting
    };
    assert_eq!(
        store.find_paused(open.conversation).await.unwrap(),
        Some(newest)
    );
    let end = sample::end(newest, RunStatus::Expired, "over");
    assert_eq!(store.end_paused(end).await.unwrap(), Closed::Done);
}

/// Runs are listed once their time has come, those first that expire first.
pub async fn expired_runs_are_listed_in_order(store: Arc<dyn ChatStore>) {
    let mut runs = Vec::new();
    for expires_at_ms in [3_000, 1_000, 2_000] {
        let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
        let leg = sample::opened(&*store, &open).await;
        let pause = CloseLeg {
            expires_at_ms: Some(expires_at_ms),
            ..sample::pause(&open, &leg)
        };
        assert_eq!(store.close_leg(pause).await.unwrap(), Closed::Done);
        runs.push(open);
    }
    let [third, first, second] = [&runs[0], &runs[1], &runs[2]].map(sample::waiting);
    assert_eq!(store.list_expired(999, 10).await.unwrap(), []);
    assert_eq!(store.list_expired(1_000, 10).await.unwrap(), [first]);
    assert_eq!(
        store.list_expired(9_000, 10).await.unwrap(),
        [first, second, third]
    );
    assert_eq!(store.list_expired(9_000, 2).await.unwrap(), [first, second]);
}

/// A run that does not wait any more does not expire.
pub async fn a_run_that_does_not_wait_does_not_expire(store: Arc<dyn ChatStore>) {
    let (resumed, _) = sample::paused(&*store).await;
    let resume = sample::resume(&resumed.caller, sample::waiting(&resumed), "resumed");
    sample::resumed(&*store, &resume).await;
    let (ended, _) = sample::paused(&*store).await;
    let end = sample::end(sample::waiting(&ended), RunStatus::Cancelled, "ended");
    assert_eq!(store.end_paused(end).await.unwrap(), Closed::Done);
    let (deleted, _) = sample::paused(&*store).await;
    store
        .delete_conversation(deleted.conversation)
        .await
        .unwrap();
    assert_eq!(store.list_expired(i64::MAX, 10).await.unwrap(), []);
}

/// A run that was asked to stop, or was replaced, does not pause: that close is lost, and one that cancels is not.
pub async fn a_run_that_is_to_stop_does_not_pause(store: Arc<dyn ChatStore>) {
    for is_replaced in [false, true] {
        let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
        let leg = sample::opened(&*store, &open).await;
        if is_replaced {
            let next = sample::send(&open.caller, open.conversation, "next");
            sample::opened(&*store, &next).await;
        } else {
            store.ask_stop(open.conversation).await.unwrap().unwrap();
        }
        let pause = sample::pause(&open, &leg);
        assert_eq!(store.close_leg(pause).await.unwrap(), Closed::Lost);
        let found = store.find_leg(open.leg).await.unwrap().unwrap();
        assert_eq!(found.status, RunStatus::Cancelling);
        assert_eq!(found.closed_at_ms, None);
        assert_eq!(store.find_message(open.answer).await.unwrap(), None);
        let mut close = sample::close(&open, &leg, "so far");
        close.status = RunStatus::Cancelled;
        assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
        assert_eq!(status(&store, &open).await, RunStatus::Cancelled);
        assert_eq!(store.find_paused(open.conversation).await.unwrap(), None);
    }
}

/// When a stop races the pause, the run does not end up both stopped and waiting.
pub async fn a_pause_that_races_a_stop_is_one_of_both(store: Arc<dyn ChatStore>) {
    for _ in 0..8 {
        let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
        let leg = sample::opened(&*store, &open).await;
        let mut racing = JoinSet::new();
        let (stopping, pausing) = (Arc::clone(&store), Arc::clone(&store));
        let id = open.conversation;
        racing.spawn(async move { stopping.ask_stop(id).await.unwrap().is_some() });
        let pause = sample::pause(&open, &leg);
        racing.spawn(async move { pausing.close_leg(pause).await.unwrap() == Closed::Lost });
        let outcomes = racing.join_all().await;
        assert_eq!(outcomes[0], outcomes[1], "{outcomes:?}");
        let expected = if outcomes[0] {
            RunStatus::Cancelling
        } else {
            RunStatus::RequiresAction
        };
        assert_eq!(status(&store, &open).await, expected);
    }
}

/// When ends, a replacing send and a resume race for a run that waits, exactly one of them has it.
pub async fn racing_for_a_paused_run_has_one_winner(store: Arc<dyn ChatStore>) {
    for _ in 0..4 {
        let (open, _) = sample::paused(&*store).await;
        let waiting = sample::waiting(&open);
        let mut racing = JoinSet::new();
        for number in 0..4 {
            let end = sample::end(waiting, RunStatus::Expired, &format!("end {number}"));
            let ending = Arc::clone(&store);
            racing.spawn(async move { ending.end_paused(end).await.unwrap() == Closed::Done });
            let resume = sample::resume(&open.caller, waiting, &format!("resume {number}"));
            let resuming = Arc::clone(&store);
            racing.spawn(async move {
                let resumed = resuming.resume_run(resume).await.unwrap();
                matches!(resumed, chat_core::ports::Resumed::Fresh(_))
            });
        }
        let wins = racing.join_all().await.into_iter().filter(|won| *won);
        // A resume may also be a late answer to a run that an end has just expired.
        let count = wins.count();
        let status = status(&store, &open).await;
        if status == RunStatus::Expired {
            assert_eq!(count, 1);
        } else {
            assert_eq!(status, RunStatus::Queued);
            assert!(count == 1 || count == 2, "{count}");
        }
    }
}

/// A run that waits is not stopped by asking: it has no open leg, and stays as it is.
pub async fn asking_a_paused_run_to_stop_changes_nothing(store: Arc<dyn ChatStore>) {
    let (open, leg) = sample::paused(&*store).await;
    assert_eq!(store.ask_stop(open.conversation).await.unwrap(), None);
    assert_eq!(status(&store, &open).await, RunStatus::RequiresAction);
    let late = Checkpoint {
        leg: open.leg,
        epoch: leg.epoch,
        status: RunStatus::InProgress,
        answer: None,
    };
    assert_eq!(store.checkpoint(late).await.unwrap(), Closed::Lost);
    assert_eq!(status(&store, &open).await, RunStatus::RequiresAction);
}

/// A fresh leg's place and so on do not matter to a close; only leg and epoch do.
fn again(open: &OpenLeg) -> chat_core::ports::FreshLeg {
    chat_core::ports::FreshLeg {
        conversation: chat_core::conversation::Conversation {
            id: open.conversation,
            owner: open.caller.clone(),
            title: None,
            visibility: chat_core::access::Visibility::Private,
            origin: chat_core::conversation::Origin::AiSdk,
            created_at_ms: 0,
        },
        created: false,
        answer_seq: 0,
        epoch: 0,
        predecessor: None,
        dropped: Vec::new(),
    }
}

async fn refused(store: &Arc<dyn ChatStore>, open: &OpenLeg, refusal: Refusal) {
    assert_eq!(
        store.open_leg(open.clone()).await.unwrap(),
        Opened::Refused(refusal)
    );
}

async fn lost(store: &Arc<dyn ChatStore>, end: &EndPaused) {
    assert_eq!(store.end_paused(end.clone()).await.unwrap(), Closed::Lost);
}

async fn status(store: &Arc<dyn ChatStore>, open: &OpenLeg) -> RunStatus {
    store.find_leg(open.leg).await.unwrap().unwrap().status
}

async fn text(store: &Arc<dyn ChatStore>, open: &OpenLeg) -> String {
    let message = store.find_message(open.answer).await.unwrap().unwrap();
    message.body.text()
}

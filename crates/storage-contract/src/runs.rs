//! What [`chat_core::ports::Runs`] says.

use std::sync::Arc;

use chat_core::{
    id::{LegId, NodeId},
    message::{MessageBody, Role},
    ports::{
        Checkpoint, CloseLeg, Closed, FreshLeg, OpenLeg, Opened, Policy, Refusal, Standing,
        StopAsked,
    },
    run::{Leg, RunError, RunStatus},
};
use tokio::task::JoinSet;

use crate::{ChatStore, sample};

/// A leg is found as it was opened.
pub async fn a_leg_is_found_as_it_was_opened(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    assert_eq!(
        store.find_leg(open.leg).await.unwrap(),
        Some(Leg {
            id: open.leg,
            run: open.run,
            index: 0,
            conversation: open.conversation,
            message: open.answer,
            message_seq: leg.answer_seq,
            node: open.node,
            epoch: leg.epoch,
            opened_at_ms: open.at_ms,
            settings: open.settings,
            echo: open.echo,
            answers: Vec::new(),
            status: RunStatus::Queued,
            error: None,
            closed_at_ms: None,
        })
    );
}

/// A leg that is not there is `None`.
pub async fn an_unknown_leg_is_not_found(store: Arc<dyn ChatStore>) {
    let id = LegId::new(sample::uuid());
    assert_eq!(store.find_leg(id).await.unwrap(), None);
}

/// The newest leg is the one that was opened last, whatever was closed meanwhile.
pub async fn the_newest_leg_was_opened_last(store: Arc<dyn ChatStore>) {
    let (first, first_leg) = one(&store).await;
    let second = sample::send(&first.caller, first.conversation, "two");
    sample::opened(&*store, &second).await;
    done(&store, sample::close(&first, &first_leg, "late")).await;
    let newest = store.newest_leg(first.conversation).await.unwrap().unwrap();
    assert_eq!(newest.id, second.leg);
    assert_eq!(
        store.newest_leg(sample::conversation_id()).await.unwrap(),
        None
    );
}

/// After a cut the newest leg is the newest one that is still kept.
pub async fn a_cut_leg_is_not_the_newest(store: Arc<dyn ChatStore>) {
    let (first, _) = one(&store).await;
    let mut edit = sample::send(&first.caller, first.conversation, "edited");
    edit.cut_from = Some(first.input[0].id);
    sample::opened(&*store, &edit).await;
    let newest = store.newest_leg(first.conversation).await.unwrap().unwrap();
    assert_eq!(newest.id, edit.leg);
}

/// The first checkpoint with an answer inserts it at its place, a later one overwrites its body alone.
pub async fn a_checkpoint_inserts_and_then_overwrites_the_answer(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let mut checkpoint = checkpoint(&open, &leg, Some("half"));
    assert_eq!(
        store.checkpoint(checkpoint.clone()).await.unwrap(),
        Closed::Done
    );
    let message = store.find_message(open.answer).await.unwrap().unwrap();
    let answer = checkpoint.answer.as_mut().unwrap();
    assert_eq!(message.conversation, open.conversation);
    assert_eq!(message.seq, leg.answer_seq);
    assert_eq!(message.role, Role::Assistant);
    assert_eq!(message.created_at_ms, answer.created_at_ms);
    assert_eq!(message.body, answer.body);

    answer.body = sample::body("half and half");
    answer.created_at_ms += 1_000;
    assert_eq!(
        store.checkpoint(checkpoint.clone()).await.unwrap(),
        Closed::Done
    );
    let overwritten = store.find_message(open.answer).await.unwrap().unwrap();
    assert_eq!(overwritten.body.text(), "half and half");
    assert_eq!(overwritten.created_at_ms, message.created_at_ms);
    assert_eq!(overwritten.seq, message.seq);
    assert_eq!(sample::texts(&*store, open.conversation).await.len(), 2);
}

/// A checkpoint writes its run's status, and without an answer nothing else.
pub async fn a_checkpoint_writes_the_status(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let checkpoint = checkpoint(&open, &leg, None);
    assert_eq!(store.checkpoint(checkpoint).await.unwrap(), Closed::Done);
    assert_eq!(status(&store, &open).await, RunStatus::InProgress);
    assert_eq!(store.find_message(open.answer).await.unwrap(), None);
}

/// A run that was asked to stop stays `cancelling`; its text is written all the same.
pub async fn a_checkpoint_does_not_unask_a_stop(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    assert!(store.ask_stop(open.conversation).await.unwrap().is_some());
    let checkpoint = checkpoint(&open, &leg, Some("half"));
    assert_eq!(store.checkpoint(checkpoint).await.unwrap(), Closed::Done);
    assert_eq!(status(&store, &open).await, RunStatus::Cancelling);
    assert!(store.find_message(open.answer).await.unwrap().is_some());
}

/// A checkpoint of a closed or deleted leg, or with another epoch, is lost and changes nothing.
pub async fn a_late_or_foreign_checkpoint_is_lost(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let mut foreign = checkpoint(&open, &leg, Some("foreign"));
    foreign.epoch += 1;
    assert_eq!(store.checkpoint(foreign).await.unwrap(), Closed::Lost);
    assert_eq!(status(&store, &open).await, RunStatus::Queued);
    assert_eq!(store.find_message(open.answer).await.unwrap(), None);

    done(&store, sample::close(&open, &leg, "whole")).await;
    let late = checkpoint(&open, &leg, Some("late"));
    assert_eq!(store.checkpoint(late.clone()).await.unwrap(), Closed::Lost);
    assert_eq!(status(&store, &open).await, RunStatus::Completed);
    assert_eq!(text(&store, &open).await, "whole");

    store
        .delete_conversation(open.conversation)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(store.checkpoint(late).await.unwrap(), Closed::Lost);
    assert_eq!(store.find_message(open.answer).await.unwrap(), None);
}

/// A close writes answer, status, error and time, and frees the slot.
pub async fn a_close_writes_everything_and_frees_the_slot(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let mut close = sample::close(&open, &leg, "half an");
    close.status = RunStatus::Failed;
    close.error = Some(RunError::Timeout);
    done(&store, close.clone()).await;
    let closed = store.find_leg(open.leg).await.unwrap().unwrap();
    assert_eq!(closed.status, RunStatus::Failed);
    assert_eq!(closed.error, Some(RunError::Timeout));
    assert_eq!(closed.closed_at_ms, Some(close.at_ms));
    let message = store.find_message(open.answer).await.unwrap().unwrap();
    assert_eq!(message.body, close.answer.unwrap().body);
    assert_eq!(message.seq, leg.answer_seq);
    assert_eq!(store.ask_stop(open.conversation).await.unwrap(), None);
    let mut next = sample::send(&open.caller, open.conversation, "next");
    next.policy = Policy::Refuse;
    assert_eq!(sample::opened(&*store, &next).await.predecessor, None);
}

/// A close overwrites what a checkpoint wrote.
pub async fn a_close_overwrites_the_checkpoint(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let checkpoint = checkpoint(&open, &leg, Some("half"));
    assert_eq!(store.checkpoint(checkpoint).await.unwrap(), Closed::Done);
    done(&store, sample::close(&open, &leg, "whole")).await;
    assert_eq!(text(&store, &open).await, "whole");
    assert_eq!(sample::texts(&*store, open.conversation).await.len(), 2);
}

/// The first close wins; a second one is lost and changes nothing.
pub async fn the_first_close_wins(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    done(&store, sample::close(&open, &leg, "first")).await;
    let mut second = sample::close(&open, &leg, "second");
    second.status = RunStatus::Failed;
    second.error = Some(RunError::Interrupted);
    second.at_ms += 1;
    assert_eq!(store.close_leg(second).await.unwrap(), Closed::Lost);
    let leg = store.find_leg(open.leg).await.unwrap().unwrap();
    assert_eq!(leg.status, RunStatus::Completed);
    assert_eq!(leg.error, None);
    assert_eq!(leg.closed_at_ms, Some(open.at_ms + 100));
    assert_eq!(text(&store, &open).await, "first");
}

/// A close with another epoch or of an unknown leg is lost and changes nothing.
pub async fn a_foreign_close_is_lost(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let mut close = sample::close(&open, &leg, "foreign");
    close.epoch += 1;
    assert_eq!(store.close_leg(close.clone()).await.unwrap(), Closed::Lost);
    close.epoch = leg.epoch;
    close.leg = LegId::new(sample::uuid());
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Lost);
    let leg = store.find_leg(open.leg).await.unwrap().unwrap();
    assert_eq!(leg.closed_at_ms, None);
    assert_eq!(leg.status, RunStatus::Queued);
    assert_eq!(store.find_message(open.answer).await.unwrap(), None);
}

/// A run that waits for its client keeps the slot, though its leg is closed.
pub async fn a_paused_run_keeps_the_slot(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let pause = sample::pause(&open, &leg);
    done(&store, pause.clone()).await;
    let paused = store.find_leg(open.leg).await.unwrap().unwrap();
    assert_eq!(paused.status, RunStatus::RequiresAction);
    assert_eq!(paused.closed_at_ms, Some(pause.at_ms));
    let mut next = sample::send(&open.caller, open.conversation, "next");
    next.policy = Policy::Refuse;
    assert_eq!(
        store.open_leg(next).await.unwrap(),
        Opened::Refused(Refusal::Busy)
    );
}

/// An answer without content is not stored.
pub async fn an_empty_answer_is_not_stored(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let mut close = sample::close(&open, &leg, "");
    close.answer = None;
    done(&store, close).await;
    assert_eq!(store.find_message(open.answer).await.unwrap(), None);

    let (open, leg) = one(&store).await;
    let mut close = sample::close(&open, &leg, "");
    close.answer = Some(chat_core::ports::AnswerRecord {
        body: MessageBody::default(),
        ..sample::answer(&open, "")
    });
    done(&store, close).await;
    assert_eq!(store.find_message(open.answer).await.unwrap(), None);
}

/// When closers race, exactly one closes the leg, and what is stored is what that one wrote.
pub async fn racing_closes_have_one_winner(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let mut racing = JoinSet::new();
    for number in 0..24 {
        let close = sample::close(&open, &leg, &format!("closer {number}"));
        let store = Arc::clone(&store);
        racing.spawn(async move {
            let text = close.answer.as_ref().map(|answer| answer.body.text());
            (store.close_leg(close).await.unwrap(), text)
        });
    }
    let outcomes = racing.join_all().await;
    let winners: Vec<_> = outcomes
        .into_iter()
        .filter(|(closed, _)| *closed == Closed::Done)
        .collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(winners[0].1, Some(text(&store, &open).await));
}

/// A close and a replacing send that race leave one holder, whichever came first.
pub async fn a_close_that_races_a_replacing_send_leaves_one_holder(store: Arc<dyn ChatStore>) {
    for _ in 0..8 {
        let (open, leg) = one(&store).await;
        let next = sample::send(&open.caller, open.conversation, "next");
        let close = sample::close(&open, &leg, "whole");
        let mut racing = JoinSet::new();
        let (closer, opener) = (Arc::clone(&store), Arc::clone(&store));
        let second = next.clone();
        racing.spawn(async move {
            assert_eq!(closer.close_leg(close).await.unwrap(), Closed::Done);
            None
        });
        racing.spawn(async move { Some(sample::opened(&*opener, &second).await) });
        let outcomes = racing.join_all().await;
        let fresh = outcomes.into_iter().flatten().next().unwrap();
        if let Some(predecessor) = fresh.predecessor {
            assert_eq!(predecessor.leg, open.leg);
        }
        let closed = store.find_leg(open.leg).await.unwrap().unwrap();
        assert_eq!(closed.status, RunStatus::Completed);
        let holder = store.ask_stop(open.conversation).await.unwrap().unwrap();
        assert_eq!(holder.leg, next.leg);
    }
}

/// A stop marks the active run and says where it is worked on, as often as it is asked until the run is closed.
pub async fn a_stop_names_the_open_leg_until_it_is_closed(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let asked = Some(StopAsked {
        leg: open.leg,
        node: open.node,
    });
    for _ in 0..2 {
        assert_eq!(store.ask_stop(open.conversation).await.unwrap(), asked);
        assert_eq!(status(&store, &open).await, RunStatus::Cancelling);
    }
    done(&store, sample::close(&open, &leg, "half")).await;
    assert_eq!(store.ask_stop(open.conversation).await.unwrap(), None);
    assert_eq!(status(&store, &open).await, RunStatus::Completed);
}

/// There is nothing to stop in a paused run or in a conversation that is not there; nothing is changed.
pub async fn a_stop_finds_no_leg_where_none_is_open(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    done(&store, sample::pause(&open, &leg)).await;
    assert_eq!(store.ask_stop(open.conversation).await.unwrap(), None);
    assert_eq!(status(&store, &open).await, RunStatus::RequiresAction);
    assert_eq!(
        store.ask_stop(sample::conversation_id()).await.unwrap(),
        None
    );
}

/// Orphans are open legs of nodes that are not alive, oldest first: replaced ones too, closed ones not.
pub async fn orphans_are_open_legs_of_dead_nodes(store: Arc<dyn ChatStore>) {
    let node = NodeId::new(sample::uuid());
    let mut legs = Vec::new();
    for at_ms in [1_000, 2_000, 3_000] {
        let mut open = sample::send(&sample::owner(), sample::conversation_id(), "hello");
        open.node = node;
        open.at_ms = at_ms;
        let leg = sample::opened(&*store, &open).await;
        legs.push((open, leg));
    }
    let (alive, _) = one(&store).await;
    let orphans = |alive: Vec<NodeId>| {
        let store = Arc::clone(&store);
        async move {
            let legs = store.list_orphans(&alive).await.unwrap();
            legs.iter().map(|leg| leg.id).collect::<Vec<_>>()
        }
    };
    let [oldest, middle, newest] = [&legs[0], &legs[1], &legs[2]];
    assert_eq!(
        orphans(vec![alive.node]).await,
        [oldest.0.leg, middle.0.leg, newest.0.leg]
    );
    assert_eq!(orphans(vec![node]).await, [alive.leg]);
    assert_eq!(orphans(vec![node, alive.node]).await, []);
    assert_eq!(orphans(vec![]).await.len(), 4);

    done(&store, sample::close(&middle.0, &middle.1, "done")).await;
    let mut next = sample::send(&newest.0.caller, newest.0.conversation, "next");
    next.node = alive.node;
    sample::opened(&*store, &next).await;
    assert_eq!(
        orphans(vec![alive.node]).await,
        [oldest.0.leg, newest.0.leg]
    );
}

/// Legs stand open, stopping, closed or gone, in the order asked, as often as asked.
pub async fn legs_stand_as_they_are(store: Arc<dyn ChatStore>) {
    let (open, _) = one(&store).await;
    let (stopped, _) = one(&store).await;
    assert!(
        store
            .ask_stop(stopped.conversation)
            .await
            .unwrap()
            .is_some()
    );
    let (replaced, _) = one(&store).await;
    let next = sample::send(&replaced.caller, replaced.conversation, "next");
    sample::opened(&*store, &next).await;
    let (closed, leg) = one(&store).await;
    done(&store, sample::close(&closed, &leg, "done")).await;
    let (paused, leg) = one(&store).await;
    done(&store, sample::pause(&paused, &leg)).await;
    let (deleted, _) = one(&store).await;
    let deletion = store.delete_conversation(deleted.conversation).await;
    assert!(deletion.unwrap().is_some());
    let (cut, _) = one(&store).await;
    let mut edit = sample::send(&cut.caller, cut.conversation, "edited");
    edit.cut_from = Some(cut.input[0].id);
    sample::opened(&*store, &edit).await;
    let unknown = LegId::new(sample::uuid());
    let legs = [
        closed.leg,
        open.leg,
        unknown,
        stopped.leg,
        deleted.leg,
        replaced.leg,
        open.leg,
        next.leg,
        paused.leg,
        cut.leg,
        edit.leg,
    ];
    assert_eq!(
        store.standing(&legs).await.unwrap(),
        [
            Standing::Closed,
            Standing::Open,
            Standing::Gone,
            Standing::Stopping,
            Standing::Gone,
            Standing::Stopping,
            Standing::Open,
            Standing::Open,
            Standing::Closed,
            Standing::Gone,
            Standing::Open,
        ]
    );
    assert_eq!(store.standing(&[]).await.unwrap(), []);
}

/// A released leg is nobody's, stays open, and is an orphan whoever is alive.
pub async fn a_released_leg_is_an_orphan(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let before = store.find_leg(open.leg).await.unwrap().unwrap();
    assert_eq!(store.list_orphans(&[open.node]).await.unwrap(), []);
    released(&store, &open, &leg).await;
    let expected = Leg {
        node: NodeId::NOBODY,
        ..before
    };
    assert_eq!(
        store.find_leg(open.leg).await.unwrap(),
        Some(expected.clone())
    );
    assert_eq!(store.list_orphans(&[open.node]).await.unwrap(), [expected]);
    assert_eq!(store.standing(&[open.leg]).await.unwrap(), [Standing::Open]);
    // It holds the slot as before, and a stop names it.
    let asked = store.ask_stop(open.conversation).await.unwrap().unwrap();
    assert_eq!((asked.leg, asked.node), (open.leg, NodeId::NOBODY));
}

/// A leg that was closed or deleted, and one with another epoch, is not released.
pub async fn a_late_or_foreign_release_is_lost(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let release = |epoch| {
        let (store, leg) = (Arc::clone(&store), open.leg);
        async move { store.release_leg(leg, epoch).await.unwrap() }
    };
    assert_eq!(release(leg.epoch + 1).await, Closed::Lost);
    let found = store.find_leg(open.leg).await.unwrap().unwrap();
    assert_eq!(found.node, open.node);
    done(&store, sample::close(&open, &leg, "done")).await;
    assert_eq!(release(leg.epoch).await, Closed::Lost);
    let found = store.find_leg(open.leg).await.unwrap().unwrap();
    assert_eq!(found.node, open.node);
    let deleted = store.delete_conversation(open.conversation).await;
    assert!(deleted.unwrap().is_some());
    assert_eq!(release(leg.epoch).await, Closed::Lost);
    let unknown = LegId::new(sample::uuid());
    assert_eq!(store.release_leg(unknown, 1).await.unwrap(), Closed::Lost);
}

/// A leg whose run was asked to stop, or was replaced, is its node's to close and not released.
pub async fn a_leg_that_is_to_stop_is_not_released(store: Arc<dyn ChatStore>) {
    for replaces in [false, true] {
        let (open, leg) = one(&store).await;
        if replaces {
            let next = sample::send(&open.caller, open.conversation, "next");
            sample::opened(&*store, &next).await;
        } else {
            assert!(store.ask_stop(open.conversation).await.unwrap().is_some());
        }
        assert_eq!(
            store.release_leg(open.leg, leg.epoch).await.unwrap(),
            Closed::Lost
        );
        let found = store.find_leg(open.leg).await.unwrap().unwrap();
        assert_eq!(found.node, open.node);
        done(&store, sample::close(&open, &leg, "half")).await;
    }
}

/// A claimed leg is given as it is now: the claiming node's, with its epoch raised by one.
pub async fn a_claimed_leg_has_a_new_epoch(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    let before = store.find_leg(open.leg).await.unwrap().unwrap();
    released(&store, &open, &leg).await;
    let node = NodeId::new(sample::uuid());
    let claimed = store.claim_leg(open.leg, node).await.unwrap();
    let expected = Leg {
        node,
        epoch: before.epoch + 1,
        ..before
    };
    assert_eq!(claimed.as_ref(), Some(&expected));
    assert_eq!(store.find_leg(open.leg).await.unwrap(), claimed);
    assert_eq!(store.list_orphans(&[node]).await.unwrap(), []);
    // It can be given up and taken over again.
    let again = store.release_leg(open.leg, expected.epoch).await.unwrap();
    assert_eq!(again, Closed::Done);
    let claimed = store.claim_leg(open.leg, open.node).await.unwrap().unwrap();
    assert_eq!((claimed.node, claimed.epoch), (open.node, leg.epoch + 2));
}

/// A leg that is not released, or no longer, or not there, is not given.
pub async fn a_leg_that_is_not_released_is_not_claimed(store: Arc<dyn ChatStore>) {
    let node = NodeId::new(sample::uuid());
    let (open, leg) = one(&store).await;
    assert_eq!(store.claim_leg(open.leg, node).await.unwrap(), None);
    let found = store.find_leg(open.leg).await.unwrap().unwrap();
    assert_eq!((found.node, found.epoch), (open.node, leg.epoch));
    released(&store, &open, &leg).await;
    assert!(store.claim_leg(open.leg, node).await.unwrap().is_some());
    assert_eq!(store.claim_leg(open.leg, open.node).await.unwrap(), None);

    let (closed, leg) = one(&store).await;
    released(&store, &closed, &leg).await;
    done(&store, sample::close(&closed, &leg, "done")).await;
    assert_eq!(store.claim_leg(closed.leg, node).await.unwrap(), None);

    let (deleted, leg) = one(&store).await;
    released(&store, &deleted, &leg).await;
    let deletion = store.delete_conversation(deleted.conversation).await;
    assert!(deletion.unwrap().is_some());
    assert_eq!(store.claim_leg(deleted.leg, node).await.unwrap(), None);
    let unknown = LegId::new(sample::uuid());
    assert_eq!(store.claim_leg(unknown, node).await.unwrap(), None);
}

/// When several nodes race for a released leg, exactly one gets it.
pub async fn racing_claims_have_one_winner(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    released(&store, &open, &leg).await;
    let mut racing = JoinSet::new();
    for _ in 0..16 {
        let store = Arc::clone(&store);
        let leg = open.leg;
        racing.spawn(async move {
            let node = NodeId::new(sample::uuid());
            let claimed = store.claim_leg(leg, node).await.unwrap();
            claimed.inspect(|claimed| assert_eq!(claimed.node, node))
        });
    }
    let winners: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(winners[0].epoch, leg.epoch + 1);
    let found = store.find_leg(open.leg).await.unwrap();
    assert_eq!(found.as_ref(), winners.first());
}

/// What the earlier node writes to a leg that was taken over is lost; what the new one writes is not.
pub async fn a_write_with_the_earlier_epoch_is_lost(store: Arc<dyn ChatStore>) {
    let (open, leg) = one(&store).await;
    released(&store, &open, &leg).await;
    let node = NodeId::new(sample::uuid());
    let claimed = store.claim_leg(open.leg, node).await.unwrap().unwrap();
    let late = checkpoint(&open, &leg, Some("late"));
    assert_eq!(store.checkpoint(late).await.unwrap(), Closed::Lost);
    let late = sample::close(&open, &leg, "late");
    assert_eq!(store.close_leg(late).await.unwrap(), Closed::Lost);
    let late = store.release_leg(open.leg, leg.epoch).await.unwrap();
    assert_eq!(late, Closed::Lost);
    assert_eq!(store.find_message(open.answer).await.unwrap(), None);
    assert_eq!(store.find_leg(open.leg).await.unwrap(), Some(claimed));

    let leg = FreshLeg {
        epoch: leg.epoch + 1,
        ..leg
    };
    let written = checkpoint(&open, &leg, Some("half"));
    assert_eq!(store.checkpoint(written).await.unwrap(), Closed::Done);
    done(&store, sample::close(&open, &leg, "whole")).await;
    assert_eq!(text(&store, &open).await, "whole");
}

/// A stop that races a release is seen by who closes the leg, or names a released leg.
pub async fn a_stop_that_races_a_release_is_not_missed(store: Arc<dyn ChatStore>) {
    for _ in 0..8 {
        let (open, leg) = one(&store).await;
        let (stopping, releasing) = (Arc::clone(&store), Arc::clone(&store));
        let mut racing = JoinSet::new();
        let id = open.conversation;
        racing.spawn(async move {
            let asked = stopping.ask_stop(id).await.unwrap().unwrap();
            asked.node == NodeId::NOBODY
        });
        let (leg_id, epoch) = (open.leg, leg.epoch);
        racing.spawn(
            async move { releasing.release_leg(leg_id, epoch).await.unwrap() == Closed::Done },
        );
        let outcomes = racing.join_all().await;
        // Either the stop came first and the release was lost, or the stop found the leg released.
        assert_eq!(outcomes[0], outcomes[1], "{outcomes:?}");
        assert_eq!(
            store.standing(&[open.leg]).await.unwrap(),
            [Standing::Stopping]
        );
    }
}

async fn released(store: &Arc<dyn ChatStore>, open: &OpenLeg, leg: &FreshLeg) {
    let released = store.release_leg(open.leg, leg.epoch).await.unwrap();
    assert_eq!(released, Closed::Done);
}

async fn one(store: &Arc<dyn ChatStore>) -> (OpenLeg, FreshLeg) {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
    let leg = sample::opened(&**store, &open).await;
    (open, leg)
}

fn checkpoint(open: &OpenLeg, leg: &FreshLeg, text: Option<&str>) -> Checkpoint {
    Checkpoint {
        leg: open.leg,
        epoch: leg.epoch,
        status: RunStatus::InProgress,
        answer: text.map(|text| sample::answer(open, text)),
    }
}

async fn done(store: &Arc<dyn ChatStore>, close: CloseLeg) {
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
}

async fn status(store: &Arc<dyn ChatStore>, open: &OpenLeg) -> RunStatus {
    store.find_leg(open.leg).await.unwrap().unwrap().status
}

async fn text(store: &Arc<dyn ChatStore>, open: &OpenLeg) -> String {
    let message = store.find_message(open.answer).await.unwrap().unwrap();
    message.body.text()
}

//! What [`chat_core::ports::Conversations::cut`] says: a cut by itself, at any message.

use std::sync::Arc;

use chat_core::{
    id::MessageId,
    message::Rating,
    ports::{Checkpoint, Closed, Cut, DroppedLeg, OpenLeg, Policy, Summary},
    run::RunStatus,
};

use crate::{ChatStore, sample};

/// A cut deletes the named message and all after it, whoever wrote it, and says how many.
pub async fn a_cut_at_any_message_deletes_from_it_on(store: Arc<dyn ChatStore>) {
    for (at_answer, left) in [(false, 2), (true, 3)] {
        let turns = turns(&store, 3).await;
        let id = turns[0].conversation;
        let from = if at_answer {
            turns[1].answer
        } else {
            turns[1].input[0].id
        };
        let all = sample::texts(&*store, id).await;
        let cut = store.cut(id, from).await.unwrap().unwrap();
        assert_eq!(cut.messages, 6 - u64::try_from(left).unwrap());
        assert_eq!(cut.dropped, []);
        assert_eq!(sample::texts(&*store, id).await, all[..left]);
        assert_eq!(store.find_message(from).await.unwrap(), None);
        assert!(store.find_leg(turns[0].leg).await.unwrap().is_some());
        for gone in &turns[1..] {
            assert_eq!(store.find_leg(gone.leg).await.unwrap(), None);
            assert!(store.read(gone.leg, 0, 100).await.unwrap().is_empty());
        }
    }
}

/// A message that is not stored in this conversation cuts nothing.
pub async fn a_cut_at_a_message_that_is_not_there_is_none(store: Arc<dyn ChatStore>) {
    let turns = turns(&store, 1).await;
    let other = sample::send(&turns[0].caller, sample::conversation_id(), "other");
    sample::opened(&*store, &other).await;
    let coming = other.answer;
    let id = turns[0].conversation;
    for from in [MessageId::new(sample::uuid()), other.input[0].id] {
        assert_eq!(store.cut(id, from).await.unwrap(), None);
    }
    // An answer that is still to come is not stored yet.
    assert_eq!(store.cut(other.conversation, coming).await.unwrap(), None);
    let missing = sample::conversation_id();
    let from = turns[0].answer;
    assert_eq!(store.cut(missing, from).await.unwrap(), None);
    assert_eq!(sample::texts(&*store, id).await.len(), 2);
    assert_eq!(sample::texts(&*store, other.conversation).await.len(), 1);
}

/// A run that was to answer at or after the message is gone: its leg is dropped, its writes are lost, the slot is free.
pub async fn a_cut_drops_the_run_that_answers_there(store: Arc<dyn ChatStore>) {
    for at_answer in [false, true] {
        let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
        let leg = sample::opened(&*store, &open).await;
        let checkpoint = Checkpoint {
            leg: open.leg,
            epoch: leg.epoch,
            status: RunStatus::InProgress,
            answer: Some(sample::answer(&open, "half")),
        };
        let written = store.checkpoint(checkpoint.clone()).await.unwrap();
        assert_eq!(written, Closed::Done);
        let from = if at_answer {
            open.answer
        } else {
            open.input[0].id
        };
        assert_eq!(
            store.cut(open.conversation, from).await.unwrap(),
            Some(Cut {
                messages: if at_answer { 1 } else { 2 },
                dropped: vec![DroppedLeg {
                    leg: open.leg,
                    node: open.node
                }],
            })
        );
        assert_eq!(store.checkpoint(checkpoint).await.unwrap(), Closed::Lost);
        let close = sample::close(&open, &leg, "late");
        assert_eq!(store.close_leg(close).await.unwrap(), Closed::Lost);
        assert_eq!(store.find_message(open.answer).await.unwrap(), None);
        let mut next = sample::send(&open.caller, open.conversation, "next");
        next.policy = Policy::Refuse;
        let next = sample::opened(&*store, &next).await;
        assert_eq!(next.predecessor, None);
        assert!(next.answer_seq > leg.answer_seq, "no place is given twice");
        assert!(next.epoch > leg.epoch, "the epoch is raised");
    }
}

/// A run that answers before the message goes on.
pub async fn a_cut_leaves_a_run_that_answers_before(store: Arc<dyn ChatStore>) {
    let first = sample::send(&sample::owner(), sample::conversation_id(), "one");
    let leg = sample::opened(&*store, &first).await;
    let second = sample::send(&first.caller, first.conversation, "two");
    sample::opened(&*store, &second).await;
    let cut = store
        .cut(first.conversation, second.input[0].id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(cut.messages, 1);
    let dropped: Vec<_> = cut.dropped.iter().map(|dropped| dropped.leg).collect();
    assert_eq!(dropped, [second.leg]);
    let close = sample::close(&first, &leg, "whole");
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
}

/// A run that waits and whose answer is cut is gone.
pub async fn a_cut_drops_a_paused_run(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let cut = store.cut(open.conversation, open.answer).await.unwrap();
    let cut = cut.unwrap();
    assert_eq!((cut.messages, cut.dropped), (1, Vec::new()));
    assert_eq!(store.find_paused(open.conversation).await.unwrap(), None);
    assert_eq!(store.list_expired(i64::MAX, 10).await.unwrap(), []);
    assert_eq!(store.find_leg(open.leg).await.unwrap(), None);
    let mut next = sample::send(&open.caller, open.conversation, "next");
    next.policy = Policy::Refuse;
    sample::opened(&*store, &next).await;
}

/// A cut into what a summary covers deletes it, and takes ratings with their messages.
pub async fn a_cut_takes_notes_and_ratings_along(store: Arc<dyn ChatStore>) {
    let turns = turns(&store, 2).await;
    let id = turns[0].conversation;
    let summary = Summary {
        covers_upto: 3,
        text: "Two turns.".to_owned(),
        costs: Vec::new(),
        model: None,
        created_at_ms: 5,
    };
    assert!(store.store_summary(id, None, summary).await.unwrap());
    for turn in &turns {
        let rated = store.rate_message(id, turn.answer, Rating::Up).await;
        assert!(rated.unwrap());
    }
    store.cut(id, turns[1].input[0].id).await.unwrap().unwrap();
    assert_eq!(store.find_summary(id).await.unwrap(), None);
    assert_eq!(
        store.list_ratings(id).await.unwrap(),
        [(turns[0].answer, Rating::Up)]
    );
}

/// A conversation with this many turns, each answered.
async fn turns(store: &Arc<dyn ChatStore>, count: usize) -> Vec<OpenLeg> {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut turns = Vec::new();
    for number in 0..count {
        let open = sample::send(&owner, id, &format!("question {number}"));
        let leg = sample::opened(&**store, &open).await;
        let close = sample::close(&open, &leg, &format!("answer {number}"));
        assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
        turns.push(open);
    }
    turns
}

//! What [`chat_core::ports::Conversations::open_leg`] says of a cut.

use std::sync::Arc;

use chat_core::{
    event::RunEvent,
    id::{ConversationId, MessageId},
    message::Role,
    ports::{
        Closed, DroppedLeg, IdempotencyKey, LegRef, MessageQuery, OpenLeg, Opened, Policy, Refusal,
        Wanted,
    },
};

use crate::{ChatStore, sample};

/// A cut deletes the named message and all after it, and the new input takes their place.
pub async fn a_cut_deletes_from_the_named_message_on(store: Arc<dyn ChatStore>) {
    let turns = turns(&store).await;
    let mut edit = sample::send(&turns[0].caller, turns[0].conversation, "edited");
    edit.cut_from = Some(turns[1].input[0].id);
    let leg = sample::opened(&*store, &edit).await;
    let texts: Vec<_> = sample::texts(&*store, edit.conversation)
        .await
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(texts, ["question 0", "answer 0", "edited"]);
    assert_eq!(leg.dropped, []);
    for id in [turns[1].input[0].id, turns[1].answer, turns[2].answer] {
        assert_eq!(store.find_message(id).await.unwrap(), None);
    }
    // The new messages stand after the kept ones, and the answer after them.
    let seq = |id: MessageId| {
        let store = Arc::clone(&store);
        async move { store.find_message(id).await.unwrap().unwrap().seq }
    };
    assert!(seq(turns[0].answer).await < seq(edit.input[0].id).await);
    assert!(seq(edit.input[0].id).await < leg.answer_seq);
}

/// Only a person's message begins a cut: one that names an answer, stored or still to come, cuts nothing.
pub async fn a_cut_at_an_answer_cuts_nothing(store: Arc<dyn ChatStore>) {
    let turns = turns(&store).await;
    let coming = sample::send(&turns[0].caller, turns[0].conversation, "and now?");
    sample::opened(&*store, &coming).await;
    for from in [turns[1].answer, turns[2].answer, coming.answer] {
        let before = sample::texts(&*store, turns[0].conversation).await;
        let mut open = sample::send(&turns[0].caller, turns[0].conversation, "more");
        open.cut_from = Some(from);
        let leg = sample::opened(&*store, &open).await;
        assert_eq!(leg.dropped, []);
        let after = sample::texts(&*store, turns[0].conversation).await;
        assert_eq!(after[..before.len()], before);
        assert_eq!(after.len(), before.len() + 1);
    }
    for open in turns.iter().chain([&coming]) {
        assert!(store.find_leg(open.leg).await.unwrap().is_some());
    }
}

/// A message that a person did not write begins no cut either when it was an input.
pub async fn a_cut_at_an_input_of_another_role_cuts_nothing(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut first = sample::send(&owner, id, "be brief");
    first.input[0].role = Role::System;
    sample::opened(&*store, &first).await;
    let mut more = sample::send(&owner, id, "question");
    more.cut_from = Some(first.input[0].id);
    sample::opened(&*store, &more).await;
    assert_eq!(sample::texts(&*store, id).await.len(), 2);
    assert!(store.find_leg(first.leg).await.unwrap().is_some());
}

/// An edit of an answer, stored or still to come, is refused: its id is taken, and nothing is deleted.
pub async fn an_edit_may_not_take_an_answers_id(store: Arc<dyn ChatStore>) {
    let turns = turns(&store).await;
    let coming = sample::send(&turns[0].caller, turns[0].conversation, "and now?");
    let leg = sample::opened(&*store, &coming).await;
    let before = sample::texts(&*store, turns[0].conversation).await;
    for answer in [turns[1].answer, turns[2].answer, coming.answer] {
        let mut edit = sample::send(&turns[0].caller, turns[0].conversation, "edited");
        edit.cut_from = Some(answer);
        edit.input[0].id = answer;
        assert_eq!(
            store.open_leg(edit).await.unwrap(),
            Opened::Refused(Refusal::MessageTaken)
        );
    }
    assert_eq!(sample::texts(&*store, turns[0].conversation).await, before);
    let close = sample::close(&coming, &leg, "whole");
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
}

/// A cut deletes the runs that wrote the deleted messages, with legs and seals, and keeps the others.
pub async fn a_cut_deletes_runs_legs_and_seals(store: Arc<dyn ChatStore>) {
    let turns = turns(&store).await;
    let mut edit = sample::send(&turns[0].caller, turns[0].conversation, "edited");
    edit.cut_from = Some(turns[1].input[0].id);
    sample::opened(&*store, &edit).await;
    let none: [RunEvent; 0] = [];
    for turn in &turns[1..] {
        assert_eq!(store.find_leg(turn.leg).await.unwrap(), None);
        assert_eq!(store.read(turn.leg, 0, 100).await.unwrap(), none);
    }
    assert!(store.find_leg(turns[0].leg).await.unwrap().is_some());
    assert_eq!(
        store.read(turns[0].leg, 0, 100).await.unwrap(),
        sample::events(&turns[0], "answer 0")
    );
}

/// A cut deletes a run that was still to write its answer, and gives its open leg as dropped, not as predecessor.
pub async fn a_cut_drops_open_legs(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let first = sample::send(&owner, id, "one");
    let first_leg = sample::opened(&*store, &first).await;
    store
        .append(vec![sample::batch(
            first.leg,
            &sample::events(&first, "half"),
        )])
        .await
        .unwrap();
    let mut edit = sample::send(&owner, id, "edited");
    edit.cut_from = Some(first.input[0].id);
    let leg = sample::opened(&*store, &edit).await;
    assert_eq!(leg.predecessor, None);
    assert_eq!(
        leg.dropped,
        [DroppedLeg {
            leg: first.leg,
            node: first.node
        }]
    );
    assert_eq!(store.find_leg(first.leg).await.unwrap(), None);
    let none: [RunEvent; 0] = [];
    assert_eq!(store.read(first.leg, 0, 100).await.unwrap(), none);
    assert_eq!(
        store
            .close_leg(sample::close(&first, &first_leg, "late"))
            .await
            .unwrap(),
        Closed::Lost
    );
    assert_eq!(store.find_message(first.answer).await.unwrap(), None);
    assert_eq!(store.newest_leg(id).await.unwrap().unwrap().id, edit.leg);
}

/// An open leg before the cut is replaced, one behind it is dropped.
pub async fn a_cut_keeps_an_earlier_open_leg(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let first = sample::send(&owner, id, "one");
    let first_leg = sample::opened(&*store, &first).await;
    let second = sample::send(&owner, id, "two");
    sample::opened(&*store, &second).await;
    let mut edit = sample::send(&owner, id, "edited");
    edit.cut_from = Some(second.input[0].id);
    let leg = sample::opened(&*store, &edit).await;
    assert_eq!(leg.dropped.len(), 1);
    assert_eq!(leg.dropped[0].leg, second.leg);
    assert_eq!(leg.predecessor, None, "the slot's holder was deleted");
    assert_eq!(
        store
            .close_leg(sample::close(&first, &first_leg, "kept"))
            .await
            .unwrap(),
        Closed::Done
    );
}

/// A message that the cut deletes may be sent again under its id: an edit.
pub async fn an_edit_may_keep_the_messages_id(store: Arc<dyn ChatStore>) {
    let turns = turns(&store).await;
    let mut edit = sample::send(&turns[0].caller, turns[0].conversation, "edited");
    edit.cut_from = Some(turns[1].input[0].id);
    edit.input[0].id = turns[1].input[0].id;
    sample::opened(&*store, &edit).await;
    let message = store.find_message(edit.input[0].id).await.unwrap().unwrap();
    assert_eq!(message.body.text(), "edited");
}

/// A name that no message of this conversation has cuts nothing.
pub async fn a_cut_at_an_unknown_or_foreign_message_cuts_nothing(store: Arc<dyn ChatStore>) {
    let turns = turns(&store).await;
    let other = sample::send(&turns[0].caller, sample::conversation_id(), "other");
    sample::opened(&*store, &other).await;
    for from in [MessageId::new(sample::uuid()), other.input[0].id] {
        let before = sample::texts(&*store, turns[0].conversation).await;
        let mut open = sample::send(&turns[0].caller, turns[0].conversation, "more");
        open.cut_from = Some(from);
        sample::opened(&*store, &open).await;
        let after = sample::texts(&*store, turns[0].conversation).await;
        assert_eq!(after[..before.len()], before);
        assert_eq!(after.len(), before.len() + 1);
    }
    assert_eq!(sample::texts(&*store, other.conversation).await.len(), 1);
}

/// A slot whose holder the cut deletes is free, also for a send that does not replace.
pub async fn a_cut_frees_the_slot_of_the_run_that_it_deletes(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let first = sample::send(&owner, id, "one");
    let leg = sample::opened(&*store, &first).await;
    for pause in [false, true] {
        let newest = store.newest_leg(id).await.unwrap().unwrap();
        if pause {
            let close = chat_core::ports::CloseLeg {
                leg: newest.id,
                epoch: newest.epoch,
                answer: None,
                ..sample::pause(&first, &leg)
            };
            assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
        }
        let (_, question) = sample::texts(&*store, id).await.pop().unwrap();
        let mut edit = sample::send(&owner, id, &format!("{question}, edited"));
        edit.cut_from = Some(first_message(&store, id).await);
        edit.policy = Policy::Refuse;
        let fresh = sample::opened(&*store, &edit).await;
        assert_eq!(fresh.predecessor, None);
        assert_eq!(fresh.dropped.is_empty(), pause);
        assert_eq!(store.find_leg(newest.id).await.unwrap(), None);
    }
}

/// A key outlives its leg: a late repeat of a send that was edited away is not done again.
pub async fn a_key_outlives_the_cut_of_its_leg(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut first = sample::send(&owner, id, "one");
    first.key = Some(IdempotencyKey("key".to_owned()));
    sample::opened(&*store, &first).await;
    let mut edit = sample::send(&owner, id, "edited");
    edit.cut_from = Some(first.input[0].id);
    sample::opened(&*store, &edit).await;
    assert_eq!(
        store.open_leg(first.clone()).await.unwrap(),
        Opened::Repeated(LegRef {
            leg: first.leg,
            run: first.run,
            conversation: id
        })
    );
}

async fn first_message(store: &Arc<dyn ChatStore>, id: ConversationId) -> MessageId {
    let query = MessageQuery {
        conversation: id,
        wanted: Wanted::After(0),
        limit: 1,
    };
    store.list_messages(query).await.unwrap().messages[0].id
}

/// A conversation of three questions with their answers.
async fn turns(store: &Arc<dyn ChatStore>) -> Vec<OpenLeg> {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut turns = Vec::new();
    for number in 0..3 {
        let open = sample::send(&owner, id, &format!("question {number}"));
        let leg = sample::opened(&**store, &open).await;
        let close = sample::close(&open, &leg, &format!("answer {number}"));
        assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
        turns.push(open);
    }
    turns
}

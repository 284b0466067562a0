//! What [`chat_core::ports::Conversations`] says of opening, naming and deleting.

use std::{collections::HashSet, sync::Arc};

use chat_core::{
    access::Visibility,
    conversation::{Conversation, NewConversation, Origin},
    event::RunEvent,
    ports::{
        Closed, DroppedLeg, IdempotencyKey, LegRef, OpenLeg, Opened, Policy, Predecessor, Refusal,
        StopAsked,
    },
    run::RunStatus,
};
use tokio::task::JoinSet;

use crate::{ChatStore, sample};

/// How many callers race.
const RACERS: usize = 24;

/// Opening a missing conversation makes it, stores the input and gives what was made.
pub async fn opening_makes_the_conversation(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut open = sample::send(&owner, id, "hello");
    open.create = Some(NewConversation {
        visibility: Visibility::Public,
        origin: Origin::Responses,
        title: Some("Greetings".to_owned()),
    });
    let leg = sample::opened(&*store, &open).await;
    let conversation = Conversation {
        id,
        owner,
        title: Some("Greetings".to_owned()),
        visibility: Visibility::Public,
        origin: Origin::Responses,
        created_at_ms: open.at_ms,
    };
    assert!(leg.created);
    assert_eq!(leg.conversation, conversation);
    assert_eq!(leg.predecessor, None);
    assert_eq!(leg.dropped, []);
    assert_eq!(
        store.find_conversation(id).await.unwrap(),
        Some(conversation)
    );
}

/// An existing conversation is found as it is, whatever `create` holds.
pub async fn opening_finds_an_existing_conversation(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let first = sample::opened(&*store, &sample::send(&owner, id, "one")).await;
    let mut open = sample::send(&owner, id, "two");
    open.at_ms += 1;
    open.create = Some(NewConversation {
        visibility: Visibility::Public,
        origin: Origin::Assistants,
        title: Some("other".to_owned()),
    });
    let second = sample::opened(&*store, &open).await;
    assert!(!second.created);
    assert_eq!(second.conversation, first.conversation);
    let mut open = sample::send(&owner, id, "three");
    open.create = None;
    let third = sample::opened(&*store, &open).await;
    assert!(!third.created);
    assert_eq!(third.conversation, first.conversation);
}

/// The input messages are appended in order, as they were sent, and the answer's place follows them.
pub async fn input_is_appended_in_order_before_the_answers_place(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut open = sample::send(&owner, id, "one");
    open.input.push(sample::input("two"));
    let leg = sample::opened(&*store, &open).await;
    assert_eq!(leg.answer_seq, 3);
    for (seq, input) in (1..).zip(&open.input) {
        let message = store.find_message(input.id).await.unwrap().unwrap();
        assert_eq!(message.seq, seq);
        assert_eq!(message.conversation, id);
        assert_eq!(message.role, input.role);
        assert_eq!(message.created_at_ms, open.at_ms);
        assert_eq!(message.body, input.body);
    }
    let leg = sample::opened(&*store, &sample::send(&owner, id, "three")).await;
    assert_eq!(leg.answer_seq, 5, "the first answer's place stays reserved");
}

/// The answer is not stored when its leg is opened.
pub async fn the_answer_is_not_stored_yet(store: Arc<dyn ChatStore>) {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "hello");
    sample::opened(&*store, &open).await;
    assert_eq!(store.find_message(open.answer).await.unwrap(), None);
    let texts = sample::texts(&*store, open.conversation).await;
    assert_eq!(texts, [(1, "hello".to_owned())]);
}

/// A send without input opens a leg all the same.
pub async fn a_leg_may_be_opened_without_input(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    sample::opened(&*store, &sample::send(&owner, id, "hello")).await;
    let mut open = sample::send(&owner, id, "");
    open.input.clear();
    assert_eq!(sample::opened(&*store, &open).await.answer_seq, 3);
}

/// A missing conversation without `create` is refused, and nothing is stored.
pub async fn a_missing_conversation_is_refused_without_create(store: Arc<dyn ChatStore>) {
    let mut open = sample::send(&sample::owner(), sample::conversation_id(), "hello");
    open.create = None;
    refused(&store, &open, Refusal::NotFound).await;
    assert_eq!(
        store.find_conversation(open.conversation).await.unwrap(),
        None
    );
    assert_eq!(store.find_message(open.input[0].id).await.unwrap(), None);
    assert_eq!(store.find_leg(open.leg).await.unwrap(), None);
}

/// A foreign conversation is refused, whether it is public or not.
pub async fn a_foreign_conversation_is_refused(store: Arc<dyn ChatStore>) {
    let id = sample::conversation_id();
    let mut open = sample::send(&sample::owner(), id, "mine");
    open.create = Some(NewConversation {
        visibility: Visibility::Public,
        origin: Origin::AiSdk,
        title: None,
    });
    sample::opened(&*store, &open).await;
    let mut foreign = sample::send(&sample::owner(), id, "yours");
    foreign.cut_from = Some(open.input[0].id);
    refused(&store, &foreign, Refusal::Forbidden).await;
    let texts = sample::texts(&*store, id).await;
    assert_eq!(texts, [(1, "mine".to_owned())]);
    assert_eq!(store.newest_leg(id).await.unwrap().unwrap().id, open.leg);
}

/// An id that a message of another conversation has is taken.
pub async fn an_id_of_another_conversations_message_is_taken(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let first = sample::send(&owner, sample::conversation_id(), "one");
    sample::opened(&*store, &first).await;
    let mut second = sample::send(&owner, sample::conversation_id(), "two");
    second.input.push(first.input[0].clone());
    refused(&store, &second, Refusal::MessageTaken).await;
    assert_eq!(
        store.find_conversation(second.conversation).await.unwrap(),
        None
    );
}

/// An id that a message of this conversation has is taken, unless the cut deletes that message.
pub async fn an_id_of_this_conversations_message_is_taken(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let first = sample::send(&owner, id, "one");
    sample::opened(&*store, &first).await;
    let second = sample::send(&owner, id, "two");
    sample::opened(&*store, &second).await;
    let mut third = sample::send(&owner, id, "three");
    third.input = first.input.clone();
    refused(&store, &third, Refusal::MessageTaken).await;
    third.cut_from = Some(second.input[0].id);
    refused(&store, &third, Refusal::MessageTaken).await;
    assert_eq!(
        sample::texts(&*store, id).await.len(),
        2,
        "a refused cut deletes nothing"
    );
}

/// The id of an answer that is still to come is taken, or that answer could never be stored.
pub async fn the_id_of_a_coming_answer_is_taken(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let first = sample::send(&owner, sample::conversation_id(), "one");
    let leg = sample::opened(&*store, &first).await;
    for conversation in [first.conversation, sample::conversation_id()] {
        let mut open = sample::send(&owner, conversation, "two");
        open.input[0].id = first.answer;
        refused(&store, &open, Refusal::MessageTaken).await;
    }
    assert_eq!(
        store
            .close_leg(sample::close(&first, &leg, "answer"))
            .await
            .unwrap(),
        Closed::Done
    );
}

/// Two input messages cannot have one id.
pub async fn an_id_is_taken_by_the_input_before_it(store: Arc<dyn ChatStore>) {
    let mut open = sample::send(&sample::owner(), sample::conversation_id(), "one");
    open.input.push(open.input[0].clone());
    refused(&store, &open, Refusal::MessageTaken).await;
}

/// An answer's id is taken like a message's: by a stored message, by a coming answer, and by an input message.
pub async fn a_taken_id_of_the_answer_is_refused(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let first = sample::send(&owner, sample::conversation_id(), "one");
    let first_leg = sample::opened(&*store, &first).await;
    let id = sample::conversation_id();
    let own = sample::send(&owner, id, "question");
    sample::opened(&*store, &own).await;
    let mut open = sample::send(&owner, id, "two");
    for taken in [
        first.input[0].id,
        first.answer,
        own.input[0].id,
        own.answer,
        open.input[0].id,
    ] {
        open.answer = taken;
        refused(&store, &open, Refusal::MessageTaken).await;
    }
    let close = sample::close(&first, &first_leg, "an answer");
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
    open.answer = first.answer;
    refused(&store, &open, Refusal::MessageTaken).await;
    assert_eq!(sample::texts(&*store, id).await.len(), 1);
    // What the cut deletes is free.
    open.cut_from = Some(own.input[0].id);
    for freed in [own.answer, own.input[0].id] {
        open.answer = freed;
        sample::opened(&*store, &open).await;
        store.delete_conversation(id).await.unwrap().unwrap();
        sample::opened(&*store, &own).await;
    }
}

/// Checks are made in order: not found, forbidden, taken, busy.
pub async fn the_first_failing_check_is_answered(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let first = sample::send(&owner, sample::conversation_id(), "one");
    sample::opened(&*store, &first).await;
    let mut open = sample::send(&sample::owner(), sample::conversation_id(), "two");
    open.input = first.input.clone();
    open.policy = Policy::Refuse;
    open.create = None;
    refused(&store, &open, Refusal::NotFound).await;
    open.conversation = first.conversation;
    refused(&store, &open, Refusal::Forbidden).await;
    open.caller = owner;
    refused(&store, &open, Refusal::MessageTaken).await;
    open.input = vec![sample::input("two")];
    refused(&store, &open, Refusal::Busy).await;
}

/// Under `Refuse` a held slot is busy, also while its run is paused, and free once the run is over.
pub async fn a_held_slot_is_busy_under_refuse(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let first = sample::send(&owner, id, "one");
    let leg = sample::opened(&*store, &first).await;
    let mut second = sample::send(&owner, id, "two");
    second.policy = Policy::Refuse;
    refused(&store, &second, Refusal::Busy).await;
    assert_eq!(sample::texts(&*store, id).await.len(), 1);
    assert_eq!(
        store.close_leg(sample::pause(&first, &leg)).await.unwrap(),
        Closed::Done
    );
    refused(&store, &second, Refusal::Busy).await;

    let other = sample::conversation_id();
    let first = sample::send(&owner, other, "one");
    let leg = sample::opened(&*store, &first).await;
    assert_eq!(
        store
            .close_leg(sample::close(&first, &leg, "done"))
            .await
            .unwrap(),
        Closed::Done
    );
    let mut second = sample::send(&owner, other, "two");
    second.policy = Policy::Refuse;
    let leg = sample::opened(&*store, &second).await;
    assert_eq!(leg.predecessor, None);
}

/// A second open takes the slot; the first leg is given back for its owner to close and is marked.
pub async fn a_second_open_replaces_the_first_and_never_shares_the_slot(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let first = sample::send(&owner, id, "one");
    let first_leg = sample::opened(&*store, &first).await;
    let second = sample::send(&owner, id, "two");
    let second_leg = sample::opened(&*store, &second).await;
    assert_eq!(
        second_leg.predecessor,
        Some(Predecessor {
            leg: first.leg,
            node: first.node
        })
    );
    let replaced = store.find_leg(first.leg).await.unwrap().unwrap();
    assert_eq!(replaced.status, RunStatus::Cancelling);
    assert_eq!(replaced.closed_at_ms, None);
    // The slot is the second one's, and the first one's close does not free it.
    let mut close = sample::close(&first, &first_leg, "half an");
    close.status = RunStatus::Cancelled;
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
    let mut third = sample::send(&owner, id, "three");
    third.policy = Policy::Refuse;
    refused(&store, &third, Refusal::Busy).await;
    assert_eq!(
        store.ask_stop(id).await.unwrap(),
        Some(StopAsked {
            leg: second.leg,
            node: second.node
        })
    );
}

/// A repeated key gives the leg that was opened then, and nothing is changed.
pub async fn a_repeated_key_gives_the_first_leg(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut first = sample::send(&owner, id, "one");
    first.key = Some(IdempotencyKey("key".to_owned()));
    sample::opened(&*store, &first).await;
    let mut second = sample::send(&owner, id, "two");
    second.key.clone_from(&first.key);
    second.cut_from = Some(first.input[0].id);
    repeated(&store, &second, &first).await;
    assert_eq!(sample::texts(&*store, id).await, [(1, "one".to_owned())]);
    assert_eq!(store.find_leg(second.leg).await.unwrap(), None);
    assert_eq!(
        store.find_leg(first.leg).await.unwrap().unwrap().status,
        RunStatus::Queued
    );
}

/// The key is looked at before anything that could refuse.
pub async fn a_repeated_key_is_answered_before_any_refusal(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let mut first = sample::send(&owner, sample::conversation_id(), "one");
    first.key = Some(IdempotencyKey("key".to_owned()));
    sample::opened(&*store, &first).await;
    let mut same = first.clone();
    same.policy = Policy::Refuse;
    repeated(&store, &same, &first).await;
    let foreign = sample::send(&sample::owner(), sample::conversation_id(), "foreign");
    sample::opened(&*store, &foreign).await;
    same.conversation = foreign.conversation;
    repeated(&store, &same, &first).await;
    same.conversation = sample::conversation_id();
    same.create = None;
    repeated(&store, &same, &first).await;
}

/// A key is its caller's own.
pub async fn two_callers_with_one_key_do_not_meet(store: Arc<dyn ChatStore>) {
    for _ in 0..2 {
        let mut open = sample::send(&sample::owner(), sample::conversation_id(), "one");
        open.key = Some(IdempotencyKey("key".to_owned()));
        sample::opened(&*store, &open).await;
    }
}

/// A refused send leaves no key behind.
pub async fn a_refused_send_does_not_use_up_its_key(store: Arc<dyn ChatStore>) {
    let mut open = sample::send(&sample::owner(), sample::conversation_id(), "one");
    open.key = Some(IdempotencyKey("key".to_owned()));
    let create = open.create.take();
    refused(&store, &open, Refusal::NotFound).await;
    open.create = create;
    sample::opened(&*store, &open).await;
}

/// When callers race, all succeed, one after the other, each replacing the one before.
pub async fn racing_opens_replace_each_other_one_by_one(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut racing = JoinSet::new();
    for number in 0..RACERS {
        let open = sample::send(&owner, id, &format!("message {number}"));
        let store = Arc::clone(&store);
        racing.spawn(async move {
            let leg = sample::opened(&*store, &open).await;
            (open, leg)
        });
    }
    let mut all = racing.join_all().await;
    all.sort_by_key(|(_, leg)| leg.answer_seq);
    assert_eq!(all.iter().filter(|(_, leg)| leg.created).count(), 1);
    let mut before = None;
    for (place, (open, leg)) in (1..).zip(&all) {
        assert_eq!(leg.answer_seq, place * 2);
        assert_eq!(leg.predecessor.map(|predecessor| predecessor.leg), before);
        before = Some(open.leg);
    }
    let holder = store.ask_stop(id).await.unwrap().unwrap();
    assert_eq!(Some(holder.leg), before);
    for (open, _) in &all {
        let leg = store.find_leg(open.leg).await.unwrap().unwrap();
        assert_eq!(leg.status, RunStatus::Cancelling);
    }
    assert_eq!(sample::texts(&*store, id).await.len(), RACERS);
}

/// When callers that do not replace race, exactly one gets the slot.
pub async fn racing_refusing_opens_have_one_winner(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut racing = JoinSet::new();
    for _ in 0..RACERS {
        let mut open = sample::send(&owner, id, "me");
        open.policy = Policy::Refuse;
        let store = Arc::clone(&store);
        racing.spawn(async move { store.open_leg(open).await.unwrap() });
    }
    let outcomes = racing.join_all().await;
    let count = |wanted: fn(&Opened) -> bool| outcomes.iter().filter(|o| wanted(o)).count();
    assert_eq!(count(|o| matches!(o, Opened::Fresh(_))), 1);
    assert_eq!(count(|o| *o == Opened::Refused(Refusal::Busy)), RACERS - 1);
    assert_eq!(sample::texts(&*store, id).await.len(), 1);
}

/// When sends with one key race, one opens and all others are given its leg.
pub async fn racing_opens_with_one_key_open_once(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut racing = JoinSet::new();
    for _ in 0..RACERS {
        let mut open = sample::send(&owner, id, "once");
        open.key = Some(IdempotencyKey("key".to_owned()));
        let store = Arc::clone(&store);
        racing.spawn(async move {
            let leg = open.leg;
            match store.open_leg(open).await.unwrap() {
                Opened::Fresh(_) => (true, leg),
                Opened::Repeated(repeated) => (false, repeated.leg),
                Opened::Refused(refusal) => panic!("{refusal:?}"),
            }
        });
    }
    let outcomes = racing.join_all().await;
    assert_eq!(outcomes.iter().filter(|(fresh, _)| *fresh).count(), 1);
    let legs: HashSet<_> = outcomes.iter().map(|(_, leg)| leg).collect();
    assert_eq!(legs.len(), 1);
    assert_eq!(sample::texts(&*store, id).await.len(), 1);
}

/// A conversation that is not there is `None`.
pub async fn an_unknown_conversation_is_not_found(store: Arc<dyn ChatStore>) {
    let id = sample::conversation_id();
    assert_eq!(store.find_conversation(id).await.unwrap(), None);
}

/// A title is given only in the place of the one that the caller saw.
pub async fn a_title_replaces_only_the_one_it_was_made_for(store: Arc<dyn ChatStore>) {
    let id = sample::conversation_id();
    sample::opened(&*store, &sample::send(&sample::owner(), id, "hello")).await;
    assert!(!store.retitle(id, Some("other"), "A").await.unwrap());
    assert!(store.retitle(id, None, "A").await.unwrap());
    assert!(!store.retitle(id, None, "B").await.unwrap());
    assert_eq!(title(&store, id).await.as_deref(), Some("A"));
    assert!(store.retitle(id, Some("A"), "B").await.unwrap());
    assert_eq!(title(&store, id).await.as_deref(), Some("B"));
    let missing = sample::conversation_id();
    assert!(!store.retitle(missing, None, "A").await.unwrap());
    assert_eq!(store.find_conversation(missing).await.unwrap(), None);
}

/// Deleting gives the conversation as it was and the legs that were open.
pub async fn deleting_gives_the_conversation_and_its_open_legs(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let first = sample::send(&owner, id, "one");
    let first_leg = sample::opened(&*store, &first).await;
    let second = sample::send(&owner, id, "two");
    sample::opened(&*store, &second).await;
    let third = sample::send(&owner, id, "three");
    sample::opened(&*store, &third).await;
    assert_eq!(
        store
            .close_leg(sample::close(&first, &first_leg, "answer"))
            .await
            .unwrap(),
        Closed::Done
    );
    let conversation = store.find_conversation(id).await.unwrap().unwrap();
    let deleted = store.delete_conversation(id).await.unwrap().unwrap();
    assert_eq!(deleted.conversation, conversation);
    let dropped: HashSet<_> = deleted
        .dropped
        .iter()
        .map(|leg| (leg.leg, leg.node))
        .collect();
    assert_eq!(
        dropped,
        HashSet::from([(second.leg, second.node), (third.leg, third.node)])
    );
    assert_eq!(store.delete_conversation(id).await.unwrap(), None);
}

/// Deleting takes messages, legs, logs and seals with it, and nothing of another conversation.
pub async fn deleting_takes_everything_with_it(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let closed = sample::send(&owner, id, "one");
    let leg = sample::opened(&*store, &closed).await;
    assert_eq!(
        store
            .close_leg(sample::close(&closed, &leg, "answer"))
            .await
            .unwrap(),
        Closed::Done
    );
    let open = sample::send(&owner, id, "two");
    sample::opened(&*store, &open).await;
    let events = sample::events(&open, "half");
    let other = sample::send(&owner, sample::conversation_id(), "other");
    sample::opened(&*store, &other).await;
    store
        .append(vec![
            sample::batch(open.leg, &events),
            sample::batch(other.leg, &events),
        ])
        .await
        .unwrap();
    store.delete_conversation(id).await.unwrap().unwrap();

    assert_eq!(store.find_conversation(id).await.unwrap(), None);
    assert_eq!(sample::texts(&*store, id).await, []);
    for message in [closed.input[0].id, closed.answer, open.input[0].id] {
        assert_eq!(store.find_message(message).await.unwrap(), None);
    }
    for leg in [closed.leg, open.leg] {
        assert_eq!(store.find_leg(leg).await.unwrap(), None);
        let none: [RunEvent; 0] = [];
        assert_eq!(store.read(leg, 0, 100).await.unwrap(), none);
    }
    assert_eq!(store.newest_leg(id).await.unwrap(), None);
    assert_eq!(store.ask_stop(id).await.unwrap(), None);
    assert_eq!(store.read(other.leg, 0, 100).await.unwrap(), events);
    assert_eq!(
        sample::texts(&*store, other.conversation).await,
        [(1, "other".to_owned())]
    );
}

/// Writes of a leg whose conversation was deleted are lost.
pub async fn a_deleted_legs_writes_are_lost(store: Arc<dyn ChatStore>) {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "one");
    let leg = sample::opened(&*store, &open).await;
    let deleted = store
        .delete_conversation(open.conversation)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        deleted.dropped,
        [DroppedLeg {
            leg: open.leg,
            node: open.node
        }]
    );
    assert_eq!(
        store
            .close_leg(sample::close(&open, &leg, "late"))
            .await
            .unwrap(),
        Closed::Lost
    );
    assert_eq!(store.find_message(open.answer).await.unwrap(), None);
}

/// A deleted conversation's keys are free again, and so are all its ids.
pub async fn a_deleted_conversation_frees_its_keys_and_ids(store: Arc<dyn ChatStore>) {
    let mut open = sample::send(&sample::owner(), sample::conversation_id(), "one");
    open.key = Some(IdempotencyKey("key".to_owned()));
    sample::opened(&*store, &open).await;
    store
        .delete_conversation(open.conversation)
        .await
        .unwrap()
        .unwrap();
    let again = sample::opened(&*store, &open).await;
    assert!(again.created);
}

async fn refused(store: &Arc<dyn ChatStore>, open: &OpenLeg, refusal: Refusal) {
    assert_eq!(
        store.open_leg(open.clone()).await.unwrap(),
        Opened::Refused(refusal)
    );
}

async fn repeated(store: &Arc<dyn ChatStore>, open: &OpenLeg, first: &OpenLeg) {
    assert_eq!(
        store.open_leg(open.clone()).await.unwrap(),
        Opened::Repeated(LegRef {
            leg: first.leg,
            run: first.run,
            conversation: first.conversation
        })
    );
}

async fn title(store: &Arc<dyn ChatStore>, id: chat_core::id::ConversationId) -> Option<String> {
    store.find_conversation(id).await.unwrap().unwrap().title
}

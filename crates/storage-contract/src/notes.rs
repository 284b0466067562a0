//! What [`chat_core::ports::Notes`] says.

use std::sync::Arc;

use chat_core::{
    access::Owner,
    id::{ConversationId, PinId},
    message::TokenCost,
    ports::{OpenLeg, Pin, PinScope, Summary},
};
use tokio::task::JoinSet;

use crate::{ChatStore, sample};

/// A conversation without a summary, and one that is not there, have none.
pub async fn an_unknown_summary_is_not_found(store: Arc<dyn ChatStore>) {
    let open = one(&store).await;
    for id in [open.conversation, sample::conversation_id()] {
        assert_eq!(store.find_summary(id).await.unwrap(), None);
    }
}

/// A summary is found as it was stored, in its conversation only.
pub async fn a_summary_is_found_as_it_was_stored(store: Arc<dyn ChatStore>) {
    let plain = Summary {
        text: "with \0 and 𝄞".to_owned(),
        covers_upto: 0,
        costs: Vec::new(),
        model: None,
        created_at_ms: -1,
    };
    for summary in [summary(7), plain] {
        let (open, other) = (one(&store).await, one(&store).await);
        assert!(stores(&store, open.conversation, None, &summary).await);
        let found = store.find_summary(open.conversation).await.unwrap();
        assert_eq!(found, Some(summary));
        assert_eq!(store.find_summary(other.conversation).await.unwrap(), None);
    }
}

/// A summary takes the place of the one that it was made from, and of no other.
pub async fn a_summary_replaces_only_the_one_it_was_made_from(store: Arc<dyn ChatStore>) {
    let id = one(&store).await.conversation;
    assert!(!stores(&store, id, Some(1), &summary(2)).await);
    assert_eq!(store.find_summary(id).await.unwrap(), None);
    assert!(stores(&store, id, None, &summary(2)).await);
    for stale in [None, Some(0), Some(1), Some(3)] {
        assert!(!stores(&store, id, stale, &summary(9)).await, "{stale:?}");
    }
    assert_eq!(store.find_summary(id).await.unwrap(), Some(summary(2)));
    assert!(stores(&store, id, Some(2), &summary(4)).await);
    assert!(!stores(&store, id, Some(2), &summary(5)).await);
    assert_eq!(store.find_summary(id).await.unwrap(), Some(summary(4)));
}

/// When callers race from one state, exactly one wins, at the beginning as well as later.
pub async fn racing_summaries_have_one_winner(store: Arc<dyn ChatStore>) {
    let id = one(&store).await.conversation;
    let mut was = None;
    for round in 0..3 {
        let mut racing = JoinSet::new();
        for racer in 0..16 {
            let store = Arc::clone(&store);
            let summary = summary(100 * round + racer + 1);
            racing.spawn(async move {
                stores(&store, id, was, &summary)
                    .await
                    .then_some(summary.covers_upto)
            });
        }
        let winners: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
        assert_eq!(winners.len(), 1, "{winners:?}");
        was = Some(winners[0]);
        let stored = store.find_summary(id).await.unwrap();
        assert_eq!(stored, Some(summary(winners[0])));
    }
}

/// A conversation that is not there has nothing stored, also when it comes to be later.
pub async fn a_missing_conversation_has_no_summary_stored(store: Arc<dyn ChatStore>) {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
    assert!(!stores(&store, open.conversation, None, &summary(1)).await);
    sample::opened(&*store, &open).await;
    assert_eq!(store.find_summary(open.conversation).await.unwrap(), None);
}

/// A cut at or before what a summary covers deletes it; one behind that leaves it.
pub async fn a_cut_into_what_it_covers_deletes_the_summary(store: Arc<dyn ChatStore>) {
    // Questions stand at 1, 3, 5; the cut is at 3.
    for (covers_upto, stays) in [(1, true), (2, true), (3, false), (4, false), (5, false)] {
        let turns = turns(&store).await;
        let id = turns[0].conversation;
        let other = one(&store).await.conversation;
        let summary = summary(covers_upto);
        for id in [id, other] {
            assert!(stores(&store, id, None, &summary).await);
        }
        let mut edit = sample::send(&turns[0].caller, id, "edited");
        edit.cut_from = Some(turns[1].input[0].id);
        sample::opened(&*store, &edit).await;
        let expected = stays.then(|| summary.clone());
        assert_eq!(
            store.find_summary(id).await.unwrap(),
            expected,
            "{covers_upto}"
        );
        assert_eq!(store.find_summary(other).await.unwrap(), Some(summary));
    }
}

/// A summary made from what was there before a cut is not stored after it.
pub async fn a_summary_from_before_a_cut_is_not_stored(store: Arc<dyn ChatStore>) {
    let turns = turns(&store).await;
    let id = turns[0].conversation;
    assert!(stores(&store, id, None, &summary(3)).await);
    let mut edit = sample::send(&turns[0].caller, id, "edited");
    edit.cut_from = Some(turns[0].input[0].id);
    sample::opened(&*store, &edit).await;
    assert!(!stores(&store, id, Some(3), &summary(5)).await);
    assert_eq!(store.find_summary(id).await.unwrap(), None);
}

/// A send without a cut, and one that cuts nothing, leave the summary.
pub async fn a_send_without_a_cut_leaves_the_summary(store: Arc<dyn ChatStore>) {
    let turns = turns(&store).await;
    let id = turns[0].conversation;
    assert!(stores(&store, id, None, &summary(1_000)).await);
    let mut send = sample::send(&turns[0].caller, id, "more");
    sample::opened(&*store, &send).await;
    send = sample::send(&turns[0].caller, id, "and more");
    send.cut_from = Some(turns[1].answer);
    sample::opened(&*store, &send).await;
    assert_eq!(store.find_summary(id).await.unwrap(), Some(summary(1_000)));
}

/// Deleting a conversation deletes its summary and its pins, and nothing else's.
pub async fn deleting_takes_the_notes_with_it(store: Arc<dyn ChatStore>) {
    let (open, other) = (one(&store).await, one(&store).await);
    let mut others = Vec::new();
    for id in [open.conversation, other.conversation] {
        assert!(stores(&store, id, None, &summary(1)).await);
        let pin = pin(PinScope::Conversation(id), 1);
        assert!(store.insert_pin(pin.clone()).await.unwrap());
        others.push(pin);
    }
    let owners = pin(PinScope::Owner(open.caller.clone()), 1);
    assert!(store.insert_pin(owners.clone()).await.unwrap());
    store.delete_conversation(open.conversation).await.unwrap();
    // The same id again begins with nothing.
    sample::opened(&*store, &open).await;
    assert_eq!(store.find_summary(open.conversation).await.unwrap(), None);
    assert_eq!(
        pins(&store, &open.caller, Some(open.conversation), 10).await,
        [owners]
    );
    assert_eq!(
        store.find_summary(other.conversation).await.unwrap(),
        Some(summary(1))
    );
    assert_eq!(
        pins(&store, &other.caller, Some(other.conversation), 10).await,
        others[1..]
    );
}

/// Pins are listed the owner's first, then the conversation's, each oldest first, ties by id, and no other's.
pub async fn pins_are_listed_the_owners_first(store: Arc<dyn ChatStore>) {
    let open = one(&store).await;
    let (owner, id) = (open.caller, open.conversation);
    let other = one(&store).await;
    let of_owner = || PinScope::Owner(owner.clone());
    let of_conversation = || PinScope::Conversation(id);
    let tie = pin(of_owner(), 2);
    let expected = [
        pin(of_owner(), 1),
        tie,
        pin(of_owner(), 2),
        pin(of_owner(), 9),
        pin(of_conversation(), -3),
        pin(of_conversation(), 3),
    ];
    for pin in expected.iter().rev() {
        assert!(store.insert_pin(pin.clone()).await.unwrap());
    }
    for scope in [
        PinScope::Owner(other.caller.clone()),
        PinScope::Owner(Owner::Tenant),
        PinScope::Conversation(other.conversation),
    ] {
        assert!(store.insert_pin(pin(scope, 0)).await.unwrap());
    }
    assert_eq!(pins(&store, &owner, Some(id), 10).await, expected);
    assert_eq!(pins(&store, &owner, None, 10).await, expected[..4]);
    for (limit, length) in [(0, 0), (3, 3), (4, 4), (5, 5), (6, 6)] {
        assert_eq!(
            pins(&store, &owner, Some(id), limit).await,
            expected[..length],
            "{limit}"
        );
    }
    let stranger = sample::owner();
    assert_eq!(pins(&store, &stranger, None, 10).await, []);
    let missing = sample::conversation_id();
    assert_eq!(pins(&store, &stranger, Some(missing), 10).await, []);
}

/// A pin whose id is there is not stored, wherever that one holds, and the first one stays.
pub async fn a_pin_of_a_known_id_is_not_stored(store: Arc<dyn ChatStore>) {
    let open = one(&store).await;
    let first = pin(PinScope::Owner(open.caller.clone()), 1);
    assert!(store.insert_pin(first.clone()).await.unwrap());
    let mut second = pin(PinScope::Conversation(open.conversation), 2);
    second.id = first.id;
    "another".clone_into(&mut second.prompt);
    for again in [first.clone(), second] {
        assert!(!store.insert_pin(again).await.unwrap());
    }
    assert_eq!(
        pins(&store, &open.caller, Some(open.conversation), 10).await,
        [first]
    );
}

/// When callers race for one id, exactly one pin is stored.
pub async fn racing_pins_have_one_winner(store: Arc<dyn ChatStore>) {
    let open = one(&store).await;
    let id = PinId::new(sample::uuid());
    let mut racing = JoinSet::new();
    for at_ms in 0..16 {
        let store = Arc::clone(&store);
        let mut pin = pin(PinScope::Conversation(open.conversation), at_ms);
        pin.id = id;
        racing.spawn(async move {
            let stored = store.insert_pin(pin.clone()).await.unwrap();
            stored.then_some(pin)
        });
    }
    let winners: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(
        pins(&store, &open.caller, Some(open.conversation), 10).await,
        winners
    );
}

/// A pin for a conversation that is not there is not stored, also when it comes to be later.
pub async fn a_pin_of_a_missing_conversation_is_not_stored(store: Arc<dyn ChatStore>) {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
    let pin = pin(PinScope::Conversation(open.conversation), 1);
    assert!(!store.insert_pin(pin).await.unwrap());
    sample::opened(&*store, &open).await;
    assert_eq!(
        pins(&store, &open.caller, Some(open.conversation), 10).await,
        []
    );
}

/// Notes that race the deletion of their conversation are gone with it.
pub async fn notes_that_race_a_deletion_are_gone(store: Arc<dyn ChatStore>) {
    for _ in 0..8 {
        let open = one(&store).await;
        let id = open.conversation;
        let mut racing = JoinSet::new();
        let deleting = Arc::clone(&store);
        racing.spawn(async move {
            deleting.delete_conversation(id).await.unwrap().unwrap();
        });
        let summing = Arc::clone(&store);
        racing.spawn(async move {
            stores(&summing, id, None, &summary(1)).await;
        });
        let pinning = Arc::clone(&store);
        racing.spawn(async move {
            let pin = pin(PinScope::Conversation(id), 1);
            pinning.insert_pin(pin).await.unwrap();
        });
        racing.join_all().await;
        assert_eq!(store.find_summary(id).await.unwrap(), None);
        assert_eq!(pins(&store, &open.caller, Some(id), 10).await, []);
    }
}

/// A summary that races a cut into what it covers is not there afterwards, or was stored after the cut.
pub async fn a_summary_that_races_a_cut_is_of_one_state(store: Arc<dyn ChatStore>) {
    for _ in 0..8 {
        let turns = turns(&store).await;
        let id = turns[0].conversation;
        assert!(stores(&store, id, None, &summary(3)).await);
        let mut edit = sample::send(&turns[0].caller, id, "edited");
        edit.cut_from = Some(turns[0].input[0].id);
        let (cutting, summing) = (Arc::clone(&store), Arc::clone(&store));
        let mut racing = JoinSet::new();
        racing.spawn(async move {
            sample::opened(&*cutting, &edit).await;
        });
        racing.spawn(async move {
            stores(&summing, id, Some(3), &summary(5)).await;
        });
        racing.join_all().await;
        assert_eq!(store.find_summary(id).await.unwrap(), None);
    }
}

async fn one(store: &Arc<dyn ChatStore>) -> OpenLeg {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
    sample::opened(&**store, &open).await;
    open
}

/// A conversation of three sends.
async fn turns(store: &Arc<dyn ChatStore>) -> Vec<OpenLeg> {
    let (owner, id) = (sample::owner(), sample::conversation_id());
    let mut turns = Vec::new();
    for number in 0..3 {
        let open = sample::send(&owner, id, &format!("question {number}"));
        sample::opened(&**store, &open).await;
        turns.push(open);
    }
    turns
}

async fn stores(
    store: &Arc<dyn ChatStore>,
    conversation: ConversationId,
    was: Option<u64>,
    summary: &Summary,
) -> bool {
    store
        .store_summary(conversation, was, summary.clone())
        .await
        .unwrap()
}

async fn pins(
    store: &Arc<dyn ChatStore>,
    owner: &Owner,
    conversation: Option<ConversationId>,
    limit: u32,
) -> Vec<Pin> {
    store.list_pins(owner, conversation, limit).await.unwrap()
}

fn summary(covers_upto: u64) -> Summary {
    let cost = |encoding: &str, tokens| TokenCost {
        encoding: encoding.to_owned(),
        tokens,
    };
    Summary {
        text: format!("What was said up to {covers_upto}."),
        covers_upto,
        costs: vec![cost("o200k_base", 11), cost("cl100k_base", 12)],
        model: Some("a-model".to_owned()),
        created_at_ms: 1_700_000_000_000,
    }
}

fn pin(scope: PinScope, created_at_ms: i64) -> Pin {
    Pin {
        id: PinId::new(sample::uuid()),
        scope,
        prompt: format!("How is \0 it at {created_at_ms}?"),
        answer: "So: 'it' $is.".to_owned(),
        created_at_ms,
    }
}

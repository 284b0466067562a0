//! What the ports say of changing a conversation, and of rating its messages.

use std::sync::Arc;

use chat_core::{
    access::Visibility,
    conversation::Conversation,
    id::MessageId,
    message::Rating,
    ports::{Closed, ConversationChange},
};

use crate::{ChatStore, sample};

/// What is given is changed, and nothing else; the conversation is given as it is now.
pub async fn a_conversation_is_changed_as_asked(store: Arc<dyn ChatStore>) {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "one");
    let made = sample::opened(&*store, &open).await.conversation;
    let id = open.conversation;
    let mut expected = made.clone();
    for (title, visibility) in [
        (None, Some(Visibility::Public)),
        (Some("Weather"), None),
        (Some("Rome"), Some(Visibility::Private)),
        (None, None),
    ] {
        let change = ConversationChange {
            title: title.map(str::to_owned),
            visibility,
        };
        expected = Conversation {
            title: title.map(str::to_owned).or(expected.title),
            visibility: visibility.unwrap_or(expected.visibility),
            ..expected
        };
        let changed = store.change_conversation(id, change).await.unwrap();
        assert_eq!(changed, Some(expected.clone()));
        let found = store.find_conversation(id).await.unwrap();
        assert_eq!(found, Some(expected.clone()));
    }
    assert!(!store.retitle(id, None, "generated").await.unwrap());
}

/// A conversation that is not there is not changed and not made.
pub async fn a_missing_conversation_is_not_changed(store: Arc<dyn ChatStore>) {
    let id = sample::conversation_id();
    let change = ConversationChange {
        title: Some("Nothing".to_owned()),
        visibility: None,
    };
    assert_eq!(store.change_conversation(id, change).await.unwrap(), None);
    assert_eq!(store.find_conversation(id).await.unwrap(), None);
}

/// The last rating of a message counts; they are listed in the messages' order.
pub async fn ratings_are_listed_in_order(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut answers = Vec::new();
    for number in 0..3 {
        let open = sample::send(&owner, id, &format!("question {number}"));
        let leg = sample::opened(&*store, &open).await;
        let close = sample::close(&open, &leg, "answer");
        assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
        answers.push(open.answer);
    }
    assert_eq!(store.list_ratings(id).await.unwrap(), []);
    for (answer, rating) in [(2, Rating::Down), (0, Rating::Down), (0, Rating::Up)] {
        assert!(
            store
                .rate_message(id, answers[answer], rating)
                .await
                .unwrap()
        );
    }
    assert_eq!(
        store.list_ratings(id).await.unwrap(),
        [(answers[0], Rating::Up), (answers[2], Rating::Down)]
    );
    let missing = sample::conversation_id();
    assert_eq!(store.list_ratings(missing).await.unwrap(), []);
}

/// A message that is not of this conversation is not rated.
pub async fn a_foreign_message_is_not_rated(store: Arc<dyn ChatStore>) {
    let one = sample::send(&sample::owner(), sample::conversation_id(), "one");
    sample::opened(&*store, &one).await;
    let two = sample::send(&one.caller, sample::conversation_id(), "two");
    sample::opened(&*store, &two).await;
    let foreign = two.input[0].id;
    for message in [foreign, one.answer, MessageId::new(sample::uuid())] {
        let rated = store.rate_message(one.conversation, message, Rating::Up);
        assert!(!rated.await.unwrap());
    }
    assert_eq!(store.list_ratings(two.conversation).await.unwrap(), []);
    let id = two.conversation;
    assert!(store.rate_message(id, foreign, Rating::Up).await.unwrap());
}

/// An answer that is written on keeps its rating.
pub async fn a_rating_outlives_a_write_of_its_message(store: Arc<dyn ChatStore>) {
    let (open, _) = sample::paused(&*store).await;
    let id = open.conversation;
    assert!(
        store
            .rate_message(id, open.answer, Rating::Up)
            .await
            .unwrap()
    );
    let resume = sample::resume(&open.caller, sample::waiting(&open), "resumed");
    sample::resumed(&*store, &resume).await;
    assert_eq!(
        store.list_ratings(id).await.unwrap(),
        [(open.answer, Rating::Up)]
    );
}

/// A deleted conversation's ratings are gone, also when its messages' ids are used again.
pub async fn deleting_takes_ratings_along(store: Arc<dyn ChatStore>) {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "one");
    sample::opened(&*store, &open).await;
    let (id, message) = (open.conversation, open.input[0].id);
    assert!(store.rate_message(id, message, Rating::Up).await.unwrap());
    store.delete_conversation(id).await.unwrap().unwrap();
    assert_eq!(store.list_ratings(id).await.unwrap(), []);
    sample::opened(&*store, &open).await;
    assert_eq!(store.list_ratings(id).await.unwrap(), []);
}

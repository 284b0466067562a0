//! What [`chat_core::ports::Quota`] says.

use std::sync::Arc;

use chat_core::{
    id::ConversationId,
    message::Role,
    ports::{IdempotencyKey, OpenLeg, Opened, Quota, Refusal},
};

use crate::{ChatStore, sample};

/// One message more than the limit is taken, and no further one.
pub async fn a_send_beyond_the_quota_is_refused(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let quota = Quota {
        limit: 2,
        since_ms: 0,
    };
    for _ in 0..3 {
        let mut open = sample::send(&owner, sample::conversation_id(), "one");
        open.quota = Some(quota);
        sample::opened(&*store, &open).await;
    }
    let mut open = sample::send(&owner, sample::conversation_id(), "one too many");
    open.quota = Some(quota);
    spent(&store, &open).await;
    assert_eq!(
        store.find_conversation(open.conversation).await.unwrap(),
        None
    );
    open.quota = None;
    sample::opened(&*store, &open).await;
}

/// Only what the caller sent counts, not what others sent and not answers or other roles.
pub async fn a_quota_counts_the_callers_own_messages(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let mut open = sample::send(&owner, id, "mine");
    open.input.push({
        let mut system = sample::input("be brief");
        system.role = Role::System;
        system
    });
    let leg = sample::opened(&*store, &open).await;
    let close = sample::close(&open, &leg, "an answer");
    let closed = store.close_leg(close).await.unwrap();
    assert_eq!(closed, chat_core::ports::Closed::Done);
    for _ in 0..3 {
        let other = sample::send(&sample::owner(), sample::conversation_id(), "theirs");
        sample::opened(&*store, &other).await;
    }
    assert_eq!(sent(&store, &owner, id, 0).await, 1);
}

/// A message counts from the time on that the quota names.
pub async fn a_quota_counts_from_its_time_on(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    for at_ms in [1_000, 2_000, 3_000] {
        let mut open = sample::send(&owner, id, "a message");
        open.at_ms = at_ms;
        sample::opened(&*store, &open).await;
    }
    for (since_ms, count) in [(0, 3), (1_000, 3), (1_001, 2), (3_000, 1), (3_001, 0)] {
        assert_eq!(
            sent(&store, &owner, id, since_ms).await,
            count,
            "{since_ms}"
        );
    }
}

/// A message that was deleted does not count any more.
pub async fn a_deleted_message_does_not_count(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let id = sample::conversation_id();
    let first = sample::send(&owner, id, "one");
    sample::opened(&*store, &first).await;
    let second = sample::send(&owner, id, "two");
    sample::opened(&*store, &second).await;
    let deleted = sample::send(&owner, sample::conversation_id(), "three");
    sample::opened(&*store, &deleted).await;
    assert_eq!(sent(&store, &owner, id, 0).await, 3);
    store
        .delete_conversation(deleted.conversation)
        .await
        .unwrap();
    assert_eq!(sent(&store, &owner, id, 0).await, 2);
    store.cut(id, second.input[0].id).await.unwrap().unwrap();
    assert_eq!(sent(&store, &owner, id, 0).await, 1);
}

/// A repeated key is answered before the quota, and the quota before everything else.
pub async fn a_quota_is_looked_at_after_the_key(store: Arc<dyn ChatStore>) {
    let owner = sample::owner();
    let mut open = sample::send(&owner, sample::conversation_id(), "one");
    open.key = Some(IdempotencyKey("key".to_owned()));
    sample::opened(&*store, &open).await;
    open.quota = Some(Quota {
        limit: 0,
        since_ms: 0,
    });
    let again = store.open_leg(open.clone()).await.unwrap();
    assert!(matches!(again, Opened::Repeated(_)), "{again:?}");

    let mut missing = sample::send(&owner, sample::conversation_id(), "two");
    missing.create = None;
    missing.quota = open.quota;
    spent(&store, &missing).await;
    let foreign = sample::send(&sample::owner(), sample::conversation_id(), "theirs");
    sample::opened(&*store, &foreign).await;
    missing.conversation = foreign.conversation;
    spent(&store, &missing).await;
}

/// How many messages a quota counts: the least limit that takes a further one. Nothing is sent.
async fn sent(
    store: &Arc<dyn ChatStore>,
    owner: &chat_core::access::Owner,
    in_use: ConversationId,
    since_ms: i64,
) -> u64 {
    for limit in 0..10 {
        // The id is taken, so that what the quota lets pass is refused all the same.
        let mut open = sample::send(owner, in_use, "never stored");
        open.answer = open.input[0].id;
        open.quota = Some(Quota { limit, since_ms });
        match store.open_leg(open).await.unwrap() {
            Opened::Refused(Refusal::QuotaSpent) => {}
            // More than `limit` were needed.
            Opened::Refused(Refusal::MessageTaken) => return limit,
            other @ (Opened::Fresh(_) | Opened::Repeated(_) | Opened::Refused(_)) => {
                panic!("{other:?}")
            }
        }
    }
    panic!("more than anyone sent");
}

async fn spent(store: &Arc<dyn ChatStore>, open: &OpenLeg) {
    assert_eq!(
        store.open_leg(open.clone()).await.unwrap(),
        Opened::Refused(Refusal::QuotaSpent)
    );
}

//! What [`chat_core::ports::Conversations::list_conversations`] says.

use std::sync::Arc;

use chat_core::{
    access::Owner,
    id::ConversationId,
    ports::{HistoryCursor, HistoryQuery},
};

use crate::{ChatStore, sample};

/// Conversations are listed newest first, those of one moment by id, and `more` says whether any were left out.
pub async fn conversations_are_listed_newest_first(store: Arc<dyn ChatStore>) {
    let (owner, places) = five(&store).await;
    assert_eq!(
        list(&store, &owner, HistoryCursor::Newest, 10).await,
        (ids(&places), false)
    );
    assert_eq!(
        list(&store, &owner, HistoryCursor::Newest, 5).await,
        (ids(&places), false)
    );
    assert_eq!(
        list(&store, &owner, HistoryCursor::Newest, 4).await,
        (ids(&places[..4]), true)
    );
}

/// Whoever owns nothing is listed nothing, and nobody is listed another's conversations.
pub async fn only_the_owners_conversations_are_listed(store: Arc<dyn ChatStore>) {
    five(&store).await;
    assert_eq!(
        list(&store, &sample::owner(), HistoryCursor::Newest, 10).await,
        (vec![], false)
    );
}

/// Pages of older conversations neither skip nor repeat any.
pub async fn older_pages_follow_each_other(store: Arc<dyn ChatStore>) {
    let (owner, places) = five(&store).await;
    let mut cursor = HistoryCursor::Newest;
    let mut seen = Vec::new();
    loop {
        let (page, more) = list(&store, &owner, cursor, 2).await;
        seen.extend(page);
        if !more {
            break;
        }
        let place = places[seen.len() - 1];
        cursor = HistoryCursor::OlderThan(place.0, place.1);
    }
    assert_eq!(seen, ids(&places));
}

/// Newer than a place are the newest ones, newest first; the place itself is not among them.
pub async fn newer_pages_hold_the_newest(store: Arc<dyn ChatStore>) {
    let (owner, places) = five(&store).await;
    let newer = HistoryCursor::NewerThan(places[3].0, places[3].1);
    assert_eq!(
        list(&store, &owner, newer, 2).await,
        (ids(&places[..2]), true)
    );
    assert_eq!(
        list(&store, &owner, newer, 3).await,
        (ids(&places[..3]), false)
    );
    let newest = HistoryCursor::NewerThan(places[0].0, places[0].1);
    assert_eq!(list(&store, &owner, newest, 3).await, (vec![], false));
}

/// A cursor names a place, so it holds when its conversation is deleted.
pub async fn a_cursor_outlives_its_conversation(store: Arc<dyn ChatStore>) {
    let (owner, places) = five(&store).await;
    store
        .delete_conversation(places[2].1)
        .await
        .unwrap()
        .unwrap();
    let older = HistoryCursor::OlderThan(places[2].0, places[2].1);
    assert_eq!(
        list(&store, &owner, older, 10).await,
        (ids(&places[3..]), false)
    );
    let newer = HistoryCursor::NewerThan(places[2].0, places[2].1);
    assert_eq!(
        list(&store, &owner, newer, 10).await,
        (ids(&places[..2]), false)
    );
}

/// A page does not repeat when newer conversations are made meanwhile.
pub async fn a_page_holds_while_others_are_made(store: Arc<dyn ChatStore>) {
    let (owner, places) = five(&store).await;
    let (first, _) = list(&store, &owner, HistoryCursor::Newest, 2).await;
    let mut open = sample::send(&owner, sample::conversation_id(), "new");
    open.at_ms = places[0].0 + 1;
    sample::opened(&*store, &open).await;
    let older = HistoryCursor::OlderThan(places[1].0, places[1].1);
    let (rest, _) = list(&store, &owner, older, 10).await;
    assert_eq!([first, rest].concat(), ids(&places));
}

/// Five conversations of one owner and their places, newest first; two were made in one moment.
async fn five(store: &Arc<dyn ChatStore>) -> (Owner, Vec<(i64, ConversationId)>) {
    let owner = sample::owner();
    let mut places = Vec::new();
    for at_ms in [3_000, 1_000, 2_000, 2_000, 4_000] {
        let mut open = sample::send(&owner, sample::conversation_id(), "hello");
        open.at_ms = at_ms;
        sample::opened(&**store, &open).await;
        places.push((at_ms, open.conversation));
    }
    places.sort_unstable();
    places.reverse();
    (owner, places)
}

fn ids(places: &[(i64, ConversationId)]) -> Vec<ConversationId> {
    places.iter().map(|place| place.1).collect()
}

async fn list(
    store: &Arc<dyn ChatStore>,
    owner: &Owner,
    cursor: HistoryCursor,
    limit: u32,
) -> (Vec<ConversationId>, bool) {
    let page = store
        .list_conversations(HistoryQuery {
            owner: owner.clone(),
            cursor,
            limit,
        })
        .await
        .unwrap();
    let ids = page
        .conversations
        .iter()
        .map(|conversation| {
            assert_eq!(conversation.owner, *owner);
            conversation.id
        })
        .collect();
    (ids, page.more)
}

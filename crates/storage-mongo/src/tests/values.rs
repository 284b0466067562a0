//! Whatever is stored comes back as it was.

use chat_core::{
    message::{MessageBody, PartContent},
    ports::{Closed, Conversations as _, Messages as _, RunLog as _, Runs as _},
};
use serde_json::json;
use storage_contract::sample;

use crate::testing::fresh;

#[tokio::test]
async fn a_body_of_eight_mebibytes_of_control_characters_is_stored_exactly() {
    let (store, _database) = fresh().await;
    let text = "\u{1}".repeat(8 * 1024 * 1024);
    let open = sample::send(&sample::owner(), sample::conversation_id(), &text);
    let leg = sample::opened(&*store, &open).await;
    // An answer is as long, and its events hold it, too.
    let batch = sample::batch(open.leg, &sample::events(&open, &text));
    store.append(vec![batch]).await.unwrap();
    let read = store.read(open.leg, 0, 100).await.unwrap();
    assert_eq!(read, sample::events(&open, &text));
    let close = sample::close(&open, &leg, &text);
    assert_eq!(store.close_leg(close).await.unwrap(), Closed::Done);
    for id in [open.input[0].id, open.answer] {
        let message = store.find_message(id).await.unwrap().unwrap();
        assert!(message.body.text() == text);
    }
    assert_eq!(
        store.read(open.leg, 0, 100).await.unwrap(),
        sample::events(&open, &text)
    );
}

#[tokio::test]
async fn an_append_that_no_document_could_hold_is_one_all_the_same() {
    let (store, _database) = fresh().await;
    let legs = [(); 4].map(|()| sample::send(&sample::owner(), sample::conversation_id(), "x"));
    let mut batches = Vec::new();
    for open in &legs {
        sample::opened(&*store, open).await;
        // It does not shrink by much: no two pieces are alike.
        let text: String = (0_u32..400_000)
            .map(|at| {
                let mixed = at.wrapping_mul(2_654_435_761) ^ (at << 7);
                char::from_u32(0x4e00 + mixed % 20_000).unwrap()
            })
            .collect();
        let events: Vec<_> = sample::events(open, &text);
        batches.push(sample::batch(open.leg, &events));
    }
    store.append(batches.clone()).await.unwrap();
    // Repeated, it is taken as done.
    store.append(batches).await.unwrap();
    for open in &legs {
        let events = store.read(open.leg, 0, 100).await.unwrap();
        assert_eq!(events.len(), 5);
    }
}

#[tokio::test]
async fn keys_and_numbers_of_json_are_no_ones_but_its_own() {
    let (store, _database) = fresh().await;
    let hostile = json!({
        "$where": "function() { return true }",
        "$set": {"owner": "tenant:default"},
        "a.b.c": [1, {"$gt": ""}],
        "": null,
        "nul\u{0}key": "nul\u{0}",
        "largest": u64::MAX,
        "__proto__": 0.1,
    });
    let mut open = sample::send(&sample::owner(), sample::conversation_id(), "x");
    open.echo = Some(hostile.clone());
    let mut part = open.input[0].body.parts[0].clone();
    part.ordinal = 1;
    part.content = PartContent::Data {
        name: "$data".to_owned(),
        id: Some("$id".to_owned()),
        data: hostile,
    };
    open.input[0].body.parts.push(part);
    open.settings.system = Some("$system \u{0}".to_owned());
    sample::opened(&*store, &open).await;
    let leg = store.find_leg(open.leg).await.unwrap().unwrap();
    assert_eq!(leg.echo, open.echo);
    assert_eq!(leg.settings, open.settings);
    let body: MessageBody = store
        .find_message(open.input[0].id)
        .await
        .unwrap()
        .unwrap()
        .body;
    assert_eq!(body, open.input[0].body);
}

#[tokio::test]
async fn titles_and_keys_are_values_whatever_they_hold() {
    let (store, _database) = fresh().await;
    let mut open = sample::send(&sample::owner(), sample::conversation_id(), "x");
    open.key = Some(chat_core::ports::IdempotencyKey(
        "{\"$ne\": null}".to_owned(),
    ));
    sample::opened(&*store, &open).await;
    for title in ["$title", "{\"$set\": 1}", "nul \u{0}", ""] {
        let was = store.find_conversation(open.conversation).await.unwrap();
        let was = was.unwrap().title;
        let changed = store
            .retitle(open.conversation, was.as_deref(), title)
            .await
            .unwrap();
        assert!(changed, "{title:?}");
        let now = store.find_conversation(open.conversation).await.unwrap();
        assert_eq!(now.unwrap().title.as_deref(), Some(title));
    }
    let mut other = sample::send(&open.caller, sample::conversation_id(), "y");
    other.key = Some(chat_core::ports::IdempotencyKey("other".to_owned()));
    sample::opened(&*store, &other).await;
}

//! Searching one's own messages.

use std::time::Instant;

use serde_json::Value;

use crate::support::{Ask, Person, SOON, Skein, new_id};

/// A message is found soon after it was stored: indexing lies off the path of the acknowledgement.
async fn found(ann: &Person, query: &str, count: usize) -> Vec<Value> {
    let asked = Instant::now();
    loop {
        let answer = ann.get(&format!("/api/search?q={query}")).await;
        let results = answer["results"].as_array().unwrap().clone();
        if results.len() == count {
            return results;
        }
        assert!(asked.elapsed() < SOON, "{query}: {results:?}");
    }
}

#[tokio::test]
async fn own_messages_are_found_newest_first_and_nobody_else_s() {
    let skein = Skein::start();
    let (ann, ben) = (skein.guest().await, skein.guest().await);
    let (chat, foreign) = (new_id(), new_id());
    ann.talk(&chat, "A grey heron. [[mock: text=\"It fishes.\"]]")
        .await;
    skein.clock.move_by(1000);
    ann.talk(
        &chat,
        "Where do herons live? [[mock: text=\"A heron lives near water.\"]]",
    )
    .await;
    ben.talk(&foreign, "My heron. [[mock: tokens=1]]").await;
    let results = found(&ann, "heron", 3).await;
    assert_eq!(results[0]["role"], "assistant");
    assert_eq!(results[0]["chatId"], chat);
    assert_eq!(results[0]["excerpt"], "A heron lives near water.");
    assert_eq!([&results[1]["role"], &results[2]["role"]], ["user", "user"]);
    assert_eq!(results[0]["messageId"], ann.messages(&chat).await[3]["id"]);
    assert_eq!(found(&ben, "heron", 1).await[0]["chatId"], foreign);
    // Every word counts, and the limit does.
    found(&ann, "grey%20heron", 1).await;
    found(&ann, "stork", 0).await;
    let one = ann.get("/api/search?q=heron&limit=1").await;
    assert_eq!(one["results"].as_array().unwrap().len(), 1);
    // What was deleted is not found.
    let delete = Ask::new("DELETE", format!("/api/chat?id={chat}"));
    assert_eq!(ann.ask(delete).await.status(), 200);
    found(&ann, "heron", 0).await;
}

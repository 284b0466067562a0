//! Changing, rating and deleting; quotas; images in prompts.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    answer, call, calls, stuck,
    support::{House, message, read_all, start, texts},
    tools::Weather,
};
use crate::{
    access::{Owner, Visibility},
    engine::{Ports, Settings},
    error::EngineError,
    id::{ConversationId, MessageId, UserId},
    message::{PartContent, Rating},
    ports::{
        Attachments, ConversationChange, HistoryCursor, HistoryQuery, PromptItem, Quota, Runs as _,
        StoreError,
    },
    run::{Outcome, RunError},
};

fn stranger() -> Owner {
    Owner::User(UserId::new(Uuid::from_u128(77)))
}

fn id(number: u128) -> MessageId {
    MessageId::new(Uuid::from_u128(number))
}

#[tokio::test(start_paused = true)]
async fn messages_are_deleted_from_one_on() {
    let house = House::new([answer(&["one"]), answer(&["two"])]);
    house.ask(10, "A").await;
    house.ask(11, "B").await;
    let last = house.messages().await[3].id;
    let engine = &house.engine;
    assert!(matches!(
        engine.delete_from(&stranger(), last).await,
        Err(EngineError::Forbidden)
    ));
    assert!(matches!(
        engine.delete_from(&house.owner, id(99)).await,
        Err(EngineError::NotFound { what: "message" })
    ));
    assert_eq!(engine.delete_from(&house.owner, last).await.unwrap(), 1);
    assert_eq!(texts(&house.messages().await).len(), 3);
    assert_eq!(engine.delete_from(&house.owner, id(10)).await.unwrap(), 3);
    assert_eq!(house.messages().await, []);
    assert!(
        house
            .engine
            .conversation(&house.owner, house.conversation)
            .await
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn deleting_from_a_message_stops_its_answer_and_keeps_nothing_of_it() {
    let house = House::new([stuck("partial"), answer(&["next"])]);
    let sent = house.send(10, "A").await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(
        house
            .engine
            .delete_from(&house.owner, id(10))
            .await
            .unwrap(),
        1
    );
    sleep(Duration::from_millis(10)).await;
    assert_eq!(house.model.open_answers(), 0);
    assert_eq!(house.store.find_leg(sent.leg.id).await.unwrap(), None);
    assert!(!house.stop().await.unwrap());
    house.ask(11, "B").await;
    assert_eq!(house.messages().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn deleting_drops_a_run_that_waits() {
    for whole in [false, true] {
        let tool = Weather::new("weather", Duration::ZERO);
        let house = House::with(
            [calls([call(0, "weather", "{}")])],
            Settings::default(),
            vec![tool],
        );
        let mut send = house.message(10, "A");
        send.settings.consent = vec!["weather".to_owned()];
        let leg = house.engine.send(send).await.unwrap().leg;
        read_all(&house.engine, leg.id).await;
        if whole {
            let deleted = house.engine.delete(&house.owner, house.conversation).await;
            assert!(deleted.is_ok());
        } else {
            let deleted = house.engine.delete_from(&house.owner, leg.message).await;
            assert_eq!(deleted.unwrap(), 1);
            assert!(!house.stop().await.unwrap());
        }
        assert_eq!(house.store.find_leg(leg.id).await.unwrap(), None);
        let expired = house.store.list_expired(i64::MAX, 10).await.unwrap();
        assert_eq!(expired, []);
    }
}

#[tokio::test(start_paused = true)]
async fn all_of_an_owners_conversations_are_deleted() {
    let house = House::new([stuck("partial")]);
    let chat = |number: u128| ConversationId::new(Uuid::from_u128(5_000 + number));
    for number in 0..230 {
        let send = message(&house.owner, chat(number), 10_000 + number, "A");
        house.engine.send(send).await.unwrap();
    }
    let theirs = message(&stranger(), chat(900), 20_000, "A");
    house.engine.send(theirs).await.unwrap();
    assert_eq!(house.engine.delete_all(&house.owner).await.unwrap(), 230);
    sleep(Duration::from_millis(10)).await;
    assert_eq!(house.model.open_answers(), 1, "their answers are stopped");
    let query = HistoryQuery {
        owner: house.owner.clone(),
        cursor: HistoryCursor::Newest,
        limit: 10,
    };
    let page = house.engine.conversations(query).await.unwrap();
    assert_eq!(page.conversations, []);
    assert!(
        house
            .engine
            .conversation(&stranger(), chat(900))
            .await
            .is_ok()
    );
    assert_eq!(house.engine.delete_all(&house.owner).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn only_the_owner_changes_and_rates() {
    let house = House::new([answer(&["one"])]);
    house.ask(10, "A").await;
    let (engine, chat) = (&house.engine, house.conversation);
    let public = ConversationChange {
        visibility: Some(Visibility::Public),
        ..ConversationChange::default()
    };
    assert!(matches!(
        engine.change(&stranger(), chat, public.clone()).await,
        Err(EngineError::Forbidden)
    ));
    let changed = engine.change(&house.owner, chat, public).await.unwrap();
    assert_eq!(changed.visibility, Visibility::Public);
    assert!(engine.conversation(&stranger(), chat).await.is_ok());
    // Who may read it may do no more.
    let answered = house.messages().await[1].id;
    assert!(matches!(
        engine
            .change(&stranger(), chat, ConversationChange::default())
            .await,
        Err(EngineError::Forbidden)
    ));
    assert!(matches!(
        engine.delete_from(&stranger(), answered).await,
        Err(EngineError::Forbidden)
    ));
    assert!(matches!(
        engine.delete(&stranger(), chat).await,
        Err(EngineError::Forbidden)
    ));
    let rated = engine.rate(&stranger(), chat, answered, Rating::Up).await;
    assert!(matches!(rated, Err(EngineError::Forbidden)));
    assert!(matches!(
        engine.ratings(&stranger(), chat).await,
        Err(EngineError::Forbidden)
    ));
    for rating in [Rating::Up, Rating::Down] {
        engine
            .rate(&house.owner, chat, answered, rating)
            .await
            .unwrap();
    }
    assert_eq!(
        engine.ratings(&house.owner, chat).await.unwrap(),
        [(answered, Rating::Down)]
    );
    assert!(matches!(
        engine.rate(&house.owner, chat, id(99), Rating::Up).await,
        Err(EngineError::NotFound { what: "message" })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_send_beyond_its_quota_is_refused() {
    let house = House::new([answer(&["one"])]);
    let quota = Some(Quota {
        limit: 1,
        since_ms: 0,
    });
    for number in 0..2 {
        let mut send = house.message(10 + number, "A");
        send.quota = quota;
        let leg = house.engine.send(send).await.unwrap().leg;
        read_all(&house.engine, leg.id).await;
    }
    let mut send = house.message(12, "A");
    send.quota = quota;
    assert!(matches!(
        house.engine.send(send).await,
        Err(EngineError::QuotaSpent)
    ));
    assert_eq!(house.messages().await.len(), 4);
}

/// Knows files whose URLs begin with `/files/`, so large as the number that follows.
pub(super) struct Files;

#[async_trait]
impl Attachments for Files {
    async fn inline(&self, url: &str) -> Result<Option<String>, StoreError> {
        match url.strip_prefix("/files/") {
            Some("broken") => Err(StoreError::Fatal("as the test wants it".into())),
            Some(size) => Ok(Some(format!("data:,{}", "x".repeat(size.parse().unwrap())))),
            None => Ok(None),
        }
    }
}

pub(super) fn with_images(house: &House, number: u128, urls: &[&str]) -> crate::engine::Send {
    let mut send = house.message(number, "Look");
    let images = urls.iter().map(|url| PartContent::File {
        media_type: "image/png".to_owned(),
        name: None,
        url: (*url).to_owned(),
    });
    send.input.parts.extend(images);
    send.settings.prompt_budget = 100_000;
    send
}

/// The first bytes and the length of each image that the model was shown last, by message.
fn shown(house: &House) -> Vec<Vec<(String, usize)>> {
    let requests = house.model.requests();
    let items = requests.last().unwrap().items.iter();
    let images = items.filter_map(|item| match item {
        PromptItem::User { images, .. } => Some(images),
        PromptItem::System(_) | PromptItem::Assistant { .. } | PromptItem::Output { .. } => None,
    });
    let short = |url: &String| (url.chars().take(7).collect(), url.len());
    images
        .map(|urls| urls.iter().map(short).collect())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_model_is_shown_the_bytes_of_stored_images() {
    let mut house = House::new([answer(&["I see."])]);
    let ports = Ports {
        attachments: Arc::new(Files),
        ..house.ports()
    };
    house.engine = start(ports, Arc::clone(&house.model) as _, Settings::default());
    let urls = ["/files/10", "https://example.org/cat.png", "data:,abc"];
    let leg = house
        .engine
        .send(with_images(&house, 10, &urls))
        .await
        .unwrap()
        .leg;
    read_all(&house.engine, leg.id).await;
    let image = |start: &str, length| (start.to_owned(), length);
    let first = vec![
        image("data:,x", 16),
        image("https:/", urls[1].len()),
        image("data:,a", 9),
    ];
    assert_eq!(shown(&house), [first]);
    let stored = &house.messages().await[0];
    assert_eq!(stored.body.parts[1].content.as_image(), Some("/files/10"));

    // Images of older messages are left out once the prompt would be too large with them.
    let large = (17 << 20).to_string();
    let url = format!("/files/{large}");
    let leg = house
        .engine
        .send(with_images(&house, 11, &[&url]))
        .await
        .unwrap()
        .leg;
    read_all(&house.engine, leg.id).await;
    let newest = vec![image("data:,x", 6 + (17 << 20))];
    assert_eq!(shown(&house), [vec![image("data:,a", 9)], newest]);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_read_fails_the_answer() {
    use super::support::RunText as _;

    let mut house = House::new([answer(&["I see."])]);
    let ports = Ports {
        attachments: Arc::new(Files),
        ..house.ports()
    };
    house.engine = start(ports, Arc::clone(&house.model) as _, Settings::default());
    let send = with_images(&house, 10, &["/files/broken"]);
    let leg = house.engine.send(send).await.unwrap().leg;
    let events = read_all(&house.engine, leg.id).await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Failed, Some(RunError::Internal)))
    );
    assert_eq!(house.model.requests().len(), 0);
}

//! From the embedded store to MongoDB and back.

use super::*;

/// A database of its own on the replica set that all tests of this process share.
async fn mongo() -> Target {
    let name = mongo_fixture::fresh_database_name();
    let config = storage_mongo::Config::new(mongo_fixture::shared().uri_for(&name));
    let store = storage_mongo::MongoStore::connect(config, |line| panic!("{line}"))
        .await
        .unwrap();
    store.migrate().await.unwrap();
    Target::new(store)
}

async fn import_text(text: &str, target: &Target) -> Report {
    let (dir, _) = folder(&[("skein.jsonl", text)]);
    let source = Source::Path(dir.path().join("skein.jsonl"));
    let (report, told) = run(Kind::Skein, &source, target, &Options::default()).await;
    assert_eq!(told, Vec::<String>::new());
    report.unwrap()
}

#[tokio::test]
async fn the_embedded_store_exported_to_mongodb_and_back_gives_the_same_bytes() {
    let embedded = own::full().await;
    let text = exported(&embedded.target).await;
    let mongo = mongo().await;
    assert!(import_text(&text, &mongo).await.is_clean());
    assert_eq!(exported(&mongo).await, text);
    assert_eq!(import_text(&text, &mongo).await.new_records(), 0);
    assert_eq!(exported(&mongo).await, text, "the second import");
    let back = fresh();
    assert!(
        import_text(&exported(&mongo).await, &back.target)
            .await
            .is_clean()
    );
    assert_eq!(exported(&back.target).await, text);
}

#[tokio::test]
async fn hostile_records_come_to_mongodb_as_they_come_to_the_embedded_store() {
    let options = Options {
        skip_faulty: true,
        ..Options::default()
    };
    let (embedded, mongo) = (fresh(), mongo().await);
    for (kind, name) in [
        (Kind::WebChat, "web-chat-hostile"),
        (Kind::AiChatbot, "ai-chatbot-hostile"),
    ] {
        let (first, _) = run(kind, &fixture(name), &embedded.target, &options).await;
        let (second, _) = run(kind, &fixture(name), &mongo, &options).await;
        assert_eq!(second.unwrap(), first.unwrap());
    }
    assert_eq!(exported(&mongo).await, exported(&embedded.target).await);
}

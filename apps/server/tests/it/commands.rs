//! The commands beside serving: migrate, import, export.

use std::{fs, path::Path, time::Instant};

use mongo_fixture::{ReplicaSet, fresh_database_name, shared};
use mongodb::bson::{Document, doc};
use serde_json::{Value, json};

use crate::support::{Person, Process, Ran, SECRET, answer_text, new_id};

/// A process's folder.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// A database of its own on the shared replica set.
fn database() -> String {
    shared().uri_for(&fresh_database_name())
}

fn over(uri: &str) -> [(&str, &str); 1] {
    [("MONGODB_URI", uri)]
}

#[tokio::test]
async fn a_migration_is_told_first_done_once_and_then_has_nothing_to_do() {
    let (dir, uri) = (folder(), database());
    let planned = Process::run(dir.path(), &over(&uri), &["migrate", "--dry-run"]).well();
    assert!(planned.said.contains("nothing was changed"), "{planned:?}");
    assert_eq!(collections(&uri).await, Vec::<String>::new());
    let done = Process::run(dir.path(), &over(&uri), &["migrate"]).well();
    assert!(done.said.contains("skein_messages"), "{done:?}");
    let made = collections(&uri).await;
    assert!(
        made.iter().all(|name| name.starts_with("skein_")),
        "{made:?}"
    );
    let again = Process::run(dir.path(), &over(&uri), &["migrate"]).well();
    assert!(again.said.contains("is up to date"), "{again:?}");
    assert_eq!(again.said.lines().count(), 1, "{again:?}");
}

#[tokio::test]
async fn a_database_that_cannot_be_used_is_told_in_one_line() {
    let dir = folder();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let nobody = format!("mongodb://ann:geheim@127.0.0.1:{port}/skein");
    let began = Instant::now();
    for (uri, expected) in [
        ("mongodb://ann:geheim@:0:0/", "MONGODB_URI"),
        (&nobody, "no MongoDB primary answered"),
    ] {
        let settings = [("MONGODB_URI", uri), ("SKEIN_MONGODB_WAIT_SECS", "2")];
        let (code, told) = Process::refused(dir.path(), &settings);
        assert_eq!(code, Some(1), "{told}");
        let last = told.lines().last().unwrap();
        assert!(last.contains(expected), "{told}");
        assert!(!told.contains("geheim"), "{told}");
    }
    println!("both were told after {:?}", began.elapsed());
    let alone = ReplicaSet::builder().standalone().start().await.unwrap();
    let (code, told) = Process::refused(dir.path(), &over(&alone.uri_for("skein")));
    assert_eq!(code, Some(1), "{told}");
    assert!(told.contains("rs.initiate()"), "{told}");
}

#[tokio::test]
async fn an_old_web_chat_is_imported_from_its_database_and_repeated_without_change() {
    let source = database();
    let old = client(&source).await;
    let database = old.default_database().unwrap();
    let chat = new_id();
    database
        .collection::<Document>("conversations")
        .insert_many([
            doc! {
                "conversation_id": &chat, "user_id": "auth0|ann",
                "conversation_history": [
                    {"role": "system", "content": "Summary: they talked about Rome."},
                    {"role": "user", "content": "And Athens?"},
                    {"role": "assistant", "content": "Older."},
                ],
                "conversation_text": "User: And Athens?\nAssistant: Older.",
                "created_at": mongodb::bson::DateTime::from_millis(1_700_000_000_000),
                "total_tokens_used": 12,
            },
            doc! {
                "conversation_id": new_id(), "user_id": "anonymous",
                "messages": [{"role": "user", "content": "Hi", "timestamp": mongodb::bson::DateTime::from_millis(1_700_000_001_000)}],
                "created_at": mongodb::bson::DateTime::from_millis(1_700_000_001_000),
                "title": "Greeting",
            },
        ])
        .await
        .unwrap();
    database
        .collection::<Document>("few_shot_examples")
        .insert_one(doc! {"user_id": "auth0|ann", "user_prompt": "2+2", "assistant_response": "4"})
        .await
        .unwrap();
    let before = dump(&database).await;
    let target = self::database();
    let dir = folder();
    let import = ["import", "web-chat", &source];
    let first = Process::run(dir.path(), &over(&target), &import).well();
    assert!(
        first.said.contains("conversations: 2 imported, 0 known"),
        "{first:?}"
    );
    let exported = export(dir.path(), &target, "first.jsonl");
    let second = Process::run(dir.path(), &over(&target), &import).well();
    assert!(
        second.said.contains("conversations: 0 imported, 2 known"),
        "{second:?}"
    );
    assert_eq!(
        export(dir.path(), &target, "second.jsonl"),
        exported,
        "the second changed nothing"
    );
    assert_eq!(dump(&database).await, before, "the source is only read");
    assert!(
        exported.contains("they talked about Rome"),
        "the summary is kept"
    );
}

#[tokio::test]
async fn what_is_exported_from_one_store_is_the_same_in_the_other_and_back() {
    let (dir, second, uri) = (folder(), folder(), database());
    let settings = [("JWT_SECRET_KEY", SECRET), ("SKEIN_TITLES", "off")];
    let skein = Process::start(dir.path(), &settings);
    let ann = Person::guest(skein.address).await;
    let chats = [new_id(), new_id()];
    for chat in &chats {
        ann.talk(
            chat,
            "Say three words. \u{1f980} \"quoted\" \\ {\"$set\": 1}",
        )
        .await;
        ann.talk(chat, "And again.").await;
    }
    let said = ann.messages(&chats[0]).await;
    assert_eq!(skein.terminate(), Some(0));

    // Embedded, to MongoDB, to another embedded store.
    let out = dir.path().join("out.jsonl");
    Process::run(dir.path(), &settings, &["export", out.to_str().unwrap()]).well();
    let exported = fs::read_to_string(&out).unwrap();
    Process::run(
        dir.path(),
        &over(&uri),
        &["import", "skein", out.to_str().unwrap()],
    )
    .well();
    assert_eq!(export(dir.path(), &uri, "from-mongodb.jsonl"), exported);
    let back = dir.path().join("from-mongodb.jsonl");
    Process::run(
        second.path(),
        &[],
        &["import", "skein", back.to_str().unwrap()],
    )
    .well();
    let again = second.path().join("again.jsonl");
    Process::run(second.path(), &[], &["export", again.to_str().unwrap()]).well();
    assert_eq!(fs::read_to_string(&again).unwrap(), exported);

    // The conversations live on there: the same messages, and a next one.
    let mongo = [("MONGODB_URI", uri.as_str()), settings[0], settings[1]];
    let skein = Process::start(second.path(), &mongo);
    let ann = ann.at(skein.address);
    assert_eq!(texts(&ann.messages(&chats[0]).await), texts(&said));
    ann.talk(&chats[0], "Still there?").await;
    assert_eq!(ann.messages(&chats[0]).await.len(), said.len() + 2);
    assert_eq!(ann.chats().await.len(), 2);
    assert_eq!(skein.terminate(), Some(0));

    // One person's only.
    let mine = Process::run(dir.path(), &settings, &["export", "--user", &ann.id]).well();
    assert!(mine.said.contains(&chats[1]), "{mine:?}");
    let nobody = Process::run(
        dir.path(),
        &settings,
        &["export", "--user", "nobody@example.org"],
    );
    assert_eq!(nobody.code, Some(1));
    assert!(nobody.told.contains("nobody@example.org"), "{nobody:?}");
}

#[tokio::test]
async fn a_broken_source_changes_nothing_and_is_told_by_file_and_line() {
    let (dir, uri) = (folder(), database());
    let source = dir.path().join("export.jsonl");
    let thread = json!({"id": "thread_abc", "object": "thread", "created_at": 1_700_000_000, "metadata": {}});
    fs::write(
        &source,
        format!("{thread}\n{{\"id\": \"msg_1\", \"object\": \"thread.mess"),
    )
    .unwrap();
    let source = source.to_str().unwrap();
    let broken = Process::run(
        dir.path(),
        &over(&uri),
        &["import", "assistants-export", source],
    );
    assert_eq!(broken.code, Some(1), "{broken:?}");
    assert!(broken.told.contains("export.jsonl:2"), "{broken:?}");
    let left = export(dir.path(), &uri, "nothing.jsonl");
    let is_record = |line: &&str| !line.starts_with("{\"skein_export");
    assert_eq!(left.lines().filter(is_record).count(), 0, "{left}");

    let unknown = Process::run(dir.path(), &over(&uri), &["import", "slack", source]);
    assert_eq!(unknown.code, Some(1));
    assert!(
        unknown
            .told
            .contains("web-chat, assistants, assistants-export, ai-chatbot or skein"),
        "{unknown:?}"
    );
    let missing = Process::run(
        dir.path(),
        &over(&uri),
        &["import", "skein", "nowhere.jsonl"],
    );
    assert_eq!(missing.code, Some(1));
    assert!(missing.told.contains("nowhere.jsonl"), "{missing:?}");
    let there = Process::run(dir.path(), &over(&uri), &["export", source]);
    assert_eq!(
        there.code,
        Some(1),
        "a file that is there is not overwritten"
    );
}

#[tokio::test]
async fn an_assistants_export_lives_on_under_its_threads() {
    let (dir, uri) = (folder(), database());
    let source = dir.path().join("threads.jsonl");
    let content =
        |text: &str| json!([{"type": "text", "text": {"value": text, "annotations": []}}]);
    let lines = [
        json!({"id": "thread_abc", "object": "thread", "created_at": 1_700_000_000, "metadata": {"k": "v"}, "tool_resources": {}}),
        json!({"id": "msg_2", "object": "thread.message", "thread_id": "thread_abc", "created_at": 1_700_000_002, "role": "assistant", "status": "completed", "content": content("Hello."), "metadata": {}, "attachments": []}),
        json!({"id": "msg_1", "object": "thread.message", "thread_id": "thread_abc", "created_at": 1_700_000_001, "role": "user", "content": content("Hi"), "metadata": {}, "attachments": []}),
    ];
    fs::write(&source, lines.map(|line| format!("{line}\n")).concat()).unwrap();
    let import = ["import", "assistants-export", source.to_str().unwrap()];
    let dry = Process::run(
        dir.path(),
        &over(&uri),
        &[&import[..], &["--dry-run"]].concat(),
    )
    .well();
    assert!(dry.said.contains("nothing was written"), "{dry:?}");
    assert_eq!(collections(&uri).await, Vec::<String>::new());
    Process::run(dir.path(), &[], &[&import[..], &["--dry-run"]].concat()).well();
    assert!(!dir.path().join("data").exists(), "nor in a folder");
    let nothing = Process::run(dir.path(), &over(&uri), &["export", "nothing.jsonl"]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
    assert!(!dir.path().join("nothing.jsonl").exists());
    Process::run(dir.path(), &over(&uri), &import).well();
    let exported = export(dir.path(), &uri, "out.jsonl");
    let records: Vec<Value> = exported
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(exported.contains("thread_abc"), "{exported}");
    let (hi, hello) = (
        exported.find("\"Hi\"").unwrap(),
        exported.find("\"Hello.\"").unwrap(),
    );
    assert!(hi < hello, "in the order of their times: {records:?}");
}

/// Everything that `skein export` writes, by way of a file.
fn export(dir: &Path, uri: &str, name: &str) -> String {
    let file = dir.join(name);
    let Ran { .. } = Process::run(dir, &over(uri), &["export", file.to_str().unwrap()]).well();
    fs::read_to_string(file).unwrap()
}

async fn client(uri: &str) -> mongodb::Client {
    mongodb::Client::with_uri_str(uri).await.unwrap()
}

async fn collections(uri: &str) -> Vec<String> {
    let database = client(uri).await.default_database().unwrap();
    let mut names = database.list_collection_names().await.unwrap();
    names.sort_unstable();
    names
}

/// Every document of a database.
async fn dump(database: &mongodb::Database) -> Vec<(String, Vec<Document>)> {
    use futures_util::TryStreamExt as _;

    let mut all = Vec::new();
    let mut names = database.list_collection_names().await.unwrap();
    names.sort_unstable();
    for name in names {
        let cursor = database
            .collection(&name)
            .find(doc! {})
            .sort(doc! {"_id": 1})
            .await
            .unwrap();
        all.push((name, cursor.try_collect().await.unwrap()));
    }
    all
}

fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(answer_text).collect()
}

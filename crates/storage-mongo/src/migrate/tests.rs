use mongodb::{IndexModel, options::IndexOptions};
use tokio::task::JoinSet;

use super::*;
use crate::testing::{Dropped, fresh, open};

const SMALL: Source = Source {
    number: 1,
    name: "0001_small",
    json: r#"{
        "about": "A collection with two indexes.",
        "expands": true,
        "steps": [
            {"create_collection": "skein_things"},
            {"create_index": {"on": "skein_things", "name": "thing_name", "keys": [["name", 1]], "unique": true}},
            {"create_index": {"on": "skein_things", "name": "thing_age", "keys": [["age", -1], ["_id", 1]]}}
        ]
    }"#,
};

/// A database without any layout.
async fn empty() -> (MongoStore, Dropped) {
    let name = mongo_fixture::fresh_database_name();
    (open(&name).await, Dropped(name))
}

fn things(store: &MongoStore) -> Collection<Document> {
    store.database().collection("skein_things")
}

async fn index_names(store: &MongoStore) -> Vec<String> {
    let mut names = things(store).list_index_names().await.unwrap();
    names.sort();
    names
}

fn lines(steps: &[Step]) -> Vec<String> {
    steps.iter().map(ToString::to_string).collect()
}

#[test]
fn every_migration_is_sound() {
    let mut keys = std::collections::HashSet::new();
    for (number, source) in (1..).zip(MIGRATIONS) {
        assert_eq!(source.number, number);
        assert!(source.name.starts_with(&format!("{number:04}_")));
        for change in source.read().unwrap().steps {
            assert!(change.collection().starts_with("skein_"));
            if let Change::CreateIndex(index) = change {
                // Of two indexes with the same keys each would replace the other.
                assert!(
                    keys.insert((index.on.clone(), index.keys.clone())),
                    "{}",
                    index.name
                );
            }
        }
    }
}

#[tokio::test]
async fn a_second_migration_changes_nothing() {
    let (store, guard) = fresh().await;
    assert_eq!(store.plan().await.unwrap(), []);
    let again = open(&guard.0).await;
    assert_eq!(again.migrate().await.unwrap(), []);
}

#[tokio::test]
async fn a_plan_says_what_will_be_done_and_does_nothing() {
    let (store, _guard) = empty().await;
    let plan = store.plan_of(&[SMALL]).await.unwrap();
    assert_eq!(
        lines(&plan),
        [
            "0001_small: create the collection skein_things",
            "0001_small: build the index thing_name of skein_things",
            "0001_small: build the index thing_age of skein_things",
        ]
    );
    let collections = store.database().list_collection_names().await.unwrap();
    assert_eq!(collections, Vec::<String>::new());
    assert_eq!(store.migrate_to(&[SMALL], |_line| {}).await.unwrap(), plan);
    assert_eq!(
        index_names(&store).await,
        ["_id_", "thing_age", "thing_name"]
    );
}

#[tokio::test]
async fn of_several_nodes_at_once_each_step_is_done_by_one() {
    let (_store, guard) = empty().await;
    let mut racing = JoinSet::new();
    for _ in 0..4 {
        let store = open(&guard.0).await;
        racing.spawn(async move { store.migrate_to(&[SMALL], |_line| {}).await.unwrap().len() });
    }
    let mut done = racing.join_all().await;
    done.sort_unstable();
    assert_eq!(done, [0, 0, 0, 3]);
}

#[tokio::test]
async fn an_edited_migration_is_refused() {
    let (store, _guard) = empty().await;
    store.migrate_to(&[SMALL], |_line| {}).await.unwrap();
    let edited = SMALL.json.replace("thing_age", "thing_years");
    let edited = Source {
        json: Box::leak(edited.into_boxed_str()),
        ..SMALL
    };
    for error in [
        store.plan_of(&[edited]).await.unwrap_err(),
        store.migrate_to(&[edited], |_line| {}).await.unwrap_err(),
    ] {
        assert!(
            matches!(error, OpenError::MigrationChanged { .. }),
            "{error}"
        );
    }
    // The line ends of a checkout are no edit.
    let windows = SMALL.json.replace('\n', "\r\n");
    let windows = Source {
        json: Box::leak(windows.into_boxed_str()),
        ..SMALL
    };
    assert_eq!(store.migrate_to(&[windows], |_line| {}).await.unwrap(), []);
}

#[tokio::test]
async fn a_newer_release_is_worked_beside_if_it_only_added() {
    let (store, _guard) = empty().await;
    let adds = Source {
        number: 2,
        name: "0002_more",
        json: r#"{"about": "", "expands": true, "steps": [{"create_collection": "skein_more"}]}"#,
    };
    store.migrate_to(&[SMALL, adds], |_line| {}).await.unwrap();
    assert_eq!(store.migrate_to(&[SMALL], |_line| {}).await.unwrap(), []);
    let takes = Source {
        number: 3,
        name: "0003_less",
        json: r#"{"about": "", "expands": false, "steps": [{"drop_index": {"on": "skein_things", "name": "thing_age"}}]}"#,
    };
    let done = store
        .migrate_to(&[SMALL, adds, takes], |_line| {})
        .await
        .unwrap();
    assert_eq!(
        lines(&done),
        ["0003_less: drop the index thing_age of skein_things"]
    );
    assert_eq!(index_names(&store).await, ["_id_", "thing_name"]);
    let error = store.migrate_to(&[SMALL], |_line| {}).await.unwrap_err();
    assert!(matches!(&error, OpenError::NewerRelease { name, .. } if name == "0003_less"));
}

#[tokio::test]
async fn what_a_dead_node_left_in_the_middle_is_completed() {
    let (store, _guard) = empty().await;
    // Its lock lapses, here at once.
    let lock = doc! {"_id": "lock", "owner": mongodb::bson::Uuid::new(), "expires_at": DateTime::from_millis(1)};
    store.migrations().insert_one(lock).await.unwrap();
    store
        .database()
        .create_collection("skein_things")
        .await
        .unwrap();
    let done = store.migrate_to(&[SMALL], |_line| {}).await.unwrap();
    assert_eq!(
        lines(&done),
        [
            "0001_small: build the index thing_name of skein_things",
            "0001_small: build the index thing_age of skein_things",
        ]
    );
    assert_eq!(store.migrate_to(&[SMALL], |_line| {}).await.unwrap(), []);
}

#[tokio::test]
async fn a_lock_that_is_held_is_waited_for() {
    let (store, guard) = empty().await;
    let lock = store.lock_layout(|_line| {}).await.unwrap();
    let other = open(&guard.0).await;
    let small = [SMALL];
    let (told, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let migrating = other.migrate_to(&small, move |line| told.send(line.to_owned()).unwrap());
    tokio::pin!(migrating);
    tokio::select! {
        done = &mut migrating => panic!("{done:?}"),
        line = lines.recv() => {
            let line = line.unwrap();
            assert!(line.contains("another node") && line.contains(&other.place()), "{line}");
        }
    }
    lock.release().await.unwrap();
    assert_eq!(migrating.await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_migration_stops_when_another_node_has_its_lock() {
    let (store, guard) = empty().await;
    let lock = store.lock_layout(|_line| {}).await.unwrap();
    // It stood still, and its lock lapsed.
    let lapsed = doc! {"$set": {"expires_at": DateTime::from_millis(1)}};
    let records = store.migrations();
    records
        .update_one(doc! {"_id": "lock"}, lapsed)
        .await
        .unwrap();
    let other = open(&guard.0).await;
    let others = other.lock_layout(|line| panic!("{line}")).await.unwrap();
    let stopped = lock.during(std::future::pending::<Result<(), _>>()).await;
    assert!(
        matches!(stopped, Err(OpenError::LockLost { .. })),
        "{stopped:?}"
    );
    lock.release().await.unwrap();
    assert!(others.during(async { Ok(()) }).await.is_ok());
    let lock = records.find_one(doc! {"_id": "lock"}).await.unwrap();
    assert!(lock.is_some());
}

#[tokio::test]
async fn an_index_that_cannot_be_replaced_stays_as_it_was() {
    let (store, _guard) = empty().await;
    let twins = [doc! {"name": "one"}, doc! {"name": "one"}];
    things(&store).insert_many(&twins).await.unwrap();
    for (keys, options) in [
        // By its keys, and by its name.
        (
            doc! {"name": 1},
            IndexOptions::builder().name("plain".to_owned()).build(),
        ),
        (
            doc! {"other": -1},
            IndexOptions::builder()
                .name("thing_name".to_owned())
                .sparse(true)
                .build(),
        ),
    ] {
        let index = IndexModel::builder().keys(keys).options(options).build();
        things(&store).create_index(index).await.unwrap();
    }
    let before = described(&store).await;
    assert_eq!(before.len(), 3);
    let error = store.migrate_to(&[SMALL], |_line| {}).await.unwrap_err();
    let line = error.to_string();
    assert!(line.contains("replace plain and thing_name"), "{line}");
    assert_eq!(described(&store).await, before);
}

/// All indexes as the server describes them, by their names.
async fn described(store: &MongoStore) -> std::collections::BTreeMap<String, Document> {
    let command = doc! {"listIndexes": "skein_things"};
    let answer = store.database().run_command(command).await.unwrap();
    let found = answer.get_document("cursor").unwrap();
    let found = found.get_array("firstBatch").unwrap().iter();
    found
        .map(|index| {
            let index = index.as_document().unwrap().clone();
            (index.get_str("name").unwrap().to_owned(), index)
        })
        .collect()
}

/// What is done with this index in place, and the names of the indexes afterwards.
async fn with(keys: Document, options: IndexOptions) -> (Vec<String>, Vec<String>) {
    let (store, _guard) = empty().await;
    let index = IndexModel::builder().keys(keys).options(options).build();
    things(&store).create_index(index).await.unwrap();
    let plan = store.plan_of(&[SMALL]).await.unwrap();
    let done = store.migrate_to(&[SMALL], |_line| {}).await.unwrap();
    assert_eq!(done, plan);
    let done = done.iter().map(|step| step.action.to_string());
    (done.collect(), index_names(&store).await)
}

#[tokio::test]
async fn an_index_that_serves_under_another_name_is_kept() {
    // A shell writes directions as floats.
    let own = IndexOptions::builder().name("own".to_owned()).build();
    let (done, names) = with(doc! {"age": -1.0, "_id": 1.0}, own).await;
    assert_eq!(
        done,
        [
            "build the index thing_name of skein_things",
            "keep own of skein_things, which serves as the index thing_age",
        ]
    );
    assert_eq!(names, ["_id_", "own", "thing_name"]);
}

#[tokio::test]
async fn an_index_of_the_same_name_with_other_keys_is_replaced() {
    let named = IndexOptions::builder().name("thing_age".to_owned()).build();
    let (done, names) = with(doc! {"age": 1}, named).await;
    assert_eq!(
        done,
        [
            "build the index thing_name of skein_things",
            "replace thing_age of skein_things by the index thing_age",
        ]
    );
    assert_eq!(names, ["_id_", "thing_age", "thing_name"]);
}

#[tokio::test]
async fn an_index_of_the_same_keys_with_another_meaning_is_replaced() {
    let ages = std::time::Duration::from_mins(1);
    for options in [
        IndexOptions::builder().name("plain".to_owned()).build(),
        IndexOptions::builder().unique(true).sparse(true).build(),
        IndexOptions::builder()
            .unique(true)
            .expire_after(ages)
            .build(),
        IndexOptions::builder()
            .unique(true)
            .partial_filter_expression(doc! {"name": {"$exists": true}})
            .build(),
    ] {
        let (done, names) = with(doc! {"name": 1}, options).await;
        assert_eq!(done.len(), 2, "{done:?}");
        assert!(done[0].starts_with("replace "), "{done:?}");
        assert_eq!(names, ["_id_", "thing_age", "thing_name"]);
    }
}

#[tokio::test]
async fn a_step_that_fails_is_one_line_and_is_not_recorded() {
    let (store, _guard) = empty().await;
    let twins = [doc! {"name": "secret name"}, doc! {"name": "secret name"}];
    things(&store).insert_many(&twins).await.unwrap();
    for _ in 0..2 {
        let error = store.migrate_to(&[SMALL], |_line| {}).await.unwrap_err();
        let line = error.to_string();
        assert!(
            line.contains("0001_small")
                && line.contains("build the index thing_name of skein_things")
                && line.contains("two documents have the same values"),
            "{line}"
        );
        assert!(!line.contains("secret") && !line.contains('\n'), "{line}");
    }
    let numbers = doc! {"_id": {"$type": "number"}};
    assert_eq!(
        store.migrations().count_documents(numbers).await.unwrap(),
        0
    );
    assert_eq!(things(&store).count_documents(doc! {}).await.unwrap(), 2);
    things(&store).delete_one(doc! {}).await.unwrap();
    assert_eq!(
        store.migrate_to(&[SMALL], |_line| {}).await.unwrap().len(),
        2
    );
}

#[tokio::test]
async fn a_unique_index_tells_apart_what_the_collation_of_a_collection_does_not() {
    let (store, _guard) = empty().await;
    let blind = mongodb::options::Collation::builder()
        .locale("en")
        .strength(mongodb::options::CollationStrength::Primary)
        .build();
    let made = store.database().create_collection("skein_things");
    made.collation(blind).await.unwrap();
    store.migrate_to(&[SMALL], |_line| {}).await.unwrap();
    let names = [doc! {"name": "a"}, doc! {"name": "A"}];
    things(&store).insert_many(&names).await.unwrap();
    // As it is listed, it is the wanted one.
    store.migrations().delete_many(doc! {}).await.unwrap();
    let again = store.plan_of(&[SMALL]).await.unwrap();
    assert!(
        !lines(&again).iter().any(|line| line.contains("thing_name")),
        "{again:?}"
    );
}

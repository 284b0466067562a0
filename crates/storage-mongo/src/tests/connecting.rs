//! Starts: against what a store is opened, and what it says of what it cannot use.

use std::time::Duration;

use mongo_fixture::ReplicaSet;
use tokio::sync::mpsc;

use crate::{Config, MongoStore, OpenError};

fn config(uri: &str) -> Config {
    let mut config = Config::new(uri);
    config.wait = Duration::from_secs(3);
    config
}

async fn refused(config: Config) -> OpenError {
    MongoStore::connect(config, |_line| {}).await.unwrap_err()
}

#[tokio::test]
async fn a_standalone_server_is_refused_with_what_to_do() {
    let set = ReplicaSet::builder().standalone().start().await.unwrap();
    for uri in [set.uri(), format!("{}?replicaSet=rs0", set.uri())] {
        let error = refused(config(&uri)).await;
        assert!(matches!(error, OpenError::Standalone { .. }), "{error}");
        let line = error.to_string();
        assert!(line.contains("--replSet rs0") && line.contains("rs.initiate()"));
        assert!(!line.contains('\n'));
    }
}

#[tokio::test]
async fn another_sets_name_is_named() {
    let uri = mongo_fixture::shared().uri().replace("=rs0", "=other");
    let error = refused(config(&uri)).await;
    assert!(
        matches!(&error, OpenError::WrongSet { wanted, found, .. } if wanted == "other" && found == "rs0"),
        "{error}"
    );
}

#[tokio::test]
async fn who_may_not_enter_is_told_so_at_once() {
    let set = ReplicaSet::builder().auth().start().await.unwrap();
    set.create_user("stranger", "pw", &[]).await.unwrap();
    set.create_user("reader", "pw", &[("read", "chat")])
        .await
        .unwrap();
    set.create_user("writer", "pw", &[("readWrite", "chat")])
        .await
        .unwrap();

    let error = refused(config(&set.uri_as("writer", "hunter2", "chat"))).await;
    assert!(matches!(error, OpenError::WrongPassword { .. }), "{error}");
    assert!(!format!("{error} {error:?}").contains("hunter2"));

    let nameless = set.uri_for("chat").replace("root:fixture@", "");
    let nameless = nameless.replace("&authSource=admin", "");
    let error = refused(config(&nameless)).await;
    assert!(
        matches!(error, OpenError::PasswordMissing { .. }),
        "{error}"
    );

    let error = refused(config(&set.uri_as("stranger", "pw", "chat"))).await;
    assert!(matches!(error, OpenError::NoRights { .. }), "{error}");

    let reader = config(&set.uri_as("reader", "pw", "chat"));
    let reader = MongoStore::connect(reader, |_line| {}).await.unwrap();
    let error = reader.migrate().await.unwrap_err();
    assert!(matches!(error, OpenError::NoRights { .. }), "{error}");

    let writer = config(&set.uri_as("writer", "pw", "chat"));
    let writer = MongoStore::connect(writer, |_line| {}).await.unwrap();
    assert!(!writer.migrate().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_late_database_is_waited_for() {
    let set = ReplicaSet::start(1).await.unwrap();
    set.kill(0).await.unwrap();
    let (lines, mut waits) = mpsc::unbounded_channel();
    let mut late = Config::new(set.uri_for("late"));
    late.deadline = Duration::from_secs(2);
    let connected = MongoStore::connect(late, move |line| {
        lines.send(line.to_owned()).unwrap();
    });
    let (store, first) = tokio::join!(connected, async {
        let first = waits.recv().await.unwrap();
        set.restart(0).await.unwrap();
        first
    });
    assert!(
        first.starts_with("waiting for MongoDB at 127.0.0.1:"),
        "{first}"
    );
    assert!(store.unwrap().migrate().await.is_ok());
}

#[tokio::test]
async fn a_database_that_never_comes_is_given_up() {
    let error = refused(config("mongodb://me:hunter2@127.0.0.1:1/chat")).await;
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
    let line = error.to_string();
    assert!(
        line.starts_with("no MongoDB primary answered at 127.0.0.1:1 within 3 s: cannot connect: "),
        "{line}"
    );
    assert!(line.contains("onnection refused"), "{line}");
}

#[tokio::test]
async fn a_wrong_connection_string_is_one_line_without_the_password() {
    for uri in [
        "",
        "localhost:27017",
        "http://me:hunter2@db",
        "mongodb://",
        "mongodb://me:hunt@er2@db",
        "mongodb://me:hunter2@db:port/chat",
        "mongodb://me:hunter2@db/chat?w=x&journal=perhaps",
        "mongodb://me:hunter2@db/chat?replicaSet=",
        "mongodb://me:hunter2/@db",
    ] {
        let error = refused(config(uri)).await;
        assert!(
            matches!(
                error,
                OpenError::BadUri { .. } | OpenError::Unreachable { .. }
            ),
            "{uri}: {error}"
        );
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunt") && !shown.contains('\n'), "{shown}");
    }
}

#[tokio::test]
async fn the_database_is_that_of_the_uri_or_the_configured_or_skein() {
    let set = mongo_fixture::shared();
    let mut named = Config::new(set.uri_for("from_uri"));
    named.database = Some("configured".to_owned());
    let mut configured = Config::new(set.uri());
    configured.database = Some("configured".to_owned());
    for (config, name) in [
        (named, "from_uri"),
        (configured.clone(), "configured"),
        (Config::new(set.uri()), "skein"),
    ] {
        let store = MongoStore::connect(config, |_line| {}).await.unwrap();
        assert!(
            store.place().ends_with(&format!("/{name}")),
            "{}",
            store.place()
        );
    }
    configured.database = Some("a b".to_owned());
    assert!(matches!(
        refused(configured).await,
        OpenError::BadName { .. }
    ));
}

#[tokio::test]
async fn a_database_of_mongodb_itself_is_refused() {
    for name in ["admin", "config", "local", "Admin"] {
        let uri = mongo_fixture::shared().uri_for(name);
        let error = refused(config(&uri)).await;
        assert!(matches!(error, OpenError::BadName { .. }), "{error}");
        assert!(error.to_string().contains("MongoDB's own"), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_not_looked_at_without() {
    let port = mongo_fixture::shared().primary_port().await.unwrap();
    let uri = format!("mongodb://127.0.0.1:{port}/chat?replicaSet=rs0&tls=true");
    let line = refused(config(&uri)).await.to_string();
    assert!(line.contains("within 3 s: cannot connect: "), "{line}");
}

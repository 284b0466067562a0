use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mongodb::Client;
use mongodb::bson::{Document, doc};
use mongodb::error::ErrorKind;

use super::ReplicaSet;
use crate::{FixtureError, fresh_database_name, shared};

/// Short enough for a test, long enough for a busy machine not to change its primary by itself.
const ELECTION: Duration = Duration::from_secs(2);

async fn three() -> ReplicaSet {
    ReplicaSet::builder()
        .members(3)
        .election_timeout(ELECTION)
        .start()
        .await
        .unwrap()
}

/// Inserts by a client of its own and returns how many documents there are then.
async fn insert(uri: &str) -> mongodb::error::Result<u64> {
    let database = Client::with_uri_str(uri).await?.default_database().unwrap();
    let notes = database.collection::<Document>("notes");
    notes.insert_one(doc! { "text": "a" }).await?;
    notes.count_documents(doc! {}).await
}

fn code(error: &mongodb::error::Error) -> Option<i32> {
    if let ErrorKind::Command(command) = error.kind.as_ref() {
        Some(command.code)
    } else {
        None
    }
}

fn runs(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn shares_one_set_between_runtimes_and_a_database_with_nobody() {
    let in_own_runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(async {
                let uri = shared().uri_for(&fresh_database_name());
                (shared().pid(0).unwrap(), insert(&uri).await.unwrap())
            })
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(in_own_runtime);
        let second = scope.spawn(in_own_runtime);
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!(first, second);
    assert_eq!(first.1, 1);
    assert_eq!(in_own_runtime(), first);
}

#[tokio::test]
async fn starts_with_no_database_but_the_servers_own() {
    let set = ReplicaSet::start(1).await.unwrap();
    let names = set.client().await.unwrap().list_database_names().await;
    assert_eq!(names.unwrap(), ["admin", "config", "local"]);
    assert_eq!(set.members(), 1);
    let port = set.primary_port().await.unwrap();
    assert_eq!(
        set.uri_for("chat"),
        format!("mongodb://127.0.0.1:{port}/chat?replicaSet=rs0")
    );
    assert_eq!(
        set.uri(),
        format!("mongodb://127.0.0.1:{port}/?replicaSet=rs0")
    );
}

#[tokio::test]
async fn elects_another_primary_when_one_is_killed_and_takes_it_back() {
    let set = three().await;
    let uri = set.uri_for("chat");
    assert_eq!(insert(&uri).await.unwrap(), 1);

    let killed = set.kill_primary().await.unwrap();
    assert_eq!(set.pid(killed).unwrap(), None);
    assert_ne!(set.await_primary().await.unwrap(), killed);
    assert_eq!(insert(&uri).await.unwrap(), 2);

    set.restart(killed).await.unwrap();
    assert!(set.pid(killed).unwrap().is_some());
    // Two of three are a majority only if the one that came back is one of them.
    let other = set.kill_primary().await.unwrap();
    assert_ne!(set.await_primary().await.unwrap(), other);
    assert_eq!(insert(&uri).await.unwrap(), 3);
}

#[tokio::test]
async fn ends_a_member_in_good_order_and_starts_it_again_with_its_data() {
    let set = ReplicaSet::start(1).await.unwrap();
    assert_eq!(insert(&set.uri_for("chat")).await.unwrap(), 1);
    let port = set.port(0).unwrap();
    set.stop_member(0).await.unwrap();
    assert_eq!(set.primary().await.unwrap(), None);
    assert!(matches!(set.kill(0).await, Err(FixtureError::Misuse(_))));
    set.restart(0).await.unwrap();
    assert!(matches!(set.restart(0).await, Err(FixtureError::Misuse(_))));
    assert_eq!(set.port(0).unwrap(), port);
    assert_eq!(insert(&set.uri_for("chat")).await.unwrap(), 2);
}

#[tokio::test]
async fn a_primary_that_steps_down_is_followed_by_another() {
    let set = three().await;
    let before = set.step_down(Duration::from_mins(1)).await.unwrap();
    assert_ne!(set.await_primary().await.unwrap(), before);
    assert!(set.pid(before).unwrap().is_some());
}

#[tokio::test]
async fn a_set_of_one_that_steps_down_has_no_primary_until_it_may_stand_again() {
    let set = ReplicaSet::start(1).await.unwrap();
    set.step_down(Duration::from_secs(2)).await.unwrap();
    assert_eq!(set.primary().await.unwrap(), None);
    assert_eq!(set.await_primary().await.unwrap(), 0);
}

#[tokio::test]
async fn a_paused_primary_loses_its_office_and_comes_back_as_a_follower() {
    let set = three().await;
    let paused = set.await_primary().await.unwrap();
    set.pause(paused).unwrap();
    let next = set.await_primary().await.unwrap();
    assert_ne!(next, paused);
    set.resume(paused).unwrap();
    assert!(set.pid(paused).unwrap().is_some());
}

#[tokio::test]
async fn asks_for_a_login_and_refuses_a_user_without_rights() {
    let set = ReplicaSet::builder().auth().start().await.unwrap();
    assert_eq!(insert(&set.uri_for("chat")).await.unwrap(), 1);
    set.create_user("nobody", "secret", &[]).await.unwrap();
    set.create_user("writer", "secret", &[("readWrite", "chat")])
        .await
        .unwrap();

    let anonymous = set.uri_for("chat").replace("root:fixture@", "");
    for uri in [anonymous, set.uri_as("nobody", "secret", "chat")] {
        let refusal = insert(&uri).await.unwrap_err();
        assert_eq!(code(&refusal), Some(13), "{refusal}");
    }
    let writer = set.uri_as("writer", "secret", "chat");
    assert_eq!(insert(&writer).await.unwrap(), 2);
}

#[tokio::test]
async fn a_standalone_server_has_no_transactions() {
    let server = ReplicaSet::builder().standalone().start().await.unwrap();
    let port = server.port(0).unwrap();
    assert_eq!(server.uri(), format!("mongodb://127.0.0.1:{port}/"));
    assert_eq!(insert(&server.uri_for("chat")).await.unwrap(), 1);

    let client = server.client().await.unwrap();
    let mut session = client.start_session().await.unwrap();
    session.start_transaction().await.unwrap();
    let refusal = client
        .database("chat")
        .collection("notes")
        .insert_one(doc! { "text": "b" })
        .session(&mut session)
        .await
        .unwrap_err();
    // The driver has words of its own for it; the code is the server's "illegal operation".
    assert_eq!(code(&refusal), Some(20), "{refusal}");
}

#[tokio::test]
async fn refuses_a_set_that_cannot_be() {
    for builder in [
        ReplicaSet::builder().members(0),
        ReplicaSet::builder().members(8),
        ReplicaSet::builder().members(3).standalone(),
    ] {
        let refused = builder.start().await;
        assert!(matches!(refused.err(), Some(FixtureError::Misuse(_))));
    }
}

#[tokio::test]
async fn reports_a_member_that_ends_by_itself_with_the_end_of_its_log() {
    let set = ReplicaSet::start(1).await.unwrap();
    set.stop_member(0).await.unwrap();
    std::fs::write(set.members[0].folder.join("storage.bson"), "nonsense").unwrap();
    let fault = set.restart(0).await.unwrap_err();
    assert!(
        matches!(&fault, FixtureError::Ended { member: 0, log, .. } if log.contains("engine metadata")),
        "{fault}"
    );
}

#[tokio::test]
async fn leaves_neither_process_nor_folder_when_it_is_dropped() {
    let set = ReplicaSet::start(1).await.unwrap();
    let pid = set.pid(0).unwrap().unwrap();
    let folder = set.members[0].folder.clone();
    assert!(runs(pid) && folder.exists());
    drop(set);
    assert!(!runs(pid) && !folder.exists());
}

/// In the process of its own that it starts, this test plays the victim: it starts a set and waits to be killed.
#[tokio::test]
async fn leaves_neither_process_nor_folder_when_its_process_is_killed() {
    const VICTIM: &str = "MONGO_FIXTURE_TEST_VICTIM";
    const NAME: &str =
        "replica_set::tests::leaves_neither_process_nor_folder_when_its_process_is_killed";
    if std::env::var_os(VICTIM).is_some() {
        let set = ReplicaSet::start(1).await.unwrap();
        let folder = set.members[0].folder.parent().unwrap();
        println!(
            "\nset {} {}",
            set.pid(0).unwrap().unwrap(),
            folder.display()
        );
        return std::future::pending().await;
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(VICTIM, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let line = BufReader::new(victim.stdout.take().unwrap())
        .lines()
        .map(Result::unwrap)
        .find(|line| line.starts_with("set "))
        .expect("the victim ends before its set is up");
    let mut words = line.split(' ').skip(1);
    let pid: u32 = words.next().unwrap().parse().unwrap();
    let folder = PathBuf::from(words.next().unwrap());
    assert!(runs(pid) && folder.exists());

    victim.kill().unwrap();
    victim.wait().unwrap();
    until("mongod is gone", || !runs(pid)).await;
    until("its folder is gone", || !folder.exists()).await;
}

//! What survives a process that is killed in mid-write.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Command, Stdio},
};

use chat_core::{
    id::{ConversationId, LegId},
    ports::{Messages as _, RunLog as _, Runs as _},
};
use storage_contract::sample;

use super::*;

/// The variable that makes this test program the process to kill, and says where its data is.
const DATA_DIR: &str = "STORAGE_SQLITE_CRASH_DIR";

/// Not a test of its own: what [`acknowledged_writes_survive_a_kill`] starts and kills.
#[test]
fn writes_until_it_is_killed() {
    let Some(data_dir) = std::env::var_os(DATA_DIR) else {
        return;
    };
    storage_contract::run(async {
        let store = SqliteStore::open(Config::new(data_dir)).unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let store = store.clone();
            writers.spawn(async move {
                let owner = sample::owner();
                let conversation = ConversationId::new(uuid_of_this_process());
                loop {
                    let mut open = sample::send(&owner, conversation, "acknowledged");
                    open.run = chat_core::id::RunId::new(uuid_of_this_process());
                    open.leg = LegId::new(uuid_of_this_process());
                    open.answer = chat_core::id::MessageId::new(uuid_of_this_process());
                    open.input[0].id = chat_core::id::MessageId::new(uuid_of_this_process());
                    sample::opened(&store, &open).await;
                    for first in [1, 4] {
                        let events = sample::deltas(first..=first + 2);
                        store
                            .append(vec![sample::batch(open.leg, &events)])
                            .await
                            .unwrap();
                        // One write, so that a kill cuts no line in two.
                        let line = format!("\n{} {} {}\n", open.input[0].id, open.leg, first + 2);
                        std::io::stderr().write_all(line.as_bytes()).unwrap();
                    }
                }
            });
        }
        writers.join_all().await;
    });
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    let dir = TempDir::new().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::tests::crash::writes_until_it_is_killed"])
            .args(["--nocapture", "--test-threads", "1"])
            .env(DATA_DIR, dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut wanted = 40 + 13 * round;
        for line in lines {
            let line = line.unwrap();
            let mut words = line.split(' ');
            let (Some(message), Some(leg), Some(last)) = (words.next(), words.next(), words.next())
            else {
                continue;
            };
            acknowledged.push((
                message.parse().unwrap(),
                leg.parse::<LegId>().unwrap(),
                last.parse::<u32>().unwrap(),
            ));
            wanted -= 1;
            if wanted == 0 {
                // Others of its writers are in the middle of something; what they still say is read, too.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        check(&dir, &acknowledged);
    }
}

fn check(dir: &TempDir, acknowledged: &[(chat_core::id::MessageId, LegId, u32)]) {
    storage_contract::run(async {
        let store = SqliteStore::open(Config::new(dir.path())).unwrap();
        for (message, leg, last) in acknowledged {
            let message = store.find_message(*message).await.unwrap().unwrap();
            assert_eq!(message.body.text(), "acknowledged");
            let leg = store.find_leg(*leg).await.unwrap().unwrap();
            assert_eq!(leg.conversation, message.conversation);
            let events = store.read(leg.id, 0, 100).await.unwrap();
            assert!(events.len() >= usize::try_from(*last).unwrap());
            let seen = u32::try_from(events.len()).unwrap();
            assert_eq!(events, sample::deltas(1..=seen));
        }
        let problems: Vec<String> = store
            .query(|connection| {
                let mut check = connection.prepare("PRAGMA integrity_check")?;
                let rows = check.query_map([], |row| row.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
            .unwrap();
        assert_eq!(problems, ["ok"]);
    });
}

/// Unlike those of [`sample::uuid`], ids that the next process does not give again.
fn uuid_of_this_process() -> uuid::Uuid {
    uuid::Uuid::from_u128(sample::uuid().as_u128() | u128::from(std::process::id()) << 80)
}

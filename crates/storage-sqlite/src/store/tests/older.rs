//! A database that an older release wrote.

use chat_core::{
    id::MessageId,
    ports::{Conversations as _, Messages as _, OpenLeg, Opened, Quota, Refusal, Runs as _},
    run::{Leg, RunStatus},
};
use rusqlite::params;
use storage_contract::sample;

use super::*;
use crate::rows::StoredId as _;

/// What is put into the older database: a conversation with a question, its answer and a system message.
struct Older {
    dir: TempDir,
    send: OpenLeg,
}

impl Older {
    /// Writes a database in the layout of the first two migrations.
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let path = open::database(dir.path()).unwrap();
        let mut connection = open::connect_writer(&path).unwrap();
        migrate(&mut connection, &MIGRATIONS[..2]).unwrap();
        let send = sample::send(&sample::owner(), sample::conversation_id(), "question");
        connection
            .execute(
                "INSERT INTO conversation (id, owner, visibility, origin, created_at, next_seq, epoch)
                 VALUES (?1, ?2, 'private', 'ai_sdk', 1, 4, 1)",
                params![send.conversation.bytes(), send.caller.to_string()],
            )
            .unwrap();
        for (seq, id, role, text) in [
            (1, MessageId::new(sample::uuid()), "system", "be brief"),
            (2, send.input[0].id, "user", "question"),
            (3, send.answer, "assistant", "answer"),
        ] {
            connection
                .execute(
                    "INSERT INTO message (id, conversation, seq, role, created_at, rating, body)
                     VALUES (?1, ?2, ?3, ?4, 10, ?5, ?6)",
                    params![
                        id.bytes(),
                        send.conversation.bytes(),
                        seq,
                        role,
                        (seq == 3).then_some(1),
                        serde_json::to_string(&sample::body(text)).unwrap(),
                    ],
                )
                .unwrap();
        }
        connection
            .execute(
                "INSERT INTO run (id, conversation, answer, answer_seq, status, node, epoch, created_at, slot)
                 VALUES (?1, ?2, ?3, 3, 'in_progress', ?4, 1, 10, ?2)",
                params![
                    send.run.bytes(),
                    send.conversation.bytes(),
                    send.answer.bytes(),
                    send.node.bytes()
                ],
            )
            .unwrap();
        connection
            .execute(
                "INSERT INTO leg (id, run, idx, node, epoch, opened_at, settings)
                 VALUES (?1, 1, 0, ?2, 1, 10, ?3)",
                params![
                    send.leg.bytes(),
                    send.node.bytes(),
                    serde_json::to_string(&send.settings).unwrap()
                ],
            )
            .unwrap();
        Self { dir, send }
    }

    fn open(&self) -> SqliteStore {
        SqliteStore::open(Config::new(self.dir.path())).unwrap()
    }
}

#[test]
fn its_messages_count_for_a_quota() {
    storage_contract::run(async {
        let older = Older::new();
        let store = older.open();
        let sent_by: Vec<Option<String>> = store
            .query(|connection| {
                let found: Result<_, _> = connection
                    .prepare("SELECT sent_by FROM message ORDER BY seq")?
                    .query_map([], |row| row.get(0))?
                    .collect();
                Ok(found?)
            })
            .await
            .unwrap();
        let owner = older.send.caller.to_string();
        assert_eq!(sent_by, [None, Some(owner), None]);
        let mut next = sample::send(&older.send.caller, older.send.conversation, "next");
        next.quota = Some(Quota {
            limit: 0,
            since_ms: 10,
        });
        assert_eq!(
            store.open_leg(next.clone()).await.unwrap(),
            Opened::Refused(Refusal::QuotaSpent)
        );
        next.quota = Some(Quota {
            limit: 0,
            since_ms: 11,
        });
        sample::opened(&store, &next).await;
    });
}

#[test]
fn its_legs_ratings_and_texts_are_as_they_were() {
    storage_contract::run(async {
        let older = Older::new();
        let store = older.open();
        let send = &older.send;
        let leg = store.find_leg(send.leg).await.unwrap();
        let expected = Leg {
            id: send.leg,
            run: send.run,
            index: 0,
            conversation: send.conversation,
            message: send.answer,
            message_seq: 3,
            node: send.node,
            epoch: 1,
            opened_at_ms: 10,
            settings: send.settings.clone(),
            echo: None,
            answers: Vec::new(),
            status: RunStatus::InProgress,
            error: None,
            closed_at_ms: None,
        };
        assert_eq!(leg, Some(expected));
        assert_eq!(store.find_paused(send.conversation).await.unwrap(), None);
        assert_eq!(store.list_expired(i64::MAX, 5).await.unwrap(), []);
        assert_eq!(
            store.list_ratings(send.conversation).await.unwrap(),
            [(send.answer, chat_core::message::Rating::Up)]
        );
        let texts = sample::texts(&store, send.conversation).await;
        let texts: Vec<_> = texts.into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["be brief", "question", "answer"]);
        let next = sample::opened(
            &store,
            &sample::send(&send.caller, send.conversation, "next"),
        )
        .await;
        assert_eq!(next.predecessor.map(|it| it.leg), Some(send.leg));
    });
}

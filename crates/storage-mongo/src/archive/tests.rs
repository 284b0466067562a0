use crate::testing::fresh;

storage_contract::records_contract!(fresh);
storage_contract::archive_contract!(fresh);
use chat_core::{
    access::{Owner, Visibility},
    conversation::{Conversation, Origin},
    id::MessageId,
    message::{Message, Role},
};
use records::{Archive as _, ConversationRecord, MessageRecord, Put};
use serde_json::Map;
use std::time::Instant;
use storage_contract::sample;

#[test]
#[ignore]
fn bench() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let record = ConversationRecord {
            conversation: Conversation {
                id: sample::conversation_id(),
                owner: Owner::Tenant,
                title: None,
                visibility: Visibility::Private,
                origin: Origin::AiSdk,
                created_at_ms: 1,
            },
            alias: None,
            metadata: Map::new(),
            tokens_used: 0,
            next_seq: 1,
        };
        let id = record.conversation.id;
        assert_eq!(store.put_conversation(record).await.unwrap(), Put::New);
        let message = |seq, text: &str| {
            let mid = MessageId::new(sample::uuid());
            MessageRecord {
                message: Message {
                    id: mid,
                    conversation: id,
                    seq,
                    role: Role::User,
                    created_at_ms: 1,
                    body: sample::body(text),
                },
                alias: Some(format!("m{mid}")),
                rating: None,
            }
        };
        for (size, text) in [
            ("100 of 400 B", "lorem ipsum dolor sit amet ".repeat(15)),
            ("100 of 80 KiB", "lorem ipsum dolor sit amet ".repeat(3000)),
        ] {
            let mut times = Vec::new();
            let mut again = Vec::new();
            for _ in 0..10 {
                static SEQ: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
                let batch: Vec<_> = (0..100)
                    .map(|_| {
                        message(
                            SEQ.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
                            &text,
                        )
                    })
                    .collect();
                let begun = Instant::now();
                let _ = store.put_messages(id, batch.clone()).await.unwrap();
                times.push(begun.elapsed());
                let begun = Instant::now();
                let _ = store.put_messages(id, batch).await.unwrap();
                again.push(begun.elapsed());
            }
            times.sort();
            again.sort();
            println!(
                "BENCH {size}: median {:?} max {:?}; again median {:?}",
                times[5], times[9], again[5]
            );
        }
        let big: Vec<_> = vec![message(
            5000,
            &"a line of text, \"é\"\n".repeat(8 * 1024 * 1024 / 20),
        )];
        let begun = Instant::now();
        let _ = store.put_messages(id, big).await.unwrap();
        println!("BENCH 8 MiB: {:?}", begun.elapsed());
    });
}

use std::{pin::pin, sync::Arc};

use chat_core::{
    access::{Owner, Visibility},
    conversation::{NewConversation, Origin},
    engine::{Engine, Lane, Ports, Send, SendInput, Settings},
    id::{ConversationId, MessageId},
    message::PartContent,
    ports::{LocalSignals, Policy},
    testing::{CountingIds, Line, ManualClock, MemoryStore, ScriptedModel, settings},
};
use dialects::ai_sdk::AiSdkEncoder;
use futures_util::StreamExt as _;
use tokio::runtime::Handle;
use uuid::Uuid;

use super::*;

fn engine(script: Vec<Line>) -> Engine {
    let store = Arc::new(MemoryStore::new());
    let ports = Ports {
        conversations: store.clone(),
        messages: store.clone(),
        runs: store.clone(),
        run_log: store.clone(),
        nodes: store,
        signals: Arc::new(LocalSignals::new()),
        clock: Arc::new(ManualClock::at(1_700_000_000_000)),
        ids: Arc::new(CountingIds::after(100)),
        attachments: Arc::new(chat_core::ports::NoAttachments),
        tools: Vec::new(),
    };
    let lane = Lane {
        handle: Handle::current(),
        model: Arc::new(ScriptedModel::new([script])),
    };
    Engine::new(ports, vec![lane], Handle::current(), Settings::default())
}

fn send() -> Send {
    Send {
        caller: Owner::Tenant,
        conversation: ConversationId::new(Uuid::from_u128(1)),
        create: Some(NewConversation {
            visibility: Visibility::Private,
            origin: Origin::AiSdk,
            title: None,
        }),
        input: SendInput {
            id: MessageId::new(Uuid::from_u128(2)),
            parts: vec![PartContent::Text {
                text: "Hi".to_owned(),
                annotations: Vec::new(),
            }],
        },
        policy: Policy::Replace,
        settings: settings(),
        echo: None,
        key: None,
        answers: Vec::new(),
        quota: None,
    }
}

/// What comes in so much time of a test's own clock.
async fn read_for(
    stream: impl stream::Stream<Item = Result<Bytes, Infallible>>,
    time: Duration,
) -> String {
    let mut stream = pin!(stream);
    let mut read = String::new();
    let until = Instant::now() + time;
    while let Ok(Some(Ok(bytes))) = tokio::time::timeout_at(until, stream.next()).await {
        read += std::str::from_utf8(&bytes).unwrap();
    }
    read
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_that_it_lives_every_ten_seconds() {
    let engine = engine(vec![
        Line::text("a"),
        Line::Pause(Duration::from_secs(7)),
        Line::text("b"),
        Line::Hang,
    ]);
    let leg = engine.send(send()).await.unwrap().leg;
    let stream = body(
        engine.watch(leg.id),
        AiSdkEncoder::new(&leg),
        FrameSink::new(),
    );
    let read = read_for(stream, Duration::from_secs(38)).await;
    // Ten seconds after the last frame, which came after seven: at 17, 27 and 37.
    assert_eq!(read.matches(": keep-alive\n\n").count(), 3, "{read}");
    let (before, after) = read.split_once(": keep-alive").unwrap();
    assert!(before.contains("\"delta\":\"b\""), "{read}");
    assert!(!after.contains("data:"), "{read}");
}

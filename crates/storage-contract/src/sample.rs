//! Things to store, each unlike any other.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use chat_core::{
    access::{Owner, Visibility},
    codec,
    conversation::{NewConversation, Origin},
    event::{CallAnswer, EventKind, Field, Reply, RunEvent},
    id::{ConversationId, LegId, MessageId, NodeId, RunId, UserId},
    message::{
        MessageBody, MessageStatus, NewMessage, Part, PartContent, PartStatus, Role, ToolResult,
    },
    ports::{
        AnswerRecord, CloseLeg, Closed, Conversations, EndPaused, FreshLeg, LogBatch, MessageQuery,
        Messages, OpenLeg, Opened, PausedRun, Policy, ResumeRun, Resumed, ResumedLeg, Runs,
        SearchQuery, Wanted,
    },
    run::{LegSettings, Outcome, RunStatus},
};
use uuid::Uuid;

/// A UUID that no other call gives, greater than those before.
pub fn uuid() -> Uuid {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let number = LAST.fetch_add(1, Ordering::Relaxed);
    Uuid::from_u128((0x0190_0000_0000_7000_8000 << 48) | u128::from(number))
}

/// An owner whom nobody else is.
pub fn owner() -> Owner {
    Owner::User(UserId::new(uuid()))
}

/// A fresh conversation id.
pub fn conversation_id() -> ConversationId {
    ConversationId::new(uuid())
}

/// A body with one text part.
pub fn body(text: &str) -> MessageBody {
    MessageBody {
        parts: vec![Part {
            ordinal: 0,
            leg: None,
            step: None,
            status: PartStatus::Completed,
            started_at_ms: 1,
            finished_at_ms: Some(2),
            alias: None,
            content: PartContent::Text {
                text: text.to_owned(),
                annotations: Vec::new(),
            },
        }],
        status: MessageStatus::Completed,
        ..MessageBody::default()
    }
}

/// A person's message.
pub fn input(text: &str) -> NewMessage {
    NewMessage {
        id: MessageId::new(uuid()),
        role: Role::User,
        body: body(text),
    }
}

/// What a leg is resolved to.
pub fn settings() -> LegSettings {
    LegSettings {
        model: "a-model".to_owned(),
        window: 128_000,
        prompt_budget: 100_000,
        max_output: Some(4_096),
        encoding: "o200k_base".to_owned(),
        system: Some("Be brief.".to_owned()),
        tools: vec!["weather".to_owned()],
        consent: Vec::new(),
        artifact_model: None,
        title_model: None,
        max_steps: 5,
    }
}

/// A send of one message by `caller`, which makes the conversation if it is not there and replaces an active run.
pub fn send(caller: &Owner, conversation: ConversationId, text: &str) -> OpenLeg {
    OpenLeg {
        conversation,
        caller: caller.clone(),
        create: Some(NewConversation {
            visibility: Visibility::Private,
            origin: Origin::AiSdk,
            title: None,
        }),
        cut_from: None,
        input: vec![input(text)],
        run: RunId::new(uuid()),
        leg: LegId::new(uuid()),
        answer: MessageId::new(uuid()),
        policy: Policy::Replace,
        settings: settings(),
        echo: Some(serde_json::json!({"trigger": "submit-message"})),
        node: NodeId::new(uuid()),
        key: None,
        ends: None,
        quota: None,
        at_ms: 1_700_000_000_000,
    }
}

/// Opens a leg that must be a new one.
pub async fn opened(store: &(impl Conversations + ?Sized), open: &OpenLeg) -> FreshLeg {
    match store.open_leg(open.clone()).await.expect("a leg") {
        Opened::Fresh(leg) => *leg,
        other @ (Opened::Repeated(_) | Opened::Refused(_)) => panic!("{other:?} is no fresh leg"),
    }
}

/// An answer of one text part for the leg that `open` opens.
pub fn answer(open: &OpenLeg, text: &str) -> AnswerRecord {
    let mut body = body(text);
    body.run = Some(open.run);
    AnswerRecord {
        id: open.answer,
        created_at_ms: open.at_ms + 10,
        body,
    }
}

/// A close of the leg that `open` opened, with an answer.
pub fn close(open: &OpenLeg, leg: &FreshLeg, text: &str) -> CloseLeg {
    CloseLeg {
        leg: open.leg,
        epoch: leg.epoch,
        status: RunStatus::Completed,
        error: None,
        answer: Some(answer(open, text)),
        expires_at_ms: None,
        seal: seal(open, text),
        at_ms: open.at_ms + 100,
    }
}

/// A close that leaves the run waiting for its client.
pub fn pause(open: &OpenLeg, leg: &FreshLeg) -> CloseLeg {
    CloseLeg {
        status: RunStatus::RequiresAction,
        expires_at_ms: Some(open.at_ms + 600_000),
        ..close(open, leg, "which city?")
    }
}

/// A fresh conversation whose run waits for its client.
pub async fn paused(store: &(impl Conversations + Runs + ?Sized)) -> (OpenLeg, FreshLeg) {
    let open = send(&owner(), conversation_id(), "question");
    let leg = opened(store, &open).await;
    let closed = store.close_leg(pause(&open, &leg)).await.expect("a close");
    assert_eq!(closed, Closed::Done);
    (open, leg)
}

/// The run of the leg that `open` opened, while that is its newest.
pub fn waiting(open: &OpenLeg) -> PausedRun {
    PausedRun {
        conversation: open.conversation,
        run: open.run,
        leg: open.leg,
        message: open.answer,
    }
}

/// The end of a run that waits, with this for its answer.
pub fn end(paused: PausedRun, status: RunStatus, text: &str) -> EndPaused {
    let mut body = body(text);
    body.run = Some(paused.run);
    EndPaused {
        run: paused.run,
        leg: paused.leg,
        status,
        body,
        at_ms: 1_700_000_000_500,
    }
}

/// The next leg of a run that waits, with an answer of its client's.
pub fn resume(caller: &Owner, paused: PausedRun, text: &str) -> ResumeRun {
    let mut body = body(text);
    body.run = Some(paused.run);
    body.status = MessageStatus::InProgress;
    ResumeRun {
        conversation: paused.conversation,
        caller: caller.clone(),
        run: paused.run,
        after: paused.leg,
        leg: LegId::new(uuid()),
        answers: vec![
            CallAnswer {
                call: 1,
                call_id: "call_a".to_owned(),
                reply: Reply::Consent {
                    reason: Some("go on".to_owned()),
                },
            },
            CallAnswer {
                call: 2,
                call_id: "call_b".to_owned(),
                reply: Reply::Result {
                    part: 3,
                    result: ToolResult::Denied { reason: None },
                },
            },
        ],
        body,
        settings: LegSettings {
            model: "another-model".to_owned(),
            ..settings()
        },
        echo: Some(serde_json::json!({"trigger": "approval"})),
        node: NodeId::new(uuid()),
        key: None,
        at_ms: 1_700_000_000_400,
    }
}

/// Resumes a run that must wait.
pub async fn resumed(store: &(impl Conversations + ?Sized), resume: &ResumeRun) -> ResumedLeg {
    match store.resume_run(resume.clone()).await.expect("a leg") {
        Resumed::Fresh(leg) => leg,
        other @ (Resumed::Repeated(_) | Resumed::Lost) => panic!("{other:?} is no fresh leg"),
    }
}

/// The events of a leg that opens, says something and ends.
pub fn events(open: &OpenLeg, text: &str) -> Vec<RunEvent> {
    let kinds = [
        EventKind::LegOpened {
            run: open.run,
            index: 0,
            message: open.answer,
            answers: Vec::new(),
        },
        EventKind::LegTaken,
        EventKind::PartStarted {
            part: 0,
            step: 0,
            head: PartContent::text(),
            alias: None,
        },
        EventKind::PartDelta {
            part: 0,
            field: Field::Text,
            text: text.to_owned(),
        },
        EventKind::Ended {
            outcome: Outcome::Completed,
            error: None,
            retry_after_ms: None,
            usage: None,
        },
    ];
    (1..)
        .zip(kinds)
        .map(|(n, kind)| RunEvent {
            n,
            at_ms: open.at_ms + i64::from(n),
            kind,
            raw: None,
        })
        .collect()
}

/// Deltas with these numbers.
pub fn deltas(numbers: std::ops::RangeInclusive<u32>) -> Vec<RunEvent> {
    numbers
        .map(|n| RunEvent {
            n,
            at_ms: i64::from(n),
            kind: EventKind::PartDelta {
                part: 0,
                field: Field::Text,
                text: format!(" word{n}"),
            },
            raw: None,
        })
        .collect()
}

/// A batch of consecutive events of a leg.
pub fn batch(leg: LegId, events: &[RunEvent]) -> LogBatch {
    LogBatch {
        leg,
        first: events.first().expect("an event").n,
        events: Arc::from(events),
    }
}

/// The seal of the leg that `open` opened.
pub fn seal(open: &OpenLeg, text: &str) -> Vec<u8> {
    codec::encode_seal(&events(open, text)).expect("a seal")
}

/// The texts of all messages of a conversation, in order.
pub async fn texts(
    store: &(impl Messages + ?Sized),
    conversation: ConversationId,
) -> Vec<(u64, String)> {
    store
        .list_messages(MessageQuery {
            conversation,
            wanted: Wanted::After(0),
            limit: 1_000,
        })
        .await
        .expect("messages")
        .messages
        .into_iter()
        .map(|message| (message.seq, message.body.text()))
        .collect()
}

/// The texts of the messages that a search finds.
pub async fn found(store: &(impl Messages + ?Sized), owner: &Owner, text: &str) -> Vec<String> {
    store
        .search_messages(SearchQuery {
            owner: owner.clone(),
            text: text.to_owned(),
            limit: 100,
        })
        .await
        .expect("a search")
        .into_iter()
        .map(|hit| hit.message.body.text())
        .collect()
}

/// Searches until exactly these texts are found, in this order; fails when they are not within ten seconds.
///
/// The port promises seconds, so this asks again instead of waiting for one moment.
pub async fn finds(store: &(impl Messages + ?Sized), owner: &Owner, text: &str, expected: &[&str]) {
    let begun = Instant::now();
    loop {
        let texts = found(store, owner, text).await;
        if texts == expected {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "searching for {text:?} finds {texts:?} instead of {expected:?}"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

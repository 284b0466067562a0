mod burst;
mod changing;
mod consent;
mod faults;
mod limits;
mod nodes;
mod property;
mod support;
mod tools;
mod waiting;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use support::{Faulty, House, RunText as _, read_all, texts};
use tokio::time::{Instant, sleep};

use super::Settings;
use crate::{
    access::{Owner, Visibility},
    error::EngineError,
    event::{EventKind, FinishReason, RunEvent},
    id::{ConversationId, UserId},
    message::{MessageStatus, PartContent, ToolResult},
    ports::{
        IdempotencyKey, ModelErrorKind, ModelEventKind, Policy, PromptItem, RunLog as _, Tool,
        ToolCallContext, ToolSpec,
    },
    run::{Outcome, RunError, RunStatus},
    testing::Line,
};

fn answer(words: &[&str]) -> Vec<Line> {
    words
        .iter()
        .map(|word| Line::text(word))
        .chain([Line::stop()])
        .collect()
}

/// Says a word and then nothing more.
fn stuck(word: &str) -> Vec<Line> {
    vec![Line::text(word), Line::Hang]
}

fn call(index: u32, name: &str, arguments: &str) -> [Line; 2] {
    [
        Line::Say(ModelEventKind::CallStarted {
            index,
            call_id: "same".to_owned(),
            name: name.to_owned(),
        }),
        Line::Say(ModelEventKind::CallArguments {
            index,
            text: arguments.to_owned(),
        }),
    ]
}

fn calls(calls: impl IntoIterator<Item = [Line; 2]>) -> Vec<Line> {
    let done = Line::Say(ModelEventKind::Finished(FinishReason::ToolCalls));
    calls.into_iter().flatten().chain([done]).collect()
}

fn closings(events: &[RunEvent]) -> usize {
    events
        .iter()
        .filter(|event| event.kind.is_closing())
        .count()
}

#[tokio::test(start_paused = true)]
async fn answers_a_message_and_stores_what_it_streamed() {
    let house = House::new([answer(&["Hello", ", ", "world"])]);
    let events = house.ask(10, "Hi").await;
    assert_eq!(events.text(), "Hello, world");
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert_eq!(closings(&events), 1);
    assert!((1..).zip(&events).all(|(n, event)| event.n == n));
    let messages = house.messages().await;
    assert_eq!(
        texts(&messages),
        [
            ("user", "Hi".to_owned()),
            ("assistant", "Hello, world".to_owned())
        ]
    );
    assert_eq!(messages[1].body.status, MessageStatus::Completed);
    assert!(
        messages
            .iter()
            .all(|message| message.body.cost("o200k_base").is_some())
    );
}

#[tokio::test(start_paused = true)]
async fn a_replay_is_the_first_stream_event_for_event() {
    let house = House::new([answer(&["a", "b", "c"])]);
    let first = house.ask(10, "Hi").await;
    let leg = house.newest_leg().await;
    assert_eq!(read_all(&house.engine, leg.id).await, first);
    assert_eq!(read_all(&house.restarted(), leg.id).await, first);
}

#[tokio::test(start_paused = true)]
async fn a_second_reader_sees_all_while_it_streams() {
    let house = House::new([stuck("so far")]);
    let sent = house.send(10, "Hi").await;
    sleep(Duration::from_millis(10)).await;
    let mut late = house.engine.watch(sent.leg.id);
    assert_eq!(late.next().await.unwrap().unwrap().text(), "so far");
    house.stop().await.unwrap();
    let mut rest = Vec::new();
    while let Some(events) = late.next().await.unwrap() {
        rest.extend(events);
    }
    assert_eq!(closings(&rest), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_is_shown_only_once_it_is_durable() {
    let time = Duration::from_secs(7);
    let faults = Faulty {
        slow_close: time,
        ..Faulty::default()
    };
    let house = House::faulty([answer(&["soon"])], &faults);
    let began = Instant::now();
    let sent = house.send(10, "Hi").await;
    let mut watch = house.engine.watch(sent.leg.id);
    let mut seen = Vec::new();
    while let Some(events) = watch.next().await.unwrap() {
        let is_late = began.elapsed() >= time;
        let of_the_end = |event: &RunEvent| {
            matches!(
                event.kind,
                EventKind::StepFinished { .. } | EventKind::Ended { .. }
            )
        };
        assert!(is_late || !events.iter().any(of_the_end), "{events:#?}");
        seen.extend(events);
        assert!(
            is_late || began.elapsed() < Duration::from_secs(1),
            "text is shown at once"
        );
    }
    assert_eq!(seen.ending(), Some((Outcome::Completed, None)));
}

#[tokio::test(start_paused = true)]
async fn a_stop_keeps_the_text_and_hangs_up() {
    let house = House::new([stuck("partial")]);
    let sent = house.send(10, "Hi").await;
    sleep(Duration::from_millis(10)).await;
    assert_eq!(house.model.open_answers(), 1);
    assert!(house.stop().await.unwrap());
    assert_eq!(house.model.open_answers(), 0);
    assert_eq!(
        read_all(&house.engine, sent.leg.id).await.ending(),
        Some((Outcome::Cancelled, None))
    );
    let messages = house.messages().await;
    assert_eq!(texts(&messages)[1], ("assistant", "partial".to_owned()));
    assert_eq!(messages[1].body.status, MessageStatus::Cancelled);
    assert!(!house.stop().await.unwrap(), "nothing is left to stop");
    assert_eq!(house.newest_leg().await.status, RunStatus::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_second_send_replaces_the_first_and_knows_its_text() {
    let house = House::new([stuck("one"), answer(&["two"])]);
    let first = house.send(10, "A").await;
    sleep(Duration::from_millis(10)).await;
    let second = house.ask(11, "B").await;
    assert_eq!(second.text(), "two");
    assert_eq!(
        read_all(&house.engine, first.leg.id).await.ending(),
        Some((Outcome::Cancelled, None))
    );
    let said: Vec<String> = texts(&house.messages().await)
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(said, ["A", "one", "B", "two"]);
    let prompt = &house.model.requests()[1].items;
    assert!(
        prompt
            .iter()
            .any(|item| matches!(item, PromptItem::Assistant { text, .. } if text == "one")),
        "{prompt:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_replaced_run_that_never_began_calls_no_model() {
    let house = House::new([stuck("one"), answer(&["three"])]);
    house.send(10, "A").await;
    sleep(Duration::from_millis(10)).await;
    let (second, third) = tokio::join!(house.send(11, "B"), house.send(12, "C"));
    read_all(&house.engine, second.leg.id).await;
    assert_eq!(read_all(&house.engine, third.leg.id).await.text(), "three");
    assert_eq!(house.model.requests().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_send_may_be_refused_instead() {
    let house = House::new([stuck("one")]);
    house.send(10, "A").await;
    let mut second = house.message(11, "B");
    second.policy = Policy::Refuse;
    assert!(matches!(
        house.engine.send(second).await,
        Err(EngineError::Busy)
    ));
    assert_eq!(house.messages().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_message_id_is_an_edit() {
    let house = House::new([answer(&["old"]), answer(&["new"])]);
    house.ask(10, "first").await;
    house.ask(10, "second").await;
    let said = texts(&house.messages().await);
    assert_eq!(
        said,
        [
            ("user", "second".to_owned()),
            ("assistant", "new".to_owned())
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_edit_of_a_message_that_is_being_answered_drops_that_answer() {
    let house = House::new([stuck("old"), answer(&["new"])]);
    let first = house.send(10, "first").await;
    let mut watching = house.engine.watch(first.leg.id);
    sleep(Duration::from_millis(10)).await;
    house.ask(10, "second").await;
    let mut seen = Vec::new();
    while let Some(events) = watching.next().await.unwrap() {
        seen.extend(events);
    }
    assert_eq!(closings(&seen), 1, "its reader is told that it is over");
    let said = texts(&house.messages().await);
    assert_eq!(
        said,
        [
            ("user", "second".to_owned()),
            ("assistant", "new".to_owned())
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_id_of_another_conversation_is_refused() {
    let house = House::new([answer(&["x"])]);
    house.ask(10, "A").await;
    let mut other = house.message(10, "B");
    other.conversation = ConversationId::new(uuid::Uuid::from_u128(99));
    assert!(matches!(
        house.engine.send(other.clone()).await,
        Err(EngineError::MessageTaken)
    ));
    assert!(matches!(
        house
            .engine
            .conversation(&house.owner, other.conversation)
            .await,
        Err(EngineError::NotFound { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn a_repeated_key_gives_the_first_outcome() {
    let house = House::new([answer(&["once"])]);
    let mut send = house.message(10, "A");
    send.key = Some(IdempotencyKey("k".to_owned()));
    let first = house.engine.send(send.clone()).await.unwrap();
    read_all(&house.engine, first.leg.id).await;
    let again = house.engine.send(send).await.unwrap();
    assert!(again.repeated);
    assert_eq!(again.leg.id, first.leg.id);
    assert_eq!(house.model.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn strangers_are_kept_out() {
    let house = House::new([answer(&["x"])]);
    house.ask(10, "A").await;
    let stranger = Owner::User(UserId::new(uuid::Uuid::from_u128(66)));
    let mut send = house.message(11, "B");
    send.caller = stranger.clone();
    assert!(matches!(
        house.engine.send(send).await,
        Err(EngineError::Forbidden)
    ));
    let id = house.conversation;
    assert!(matches!(
        house.engine.stop(&stranger, id).await,
        Err(EngineError::Forbidden)
    ));
    assert!(matches!(
        house.engine.delete(&stranger, id).await,
        Err(EngineError::Forbidden)
    ));
    assert!(matches!(
        house.engine.newest_leg(&stranger, id).await,
        Err(EngineError::Forbidden)
    ));
    assert!(matches!(
        house.engine.conversation(&stranger, id).await,
        Err(EngineError::Forbidden)
    ));
    assert_eq!(house.messages().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_public_conversation_is_read_and_not_written_by_others() {
    let house = House::new([answer(&["x"])]);
    let mut send = house.message(10, "A");
    send.create.as_mut().unwrap().visibility = Visibility::Public;
    house.engine.send(send).await.unwrap();
    let stranger = Owner::Tenant;
    assert!(
        house
            .engine
            .conversation(&stranger, house.conversation)
            .await
            .is_ok()
    );
    assert!(matches!(
        house.engine.stop(&stranger, house.conversation).await,
        Err(EngineError::Forbidden)
    ));
}

#[tokio::test(start_paused = true)]
async fn a_model_that_refuses_fails_the_run_and_frees_the_slot() {
    let house = House::new([
        vec![Line::Fail(ModelErrorKind::RateLimited)],
        answer(&["ok"]),
    ]);
    let events = house.ask(10, "A").await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Failed, Some(RunError::RateLimited)))
    );
    assert_eq!(
        house.messages().await.len(),
        1,
        "an answer without content is not stored"
    );
    assert_eq!(house.ask(11, "B").await.text(), "ok");
}

#[tokio::test(start_paused = true)]
async fn a_model_that_breaks_off_keeps_its_text() {
    for script in [
        vec![Line::text("half"), Line::Fail(ModelErrorKind::Broken)],
        vec![Line::text("half")],
    ] {
        let house = House::new([script]);
        let events = house.ask(10, "A").await;
        assert_eq!(
            events.ending(),
            Some((Outcome::Failed, Some(RunError::UpstreamBroken)))
        );
        let messages = house.messages().await;
        assert_eq!(messages[1].body.text(), "half");
        assert_eq!(messages[1].body.error, Some(RunError::UpstreamBroken));
    }
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_takes_too_long_is_ended() {
    let settings = Settings {
        max_leg: Duration::from_secs(5),
        ..Settings::default()
    };
    let house = House::with([stuck("slow")], settings, Vec::new());
    assert_eq!(
        house.ask(10, "A").await.ending(),
        Some((Outcome::Failed, Some(RunError::Timeout)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_outgrows_its_memory_is_ended() {
    let settings = Settings {
        max_leg_bytes: 100,
        ..Settings::default()
    };
    let house = House::with([answer(&["0123456789"; 50])], settings, Vec::new());
    let events = house.ask(10, "A").await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Incomplete, Some(RunError::TooLarge)))
    );
    assert!(events.text().len() <= 120);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_leg_fails_it_and_frees_the_slot() {
    struct Panicking;
    #[async_trait]
    impl Tool for Panicking {
        fn spec(&self) -> &ToolSpec {
            static SPEC: std::sync::LazyLock<ToolSpec> = std::sync::LazyLock::new(|| ToolSpec {
                name: "boom".to_owned(),
                description: String::new(),
                parameters: json!({}),
            });
            &SPEC
        }
        async fn run(&self, _: &ToolCallContext<'_>, _: &str) -> ToolResult {
            panic!("as intended by the test");
        }
    }
    let house = House::with(
        [calls([call(0, "boom", "{}")]), answer(&["ok"])],
        Settings::default(),
        vec![Arc::new(Panicking)],
    );
    assert_eq!(
        house.ask(10, "A").await.ending(),
        Some((Outcome::Failed, Some(RunError::Internal)))
    );
    assert_eq!(house.ask(11, "B").await.text(), "ok");
}

#[tokio::test(start_paused = true)]
async fn tools_run_and_the_model_goes_on_with_their_output() {
    struct Echo(ToolSpec);
    #[async_trait]
    impl Tool for Echo {
        fn spec(&self) -> &ToolSpec {
            &self.0
        }
        async fn run(&self, _: &ToolCallContext<'_>, arguments: &str) -> ToolResult {
            ToolResult::Output {
                output: json!({ "said": arguments }),
            }
        }
    }
    let echo = Echo(ToolSpec {
        name: "echo".to_owned(),
        description: "Repeats.".to_owned(),
        parameters: json!({"type": "object"}),
    });
    let house = House::with(
        [
            calls([call(0, "echo", "{\"a\":1}"), call(1, "nothing", "{}")]),
            answer(&["done"]),
        ],
        Settings::default(),
        vec![Arc::new(echo)],
    );
    let mut send = house.message(10, "A");
    send.settings.tools = vec!["echo".to_owned()];
    let leg = house.engine.send(send).await.unwrap().leg.id;
    let events = read_all(&house.engine, leg).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    let requests = house.model.requests();
    assert_eq!(requests[0].tools.len(), 1);
    let outputs: Vec<&ToolResult> = requests[1]
        .items
        .iter()
        .filter_map(|item| match item {
            PromptItem::Output { result, .. } => Some(result),
            PromptItem::System(_) | PromptItem::User { .. } | PromptItem::Assistant { .. } => None,
        })
        .collect();
    assert_eq!(outputs.len(), 2);
    assert!(
        outputs
            .iter()
            .any(|result| matches!(result, ToolResult::Output { .. }))
    );
    assert!(
        outputs
            .iter()
            .any(|result| matches!(result, ToolResult::Error { .. }))
    );
    let messages = house.messages().await;
    let ids: Vec<&str> = messages[1]
        .body
        .parts
        .iter()
        .filter_map(|part| part.content.as_call())
        .map(|call| call.call_id.as_str())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1], "an id that was used twice is told apart");
    assert!(
        messages[1]
            .body
            .parts
            .iter()
            .any(|part| matches!(part.content, PartContent::CallOutput { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn a_model_that_calls_for_ever_is_ended() {
    let house = House::new([calls([call(0, "nothing", "{}")])]);
    let events = house.ask(10, "A").await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Incomplete, Some(RunError::MaxSteps)))
    );
    assert_eq!(house.model.requests().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_fit_is_refused_and_nothing_stored() {
    let house = House::new([answer(&["x"])]);
    let mut send = house.message(10, &"word ".repeat(500));
    send.settings.prompt_budget = 100;
    assert!(
        matches!(house.engine.send(send).await, Err(EngineError::TooLong { allowed: 93, needed }) if needed > 400)
    );
    assert!(matches!(
        house
            .engine
            .conversation(&house.owner, house.conversation)
            .await,
        Err(EngineError::NotFound { .. })
    ));
}

#[tokio::test(start_paused = true)]
async fn the_prompt_never_passes_the_budget_and_ends_with_the_new_message() {
    let house = House::new([answer(&["word "; 60])]);
    for id in 10..30 {
        let mut send = house.message(id, &format!("{id} {}", "word ".repeat(50)));
        send.settings.prompt_budget = 500;
        let leg = house.engine.send(send).await.unwrap().leg.id;
        read_all(&house.engine, leg).await;
    }
    for (number, request) in house.model.requests().iter().enumerate() {
        let mut tokens = token_budget::PROMPT_OVERHEAD;
        for item in &request.items {
            let (role, text) = match item {
                PromptItem::User { text, .. } => ("user", text.as_str()),
                PromptItem::Assistant { text, .. } => ("assistant", text.as_str()),
                PromptItem::System(_) | PromptItem::Output { .. } => panic!("{item:?}"),
            };
            tokens +=
                token_budget::message_cost(token_budget::Encoding::O200kBase, role, text, None);
        }
        assert!(tokens <= 500, "{tokens}");
        assert!(matches!(
            request.items.first(),
            Some(PromptItem::User { .. })
        ));
        assert!(
            matches!(request.items.last(), Some(PromptItem::User { text, .. }) if text.starts_with(&format!("{} ", 10 + number)))
        );
        assert!(
            number < 4 || request.items.len() >= 5,
            "history is used: {}",
            request.items.len()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_restart_closes_what_was_going_and_keeps_what_was_flushed() {
    let house = House::new([stuck("kept"), answer(&["next"])]);
    let sent = house.send(10, "A").await;
    sleep(Duration::from_millis(200)).await;
    let second = house.restarted();
    assert_eq!(second.recover().await.unwrap(), 1);
    assert_eq!(second.recover().await.unwrap(), 0);
    let events = read_all(&second, sent.leg.id).await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Failed, Some(RunError::Interrupted)))
    );
    assert_eq!(events.text(), "kept");
    assert_eq!(texts(&house.messages().await)[1].1, "kept");
}

#[tokio::test(start_paused = true)]
async fn a_leg_that_another_writer_closed_ends_as_that_one_says() {
    let house = House::new([stuck("text")]);
    let sent = house.send(10, "A").await;
    let mut watching = house.engine.watch(sent.leg.id);
    sleep(Duration::from_millis(200)).await;
    house.restarted().recover().await.unwrap();
    house.stop().await.unwrap();
    // The store no longer knows an active run, so the task itself is told.
    house
        .engine
        .0
        .live
        .find(sent.leg.id)
        .unwrap()
        .stop(crate::run::StopCause::Asked);
    let mut seen = Vec::new();
    while let Some(events) = watching.next().await.unwrap() {
        seen.extend(events);
    }
    assert_eq!(
        seen.ending(),
        Some((Outcome::Failed, Some(RunError::Interrupted)))
    );
    assert_eq!(seen, read_all(&house.restarted(), sent.leg.id).await);
}

#[tokio::test(start_paused = true)]
async fn a_deleted_conversation_takes_its_run_along() {
    let house = House::new([stuck("text")]);
    let sent = house.send(10, "A").await;
    let mut watching = house.engine.watch(sent.leg.id);
    sleep(Duration::from_millis(10)).await;
    house
        .engine
        .delete(&house.owner, house.conversation)
        .await
        .unwrap();
    while watching.next().await.unwrap().is_some() {}
    assert_eq!(house.model.open_answers(), 0);
    assert!(matches!(
        house
            .engine
            .newest_leg(&house.owner, house.conversation)
            .await,
        Err(EngineError::NotFound { .. })
    ));
    assert_eq!(read_all(&house.engine, sent.leg.id).await, []);
    assert_eq!(house.engine.live_legs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_runs_finish_and_interrupts_the_rest() {
    let house = House::new([
        stuck("cut"),
        vec![
            Line::Pause(Duration::from_secs(1)),
            Line::text("whole"),
            Line::stop(),
        ],
    ]);
    let first = house.send(10, "A").await;
    sleep(Duration::from_millis(10)).await;
    let mut other = house.message(11, "B");
    other.conversation = ConversationId::new(uuid::Uuid::from_u128(99));
    let second = house.engine.send(other).await.unwrap();
    let readers = (
        house.engine.watch(first.leg.id),
        house.engine.watch(second.leg.id),
    );
    house.engine.drain(Duration::from_secs(5)).await;
    assert!(matches!(
        house.engine.send(house.message(12, "C")).await,
        Err(EngineError::Unavailable)
    ));
    drop(readers);
    let cut = read_all(&house.engine, first.leg.id).await;
    assert_eq!(
        (cut.text().as_str(), cut.ending()),
        ("cut", Some((Outcome::Failed, Some(RunError::Interrupted))))
    );
    assert_eq!(
        read_all(&house.engine, second.leg.id).await.ending(),
        Some((Outcome::Completed, None))
    );
}

#[tokio::test(start_paused = true)]
async fn a_title_is_made_beside_the_first_answer() {
    let settings = Settings {
        titles: true,
        ..Settings::default()
    };
    let slow = vec![
        Line::Pause(Duration::from_millis(50)),
        Line::text("hello"),
        Line::stop(),
    ];
    let house = House::with([slow.clone(), slow], settings, Vec::new());
    let events = house.ask(10, "A").await;
    assert!(
        events
            .iter()
            .any(|event| matches!(&event.kind, EventKind::Retitled { title } if title == "hello"))
    );
    let conversation = house
        .engine
        .conversation(&house.owner, house.conversation)
        .await
        .unwrap();
    assert_eq!(conversation.title.as_deref(), Some("hello"));
    let again = house.ask(11, "B").await;
    assert!(
        !again
            .iter()
            .any(|event| matches!(event.kind, EventKind::Retitled { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_leaves_a_run_that_is_worked_on() {
    let house = House::new([answer(&["all of it"])]);
    {
        let sending = house.engine.send(house.message(10, "A"));
        tokio::pin!(sending);
        // Polled once, then dropped, as a request is whose client has gone.
        assert!(futures_util::poll!(&mut sending).is_pending());
    }
    sleep(Duration::from_millis(500)).await;
    assert_eq!(texts(&house.messages().await)[1].1, "all of it");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_for_a_while_loses_nothing() {
    let faults = Faulty::default();
    faults.failing_appends.store(3, Ordering::Release);
    faults.failing_closes.store(4, Ordering::Release);
    let house = House::faulty([stuck("kept"), answer(&["whole"])], &faults);
    let first = house.send(10, "A").await;
    sleep(Duration::from_secs(2)).await;
    assert_eq!(faults.failing_appends.load(Ordering::Acquire), 0);
    let stored = house.store.read(first.leg.id, 0, u32::MAX).await.unwrap();
    assert_eq!(stored.text(), "kept", "the flush was tried again");
    assert!(house.stop().await.unwrap());
    assert_eq!(house.ask(11, "B").await.text(), "whole");
    assert_eq!(faults.failing_closes.load(Ordering::Acquire), 0);
    assert_eq!(
        read_all(&house.engine, first.leg.id).await.ending(),
        Some((Outcome::Cancelled, None))
    );
    assert_eq!(house.engine.live_legs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_leg_whose_events_are_refused_holds_no_other_up() {
    let faults = Faulty::default();
    let words = || {
        let mut script = Vec::new();
        for word in ["a", "b", "c", "d"] {
            script.push(Line::text(word));
            script.push(Line::Pause(Duration::from_millis(100)));
        }
        script.push(Line::Hang);
        script
    };
    let house = House::faulty([words(), words()], &faults);
    let refused = house.send(10, "A").await;
    faults.refused.set(refused.leg.id).unwrap();
    let mut other = house.message(11, "B");
    other.conversation = ConversationId::new(uuid::Uuid::from_u128(99));
    let other = house.engine.send(other).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let stored = house.store.read(other.leg.id, 0, u32::MAX).await.unwrap();
    assert_eq!(stored.text(), "abcd");
    assert!(house.stop().await.unwrap());
    let events = read_all(&house.restarted(), refused.leg.id).await;
    assert_eq!(
        events.text(),
        "abcd",
        "its seal has what its log could not take"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_used_elsewhere_or_whose_message_is_gone_is_spent() {
    let house = House::new([answer(&["x"])]);
    let key = Some(IdempotencyKey("k".to_owned()));
    let mut first = house.message(10, "A");
    first.key.clone_from(&key);
    let leg = house.engine.send(first.clone()).await.unwrap().leg.id;
    read_all(&house.engine, leg).await;
    let mut elsewhere = house.message(11, "B");
    elsewhere.key = key;
    elsewhere.conversation = ConversationId::new(uuid::Uuid::from_u128(99));
    assert!(matches!(
        house.engine.send(elsewhere).await,
        Err(EngineError::KeySpent)
    ));
    house.ask(10, "edited").await;
    assert!(matches!(
        house.engine.send(first).await,
        Err(EngineError::KeySpent)
    ));
    assert_eq!(house.messages().await[0].body.text(), "edited");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_asked_to_stop_before_a_crash_is_closed_as_stopped() {
    let faults = Faulty {
        slow_close: Duration::from_hours(1),
        ..Faulty::default()
    };
    let house = House::faulty([stuck("kept")], &faults);
    let sent = house.send(10, "A").await;
    sleep(Duration::from_millis(200)).await;
    assert!(house.stop().await.unwrap());
    let second = house.restarted();
    assert_eq!(second.recover().await.unwrap(), 1);
    let events = read_all(&second, sent.leg.id).await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Cancelled, Some(RunError::Interrupted)))
    );
    let message = &house.messages().await[1];
    assert_eq!(
        (message.body.status, message.body.error),
        (MessageStatus::Cancelled, None)
    );
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_the_next_answer_is_let_go_by_a_drain() {
    let house = House::new([answer(&["x"])]);
    house.ask(10, "A").await;
    let waiting = house.engine.next_leg(&house.owner, house.conversation);
    let (waited, ()) = tokio::join!(waiting, house.engine.drain(Duration::from_secs(5)));
    assert!(matches!(waited, Err(EngineError::Unavailable)));
}

#[tokio::test(start_paused = true)]
async fn a_history_of_giants_is_cut_by_its_bytes() {
    let house = House::new([answer(&["x"])]);
    let image = format!("data:image/png;base64,{}", "A".repeat(4 << 20));
    for id in 10..20 {
        let mut send = house.message(id, "look");
        send.settings.prompt_budget = 100_000;
        send.input.parts.push(PartContent::File {
            media_type: "image/png".to_owned(),
            name: None,
            url: image.clone(),
        });
        let leg = house.engine.send(send).await.unwrap().leg.id;
        assert_eq!(read_all(&house.engine, leg).await.text(), "x");
    }
    for request in house.model.requests() {
        let images = |item: &PromptItem| match item {
            PromptItem::User { images, .. } => images.iter().map(String::len).sum(),
            PromptItem::System(_) | PromptItem::Assistant { .. } | PromptItem::Output { .. } => 0,
        };
        let bytes: usize = request.items.iter().map(images).sum();
        assert!(bytes <= 16 << 20, "{bytes}");
    }
}

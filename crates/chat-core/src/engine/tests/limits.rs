//! What a model, or a reader with a model's help, could otherwise do without end.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{
    answer, call, calls,
    changing::{Files, with_images},
    consent::{Asking, is_asked, weather},
    support::{House, RunText as _, read_all, start},
    tools::Weather,
};
use crate::{
    engine::{Ports, Settings},
    event::{EventKind, RunEvent},
    message::ToolResult,
    ports::{Tool, ToolCallContext, ToolSpec},
    run::{Outcome, RunError},
    testing::Line,
};

/// A step that calls a tool so often.
fn many(times: u32, tool: &str) -> Vec<Line> {
    calls((0..times).map(|index| call(index, tool, "{}")))
}

fn errors(events: &[RunEvent]) -> usize {
    let failed = events.iter().filter(|event| {
        matches!(
            &event.kind,
            EventKind::ToolFinished {
                result: ToolResult::Error { .. },
                ..
            }
        )
    });
    failed.count()
}

#[tokio::test(start_paused = true)]
async fn of_many_calls_a_few_run_at_a_time() {
    let tool = Weather::new("weather", Duration::from_secs(10));
    let house = House::with(
        [many(20, "weather"), answer(&["done"])],
        Settings::default(),
        vec![Arc::clone(&tool) as Arc<dyn Tool>],
    );
    let sent = house.send(10, "A").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(tool.going.load(Ordering::Acquire), 8);
    let events = read_all(&house.engine, sent.leg.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert_eq!((tool.calls(), errors(&events)), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn of_too_many_calls_the_last_ones_are_not_run() {
    let tool = Weather::new("weather", Duration::ZERO);
    let house = House::with(
        [many(70, "weather"), answer(&["done"])],
        Settings::default(),
        vec![Arc::clone(&tool) as Arc<dyn Tool>],
    );
    let events = house.ask(10, "A").await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert_eq!((tool.calls(), errors(&events)), (64, 6));
}

#[tokio::test(start_paused = true)]
async fn of_too_many_calls_that_need_consent_the_last_ones_are_not_asked_about() {
    let asking = Asking::new([many(70, "weather")]);
    let (_, events) = asking.ask(10).await;
    let asked = events.iter().filter(|event| is_asked(&event.kind));
    assert_eq!((asked.count(), errors(&events)), (64, 6));
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_the_model_was_not_offered_is_not_run() {
    let tool = Weather::new("weather", Duration::ZERO);
    let house = House::with(
        [many(1, "weather"), answer(&["done"])],
        Settings::default(),
        vec![Arc::clone(&tool) as Arc<dyn Tool>],
    );
    let mut send = house.message(10, "A");
    send.settings.tools = Vec::new();
    let leg = house.engine.send(send).await.unwrap().leg;
    let events = read_all(&house.engine, leg.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert_eq!((tool.calls(), errors(&events)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_about_a_tool_that_the_model_was_not_offered() {
    let asking = Asking::new([weather(), answer(&["done"])]);
    let mut send = asking.message(10, "A");
    send.settings.tools = Vec::new();
    let leg = asking.house.engine.send(send).await.unwrap().leg;
    let events = read_all(&asking.house.engine, leg.id).await;
    assert_eq!(events.ending(), Some((Outcome::Completed, None)));
    assert_eq!((asking.tool.calls(), errors(&events)), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn legs_that_together_write_too_much_end() {
    let long = || {
        let mut script = vec![Line::text(&"x".repeat(5_000))];
        script.extend(weather());
        script
    };
    let mut asking = Asking::new([long()]);
    let settings = Settings {
        max_leg_bytes: 15_000,
        ..Settings::default()
    };
    let model = Arc::clone(&asking.house.model) as _;
    asking.house.engine = start(asking.ports(), model, settings);
    let (leg, events) = asking.ask(10).await;
    assert_eq!(events.ending(), None, "one of them is small enough");
    let resume = asking.resume(&leg, &[("same", true, None)]);
    let next = asking.house.engine.resume(resume).await.unwrap().leg;
    let events = read_all(&asking.house.engine, next.id).await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Incomplete, Some(RunError::TooLarge)))
    );
}

#[tokio::test(start_paused = true)]
async fn a_message_with_endless_images_is_not_answered() {
    let mut house = House::new([answer(&["I see."])]);
    let ports = Ports {
        attachments: Arc::new(Files),
        ..house.ports()
    };
    house.engine = start(ports, Arc::clone(&house.model) as _, Settings::default());
    let url = format!("/files/{}", 5 << 20);
    let leg = house
        .engine
        .send(with_images(&house, 10, &[url.as_str(); 20]))
        .await
        .unwrap()
        .leg;
    let events = read_all(&house.engine, leg.id).await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Failed, Some(RunError::PromptTooLong)))
    );
    assert_eq!(house.model.requests().len(), 0);
}

/// A tool that gives more than a leg may hold.
struct Large(ToolSpec);

#[async_trait]
impl Tool for Large {
    fn spec(&self) -> &ToolSpec {
        &self.0
    }

    async fn run(&self, _context: &ToolCallContext<'_>, _arguments: &str) -> ToolResult {
        ToolResult::Output {
            output: json!("x".repeat(20_000)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_gives_too_much_ends_its_leg() {
    let tool = Large(ToolSpec {
        name: "large".to_owned(),
        description: "Gives too much.".to_owned(),
        parameters: json!({"type": "object"}),
    });
    let settings = Settings {
        max_leg_bytes: 15_000,
        ..Settings::default()
    };
    let house = House::with([many(1, "large")], settings, vec![Arc::new(tool)]);
    let events = house.ask(10, "A").await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Incomplete, Some(RunError::TooLarge)))
    );
    assert_eq!(house.model.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_takes_too_long_ends_its_leg() {
    let tool = Weather::new("weather", Duration::from_hours(1));
    let house = House::with(
        [many(1, "weather"), answer(&["done"])],
        Settings::default(),
        vec![tool],
    );
    let began = Instant::now();
    let events = house.ask(10, "A").await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Failed, Some(RunError::Timeout)))
    );
    assert!(
        began.elapsed() < Duration::from_mins(31),
        "it is not waited for"
    );
}

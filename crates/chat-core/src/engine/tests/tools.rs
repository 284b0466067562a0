//! Tools that show what they do, and the tool of the tests of consent.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use serde_json::json;
use tokio::time::sleep;

use super::{
    answer, call, calls,
    support::{House, RunText as _, read_all},
};
use crate::{
    engine::Settings,
    event::EventKind,
    message::ToolResult,
    ports::{Tool, ToolCallContext, ToolEvent, ToolSpec},
    run::{Outcome, RunError},
};

/// A tool that takes a while, tells what it does and counts its calls.
pub(super) struct Weather {
    spec: ToolSpec,
    takes: Duration,
    /// The arguments of the calls that were begun.
    pub(super) begun: Mutex<Vec<String>>,
    /// How many calls are going on.
    pub(super) going: AtomicUsize,
}

impl Weather {
    pub(super) fn new(name: &str, takes: Duration) -> Arc<Self> {
        Arc::new(Self {
            spec: ToolSpec {
                name: name.to_owned(),
                description: "Tells the weather.".to_owned(),
                parameters: json!({"type": "object"}),
            },
            takes,
            begun: Mutex::default(),
            going: AtomicUsize::new(0),
        })
    }

    pub(super) fn calls(&self) -> usize {
        self.begun.lock().unwrap().len()
    }
}

/// Counts a call as going on for as long as its future is there.
struct Going<'a>(&'a AtomicUsize);

impl Drop for Going<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[async_trait]
impl Tool for Weather {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn run(&self, context: &ToolCallContext<'_>, arguments: &str) -> ToolResult {
        self.begun.lock().unwrap().push(arguments.to_owned());
        self.going.fetch_add(1, Ordering::AcqRel);
        let _going = Going(&self.going);
        let told = |step: &str| ToolEvent::Data {
            name: "forecast".to_owned(),
            id: None,
            data: json!({ "step": step, "for": arguments }),
            transient: false,
        };
        context.events.tell(told("looking")).await;
        sleep(self.takes).await;
        context.events.tell(told("found")).await;
        ToolResult::Output {
            output: json!({ "sunny": true }),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_tool_tells_comes_before_what_it_gave() {
    for takes in [Duration::ZERO, Duration::from_secs(1)] {
        let tool = Weather::new("weather", takes);
        let house = House::with(
            [
                calls([
                    call(0, "weather", "{\"a\":1}"),
                    call(1, "weather", "{\"b\":2}"),
                ]),
                answer(&["done"]),
            ],
            Settings::default(),
            vec![tool],
        );
        let events = house.ask(10, "A").await;
        assert_eq!(events.ending(), Some((Outcome::Completed, None)));
        let mut told = Vec::new();
        let mut outcomes = 0;
        for event in &events {
            if let EventKind::Data { data, .. } = &event.kind {
                told.push(data.clone());
            }
            if matches!(event.kind, EventKind::ToolFinished { .. }) {
                outcomes += 1;
                let found = told.iter().filter(|data| data["step"] == "found");
                assert!(found.count() >= outcomes, "{events:#?}");
            }
            if matches!(event.kind, EventKind::StepFinished { step: 0, .. }) {
                assert_eq!((told.len(), outcomes), (4, 2));
            }
        }
        assert_eq!((told.len(), outcomes), (4, 2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_drops_the_tools_that_run() {
    let tool = Weather::new("weather", Duration::from_hours(1));
    let house = House::with(
        [calls([call(0, "weather", "{}")])],
        Settings::default(),
        vec![Arc::clone(&tool) as Arc<dyn Tool>],
    );
    let sent = house.send(10, "A").await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(tool.going.load(Ordering::Acquire), 1);
    assert!(house.stop().await.unwrap());
    assert_eq!(tool.going.load(Ordering::Acquire), 0);
    let events = read_all(&house.engine, sent.leg.id).await;
    assert_eq!(events.ending(), Some((Outcome::Cancelled, None)));
    let told = |kind: &EventKind| matches!(kind, EventKind::Data { .. });
    assert_eq!(events.iter().filter(|event| told(&event.kind)).count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_tells_too_much_ends_its_leg() {
    // It does not end before it is dropped.
    let tool = Weather::new("weather", Duration::from_hours(1));
    let settings = Settings {
        max_leg_bytes: 4_500,
        ..Settings::default()
    };
    // The model may say that much, twice, and the tool once more.
    let long = format!("{{\"a\":\"{}\"}}", "x".repeat(1_500));
    let house = House::with([calls([call(0, "weather", &long)])], settings, vec![tool]);
    let events = house.ask(10, "A").await;
    assert_eq!(
        events.ending(),
        Some((Outcome::Incomplete, Some(RunError::TooLarge)))
    );
}

//! Several nodes over one store.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{
    answer, stuck,
    support::{House, Lifeline, RunText, read_all, texts},
};
use crate::{
    engine::Watch,
    event::RunEvent,
    message::MessageStatus,
    ports::Runs as _,
    run::{Outcome, RunError},
    testing::Line,
};

/// Says one word a second, so many of them.
fn slow(words: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    for _ in 0..words {
        lines.push(Line::text("word "));
        lines.push(Line::Pause(Duration::from_secs(1)));
    }
    lines.push(Line::stop());
    lines
}

/// Reads to the end.
async fn rest_of(mut watch: Watch) -> Vec<RunEvent> {
    let mut rest = Vec::new();
    while let Some(events) = watch.next().await.unwrap() {
        rest.extend(events);
    }
    rest
}

/// A house whose own node can be cut off.
async fn house(lines: Vec<Line>) -> (House, Lifeline) {
    let mut house = House::new([lines, answer(&["next"])]);
    let lifeline = Lifeline::default();
    house.engine.drain(Duration::ZERO).await;
    house.engine = house.neighbour(&lifeline).await;
    (house, lifeline)
}

#[tokio::test(start_paused = true)]
async fn any_node_watches_a_leg_from_its_first_event_while_it_streams() {
    let (house, _own) = house(slow(5)).await;
    let other = house.neighbour(&Lifeline::default()).await;
    let leg = house.send(10, "A").await.leg.id;
    sleep(Duration::from_secs(2)).await;
    let mut watch = other.watch(leg);
    let first = watch.next().await.unwrap().unwrap();
    assert_eq!(first[0].n, 1);
    assert!(first.text().len() < 5 * "word ".len(), "it streams");
    let (here, there) = tokio::join!(read_all(&house.engine, leg), read_all(&other, leg));
    assert_eq!(here, there);
    assert_eq!(here.text(), "word ".repeat(5));
}

#[tokio::test(start_paused = true)]
async fn a_stop_on_another_node_is_heeded_without_a_signal() {
    let (house, _own) = house(stuck("kept")).await;
    let other = house.neighbour(&Lifeline::default()).await;
    let leg = house.send(10, "A").await.leg.id;
    sleep(Duration::from_millis(200)).await;
    let asked = Instant::now();
    assert!(other.stop(&house.owner, house.conversation).await.unwrap());
    assert!(asked.elapsed() <= Duration::from_secs(2));
    let events = read_all(&house.engine, leg).await;
    assert_eq!(events.ending(), Some((Outcome::Cancelled, None)));
    assert_eq!(events.text(), "kept");
    assert_eq!(house.model.open_answers(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_that_another_node_deletes_ends_its_run() {
    let (house, _own) = house(stuck("gone")).await;
    let other = house.neighbour(&Lifeline::default()).await;
    house.send(10, "A").await;
    sleep(Duration::from_millis(200)).await;
    other
        .delete(&house.owner, house.conversation)
        .await
        .unwrap();
    sleep(Duration::from_secs(2)).await;
    assert_eq!(house.model.open_answers(), 0);
    assert_eq!(house.engine.live_legs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_send_on_another_node_has_what_the_replaced_answer_said() {
    let (house, _own) = house(stuck("half an answer")).await;
    let other = house.neighbour(&Lifeline::default()).await;
    house.send(10, "A").await;
    sleep(Duration::from_millis(200)).await;
    let leg = other.send(house.message(11, "B")).await.unwrap().leg.id;
    assert_eq!(read_all(&other, leg).await.text(), "next");
    let prompt = format!("{:?}", house.model.requests().last().unwrap().items);
    assert!(prompt.contains("half an answer"), "{prompt}");
    let said: Vec<_> = texts(&house.messages().await)
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    assert_eq!(said, ["A", "half an answer", "B", "next"]);
}

#[tokio::test(start_paused = true)]
async fn a_silent_nodes_answers_are_closed_within_ten_seconds_and_shown_no_further() {
    let (house, own) = house(slow(60)).await;
    let other = house.neighbour(&Lifeline::default()).await;
    let third = house.neighbour(&Lifeline::default()).await;
    let leg = house.send(10, "A").await.leg.id;
    sleep(Duration::from_millis(3_500)).await;
    own.cut();
    let died = Instant::now();
    let seen_elsewhere = read_all(&other, leg).await;
    assert!(
        died.elapsed() <= Duration::from_secs(10),
        "{:?}",
        died.elapsed()
    );
    assert_eq!(
        seen_elsewhere.ending(),
        Some((Outcome::Failed, Some(RunError::Interrupted)))
    );
    assert!(
        seen_elsewhere.text().len() >= 4 * "word ".len(),
        "the text is kept"
    );
    // The silent node shows no more than what was closed, and hears of the close once it is back.
    let shown = house.engine.0.live.find(leg).unwrap().log.seen().n;
    assert!(usize::try_from(shown).unwrap() < seen_elsewhere.len());
    let on_its_own_node = house.engine.watch(leg);
    own.mend();
    let told = rest_of(on_its_own_node).await;
    assert_eq!(told.ending(), seen_elsewhere.ending());
    while house.engine.live_legs() > 0 {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(read_all(&house.engine, leg).await, seen_elsewhere);
    assert_eq!(house.model.open_answers(), 0);
    assert_eq!(read_all(&third, leg).await, seen_elsewhere);
    let stored = &house.messages().await[1];
    assert_eq!(stored.body.status, MessageStatus::Failed);
    assert_eq!(stored.body.text(), seen_elsewhere.text());
    // The next message works on any node.
    let leg = third.send(house.message(11, "B")).await.unwrap().leg.id;
    assert_eq!(read_all(&house.engine, leg).await.text(), "next");
}

#[tokio::test(start_paused = true)]
async fn an_election_closes_nothing_and_costs_the_answer_nothing() {
    let (house, own) = house(slow(30)).await;
    let others = Lifeline::default();
    let other = house.neighbour(&others).await;
    let leg = house.send(10, "A").await.leg.id;
    sleep(Duration::from_secs(3)).await;
    own.cut();
    others.cut();
    sleep(Duration::from_secs(12)).await;
    let shown = house.engine.0.live.find(leg).unwrap().log.seen().n;
    own.mend();
    sleep(Duration::from_secs(4)).await;
    others.mend();
    let (here, there) = tokio::join!(read_all(&house.engine, leg), read_all(&other, leg));
    assert_eq!(here.ending(), Some((Outcome::Completed, None)));
    assert_eq!(here.text(), "word ".repeat(30));
    assert_eq!(here, there);
    let shown_text = here[..usize::try_from(shown).unwrap()].to_vec().text();
    assert!(
        shown_text.len() <= 9 * "word ".len(),
        "a frozen node went on showing: {shown_text:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_cannot_renew_for_long_makes_its_upstreams_wait() {
    let (house, own) = house(slow(100)).await;
    let leg = house.send(10, "A").await.leg.id;
    own.cut();
    sleep(Duration::from_mins(1)).await;
    let log = &house.engine.0.live.find(leg).unwrap().log;
    let read = log.read_all().text().len() / "word ".len();
    assert!((15..=25).contains(&read), "{read} words were read");
    own.mend();
    assert_eq!(
        read_all(&house.engine, leg).await.text(),
        "word ".repeat(100)
    );
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_leaves_unanswered_legs_to_the_others() {
    let silent = vec![Line::Pause(Duration::from_hours(1)), Line::stop()];
    let (house, _own) = house(silent).await;
    let other = house.neighbour(&Lifeline::default()).await;
    sleep(Duration::from_secs(2)).await;
    let leg = house.send(10, "A").await.leg;
    sleep(Duration::from_millis(100)).await;
    let seen = house
        .engine
        .0
        .work
        .spawn(rest_of(house.engine.watch(leg.id)));
    house.engine.drain(Duration::from_secs(25)).await;
    let seen = seen.await.unwrap();
    assert_eq!(seen.text(), "next");
    assert_eq!(seen.ending(), Some((Outcome::Completed, None)));
    assert_eq!(read_all(&other, leg.id).await, seen);
    let taken = house.store.find_leg(leg.id).await.unwrap().unwrap();
    assert_eq!((taken.node, taken.epoch), (other.node(), leg.epoch + 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_ends_alone_lets_its_legs_finish() {
    let late = vec![
        Line::Pause(Duration::from_secs(5)),
        Line::text("late"),
        Line::stop(),
    ];
    let (house, _own) = house(late).await;
    let leg = house.send(10, "A").await.leg.id;
    sleep(Duration::from_millis(100)).await;
    house.engine.drain(Duration::from_secs(25)).await;
    assert_eq!(read_all(&house.engine, leg).await.text(), "late");
}

#[tokio::test(start_paused = true)]
async fn what_a_node_that_ended_left_open_is_closed_soon() {
    let (house, own) = house(stuck("kept")).await;
    let other = house.neighbour(&Lifeline::default()).await;
    let leg = house.send(10, "A").await.leg.id;
    sleep(Duration::from_millis(200)).await;
    // As if it had ended and said so, without closing its legs.
    own.cut();
    house.store.forget_nodes();
    let left = Instant::now();
    let events = read_all(&other, leg).await;
    assert!(
        left.elapsed() <= Duration::from_secs(7),
        "{:?}",
        left.elapsed()
    );
    assert_eq!(events.text(), "kept");
}

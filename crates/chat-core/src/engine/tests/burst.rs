//! Many sends to one conversation at once.

use std::{collections::HashSet, time::Duration};

use futures_util::future::join_all;

use super::support::{House, RunText as _, read_all, texts};
use crate::{
    event::EventKind,
    message::{MessageStatus, Role},
    ports::{Messages as _, RunLog as _, Runs as _},
    run::{Outcome, RunStatus},
    testing::Line,
};

/// How many send at once.
const SENDERS: u128 = 50;

#[tokio::test(start_paused = true)]
async fn fifty_sends_at_once_are_stored_in_one_order_and_the_last_is_answered() {
    let script = vec![
        Line::text("one "),
        Line::Pause(Duration::from_millis(1)),
        Line::text("two "),
        Line::Pause(Duration::from_millis(200)),
        Line::text("three"),
        Line::stop(),
    ];
    let house = House::new([script]);
    let talk = |number: u128| {
        let house = &house;
        async move {
            // Some come while an answer is being written, some together.
            tokio::time::sleep(Duration::from_millis(u64::try_from(number / 5).unwrap())).await;
            let sent = house
                .send(1_000 + number, &format!("question {number}"))
                .await;
            let shown = read_all(&house.engine, sent.leg.id).await;
            (sent.leg, shown)
        }
    };
    let mut answers = join_all((0..SENDERS).map(talk)).await;
    answers.sort_by_key(|(leg, _)| leg.message_seq);

    let messages = house.messages().await;
    let questions: Vec<String> = texts(&messages)
        .into_iter()
        .filter(|(role, _)| *role == "user")
        .map(|(_, text)| text)
        .collect();
    let distinct: HashSet<&String> = questions.iter().collect();
    assert_eq!(questions.len(), 50);
    assert_eq!(distinct.len(), 50, "each question is stored once");
    assert!(messages.windows(2).all(|pair| pair[0].seq < pair[1].seq));

    let mut kept = 0;
    for (place, (leg, shown)) in answers.iter().enumerate() {
        // A question stands right before the place of its answer.
        let question = messages.iter().find(|one| one.seq + 1 == leg.message_seq);
        assert_eq!(question.unwrap().role, Role::User);
        let closings = shown.iter().filter(|event| event.kind.is_closing());
        assert_eq!(closings.count(), 1);
        let stored = house.store.read(leg.id, 0, u32::MAX).await.unwrap();
        assert_eq!(*shown, stored, "what was shown is what is stored");
        let message = house.store.find_message(leg.message).await.unwrap();
        let text = message.as_ref().map(|message| message.body.text());
        assert_eq!(text.unwrap_or_default(), shown.text());
        kept += usize::from(message.is_some());
        let is_last = place + 1 == answers.len();
        let (outcome, status) = if is_last {
            (Outcome::Completed, MessageStatus::Completed)
        } else {
            (Outcome::Cancelled, MessageStatus::Cancelled)
        };
        assert_eq!(shown.ending(), Some((outcome, None)));
        assert!(message.is_none_or(|message| message.body.status == status));
        let leg = house.store.find_leg(leg.id).await.unwrap().unwrap();
        assert_eq!(leg.status, outcome.status());
    }
    let (_, last) = answers.last().unwrap();
    assert_eq!(last.text(), "one two three");
    assert!(kept > 1, "some were stopped while they were written");
    assert_eq!(messages.len(), 50 + kept);
    assert_eq!(house.store.list_orphans(&[]).await.unwrap(), []);
    assert_eq!(house.newest_leg().await.status, RunStatus::Completed);
    // Those that were stopped before their turn never called the model.
    let begun = answers.iter().filter(|(_, shown)| {
        let starts = |kind: &EventKind| matches!(kind, EventKind::StepStarted { .. });
        shown.iter().any(|event| starts(&event.kind))
    });
    assert!(begun.count() <= house.model.requests().len());
}

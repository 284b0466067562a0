//! What a turn costs in a short, a long and a very long conversation: a measurement, not a test.
//!
//! Nothing here fails because a store is slow. The stores' examples `growth_bench` and `mongo_growth_bench` print what it gives.

use std::time::{Duration, Instant};

use chat_core::{
    access::Owner,
    id::ConversationId,
    ports::{Closed, OpenLeg, Opened},
};
use serde_json::{Value, json};

use crate::{ChatStore, sample};

/// How many messages the conversations have that are measured.
pub const SIZES: [usize; 3] = [10, 1_000, 10_000];

/// The turns of one conversation size.
#[derive(Debug, Clone, PartialEq)]
pub struct Turns {
    /// How many messages the conversations had, give or take a tenth: each turn adds two.
    pub messages: usize,
    /// The median of `open_leg` with one message.
    pub open_p50: Duration,
    /// What 99 of 100 calls of `open_leg` did not exceed.
    pub open_p99: Duration,
    /// The median of the whole turn: `open_leg`, then `close_leg` with an answer.
    pub turn_p50: Duration,
}

/// Measures `rounds` turns at each of [`SIZES`], in an empty store, for one owner.
///
/// The sizes take turns, so that whatever the machine does meanwhile meets all of them. None is measured in a
/// conversation that has grown by more than a tenth: of the small ones there are as many as that needs, and they are
/// there before the first measurement. A tenth as many rounds warm up and do not count.
///
/// # Panics
///
/// When the store fails or refuses, and when `rounds` is none.
pub async fn measure(store: &dyn ChatStore, rounds: usize) -> [Turns; 3] {
    assert!(rounds > 0, "nothing is to be measured");
    let owner = sample::owner();
    let warm_up = rounds.div_ceil(10);
    let mut sizes = Vec::new();
    for messages in SIZES {
        sizes.push(Size::filled(store, &owner, messages, warm_up + rounds).await);
    }
    for round in 0..warm_up + rounds {
        // Whoever comes first after a pause may find a colder machine, so each comes first in turn.
        for place in 0..sizes.len() {
            let size = &mut sizes[(round + place) % SIZES.len()];
            let times = turn(store, &owner, size.next()).await;
            if round >= warm_up {
                size.opens.push(times.0);
                size.turns.push(times.0 + times.1);
            }
        }
    }
    let measured: Vec<Turns> = sizes.into_iter().map(Size::measured).collect();
    measured.try_into().expect("as many as there are sizes")
}

/// The figures as JSON, times in microseconds.
pub fn to_json(turns: &[Turns]) -> Value {
    let micros = |time: Duration| (time.as_secs_f64() * 1e7).round() / 10.0;
    let sizes: Vec<Value> = turns
        .iter()
        .map(|size| {
            json!({
                "messages": size.messages,
                "open_p50_us": micros(size.open_p50),
                "open_p99_us": micros(size.open_p99),
                "turn_p50_us": micros(size.turn_p50),
            })
        })
        .collect();
    json!({ "sizes": sizes })
}

/// Messages that one call stores while a conversation is filled, its answer included.
const AT_ONCE: usize = 50;

/// Conversations of one size, and what their turns took.
struct Size {
    messages: usize,
    conversations: Vec<ConversationId>,
    /// How many turns each of them takes part in.
    turns_each: usize,
    taken: usize,
    opens: Vec<Duration>,
    turns: Vec<Duration>,
}

impl Size {
    async fn filled(store: &dyn ChatStore, owner: &Owner, messages: usize, rounds: usize) -> Self {
        let turns_each = (messages / 20).max(1);
        let mut conversations = Vec::new();
        for _ in 0..rounds.div_ceil(turns_each) {
            let conversation = sample::conversation_id();
            fill(store, owner, conversation, messages).await;
            conversations.push(conversation);
        }
        Self {
            messages,
            conversations,
            turns_each,
            taken: 0,
            opens: Vec::with_capacity(rounds),
            turns: Vec::with_capacity(rounds),
        }
    }

    /// The conversation of the next turn. They follow each other, as those of people do who talk at the same time.
    fn next(&mut self) -> ConversationId {
        let number = self.taken % self.conversations.len();
        self.taken += 1;
        assert!(self.taken <= self.conversations.len() * self.turns_each);
        self.conversations[number]
    }

    fn measured(mut self) -> Turns {
        self.opens.sort_unstable();
        self.turns.sort_unstable();
        Turns {
            messages: self.messages,
            open_p50: percentile(&self.opens, 50),
            open_p99: percentile(&self.opens, 99),
            turn_p50: percentile(&self.turns, 50),
        }
    }
}

/// Makes a conversation with this many messages out of long sends, each with an answer of its own.
async fn fill(store: &dyn ChatStore, owner: &Owner, conversation: ConversationId, messages: usize) {
    let mut missing = messages;
    while missing > 0 {
        let some = missing.min(AT_ONCE);
        let mut open = sample::send(owner, conversation, &question());
        open.input
            .extend((2..some).map(|_| sample::input(&question())));
        let _times = exchange(store, open).await;
        missing -= some;
    }
}

async fn turn(
    store: &dyn ChatStore,
    owner: &Owner,
    conversation: ConversationId,
) -> (Duration, Duration) {
    exchange(store, sample::send(owner, conversation, &question())).await
}

/// Sends and answers; what the two calls took.
async fn exchange(store: &dyn ChatStore, open: OpenLeg) -> (Duration, Duration) {
    let text = words(200);
    let sent = open.clone();
    let begun = Instant::now();
    let opened = store.open_leg(sent).await;
    let open_took = begun.elapsed();
    let Opened::Fresh(leg) = opened.expect("a leg") else {
        panic!("a send was not taken");
    };
    let close = sample::close(&open, &leg, &text);
    let begun = Instant::now();
    let closed = store.close_leg(close).await;
    let close_took = begun.elapsed();
    assert_eq!(closed.expect("a close"), Closed::Done);
    (open_took, close_took)
}

fn question() -> String {
    words(30)
}

/// A text that is unlike the others, of words that recur as those of people do.
fn words(count: u128) -> String {
    const VOCABULARY: u128 = 5_000;
    let seed = sample::uuid().as_u128();
    let mut text = String::new();
    for number in 0..count {
        let word = (seed.wrapping_mul(7_919) + number * number * 104_729) % VOCABULARY;
        text.push_str("word");
        text.push_str(&word.to_string());
        text.push(' ');
    }
    text
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

//! Measures what a durable append costs against the set's own price, and what the log of running answers costs.
//!
//! Prints one line of JSON. `append_*` is a send: `open_leg` with one message into a conversation that has an active
//! run, one after the other. `first_append_*` is the same into a conversation whose last run has ended. `insert_*` is the
//! floor of the same set in the same run, taken in turns with the sends: one insert of a document as large as the
//! message, `w: majority, j: true`. `ping_p50_us` is a command that does nothing, so a round trip. `log_event_us` is the
//! processor time of this process, thus of the driver and the store but not of the database, per event, when every
//! flush holds one event of each of 500 legs.
//!
//! `mongo_append_bench [members]`: how many members the replica set has that this starts; one unless told. Its data is in the
//! system's temporary directory, so `TMPDIR` says which disk is measured.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use chat_core::{
    event::{EventKind, Field, RunEvent},
    id::LegId,
    ports::{Closed, Conversations as _, LogBatch, Opened, RunLog as _, Runs as _},
};
use mongo_fixture::ReplicaSet;
use mongodb::{
    bson::{Document, doc, oid::ObjectId},
    options::WriteConcern,
};
use storage_contract::sample;
use storage_mongo::{Config, MongoStore};
use tokio_util::sync::CancellationToken;

const WARM_UP: usize = 100;
const ROUNDS: usize = 600;
const LEGS: usize = 500;
const FLUSHES: u32 = 100;

fn main() -> anyhow::Result<()> {
    let members = match std::env::args().nth(1) {
        Some(members) => members.parse().context("usage: append_bench [members]")?,
        None => 1,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let line = runtime.block_on(async {
        let set = ReplicaSet::start(members).await?;
        let store = MongoStore::connect(Config::new(set.uri_for("append")), |_line| {}).await?;
        store.migrate().await?;
        // As in a server: it hears its own changes, and sweeps the log.
        tokio::select! {
            line = measure(&store, &set) => line,
            () = store.keep(CancellationToken::new()) =>
                Err(anyhow::anyhow!("the store's work beside the calls has ended")),
        }
    })?;
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

async fn measure(store: &MongoStore, set: &ReplicaSet) -> anyhow::Result<String> {
    let appends = appends(store, set).await?;
    let log_event_us = log(store).await?;
    Ok(format!("{{{appends},\"log_event_us\":{log_event_us:.3}}}"))
}

async fn appends(store: &MongoStore, set: &ReplicaSet) -> anyhow::Result<String> {
    let database = set.client().await?.database("floor");
    let durable = WriteConcern::builder()
        .w(mongodb::options::Acknowledgment::Majority)
        .journal(true)
        .build();
    let floor = database.collection::<Document>("floor");
    let owner = sample::owner();
    let text = "How do I keep a log from growing while nobody reads? ".repeat(4);
    let (replaced, ended) = (sample::conversation_id(), sample::conversation_id());
    let mut times: [Vec<Duration>; 4] = Default::default();
    for round in 0..WARM_UP + ROUNDS {
        let open = sample::send(&owner, replaced, &text);
        let begun = Instant::now();
        store.open_leg(open).await?;
        let append = begun.elapsed();

        let open = sample::send(&owner, ended, &text);
        let sent = open.clone();
        let begun = Instant::now();
        let opened = store.open_leg(sent).await?;
        let first_append = begun.elapsed();
        let Opened::Fresh(leg) = opened else {
            anyhow::bail!("a send was not taken");
        };
        let closed = store
            .close_leg(sample::close(&open, &leg, "Truncate it."))
            .await?;
        anyhow::ensure!(closed == Closed::Done, "a leg was lost to nobody");

        let document = doc! {"_id": ObjectId::new(), "text": &text};
        let begun = Instant::now();
        floor
            .insert_one(document)
            .write_concern(durable.clone())
            .await?;
        let insert = begun.elapsed();

        let begun = Instant::now();
        database.run_command(doc! {"ping": 1}).await?;
        let ping = begun.elapsed();
        if round >= WARM_UP {
            for (times, time) in times.iter_mut().zip([append, first_append, insert, ping]) {
                times.push(time);
            }
        }
    }
    for times in &mut times {
        times.sort_unstable();
    }
    let [append, first_append, insert, ping] = &times;
    Ok(format!(
        "\"append_p50_us\":{:.0},\"append_p99_us\":{:.0},\"first_append_p50_us\":{:.0},\"insert_p50_us\":{:.0},\"insert_p99_us\":{:.0},\"ping_p50_us\":{:.0}",
        percentile(append, 50),
        percentile(append, 99),
        percentile(first_append, 50),
        percentile(insert, 50),
        percentile(insert, 99),
        percentile(ping, 50),
    ))
}

async fn log(store: &MongoStore) -> anyhow::Result<f64> {
    let owner = sample::owner();
    let mut legs = Vec::with_capacity(LEGS);
    for _ in 0..LEGS {
        let open = sample::send(&owner, sample::conversation_id(), "Tell me more.");
        legs.push(open.leg);
        store.open_leg(open).await?;
    }
    let flushes: Vec<Vec<_>> = (0..=FLUSHES)
        .map(|n| legs.iter().map(|leg| batch(*leg, n + 1)).collect())
        .collect();
    let mut flushes = flushes.into_iter();
    // The first one looks every leg up; an answer has one such flush and many others.
    store.append(flushes.next().context("a flush")?).await?;
    let before = processor_time()?;
    for batches in flushes {
        store.append(batches).await?;
    }
    let spent = processor_time()?.saturating_sub(before);
    let events = f64::from(FLUSHES) * f64::from(u32::try_from(LEGS)?);
    Ok(spent.as_secs_f64() * 1e6 / events)
}

fn batch(leg: LegId, n: u32) -> LogBatch {
    LogBatch {
        leg,
        first: n,
        events: [RunEvent {
            n,
            at_ms: 1_700_000_000_000 + i64::from(n),
            kind: EventKind::PartDelta {
                part: 0,
                field: Field::Text,
                text: " token".to_owned(),
            },
            raw: None,
        }]
        .into(),
    }
}

fn percentile(sorted: &[Duration], percent: usize) -> f64 {
    sorted
        .get(sorted.len() * percent / 100)
        .map_or(f64::NAN, |time| time.as_secs_f64() * 1e6)
}

/// What this process has spent on the processor so far, all threads together, from `/proc/self/schedstat` of each.
fn processor_time() -> anyhow::Result<Duration> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir("/proc/self/task").context("processor time is known on Linux")? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let spent = stat.split(' ').next().context("an empty schedstat")?;
        nanoseconds += spent.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

//! Measures what a durable append costs against the disk's own price, and what the log of running answers costs.
//!
//! Prints one line of JSON. `append_*` is a send: `open_leg` with one message into a conversation that has an active
//! run, one after the other. `fdatasync_*` is the floor of the same file system in the same run, taken in turns with
//! the sends: as many bytes as a send's commit writes, appended to an existing file and synced. `log_event_us` is the
//! processor time of the whole process per event, when every flush holds one event of each of 500 legs.
//!
//! `append_bench [directory]`: where to measure; a temporary directory is made there.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use chat_core::{
    event::{EventKind, Field, RunEvent},
    id::LegId,
    ports::{Conversations as _, LogBatch, RunLog as _},
};
use storage_contract::sample;
use storage_sqlite::{Config, SqliteStore};

const WARM_UP: usize = 200;
const ROUNDS: usize = 2_000;
const LEGS: usize = 500;
const FLUSHES: u32 = 200;

fn main() -> anyhow::Result<()> {
    let parent = std::env::args_os()
        .nth(1)
        .unwrap_or_else(|| std::env::temp_dir().into_os_string());
    let dir = tempfile::tempdir_in(parent).context("a directory to measure in")?;
    let store = SqliteStore::open(Config::new(dir.path().join("data")))?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let line = runtime.block_on(async {
        let appends = appends(&store, dir.path()).await?;
        let log_event_us = log(&store).await?;
        anyhow::Ok(format!("{{{appends},\"log_event_us\":{log_event_us:.3}}}"))
    })?;
    writeln!(std::io::stdout(), "{line}")?;
    Ok(())
}

async fn appends(store: &SqliteStore, dir: &Path) -> anyhow::Result<String> {
    let owner = sample::owner();
    let conversation = sample::conversation_id();
    let text = "How do I keep a WAL from growing while nobody reads? ".repeat(4);
    let wal = dir.join("data").join("skein.db-wal");
    let before = wal.metadata()?.len();
    for _ in 0..WARM_UP {
        store
            .open_leg(sample::send(&owner, conversation, &text))
            .await?;
    }
    let block = usize::try_from(wal.metadata()?.len() - before)? / WARM_UP;
    let block = vec![0x5a; block.next_multiple_of(512)];
    let mut floor = existing(&dir.join("floor"))?;
    let mut append = Vec::with_capacity(ROUNDS);
    let mut sync = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let open = sample::send(&owner, conversation, &text);
        let begun = Instant::now();
        store.open_leg(open).await?;
        append.push(begun.elapsed());
        let begun = Instant::now();
        floor.write_all(&block)?;
        floor.sync_data()?;
        sync.push(begun.elapsed());
    }
    append.sort_unstable();
    sync.sort_unstable();
    let (append_p50, sync_p50) = (percentile(&append, 50), percentile(&sync, 50));
    Ok(format!(
        "\"append_p50_us\":{append_p50:.0},\"append_p99_us\":{:.0},\"fdatasync_p50_us\":{sync_p50:.0},\"fdatasync_p99_us\":{:.0},\"ratio\":{:.2},\"commit_bytes\":{}",
        percentile(&append, 99),
        percentile(&sync, 99),
        append_p50 / sync_p50,
        block.len(),
    ))
}

async fn log(store: &SqliteStore) -> anyhow::Result<f64> {
    let owner = sample::owner();
    let mut legs = Vec::with_capacity(LEGS);
    for _ in 0..LEGS {
        let open = sample::send(&owner, sample::conversation_id(), "Tell me more.");
        legs.push(open.leg);
        store.open_leg(open).await?;
    }
    let flushes: Vec<Vec<_>> = (1..=FLUSHES)
        .map(|n| legs.iter().map(|leg| batch(*leg, n)).collect())
        .collect();
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

/// A file that is there already, synced with its directory.
fn existing(path: &Path) -> anyhow::Result<File> {
    File::create(path)?.sync_all()?;
    Ok(OpenOptions::new().append(true).open(path)?)
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

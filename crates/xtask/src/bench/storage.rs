//! The stores by themselves: examples of their crates that measure, and print one line of JSON each.

use std::fs;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Bench;
use super::table::{Goal, Row, Table};
use crate::setup;
use crate::shell::capture;

/// How much dearer an append may be in a long conversation than in a short one.
const GROWTH: f64 = 1.3;

/// The embedded store.
pub(super) fn sqlite(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let Append {
        append_p50_us,
        fdatasync_p50_us,
    } = example(bench, "storage-sqlite", "append_bench", &[])?;
    let goal = Goal::AtMost(1.6 * fdatasync_p50_us);
    table.push(Row::new("durable append, p50", append_p50_us, "µs", goal));
    table.push(Row::new(
        "  raw fdatasync, p50",
        fdatasync_p50_us,
        "µs",
        Goal::None,
    ));
    let growth: Growth = example(bench, "storage-sqlite", "growth_bench", &[])?;
    growth.push_to(table, "append")
}

/// MongoDB, on replica sets of their own.
pub(super) fn mongodb(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    for (members, set) in [("1", "one"), ("3", "three")] {
        let measured: MongoAppend =
            example(bench, "storage-mongo", "mongo_append_bench", &[members])?;
        for (name, value) in [
            (
                format!("MongoDB durable append, p50, set of {set}"),
                measured.append_p50_us,
            ),
            (
                "  where no answer is replaced".to_owned(),
                measured.first_append_p50_us,
            ),
            (
                "  one insert, w: majority, j: true".to_owned(),
                measured.insert_p50_us,
            ),
            ("  one ping".to_owned(), measured.ping_p50_us),
        ] {
            table.push(Row::new(name, value, "µs", Goal::None));
        }
        if members == "1" {
            table.push(Row::new(
                "MongoDB log of 500 legs, CPU per event",
                measured.log_event_us,
                "µs",
                Goal::None,
            ));
        }
    }
    let growth: Growth = example(bench, "storage-mongo", "mongo_growth_bench", &[])?;
    growth.push_to(table, "MongoDB append")
}

/// What storage-sqlite's example `append_bench` prints.
#[derive(Deserialize)]
struct Append {
    append_p50_us: f64,
    fdatasync_p50_us: f64,
}

/// What storage-mongo's example `mongo_append_bench` prints.
#[derive(Deserialize)]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the printed line"
)]
struct MongoAppend {
    append_p50_us: f64,
    first_append_p50_us: f64,
    insert_p50_us: f64,
    ping_p50_us: f64,
    log_event_us: f64,
}

/// What the examples `growth_bench` and `mongo_growth_bench` print.
#[derive(Deserialize)]
struct Growth {
    sizes: Vec<Turns>,
}

#[derive(Deserialize)]
struct Turns {
    messages: usize,
    open_p50_us: f64,
    turn_p50_us: f64,
}

impl Growth {
    fn push_to(&self, table: &mut Table, what: &str) -> Result<()> {
        let (base, others) = self
            .sizes
            .split_first()
            .context("a growth bench printed no sizes")?;
        for turns in &self.sizes {
            let name = format!("{what} at {} messages, p50", turns.messages);
            table.push(Row::new(name, turns.open_p50_us, "µs", Goal::None));
        }
        for turns in others {
            table.push(Row::new(
                format!("  at {} / at {}", turns.messages, base.messages),
                turns.open_p50_us / base.open_p50_us,
                "x",
                Goal::AtMost(GROWTH),
            ));
        }
        for turns in others {
            table.push(Row::new(
                format!("  whole turn, at {} / at {}", turns.messages, base.messages),
                turns.turn_p50_us / base.turn_p50_us,
                "x",
                Goal::None,
            ));
        }
        Ok(())
    }
}

/// Runs an example of a store and reads what it prints. Its data is on the disk of the build.
fn example<T: DeserializeOwned>(
    bench: &Bench<'_>,
    package: &str,
    name: &str,
    arguments: &[&str],
) -> Result<T> {
    let folder = bench.path(name)?;
    fs::create_dir_all(&folder)?;
    let mut command = bench.workspace.cargo(&[
        "run",
        "--release",
        "--locked",
        "--quiet",
        "--package",
        package,
        "--example",
        name,
        "--",
    ]);
    command.args(arguments).env("TMPDIR", &folder);
    if package == "storage-mongo" {
        command.env("SKEIN_MONGOD", setup::mongod(bench.workspace)?);
    }
    let printed = capture(&mut command)?;
    serde_json::from_str(&printed)
        .with_context(|| format!("{name} of {package} printed something else than its figures"))
}

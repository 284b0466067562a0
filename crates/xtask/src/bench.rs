//! `cargo xtask bench`: what a token costs, against the floor of copying bytes between two sockets, and what a message
//! costs, against the disk's or the database's own price.
//!
//! Everything runs on this machine and talks over the loopback: a release `skein` with its store on disk, `mock-llm`
//! behind it, and the floor, a process that splices TCP connections to the same `mock-llm`; then the stores by
//! themselves; then two `skein` over one replica set. Loads are bounded in number and in time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::process::{Server, free_address, request};
use crate::shell::{Workspace, run as run_command};

mod frames;
mod load;
mod nodes;
mod splice;
mod storage;
mod table;

use load::{Load, Target, Times};
pub(crate) use splice::splice;
use table::{Goal, Row, Table};

/// Rounds of the burst: processor time is told in steps of 10 ms, so a round of some 5 ms needs many.
const BURST_ROUNDS: usize = 100;
const BURST: Load = Load {
    streams: 8,
    tokens: 200,
    pace_ms: 0,
};
const PACED: Load = Load {
    streams: 500,
    tokens: 240,
    pace_ms: 50,
};
/// The part of the paced load in which all its streams are open.
const PACED_WINDOW: Duration = Duration::from_secs(8);
const OPEN: Load = Load {
    streams: 1000,
    tokens: 40,
    pace_ms: 250,
};
/// One short answer, for the time to its first token.
const SHORT: Load = Load {
    streams: 1,
    tokens: 4,
    pace_ms: 0,
};
/// Requests of the latency measurement on each side, one at a time, alternating.
const FIRST_TOKENS: usize = 300;
/// Starts of which the median counts.
const STARTS: usize = 5;
/// Sockets and files that a process of this benchmark may need.
const FILES: u64 = 4096;

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Start,
    Memory,
    Streaming,
    Sqlite,
    Mongodb,
    Nodes,
}

impl Group {
    const ALL: [(&'static str, Self); 6] = [
        ("start", Self::Start),
        ("memory", Self::Memory),
        ("streaming", Self::Streaming),
        ("sqlite", Self::Sqlite),
        ("mongodb", Self::Mongodb),
        ("nodes", Self::Nodes),
    ];

    fn named(name: &str) -> Result<Self> {
        if let Some((_, group)) = Self::ALL.iter().find(|(known, _)| *known == name) {
            return Ok(*group);
        }
        let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
        bail!("no group is named {name}: {} are", names.join(", "));
    }

    /// Whether a server is measured, and not a store by itself.
    fn needs_server(self) -> bool {
        !matches!(self, Self::Sqlite | Self::Mongodb)
    }
}

/// Builds, measures and prints the table; with a name only that group's part.
pub(crate) fn run(workspace: &Workspace, only: Option<&str>) -> Result<()> {
    let groups: Vec<Group> = match only {
        Some(name) => vec![Group::named(name)?],
        None => Group::ALL.iter().map(|(_, group)| *group).collect(),
    };
    ensure!(
        open_files_limit()? >= FILES,
        "1,000 streams need {FILES} open files, and the limit is lower: run `ulimit -n {FILES}` first"
    );
    if groups.iter().any(|group| group.needs_server()) {
        run_command(&mut workspace.cargo(&[
            "build",
            "--release",
            "--locked",
            "--package",
            "server",
            "--package",
            "mock-llm",
            "--package",
            "mongo-fixture",
            "--bins",
        ]))?;
    }
    let folder = Scratch::create(workspace)?;
    let bench = Bench {
        workspace,
        folder: folder.0.clone(),
    };
    let mut table = Table::default();
    for group in groups {
        bench.measure(group, &mut table)?;
    }
    println!("\n{}\n{table}", machine());
    Ok(())
}

struct Bench<'a> {
    workspace: &'a Workspace,
    folder: PathBuf,
}

impl Bench<'_> {
    fn measure(&self, group: Group, table: &mut Table) -> Result<()> {
        match group {
            Group::Start => self.start_up(&self.mock()?, table),
            Group::Memory => self.memory(&self.mock()?, table),
            Group::Streaming => self.streaming(&self.mock()?, table),
            Group::Sqlite => storage::sqlite(self, table),
            Group::Mongodb => storage::mongodb(self, table),
            Group::Nodes => nodes::measure(self, table),
        }
    }

    fn start_up(&self, mock: &Server, table: &mut Table) -> Result<()> {
        let mut starts = Vec::new();
        for start in 0..STARTS {
            starts.push(self.skein(mock, &format!("start-{start}"))?.ready_after());
        }
        let ready = Times::new(starts).percentile(50);
        table.push(Row::new(
            "start to ready, new store",
            millis(ready),
            "ms",
            Goal::AtMost(150.0),
        ));
        Ok(())
    }

    /// On a server of its own: what an earlier load has freed, an allocator keeps, and it would hide the growth.
    fn memory(&self, mock: &Server, table: &mut Table) -> Result<()> {
        let skein = self.skein(mock, "memory")?;
        let idle = kilobytes(skein.resident_kib()?) / 1e3;
        table.push(Row::new("idle RSS", idle, "MB", Goal::AtMost(30.0)));
        let through = Target::skein(skein.address(), &guest(&skein)?);
        // One answer loads the tokenizer, which all streams share.
        load::burst(&through, SHORT)?;
        let before = skein.resident_kib()?;
        let open = load::hold(&through, OPEN, || skein.resident_kib())?;
        #[expect(clippy::cast_precision_loss, reason = "the number of streams is small")]
        let each = kilobytes(open.saturating_sub(before)) / OPEN.streams as f64;
        table.push(Row::new(
            "RSS per open stream, at 1,000",
            each,
            "KB",
            Goal::AtMost(40.0),
        ));
        Ok(())
    }

    fn streaming(&self, mock: &Server, table: &mut Table) -> Result<()> {
        let skein = self.skein(mock, "streaming")?;
        let floor = splice::start(mock.address())?;
        let through = Target::skein(skein.address(), &guest(&skein)?);
        let direct = Target::upstream(mock.address());
        let floored = Target::upstream(floor.address());
        // Caches, connections and the tokenizer are warm before anything is measured.
        load::burst(&through, BURST)?;
        load::burst(&floored, BURST)?;

        let (ours, base) = load::first_tokens(&through, &direct, SHORT, FIRST_TOKENS)?;
        for (name, percent, goal) in [("p50", 50, Goal::None), ("p99", 99, Goal::AtMost(6.0))] {
            let added = millis(ours.percentile(percent)) - millis(base.percentile(percent));
            table.push(Row::new(
                format!("added time to first token, {name}"),
                added,
                "ms",
                goal,
            ));
        }

        let burst = burst_cost(&skein, &through)?;
        table.push(Row::new(
            "burst 8 x 200, CPU per event",
            burst,
            "µs",
            Goal::AtMost(4.0),
        ));
        let burst_floor = burst_cost(&floor, &floored)?;
        table.push(Row::new(
            "  the same through the splice",
            burst_floor,
            "µs",
            Goal::None,
        ));

        let paced = paced_cost(&skein, &through)?;
        let paced_floor = paced_cost(&floor, &floored)?;
        let goal = Goal::AtMost(2.0 * paced_floor);
        table.push(Row::new(
            "paced 500 x 20/s, CPU per event",
            paced,
            "µs",
            goal,
        ));
        table.push(Row::new(
            "  the same through the splice",
            paced_floor,
            "µs",
            Goal::None,
        ));
        Ok(())
    }

    fn mock(&self) -> Result<Server> {
        let address = free_address()?;
        let mut command = Command::new(self.workspace.program("release", "mock-llm"));
        command.args(["--port", &address.port().to_string()]);
        Server::start(command, address, "/v1/models")
    }

    fn skein(&self, mock: &Server, store: &str) -> Result<Server> {
        self.skein_with(mock, &[("SKEIN_DATA_DIR", self.path(store)?)])
    }

    /// A server with these settings beside its own address and upstream.
    fn skein_with(&self, mock: &Server, settings: &[(&str, String)]) -> Result<Server> {
        let address = free_address()?;
        let mut command = Command::new(self.workspace.program("release", "skein"));
        command
            .current_dir(&self.folder)
            .env_remove("MONGODB_URI")
            .env("SKEIN_BIND", address.to_string())
            .env("OPENAI_BASE_URL", format!("http://{}/v1", mock.address()))
            .env("OPENAI_API_KEY", "none")
            .env("SKEIN_MODEL", "mock")
            // One model call per message: a title is another call, whose events are not among those that are counted.
            .env("SKEIN_TITLES", "off")
            // A line per request would hide the table.
            .env("SKEIN_LOG", "warn")
            .envs(settings.iter().map(|(name, value)| (name, value)));
        Server::start(command, address, "/ready")
    }

    fn path(&self, name: &str) -> Result<String> {
        let path = self.folder.join(name).into_os_string().into_string();
        path.ok()
            .context("the path of this clone is no UTF-8, which settings are")
    }
}

/// A folder on the disk of the build, because a temporary one may lie in memory, where a sync costs nothing.
struct Scratch(PathBuf);

impl Scratch {
    fn create(workspace: &Workspace) -> Result<Self> {
        let folder = workspace.path(&format!(".tools/bench-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is small and git-ignored.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn guest(skein: &Server) -> Result<String> {
    #[derive(Deserialize)]
    struct Guest {
        access_token: String,
    }
    let guest: Guest = serde_json::from_str(&request(skein.address(), "POST", "/api/auth/guest")?)?;
    Ok(guest.access_token)
}

fn burst_cost(server: &Server, target: &Arc<Target>) -> Result<f64> {
    let before = server.cpu()?;
    let mut events = 0;
    for _ in 0..BURST_ROUNDS {
        events += load::burst(target, BURST)?;
    }
    Ok(micros_per_event(
        server.cpu()?.saturating_sub(before),
        events,
    ))
}

fn paced_cost(server: &Server, target: &Arc<Target>) -> Result<f64> {
    let (cpu, events) = load::window(target, PACED, PACED_WINDOW, || server.cpu())?;
    Ok(micros_per_event(cpu, events))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "events of one benchmark are far below 2^52"
)]
fn micros_per_event(cpu: Duration, events: usize) -> f64 {
    cpu.as_secs_f64() * 1e6 / events as f64
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(
    clippy::cast_precision_loss,
    reason = "kilobytes of one process are far below 2^52"
)]
fn kilobytes(kib: u64) -> f64 {
    kib as f64 * 1.024
}

fn open_files_limit() -> Result<u64> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line
        .and_then(|line| line.split_whitespace().next())
        .context("/proc/self/limits names no open files")?;
    Ok(soft.parse().unwrap_or(u64::MAX))
}

/// One line on where the figures come from.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown");
    let model = model.trim_start_matches([' ', '\t', ':']);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = fs::read_to_string(Path::new("/proc/sys/kernel/osrelease")).unwrap_or_default();
    format!("{cores} cores of {model}, Linux {}", kernel.trim())
}

//! Two nodes over a replica set of three: how soon one of them sees what happens on the other.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::json;
use tokio::task::JoinSet;

use super::frames::{Caller, Frame, Frames, Kind};
use super::load::{Times, block_on};
use super::table::{Goal, Row, Table};
use super::{Bench, STARTS, guest, millis};
use crate::mongo::ReplicaSet;
use crate::process::{Server, request};
use crate::setup;

/// Answers on one node that are stopped on the other, one at a time.
const STOPS: u32 = 40;
/// Answers that are watched on the other node, all at once, and how many tokens each has, and how far apart.
const WATCHED: usize = 10;
const TOKENS: usize = 160;
const PACE_MS: usize = 50;

/// Starts the set and the nodes, and measures.
pub(super) fn measure(bench: &Bench<'_>, table: &mut Table) -> Result<()> {
    let data = bench.path("replica-set")?;
    fs::create_dir_all(&data)?;
    let mut fixture = bench
        .workspace
        .command(bench.workspace.program("release", "mongo-fixture"));
    // The folders of the members are made in the temporary one.
    fixture.arg("3").env("TMPDIR", data);
    let set = ReplicaSet::keep(&mut fixture, &setup::mongod(bench.workspace)?)?;
    let mock = bench.mock()?;
    let node = || {
        bench.skein_with(
            &mock,
            &[
                ("MONGODB_URI", set.uri().to_owned()),
                ("MONGODB_DB_NAME", "bench".to_owned()),
            ],
        )
    };
    table.push(Row::new(
        "start to ready, new MongoDB database",
        millis(node()?.ready_after()),
        "ms",
        Goal::None,
    ));
    let starts = (0..STARTS)
        .map(|_| Ok(node()?.ready_after()))
        .collect::<Result<_>>()?;
    table.push(Row::new(
        "start to ready, MongoDB",
        millis(Times::new(starts).percentile(50)),
        "ms",
        Goal::AtMost(150.0),
    ));

    let (here, there) = (node()?, node()?);
    let mut nodes = Nodes::new(&here, &there, &mock)?;
    let stops = block_on(nodes.stops())?;
    for (name, percent, goal) in [("p50", 50, Goal::None), ("max", 100, Goal::AtMost(300.0))] {
        table.push(Row::new(
            format!("stop on another node to hang-up, {name}"),
            millis(stops.percentile(percent)),
            "ms",
            goal,
        ));
    }
    let delays = block_on(nodes.watch())?;
    for (name, percent) in [("p50", 50), ("p99", 99), ("max", 100)] {
        table.push(Row::new(
            format!("event seen on another node, delay {name}"),
            millis(delays.percentile(percent)),
            "ms",
            Goal::None,
        ));
    }
    Ok(())
}

/// The same person at two nodes.
struct Nodes<'a> {
    here: Caller,
    there: Caller,
    mock: &'a Server,
    /// Numbers the ids of conversations and messages; the store is new, so counting is enough.
    ids: u32,
}

impl<'a> Nodes<'a> {
    fn new(here: &Server, there: &Server, mock: &'a Server) -> Result<Self> {
        let token = guest(here)?;
        Ok(Self {
            here: Caller {
                address: here.address(),
                token: token.clone(),
            },
            there: Caller {
                address: there.address(),
                token,
            },
            mock,
            ids: 0,
        })
    }

    /// How long after a stop was sent to one node the other one hung up on the model's server; a millisecond too much
    /// at most, since that server tells it in whole ones.
    async fn stops(&mut self) -> Result<Times> {
        let mut times = Vec::new();
        // The first round is not counted: it finds connections to be opened.
        for round in 0..=STOPS {
            let (chat, mut answer) = self.ask(5_000, 10).await?;
            for _ in 0..10 {
                answer.until(Kind::Token).await?;
            }
            let asked = Instant::now();
            let stop: Stop = self
                .there
                .call("POST", &format!("/api/chat/{chat}/stop"))
                .await?;
            ensure!(stop.stopped, "there was nothing to stop");
            answer.until(Kind::Done).await?;
            let hung_up = self.hang_up(round + 1)?;
            if round > 0 {
                times.push(hung_up.saturating_duration_since(asked));
            }
        }
        Ok(Times::new(times))
    }

    /// How much later the frames of answers came from the node that does not write them.
    async fn watch(&mut self) -> Result<Times> {
        let mut watched = JoinSet::new();
        for _ in 0..WATCHED {
            let (chat, mut here) = self.ask(TOKENS, PACE_MS).await?;
            here.until(Kind::Token).await?;
            let there = self.there.clone();
            watched.spawn(async move {
                let path = format!("/api/chat/{chat}/stream");
                // Both are read at once: a stream that waits would look late.
                let there = async { Frames::open(&there, "GET", &path, "").await?.tokens().await };
                let (here, there) = tokio::try_join!(here.tokens(), there)?;
                delays(&here, &there)
            });
        }
        let mut times = Vec::new();
        while let Some(delays) = watched.join_next().await {
            times.extend(delays??);
        }
        Ok(Times::new(times))
    }

    /// Has a new conversation begun on one node; it and its answer.
    async fn ask(&mut self, tokens: usize, pace_ms: usize) -> Result<(String, Frames)> {
        let (chat, message) = (self.id(), self.id());
        let text = format!("[[mock: tokens={tokens} pace_ms={pace_ms}]] go on");
        let part = json!({ "type": "text", "text": text });
        let body = json!({
            "id": chat,
            "message": { "id": message, "role": "user", "parts": [part] },
            "selectedChatModel": "chat-model",
            "selectedVisibilityType": "private",
        });
        let answer = Frames::open(&self.here, "POST", "/api/chat", &body.to_string()).await?;
        Ok((chat, answer))
    }

    fn id(&mut self) -> String {
        self.ids += 1;
        format!("00000000-0000-4000-8000-{:012x}", self.ids)
    }

    /// When the model's server was hung up on for the `count`th time.
    fn hang_up(&self, count: u32) -> Result<Instant> {
        let since = Instant::now();
        loop {
            let stats: Stats =
                serde_json::from_str(&request(self.mock.address(), "GET", "/__mock/stats")?)?;
            let told = Instant::now();
            if stats.hung_up >= count {
                let last = stats.hang_ups.last().context("no hang-up is told")?;
                return told
                    .checked_sub(Duration::from_millis(last.ms_ago))
                    .context("a hang-up before this machine's start");
            }
            ensure!(
                since.elapsed() < Duration::from_secs(10),
                "a stopped answer's connection stays open"
            );
        }
    }
}

/// What a stop is answered with.
#[derive(Deserialize)]
struct Stop {
    stopped: bool,
}

/// What the model's server says of itself.
#[derive(Deserialize)]
struct Stats {
    hung_up: u32,
    hang_ups: Vec<HangUp>,
}

#[derive(Deserialize)]
struct HangUp {
    ms_ago: u64,
}

/// By how much each frame came later there than here, without those that were there when the watcher came.
fn delays(here: &[Frame], there: &[Frame]) -> Result<Vec<Duration>> {
    let came: HashMap<u64, Instant> = there
        .iter()
        .filter_map(|frame| Some((frame.id?, frame.at)))
        .collect();
    let watching_since = there.first().context("nothing came on the other node")?.at;
    let mut delays = Vec::new();
    for frame in here {
        let id = frame.id.context("a token has no number")?;
        let there = came
            .get(&id)
            .with_context(|| format!("frame {id} did not come on the other node"))?;
        if frame.at > watching_since {
            delays.push(there.saturating_duration_since(frame.at));
        }
    }
    ensure!(
        delays.len() * 2 > TOKENS,
        "the other node was watched for {} of {TOKENS} tokens only",
        delays.len()
    );
    Ok(delays)
}

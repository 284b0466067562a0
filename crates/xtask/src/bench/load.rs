//! The load: many streaming requests over plain sockets, and when their tokens arrive.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// The longest silence on a stream; the slowest load sends a token four times a second.
pub(super) const SILENCE: Duration = Duration::from_secs(30);

/// How much to ask for: each of `streams` answers has `tokens` events, `pace_ms` apart.
#[derive(Clone, Copy)]
pub(super) struct Load {
    pub(super) streams: usize,
    pub(super) tokens: usize,
    pub(super) pace_ms: usize,
}

impl Load {
    /// The user's message that makes `mock-llm` answer so.
    fn text(self) -> String {
        format!(
            "[[mock: tokens={} pace_ms={}]] go on",
            self.tokens, self.pace_ms
        )
    }
}

/// Where a load goes, and in which language.
pub(super) struct Target {
    address: SocketAddr,
    /// A guest's token for Skein; none for an upstream, which speaks Chat Completions.
    token: Option<String>,
    /// Numbers the ids of conversations and messages; the store is new, so counting is enough.
    ids: AtomicU64,
}

impl Target {
    /// Skein, asked by a guest.
    pub(super) fn skein(address: SocketAddr, token: &str) -> Arc<Self> {
        Arc::new(Self {
            address,
            token: Some(token.to_owned()),
            ids: AtomicU64::new(1),
        })
    }

    /// A model server, or the splice in front of one.
    pub(super) fn upstream(address: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            address,
            token: None,
            ids: AtomicU64::new(1),
        })
    }

    fn id(&self) -> String {
        format!(
            "00000000-0000-4000-8000-{:012x}",
            self.ids.fetch_add(1, Ordering::Relaxed)
        )
    }

    fn request(&self, text: &str) -> String {
        let (path, authorization, body) = if let Some(token) = &self.token {
            let part = json!({ "type": "text", "text": text });
            let body = json!({
                "id": self.id(),
                "message": { "id": self.id(), "role": "user", "parts": [part] },
                "selectedChatModel": "chat-model",
                "selectedVisibilityType": "private",
            });
            (
                "/api/chat",
                format!("Authorization: Bearer {token}\r\n"),
                body,
            )
        } else {
            let messages = json!([{ "role": "user", "content": text }]);
            let body = json!({ "model": "mock", "stream": true, "messages": messages });
            ("/v1/chat/completions", String::new(), body)
        };
        let body = body.to_string();
        format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{authorization}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        )
    }

    /// Whether a line of the answer carries a piece of its text.
    fn is_token(&self, line: &[u8]) -> bool {
        if self.token.is_some() {
            contains(line, br#""type":"text-delta""#)
        } else {
            contains(line, br#""content":""#) && !contains(line, br#""content":"""#)
        }
    }
}

/// Times of many requests.
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn new(mut times: Vec<Duration>) -> Self {
        times.sort();
        Self(times)
    }

    /// The time that `percent` of the requests did not exceed.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

/// Runs `load` from its first stream's start to its last one's end; returns its number of events.
pub(super) fn burst(target: &Arc<Target>, load: Load) -> Result<usize> {
    block_on(async {
        let mut open = Open::start(target, load);
        open.finish().await?;
        Ok(load.streams * load.tokens)
    })
}

/// Opens `load`, waits until every stream has had a token, and then takes what `used` grows by in `span`, with the
/// number of events that arrived meanwhile. The load must last longer than that.
pub(super) fn window(
    target: &Arc<Target>,
    load: Load,
    span: Duration,
    used: impl Fn() -> Result<Duration>,
) -> Result<(Duration, usize)> {
    block_on(async {
        let mut open = Open::start(target, load);
        open.all_answered().await?;
        let (used_before, seen_before) = (used()?, open.tokens.load(Ordering::Relaxed));
        sleep(span).await;
        let (used_after, seen_after) = (used()?, open.tokens.load(Ordering::Relaxed));
        open.still_open()?;
        open.finish().await?;
        Ok((
            used_after.saturating_sub(used_before),
            seen_after - seen_before,
        ))
    })
}

/// Opens `load`, waits until every stream has had a token, and returns what `measure` says then.
pub(super) fn hold<T>(
    target: &Arc<Target>,
    load: Load,
    measure: impl Fn() -> Result<T>,
) -> Result<T> {
    block_on(async {
        let mut open = Open::start(target, load);
        open.all_answered().await?;
        let measured = measure()?;
        open.still_open()?;
        open.finish().await?;
        Ok(measured)
    })
}

/// Asks both targets in turn for `load`, a single stream, `count` times each; returns the times to first token.
pub(super) fn first_tokens(
    ours: &Arc<Target>,
    base: &Arc<Target>,
    load: Load,
    count: usize,
) -> Result<(Times, Times)> {
    block_on(async {
        let mut times = (Vec::new(), Vec::new());
        for _ in 0..count {
            times.0.push(single(ours, load).await?);
            times.1.push(single(base, load).await?);
        }
        Ok((Times::new(times.0), Times::new(times.1)))
    })
}

/// A load under way.
struct Open {
    streams: usize,
    tasks: JoinSet<Result<()>>,
    tokens: Arc<AtomicUsize>,
    firsts: mpsc::UnboundedReceiver<Duration>,
}

impl Open {
    fn start(target: &Arc<Target>, load: Load) -> Self {
        let (first, firsts) = mpsc::unbounded_channel();
        let tokens = Arc::new(AtomicUsize::new(0));
        let text = load.text();
        let mut tasks = JoinSet::new();
        for _ in 0..load.streams {
            let request = target.request(&text);
            tasks.spawn(stream(
                target.clone(),
                request,
                first.clone(),
                tokens.clone(),
            ));
        }
        Self {
            streams: load.streams,
            tasks,
            tokens,
            firsts,
        }
    }

    /// Waits until each stream has had its first token, or fails as the first failed stream did.
    async fn all_answered(&mut self) -> Result<()> {
        for _ in 0..self.streams {
            if self.firsts.recv().await.is_none() {
                self.finish().await?;
                bail!("a stream ended without a token");
            }
        }
        Ok(())
    }

    /// Fails if a stream has ended, so that what was just measured is not that of the whole load.
    fn still_open(&mut self) -> Result<()> {
        if let Some(ended) = self.tasks.try_join_next() {
            ended??;
            bail!("a stream ended before the measurement did");
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<()> {
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(())
    }
}

async fn single(target: &Arc<Target>, load: Load) -> Result<Duration> {
    let mut open = Open::start(target, load);
    open.finish().await?;
    open.firsts.recv().await.context("an answer had no token")
}

/// Reads one answer to its end; tells `first` how long its first token took, and counts all in `tokens`.
async fn stream(
    target: Arc<Target>,
    request: String,
    first: UnboundedSender<Duration>,
    tokens: Arc<AtomicUsize>,
) -> Result<()> {
    let mut socket = TcpStream::connect(target.address).await?;
    socket.set_nodelay(true)?;
    let start = Instant::now();
    socket.write_all(request.as_bytes()).await?;
    let mut unread = Vec::with_capacity(8192);
    let mut seen = 0_usize;
    let mut status_seen = false;
    loop {
        let count = timeout(SILENCE, socket.read_buf(&mut unread))
            .await
            .context("a stream fell silent")??;
        ensure!(count > 0, "a stream closed before its end");
        let mut rest = unread.as_slice();
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(end + 1);
            rest = after;
            if !status_seen {
                let line = String::from_utf8_lossy(line);
                ensure!(
                    line.starts_with("HTTP/1.1 200"),
                    "a request was answered with {}",
                    line.trim()
                );
                status_seen = true;
            } else if target.is_token(line) {
                if seen == 0 {
                    // The receiver may have lost interest; the stream is read to its end all the same.
                    let _ = first.send(start.elapsed());
                }
                seen += 1;
                tokens.fetch_add(1, Ordering::Relaxed);
            } else if contains(line, b"data: [DONE]") {
                ensure!(seen > 0, "an answer had no token");
                return Ok(());
            } else if contains(line, br#""type":"error""#) {
                bail!("an answer failed: {}", String::from_utf8_lossy(line).trim());
            }
        }
        let read = unread.len() - rest.len();
        unread.drain(..read);
    }
}

/// Does it on this thread.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Whether these bytes are somewhere in the line.
pub(super) fn contains(line: &[u8], needle: &[u8]) -> bool {
    line.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_nearest_rank_as_a_percentile() {
        let times = Times::new((1..=200).rev().map(Duration::from_millis).collect());
        assert_eq!(times.percentile(50), Duration::from_millis(100));
        assert_eq!(times.percentile(99), Duration::from_millis(198));
        assert_eq!(
            Times::new(vec![Duration::from_millis(7)]).percentile(50),
            Duration::from_millis(7)
        );
    }

    #[test]
    fn tells_tokens_from_other_lines_of_both_wires() {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let skein = Target::skein(address, "t");
        assert!(skein.is_token(br#"data: {"type":"text-delta","id":"1","delta":"a"}"#));
        assert!(!skein.is_token(br#"data: {"type":"text-start","id":"1"}"#));
        let upstream = Target::upstream(address);
        assert!(upstream.is_token(br#"data: {"choices":[{"delta":{"content":"a"}}]}"#));
        assert!(
            !upstream
                .is_token(br#"data: {"choices":[{"delta":{"role":"assistant","content":""}}]}"#)
        );
    }
}

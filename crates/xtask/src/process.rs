//! Servers that we start: on a free port, watched by what `/proc` says of them, stopped by their id.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server process, killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
    ready_after: Duration,
}

impl Server {
    /// Starts `command`, which must listen on `address`, and waits until `GET path` is answered with 200.
    pub(crate) fn start(mut command: Command, address: SocketAddr, path: &str) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let start = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let mut this = Self {
            child,
            address,
            ready_after: Duration::ZERO,
        };
        while !answers(address, path) {
            if let Some(status) = this.child.try_wait()? {
                bail!("{name} ended before it was ready ({status})");
            }
            if start.elapsed() > PATIENCE {
                bail!(
                    "{name} does not answer GET {path} within {} s",
                    PATIENCE.as_secs()
                );
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        this.ready_after = start.elapsed();
        Ok(this)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The time from its start until it answered.
    pub(crate) fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// The processor time, user and system, that all its threads have used.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        ticks(&stat).context("/proc/<pid>/stat has not the form of proc(5)")
    }

    /// The memory that it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        resident(&status).context("/proc/<pid>/status has no VmRSS line")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of this machine that nobody listens on.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// The body of a small answer; fails unless its status is 200.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // In HTTP/1.0 the body is all that follows the head, never in chunks.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nContent-Length: 0\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer has no end of its head")?;
    if head.split_whitespace().nth(1) != Some("200") {
        bail!(
            "{method} {path} was answered with {}",
            head.lines().next().unwrap_or_default()
        );
    }
    Ok(body.to_owned())
}

fn answers(address: SocketAddr, path: &str) -> bool {
    request(address, "GET", path).is_ok()
}

/// Linux counts these in hundredths of a second on every platform that user space sees.
fn ticks(stat: &str) -> Option<Duration> {
    // The name in parentheses may hold blanks; the fields after it do not. User and system time are fields 14, 15.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

fn resident(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Duration, resident, ticks};

    #[test]
    fn reads_processor_time_behind_a_name_with_blanks() {
        let stat = "42 (a (b) c) S 1 42 42 0 -1 4194304 100 0 0 0 150 25 7 8 20 0 4 0 1 1 1";
        assert_eq!(ticks(stat), Some(Duration::from_millis(1750)));
    }

    #[test]
    fn reads_resident_memory() {
        assert_eq!(
            resident("Name:\tskein\nVmRSS:\t   20480 kB\nThreads:\t4\n"),
            Some(20480)
        );
    }
}

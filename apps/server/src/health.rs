//! `skein health`: whether the server on this machine is ready, for containers that have no other program to ask.

use std::{
    io::{Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use anyhow::Context as _;

use crate::config::{Config, Source};

/// Connecting, and each read, may take this long.
const WAIT: Duration = Duration::from_secs(3);

/// Asks `/ready` of the address that a server with these settings listens on; an error unless it says 200.
pub fn ask(source: &Source) -> anyhow::Result<()> {
    let address = reachable(Config::read(source)?.bind);
    let mut stream = TcpStream::connect_timeout(&address, WAIT)
        .with_context(|| format!("nothing listens on {address}"))?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.write_all(b"GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream
        .take(64 * 1024)
        .read_to_end(&mut answer)
        .with_context(|| format!("{address} does not answer"))?;
    anyhow::ensure!(
        answer.starts_with(b"HTTP/1.1 200 "),
        "the server on {address} is not ready"
    );
    Ok(())
}

/// Every address of the machine is listened on by one that cannot be connected to everywhere.
const fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V4(_) | IpAddr::V6(_) => bind.ip(),
    };
    SocketAddr::new(ip, bind.port())
}

//! The floor: a process that does nothing but copy bytes between a client's connection and the upstream's.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context, Result};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::process::{Server, free_address};

/// Starts this program again as the splice in front of `upstream`, so that its processor time can be told apart.
pub(super) fn start(upstream: SocketAddr) -> Result<Server> {
    let address = free_address()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["splice", &address.to_string(), &upstream.to_string()]);
    Server::start(command, address, "/v1/models")
}

/// Copies between every connection to `listen` and one of its own to `upstream`, until it is killed.
pub(crate) fn splice(listen: &str, upstream: &str) -> Result<()> {
    let upstream: SocketAddr = upstream
        .parse()
        .context("usage: splice <listen> <upstream>")?;
    let listen: SocketAddr = listen
        .parse()
        .context("usage: splice <listen> <upstream>")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(listen).await?;
        let mut copies = JoinSet::new();
        loop {
            let (mut client, _) = listener.accept().await?;
            copies.spawn(async move {
                let mut server = TcpStream::connect(upstream).await?;
                client.set_nodelay(true)?;
                server.set_nodelay(true)?;
                copy_bidirectional(&mut client, &mut server).await
            });
            // Finished copies are let go; one that failed has only lost a peer.
            while copies.try_join_next().is_some() {}
        }
    })
}

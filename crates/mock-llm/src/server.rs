//! The server on its own thread.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::error::{StartError, WaitError};
use crate::ledger::{Connection, RecordedRequest, Stats, lock};
use crate::respond::Responder;
use crate::scenario::Scenario;

/// How many connections may wait to be accepted.
const BACKLOG: u32 = 4096;
/// The pause after a failed accept, such as for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// A running server. Dropping it stops it and waits for its thread; open answers are cut off.
#[derive(Debug)]
pub struct MockLlm {
    address: SocketAddr,
    responder: Arc<Responder>,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl MockLlm {
    /// Starts a server on a thread of its own and returns once it accepts connections.
    ///
    /// Works inside and outside of an async runtime.
    pub fn start(config: Config) -> Result<Self, StartError> {
        let address = SocketAddr::new(config.host, config.port);
        let responder = Arc::new(Responder::new(config));
        let stop = CancellationToken::new();
        let (tell, bound) = mpsc::sync_channel(1);
        let thread = thread::Builder::new()
            .name("mock-llm".to_owned())
            .spawn({
                let (responder, stop) = (Arc::clone(&responder), stop.clone());
                move || run(address, &responder, &stop, &tell)
            })
            .map_err(StartError::Thread)?;
        // The thread sends exactly one message, unless it panics.
        let died = || {
            Err(StartError::Thread(io::Error::other(
                "the thread ended before it listened",
            )))
        };
        let address = bound.recv().unwrap_or_else(|_gone| died())?;
        Ok(Self {
            address,
            responder,
            stop,
            thread: Some(thread),
        })
    }

    /// The address it listens on, with the port that was chosen.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL for a client: `http://127.0.0.1:PORT/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The state now.
    pub fn stats(&self) -> Stats {
        self.responder.ledger.stats()
    }

    /// Waits until `reached` holds and returns the state in which it did; nothing is polled.
    ///
    /// Errs with the last state after `timeout`. Needs a tokio runtime with time enabled; see
    /// [`blocking_wait_for`](Self::blocking_wait_for) for the others.
    pub async fn wait_for(
        &self,
        reached: impl FnMut(&Stats) -> bool,
        timeout: Duration,
    ) -> Result<Stats, WaitError> {
        self.responder.ledger.wait_for(reached, timeout).await
    }

    /// Like [`wait_for`](Self::wait_for), but blocks the thread.
    pub fn blocking_wait_for(
        &self,
        reached: impl FnMut(&Stats) -> bool,
        timeout: Duration,
    ) -> Result<Stats, WaitError> {
        self.responder.ledger.blocking_wait_for(reached, timeout)
    }

    /// The last 256 requests for a completion, oldest first; empty unless [`Config::record`] is on.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.responder.ledger.requests()
    }

    /// Gives the next request not yet provided for this scenario, whatever it asks.
    ///
    /// Requests for a title take nothing from the queue: they come beside the others in no fixed order.
    pub fn push(&self, scenario: Scenario) {
        lock(&self.responder.script).push_back(scenario);
    }

    /// How many pushed scenarios no request has taken yet.
    pub fn pushed(&self) -> usize {
        lock(&self.responder.script).len()
    }

    /// Forgets pushed scenarios, recorded requests and all counts but those of what is open.
    pub fn reset(&self) {
        self.responder.reset();
    }

    /// Blocks until the server ends, which it does only by a panic in its thread.
    pub fn join(mut self) {
        self.join_thread();
    }

    /// Closes all connections, open answers included, and waits for the thread.
    pub fn shutdown(self) {
        drop(self);
    }

    fn join_thread(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic there was already reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Drop for MockLlm {
    fn drop(&mut self) {
        self.stop.cancel();
        self.join_thread();
    }
}

/// The life of the thread. Leaving drops the runtime, and with it every connection.
fn run(
    address: SocketAddr,
    responder: &Arc<Responder>,
    stop: &CancellationToken,
    tell: &mpsc::SyncSender<Result<SocketAddr, StartError>>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = tell.send(Err(StartError::Thread(error)));
            return;
        }
    };
    runtime.block_on(async {
        let listening = listen(address).and_then(|listener| Ok((listener.local_addr()?, listener)));
        match listening {
            Ok((bound, listener)) => {
                let _ = tell.send(Ok(bound));
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = accept(&listener, responder) => {}
                }
            }
            Err(source) => {
                let _ = tell.send(Err(StartError::Bind { address, source }));
            }
        }
    });
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    // A restart may take the port of the last run at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn accept(listener: &TcpListener, responder: &Arc<Responder>) {
    let connections = TaskTracker::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(serve(stream, Arc::clone(responder)));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, responder: Arc<Responder>) {
    let _open = Connection::open(&responder.ledger);
    // Frames are to leave one by one. A socket that refuses the option is about to fail anyway.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| responder.answer(request));
    // Without half-close hyper reads while it writes, and drops the answer as soon as the client is gone.
    // An error is the client's going or a scenario's cut: both are counted where they happen.
    let _ = http1::Builder::new()
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

#[cfg(test)]
mod tests;

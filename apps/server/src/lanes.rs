//! Lanes: the threads that answers are worked on, each with a runtime and a client of the model's server of its own.
//!
//! Runs do not live on the HTTP workers: those drop their tasks when they stop, and a model's client that is shared between
//! threads costs a multiple of the CPU time per event.

use std::{sync::Arc, thread};

use anyhow::Context as _;
use chat_core::{engine::Lane, ports::Model};
use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

/// Threads of a lane for long counting and large seals.
const BLOCKING_THREADS: usize = 2;

/// Running lanes. They stop when this is dropped: tasks that are left then are gone.
#[derive(Debug)]
pub struct Lanes {
    stop: CancellationToken,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Lanes {
    /// Starts so many lanes, at least one, each with the model that `model` makes for it.
    pub fn start<M: Model + 'static>(
        count: usize,
        model: impl Fn() -> anyhow::Result<M>,
    ) -> anyhow::Result<(Self, Vec<Lane>)> {
        let stop = CancellationToken::new();
        let mut lanes = Vec::new();
        let mut threads = Vec::new();
        for number in 0..count.max(1) {
            let runtime = Builder::new_current_thread()
                .enable_all()
                .max_blocking_threads(BLOCKING_THREADS)
                .build()
                .context("a runtime cannot be made")?;
            let handle: Handle = runtime.handle().clone();
            let until = stop.clone();
            let thread = thread::Builder::new()
                .name(format!("lane-{number}"))
                .spawn(move || runtime.block_on(until.cancelled()))
                .context("a thread cannot be started")?;
            threads.push(thread);
            lanes.push(Lane {
                handle,
                model: Arc::new(model()?),
            });
        }
        Ok((Self { stop, threads }, lanes))
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.stop.cancel();
        for thread in self.threads.drain(..) {
            // A lane that panicked has said so already.
            let _panicked = thread.join();
        }
    }
}

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::Failure;

/// The threads that read, each with a connection of its own.
#[derive(Debug)]
pub(crate) struct Readers {
    /// `None` once they were told to stop.
    queue: Option<mpsc::Sender<Queued>>,
    places: Arc<Semaphore>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    /// Starts one thread per connection.
    pub(crate) fn start(connections: Vec<Connection>) -> io::Result<Self> {
        let (queue, queued) = mpsc::channel();
        let queued = Arc::new(Mutex::new(queued));
        let threads = connections
            .into_iter()
            .map(|connection| {
                let queued = Arc::clone(&queued);
                thread::Builder::new()
                    .name("skein-reader".to_owned())
                    .spawn(move || run(&connection, &queued))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            queue: Some(queue),
            places: Arc::new(Semaphore::new(QUEUE)),
            threads,
        })
    }

    /// Reads in one snapshot, which shows every change that was acknowledged before the call.
    ///
    /// Waits while the queue is full.
    pub(crate) async fn read<T, F>(&self, query: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Failure> + Send + 'static,
    {
        let place = Arc::clone(&self.places)
            .acquire_owned()
            .await
            .or(Err(Failure::Gone))?;
        let (reply, replied) = oneshot::channel();
        let work = Box::new(move |connection: &Connection| {
            if reply.is_closed() {
                return;
            }
            let outcome = catch_unwind(AssertUnwindSafe(|| in_snapshot(connection, query)))
                .unwrap_or(Err(Failure::Panicked));
            // A caller that went does not want to know.
            let _unheard = reply.send(outcome);
        });
        match &self.queue {
            Some(queue) => queue
                .send(Queued {
                    work,
                    _place: place,
                })
                .or(Err(Failure::Gone))?,
            None => return Err(Failure::Gone),
        }
        replied.await.unwrap_or(Err(Failure::Gone))
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.queue.take());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reader of the store had panicked");
            }
        }
    }
}

/// At most this many reads wait; then callers wait for a place.
const QUEUE: usize = 1024;

struct Queued {
    work: Box<dyn FnOnce(&Connection) + Send>,
    _place: OwnedSemaphorePermit,
}

fn run(connection: &Connection, queued: &Mutex<mpsc::Receiver<Queued>>) {
    loop {
        // The lock is held while waiting, so one idle thread waits for work and the others for the lock.
        let next = queued.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(queued) => (queued.work)(connection),
            Err(mpsc::RecvError) => return,
        }
    }
}

fn in_snapshot<T>(
    connection: &Connection,
    query: impl FnOnce(&Connection) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // Rolled back when it is dropped, which ends the snapshot of a reader just as well.
    let snapshot = connection.unchecked_transaction()?;
    query(&snapshot)
}

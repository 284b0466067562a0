use std::{
    fmt, io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
};

use tokio::sync::oneshot;

use crate::error::Failure;

/// The threads that touch the folder of files, so that no async thread ever waits for the disk.
///
/// A job is short: a piece written, a piece read, a file put into its place. So a few threads carry any number of
/// transfers, and a slow client holds none of them. A transfer waits for its job before it has another, which bounds
/// what is queued by the number of transfers, and the memory of each by a few pieces.
#[derive(Debug)]
pub(super) struct Pool {
    queue: Queue,
    threads: Vec<JoinHandle<()>>,
}

impl Pool {
    /// Starts the threads.
    pub(super) fn start() -> io::Result<Self> {
        let (queue, queued) = mpsc::channel();
        let queued = Arc::new(Mutex::new(queued));
        let threads = (0..THREADS)
            .map(|_| {
                let queued = Arc::clone(&queued);
                thread::Builder::new()
                    .name("skein-files".to_owned())
                    .spawn(move || run(&queued))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            queue: Queue(Arc::new(Mutex::new(Some(queue)))),
            threads,
        })
    }

    /// Where its jobs are queued.
    pub(super) fn queue(&self) -> &Queue {
        &self.queue
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // What is queued is still done. Later jobs are refused, also those of streams that are still held.
        drop(self.queue.lock().take());
        for thread in self.threads.drain(..) {
            if thread.join().is_err() {
                tracing::error!("a thread for the store's files had panicked");
            }
        }
    }
}

/// Where jobs are queued. A handle, which does not keep the pool from ending.
#[derive(Clone)]
pub(super) struct Queue(Arc<Mutex<Option<mpsc::Sender<Job>>>>);

impl Queue {
    /// Does a job on one of the threads and gives what it gave. Once it is queued it is done, also when the caller goes.
    pub(super) async fn run<T, F>(&self, job: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (reply, replied) = oneshot::channel();
        let queued = self.push(Box::new(move || {
            let outcome = catch_unwind(AssertUnwindSafe(job)).or(Err(Failure::Panicked));
            // A caller that went does not want to know.
            let _unheard = reply.send(outcome);
        }));
        match queued {
            Ok(()) => replied.await.unwrap_or(Err(Failure::Gone)),
            Err(_refused) => Err(Failure::Gone),
        }
    }

    /// Has a job done that nobody waits for; here and now when the threads are gone.
    pub(super) fn leave<F: FnOnce() + Send + 'static>(&self, job: F) {
        let job = Box::new(move || {
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a job for the store's files panicked");
            }
        });
        if let Err(refused) = self.push(job) {
            refused();
        }
    }

    fn push(&self, job: Job) -> Result<(), Job> {
        match &*self.lock() {
            Some(queue) => queue.send(job).map_err(|mpsc::SendError(job)| job),
            None => Err(job),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<mpsc::Sender<Job>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// Enough to have several files synced side by side; a disk gains little from more.
const THREADS: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

fn run(queued: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        // The lock is held while waiting, so one idle thread waits for work and the others for the lock.
        let next = queued.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(job) => job(),
            Err(mpsc::RecvError) => return,
        }
    }
}

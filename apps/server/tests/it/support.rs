//! A running server, people who talk to it, and what they read.

mod client;
mod events;
mod process;
mod raw;
mod redact;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, Once, mpsc},
    thread,
    time::Duration,
};

use chat_core::{
    ports::{Clock, IdSource as _},
    testing::ManualClock,
};
use mock_llm::{MockLlm, Stats};
use server::{
    config::{Config, Source},
    startup::Application,
    stores::Stores,
    system::RandomIds,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub(crate) use client::{Ask, Person, answer_text, send_body};
pub(crate) use events::{EventStream, Frame, Replay};
pub(crate) use process::{Process, Ran};
pub(crate) use raw::RawConnection;
pub(crate) use redact::redacted;

/// What a test waits for at most, where it waits for something that is to happen at once.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The secret that the servers of the tests sign with.
pub(crate) const SECRET: &str = "a secret of the tests, 32 bytes and more";

/// When the servers' clocks are started: 2026-01-02 03:04:05.678 UTC.
pub(crate) const BEGAN_MS: i64 = 1_767_323_045_678;

/// A server in this process, with a clock that stands still until it is moved, and a model's server behind it.
pub(crate) struct Skein {
    pub(crate) address: SocketAddr,
    pub(crate) llm: Arc<MockLlm>,
    pub(crate) clock: Arc<ManualClock>,
    dir: Option<TempDir>,
    stop: CancellationToken,
    thread: Option<thread::JoinHandle<()>>,
}

impl Skein {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with these settings beside its own address, data and upstream.
    pub(crate) fn start_with(settings: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let llm = MockLlm::start(mock_llm::Config::default()).unwrap();
        Self::serve(dir, Arc::new(llm), settings)
    }

    /// Ends the server and starts another on its data, with the same clock's time and the same model's server.
    pub(crate) fn restart(self) -> Self {
        self.restart_with(&[])
    }

    /// The same, with these settings.
    pub(crate) fn restart_with(mut self, settings: &[(&str, &str)]) -> Self {
        self.end();
        let dir = self.dir.take().unwrap();
        let next = Self::serve(dir, Arc::clone(&self.llm), settings);
        next.clock.move_by(self.clock.now_ms() - BEGAN_MS);
        next
    }

    /// The same, with `change` made to its stores while no server has them.
    pub(crate) async fn restart_after(mut self, change: impl AsyncFnOnce(&Stores)) -> Self {
        self.end();
        let dir = self.dir.take().unwrap();
        let config = config(dir.path(), &self.llm.base_url(), &[]);
        let stores = Stores::open(config.storage, |_line| {}).await.unwrap();
        change(&stores).await;
        stores.close().await;
        drop(stores);
        let next = Self::serve(dir, Arc::clone(&self.llm), &[]);
        next.clock.move_by(self.clock.now_ms() - BEGAN_MS);
        next
    }

    fn serve(dir: TempDir, llm: Arc<MockLlm>, settings: &[(&str, &str)]) -> Self {
        install_tls();
        let clock = Arc::new(ManualClock::at(BEGAN_MS));
        let config = config(dir.path(), &llm.base_url(), settings);
        let stop = CancellationToken::new();
        let (tell, listening) = mpsc::sync_channel(1);
        let (until, its_clock) = (stop.clone(), Arc::clone(&clock));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let application = Application::build_with(config, its_clock).await.unwrap();
                tell.send(application.address()).unwrap();
                application.run_until(until.cancelled()).await.unwrap();
            });
        });
        Self {
            address: listening.recv().expect("the server did not start"),
            llm,
            clock,
            dir: Some(dir),
            stop,
            thread: Some(thread),
        }
    }

    /// A new guest.
    pub(crate) async fn guest(&self) -> Person {
        Person::guest(self.address).await
    }

    /// Waits until the model's server says so.
    pub(crate) async fn llm_until(&self, reached: impl FnMut(&Stats) -> bool) -> Stats {
        self.llm.wait_for(reached, SOON).await.unwrap()
    }

    fn end(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(
                ended.is_ok() || thread::panicking(),
                "the server's thread panicked"
            );
            // The server's workers let go of what they share a moment after it ended; the data can be opened then.
            while !thread::panicking() && Arc::strong_count(&self.clock) > 1 {
                thread::yield_now();
            }
        }
    }
}

impl Drop for Skein {
    fn drop(&mut self) {
        self.end();
    }
}

/// Whether the servers of this process keep their data in MongoDB: `SKEIN_TEST_STORE=mongodb`.
fn over_mongodb() -> bool {
    match std::env::var("SKEIN_TEST_STORE") {
        Ok(store) if store == "mongodb" => true,
        Ok(store) => panic!("SKEIN_TEST_STORE={store}: mongodb is accepted"),
        Err(_) => false,
    }
}

/// The database that stands for this folder.
fn database_of(dir: &Path) -> String {
    let name = dir.file_name().unwrap().to_str().unwrap();
    format!("skein{}", name.replace('.', "_"))
}

fn config(dir: &Path, base_url: &str, settings: &[(&str, &str)]) -> Config {
    let data = dir.display().to_string();
    let uri = if over_mongodb() {
        mongo_fixture::shared().uri_for(&database_of(dir))
    } else {
        String::new()
    };
    let own = [
        ("MONGODB_URI", uri.as_str()),
        ("SKEIN_BIND", "127.0.0.1:0"),
        ("SKEIN_DATA_DIR", &data),
        ("OPENAI_BASE_URL", base_url),
        ("JWT_SECRET_KEY", SECRET),
        ("SKEIN_TITLES", "off"),
        ("SKEIN_DRAIN_SECS", "0"),
        ("SKEIN_LANES", "2"),
    ];
    let values = own.iter().chain(settings);
    Config::read(&Source::of(values.copied())).unwrap()
}

/// The clients' cryptography, as `main` chooses it.
pub(crate) fn install_tls() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        rustls::crypto::ring::default_provider()
            .install_default()
            .unwrap();
    });
}

/// A new id, as a client chooses one.
pub(crate) fn new_id() -> String {
    RandomIds.random().to_string()
}

/// A seed, from the environment or by chance, and the numbers that follow from it.
pub(crate) fn seed(variable: &str) -> (u64, impl FnMut() -> u64) {
    let given = std::env::var(variable).ok();
    let seed = given.map_or_else(
        || RandomIds.random().as_u64_pair().0,
        |text| text.parse().unwrap(),
    );
    // SplitMix64.
    let mut state = seed;
    let next = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (seed, next)
}

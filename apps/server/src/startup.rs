//! Puts the server together: one way for `main` and for tests.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::ServerHandle, middleware, web};
use anyhow::Context as _;
use auth::{Secret, TokenKeys};
use chat_core::{
    engine::{Engine, Ports, Settings},
    ports::{Clock, LocalSignals},
};
use llm_client::{ChatCompletions, Endpoint, Shared, UpstreamConfig};
use mock_llm::MockLlm;
use records::Secrets;
use storage_sqlite::SqliteStore;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;

use crate::{
    accounts::Accounts,
    config::{Config, Tokens},
    edge,
    lanes::Lanes,
    models::Models,
    routes,
    state::{Ready, State},
    system::{RandomIds, SystemClock},
};

/// After the engine has drained, open connections have this long to take what is left for them, in seconds.
const LAST_BYTES_S: u64 = 5;
/// The length of a secret that we make, in bytes.
const SECRET_BYTES: usize = 64;

/// A server that listens and is about to serve.
pub struct Application {
    server: actix_web::dev::Server,
    address: SocketAddr,
    engine: Engine,
    ready: Ready,
    drain: Duration,
    keeping: TaskTracker,
    // Dropped last, in this order: the lanes' tasks are over by then, and the demo model has no clients left.
    _lanes: Lanes,
    _demo: Option<MockLlm>,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Application {
    /// Opens the store, closes what a crash left behind, and begins to listen. Must be called on a multi-thread runtime.
    pub async fn build(config: Config) -> anyhow::Result<Self> {
        Self::build_with(config, Arc::new(SystemClock)).await
    }

    /// The same by another clock than the machine's, for tests: what is stored and how long ago it was go by `clock`,
    /// waiting does not.
    pub async fn build_with(config: Config, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let store = SqliteStore::open(storage_sqlite::Config::new(&config.data_dir))?;
        let (demo, upstream) = upstream(config.upstream)?;
        let shared = Shared::new(upstream)?;
        let (lanes, lane_list) = Lanes::start(config.lanes, || {
            Ok(ChatCompletions::for_lane(Arc::clone(&shared))?)
        })?;
        let listing = ChatCompletions::for_lane(Arc::clone(&shared))?;
        let models = Arc::new(Models::new(
            listing,
            config.models,
            config.model,
            config.system_prompt,
        ));
        let keeping = TaskTracker::new();
        if demo.is_some() {
            // The demo model is in this process: its list is there at once.
            models.refresh().await;
        } else {
            let listed = Arc::clone(&models);
            keeping.spawn(async move { listed.refresh_until_listed().await });
        }
        let settings = Settings {
            titles: config.titles,
            ..Settings::default()
        };
        let ports = Ports {
            conversations: Arc::new(store.clone()),
            messages: Arc::new(store.clone()),
            runs: Arc::new(store.clone()),
            run_log: Arc::new(store.clone()),
            signals: Arc::new(LocalSignals::new()),
            nodes: Arc::new(store.clone()),
            clock: Arc::clone(&clock),
            ids: Arc::new(RandomIds),
            tools: Vec::new(),
        };
        let engine = Engine::new(ports, lane_list, Handle::current(), settings);
        let closed = engine
            .recover()
            .await
            .context("what the last run left behind cannot be closed")?;
        if closed > 0 {
            tracing::info!(
                answers = closed,
                "closed answers that the last run left unfinished"
            );
        }
        let keys = token_keys(config.tokens, &store).await?;
        let users = Arc::new(store);
        let accounts = Accounts::new(users, keys, Arc::clone(&clock), Arc::new(RandomIds));
        let ready = Ready::default();
        let state = web::Data::new(State {
            engine: engine.clone(),
            accounts,
            models,
            clock,
            origins: config.origins,
            chunks: config.chunks,
            auth_required: config.auth_required,
            demo: demo.is_some(),
            ready: ready.clone(),
        });
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .wrap(middleware::from_fn(edge::wrap))
                // Outside of the one above: an error's body is made there, and other origins may read errors too.
                .wrap(middleware::from_fn(edge::cross_origin))
                .wrap(middleware::NormalizePath::new(
                    middleware::TrailingSlash::MergeOnly,
                ))
                .configure(routes::configure)
        })
        // Nagle's algorithm would hold small frames back for 40 ms.
        .tcp_nodelay(true)
        .client_request_timeout(Duration::from_secs(10))
        .keep_alive(Duration::from_secs(75))
        .shutdown_timeout(LAST_BYTES_S)
        .disable_signals()
        .bind(config.bind)
        .with_context(|| {
            format!(
                "SKEIN_BIND: {} cannot be listened on; another address or PORT may be free",
                config.bind
            )
        })?;
        let address = server
            .addrs()
            .first()
            .copied()
            .context("the server has no address")?;
        ready.set(true);
        Ok(Self {
            server: server.run(),
            address,
            engine,
            ready,
            drain: config.drain,
            keeping,
            _lanes: lanes,
            _demo: demo,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The engine.
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Serves until `stop` is done; then refuses new commands, lets running answers go on for a while, and ends.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let handle = self.server.handle();
        let mut serving = self.keeping.spawn(self.server);
        let mut stop = pin!(stop);
        let failed = tokio::select! {
            served = &mut serving => Some(served),
            () = &mut stop => None,
        };
        stop_gently(&self.engine, &self.ready, self.drain, &handle).await;
        let served = match failed {
            Some(served) => served,
            None => serving.await,
        };
        served
            .context("the server's task ended early")?
            .context("the server failed")
    }
}

/// Stops in the order in which nothing is lost: no new commands, then the runs, then the connections.
async fn stop_gently(engine: &Engine, ready: &Ready, drain: Duration, handle: &ServerHandle) {
    ready.set(false);
    tracing::info!(
        answers = engine.live_legs(),
        "stopping; running answers may finish"
    );
    handle.pause().await;
    engine.drain(drain).await;
    handle.stop(true).await;
}

/// The upstream to ask: the configured one, or the demo model, started in this process.
fn upstream(
    configured: Option<UpstreamConfig>,
) -> anyhow::Result<(Option<MockLlm>, UpstreamConfig)> {
    if let Some(upstream) = configured {
        return Ok((None, upstream));
    }
    let demo =
        MockLlm::start(mock_llm::Config::demo()).context("the demo model cannot be started")?;
    let upstream = UpstreamConfig::new(Endpoint::base(&demo.base_url())?, None);
    Ok((Some(demo), upstream))
}

async fn token_keys(tokens: Tokens, store: &SqliteStore) -> anyhow::Result<TokenKeys> {
    let mut secrets = tokens.secrets;
    if secrets.is_empty() {
        let mut candidate = vec![0; SECRET_BYTES];
        getrandom::fill(&mut candidate)
            .map_err(|error| anyhow::anyhow!("the machine has no source of randomness: {error}"))?;
        secrets.push(Secret::new(store.secret("jwt", candidate).await?));
    }
    Ok(TokenKeys::new(&secrets, tokens.algorithm, tokens.lifetime)?)
}

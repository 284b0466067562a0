//! Puts the server together: one way for `main` and for tests.

use std::{
    net::{Shutdown, SocketAddr, TcpListener},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use actix_web::{App, HttpServer, dev::ServerHandle, middleware, web};
use anyhow::Context as _;
use auth::{Secret, TokenKeys};
use chat_core::{
    engine::{Engine, Ports, Settings},
    ports::{Clock, Tool},
};
use llm_client::{ChatCompletions, Endpoint, Shared, UpstreamConfig};
use mock_llm::MockLlm;
use records::Secrets;
use tokio::{runtime::Handle, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    accounts::{AccountParts, Accounts, Issuer, Limits},
    attachments::{InlinedUploads, Uploads},
    config::{Config, SignIn, Tokens},
    documents::Library,
    edge,
    lanes::Lanes,
    models::{ModelRules, Models},
    routes,
    state::{Ready, State},
    stores::Stores,
    system::{RandomIds, SystemClock},
    tools,
};

/// After the engine has drained, open connections have this long to take what is left for them, in seconds.
const LAST_BYTES_S: u64 = 5;
/// What goes on beside the server has this long to end.
const KEEPING_WAIT: Duration = Duration::from_secs(2);
/// The length of a secret that we make, in bytes.
const SECRET_BYTES: usize = 64;

/// A server that listens and is about to serve.
pub struct Application {
    server: actix_web::dev::Server,
    /// The listening socket once more, to close the door while the drain goes on.
    door: TcpListener,
    address: SocketAddr,
    engine: Engine,
    ready: Ready,
    drain: Duration,
    stores: Stores,
    keeping: TaskTracker,
    stop_keeping: CancellationToken,
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
        let stores = Stores::open(config.storage, |line| tracing::info!("{line}")).await?;
        let keeping = TaskTracker::new();
        let stop_keeping = CancellationToken::new();
        let (kept, until) = (stores.clone(), stop_keeping.clone());
        keeping.spawn(async move { kept.keep(until).await });
        let (demo, upstream) = upstream(config.upstream)?;
        let shared = Shared::new(upstream)?;
        let (lanes, lane_list) = Lanes::start(config.lanes, || {
            Ok(ChatCompletions::for_lane(Arc::clone(&shared))?)
        })?;
        let listing = ChatCompletions::for_lane(Arc::clone(&shared))?;
        let rules = ModelRules {
            table: config.models,
            named: config.model,
            system: config.system_prompt,
            aliases: config.chat.aliases,
            tools: config.tools.clone(),
        };
        let models = Arc::new(Models::new(listing, rules));
        if demo.is_some() {
            // The demo model is in this process: its list is there at once.
            models.refresh().await;
        } else {
            let listed = Arc::clone(&models);
            let stop = stop_keeping.clone();
            keeping.spawn(async move {
                stop.run_until_cancelled(listed.refresh_until_listed())
                    .await;
            });
        }
        let settings = Settings {
            titles: config.titles,
            ..Settings::default()
        };
        let engine = Engine::new(
            ports(
                &stores,
                &clock,
                tools::build(&config.tools, &stores, &clock, &shared)?,
            ),
            lane_list,
            Handle::current(),
            settings,
        );
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
        let proxies = config.sign_in.proxies.clone();
        let accounts = accounts(config.sign_in, config.tokens, &stores, &clock).await?;
        let (kept, until) = (Arc::clone(&accounts), stop_keeping.clone());
        keeping.spawn(async move { kept.keep(until).await });
        let (listener, door) = listen(config.bind)?;
        let address = listener.local_addr().context("the server has no address")?;
        let uploads = Uploads::new(
            Arc::clone(&stores.files),
            Arc::clone(&clock),
            Arc::new(RandomIds),
            config.files.public_url(address),
            config.files.uploads_per_user,
        );
        let documents = Library::new(Arc::clone(&stores.documents), Arc::clone(&clock));
        let ready = Ready::default();
        let state = web::Data::new(State {
            engine: engine.clone(),
            accounts,
            proxies,
            models,
            clock,
            origins: config.origins,
            limits: config.chat.limits,
            documents,
            uploads,
            chunks: config.chunks,
            auth_required: config.auth_required,
            demo: demo.is_some(),
            ready: ready.clone(),
        });
        let server = http(state, listener)?;
        ready.set(true);
        Ok(Self {
            server,
            door,
            address,
            engine,
            ready,
            drain: config.drain,
            stores,
            keeping,
            stop_keeping,
            _lanes: lanes,
            _demo: demo,
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its data are, for people.
    pub fn place(&self) -> &str {
        &self.stores.place
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
        stop_gently(&self.engine, &self.ready, self.drain, &handle, &self.door).await;
        self.stop_keeping.cancel();
        let served = match failed {
            Some(served) => served,
            None => serving.await,
        };
        self.keeping.close();
        if timeout(KEEPING_WAIT, self.keeping.wait()).await.is_err() {
            tracing::warn!("house-keeping did not end in time");
        }
        self.stores.close().await;
        served
            .context("the server's task ended early")?
            .context("the server failed")
    }
}

/// The server on this socket.
fn http(state: web::Data<State>, listener: TcpListener) -> anyhow::Result<actix_web::dev::Server> {
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
    .listen(listener)
    .context("the listening socket cannot be used")?;
    Ok(server.run())
}

/// What the engine calls, of this store.
fn ports(stores: &Stores, clock: &Arc<dyn Clock>, tools: Vec<Arc<dyn Tool>>) -> Ports {
    let stores = stores.clone();
    Ports {
        conversations: stores.conversations,
        messages: stores.messages,
        runs: stores.runs,
        run_log: stores.run_log,
        signals: stores.signals,
        nodes: stores.nodes,
        clock: Arc::clone(clock),
        ids: Arc::new(RandomIds),
        attachments: Arc::new(InlinedUploads::new(stores.files)),
        tools,
    }
}

/// A listening socket, twice.
fn listen(address: SocketAddr) -> anyhow::Result<(TcpListener, TcpListener)> {
    let listener = TcpListener::bind(address).with_context(|| {
        format!("SKEIN_BIND: {address} cannot be listened on; another address or PORT may be free")
    })?;
    let door = listener
        .try_clone()
        .context("the listening socket cannot be kept")?;
    Ok((listener, door))
}

/// Stops in the order in which nothing is lost: no new commands, then the runs, then the connections.
async fn stop_gently(
    engine: &Engine,
    ready: &Ready,
    drain: Duration,
    handle: &ServerHandle,
    door: &TcpListener,
) {
    ready.set(false);
    tracing::info!(
        answers = engine.live_legs(),
        "stopping; running answers may finish"
    );
    handle.pause().await;
    // A paused listener still lets the kernel take connections, which would wait for the whole drain and then be reset. One
    // that is shut down refuses them, and a proxy goes to another node at once, with a POST too.
    if let Err(error) = socket2::SockRef::from(door).shutdown(Shutdown::Both) {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "the listening socket stays open while answers finish"
        );
    }
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

/// Who may call, of this store.
async fn accounts(
    sign_in: SignIn,
    tokens: Tokens,
    stores: &Stores,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Arc<Accounts>> {
    let issuer = sign_in
        .issuer
        .map(|issuer| Issuer::new(issuer, Arc::clone(clock)))
        .transpose()
        .context("SKEIN_JWKS_URL: no client for it can be made")?;
    Ok(Arc::new(Accounts::new(AccountParts {
        users: Arc::clone(&stores.users),
        sessions: Arc::clone(&stores.sessions),
        keys: token_keys(tokens, stores.secrets.as_ref()).await?,
        issuer: issuer.map(Arc::new),
        refresh_life: sign_in.refresh_life,
        limits: Limits::new(sign_in.tries),
        clock: Arc::clone(clock),
        ids: Arc::new(RandomIds),
    })))
}

async fn token_keys(tokens: Tokens, store: &dyn Secrets) -> anyhow::Result<TokenKeys> {
    let mut secrets = tokens.secrets;
    if secrets.is_empty() {
        let mut candidate = vec![0; SECRET_BYTES];
        getrandom::fill(&mut candidate)
            .map_err(|error| anyhow::anyhow!("the machine has no source of randomness: {error}"))?;
        secrets.push(Secret::new(store.secret("jwt", candidate).await?));
    }
    Ok(TokenKeys::new(&secrets, tokens.algorithm, tokens.lifetime)?)
}

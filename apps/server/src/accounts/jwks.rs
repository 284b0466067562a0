//! Another issuer of tokens, and its keys, fetched when they are needed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use auth::{Expected, ForeignTokenError, Identity, KeySet, UnfitKeySet};
use chat_core::ports::Clock;
use reqwest::{Client, Url, header, redirect};
use tokio_util::task::TaskTracker;

/// The largest key set that is read, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Keys that are older than this are fetched again when they are used.
const STALE_MS: i64 = 60 * 60 * 1000;
/// Two fetches are at least so far apart: anybody can send a token with a key that nobody has.
const APART_MS: i64 = 30 * 1000;

/// Another issuer, whose users are users here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// Where its keys are.
    pub url: Url,
    /// What its tokens must say.
    pub expected: Expected,
}

/// Why a token of the issuer is not taken.
#[derive(Debug, thiserror::Error)]
pub enum NotIdentified {
    /// It is not good.
    #[error(transparent)]
    Token(#[from] ForeignTokenError),
    /// It cannot be told, because the issuer's keys could not be fetched yet.
    #[error("the issuer's keys could not be fetched yet")]
    NoKeys,
}

/// Why keys could not be fetched.
#[derive(Debug, thiserror::Error)]
enum Unfetched {
    #[error("the issuer of tokens cannot be reached")]
    Http(#[from] reqwest::Error),
    #[error("the issuer of tokens answered with status {0}; 200 is accepted")]
    Status(u16),
    #[error("the issuer's key set has more than {MAX_BODY} bytes")]
    TooLarge,
    #[error("the issuer's key set cannot be used")]
    Unfit(#[from] UnfitKeySet),
}

/// Another issuer with its keys.
pub struct Issuer {
    config: IssuerConfig,
    http: Client,
    clock: Arc<dyn Clock>,
    kept: Mutex<Kept>,
    /// One fetch at a time; whoever waited finds what it brought.
    flight: tokio::sync::Mutex<()>,
    /// Fetches go on when the request that wanted them is gone.
    fetches: TaskTracker,
}

#[derive(Clone, Default)]
struct Kept {
    keys: Option<Arc<KeySet>>,
    fetched_at_ms: i64,
    tried_at_ms: Option<i64>,
    tries: u64,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issuer")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Issuer {
    /// The issuer; nothing is fetched before the first token comes.
    ///
    /// Redirects are not followed: keys are trusted by where they are, so they must be there.
    pub fn new(config: IssuerConfig, clock: Arc<dyn Clock>) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            .user_agent("skein")
            .timeout(PATIENCE)
            .redirect(redirect::Policy::none())
            .pool_max_idle_per_host(0);
        if config.url.scheme() == "http" {
            // Only on this machine, where no proxy leads.
            builder = builder.no_proxy();
        }
        Ok(Self {
            config,
            http: builder.build()?,
            clock,
            kept: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
            fetches: TaskTracker::new(),
        })
    }

    /// The issuer's name, as its tokens say it.
    pub fn name(&self) -> &str {
        &self.config.expected.issuer
    }

    /// Whom this token speaks for now.
    ///
    /// Keys are fetched when there are none, when they are an hour old, and when the token's is not among them, but at
    /// most every 30 seconds. What was fetched stays good while the issuer cannot be reached.
    pub async fn identify(self: &Arc<Self>, token: &str) -> Result<Identity, NotIdentified> {
        let now_ms = self.clock.now_ms();
        let mut kept = self.kept();
        if kept.keys.is_none() || now_ms - kept.fetched_at_ms >= STALE_MS {
            kept = self.after_fetch(kept).await;
        }
        match verify(&kept, &self.config.expected, token, now_ms) {
            Err(NotIdentified::Token(ForeignTokenError::UnknownKey)) => {
                let kept = self.after_fetch(kept).await;
                verify(&kept, &self.config.expected, token, now_ms)
            }
            verdict => verdict,
        }
    }

    /// What is kept after a fetch that began after `seen` was looked at, if one is due.
    async fn after_fetch(self: &Arc<Self>, seen: Kept) -> Kept {
        if self.is_due(&seen, &self.kept()) {
            let issuer = Arc::clone(self);
            let fetch = async move {
                let _flight = issuer.flight.lock().await;
                if issuer.is_due(&seen, &issuer.kept()) {
                    issuer.fetch_and_keep().await;
                }
            };
            if let Err(error) = self.fetches.spawn(fetch).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "a fetch of the issuer's keys broke off"
                );
            }
        }
        self.kept()
    }

    /// Whether a fetch may begin: nobody has tried since `seen`, and the last try was long enough ago.
    fn is_due(&self, seen: &Kept, kept: &Kept) -> bool {
        let now_ms = self.clock.now_ms();
        // A clock that was put back must not put off the next try.
        let is_recent = |tried_at_ms: i64| (tried_at_ms..tried_at_ms + APART_MS).contains(&now_ms);
        kept.tries == seen.tries && !kept.tried_at_ms.is_some_and(is_recent)
    }

    async fn fetch_and_keep(&self) {
        let fetched = self.fetch().await;
        let now_ms = self.clock.now_ms();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.tries += 1;
        kept.tried_at_ms = Some(now_ms);
        match fetched {
            Ok(keys) => {
                kept.keys = Some(Arc::new(keys));
                kept.fetched_at_ms = now_ms;
            }
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                has_older = kept.keys.is_some(),
                "the issuer's keys were not fetched"
            ),
        }
    }

    async fn fetch(&self) -> Result<KeySet, Unfetched> {
        let request = self
            .http
            .get(self.config.url.clone())
            .header(header::ACCEPT, "application/jwk-set+json, application/json");
        let mut answer = request.send().await?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(Unfetched::Status(answer.status().as_u16()));
        }
        let mut body = Vec::new();
        while let Some(piece) = answer.chunk().await? {
            if body.len() + piece.len() > MAX_BODY {
                return Err(Unfetched::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(KeySet::read(&body)?)
    }

    fn kept(&self) -> Kept {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clone()
    }
}

fn verify(
    kept: &Kept,
    expected: &Expected,
    token: &str,
    now_ms: i64,
) -> Result<Identity, NotIdentified> {
    let keys = kept.keys.as_ref().ok_or(NotIdentified::NoKeys)?;
    Ok(keys.verify(token, expected, now_ms)?)
}

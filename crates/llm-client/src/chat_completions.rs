//! The Chat Completions wire.

mod calls;
mod decode;
mod events;
mod models;
mod quirks;
mod request;
mod think;
mod wire;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use chat_core::ports::{Model, ModelAnswer, ModelError, ModelErrorKind, ModelRequest};
use reqwest::{Client, header};
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    ConfigError, UpstreamConfig,
    fault::{Failure, Fault, Parameter},
    retry,
    transport::{self, Body, Form},
};

pub use models::ModelList;

use events::Events;
use quirks::{Learned, Quirks};

/// How often a request is spelled anew in one answer: once for each field that can be refused. Tools are not counted, since
/// they are left out once and never come back.
const SPELLINGS: u32 = 2;

/// How large a whole completion may be, as a multiple of a stream's longest line.
const COMPLETION_LINES: usize = 8;

/// An upstream as all lanes see it: its settings, and what was learned about its models.
#[derive(Debug)]
pub struct Shared {
    config: UpstreamConfig,
    learned: Learned,
}

impl Shared {
    /// Checks the settings. Errs if a limit is zero.
    pub fn new(config: UpstreamConfig) -> Result<Arc<Self>, ConfigError> {
        config.check()?;
        Ok(Arc::new(Self {
            config,
            learned: Learned::default(),
        }))
    }

    pub(crate) fn config(&self) -> &UpstreamConfig {
        &self.config
    }

    /// How long to wait before repetition `nth`; `None` if there is to be none.
    pub(crate) fn wait(&self, failure: &Failure, nth: u32, deadline: Instant) -> Option<Duration> {
        let retries = &self.config.retries;
        let wait = retry::wait(retries, nth, failure.retry_after, retry::chance());
        let again = failure.again && nth < retries.most && Instant::now() + wait < deadline;
        again.then_some(wait)
    }

    fn quirks(&self, model: &str) -> Quirks {
        self.learned.find(model).unwrap_or_else(|| Quirks {
            new_limit: request::is_reasoning(model),
            stream_options: self.config.endpoint.knows_stream_options(),
            tools: true,
        })
    }
}

/// One upstream for one lane: the port [`Model`] over the Chat Completions wire.
///
/// Holds one HTTP client with its own connections, bound to the runtime it is first used on. Proxies of the
/// environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`) are used, but never to reach this machine;
/// redirects are not followed.
#[derive(Debug)]
pub struct ChatCompletions {
    shared: Arc<Shared>,
    client: Client,
}

impl ChatCompletions {
    /// The client of a service with a single lane.
    ///
    /// Errs like [`Shared::new`] and [`ChatCompletions::for_lane`].
    pub fn new(config: UpstreamConfig) -> Result<Self, ConfigError> {
        Self::for_lane(Shared::new(config)?)
    }

    /// The client of one lane.
    ///
    /// Errs if the key cannot stand in a header, if the URL is `https` and no TLS provider was installed, or if the
    /// system's certificates cannot be read.
    pub fn for_lane(shared: Arc<Shared>) -> Result<Self, ConfigError> {
        let client = transport::client(&shared.config)?;
        Ok(Self { shared, client })
    }

    /// The models that the upstream lists, in its order. Asked once, within [`Timeouts::list`](crate::Timeouts::list).
    ///
    /// Errs if it lists none, such as behind an Azure deployment, and as an answer would.
    pub async fn list_models(&self) -> Result<ModelList, ModelError> {
        Ok(models::list(&self.client, &self.shared.config).await?)
    }

    /// One try: an answer whose first event has come.
    async fn attempt(&self, body: Bytes) -> Result<ModelAnswer, Failure> {
        let config = &self.shared.config;
        let request = self
            .client
            .post(config.endpoint.chat().clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "text/event-stream, application/json")
            .body(body);
        let response = transport::send(request).await?;
        let mut events: Events<Body> = match transport::form(&response)? {
            Form::Stream => {
                let body: Body = Box::pin(response.bytes_stream());
                Events::stream(body, config.max_line_bytes, config.timeouts)
            }
            Form::Json => {
                let limit = config.max_line_bytes.saturating_mul(COMPLETION_LINES);
                let body = transport::whole(response, limit).await;
                match body.map_err(Failure::unsent)? {
                    Some(body) => Events::completion(&body, config.timeouts),
                    None => {
                        return Err(Failure::new(
                            ModelErrorKind::Broken,
                            Fault::LineTooLong(limit),
                        ));
                    }
                }
            }
        };
        match events.first().await {
            Some(Ok(first)) => {
                let (upstream_id, model) = events.head();
                Ok(ModelAnswer {
                    upstream_id,
                    model,
                    events: Box::pin(events.after(first)),
                })
            }
            Some(Err(failure)) => Err(failure),
            None => Err(Failure::passing(ModelErrorKind::Broken, Fault::CutOff)),
        }
    }

    /// One try within the limits on its time.
    async fn timed_attempt(&self, body: Bytes, deadline: Instant) -> Result<ModelAnswer, Failure> {
        let limit = self.shared.config.timeouts.first_event;
        match timeout_at(deadline, timeout(limit, self.attempt(body))).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(Failure::silent("event", limit)),
            Err(_) => {
                let deadline = self.shared.config.timeouts.deadline;
                Err(Failure::silent("event within the deadline", deadline))
            }
        }
    }
}

#[async_trait]
impl Model for ChatCompletions {
    async fn answer(&self, request: ModelRequest) -> Result<ModelAnswer, ModelError> {
        let deadline = Instant::now() + self.shared.config.timeouts.deadline;
        let mut quirks = self.shared.quirks(&request.model);
        let mut body = Bytes::from(request::body(&request, quirks));
        let (mut spelled, mut repeated) = (0, 0);
        loop {
            let failure = match self.timed_attempt(body.clone(), deadline).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let other = failure
                .refused
                .filter(|field| *field == Parameter::Tools || spelled < SPELLINGS)
                .and_then(|field| quirks.without(field));
            if let Some(other) = other {
                spelled += 1;
                if quirks.tools && !other.tools {
                    tracing::info!(
                        model = request.model,
                        "the model's server takes no tools for this model; it is asked without them from now on"
                    );
                }
                quirks = other;
                self.shared.learned.keep(&request.model, quirks);
                body = Bytes::from(request::body(&request, quirks));
                continue;
            }
            let Some(wait) = self.shared.wait(&failure, repeated, deadline) else {
                return Err(failure.into());
            };
            repeated += 1;
            tracing::warn!(
                model = request.model,
                repetition = repeated,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                reason = %failure.fault,
                "asking the upstream again"
            );
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests;

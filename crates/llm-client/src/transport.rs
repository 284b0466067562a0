//! The only file that touches a socket: one request, one checked answer.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use chat_core::ports::ModelErrorKind;
use futures_util::{Stream, StreamExt};
use reqwest::{
    Client, RequestBuilder, Response,
    header::{self, HeaderMap, HeaderValue},
};

use crate::{
    Auth, ConfigError, UpstreamConfig,
    fault::{Failure, Fault, plain},
};

/// How much of an error's body is read, and for how long.
const ERROR_BYTES: usize = 64 * 1024;
const ERROR_TIME: Duration = Duration::from_secs(5);

/// How long an unused connection is kept: less than most servers do, so that a request seldom meets a closing one.
const IDLE: Duration = Duration::from_secs(30);

/// A body as it comes.
pub(crate) type Body = std::pin::Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

/// The client of one lane.
///
/// Proxies of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`) are used, but never to reach this
/// machine. Redirects are not followed: they would carry the key to another host. Repetitions are ours alone.
pub(crate) fn client(config: &UpstreamConfig) -> Result<Client, ConfigError> {
    let mut headers = HeaderMap::new();
    if let Some(key) = config.api_key.as_ref().filter(|key| !key.is_empty()) {
        let auth = config
            .auth
            .unwrap_or_else(|| config.endpoint.default_auth());
        let (name, value) = match auth {
            Auth::Bearer => (header::AUTHORIZATION, format!("Bearer {}", key.expose())),
            Auth::ApiKey => (
                header::HeaderName::from_static("api-key"),
                key.expose().to_owned(),
            ),
        };
        let Ok(mut value) = HeaderValue::from_str(&value) else {
            return Err(ConfigError::Key);
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let builder = reqwest::ClientBuilder::new()
        .default_headers(headers)
        .user_agent("skein")
        .http1_only()
        .tcp_nodelay(true)
        .tcp_keepalive(Duration::from_secs(30))
        .connect_timeout(config.timeouts.connect)
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(64)
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never());
    let builder = if config.endpoint.is_loopback() {
        builder.no_proxy()
    } else {
        builder
    };
    let builder = if rustls::crypto::CryptoProvider::get_default().is_some() {
        builder
    } else if config.endpoint.chat().scheme() == "http" {
        // Reqwest panics without a provider even where no TLS is spoken: this one trusts nobody and is never asked.
        builder.tls_backend_preconfigured(no_tls()?)
    } else {
        return Err(ConfigError::NoCrypto);
    };
    builder.build().map_err(ConfigError::Client)
}

/// Sends a request and gives its answer if its status is good.
pub(crate) async fn send(request: RequestBuilder) -> Result<Response, Failure> {
    let response = request.send().await.map_err(Failure::unsent)?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let headers = response.headers().clone();
    // What cannot be read in time says no more than its status.
    let body = tokio::time::timeout(ERROR_TIME, whole(response, ERROR_BYTES)).await;
    let body = body.unwrap_or(Ok(None)).ok().flatten().unwrap_or_default();
    Err(Failure::status(status, &headers, &body))
}

/// The whole body; `None` if it is longer than `limit` bytes.
pub(crate) async fn whole(response: Response, limit: usize) -> reqwest::Result<Option<Vec<u8>>> {
    let mut stream = response.bytes_stream();
    let mut all = Vec::new();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes?;
        if all.len() + bytes.len() > limit {
            return Ok(None);
        }
        all.extend_from_slice(&bytes);
    }
    Ok(Some(all))
}

/// What an answer's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Stream,
    Json,
}

/// Tells a stream from a whole answer; errs for anything else.
pub(crate) fn form(response: &Response) -> Result<Form, Failure> {
    let Some(value) = response.headers().get(header::CONTENT_TYPE) else {
        // Some local servers say nothing; a body that is no stream shows soon enough.
        return Ok(Form::Stream);
    };
    let name = value.to_str().unwrap_or_default();
    let name = name.split(';').next().unwrap_or_default().trim();
    if name.eq_ignore_ascii_case("text/event-stream") {
        Ok(Form::Stream)
    } else if name.eq_ignore_ascii_case("application/json") {
        Ok(Form::Json)
    } else {
        let name = plain(name).unwrap_or_else(|| "?".to_owned());
        Err(Failure::new(
            ModelErrorKind::Broken,
            Fault::ContentType(name),
        ))
    }
}

fn no_tls() -> Result<rustls::ClientConfig, ConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(builder) =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
    else {
        return Err(ConfigError::NoCrypto);
    };
    Ok(builder
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

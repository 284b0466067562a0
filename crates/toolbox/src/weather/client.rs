//! The only file of the crate that touches a socket.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use reqwest::{Response, Url, redirect};
use serde::de::DeserializeOwned;

use crate::ServiceUrl;

/// How long a service may take, from the request to the last byte.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);
/// The largest answer that is read, in bytes.
const MOST_BYTES: usize = 256 * 1024;

const UNREACHABLE: &str = "The weather service cannot be reached; the same call may succeed later.";
const FAILED: &str = "The weather service failed; the same call may succeed later.";
const UNREADABLE: &str = "The weather service sent no forecast.";

/// Why there is no client for the services.
#[derive(Debug, thiserror::Error)]
pub enum WeatherError {
    /// No cryptography was installed for an `https` URL.
    #[error("no TLS provider is installed; install one of rustls' before the weather is asked for")]
    NoCrypto,
    /// The HTTP client cannot be made, such as for want of certificates.
    #[error("the HTTP client cannot be made")]
    Client(#[source] reqwest::Error),
}

/// Asks services for JSON. Redirects are not followed; proxies of the environment are used, but never to reach this machine.
#[derive(Debug)]
pub(super) struct Client(reqwest::Client);

impl Client {
    pub(super) fn new(services: [&ServiceUrl; 2]) -> Result<Self, WeatherError> {
        let builder = reqwest::Client::builder()
            .user_agent("skein")
            .connect_timeout(CONNECT)
            .timeout(PATIENCE)
            .redirect(redirect::Policy::none())
            .referer(false);
        let builder = if services.iter().any(|service| service.is_loopback()) {
            builder.no_proxy()
        } else {
            builder
        };
        let builder = if rustls::crypto::CryptoProvider::get_default().is_some() {
            builder
        } else if services.iter().all(|service| service.is_plain()) {
            // Reqwest panics without a provider even where no TLS is spoken: this one trusts nobody and is never asked.
            builder.tls_backend_preconfigured(no_tls()?)
        } else {
            return Err(WeatherError::NoCrypto);
        };
        builder.build().map(Self).map_err(WeatherError::Client)
    }

    /// The JSON at a URL; else a sentence without any of the service's words. The log is told `what` was asked for and why
    /// it did not come, and not the URL, which names a place and may hold a key.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        url: Url,
        what: &'static str,
    ) -> Result<T, &'static str> {
        let unreachable = |error: reqwest::Error| {
            let error = error.without_url();
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                what,
                "a weather service cannot be reached"
            );
            UNREACHABLE
        };
        let response = self.0.get(url).send().await.map_err(unreachable)?;
        let status = response.status();
        if !status.is_success() {
            tracing::warn!(status = status.as_u16(), what, "a weather service failed");
            return Err(FAILED);
        }
        let body = whole(response).await.map_err(unreachable)?;
        let Some(body) = body else {
            tracing::warn!(what, "a weather service sent more than it may");
            return Err(UNREADABLE);
        };
        serde_json::from_slice(&body).map_err(|error| {
            tracing::warn!(
                line = error.line(),
                column = error.column(),
                what,
                "a weather service sent something else"
            );
            UNREADABLE
        })
    }
}

/// The whole body; `None` if it is too long.
async fn whole(response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut stream = response.bytes_stream();
    let mut all = Vec::new();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes?;
        if all.len() + bytes.len() > MOST_BYTES {
            return Ok(None);
        }
        all.extend_from_slice(&bytes);
    }
    Ok(Some(all))
}

fn no_tls() -> Result<rustls::ClientConfig, WeatherError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let Ok(builder) =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
    else {
        return Err(WeatherError::NoCrypto);
    };
    Ok(builder
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

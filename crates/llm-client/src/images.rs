use std::sync::Arc;

use chat_core::ports::{ModelError, ModelErrorKind};
use reqwest::Client;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    ConfigError, Shared,
    fault::{Failure, Fault, Parameter},
    transport,
};

/// How large an answer with an image may be, in bytes.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The size that every model of the wire knows.
const SIZE: &str = "1024x1024";

/// Makes images at an upstream, over `POST /v1/images/generations`.
///
/// Source of the format: `OpenAI`'s API reference, "Create image". Holds one HTTP client with its own connections, as
/// [`ChatCompletions`](crate::ChatCompletions) does.
#[derive(Debug)]
pub struct Images {
    shared: Arc<Shared>,
    client: Client,
    model: String,
}

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    prompt: &'a str,
    n: u8,
    size: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<&'static str>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Image>,
}

#[derive(Deserialize)]
struct Image {
    b64_json: String,
}

impl Images {
    /// The client of one model.
    ///
    /// Errs like [`ChatCompletions::for_lane`](crate::ChatCompletions::for_lane).
    pub fn new(shared: Arc<Shared>, model: String) -> Result<Self, ConfigError> {
        let client = transport::client(shared.config())?;
        Ok(Self {
            shared,
            client,
            model,
        })
    }

    /// One image of what is described, as base64 on one line; a PNG unless the upstream chooses otherwise.
    ///
    /// What may be tried again is tried again in here, all within [`Timeouts::deadline`](crate::Timeouts::deadline). Dropping
    /// the future hangs up. Errs with [`ModelErrorKind::Broken`] for an answer of more than 16 MiB or without an image in it.
    pub async fn draw(&self, description: &str) -> Result<String, ModelError> {
        let limit = self.shared.config().timeouts.deadline;
        let deadline = Instant::now() + limit;
        // The newer models give base64 only and refuse to be asked for it; the older ones give a URL unless asked.
        let mut format = (!self.model.contains("gpt-image")).then_some("b64_json");
        let mut repeated = 0;
        loop {
            let attempt = timeout_at(deadline, self.attempt(description, format)).await;
            let failure = match attempt {
                Ok(Ok(image)) => return Ok(image),
                Ok(Err(failure)) => failure,
                Err(_) => return Err(Failure::silent("image", limit).into()),
            };
            if failure.refused == Some(Parameter::ResponseFormat) && format.is_some() {
                format = None;
                continue;
            }
            let Some(wait) = self.shared.wait(&failure, repeated, deadline) else {
                return Err(failure.into());
            };
            repeated += 1;
            tracing::warn!(
                model = self.model,
                repetition = repeated,
                wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                reason = %failure.fault,
                "asking the upstream for an image again"
            );
            sleep(wait).await;
        }
    }

    async fn attempt(
        &self,
        description: &str,
        format: Option<&'static str>,
    ) -> Result<String, Failure> {
        let Some(url) = self.shared.config().endpoint.images() else {
            return Err(Failure::new(ModelErrorKind::Rejected, Fault::NoImages));
        };
        let body = Body {
            model: &self.model,
            prompt: description,
            n: 1,
            size: SIZE,
            response_format: format,
        };
        let response = transport::send(self.client.post(url.clone()).json(&body)).await?;
        let body = transport::whole(response, MOST_BYTES).await;
        let Some(body) = body.map_err(Failure::unsent)? else {
            return Err(Failure::new(
                ModelErrorKind::Broken,
                Fault::LineTooLong(MOST_BYTES),
            ));
        };
        let answer: Option<Answer> = serde_json::from_slice(&body).ok();
        let image = answer.and_then(|answer| answer.data.into_iter().next());
        image
            .map(|image| image.b64_json)
            .filter(|image| is_base64(image))
            .ok_or_else(|| Failure::malformed("no image in base64"))
    }
}

/// Whether a text can stand in a `data:` URL: it ends up in one on somebody's page.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    !body.is_empty()
        && text.len() - body.len() <= 2
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

#[cfg(test)]
mod tests;

use reqwest::Url;

use crate::ConfigError;

/// The last segments of every URL that answers.
const ANSWERS: &str = "/chat/completions";

/// Where an upstream's API is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    chat: Url,
    models: Option<Url>,
    images: Option<Url>,
}

/// How a key is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Auth {
    /// `Authorization: Bearer {key}`.
    Bearer,
    /// `api-key: {key}`, as Azure wants it.
    ApiKey,
}

impl Endpoint {
    /// The endpoint below a base such as `https://api.openai.com/v1`: `/chat/completions` is added unless it is there.
    ///
    /// A query is kept. Errs unless the base is an `http` or `https` URL without user name and password.
    pub fn base(base: &str) -> Result<Self, ConfigError> {
        let mut chat = parse(base)?;
        if !path(&chat).ends_with(ANSWERS) {
            extend(&mut chat, ANSWERS);
        }
        Ok(Self::at(chat))
    }

    /// The endpoint of a complete URL, as `AZURE_API_URL` holds it: used verbatim, with `/chat/completions` added only
    /// if its path ends in `/v1` or in the name of a deployment.
    ///
    /// Errs like [`Endpoint::base`].
    pub fn complete(url: &str) -> Result<Self, ConfigError> {
        let mut chat = parse(url)?;
        let of_deployment = path(&chat)
            .rsplit_once('/')
            .is_some_and(|(parent, name)| !name.is_empty() && parent.ends_with("/deployments"));
        if of_deployment || path(&chat).ends_with("/v1") {
            extend(&mut chat, ANSWERS);
        }
        Ok(Self::at(chat))
    }

    /// The endpoint of an Azure deployment: the dated API if a version is given, else the v1 API, where the
    /// deployment's name is the model's.
    ///
    /// `resource` is the resource's URL, such as `https://name.openai.azure.com`. Errs like [`Endpoint::base`].
    pub fn azure(
        resource: &str,
        deployment: &str,
        api_version: Option<&str>,
    ) -> Result<Self, ConfigError> {
        let mut chat = parse(resource)?;
        let Some(version) = api_version else {
            let api = if path(&chat).ends_with("/openai/v1") {
                ""
            } else if path(&chat).ends_with("/openai") {
                "/v1"
            } else {
                "/openai/v1"
            };
            extend(&mut chat, api);
            extend(&mut chat, ANSWERS);
            return Ok(Self::at(chat));
        };
        if !path(&chat).ends_with("/openai") {
            extend(&mut chat, "/openai");
        }
        if let Ok(mut segments) = chat.path_segments_mut() {
            segments.pop_if_empty();
            segments.extend(["deployments", deployment, "chat", "completions"]);
        }
        chat.query_pairs_mut().append_pair("api-version", version);
        Ok(Self::at(chat))
    }

    /// The URL that answers are asked from.
    pub fn chat_url(&self) -> &str {
        self.chat.as_str()
    }

    /// How a key is sent unless configured: `api-key` to Azure's `OpenAI` hosts (`.openai.azure.com`,
    /// `.cognitiveservices.azure.com`, `.services.ai.azure.com`), bearer to all others.
    pub fn default_auth(&self) -> Auth {
        let host = self.chat.host_str().unwrap_or_default();
        let azure = [
            ".openai.azure.com",
            ".cognitiveservices.azure.com",
            ".services.ai.azure.com",
        ];
        if azure.iter().any(|suffix| host.ends_with(suffix)) {
            Auth::ApiKey
        } else {
            Auth::Bearer
        }
    }

    pub(crate) fn chat(&self) -> &Url {
        &self.chat
    }

    /// Where the models are listed; `None` where the list would not be what can be asked.
    pub(crate) fn models(&self) -> Option<&Url> {
        self.models.as_ref()
    }

    /// Where images are made; `None` where the URL does not tell.
    pub(crate) fn images(&self) -> Option<&Url> {
        self.images.as_ref()
    }

    /// Whether `stream_options` is known there: not by Azure's dated API before September 2024.
    pub(crate) fn knows_stream_options(&self) -> bool {
        self.chat
            .query_pairs()
            .find(|(name, _)| name == "api-version")
            .and_then(|(_, version)| version.get(..10).map(str::to_owned))
            .is_none_or(|date| date.as_str() >= "2024-09-01")
    }

    /// Whether it is this machine, which no proxy can reach for us.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.chat.host_str().unwrap_or_default();
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    }

    fn at(chat: Url) -> Self {
        let beside = |root: &str, name: &str| {
            let mut url = chat.clone();
            url.set_path(&format!("{root}/{name}"));
            url
        };
        let root = path(&chat).strip_suffix(ANSWERS);
        let models = root
            .filter(|root| !root.contains("/deployments/"))
            .map(|root| beside(root, "models"));
        let images = root.map(|root| beside(root, "images/generations"));
        Self {
            chat,
            models,
            images,
        }
    }
}

fn parse(text: &str) -> Result<Url, ConfigError> {
    let text = text.trim();
    let refuse = |given: &str, reason| {
        Err(ConfigError::Url {
            given: given.to_owned(),
            reason,
        })
    };
    let shown = text.split(['?', '#']).next().unwrap_or_default();
    let Ok(mut url) = Url::parse(text) else {
        // What cannot be parsed may hold a password.
        let shown = if shown.contains('@') { "…" } else { shown };
        return refuse(
            shown,
            "a full URL such as https://api.openai.com/v1 is accepted",
        );
    };
    if !matches!(url.scheme(), "http" | "https") {
        return refuse(shown, "http and https are accepted");
    }
    if !url.username().is_empty() || url.password().is_some() {
        let host = url.host_str().unwrap_or_default();
        return refuse(host, "a key is set apart, not in the URL");
    }
    url.set_fragment(None);
    Ok(url)
}

/// The path without a slash at its end.
fn path(url: &Url) -> &str {
    url.path().trim_end_matches('/')
}

fn extend(url: &mut Url, more: &str) {
    let whole = format!("{}{more}", path(url));
    url.set_path(&whole);
}

#[cfg(test)]
mod tests;

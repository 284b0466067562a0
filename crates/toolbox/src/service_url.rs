use std::fmt;

use reqwest::Url;

/// Where a service over HTTP is: an `http` or `https` URL without user name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUrl(Url);

/// A text is no address of a service. It does not say what the text was, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "is no address of a service; a full http or https URL without user name and password is accepted"
)]
pub struct InvalidServiceUrl;

impl ServiceUrl {
    /// Reads an address. A query in it is kept.
    pub fn parse(text: &str) -> Result<Self, InvalidServiceUrl> {
        let url = Url::parse(text.trim()).or(Err(InvalidServiceUrl))?;
        let plain = url.username().is_empty() && url.password().is_none();
        if matches!(url.scheme(), "http" | "https") && url.has_host() && plain {
            Ok(Self(url))
        } else {
            Err(InvalidServiceUrl)
        }
    }

    /// The address with more in its query.
    pub(crate) fn with(&self, query: &[(&str, &str)]) -> Url {
        let mut url = self.0.clone();
        url.query_pairs_mut().extend_pairs(query);
        url
    }

    /// Whether no TLS is spoken with it.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Whether it is this machine, which no proxy can reach for us.
    pub(crate) fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_full_urls_only() {
        assert!(ServiceUrl::parse(" https://api.open-meteo.com/v1/forecast ").is_ok());
        for text in [
            "",
            "api.open-meteo.com",
            "ftp://x/",
            "https://me:secret@x/",
            "file:///etc/passwd",
        ] {
            assert_eq!(ServiceUrl::parse(text), Err(InvalidServiceUrl), "{text}");
        }
    }

    #[test]
    fn keeps_a_query() {
        let url = ServiceUrl::parse("http://x/y?apikey=1").unwrap();
        assert_eq!(
            url.with(&[("name", "São Paulo")]).as_str(),
            "http://x/y?apikey=1&name=S%C3%A3o+Paulo"
        );
    }
}

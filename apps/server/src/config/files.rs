//! Settings of uploads: where they are read from outside, and how many of them anyone may store.

use std::net::SocketAddr;

use url::Url;

use super::Reader;

/// So many uploads of one user are kept unless set.
const UPLOADS_PER_USER: u32 = 1_000;
/// No limit is beyond this one: the uploads of a user are counted with each new one.
const MOST_UPLOADS: u32 = 100_000;

/// Where uploads are read from outside, and how many of them anyone may store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The address that browsers know this server by, without a slash at its end; `None` is the one it listens at.
    pub public_url: Option<String>,
    /// A user with this many uploads stores no further one; 0 stores none.
    pub uploads_per_user: u32,
}

impl Files {
    /// The address that browsers know the server by which listens there. One that listens at all addresses is known by
    /// the name of its own machine.
    pub fn public_url(&self, listens_at: SocketAddr) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        if listens_at.ip().is_unspecified() {
            format!("http://localhost:{}", listens_at.port())
        } else {
            format!("http://{listens_at}")
        }
    }
}

impl Reader<'_> {
    pub(super) fn files(&mut self, bind: SocketAddr) -> Files {
        let public_url = self.text(&["SKEIN_PUBLIC_URL"]).and_then(|held| {
            let read = public_url(&held);
            if read.is_none() {
                // What it held may have a password in it.
                self.faults.push(
                    "SKEIN_PUBLIC_URL: is no address of a server; one such as https://chat.example.com or \
                     https://example.com/chat is accepted, without user, query and fragment"
                        .to_owned(),
                );
            }
            read
        });
        if public_url.is_none() && bind.ip().is_unspecified() {
            self.warnings.push(format!(
                "SKEIN_PUBLIC_URL: is not set, so links to uploads begin with http://localhost:{}, where only this \
                 machine finds them",
                bind.port()
            ));
        }
        let uploads = self.number(&["SKEIN_UPLOADS_PER_USER"], 0..=u64::from(MOST_UPLOADS));
        Files {
            public_url,
            uploads_per_user: uploads
                .and_then(|uploads| u32::try_from(uploads).ok())
                .unwrap_or(UPLOADS_PER_USER),
        }
    }
}

/// The address as it is put before a path, or `None` if no path can be put behind it.
fn public_url(held: &str) -> Option<String> {
    let url = Url::parse(held).ok()?;
    let is_plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    is_plain.then(|| url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Faults, Source};

    use super::Files;

    fn read(values: &[(&str, &str)]) -> Result<Config, Faults> {
        Config::read(&Source::of(values.iter().copied()))
    }

    #[test]
    fn the_address_is_the_one_that_is_set_or_listened_at() {
        let files = |values: &[(&str, &str)]| read(values).unwrap().files;
        let at = "127.0.0.1:8123".parse().unwrap();
        assert_eq!(files(&[]).public_url(at), "http://127.0.0.1:8123");
        let everywhere = "[::]:8123".parse().unwrap();
        assert_eq!(files(&[]).public_url(everywhere), "http://localhost:8123");
        for (held, url) in [
            ("https://Chat.Example.com/", "https://chat.example.com"),
            ("http://example.com:81/chat//", "http://example.com:81/chat"),
            ("https://example.com:443", "https://example.com"),
        ] {
            let files: Files = files(&[("SKEIN_PUBLIC_URL", held)]);
            assert_eq!(files.public_url(at), url);
        }
    }

    #[test]
    fn a_bad_address_is_a_fault_that_repeats_nothing() {
        for held in [
            "chat.example.com",
            "/chat",
            "ftp://example.com",
            "https://",
            "https://me:geheim@example.com",
            "https://example.com?a=b",
            "https://example.com/#chat",
        ] {
            let Faults(faults) = read(&[("SKEIN_PUBLIC_URL", held)]).unwrap_err();
            assert_eq!(faults.len(), 1, "{held}");
            assert!(
                faults[0].starts_with("SKEIN_PUBLIC_URL: is no address"),
                "{faults:?}"
            );
            assert!(!faults[0].contains("geheim"), "{faults:?}");
        }
    }

    #[test]
    fn whoever_listens_everywhere_without_an_address_is_warned() {
        let open = ("SKEIN_BIND", "0.0.0.0:8000");
        let warned = |values: &[(&str, &str)]| {
            let warnings = read(values).unwrap().warnings;
            warnings
                .iter()
                .any(|line| line.starts_with("SKEIN_PUBLIC_URL"))
        };
        assert!(warned(&[open]));
        assert!(!warned(&[open, ("SKEIN_PUBLIC_URL", "https://x.example")]));
        assert!(!warned(&[]));
    }

    #[test]
    fn uploads_are_bounded_by_a_number() {
        assert_eq!(read(&[]).unwrap().files.uploads_per_user, 1_000);
        let set = [("SKEIN_UPLOADS_PER_USER", "0")];
        assert_eq!(read(&set).unwrap().files.uploads_per_user, 0);
        assert!(read(&[("SKEIN_UPLOADS_PER_USER", "many")]).is_err());
        assert!(read(&[("SKEIN_UPLOADS_PER_USER", "100001")]).is_err());
    }
}

//! The settings of signing in.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};

use auth::Expected;
use url::{Host, Url};

use super::Reader;
use crate::{
    accounts::{IssuerConfig, TriesPerMinute},
    client_address::Proxies,
};

const ISSUER: [&str; 3] = ["SKEIN_JWKS_URL", "SKEIN_JWKS_ISSUER", "SKEIN_JWKS_AUDIENCE"];
const REFRESH_DAYS: u64 = 90;
const DAY_S: u64 = 24 * 60 * 60;

/// How many logins a minute are let in from one address and to one account, where others can reach the server.
const LOGINS: NonZeroU32 = NonZeroU32::new(10).unwrap();
/// The same of new guests from one address.
const GUESTS: NonZeroU32 = NonZeroU32::new(30).unwrap();

/// How people sign in.
#[derive(Debug)]
pub struct SignIn {
    /// Another issuer of tokens.
    pub issuer: Option<IssuerConfig>,
    /// The proxies that say where requests come from.
    pub proxies: Proxies,
    /// How long a refresh token lives.
    pub refresh_life: Duration,
    /// How often anyone may try.
    pub tries: TriesPerMinute,
}

impl Reader<'_> {
    /// Tries are not limited unless set while nobody but this machine reaches the server: neither directly nor by a proxy.
    pub(super) fn sign_in(&mut self, bind: SocketAddr) -> SignIn {
        let proxies = self.proxies();
        let is_reached = !bind.ip().is_loopback() || !proxies.is_empty();
        let mut tries = |name, usual| self.tries(name, is_reached.then_some(usual));
        let tries = TriesPerMinute {
            logins: tries("SKEIN_LOGINS_PER_MINUTE", LOGINS),
            guests: tries("SKEIN_GUESTS_PER_MINUTE", GUESTS),
        };
        let days = self.number(&["SKEIN_REFRESH_TOKEN_DAYS"], 1..=3_650);
        SignIn {
            issuer: self.issuer(),
            proxies,
            refresh_life: Duration::from_secs(days.unwrap_or(REFRESH_DAYS) * DAY_S),
            tries,
        }
    }

    /// All three or none. Without the audience a token that the issuer made for any other application would sign in here, and
    /// without the issuer that of any other tenant whose keys stand in the same set.
    fn issuer(&mut self) -> Option<IssuerConfig> {
        let held = ISSUER.map(|name| self.text(&[name]));
        let [Some(url), Some(issuer), Some(audience)] = held else {
            let missing = ISSUER.iter().zip(&held).filter(|(_, held)| held.is_none());
            let missing: Vec<&str> = missing.map(|(name, _)| *name).collect();
            if missing.len() < ISSUER.len() {
                self.faults.push(format!(
                    "{}: is not set; SKEIN_JWKS_URL, SKEIN_JWKS_ISSUER and SKEIN_JWKS_AUDIENCE are needed together, or \
                     tokens that were made for others would be accepted",
                    missing.join(", ")
                ));
            }
            return None;
        };
        if issuer.chars().any(char::is_control) {
            self.fault("SKEIN_JWKS_ISSUER", &issuer, "one line");
        }
        let parsed = url.parse::<Url>().ok().filter(is_safe);
        if parsed.is_none() {
            self.fault(
                "SKEIN_JWKS_URL",
                &url,
                "an https address without a user's name, or an http address of this machine,",
            );
        }
        Some(IssuerConfig {
            url: parsed?,
            expected: Expected { issuer, audience },
        })
    }

    fn proxies(&mut self) -> Proxies {
        let Some(held) = self.text(&["SKEIN_TRUSTED_PROXIES"]) else {
            return Proxies::default();
        };
        match Proxies::read(&held) {
            Ok(proxies) => proxies,
            Err(part) => {
                self.fault(
                    "SKEIN_TRUSTED_PROXIES",
                    part,
                    "a list of addresses and networks such as 10.0.0.0/8, divided by commas,",
                );
                Proxies::default()
            }
        }
    }

    fn tries(&mut self, name: &str, unset: Option<NonZeroU32>) -> Option<NonZeroU32> {
        let Some(held) = self.text(&[name]) else {
            return unset;
        };
        if held.eq_ignore_ascii_case("off") {
            return None;
        }
        let tries = held
            .parse()
            .ok()
            .filter(|tries: &NonZeroU32| tries.get() <= 100_000);
        if tries.is_none() {
            self.fault(name, &held, "off, or a whole number from 1 to 100000,");
        }
        tries
    }
}

/// Whether what is fetched from there was not changed on the way.
fn is_safe(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    };
    let has_user = !url.username().is_empty() || url.password().is_some();
    !has_user && (url.scheme() == "https" && url.has_host() || url.scheme() == "http" && is_here)
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Faults, Source};
    use super::*;

    fn read(values: &[(&str, &str)]) -> Result<SignIn, Faults> {
        let config = Config::read(&Source::of(values.iter().copied()));
        config.map(|config| config.sign_in)
    }

    fn faults(values: &[(&str, &str)]) -> Vec<String> {
        read(values).unwrap_err().0
    }

    #[test]
    fn limits_begin_where_others_reach_the_server() {
        let of = |values: &[(&str, &str)]| {
            let tries = read(values).unwrap().tries;
            (
                tries.logins.map(NonZeroU32::get),
                tries.guests.map(NonZeroU32::get),
            )
        };
        let everywhere = ("SKEIN_BIND", "0.0.0.0:8000");
        assert_eq!(of(&[]), (None, None));
        assert_eq!(of(&[everywhere]), (Some(10), Some(30)));
        assert_eq!(
            of(&[("SKEIN_TRUSTED_PROXIES", "127.0.0.1")]),
            (Some(10), Some(30))
        );
        assert_eq!(of(&[("SKEIN_LOGINS_PER_MINUTE", "3")]), (Some(3), None));
        assert_eq!(
            of(&[everywhere, ("SKEIN_GUESTS_PER_MINUTE", "off")]),
            (Some(10), None)
        );
        for wrong in ["0", "-1", "many", "100001"] {
            let faults = faults(&[("SKEIN_LOGINS_PER_MINUTE", wrong)]);
            assert_eq!(
                faults,
                [format!(
                    "SKEIN_LOGINS_PER_MINUTE: held {wrong:?}; off, or a whole number from 1 to 100000, is accepted"
                )]
            );
        }
    }

    #[test]
    fn an_issuer_is_named_whole_or_not_at_all() {
        let all = [
            ("SKEIN_JWKS_URL", "https://login.example/keys"),
            ("SKEIN_JWKS_ISSUER", "https://login.example"),
            ("SKEIN_JWKS_AUDIENCE", "skein"),
        ];
        let issuer = read(&all).unwrap().issuer.unwrap();
        assert_eq!(issuer.url.as_str(), "https://login.example/keys");
        assert_eq!(issuer.expected.issuer, "https://login.example");
        assert_eq!(issuer.expected.audience, "skein");
        assert!(read(&[]).unwrap().issuer.is_none());
        for left_out in 0..all.len() {
            let mut some = all.to_vec();
            let (name, _) = some.remove(left_out);
            let faults = faults(&some);
            assert_eq!(faults.len(), 1);
            assert!(
                faults[0].starts_with(&format!("{name}: is not set; ")),
                "{faults:?}"
            );
        }
    }

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        let with = |url| {
            read(&[
                ("SKEIN_JWKS_URL", url),
                ("SKEIN_JWKS_ISSUER", "i"),
                ("SKEIN_JWKS_AUDIENCE", "a"),
            ])
        };
        for good in [
            "https://login.example/keys",
            "http://localhost:4444/keys",
            "http://127.0.0.1/keys",
            "http://[::1]:4444/keys",
        ] {
            assert!(with(good).is_ok(), "{good}");
        }
        for bad in [
            "http://login.example/keys",
            "https://user:geheim@login.example/keys",
            "http://localhost.example/keys",
            "ftp://localhost/keys",
            "file:///keys",
            "keys",
        ] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        let faults = faults(&[("SKEIN_TRUSTED_PROXIES", "10.0.0.0/8, proxy.example")]);
        assert_eq!(
            faults,
            [
                "SKEIN_TRUSTED_PROXIES: held \"proxy.example\"; a list of addresses and networks such as 10.0.0.0/8, \
              divided by commas, is accepted"
            ]
        );
        assert!(
            !read(&[("SKEIN_TRUSTED_PROXIES", "10.0.0.0/8,::1")])
                .unwrap()
                .proxies
                .is_empty()
        );
    }

    #[test]
    fn refresh_tokens_live_90_days_unless_told_otherwise() {
        let of = |values: &[(&str, &str)]| read(values).unwrap().refresh_life;
        assert_eq!(of(&[]), Duration::from_secs(90 * DAY_S));
        assert_eq!(
            of(&[("SKEIN_REFRESH_TOKEN_DAYS", "1")]),
            Duration::from_secs(DAY_S)
        );
        assert_eq!(faults(&[("SKEIN_REFRESH_TOKEN_DAYS", "0")]).len(), 1);
    }
}

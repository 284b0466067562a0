//! The settings of the chat: how much people may send in a day, and what the names of models stand for.

use std::net::SocketAddr;

use chat_core::ports::Quota;
use records::UserKind;

use super::Reader;
use crate::models::Aliases;

/// How much a guest may send in 24 hours where others can reach the server.
const GUEST_MESSAGES: u64 = 20;
/// How much someone may send who has signed up.
const USER_MESSAGES: u64 = 100;
/// A limit beyond this is none.
const MOST: u64 = 1_000_000_000;
/// What a day is, in milliseconds.
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// What people may send, and to which models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// How much may be sent.
    pub limits: MessageLimits,
    /// Names of models.
    pub aliases: Aliases,
}

/// How many messages may be sent in 24 hours; `None` sets no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageLimits {
    /// A guest who has more than this many already sends no further one.
    pub guest: Option<u64>,
    /// The same for someone who has signed up.
    pub user: Option<u64>,
}

impl MessageLimits {
    /// What someone of this kind may send at this time, in milliseconds since the Unix epoch.
    pub fn quota(&self, kind: UserKind, now_ms: i64) -> Option<Quota> {
        let limit = match kind {
            UserKind::Guest => self.guest,
            UserKind::Regular => self.user,
        };
        limit.map(|limit| Quota {
            limit,
            since_ms: now_ms - DAY_MS,
        })
    }
}

impl Reader<'_> {
    /// Limits are off unless set while nobody but this machine reaches the server.
    pub(super) fn chat(&mut self, bind: SocketAddr) -> Chat {
        let mut limit = |name, default| {
            let unset = (!bind.ip().is_loopback()).then_some(default);
            self.message_limit(name, unset)
        };
        let limits = MessageLimits {
            guest: limit("SKEIN_GUEST_MESSAGES_PER_DAY", GUEST_MESSAGES),
            user: limit("SKEIN_USER_MESSAGES_PER_DAY", USER_MESSAGES),
        };
        Chat {
            limits,
            aliases: self.aliases(),
        }
    }

    fn message_limit(&mut self, name: &str, unset: Option<u64>) -> Option<u64> {
        let Some(held) = self.text(&[name]) else {
            return unset;
        };
        if held.eq_ignore_ascii_case("off") {
            return None;
        }
        match held.parse() {
            Ok(limit) if limit <= MOST => Some(limit),
            Ok(_) | Err(_) => {
                self.fault(
                    name,
                    &held,
                    &format!("off, or a whole number from 0 to {MOST},"),
                );
                unset
            }
        }
    }

    fn aliases(&mut self) -> Aliases {
        let Some(held) = self.text(&["SKEIN_MODEL_ALIASES"]) else {
            return Aliases::default();
        };
        Aliases::read(&held).unwrap_or_else(|error| {
            self.faults.push(format!("SKEIN_MODEL_ALIASES: {error}"));
            Aliases::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Source};

    fn limits(values: &[(&str, &str)]) -> (Option<u64>, Option<u64>) {
        let config = Config::read(&Source::of(values.iter().copied())).unwrap();
        (config.chat.limits.guest, config.chat.limits.user)
    }

    #[test]
    fn limits_hold_where_others_reach_the_server_or_where_they_are_set() {
        let open = ("SKEIN_BIND", "0.0.0.0:8000");
        assert_eq!(limits(&[]), (None, None));
        assert_eq!(limits(&[("SKEIN_BIND", "[::1]:9")]), (None, None));
        assert_eq!(limits(&[open]), (Some(20), Some(100)));
        let guests = ("SKEIN_GUEST_MESSAGES_PER_DAY", "3");
        assert_eq!(limits(&[guests]), (Some(3), None));
        assert_eq!(limits(&[guests, open]), (Some(3), Some(100)));
        let users = ("SKEIN_USER_MESSAGES_PER_DAY", "Off");
        assert_eq!(limits(&[users, open]), (Some(20), None));
    }

    #[test]
    fn a_bad_limit_and_bad_aliases_are_told_together() {
        let faults = Config::read(&Source::of([
            ("SKEIN_GUEST_MESSAGES_PER_DAY", "-1"),
            ("SKEIN_USER_MESSAGES_PER_DAY", "many"),
            ("SKEIN_MODEL_ALIASES", "{\"a\": {\"modle\": \"x\"}}"),
        ]))
        .unwrap_err()
        .0;
        assert_eq!(faults.len(), 3, "{faults:#?}");
        assert!(
            faults[0]
                .starts_with("SKEIN_GUEST_MESSAGES_PER_DAY: held \"-1\"; off, or a whole number"),
            "{}",
            faults[0]
        );
        assert!(
            faults[2].starts_with("SKEIN_MODEL_ALIASES: a.modle: unknown field"),
            "{}",
            faults[2]
        );
    }
}

use std::time::Duration;

use crate::{Auth, ConfigError, Endpoint, Secret};

/// The settings of one upstream.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Where its API is.
    pub endpoint: Endpoint,
    /// The key that it accepts; `None` sends none, as local servers like it.
    pub api_key: Option<Secret>,
    /// How the key is sent; `None` chooses by host (see [`Endpoint::default_auth`]).
    pub auth: Option<Auth>,
    /// How long it may take.
    pub timeouts: Timeouts,
    /// How often a request is repeated.
    pub retries: Retries,
    /// The longest line of a stream in bytes, which is also the longest event; a longer one breaks the answer off.
    pub max_line_bytes: usize,
}

impl UpstreamConfig {
    /// The defaults for this endpoint: lines of 1 MiB, [`Timeouts::default`], [`Retries::default`].
    pub fn new(endpoint: Endpoint, api_key: Option<Secret>) -> Self {
        Self {
            endpoint,
            api_key,
            auth: None,
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            max_line_bytes: 1024 * 1024,
        }
    }

    /// Errs if a limit is zero.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let Timeouts {
            connect,
            first_event,
            silence,
            between_events,
            after_finish,
            deadline,
            list,
        } = self.timeouts;
        let limits = [
            ("connect", connect.is_zero()),
            ("first_event", first_event.is_zero()),
            ("silence", silence.is_zero()),
            ("between_events", between_events.is_zero()),
            ("after_finish", after_finish.is_zero()),
            ("deadline", deadline.is_zero()),
            ("list", list.is_zero()),
            ("max_line_bytes", self.max_line_bytes == 0),
        ];
        match limits.iter().find(|(_, zero)| *zero) {
            Some((name, _)) => Err(ConfigError::Limit { name }),
            None => Ok(()),
        }
    }
}

/// How long an upstream may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To connect, TLS included. The try counts as failed and may be repeated. Default 5 s.
    pub connect: Duration,
    /// From a request to the first event of its answer. The request is not repeated, since it may have cost money.
    /// Default 120 s.
    pub first_event: Duration,
    /// Between two reads of a stream; a comment counts as life. Default 60 s.
    pub silence: Duration,
    /// Between two events of a stream that is kept alive by comments alone. Default 300 s.
    pub between_events: Duration,
    /// From the finish reason to the end of the stream, where the usage comes; later the answer counts as whole
    /// without it. Default 5 s.
    pub after_finish: Duration,
    /// For everything up to the first event, repetitions and waits included. Default 120 s.
    pub deadline: Duration,
    /// To list the models. Default 5 s.
    pub list: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            first_event: Duration::from_mins(2),
            silence: Duration::from_mins(1),
            between_events: Duration::from_mins(5),
            after_finish: Duration::from_secs(5),
            deadline: Duration::from_mins(2),
            list: Duration::from_secs(5),
        }
    }
}

/// How often a request is repeated, always before the first event of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// The greatest number of repetitions. Default 2.
    pub most: u32,
    /// The wait before the first one, unless the upstream names a time; doubled each time. Default 0.5 s.
    pub first_wait: Duration,
    /// The longest wait of our own. Default 8 s.
    pub longest_wait: Duration,
    /// The longest wait that an upstream may ask for; a longer one is cut to it. Default 60 s.
    pub longest_asked: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            most: 2,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(8),
            longest_asked: Duration::from_mins(1),
        }
    }
}

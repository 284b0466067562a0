//! How a server behaves when nobody asks for anything special.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::scenario::Scenario;

/// The time between two tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pace {
    /// Always the same; zero sends everything at once.
    Fixed(Duration),
    /// 25 to 40 ms, varied by the token's number, so that an answer looks alive and is still repeatable.
    Human,
}

impl Pace {
    /// The pause before token `index`; there is none before the first.
    pub(crate) fn before(self, index: usize) -> Duration {
        match self {
            _ if index == 0 => Duration::ZERO,
            Self::Fixed(pause) => pause,
            // Seven and sixteen have no common factor: all sixteen values are visited in turn.
            Self::Human => Duration::from_millis(25 + (index as u64).wrapping_mul(7) % 16),
        }
    }
}

/// The settings of one server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on; 127.0.0.1 unless told.
    pub host: IpAddr,
    /// The port to listen on; 0, the default, takes any free one.
    pub port: u16,
    /// The time between tokens where the scenario does not say.
    pub pace: Pace,
    /// Whether the last 256 requests are kept for [`MockLlm::requests`](crate::MockLlm::requests),
    /// with their headers and whole bodies.
    pub record: bool,
    /// What is answered to a request that asks for nothing special.
    pub fallback: Scenario,
    /// Whether some phrases, such as "weather in Paris", call a function of the request's that fits (see the README).
    pub phrases: bool,
}

impl Config {
    /// The demo model: human pace, nothing recorded, phrases that call functions.
    pub fn demo() -> Self {
        Self {
            pace: Pace::Human,
            record: false,
            phrases: true,
            ..Self::default()
        }
    }

    /// The upstream of a benchmark: `tokens` numbered tokens, `pace` apart, nothing recorded.
    pub fn bench(tokens: usize, pace: Duration) -> Self {
        Self {
            pace: Pace::Fixed(pace),
            record: false,
            fallback: Scenario::tokens(tokens),
            ..Self::default()
        }
    }
}

/// For tests: any free port, no pauses, requests recorded, the demo text as answer.
impl Default for Config {
    fn default() -> Self {
        Self {
            host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            pace: Pace::Fixed(Duration::ZERO),
            record: true,
            fallback: Scenario::default(),
            phrases: false,
        }
    }
}

//! Ports that stay a member's own while it is down.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use crate::FixtureError;

/// Below the ports that systems hand out to connections (from 32768 on Linux): a connection of a test would
/// otherwise now and then sit on the port of a member that is down, and keep it from coming back.
const RANGE: std::ops::Range<u16> = 20_000..32_000;

/// A TCP port of the loopback that no other fixture takes as long as this is held.
pub(crate) struct Port {
    number: u16,
    /// UDP has ports of its own, so this one of the same number is in nobody's way, and it is a lock between the
    /// fixtures of all processes, which the system releases when the process ends.
    _lock: UdpSocket,
}

impl Port {
    /// Takes a port on which nobody listens.
    pub(crate) fn take() -> Result<Self, FixtureError> {
        // Hashers begin at random; otherwise all processes would try the same ports.
        let random = RandomState::new().hash_one(());
        let first = u16::try_from(random % RANGE.len() as u64).unwrap_or_default();
        for step in 0..u16::try_from(RANGE.len()).unwrap_or_default() {
            let number = RANGE.start + (first + step) % (RANGE.end - RANGE.start);
            let Ok(lock) = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)) else {
                continue;
            };
            if TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self {
                    number,
                    _lock: lock,
                });
            }
        }
        Err(FixtureError::Misuse(format!(
            "no port from {} to {} of 127.0.0.1 is free",
            RANGE.start, RANGE.end
        )))
    }

    /// Its number.
    pub(crate) fn number(&self) -> u16 {
        self.number
    }
}

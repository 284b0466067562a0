//! How often anyone may try to sign in.
//!
//! Kept in memory, for each process on its own: behind a balancer over n nodes a caller has up to n times as many tries.

use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use records::email_key;

/// How many tries there are in a minute; `None` sets no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TriesPerMinute {
    /// Of what people type: logins from one address, logins to one account, registrations from one address.
    pub logins: Option<NonZeroU32>,
    /// Of what programs do by themselves: new guests from one address, refreshed tokens from one address.
    pub guests: Option<NonZeroU32>,
}

/// What somebody tries.
#[derive(Debug, Clone, Copy)]
pub enum Attempt<'a> {
    /// To sign in with this e-mail address.
    Login(&'a str),
    /// To sign up.
    Register,
    /// To come in as a guest.
    Guest,
    /// To go on with a refresh token.
    Refresh,
}

/// It was tried too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it was tried too often; the next try is taken in {after:?}")]
pub struct TooOften {
    /// When the next try is taken.
    pub after: Duration,
}

type Limiter<K, C> = RateLimiter<K, HashMapStateStore<K>, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// Counts tries.
///
/// An account's own limit also holds for its owner: who wants to keep someone out by wrong passwords can, for as long as they
/// go on. The other way round they would have as many guesses as they have addresses.
pub struct Limits<C: Clock = MonotonicClock> {
    logins: Option<Limiter<u64, C>>,
    accounts: Option<Limiter<u64, C>>,
    registrations: Option<Limiter<u64, C>>,
    guests: Option<Limiter<u64, C>>,
    refreshes: Option<Limiter<u64, C>>,
    // Keys are hashes, so that what a caller sends takes no room; two that meet share a limit.
    hasher: RandomState,
    clock: C,
}

impl<C: Clock> std::fmt::Debug for Limits<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits")
            .field("logins", &self.logins.is_some())
            .field("guests", &self.guests.is_some())
            .finish_non_exhaustive()
    }
}

impl Limits {
    /// Limits by the machine's monotonic clock: by the wall's, a step back would shut people out.
    pub fn new(tries: TriesPerMinute) -> Self {
        Self::by(MonotonicClock, tries)
    }
}

impl<C: Clock + Clone> Limits<C> {
    /// Limits by this clock.
    pub fn by(clock: C, tries: TriesPerMinute) -> Self {
        let limiter = |tries: Option<NonZeroU32>| {
            let quota = Quota::per_minute(tries?);
            Some(RateLimiter::new(
                quota,
                HashMapStateStore::default(),
                clock.clone(),
            ))
        };
        Self {
            logins: limiter(tries.logins),
            accounts: limiter(tries.logins),
            registrations: limiter(tries.logins),
            guests: limiter(tries.guests),
            refreshes: limiter(tries.guests),
            hasher: RandomState::new(),
            clock,
        }
    }

    /// Counts a try from this address, or says when the next is taken.
    pub fn admit(&self, attempt: Attempt<'_>, from: IpAddr) -> Result<(), TooOften> {
        let from = self.hasher.hash_one(network(from));
        match attempt {
            Attempt::Login(email) => {
                self.count(self.logins.as_ref(), from)?;
                // Before it is known whether there is such an account, so that the answer does not tell.
                let account = self.hasher.hash_one(email_key(email));
                self.count(self.accounts.as_ref(), account)
            }
            Attempt::Register => self.count(self.registrations.as_ref(), from),
            Attempt::Guest => self.count(self.guests.as_ref(), from),
            Attempt::Refresh => self.count(self.refreshes.as_ref(), from),
        }
    }

    /// Forgets those whose tries are long ago. Called every minute, it bounds what is kept to the callers of two minutes.
    pub fn forget(&self) {
        for limiter in self.all().flatten() {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
    }

    /// How many callers and accounts are remembered.
    pub fn remembered(&self) -> usize {
        self.all().flatten().map(RateLimiter::len).sum()
    }

    fn all(&self) -> impl Iterator<Item = Option<&Limiter<u64, C>>> {
        [
            self.logins.as_ref(),
            self.accounts.as_ref(),
            self.registrations.as_ref(),
            self.guests.as_ref(),
            self.refreshes.as_ref(),
        ]
        .into_iter()
    }

    fn count(&self, limiter: Option<&Limiter<u64, C>>, key: u64) -> Result<(), TooOften> {
        let Some(limiter) = limiter else {
            return Ok(());
        };
        limiter.check_key(&key).map_err(|refused| TooOften {
            after: refused.wait_time_from(self.clock.now()),
        })
    }
}

/// What counts as one caller: an address, or the network of 64 bits that one customer has all addresses of.
fn network(address: IpAddr) -> impl Hash {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from_bits(prefix))
        }
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn limits(clock: &FakeRelativeClock) -> Limits<FakeRelativeClock> {
        let tries = TriesPerMinute {
            logins: NonZeroU32::new(3),
            guests: NonZeroU32::new(2),
        };
        Limits::by(clock.clone(), tries)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_try_after_the_last_waits_and_is_taken_then() {
        let clock = FakeRelativeClock::default();
        let limits = limits(&clock);
        let here = address("192.0.2.1");
        for _ in 0..2 {
            assert_eq!(limits.admit(Attempt::Guest, here), Ok(()));
        }
        let after = Duration::from_secs(30);
        assert_eq!(limits.admit(Attempt::Guest, here), Err(TooOften { after }));
        assert_eq!(limits.admit(Attempt::Guest, address("192.0.2.2")), Ok(()));
        clock.advance(after);
        assert_eq!(limits.admit(Attempt::Guest, here), Ok(()));
        assert!(limits.admit(Attempt::Guest, here).is_err());
    }

    #[test]
    fn each_thing_that_is_tried_is_counted_by_itself() {
        let clock = FakeRelativeClock::default();
        let limits = limits(&clock);
        let here = address("192.0.2.1");
        for number in 0..3 {
            let email = format!("{number}@x.example");
            assert_eq!(limits.admit(Attempt::Login(&email), here), Ok(()));
            assert_eq!(limits.admit(Attempt::Register, here), Ok(()));
        }
        assert!(limits.admit(Attempt::Login("4@x.example"), here).is_err());
        assert!(limits.admit(Attempt::Register, here).is_err());
        assert_eq!(limits.admit(Attempt::Guest, here), Ok(()));
        assert_eq!(limits.admit(Attempt::Refresh, here), Ok(()));
    }

    #[test]
    fn one_account_is_tried_no_more_often_from_many_addresses() {
        let clock = FakeRelativeClock::default();
        let limits = limits(&clock);
        for (number, spelled) in (0..).zip(["Ann@x.example", "ann@X.example", " ann@x.example"]) {
            let from = IpAddr::from([192, 0, 2, number]);
            assert_eq!(limits.admit(Attempt::Login(spelled), from), Ok(()));
        }
        let elsewhere = address("198.51.100.1");
        assert!(
            limits
                .admit(Attempt::Login("ann@x.example"), elsewhere)
                .is_err()
        );
        assert_eq!(
            limits.admit(Attempt::Login("bob@x.example"), elsewhere),
            Ok(())
        );
    }

    #[test]
    fn one_network_of_ipv6_is_one_caller() {
        let clock = FakeRelativeClock::default();
        let limits = limits(&clock);
        for from in ["2001:db8::1", "2001:db8::ffff:2"] {
            assert_eq!(limits.admit(Attempt::Guest, address(from)), Ok(()));
        }
        assert!(
            limits
                .admit(Attempt::Guest, address("2001:db8::3"))
                .is_err()
        );
        assert_eq!(
            limits.admit(Attempt::Guest, address("2001:db8:0:1::1")),
            Ok(())
        );
    }

    #[test]
    fn whoever_has_all_tries_again_is_forgotten() {
        let clock = FakeRelativeClock::default();
        let limits = limits(&clock);
        for number in 0..200 {
            let from = IpAddr::from([192, 0, 2, number]);
            assert_eq!(limits.admit(Attempt::Guest, from), Ok(()));
        }
        limits.forget();
        assert_eq!(limits.remembered(), 200);
        clock.advance(2 * MINUTE);
        limits.forget();
        assert_eq!(limits.remembered(), 0);
    }

    #[test]
    fn without_a_limit_nothing_is_counted() {
        let limits = Limits::new(TriesPerMinute::default());
        for _ in 0..1000 {
            let here = address("192.0.2.1");
            assert_eq!(limits.admit(Attempt::Login("ann@x.example"), here), Ok(()));
        }
        assert_eq!(limits.remembered(), 0);
    }
}

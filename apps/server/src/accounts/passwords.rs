//! Passwords are worked on beside the async workers, two at a time.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use auth::{Verdict, Work, password::SALT_BYTES};
use records::PasswordHash;
use tokio::{sync::Semaphore, task::spawn_blocking};

use super::random;

/// How many are worked on at once: each takes a core and 19 MiB for some ten milliseconds.
const AT_ONCE: usize = 2;

/// How many may be worked on or wait: some seconds of work. More are turned away at once rather than served late.
const MOST: usize = 64;

/// Why a password was not worked on.
#[derive(Debug, thiserror::Error)]
pub enum Unworked {
    /// Too many others wait.
    #[error("{MOST} passwords are being worked on or wait")]
    Busy,
    /// The machine lacks randomness or memory.
    #[error("the machine cannot hash a password now")]
    Machine,
}

/// Works on passwords.
#[derive(Debug)]
pub struct Passwords {
    places: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    argon2: AtomicU64,
    bcrypt: AtomicU64,
}

impl Passwords {
    /// Nothing to do yet.
    pub fn new() -> Self {
        Self {
            places: Arc::new(Semaphore::new(MOST)),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            argon2: AtomicU64::new(0),
            bcrypt: AtomicU64::new(0),
        }
    }

    /// Checks a password; `None` stands for nobody's, which costs as much.
    pub async fn check(
        &self,
        password: String,
        stored: Option<PasswordHash>,
    ) -> Result<Verdict, Unworked> {
        let (verdict, work) = self
            .work(move || auth::check_password(&password, stored.as_ref().map(PasswordHash::text)))
            .await?;
        self.argon2.fetch_add(work.argon2.into(), Ordering::Relaxed);
        self.bcrypt.fetch_add(work.bcrypt.into(), Ordering::Relaxed);
        Ok(verdict)
    }

    /// The hash of a new password.
    pub async fn hash(&self, password: String) -> Result<PasswordHash, Unworked> {
        let salt = random::<SALT_BYTES>().ok_or(Unworked::Machine)?;
        let hash = self
            .work(move || auth::hash_password(&password, salt))
            .await?;
        hash.map(PasswordHash::new).ok_or(Unworked::Machine)
    }

    /// What all checks since the start have cost.
    pub fn spent(&self) -> Work {
        let count =
            |spent: &AtomicU64| u32::try_from(spent.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        Work {
            argon2: count(&self.argon2),
            bcrypt: count(&self.bcrypt),
        }
    }

    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unworked> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Err(Unworked::Busy);
        };
        // Neither is ever closed.
        let Ok(turn) = Arc::clone(&self.turns).acquire_owned().await else {
            return Err(Unworked::Busy);
        };
        let done = spawn_blocking(move || {
            let done = work();
            // Given back by the work itself: it goes on when its caller hangs up.
            drop((turn, place));
            done
        });
        done.await.map_err(|_panicked| Unworked::Machine)
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_too_much_is_turned_away_and_the_rest_is_done() {
        let passwords = Passwords::new();
        let all = (0..=MOST).map(|_| passwords.work(|| ()));
        let done = futures_util::future::join_all(all).await;
        let busy = done.iter().filter(|done| done.is_err()).count();
        assert_eq!(busy, 1);
        assert!(passwords.hash("correct horse".to_owned()).await.is_ok());
    }
}

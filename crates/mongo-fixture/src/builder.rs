//! What a set is like before it starts.

use std::time::Duration;

use crate::{FixtureError, ReplicaSet};

/// The choices for a set; [`ReplicaSet::builder`] begins with one member and the server's own defaults.
#[derive(Clone, Debug)]
pub struct Builder {
    pub(crate) members: usize,
    pub(crate) election_timeout: Option<Duration>,
    pub(crate) auth: bool,
    pub(crate) standalone: bool,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            members: 1,
            election_timeout: None,
            auth: false,
            standalone: false,
        }
    }

    /// How many members, from 1 to 7; each is a process of some 100 MB.
    #[must_use]
    pub fn members(mut self, members: usize) -> Self {
        self.members = members;
        self
    }

    /// How long members wait for a sign of the primary before they elect another; the server's default is 10 s.
    #[must_use]
    pub fn election_timeout(mut self, timeout: Duration) -> Self {
        self.election_timeout = Some(timeout);
        self
    }

    /// Members know each other by a key file, and [`ReplicaSet::uri`] names a user with all rights. Further ones
    /// come from [`ReplicaSet::create_user`].
    #[must_use]
    pub fn auth(mut self) -> Self {
        self.auth = true;
        self
    }

    /// One server without a replica set, as a plain installation has it: no transactions, no change streams.
    #[must_use]
    pub fn standalone(mut self) -> Self {
        self.standalone = true;
        self
    }

    /// Starts it, and returns once a primary accepts writes and all other members follow it.
    pub async fn start(self) -> Result<ReplicaSet, FixtureError> {
        if !(1..=7).contains(&self.members) || self.standalone && self.members != 1 {
            return Err(FixtureError::Misuse(format!(
                "{} members: a replica set has 1 to 7 voting ones, a standalone server is 1",
                self.members
            )));
        }
        ReplicaSet::launch(self).await
    }
}

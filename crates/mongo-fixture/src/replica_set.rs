//! A replica set and what can be done to it.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mongodb::Client;
use mongodb::bson::{Document, doc};

use self::start::ready;
use crate::guard::{Folder, Process, Signal};
use crate::port::Port;
use crate::probe::{Probe, State};
use crate::{Builder, FixtureError};

mod ask;
mod start;
#[cfg(test)]
mod tests;

const NAME: &str = "rs0";
const ROOT: &str = "root";
/// It guards nothing: the server listens on the loopback only and lives as long as a test.
const ROOT_PASSWORD: &str = "fixture";

/// A running replica set, or one standalone server.
///
/// Members are numbered from 0. All methods take `&self`, and may be called from any runtime: no connection is kept
/// between two calls. It ends with all its data when it is dropped, which blocks for some 100 ms.
pub struct ReplicaSet {
    // Dropped in this order: processes first, then their folders.
    members: Vec<Member>,
    _folder: Folder,
    program: PathBuf,
    key_file: Option<PathBuf>,
    standalone: bool,
}

struct Member {
    /// Nothing while it is down.
    process: Mutex<Option<Process>>,
    port: Port,
    folder: PathBuf,
}

impl ReplicaSet {
    /// Starts a set of so many members with the server's defaults, as [`Builder::start`] does.
    pub async fn start(members: usize) -> Result<Self, FixtureError> {
        Self::builder().members(members).start().await
    }

    /// The choices for a set, to be started by [`Builder::start`].
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// The connection string, with all members and the name of the set, without a database.
    pub fn uri(&self) -> String {
        self.uri_for("")
    }

    /// The connection string whose database is `database`.
    pub fn uri_for(&self, database: &str) -> String {
        let user = self.key_file.as_ref().map(|_| (ROOT, ROOT_PASSWORD));
        self.uri_with(user, database)
    }

    /// The connection string of a user of [`create_user`](Self::create_user).
    ///
    /// `user` and `password` stand in it as they are: keep to letters and digits.
    pub fn uri_as(&self, user: &str, password: &str, database: &str) -> String {
        self.uri_with(Some((user, password)), database)
    }

    /// A client of the whole set; it belongs to the calling runtime.
    pub async fn client(&self) -> Result<Client, FixtureError> {
        Ok(Client::with_uri_str(self.uri()).await?)
    }

    /// How many members the set has, running or not.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// The port of a member on 127.0.0.1; it keeps it while it is down.
    pub fn port(&self, member: usize) -> Result<u16, FixtureError> {
        Ok(self.member(member)?.port.number())
    }

    /// The process id of a member, or nothing while it is down.
    pub fn pid(&self, member: usize) -> Result<Option<u32>, FixtureError> {
        Ok(self.member(member)?.process().as_ref().map(Process::pid))
    }

    /// The number of the member that is primary now, or nothing during an election.
    pub async fn primary(&self) -> Result<Option<usize>, FixtureError> {
        Ok(primary_of(&self.probe()?.states().await))
    }

    /// The number of the primary, as soon as there is one; a standalone server counts as one.
    pub async fn await_primary(&self) -> Result<usize, FixtureError> {
        let probe = self.probe()?;
        self.until("there is a primary", async || {
            primary_of(&probe.states().await)
        })
        .await
    }

    /// The port of the primary, as soon as there is one.
    pub async fn primary_port(&self) -> Result<u16, FixtureError> {
        self.port(self.await_primary().await?)
    }

    /// Kills the primary, as soon as there is one, by `SIGKILL`, and returns its number. Another is elected 10 to
    /// 12 s later if a majority is left, unless [`Builder::election_timeout`] says otherwise.
    pub async fn kill_primary(&self) -> Result<usize, FixtureError> {
        let primary = self.await_primary().await?;
        self.kill(primary).await?;
        Ok(primary)
    }

    /// Kills a member by `SIGKILL`, and returns when it is gone; its data stays for [`restart`](Self::restart).
    pub async fn kill(&self, member: usize) -> Result<(), FixtureError> {
        self.end(member, Signal::Kill).await
    }

    /// Ends a member in good order, and returns when it is gone. A primary hands over to another member first, if
    /// there is one.
    pub async fn stop_member(&self, member: usize) -> Result<(), FixtureError> {
        self.end(member, Signal::Terminate).await
    }

    /// Makes a member stand still with its connections open, like a machine that hangs; [`resume`](Self::resume)
    /// ends it.
    pub fn pause(&self, member: usize) -> Result<(), FixtureError> {
        self.send(member, Signal::Stop)
    }

    /// Lets a member go on after [`pause`](Self::pause).
    pub fn resume(&self, member: usize) -> Result<(), FixtureError> {
        self.send(member, Signal::Continue)
    }

    /// Starts a member that is down on its old port with its old data, and returns when it is a secondary or the
    /// primary.
    pub async fn restart(&self, member: usize) -> Result<(), FixtureError> {
        let it = self.member(member)?;
        if it.process().is_some() {
            return Err(FixtureError::Misuse(format!("member {member} is not down")));
        }
        self.spawn(it)?;
        let probe = Probe::new([it.port.number()])?;
        self.until("the restarted member is back", async || {
            let states = probe.states().await;
            ready(&states).then_some(())
        })
        .await
    }

    /// Makes the primary give up its office for `pause` at least, whole seconds and one or more, and returns its
    /// number. With other members one of them takes over at once; a set of one has no primary for that time.
    pub async fn step_down(&self, pause: Duration) -> Result<usize, FixtureError> {
        let primary = self.await_primary().await?;
        let alone = self.members.len() == 1;
        let seconds = i64::try_from(pause.as_secs().max(1)).unwrap_or(i64::MAX);
        let catch_up = if alone { 0 } else { seconds.min(10) };
        let command = doc! {
            "replSetStepDown": seconds,
            "secondaryCatchUpPeriodSecs": catch_up,
            "force": alone,
        };
        self.admin(primary, command).await?;
        Ok(primary)
    }

    /// Adds a user to a set with [`Builder::auth`]; each right is a role and the database that it is for, such as
    /// `("readWrite", "chat")`. No right at all is allowed.
    pub async fn create_user(
        &self,
        user: &str,
        password: &str,
        rights: &[(&str, &str)],
    ) -> Result<(), FixtureError> {
        let roles: Vec<Document> = rights
            .iter()
            .map(|(role, database)| doc! { "role": *role, "db": *database })
            .collect();
        let command = doc! {
            "createUser": user,
            "pwd": password,
            "roles": roles,
            "writeConcern": { "w": "majority" },
        };
        let primary = self.await_primary().await?;
        self.admin(primary, command).await
    }

    fn uri_with(&self, user: Option<(&str, &str)>, database: &str) -> String {
        let hosts: Vec<String> = self
            .members
            .iter()
            .map(|member| format!("127.0.0.1:{}", member.port.number()))
            .collect();
        let mut options = Vec::new();
        if !self.standalone {
            options.push(format!("replicaSet={NAME}"));
        }
        let mut login = String::new();
        if let Some((user, password)) = user {
            login = format!("{user}:{password}@");
            options.push("authSource=admin".to_owned());
        }
        let mark = if options.is_empty() { "" } else { "?" };
        format!(
            "mongodb://{login}{}/{database}{mark}{}",
            hosts.join(","),
            options.join("&")
        )
    }

    fn member(&self, number: usize) -> Result<&Member, FixtureError> {
        self.members
            .get(number)
            .ok_or_else(|| FixtureError::Misuse(format!("there is no member {number}")))
    }

    fn probe(&self) -> Result<Probe, FixtureError> {
        Probe::new(self.members.iter().map(|member| member.port.number()))
    }

    fn send(&self, member: usize, signal: Signal) -> Result<(), FixtureError> {
        match self.member(member)?.process().as_mut() {
            Some(process) => process.send(signal),
            None => Err(FixtureError::Misuse(format!("member {member} is down"))),
        }
    }

    async fn end(&self, member: usize, signal: Signal) -> Result<(), FixtureError> {
        self.send(member, signal)?;
        // Taken out, so that its end is not an accident in the eyes of `until`.
        let it = self.member(member)?;
        let mut process = it.process().take();
        let ended = self.until("the member has ended", async || match &mut process {
            Some(process) => process.ended().ok().flatten().map(drop),
            None => Some(()),
        });
        ended.await
    }
}

impl Member {
    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        // What a panicking test left is still the process that must be stopped.
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn primary_of(states: &[State]) -> Option<usize> {
    states.iter().position(|state| *state == State::Primary)
}

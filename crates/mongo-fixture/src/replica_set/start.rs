//! From nothing to a set that accepts writes.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use mongodb::bson::{Document, doc};

use super::{Member, NAME, ROOT, ROOT_PASSWORD, ReplicaSet};
use crate::error::cannot;
use crate::guard::{Folder, Process};
use crate::port::Port;
use crate::probe::{Probe, State};
use crate::{Builder, FixtureError, program};

/// What every member is started with. The diagnostic data would be written every second for nobody; lapsed documents
/// go after a second instead of a minute; a member that is asked to end does not wait 15 s for its clients; what a
/// client that is gone has locked is free after 10 s instead of a minute; and the files of a dropped database are closed
/// after a second instead of five minutes, since a suite's many databases have more of them than a process may open.
const OPTIONS: &str = "--bind_ip 127.0.0.1 --nounixsocket --quiet --wiredTigerCacheSizeGB 0.25 \
    --setParameter diagnosticDataCollectionEnabled=false --setParameter ttlMonitorSleepSecs=1 \
    --setParameter shutdownTimeoutMillisForSignaledShutdown=100 --setParameter transactionLifetimeLimitSeconds=10 \
    --setParameter minSnapshotHistoryWindowInSeconds=1";

impl ReplicaSet {
    pub(crate) async fn launch(choices: Builder) -> Result<Self, FixtureError> {
        let program = program::find()?;
        let folder = Folder::new()?;
        let key_file = choices
            .auth
            .then(|| write_key_file(folder.path()))
            .transpose()?;
        let members = (0..choices.members)
            .map(|number| new_member(folder.path().join(number.to_string())))
            .collect::<Result<_, FixtureError>>()?;
        let this = Self {
            members,
            _folder: folder,
            program,
            key_file,
            standalone: choices.standalone,
        };
        for member in &this.members {
            this.spawn(member)?;
        }
        let probe = this.probe()?;
        this.until("every member answers", async || {
            let states = probe.states().await;
            (!states.contains(&State::Down)).then_some(())
        })
        .await?;
        if !this.standalone {
            this.initiate(choices.election_timeout).await?;
            this.elect(&probe).await?;
        }
        if this.key_file.is_some() {
            this.create_root().await?;
        }
        if !this.standalone {
            this.confirm_writes().await?;
        }
        Ok(this)
    }

    /// Starts the process of a member that is down; it does not answer yet when this returns.
    pub(super) fn spawn(&self, member: &Member) -> Result<(), FixtureError> {
        let port = member.port.number().to_string();
        let log = member.log();
        let mut arguments: Vec<&OsStr> = OPTIONS.split_whitespace().map(OsStr::new).collect();
        arguments.extend([OsStr::new("--port"), port.as_ref()]);
        arguments.extend([OsStr::new("--dbpath"), member.folder.as_ref()]);
        arguments.extend(["--logappend", "--logpath"].map(OsStr::new));
        arguments.push(log.as_ref());
        if !self.standalone {
            arguments.extend(["--replSet", NAME].map(OsStr::new));
        }
        if let Some(key_file) = &self.key_file {
            arguments.extend([OsStr::new("--keyFile"), key_file.as_ref()]);
        }
        let output = member.folder.join("output.txt");
        *member.process() = Some(Process::start(&self.program, arguments, &output)?);
        Ok(())
    }

    async fn initiate(&self, election_timeout: Option<Duration>) -> Result<(), FixtureError> {
        let members: Vec<Document> = (0_i32..)
            .zip(&self.members)
            .map(|(number, member)| {
                let host = format!("127.0.0.1:{}", member.port.number());
                doc! { "_id": number, "host": host }
            })
            .collect();
        let mut settings = Document::new();
        if let Some(timeout) = election_timeout {
            let millis = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
            settings.insert("electionTimeoutMillis", millis);
        }
        let config = doc! { "_id": NAME, "members": members, "settings": settings };
        self.admin_unnamed(0, doc! { "replSetInitiate": config })
            .await
    }

    /// Waits for the first primary, and until all others follow it.
    ///
    /// Left alone, a set of several waits a whole election time-out before the first vote, so the first member is
    /// asked to stand at once. It refuses as long as it does not see the others, and where logins are needed and no
    /// user exists yet; then the vote comes by itself.
    async fn elect(&self, probe: &Probe) -> Result<(), FixtureError> {
        self.until("there are a primary and its followers", async || {
            let states = probe.states().await;
            let elected = states.contains(&State::Primary);
            if elected && ready(&states) {
                return Some(());
            }
            if !elected && self.key_file.is_none() && states.first() == Some(&State::Secondary) {
                // What counts is what the members say next.
                let _ = self.admin_unnamed(0, doc! { "replSetStepUp": 1 }).await;
            }
            None
        })
        .await
    }

    /// Makes the first user, which a server without users lets anybody do who comes from its own machine.
    async fn create_root(&self) -> Result<(), FixtureError> {
        let command = doc! { "createUser": ROOT, "pwd": ROOT_PASSWORD, "roles": ["root"] };
        let primary = self.await_primary().await?;
        self.admin_unnamed(primary, command).await
    }

    /// Makes sure that a write reaches a majority, by a note in the log of operations: it leaves no database behind.
    async fn confirm_writes(&self) -> Result<(), FixtureError> {
        let primary = self.await_primary().await?;
        let note = doc! {
            "appendOplogNote": 1,
            "data": { "started by": "mongo-fixture" },
            "writeConcern": { "w": "majority" },
        };
        self.admin(primary, note).await
    }
}

/// Whether every member is a primary or follows one.
pub(super) fn ready(states: &[State]) -> bool {
    states
        .iter()
        .all(|state| matches!(state, State::Primary | State::Secondary))
}

fn new_member(folder: PathBuf) -> Result<Member, FixtureError> {
    fs::create_dir(&folder).map_err(cannot("make a member's folder"))?;
    Ok(Member {
        process: Mutex::new(None),
        port: Port::take()?,
        folder,
    })
}

/// The secret by which members know each other. It need not be one: see [`ROOT_PASSWORD`].
fn write_key_file(folder: &Path) -> Result<PathBuf, FixtureError> {
    let what = "write the key file";
    let file = folder.join("key");
    fs::write(&file, "onlyForTestsOnTheLoopback").map_err(cannot(what))?;
    // The server refuses one that others may read.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).map_err(cannot(what))?;
    Ok(file)
}

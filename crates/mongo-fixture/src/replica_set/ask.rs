//! Waiting for states, and sending commands to one member.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mongodb::bson::Document;
use mongodb::options::Credential;
use tokio::time::Instant;

use super::{Member, ROOT, ROOT_PASSWORD, ReplicaSet};
use crate::FixtureError;
use crate::probe::direct;

/// How long any state may take. An election takes 10 to 12 s by default, and the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(90);
/// The pause between two questions.
const PAUSE: Duration = Duration::from_millis(10);
/// How much of a log an error shows.
const LOG_LINES: usize = 4;

impl ReplicaSet {
    /// What `ask` answers as soon as it answers anything; fails when a member ends meanwhile that should run, and
    /// after [`PATIENCE`].
    pub(super) async fn until<T>(
        &self,
        what: &'static str,
        mut ask: impl AsyncFnMut() -> Option<T>,
    ) -> Result<T, FixtureError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask().await {
                return Ok(answer);
            }
            for (number, member) in self.members.iter().enumerate() {
                let ended = match member.process().as_mut() {
                    Some(process) => process.ended()?,
                    None => None,
                };
                if let Some(status) = ended {
                    return Err(FixtureError::Ended {
                        member: number,
                        status,
                        log: member.last_words(),
                    });
                }
            }
            if Instant::now() > deadline {
                let logs: Vec<String> = self.members.iter().map(Member::last_words).collect();
                return Err(FixtureError::Late {
                    what,
                    seconds: PATIENCE.as_secs(),
                    log: logs.join("\n"),
                });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Sends a command for the database `admin` to one member, with all rights.
    pub(super) async fn admin(&self, member: usize, command: Document) -> Result<(), FixtureError> {
        let credential = self.key_file.as_ref().map(|_| {
            Credential::builder()
                .username(ROOT.to_owned())
                .password(ROOT_PASSWORD.to_owned())
                .build()
        });
        self.send_command(member, credential, command).await
    }

    /// As [`admin`](Self::admin), but without a login.
    pub(super) async fn admin_unnamed(
        &self,
        member: usize,
        command: Document,
    ) -> Result<(), FixtureError> {
        self.send_command(member, None, command).await
    }

    async fn send_command(
        &self,
        member: usize,
        credential: Option<Credential>,
        command: Document,
    ) -> Result<(), FixtureError> {
        direct(self.port(member)?, credential)?
            .database("admin")
            .run_command(command)
            .await?;
        Ok(())
    }
}

impl Member {
    pub(super) fn log(&self) -> PathBuf {
        self.folder.join("mongod.log")
    }

    /// The end of its log, or of what it printed before it had one.
    fn last_words(&self) -> String {
        let read = |file| {
            fs::read(file).map_or_else(
                |_absent| String::new(),
                |bytes| String::from_utf8_lossy(&bytes).into_owned(),
            )
        };
        let mut text = read(self.log());
        if text.is_empty() {
            text = read(self.folder.join("output.txt"));
        }
        let lines: Vec<&str> = text.lines().collect();
        let skipped = lines.len().saturating_sub(LOG_LINES);
        lines
            .into_iter()
            .skip(skipped)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

//! A replica set for tests that are not in Rust.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::shell::Workspace;

/// A replica set, of one member unless told, kept by the program of the crate mongo-fixture; it ends with this.
pub(crate) struct ReplicaSet {
    /// Holds the end of the pipe that keeps the set.
    fixture: Child,
    uri: String,
}

impl ReplicaSet {
    /// Starts the debug build of the fixture with this mongod, and waits until it has a set that accepts writes.
    pub(crate) fn start(workspace: &Workspace, mongod: &Path) -> Result<Self> {
        Self::keep(
            &mut workspace.command(workspace.program("debug", "mongo-fixture")),
            mongod,
        )
    }

    /// The same with a command that starts the fixture.
    pub(crate) fn keep(fixture: &mut Command, mongod: &Path) -> Result<Self> {
        let mut fixture = fixture
            .env("SKEIN_MONGOD", mongod)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start mongo-fixture")?;
        let stdout = fixture
            .stdout
            .take()
            .context("the output of mongo-fixture is not piped")?;
        let mut this = Self {
            fixture,
            uri: String::new(),
        };
        BufReader::new(stdout).read_line(&mut this.uri)?;
        ensure!(
            this.uri.ends_with('\n'),
            "mongo-fixture ended before its replica set was up"
        );
        this.uri.truncate(this.uri.trim_end().len());
        Ok(this)
    }

    /// Its connection string, without a database.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }
}

impl Drop for ReplicaSet {
    fn drop(&mut self) {
        drop(self.fixture.stdin.take());
        // It fails only if it has ended already.
        let _ = self.fixture.wait();
    }
}

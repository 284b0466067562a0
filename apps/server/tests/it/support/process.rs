use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// The binary, running in a folder of its own with no settings but the given ones.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) address: SocketAddr,
    child: Child,
    said: String,
    log: PathBuf,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) said: String,
    /// Standard error.
    pub(crate) told: String,
}

impl Ran {
    /// It, which must have succeeded.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

impl Process {
    /// Starts it on the data in this folder and returns once it listens.
    pub(crate) fn start(dir: &Path, settings: &[(&str, &str)]) -> Self {
        let log = dir.join("log");
        let mut child = command(dir, settings)
            .stdout(Stdio::piped())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let json = settings.contains(&("SKEIN_LOG_FORMAT", "json"));
        let address = if json {
            listening(&log, &mut child)
        } else {
            // The greeting comes at once, and its last line is the one that begins so.
            while !said.contains("Stop with") {
                let read = lines.read_line(&mut said).unwrap();
                assert_ne!(
                    read,
                    0,
                    "it did not start: {}",
                    fs::read_to_string(&log).unwrap()
                );
            }
            let from = said.split("http://").nth(1).unwrap();
            from[..from.find('/').unwrap()].parse().unwrap()
        };
        Self {
            address,
            child,
            said,
            log,
        }
    }

    /// Starts it where it must not start: its exit code and what it said on standard error.
    pub(crate) fn refused(dir: &Path, settings: &[(&str, &str)]) -> (Option<i32>, String) {
        let output = command(dir, settings).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    }

    /// Runs another command than serving, to its end.
    pub(crate) fn run(dir: &Path, settings: &[(&str, &str)], arguments: &[&str]) -> Ran {
        let output = command(dir, settings).args(arguments).output().unwrap();
        Ran {
            code: output.status.code(),
            said: String::from_utf8(output.stdout).unwrap(),
            told: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What it said on standard output when it was ready.
    pub(crate) fn said(&self) -> &str {
        &self.said
    }

    /// SIGKILL; returns when it is dead.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; the exit code.
    pub(crate) fn terminate(mut self) -> Option<i32> {
        self.tell_to_stop();
        self.child.wait().unwrap().code()
    }

    /// SIGTERM; the whole log.
    pub(crate) fn log_after_termination(mut self) -> String {
        self.tell_to_stop();
        self.child.wait().unwrap();
        fs::read_to_string(&self.log).unwrap()
    }

    fn tell_to_stop(&self) {
        // A shell's own `kill`: the standard library sends no signal but SIGKILL.
        let told = Command::new("sh")
            .arg("-c")
            .arg(format!("kill -TERM {}", self.child.id()))
            .status()
            .unwrap();
        assert!(told.success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A test that failed leaves no process behind; for one that ended this does nothing.
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

fn command(dir: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skein"));
    command
        .current_dir(dir)
        .env_clear()
        .env("SKEIN_BIND", "127.0.0.1:0")
        .env("SKEIN_DATA_DIR", dir.join("data"))
        .envs(settings.iter().copied())
        .stdin(Stdio::null());
    command
}

/// The address that a log of JSON lines tells; it is read until it does.
fn listening(log: &Path, child: &mut Child) -> SocketAddr {
    loop {
        let written = fs::read_to_string(log).unwrap();
        let told = written.lines().find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            line["address"].as_str()?.parse().ok()
        });
        if let Some(address) = told {
            return address;
        }
        assert_eq!(
            child.try_wait().unwrap(),
            None,
            "it did not start: {written}"
        );
        std::thread::yield_now();
    }
}

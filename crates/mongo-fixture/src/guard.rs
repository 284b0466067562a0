//! Processes and folders that do not outlive us.
//!
//! No program can act on its own `SIGKILL`, so somebody else must: a shell that reads from a pipe. Only this process
//! holds the other end (Rust opens pipes so that children do not inherit them), and the system closes it however the
//! process ends. The shells are in process groups of their own: a Ctrl-C at the terminal is for this process.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use crate::FixtureError;
use crate::error::cannot;

/// Runs `$2…` with its output in the file `$1`, prints its process id, sends it the signals that standard input
/// names, `KILL` at the end of standard input, and ends as it ended.
const PROCESS: &str = r#"
output=$1; shift
exec 3<&0
"$@" </dev/null >"$output" 2>&1 3<&- &
pid=$!
{ while read -r signal; do kill -s "$signal" "$pid"; done; kill -s KILL "$pid"; } <&3 >/dev/null &
reader=$!
trap '' HUP INT TERM
echo "$pid"
exec >/dev/null
wait "$pid"
status=$?
kill -s KILL "$reader"
exit "$status"
"#;

/// Removes the folder `$1` at the end of standard input. A process that is just being killed may still write into
/// it, hence the repetition; nobody makes a folder again that is gone.
const FOLDER: &str = r#"
trap '' HUP INT TERM
read -r _
tries=0
until rm -rf -- "$1" || [ "$tries" -ge 100 ]; do tries=$((tries + 1)); sleep 0.1; done
"#;

/// What a guarded process can be sent.
#[derive(Clone, Copy)]
pub(crate) enum Signal {
    /// End now, without a chance to write anything.
    Kill,
    /// End in good order.
    Terminate,
    /// Stand still, with all connections open.
    Stop,
    /// Go on after a stop.
    Continue,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kill => "KILL",
            Self::Terminate => "TERM",
            Self::Stop => "STOP",
            Self::Continue => "CONT",
        })
    }
}

/// A process that is killed when this is dropped, and when our process ends.
pub(crate) struct Process {
    shell: Child,
    control: Option<ChildStdin>,
    pid: u32,
}

impl Process {
    /// Starts `program` with its output in the file `output`.
    pub(crate) fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        output: &Path,
    ) -> Result<Self, FixtureError> {
        let what = "start mongod under its guard";
        let mut shell = shell(PROCESS)
            .arg(output)
            .arg(program)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(cannot(what))?;
        let mut line = String::new();
        if let Some(stdout) = shell.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(cannot(what))?;
        }
        let pid = line
            .trim()
            .parse()
            .map_err(|error| cannot(what)(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        Ok(Self {
            control: shell.stdin.take(),
            shell,
            pid,
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Sends it a signal; one that has ended gets none.
    pub(crate) fn send(&mut self, signal: Signal) -> Result<(), FixtureError> {
        let Some(control) = &mut self.control else {
            return Ok(());
        };
        match writeln!(control, "{signal}") {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(cannot("tell mongod's guard to send a signal")(error))
            }
            _ => Ok(()),
        }
    }

    /// How it ended, or nothing as long as it runs. A signal counts as 128 and its number, as in a shell.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, FixtureError> {
        self.shell
            .try_wait()
            .map_err(cannot("ask whether mongod has ended"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.control = None;
        // It fails only when it was waited for already.
        let _ = self.shell.wait();
    }
}

/// A temporary folder that is removed when this is dropped, and when our process ends.
pub(crate) struct Folder {
    shell: Child,
    path: PathBuf,
}

impl Folder {
    /// Makes one.
    pub(crate) fn new() -> Result<Self, FixtureError> {
        let what = "make a temporary folder";
        let path = tempfile::Builder::new()
            .prefix("mongo-fixture-")
            .tempdir()
            .map_err(cannot(what))?
            .keep();
        let shell = shell(FOLDER)
            .arg(&path)
            .stdout(Stdio::null())
            .spawn()
            .map_err(cannot(what))?;
        Ok(Self { shell, path })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        // It fails only when it was waited for already.
        let _ = self.shell.wait();
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", script, "guard"])
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    command
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::ExitStatus;
    use std::time::{Duration, Instant};

    use super::{Process, Signal};

    /// Sleeps for longer than the test waits, and not for ever should the guard be broken.
    fn sleeper(folder: &Path) -> Process {
        Process::start("/bin/sleep".as_ref(), ["60"], &folder.join("output")).unwrap()
    }

    fn ended(process: &mut Process) -> Option<ExitStatus> {
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if let Some(status) = process.ended().unwrap() {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    #[test]
    fn kills_at_the_end_of_the_pipe_and_ends_as_the_process_did() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper(folder.path());
        assert_eq!(process.ended().unwrap(), None);
        process.control = None;
        let status = ended(&mut process).expect("it is not killed");
        assert_eq!(status.code(), Some(128 + 9));
    }

    #[test]
    fn sends_the_signals_that_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = sleeper(folder.path());
        process.send(Signal::Terminate).unwrap();
        let status = ended(&mut process).expect("it does not get the signal");
        assert_eq!(status.code(), Some(128 + 15));
        // There is nobody left to send it to, which is no fault.
        process.send(Signal::Kill).unwrap();
    }
}

//! A MongoDB replica set by hand: `cargo run -p mongo-fixture -- [members]`.
//!
//! Prints the connection string, and keeps the set until standard input ends or it is interrupted.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a terminal, or a pipe to a test, is this program's only output"
)]

use std::io::{self, Read};
use std::process::ExitCode;

use mongo_fixture::{FixtureError, ReplicaSet};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let members = match words.as_slice() {
        [] => Ok(1),
        [members] => members.parse(),
        _ => "".parse(),
    };
    let Ok(members) = members else {
        eprintln!("usage: mongo-fixture [members]");
        return ExitCode::from(2);
    };
    match keep(members) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let reason = std::error::Error::source(&error);
            let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
            eprintln!("mongo-fixture: {error}{reason}");
            ExitCode::FAILURE
        }
    }
}

fn keep(members: usize) -> Result<(), FixtureError> {
    let failed = |what| move |source| FixtureError::Io { what, source };
    let set = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed("start a runtime"))?
        .block_on(ReplicaSet::start(members))?;
    println!("{}", set.uri());
    // An interrupt ends this process, and the set with it, without any code for it here.
    io::stdin()
        .read_to_end(&mut Vec::new())
        .map_err(failed("read standard input"))?;
    Ok(())
}

//! The chores of this workspace: tests, benchmarks, generated files, the layer check.
//!
//! Run it as `cargo xtask <command>`. It may use any crate it likes, and no crate of the workspace depends on it.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a terminal is this program's only output"
)]

mod bench;
mod counts;
mod layers;
mod mongo;
mod openapi;
mod process;
mod setup;
mod shell;
mod suite;

use std::process::ExitCode;

use anyhow::Result;
use shell::Workspace;

const USAGE: &str = "\
usage: cargo xtask <command>

  test             bring what the tests need, then run everything
  test --rust      the quick loop: format, lints, layers, Rust tests
  conformance      the client tests over the full matrix of client versions
  conformance --mongo
                   the same over a server with the MongoDB store
  layers           check the direction of dependencies
  openapi          write openapi.json and the console's types from the code
  bench            build for release, measure, print one table
  bench --only GROUP
                   a part of it: start, memory, streaming, sqlite, mongodb or nodes
  setup            bring Node packages and Chromium without running anything
  setup --mongo    bring mongod, into .tools unless there is one already";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(code) => code,
        Err(fault) => {
            eprintln!("xtask: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    match words {
        ["test"] => return Ok(suite::everything(&workspace)),
        ["test", "--rust"] => return Ok(suite::rust_only(&workspace)),
        ["conformance"] => return Ok(suite::conformance(&workspace)),
        ["conformance", "--mongo"] => return Ok(suite::conformance_over_mongo(&workspace)),
        ["layers"] => layers::check(&workspace)?,
        ["openapi"] => openapi::write(&workspace)?,
        ["bench"] => bench::run(&workspace, None)?,
        ["bench", "--only", group] => bench::run(&workspace, Some(group))?,
        ["splice", listen, upstream] => bench::splice(listen, upstream)?,
        ["setup"] => setup::clients(&workspace).map(drop)?,
        ["setup", "--mongo"] => println!("{}", setup::mongod(&workspace)?.display()),
        [] | ["help" | "--help" | "-h"] => println!("{USAGE}"),
        other => {
            eprintln!("xtask: unknown command `{}`\n\n{USAGE}", other.join(" "));
            return Ok(ExitCode::from(2));
        }
    }
    Ok(ExitCode::SUCCESS)
}

//! `cargo xtask test`: every check in order, the first failing one stops it, one summary line at the end.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::counts::{Tally, from_cargo_line, from_node_line};
use crate::mongo::ReplicaSet;
use crate::setup::{self, Clients};
use crate::shell::{Workspace, run, succeeded, tee};
use crate::{layers, openapi};

/// The newest package of each major version that the client tests drive a server with.
const NEWEST: &[&str] = &["ai5", "ai6", "ai7"];
/// Every version that the contracts name.
const MATRIX: &[&str] = &["ai5", "ai6", "ai7", "ai5old", "ai5b", "ai6old", "ai7old"];
const CLIENT_TESTS: &[&str] = &["clients/*.test.mjs"];
const BROWSER_TESTS: &[&str] = &["browser/*.test.mjs"];
/// The tests in the browser that take versions of the client packages; the others are of the console.
const PACKAGES_IN_BROWSER: &[&str] = &["browser/react.test.mjs"];
/// Modules of the server's tests that choose the store themselves, or need none; the others run over both stores.
const CHOOSE_THEIR_STORE: &[&str] = &["commands::", "crash::", "nodes::", "openapi::", "process::"];
/// Where `tests/clients/support/servers.mjs` looks for the store of the servers that it starts.
const MONGODB: &str = "SKEIN_TEST_MONGODB_URI";

/// Brings what the tests need, then runs all of them.
pub(crate) fn everything(workspace: &Workspace) -> ExitCode {
    summarise(|run| {
        let clients = run.value("set-up", || setup::clients(workspace))?;
        rust(workspace, run)?;
        run.step("documentation", || documentation(workspace))?;
        run.step("programs", || programs(workspace))?;
        run.step("console types", || {
            openapi::check_console(workspace, &clients.node)
        })?;
        run.tests("clients", || {
            node_tests(workspace, &clients, NEWEST, CLIENT_TESTS, None)
        })?;
        over_mongo(workspace, run, &clients, NEWEST)?;
        run.tests("browser", || {
            node_tests(workspace, &clients, &[], BROWSER_TESTS, None)
        })
    })
}

/// The quick loop: format, lints, layers and Rust tests, without Node and without a browser.
pub(crate) fn rust_only(workspace: &Workspace) -> ExitCode {
    summarise(|run| rust(workspace, run))
}

/// The client tests over every version that the contracts name.
pub(crate) fn conformance(workspace: &Workspace) -> ExitCode {
    summarise(|run| {
        let clients = run.value("set-up", || setup::clients(workspace))?;
        run.step("programs", || programs(workspace))?;
        run.tests("clients", || {
            node_tests(workspace, &clients, MATRIX, CLIENT_TESTS, None)
        })?;
        run.tests("clients in the browser", || {
            node_tests(workspace, &clients, MATRIX, PACKAGES_IN_BROWSER, None)
        })
    })
}

/// The same over a server with the MongoDB store.
pub(crate) fn conformance_over_mongo(workspace: &Workspace) -> ExitCode {
    summarise(|run| {
        let clients = run.value("set-up", || setup::clients(workspace))?;
        run.step("programs", || programs(workspace))?;
        over_mongo(workspace, run, &clients, MATRIX)
    })
}

/// A run of the suite: what its steps have counted so far.
#[derive(Default)]
struct Run {
    tally: Tally,
}

impl Run {
    fn value<T>(&mut self, name: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("── {name}");
        let start = Instant::now();
        let value = step()
            .with_context(|| name.to_owned())
            .inspect_err(|_| self.tally.failed += 1)?;
        println!("── {name}: {:.1} s", start.elapsed().as_secs_f64());
        Ok(value)
    }

    fn step(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> Result<()> {
        self.value(name, step)
    }

    /// A step that counts. A test that was left out fails it as much as one that failed: nothing is skipped in
    /// silence.
    fn tests(
        &mut self,
        name: &str,
        step: impl FnOnce() -> Result<(Tally, Result<()>)>,
    ) -> Result<()> {
        println!("── {name}");
        let start = Instant::now();
        let (mut tally, ended) = step().unwrap_or_else(|fault| (Tally::default(), Err(fault)));
        let ended = ended.and_then(|()| {
            ensure!(tally.skipped == 0, "{} tests did not run", tally.skipped);
            ensure!(tally.passed > 0, "there was no test to run");
            Ok(())
        });
        if ended.is_err() && tally.failed == 0 {
            tally.failed = 1;
        }
        self.tally += tally;
        println!(
            "── {name}: {} passed, {} failed, {:.1} s",
            tally.passed,
            tally.failed,
            start.elapsed().as_secs_f64()
        );
        ended.with_context(|| name.to_owned())
    }
}

fn summarise(steps: impl FnOnce(&mut Run) -> Result<()>) -> ExitCode {
    let start = Instant::now();
    let mut run = Run::default();
    let ended = steps(&mut run);
    println!("── wall time: {:.0} s", start.elapsed().as_secs_f64());
    if let Err(fault) = &ended {
        // On standard output, so that it stands before the summary also where the two are piped apart.
        println!("xtask: stopped at {fault:#}");
    }
    println!(
        "xtask: {} passed, {} failed",
        run.tally.passed, run.tally.failed
    );
    if ended.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn rust(workspace: &Workspace, steps: &mut Run) -> Result<()> {
    steps.step("format", || {
        run(&mut workspace.cargo(&["fmt", "--all", "--check"])).context("run `cargo fmt --all`")
    })?;
    steps.step("lints", || {
        let scope = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ];
        run(&mut workspace.cargo(&scope))
    })?;
    steps.step("layers", || layers::check(workspace))?;
    let mongod = steps.value("mongod", || setup::mongod(workspace))?;
    steps.tests("Rust tests", || {
        let mut command = workspace.cargo(&["test", "--workspace", "--locked", "--no-fail-fast"]);
        command.env("SKEIN_MONGOD", &mongod);
        counted(&mut command)
    })?;
    steps.tests("server tests over MongoDB", || {
        let mut command = workspace.cargo(&[
            "test",
            "--locked",
            "--package",
            "server",
            "--test",
            "it",
            "--",
        ]);
        for module in CHOOSE_THEIR_STORE {
            command.args(["--skip", module]);
        }
        command
            .env("SKEIN_MONGOD", &mongod)
            .env("SKEIN_TEST_STORE", "mongodb");
        counted(&mut command)
    })
}

/// Runs the tests of a Cargo command and counts them.
fn counted(command: &mut Command) -> Result<(Tally, Result<()>)> {
    let mut tally = Tally::default();
    let status = tee(command, |line| tally += from_cargo_line(line))?;
    Ok((tally, succeeded(command, status)))
}

fn documentation(workspace: &Workspace) -> Result<()> {
    let mut command = workspace.cargo(&[
        "doc",
        "--workspace",
        "--no-deps",
        "--document-private-items",
        "--locked",
    ]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"))
}

fn programs(workspace: &Workspace) -> Result<()> {
    run(&mut workspace.cargo(&[
        "build",
        "--locked",
        "--package",
        "server",
        "--package",
        "mock-llm",
        "--package",
        "mongo-fixture",
        "--bins",
    ]))
}

/// The client tests again, with a replica set in the place of the data folder.
fn over_mongo(
    workspace: &Workspace,
    steps: &mut Run,
    clients: &Clients,
    versions: &[&str],
) -> Result<()> {
    let mongod = steps.value("mongod", || setup::mongod(workspace))?;
    steps.tests("clients over MongoDB", || {
        let set = ReplicaSet::start(workspace, &mongod)?;
        node_tests(workspace, clients, versions, CLIENT_TESTS, Some(set.uri()))
    })
}

/// Runs test files of `tests/clients` against the debug build; `versions` are the packages to drive it with, and
/// `mongodb` is the connection string of its store, when that is not SQLite.
fn node_tests(
    workspace: &Workspace,
    clients: &Clients,
    versions: &[&str],
    files: &[&str],
    mongodb: Option<&str>,
) -> Result<(Tally, Result<()>)> {
    let mut command = workspace.command(&clients.node);
    command
        .current_dir(workspace.path(setup::CLIENTS))
        .args(["--test", "--test-reporter=spec"])
        .args(files)
        .env("NO_COLOR", "1")
        .env("SKEIN_BIN", workspace.program("debug", "skein"))
        .env("MOCK_LLM_BIN", workspace.program("debug", "mock-llm"))
        .env("SKEIN_CHROMIUM", PathBuf::from(&clients.chromium))
        .env("AI_VERSIONS", versions.join(" "))
        .env_remove(MONGODB);
    if let Some(uri) = mongodb {
        command.env(MONGODB, uri);
    }
    let mut tally = Tally::default();
    let status = tee(&mut command, |line| tally += from_node_line(line))?;
    Ok((tally, succeeded(&command, status)))
}

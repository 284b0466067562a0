//! The layer check: which crate may depend on which, and what must stay out of the pure ones.
//!
//! The tables below are the whole law. A new dependency edge is a design change: it is added here in a commit of
//! its own, with the reason.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use serde::Deserialize;

use crate::shell::{Workspace, capture};

#[cfg(test)]
mod tests;

/// What one crate of the workspace may depend on.
struct Rule {
    name: &'static str,
    uses: &'static [&'static str],
    /// Further crates that only its tests may use.
    tests_use: &'static [&'static str],
}

const RULES: &[Rule] = &[
    Rule {
        name: "server",
        uses: &[
            "auth",
            "chat-core",
            "dialects",
            "llm-client",
            "mock-llm",
            "records",
            "storage-mongo",
            "storage-sqlite",
            "token-budget",
            "toolbox",
            "transfer",
        ],
        tests_use: &["mongo-fixture", "storage-contract"],
    },
    Rule {
        name: "auth",
        uses: &["chat-core", "records"],
        tests_use: &[],
    },
    Rule {
        name: "chat-core",
        uses: &["token-budget"],
        tests_use: &[],
    },
    Rule {
        name: "dialects",
        uses: &["chat-core", "records"],
        tests_use: &[],
    },
    Rule {
        name: "llm-client",
        uses: &["chat-core"],
        tests_use: &["mock-llm"],
    },
    Rule {
        name: "mock-llm",
        uses: &[],
        tests_use: &[],
    },
    Rule {
        name: "mongo-fixture",
        uses: &[],
        tests_use: &[],
    },
    Rule {
        name: "records",
        uses: &["chat-core"],
        tests_use: &[],
    },
    Rule {
        name: "storage-contract",
        uses: &["chat-core", "records"],
        tests_use: &[],
    },
    Rule {
        name: "storage-mongo",
        uses: &["chat-core", "records"],
        tests_use: &["mongo-fixture", "storage-contract"],
    },
    Rule {
        name: "storage-sqlite",
        uses: &["chat-core", "records"],
        tests_use: &["storage-contract"],
    },
    Rule {
        name: "token-budget",
        uses: &[],
        tests_use: &[],
    },
    Rule {
        name: "toolbox",
        uses: &["chat-core", "records", "token-budget"],
        tests_use: &["storage-sqlite"],
    },
    Rule {
        name: "transfer",
        uses: &["chat-core", "records", "token-budget"],
        tests_use: &["mongo-fixture", "storage-mongo", "storage-sqlite"],
    },
    Rule {
        name: "xtask",
        uses: &["mongo-fixture"],
        tests_use: &[],
    },
];

/// Crates without I/O: the second table must not appear anywhere below them.
const PURE: &[&str] = &["chat-core", "dialects", "records", "token-budget"];
const IMPURE: &[&str] = &[
    "actix-web",
    "hyper",
    "mongodb",
    "redis",
    "reqwest",
    "rusqlite",
    "sqlx",
];

/// Foreign crates that have one home, and the crates for tests that may name them as well.
const HOMES: &[(&str, &str, &[&str])] = &[
    ("actix-web", "server", &[]),
    ("mongodb", "storage-mongo", &["mongo-fixture"]),
    // The server fetches the public keys of another issuer of tokens.
    ("reqwest", "llm-client", &["server", "toolbox", "xtask"]),
    ("rusqlite", "storage-sqlite", &[]),
];
/// Those of them that may also drive the tests of any crate.
const FREE_IN_TESTS: &[&str] = &["mongodb", "reqwest"];

/// Fails with one line per crossed layer.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let metadata: Metadata = serde_json::from_value(workspace.metadata(&["--no-deps"])?)?;
    let mut faults = edge_faults(&metadata.packages);
    for &name in PURE {
        let mut tree =
            workspace.cargo(&["tree", "--locked", "--edges", "normal", "--prefix", "none"]);
        faults.extend(tree_faults(
            name,
            &capture(tree.args(["--format", "{p}|{f}", "--package", name]))?,
        ));
    }
    if !faults.is_empty() {
        bail!("layers are crossed:\n  {}", faults.join("\n  "));
    }
    Ok(())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev`, `build`, or nothing for an ordinary one.
    kind: Option<String>,
}

/// The faults in what the crates of the workspace name as their dependencies.
fn edge_faults(packages: &[Package]) -> Vec<String> {
    let ours: BTreeSet<&str> = packages
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    let mut faults = Vec::new();
    for package in packages {
        let name = package.name.as_str();
        let Some(rule) = RULES.iter().find(|rule| rule.name == name) else {
            faults.push(format!(
                "{name} is new: add it to the table in crates/xtask/src/layers.rs"
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let to = dependency.name.as_str();
            let in_tests = dependency.kind.as_deref() == Some("dev");
            if ours.contains(to) {
                if !(rule.uses.contains(&to) || in_tests && rule.tests_use.contains(&to)) {
                    let how = if in_tests {
                        "in its tests"
                    } else {
                        "outside its tests"
                    };
                    faults.push(format!("{name} may not use {to} {how}"));
                }
            } else if let Some((_, home, others)) =
                HOMES.iter().find(|(foreign, ..)| *foreign == to)
            {
                let free = others.contains(&name) || in_tests && FREE_IN_TESTS.contains(&to);
                if name != *home && !free {
                    faults.push(format!("{name} may not use {to}: its home is {home}"));
                }
            }
        }
    }
    faults
}

/// The faults in `tree`, the lines `name vVersion|features` of everything below the pure crate `name`.
fn tree_faults(name: &str, tree: &str) -> Vec<String> {
    let mut faults = BTreeSet::new();
    for line in tree.lines() {
        let (package, features) = line.split_once('|').unwrap_or((line, ""));
        let Some(package) = package.split_whitespace().next() else {
            continue;
        };
        if IMPURE.contains(&package) {
            faults.insert(format!(
                "{name} must stay free of I/O, but {package} is below it"
            ));
        }
        // Cargo appends ` (*)` to the features of a package that it has already printed.
        let features = features.trim_end_matches(" (*)");
        if package == "tokio"
            && features
                .split(',')
                .any(|feature| feature == "net" || feature == "full")
        {
            faults.insert(format!(
                "{name} must stay free of I/O, but turns on tokio's feature `net`"
            ));
        }
    }
    faults.into_iter().collect()
}

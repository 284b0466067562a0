//! The description of the API: up to date, and of every route.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Ask, Skein};

/// Paths that are pages and not part of the API.
const PAGES: &[&str] = &[
    "/",
    "/openapi.json",
    "/docs",
    "/docs/{file:.*}",
    "/_console/{file:.*}",
];

#[test]
fn the_checked_in_file_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == server::openapi::json(),
        "openapi.json is stale; run: cargo xtask openapi"
    );
}

#[tokio::test]
async fn the_served_file_is_the_same() {
    let skein = Skein::start();
    let served = Ask::get("/openapi.json").send(skein.address).await;
    assert_eq!(served.headers()["content-type"], "application/json");
    assert_eq!(served.text().await.unwrap(), server::openapi::json());
}

#[tokio::test]
async fn it_tells_every_route_and_no_other() {
    let skein = Skein::start();
    // Which paths there are is read from the code, which methods they take is asked of the server.
    let mut served = BTreeSet::new();
    for path in paths_in_code() {
        if PAGES.contains(&path.as_str()) {
            continue;
        }
        let answer = Ask::new("OPTIONS", path.replace(['{', '}'], ""))
            .send(skein.address)
            .await;
        assert_eq!(answer.status(), 405, "{path}");
        let allow = answer.headers()["allow"].to_str().unwrap().to_owned();
        // A HEAD is served wherever a GET is; it is not told apart.
        let methods = allow.split(", ").filter(|method| *method != "HEAD");
        served.extend(methods.map(|method| format!("{method} {path}")));
    }
    let document: Value = serde_json::from_str(&server::openapi::json()).unwrap();
    let mut described = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys();
        described.extend(methods.map(|method| format!("{} {path}", method.to_uppercase())));
    }
    assert!(served.len() >= 10, "{served:?}");
    assert_eq!(
        served, described,
        "routes in apps/server/src/routes.rs, and in apps/server/src/openapi.rs"
    );
}

/// The patterns of all paths in `routes.rs`.
fn paths_in_code() -> Vec<String> {
    let code = include_str!("../../src/routes.rs");
    let quoted = code.split("Path::new(").skip(1);
    quoted
        .map(|rest| {
            let pattern = rest.trim_start().strip_prefix('"').unwrap();
            pattern[..pattern.find('"').unwrap()].to_owned()
        })
        .collect()
}

use super::{Dependency, Package, edge_faults, tree_faults};

fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
    Package {
        name: name.to_owned(),
        dependencies: dependencies
            .iter()
            .map(|(name, kind)| Dependency {
                name: (*name).to_owned(),
                kind: kind.map(str::to_owned),
            })
            .collect(),
    }
}

#[track_caller]
fn check(packages: &[Package], expected: &[&str]) {
    assert_eq!(edge_faults(packages), expected);
}

#[test]
fn accepts_the_edges_of_the_table() {
    let packages = [
        package(
            "chat-core",
            &[
                ("token-budget", None),
                ("tokio", None),
                ("proptest", Some("dev")),
            ],
        ),
        package("token-budget", &[("tiktoken-rs", None)]),
        package("storage-contract", &[("chat-core", None)]),
        package(
            "storage-sqlite",
            &[
                ("rusqlite", None),
                ("chat-core", None),
                ("storage-contract", Some("dev")),
            ],
        ),
        package(
            "server",
            &[
                ("actix-web", None),
                ("chat-core", None),
                ("reqwest", Some("dev")),
            ],
        ),
    ];
    check(&packages, &[]);
}

#[test]
fn refuses_an_edge_that_points_back_up() {
    let packages = [
        package("token-budget", &[("chat-core", None)]),
        package("chat-core", &[]),
    ];
    check(
        &packages,
        &["token-budget may not use chat-core outside its tests"],
    );
}

#[test]
fn refuses_a_test_only_edge_in_the_code() {
    let packages = [
        package("storage-sqlite", &[("storage-contract", None)]),
        package("storage-contract", &[]),
    ];
    check(
        &packages,
        &["storage-sqlite may not use storage-contract outside its tests"],
    );
}

#[test]
fn refuses_a_build_time_edge_like_any_other() {
    let packages = [
        package("dialects", &[("llm-client", Some("build"))]),
        package("llm-client", &[]),
    ];
    check(
        &packages,
        &["dialects may not use llm-client outside its tests"],
    );
}

#[test]
fn refuses_a_crate_that_is_not_in_the_table() {
    check(
        &[package("helpers", &[])],
        &["helpers is new: add it to the table in crates/xtask/src/layers.rs"],
    );
}

#[test]
fn refuses_a_foreign_crate_away_from_its_home() {
    let packages = [
        package("auth", &[("reqwest", None), ("actix-web", Some("dev"))]),
        package("dialects", &[("reqwest", Some("dev"))]),
        package("server", &[("mongodb", None), ("rusqlite", Some("dev"))]),
    ];
    check(
        &packages,
        &[
            "auth may not use reqwest: its home is llm-client",
            "auth may not use actix-web: its home is server",
            "server may not use mongodb: its home is storage-mongo",
            "server may not use rusqlite: its home is storage-sqlite",
        ],
    );
}

#[test]
fn accepts_a_foreign_crate_in_tests_and_in_what_is_for_tests() {
    let packages = [
        package("storage-mongo", &[("mongodb", None)]),
        package("mongo-fixture", &[("mongodb", None)]),
        package("server", &[("mongodb", Some("dev"))]),
        package("xtask", &[("reqwest", None)]),
    ];
    check(&packages, &[]);
}

#[test]
fn keeps_what_starts_databases_out_of_the_server() {
    let packages = [
        package("server", &[("mongo-fixture", None)]),
        package("mongo-fixture", &[]),
    ];
    check(
        &packages,
        &["server may not use mongo-fixture outside its tests"],
    );
}

#[test]
fn finds_io_anywhere_below_a_pure_crate() {
    let tree = "\
chat-core v0.0.0 (/clone/crates/chat-core)|
serde v1.0.228|default,std
hyper v1.7.0|client,http1
tokio v1.48.0|default,rt,sync
tokio v1.48.0|default,net,rt (*)
hyper v1.7.0|client,http1 (*)";
    assert_eq!(
        tree_faults("chat-core", tree),
        [
            "chat-core must stay free of I/O, but hyper is below it",
            "chat-core must stay free of I/O, but turns on tokio's feature `net`",
        ]
    );
}

#[test]
fn does_not_mistake_a_name_that_only_begins_alike() {
    assert_eq!(
        tree_faults(
            "dialects",
            "hyper-util v0.1.0|default\ntokio-util v0.7.0|net"
        ),
        Vec::<String>::new()
    );
}

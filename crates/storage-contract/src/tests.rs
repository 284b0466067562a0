use std::sync::Arc;

use chat_core::testing::MemoryStore;

async fn fresh() -> (Arc<MemoryStore>, ()) {
    (Arc::new(MemoryStore::new()), ())
}

crate::chat_contract!(fresh);

/// Every behaviour is a test: the macros name each `pub async fn` of the modules.
#[test]
fn the_macros_name_every_behaviour() {
    let suite = include_str!("suite.rs");
    for (module, source) in [
        ("archive", include_str!("archive.rs")),
        ("archive_messages", include_str!("archive_messages.rs")),
        ("conversations", include_str!("conversations.rs")),
        ("cuts", include_str!("cuts.rs")),
        ("waiting", include_str!("waiting.rs")),
        ("resumes", include_str!("resumes.rs")),
        ("drops", include_str!("drops.rs")),
        ("quotas", include_str!("quotas.rs")),
        ("changes", include_str!("changes.rs")),
        ("files", include_str!("files.rs")),
        ("documents", include_str!("documents.rs")),
        ("history", include_str!("history.rs")),
        ("messages", include_str!("messages.rs")),
        ("nodes", include_str!("nodes.rs")),
        ("notes", include_str!("notes.rs")),
        ("run_log", include_str!("run_log.rs")),
        ("runs", include_str!("runs.rs")),
        ("secrets", include_str!("secrets.rs")),
        ("sessions", include_str!("sessions.rs")),
        ("thread_views", include_str!("thread_views.rs")),
        ("users", include_str!("users.rs")),
    ] {
        let named = suite
            .split_once(&format!("behaviours!({module}, $fresh:"))
            .and_then(|(_, rest)| rest.split_once(");"))
            .map(|(names, _)| names)
            .unwrap();
        let named: Vec<_> = named.split(',').map(str::trim).collect();
        let mut count = 0;
        for line in source.lines() {
            let Some(name) = line.strip_prefix("pub async fn ") else {
                continue;
            };
            let name = name.split('(').next().unwrap();
            assert!(
                named.contains(&name),
                "{module}::{name} is not in the suite"
            );
            count += 1;
        }
        assert!(count > 0, "{module}");
    }
}

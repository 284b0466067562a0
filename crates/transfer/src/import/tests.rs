use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use chat_core::{
    access::{Owner, Visibility},
    conversation::Origin,
    id::{ConversationId, MessageId, UserId},
    message::{MessageStatus, PartContent, PartStatus, Role, ToolResult},
    ports::{Messages as _, Notes as _, SearchQuery},
    run::RunError,
};
use futures_util::StreamExt as _;
use records::{
    Archive as _, BrokenDocument, ConversationRecord, DocumentId, Documents as _, MessageRecord,
    Rating, RawCollections, RawDocuments, StoreError, ThreadViews as _, UserKind, Users as _,
};
use serde_json::{Value, json};
use storage_sqlite::{Config, SqliteStore};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{RecordType, Scope, Tally, export, ids::derived};

mod foreign;
mod own;
mod refused;
mod stores;

/// A store of its own.
struct Fresh {
    store: SqliteStore,
    target: Target,
    _dir: TempDir,
}

fn fresh() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(Config::new(dir.path())).unwrap();
    Fresh {
        target: Target::new(store.clone()),
        store,
        _dir: dir,
    }
}

fn fixture(name: &str) -> Source {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/import/fixtures");
    Source::Path(path.join(name))
}

fn folder(files: &[(&str, &str)]) -> (TempDir, Source) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let source = Source::Path(dir.path().to_owned());
    (dir, source)
}

/// What an import came to, with the lines that were told.
async fn run(
    kind: Kind,
    source: &Source,
    target: &Target,
    options: &Options,
) -> (Result<Report, ImportError>, Vec<String>) {
    let mut told = Vec::new();
    let mut on_event = |event: Event<'_>| {
        if let Event::Found(finding) = event {
            told.push(finding.to_string());
        }
    };
    let report = import(kind, source, target, options, &mut on_event).await;
    (report, told)
}

async fn exported(target: &Target) -> String {
    let mut bytes = Vec::new();
    export(target, &Scope::All, &mut bytes).await.unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Imports dry, then really, then again: the dry run foresaw it and wrote nothing, and the second import changes nothing.
async fn import_twice(kind: Kind, source: &Source, fresh: &Fresh) -> (Report, Vec<String>) {
    let options = Options::default();
    let before = exported(&fresh.target).await;
    let dry = Options {
        dry_run: true,
        ..Options::default()
    };
    let (foreseen, _) = run(kind, source, &fresh.target, &dry).await;
    assert_eq!(exported(&fresh.target).await, before);
    let (first, told) = run(kind, source, &fresh.target, &options).await;
    let first = first.unwrap();
    assert_eq!(foreseen.unwrap().tallies, first.tallies, "the dry run");
    let after = exported(&fresh.target).await;
    let (second, told_again) = run(kind, source, &fresh.target, &options).await;
    let second = second.unwrap();
    assert_eq!(second.new_records(), 0);
    assert_eq!(exported(&fresh.target).await, after, "the second import");
    assert_eq!(told_again, told);
    for (record, tally) in &first.tallies {
        let known = tally.new + tally.known;
        assert_eq!(second.tallies[record].known, known, "{record:?}");
    }
    (first, told)
}

const fn new(count: u64) -> Tally {
    Tally {
        new: count,
        known: 0,
        refused: 0,
    }
}

async fn conversation(fresh: &Fresh, id: Uuid) -> ConversationRecord {
    let all = fresh.store.scan_conversations(None, None, 1000);
    all.await
        .unwrap()
        .into_iter()
        .find(|record| record.conversation.id.uuid() == id)
        .unwrap()
}

async fn messages(fresh: &Fresh, id: Uuid) -> Vec<MessageRecord> {
    let id = ConversationId::new(id);
    fresh.store.scan_messages(id, 0, 1000).await.unwrap()
}

/// Place, role and text of each message.
fn talk(messages: &[MessageRecord]) -> Vec<(u64, Role, String)> {
    messages
        .iter()
        .map(|record| {
            let message = &record.message;
            (message.seq, message.role, message.body.text())
        })
        .collect()
}

fn said(seq: u64, role: Role, text: &str) -> (u64, Role, String) {
    (seq, role, text.to_owned())
}

fn id(text: &str) -> Uuid {
    text.parse().unwrap()
}

mod changing;
mod suggesting;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chat_core::{
    event::FinishReason,
    ports::{ModelError, ModelErrorKind, ModelEventKind, PromptItem, Tool, ToolEvent},
    testing::{CountingIds, Line, ManualClock, ScriptedModel},
};
use records::{DocumentId, DocumentKind, DocumentVersion, Documents, NewVersion};
use serde_json::{Value, json};
use storage_sqlite::SqliteStore;
use uuid::Uuid;

use super::{DocumentPorts, document_tools};
use crate::{
    ImageModel, names,
    testing::{Answer, failure, output, owner},
};

const ID: DocumentId = DocumentId(Uuid::from_u128(0xd0c));

/// The tools over a real store in a folder of its own.
struct Bench {
    tools: Vec<Arc<dyn Tool>>,
    store: Arc<SqliteStore>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(None)
    }

    fn with(images: Option<Arc<dyn ImageModel>>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(storage_sqlite::Config::new(folder.path())).unwrap();
        let store = Arc::new(store);
        let tools = document_tools(DocumentPorts {
            documents: Arc::clone(&store) as Arc<_>,
            clock: Arc::new(ManualClock::at(1_000)),
            ids: Arc::new(CountingIds::after(0)),
            images,
        });
        Self {
            tools,
            store,
            _folder: folder,
        }
    }

    fn tool(&self, name: &str) -> &dyn Tool {
        let found = self.tools.iter().find(|tool| tool.spec().name == name);
        found.unwrap().as_ref()
    }

    /// Stores a first version of the document [`ID`].
    async fn put(&self, number: u128, kind: DocumentKind, content: &str) {
        let version = NewVersion {
            document: ID,
            owner: owner(number),
            title: "Old".to_owned(),
            kind,
            content: content.to_owned(),
            at_ms: 500,
        };
        self.store.add_version(version).await.unwrap();
    }

    async fn versions(&self, id: DocumentId) -> Vec<DocumentVersion> {
        self.store.list_versions(id).await.unwrap()
    }

    async fn all(&self) -> Vec<DocumentId> {
        self.store.list_documents(None, None, 10).await.unwrap()
    }
}

fn said(texts: &[&str]) -> Vec<Line> {
    let mut lines: Vec<Line> = texts.iter().map(|text| Line::text(text)).collect();
    lines.push(Line::stop());
    lines
}

fn opened(document: DocumentId, kind: &str, title: &str, new: bool) -> ToolEvent {
    ToolEvent::DocumentOpened {
        document: document.0.to_string(),
        kind: kind.to_owned(),
        title: title.to_owned(),
        new,
    }
}

fn finish() -> ToolEvent {
    ToolEvent::Data {
        name: "finish".to_owned(),
        id: None,
        data: Value::Null,
        transient: true,
    }
}

/// What was added to the document, as a page that appends shows it.
fn shown(events: &[ToolEvent]) -> String {
    let mut text = String::new();
    for event in events {
        match event {
            ToolEvent::DocumentDelta { text: more, .. } => text.push_str(more),
            ToolEvent::DocumentOpened { .. } => text.clear(),
            ToolEvent::DocumentStored { .. }
            | ToolEvent::SuggestionMade { .. }
            | ToolEvent::Data { .. } => {}
        }
    }
    text
}

#[tokio::test]
async fn a_new_document_is_opened_shown_stored_and_told() {
    let bench = Bench::new();
    let answer = Answer::new(ScriptedModel::new([said(&["# Rain\n\n", "It ", "rains."])]));
    let result = answer
        .call(
            bench.tool(names::CREATE_DOCUMENT),
            &json!({"title": " Rain ", "kind": "text"}),
        )
        .await;
    let output = output(result);
    let id = DocumentId(output["id"].as_str().unwrap().parse().unwrap());
    assert_eq!(output["title"], "Rain");
    assert_eq!(output["kind"], "text");
    assert_eq!(
        output["content"],
        "A document was created and the user sees it."
    );

    let versions = bench.versions(id).await;
    assert_eq!(versions.len(), 1);
    assert_eq!(versions[0].content, "# Rain\n\nIt rains.");
    assert_eq!(
        (&versions[0].owner, versions[0].created_at_ms),
        (&owner(1), 1_000)
    );

    let told = answer.told.all();
    assert_eq!(told[0], opened(id, "text", "Rain", true));
    assert_eq!(shown(&told), "# Rain\n\nIt rains.");
    assert_eq!(
        told.last().unwrap(),
        &ToolEvent::DocumentStored {
            document: id.0.to_string(),
            version_at_ms: 1_000
        }
    );
    let PromptItem::User { text, .. } = &answer.model.requests()[0].items[1] else {
        panic!("the wish comes after the instructions");
    };
    assert_eq!(text, "Rain");
}

#[tokio::test]
async fn code_and_tables_lose_the_fence_that_models_put_around_them() {
    for (kind, said_by_model, expected) in [
        (
            "code",
            "```python\nprint(1)\n```\nThat prints 1.",
            "print(1)\n",
        ),
        ("sheet", "```csv\na,b\n1,2\n```", "a,b\n1,2\n"),
        (
            "text",
            "```python\nprint(1)\n```",
            "```python\nprint(1)\n```",
        ),
    ] {
        let bench = Bench::new();
        let pieces: Vec<String> = said_by_model.chars().map(String::from).collect();
        let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
        let answer = Answer::new(ScriptedModel::new([said(&pieces)]));
        let arguments = json!({"title": "x", "kind": kind});
        output(
            answer
                .call(bench.tool(names::CREATE_DOCUMENT), &arguments)
                .await,
        );
        let id = bench.all().await[0];
        assert_eq!(bench.versions(id).await[0].content, expected);
        assert_eq!(shown(&answer.told.all()), expected);
    }
}

#[tokio::test]
async fn the_document_model_writes_where_one_is_set() {
    let bench = Bench::new();
    let mut answer = Answer::new(ScriptedModel::new([said(&["x"])]));
    answer.settings.artifact_model = Some("writer".to_owned());
    let arguments = json!({"title": "x", "kind": "text"});
    output(
        answer
            .call(bench.tool(names::CREATE_DOCUMENT), &arguments)
            .await,
    );
    let request = &answer.model.requests()[0];
    assert_eq!(request.model, "writer");
    assert!(request.tools.is_empty());
}

#[tokio::test]
async fn bad_arguments_are_a_sentence_that_lets_the_model_mend_them() {
    let bench = Bench::new();
    let answer = Answer::new(ScriptedModel::default());
    for (arguments, expected) in [
        (
            json!({"title": "x"}),
            "The arguments do not fit: missing field `kind`",
        ),
        (
            json!({"title": " ", "kind": "text"}),
            "A document's title has 1 to 300 characters.",
        ),
        (
            json!({"title": "x", "kind": "image"}),
            r#"A document's kind is one of ["text","code","sheet"]."#,
        ),
    ] {
        let said = failure(
            answer
                .call(bench.tool(names::CREATE_DOCUMENT), &arguments)
                .await,
        );
        assert!(said.starts_with(expected), "{said}");
    }
    assert!(answer.told.all().is_empty());
    assert!(answer.model.requests().is_empty());
}

#[tokio::test]
async fn a_model_that_fails_midway_leaves_no_document_and_no_waiting_page() {
    for last in [
        Line::Fail(ModelErrorKind::Broken),
        Line::Say(ModelEventKind::Finished(FinishReason::ContentFilter)),
        Line::Say(ModelEventKind::Refusal("No.".to_owned())),
    ] {
        let bench = Bench::new();
        let answer = Answer::new(ScriptedModel::new([vec![Line::text("Half a"), last]]));
        let arguments = json!({"title": "x", "kind": "text"});
        let said = failure(
            answer
                .call(bench.tool(names::CREATE_DOCUMENT), &arguments)
                .await,
        );
        assert!(!said.contains("No."), "{said}");
        assert!(bench.all().await.is_empty());
        let told = answer.told.all();
        assert_eq!(told.last(), Some(&finish()));
        assert_eq!(shown(&told), "");
        assert!(
            !told
                .iter()
                .any(|event| matches!(event, ToolEvent::DocumentStored { .. }))
        );
    }
}

#[tokio::test]
async fn an_answer_that_ends_without_its_end_broke_off() {
    let bench = Bench::new();
    let answer = Answer::new(ScriptedModel::new([vec![Line::text("Half a")]]));
    let arguments = json!({"title": "x", "kind": "text"});
    failure(
        answer
            .call(bench.tool(names::CREATE_DOCUMENT), &arguments)
            .await,
    );
    assert!(bench.all().await.is_empty());
}

#[tokio::test]
async fn a_document_ends_at_a_mebibyte_and_the_model_is_told() {
    let bench = Bench::new();
    let piece = "é".repeat(40_000);
    let pieces = vec![piece.as_str(); 20];
    let answer = Answer::new(ScriptedModel::new([said(&pieces)]));
    let arguments = json!({"title": "x", "kind": "text"});
    let output = output(
        answer
            .call(bench.tool(names::CREATE_DOCUMENT), &arguments)
            .await,
    );
    assert!(
        output["content"].as_str().unwrap().contains("cut off"),
        "{output}"
    );
    let id = bench.all().await[0];
    let content = &bench.versions(id).await[0].content;
    assert_eq!(content.len(), 1024 * 1024);
    assert_eq!(&shown(&answer.told.all()), content);
}

#[tokio::test]
async fn a_long_document_is_told_in_longer_pieces() {
    let bench = Bench::new();
    let words = vec!["word "; 40_000];
    let answer = Answer::new(ScriptedModel::new([said(&words)]));
    let arguments = json!({"title": "x", "kind": "text"});
    output(
        answer
            .call(bench.tool(names::CREATE_DOCUMENT), &arguments)
            .await,
    );
    let told = answer.told.all();
    assert_eq!(shown(&told), words.concat());
    let lengths: Vec<usize> = told
        .iter()
        .filter_map(|event| match event {
            ToolEvent::DocumentDelta { text, .. } => Some(text.len()),
            ToolEvent::DocumentOpened { .. }
            | ToolEvent::DocumentStored { .. }
            | ToolEvent::SuggestionMade { .. }
            | ToolEvent::Data { .. } => None,
        })
        .collect();
    assert_eq!(lengths[0], 5, "the beginning comes word by word");
    let late = &lengths[lengths.len() - 100..lengths.len() - 1];
    assert!(late.iter().all(|length| *length >= 64), "{late:?}");
}

#[tokio::test]
async fn a_call_that_is_dropped_stores_nothing() {
    let bench = Bench::new();
    let answer = Answer::new(ScriptedModel::new([vec![Line::text("Half a"), Line::Hang]]));
    let arguments = json!({"title": "x", "kind": "text"});
    let call = answer.call(bench.tool(names::CREATE_DOCUMENT), &arguments);
    tokio::select! {
        biased;
        result = call => panic!("{result:?}"),
        () = tokio::task::yield_now() => {}
    }
    assert_eq!(shown(&answer.told.all()), "Half a");
    assert_eq!(answer.model.open_answers(), 0);
    assert!(bench.all().await.is_empty());
}

/// Gives the description back as the image.
struct Echo;

#[async_trait]
impl ImageModel for Echo {
    async fn draw(&self, description: &str) -> Result<String, ModelError> {
        match description {
            "fail" => Err(ModelErrorKind::Rejected.into()),
            other => Ok(other.to_uppercase()),
        }
    }
}

#[tokio::test]
async fn an_image_is_one_whole_piece() {
    let bench = Bench::with(Some(Arc::new(Echo)));
    let answer = Answer::new(ScriptedModel::default());
    let arguments = json!({"title": "a cat", "kind": "image"});
    output(
        answer
            .call(bench.tool(names::CREATE_DOCUMENT), &arguments)
            .await,
    );
    let id = bench.all().await[0];
    let version = &bench.versions(id).await[0];
    assert_eq!(
        (version.kind, version.content.as_str()),
        (DocumentKind::Image, "A CAT")
    );
    let told = answer.told.all();
    assert_eq!(told.len(), 3);
    assert_eq!(shown(&told), "A CAT");

    let arguments = json!({"title": "fail", "kind": "image"});
    failure(
        answer
            .call(bench.tool(names::CREATE_DOCUMENT), &arguments)
            .await,
    );
    assert_eq!(bench.all().await.len(), 1);
    assert_eq!(answer.told.all().last(), Some(&finish()));
}

#[tokio::test]
async fn documents_of_one_answer_are_written_one_after_the_other() {
    let bench = Bench::new();
    let slow = || {
        vec![
            Line::text("a"),
            Line::Pause(Duration::from_millis(5)),
            Line::text("b"),
            Line::stop(),
        ]
    };
    let answer = Answer::new(ScriptedModel::new([slow(), slow()]));
    let create = bench.tool(names::CREATE_DOCUMENT);
    let (one, two) = (
        json!({"title": "1", "kind": "text"}),
        json!({"title": "2", "kind": "text"}),
    );
    let (first, second) = tokio::join!(answer.call(create, &one), answer.call(create, &two));
    output(first);
    output(second);
    let order: Vec<&str> = answer
        .told
        .all()
        .iter()
        .map(|event| match event {
            ToolEvent::DocumentOpened { .. } => "open",
            ToolEvent::DocumentStored { .. } => "stored",
            ToolEvent::DocumentDelta { .. }
            | ToolEvent::SuggestionMade { .. }
            | ToolEvent::Data { .. } => "more",
        })
        .collect();
    assert_eq!(
        order,
        [
            "open", "more", "more", "stored", "open", "more", "more", "stored"
        ]
    );
}

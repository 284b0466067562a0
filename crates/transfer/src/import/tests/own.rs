//! Skein's own export: out of one store and into another.

use bytes::Bytes;
use records::{FileId, Files as _, NewFile, Put, SessionId, SessionRecord};

use super::*;
use crate::ExportError;

/// A store with every sort of record in it.
pub(super) async fn full() -> Fresh {
    let fresh = fresh();
    for (kind, name) in [
        (Kind::WebChat, "web-chat"),
        (Kind::Assistants, "assistants"),
        (Kind::AssistantsExport, "assistants-export"),
        (Kind::AiChatbot, "ai-chatbot"),
    ] {
        import_twice(kind, &fixture(name), &fresh).await;
    }
    for (number, user) in [(1, GINA), (2, GUEST), (3, GINA)] {
        let put = fresh.store.put_session(session(number, user)).await;
        assert_eq!(put.unwrap(), Put::New);
    }
    for (number, size) in [(1, 0), (2, 10), (3, 2_500_000)] {
        let file = NewFile {
            id: FileId::new(Uuid::from_u128(number)),
            owner: Owner::User(UserId::new(id("11111111-1111-4111-8111-111111111111"))),
            name: format!("{number}.bin"),
            media_type: "application/octet-stream".to_owned(),
            purpose: String::new(),
            max_bytes: 10_000_000,
            at_ms: 1_700_000_000_000,
        };
        let bytes: Vec<u8> = (0..size).map(|n: u32| n.to_le_bytes()[0]).collect();
        let chunks: Vec<_> = bytes
            .chunks(70_000)
            .map(|chunk| Ok(Bytes::copy_from_slice(chunk)))
            .collect();
        let stored = fresh
            .store
            .insert_file(file, futures_util::stream::iter(chunks).boxed());
        stored.await.unwrap().unwrap();
    }
    fresh
}

/// Two users of the fixtures.
const GINA: &str = "11111111-1111-4111-8111-111111111111";
const GUEST: &str = "22222222-2222-4222-8222-222222222222";

fn session(number: u8, user: &str) -> SessionRecord {
    let mut token = [number; 32];
    token[..2].copy_from_slice(&[0x0a, 0xff]);
    SessionRecord {
        id: SessionId(Uuid::from_u128(0x5e55_0000 + u128::from(number))),
        user: UserId::new(id(user)),
        token,
        created_at_ms: 1_700_000_000_000,
        expires_at_ms: 1_700_000_100_000 + i64::from(number),
    }
}

/// A whole export of these lines, its first among them.
fn whole<'t>(lines: impl IntoIterator<Item = &'t str>) -> String {
    let mut text = String::new();
    let mut count = 0;
    for line in lines {
        if line.starts_with("{\"skein_export_end\"") {
            continue;
        }
        text.push_str(line);
        text.push('\n');
        count += 1;
    }
    format!("{text}{{\"skein_export_end\":1,\"lines\":{}}}\n", count - 1)
}

fn written(text: &str) -> (TempDir, Source) {
    let (dir, _) = folder(&[("skein.jsonl", text)]);
    let source = Source::Path(dir.path().join("skein.jsonl"));
    (dir, source)
}

#[tokio::test]
async fn an_export_imported_elsewhere_is_exported_as_the_same_bytes() {
    let from = full().await;
    let text = exported(&from.target).await;
    for sort in [
        "user",
        "session",
        "conversation",
        "message",
        "summary",
        "pin",
        "document",
        "suggestion",
        "thread_view",
        "file",
        "bytes",
    ] {
        let begins = format!("{{\"{sort}\":");
        assert!(text.lines().any(|line| line.starts_with(&begins)), "{sort}");
    }
    let (_dir, source) = written(&text);
    let to = fresh();
    let (report, told) = import_twice(Kind::Skein, &source, &to).await;
    assert!(report.is_clean());
    assert_eq!(told, Vec::<String>::new());
    assert_eq!(exported(&to.target).await, text);
}

#[tokio::test]
async fn the_lines_of_an_export_can_come_in_any_order_and_in_little_memory() {
    let from = full().await;
    let text = exported(&from.target).await;
    let (header, lines) = text.split_once('\n').unwrap();
    let lines = lines.lines().rev();
    let (_dir, source) = written(&whole(std::iter::once(header).chain(lines)));
    let to = fresh();
    let options = Options {
        memory_bytes: 4_096,
        ..Options::default()
    };
    let (report, _) = run(Kind::Skein, &source, &to.target, &options).await;
    assert!(report.unwrap().is_clean());
    assert_eq!(exported(&to.target).await, text);
}

#[tokio::test]
async fn an_import_that_broke_off_goes_on_when_it_is_run_again() {
    let from = full().await;
    let text = exported(&from.target).await;
    let to = fresh();
    // Half of the records are there already.
    let (_dir, source) = written(&whole(text.lines().take(text.lines().count() / 2)));
    let (report, _) = run(Kind::Skein, &source, &to.target, &Options::default()).await;
    assert!(report.unwrap().new_records() > 0);
    let (_dir, source) = written(&text);
    let (report, _) = import_twice(Kind::Skein, &source, &to).await;
    assert!(report.is_clean());
    assert!(report.tallies[&RecordType::User].known > 0);
    assert_eq!(exported(&to.target).await, text);
}

#[tokio::test]
async fn the_export_of_one_user_holds_what_is_theirs_alone() {
    let from = full().await;
    let mut bytes = Vec::new();
    let scope = Scope::One("Gina@example.com".to_owned());
    let counts = export(&from.target, &scope, &mut bytes).await.unwrap();
    let expected = [
        (RecordType::User, 1),
        (RecordType::Session, 2),
        (RecordType::Conversation, 1),
        (RecordType::Message, 4),
        (RecordType::Document, 2),
        (RecordType::Suggestion, 1),
        (RecordType::File, 3),
    ];
    assert_eq!(counts.0, expected.into_iter().collect());
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("{\"skein_export\":1,\"of\":\"user:11111111-"));
    for other in ["guest-", "thread_", "erin", "5e550002"] {
        assert!(!text.contains(other), "{other}");
    }
    let mut by_id = Vec::new();
    let scope = Scope::One("11111111-1111-4111-8111-111111111111".to_owned());
    export(&from.target, &scope, &mut by_id).await.unwrap();
    assert_eq!(String::from_utf8(by_id).unwrap(), text);

    let mut tenant = Vec::new();
    let scope = Scope::One("tenant:default".to_owned());
    let counts = export(&from.target, &scope, &mut tenant).await.unwrap();
    assert_eq!(counts.0[&RecordType::Conversation], 2);
    assert_eq!(counts.0[&RecordType::ThreadView], 3);

    let scope = Scope::One("nobody@example.com".to_owned());
    let error = export(&from.target, &scope, &mut Vec::new())
        .await
        .unwrap_err();
    assert!(matches!(error, ExportError::NoSuchUser(_)), "{error:?}");
}

#[tokio::test]
async fn a_file_whose_pieces_are_not_whole_is_refused() {
    let from = full().await;
    let text = exported(&from.target).await;
    let spoilt: Vec<String> = text
        .lines()
        .filter(|line| !(line.contains("\"n\":1") && line.starts_with("{\"bytes\"")))
        .map(|line| {
            // The digest of one file is another's.
            if line.starts_with("{\"file\"") && line.contains("\"2.bin\"") {
                let (head, tail) = line.split_once("\"sha256\":\"").unwrap();
                format!("{head}\"sha256\":\"{}{}", "0".repeat(64), &tail[64..])
            } else {
                line.to_owned()
            }
        })
        .collect();
    let (_dir, source) = written(&whole(spoilt.iter().map(String::as_str)));
    let to = fresh();
    let (report, told) = run(Kind::Skein, &source, &to.target, &Options::default()).await;
    let report = report.unwrap();
    assert!(!report.is_clean());
    let tally = report.tallies[&RecordType::File];
    assert_eq!((tally.new, tally.refused), (1, 2), "{told:?}");
    let owner = Owner::User(UserId::new(id("11111111-1111-4111-8111-111111111111")));
    assert_eq!(
        to.store.list_files(&owner, None, 10).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn lines_that_are_none_of_an_export_are_named() {
    let to = fresh();
    let header = "{\"skein_export\":1,\"of\":\"all\"}";
    for (text, fault) in [
        (
            "{\"user\":{}}\n".to_owned(),
            "skein.jsonl:1: faulty: the file does not begin as an export of Skein does, with skein_export",
        ),
        (
            header.replace('1', "2"),
            "skein.jsonl:1: faulty: an export in format 2; this release reads format 1",
        ),
        (
            whole([header, "{\"user\":{\"id\":7}}"]),
            "skein.jsonl:2: faulty: no line of an export: invalid type: integer",
        ),
        (
            whole([header, "{\"SECRET\":{}}"]),
            "skein.jsonl:2: faulty: no line of an export: unknown variant",
        ),
        (
            whole([
                header,
                "{\"pin\":{\"id\":\"00000000-0000-0000-0000-000000000001\",\"prompt\":\"\",\"answer\":\"\",\"created_at_ms\":0}}",
            ]),
            "skein.jsonl:2: faulty: pinned example 00000000-0000-0000-0000-000000000001: owner: either owner or conversation is accepted",
        ),
        (
            whole([header, USER.replace("KEY", "b@example.com").as_str()]),
            "skein.jsonl:2: faulty: user 11111111-1111-4111-8111-111111111111: email_key: the one of the e-mail address is accepted",
        ),
        (
            whole([header, SESSION.replace("TOKEN", &"0".repeat(63)).as_str()]),
            "skein.jsonl:2: faulty: session 00000000-0000-0000-0000-00005e550001: token: 64 lower-case hexadecimal digits are accepted",
        ),
        (
            whole([header, SESSION.replace("TOKEN", &"0".repeat(66)).as_str()]),
            "skein.jsonl:2: faulty: session 00000000-0000-0000-0000-00005e550001: token: 64 lower-case hexadecimal digits are accepted",
        ),
        (
            whole([header, SESSION.replace("TOKEN", &"AB".repeat(32)).as_str()]),
            "skein.jsonl:2: faulty: session 00000000-0000-0000-0000-00005e550001: token: 64 lower-case hexadecimal digits are accepted",
        ),
        (
            whole([header, SESSION.replace("TOKEN", &"é".repeat(32)).as_str()]),
            "skein.jsonl:2: faulty: session 00000000-0000-0000-0000-00005e550001: token: 64 lower-case hexadecimal digits are accepted",
        ),
        (
            whole([header, "{\"session\":{\"id\":\"SECRET\"}}"]),
            "skein.jsonl:2: faulty: no line of an export: UUID parsing failed: invalid character: found",
        ),
        (
            format!("{header}\n"),
            "skein.jsonl:1: faulty: the export was cut off: its last line, with skein_export_end, is not there",
        ),
        (
            format!("{header}\n{{\"skein_export_end\":1,\"lines\":3}}\n"),
            "skein.jsonl:2: faulty: the export is not whole: it has 0 of 3 lines",
        ),
        (
            format!("{}{header}\n", whole([header])),
            "skein.jsonl:3: faulty: nothing is accepted after the last line of an export",
        ),
        (
            format!("{header}\n{{\"skein_export_end\":1}}\n"),
            "skein.jsonl:2: faulty: skein_export_end: a line as `skein export` ends with is accepted",
        ),
    ] {
        let (_dir, source) = written(&text);
        let (report, told) = run(Kind::Skein, &source, &to.target, &Options::default()).await;
        assert!(matches!(report, Err(ImportError::Faulty { .. })));
        assert_eq!(told, [fault]);
    }
}

/// A user whose address is looked up under KEY.
const USER: &str = r#"{"user":{"id":"11111111-1111-4111-8111-111111111111","email":"A@example.com","email_key":"KEY","kind":"regular","created_at_ms":0}}"#;

/// A session of Gina whose token has the hash TOKEN.
const SESSION: &str = r#"{"session":{"id":"00000000-0000-0000-0000-00005e550001","user":"11111111-1111-4111-8111-111111111111","token":"TOKEN","created_at_ms":1,"expires_at_ms":2}}"#;

#[tokio::test]
async fn a_session_of_nobody_is_refused_and_one_that_is_there_keeps_its_token() {
    let header = "{\"skein_export\":1,\"of\":\"all\"}";
    let user = USER.replace("KEY", "a@example.com");
    let line = SESSION.replace("TOKEN", &"0".repeat(64));

    // Nobody is there.
    let to = fresh();
    let (_dir, source) = written(&whole([header, line.as_str()]));
    let (report, told) = import_twice(Kind::Skein, &source, &to).await;
    assert!(!report.is_clean());
    assert_eq!(report.tallies[&RecordType::Session].refused, 1);
    assert_eq!(
        told,
        [
            "skein.jsonl:2: refused: session 00000000-0000-0000-0000-00005e550001: what it belongs to is not there"
        ]
    );

    // Its user comes with it, after it.
    let (_dir, source) = written(&whole([header, line.as_str(), user.as_str()]));
    let (report, _) = import_twice(Kind::Skein, &source, &to).await;
    assert!(report.is_clean());
    assert_eq!(report.tallies[&RecordType::Session], new(1));

    // A file that names another token does not change whose the session is.
    let before = exported(&to.target).await;
    let other = SESSION.replace("TOKEN", &"1".repeat(64));
    let (_dir, source) = written(&whole([header, other.as_str()]));
    let (report, _) = import_twice(Kind::Skein, &source, &to).await;
    assert_eq!(report.tallies[&RecordType::Session].known, 1);
    assert_eq!(exported(&to.target).await, before);

    // Twice in one file is once too often.
    let (_dir, source) = written(&whole([header, line.as_str(), other.as_str()]));
    let (report, told) = run(Kind::Skein, &source, &to.target, &Options::default()).await;
    assert!(matches!(report, Err(ImportError::Faulty { .. })));
    assert_eq!(
        told,
        [
            "skein.jsonl:3: faulty: session 00000000-0000-0000-0000-00005e550001 stands twice: first at skein.jsonl:2"
        ]
    );
}

#[tokio::test]
async fn an_export_that_was_cut_at_any_line_s_end_is_faulty() {
    let text = exported(&full().await.target).await;
    let lines: Vec<&str> = text.lines().collect();
    for kept in [1, 2, lines.len() / 2, lines.len() - 1] {
        let (_dir, source) = written(&format!("{}\n", lines[..kept].join("\n")));
        let to = fresh();
        let (report, told) = run(Kind::Skein, &source, &to.target, &Options::default()).await;
        assert!(matches!(report, Err(ImportError::Faulty { .. })), "{kept}");
        let fault = format!(
            "skein.jsonl:{kept}: faulty: the export was cut off: its last line, with skein_export_end, is not there"
        );
        assert_eq!(told, [fault]);
    }
}

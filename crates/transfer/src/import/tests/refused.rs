//! Bad input: one clear line each, and the data untouched.

use super::*;

/// Imports what has faults: nothing is written, and then, with faults skipped, all the rest.
async fn refuse(kind: Kind, source: &Source, faults: &[&str]) -> (Fresh, Report) {
    let fresh = fresh();
    let before = exported(&fresh.target).await;
    let (refused, told) = run(kind, source, &fresh.target, &Options::default()).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, ImportError::Faulty { .. }), "{error:?}");
    assert!(error.to_string().ends_with("with --skip-faulty"), "{error}");
    let told: Vec<String> = told
        .into_iter()
        .filter(|line| line.contains(": faulty: "))
        .collect();
    assert_eq!(told, faults);
    assert_eq!(
        exported(&fresh.target).await,
        before,
        "the data is untouched"
    );
    let dry = Options {
        dry_run: true,
        ..Options::default()
    };
    let (foreseen, _) = run(kind, source, &fresh.target, &dry).await;
    assert!(foreseen.is_err(), "a dry run says the same");
    let skip = Options {
        skip_faulty: true,
        ..Options::default()
    };
    let (report, _) = run(kind, source, &fresh.target, &skip).await;
    let report = report.unwrap();
    assert_eq!(report.faulty, faults.len() as u64);
    assert!(!report.is_clean());
    (fresh, report)
}

#[tokio::test]
async fn hostile_documents_of_a_web_chat_are_each_named() {
    let (fresh, report) = refuse(
        Kind::WebChat,
        &fixture("web-chat-hostile"),
        &[
            "conversations.jsonl:1: faulty: conversation_id: a UUID or another text is accepted",
            "conversations.jsonl:2: faulty: conversation c1: user_id: an id is accepted",
            "conversations.jsonl:3: faulty: conversation c2: messages: an array is accepted",
            "conversations.jsonl:4: faulty: message 2 of conversation c3: content: a text is accepted",
            "conversations.jsonl:4: faulty: message 3 of conversation c3: role: a text is accepted",
            "conversations.jsonl:4: faulty: message 4 of conversation c3: an object with role and content is accepted",
            "conversations.jsonl:4: faulty: message 7 of conversation c3: timestamp: a date is accepted",
            "conversations.jsonl:6: faulty: conversation c4: it has both conversation_history and messages",
            "conversations.jsonl:7: faulty: conversation c5: created_at: a date is accepted",
            "conversations.jsonl:8: faulty: no JSON: recursion limit exceeded at column 176",
            "conversations.jsonl:10: faulty: an object is accepted as a record",
            "conversations.jsonl:11: faulty: no JSON: EOF while parsing a list at column 50",
            "conversations.jsonl:12: faulty: an object is accepted as a record",
            &format!(
                "conversations.jsonl:5: faulty: conversation {} stands twice: first at conversations.jsonl:4",
                derived("web-chat/conversation", &["c3"])
            ),
        ],
    )
    .await;
    assert_eq!(report.left_out, 2);
    let kept = messages(&fresh, derived("web-chat/conversation", &["c3"])).await;
    assert_eq!(
        talk(&kept),
        [
            said(1, Role::User, "a\0b $where"),
            said(6, Role::Assistant, "one two"),
        ]
    );
    assert_eq!(kept[1].message.created_at_ms, 1_704_067_200_000);
}

#[tokio::test]
async fn hostile_rows_of_an_ai_chatbot_are_each_named() {
    let row = |number: u32| format!("message a{number:07}-0000-4000-8000-000000000000");
    let chat = "c1111111-1111-4111-8111-111111111111";
    let (_, report) = refuse(
        Kind::AiChatbot,
        &fixture("ai-chatbot-hostile"),
        &[
            "Chat.csv:2: faulty: id: a UUID is accepted",
            &format!("Chat.csv:3: faulty: chat {chat}: createdAt: a time such as 2025-01-02 03:04:05.678 is accepted"),
            &format!("Chat.csv:4: faulty: chat {chat}: userId: a UUID is accepted"),
            &format!("Chat.csv:5: faulty: chat {chat}: visibility: public or private is accepted"),
            &format!("Message_v2.csv:2: faulty: {}: parts: a JSON array is accepted", row(1)),
            &format!("Message_v2.csv:3: faulty: {}: parts: a JSON array is accepted", row(2)),
            &format!("Message_v2.csv:4: faulty: {}: part 1: an object is accepted", row(3)),
            &format!("Message_v2.csv:5: faulty: {}: part 1: text: a text is accepted", row(4)),
            &format!("Message_v2.csv:6: faulty: {}: parts: a JSON array is accepted", row(5)),
            "Chat.csv:7: faulty: conversation c2222222-2222-4222-8222-222222222222 stands twice: first at Chat.csv:6",
            &format!("Message_v2.csv:8: faulty: {} stands twice: first at Message_v2.csv:7", row(6)),
        ],
    )
    .await;
    // One message has no chat anywhere: that is seen when it is put.
    let tally = report.tallies[&RecordType::Message];
    assert_eq!((tally.new, tally.refused), (1, 1));
}

#[tokio::test]
async fn broken_json_a_truncated_table_and_a_giant_message_change_nothing() {
    let (_dir, source) = folder(&[("conversations.json", "{\"conversation_id\":\"a\"}\n{\"conv")]);
    refuse(
        Kind::WebChat,
        &source,
        &["conversations.json:2: faulty: no JSON: EOF while parsing a string at column 6"],
    )
    .await;

    let table = "id,createdAt,title,userId,visibility\n";
    let row = "c1111111-1111-4111-8111-111111111111,2025-01-02 00:00:00,\"t";
    let (_dir, source) = folder(&[("Chat.csv", &format!("{table}{row}"))]);
    refuse(
        Kind::AiChatbot,
        &source,
        &["Chat.csv:2: faulty: the file does not end with a line end: it was cut off; if it is whole, add one"],
    )
    .await;

    let large = "x".repeat(20_000_000);
    let document = json!({"conversation_id": "a", "user_id": "u", "messages": [
        {"role": "user", "content": "small"},
        {"role": "user", "content": large},
    ]});
    let (_dir, source) = folder(&[("conversations.json", &document.to_string())]);
    let (fresh, _) = refuse(
        Kind::WebChat,
        &source,
        &["conversations.json:1: faulty: message 2 of conversation a: a message of 20.0 MB; at most 8 MiB is accepted"],
    )
    .await;
    let kept = messages(&fresh, derived("web-chat/conversation", &["a"])).await;
    assert_eq!(talk(&kept), [said(1, Role::User, "small")]);

    let document = json!({"id": "msg_1", "object": "thread.message", "thread_id": "thread_1",
        "created_at": 1, "role": "user", "content": large});
    let (_dir, source) = folder(&[("export.jsonl", &document.to_string())]);
    refuse(
        Kind::AssistantsExport,
        &source,
        &["export.jsonl:1: faulty: message msg_1: a message of 20.0 MB; at most 8 MiB is accepted"],
    )
    .await;
}

#[tokio::test]
async fn an_id_that_stands_twice_changes_nothing() {
    let line = |text: &str| {
        json!({"id": "msg_1", "object": "thread.message", "thread_id": "thread_1",
            "created_at": 1, "role": "user", "content": text})
        .to_string()
    };
    let (_dir, source) = folder(&[("a.jsonl", &line("first")), ("b.jsonl", &line("second"))]);
    let message = derived("assistants/message", &["msg_1"]);
    let fault = format!("b.jsonl:1: faulty: message {message} stands twice: first at a.jsonl:1");
    let (fresh, _) = refuse(Kind::AssistantsExport, &source, &[&fault]).await;
    let kept = messages(&fresh, derived("assistants/thread", &["thread_1"])).await;
    assert_eq!(talk(&kept), [said(1, Role::User, "first")]);
}

#[tokio::test]
async fn what_the_store_has_otherwise_is_refused_and_stays() {
    let fresh = fresh();
    let options = Options::default();
    let user = |id: &str, email: &str| format!("id,email,password\n{id},{email},\n");
    let (_dir, first) = folder(&[(
        "User.csv",
        &user("11111111-1111-4111-8111-111111111111", "a@example.com"),
    )]);
    let (report, _) = run(Kind::AiChatbot, &first, &fresh.target, &options).await;
    assert!(report.unwrap().is_clean());
    let before = exported(&fresh.target).await;
    let (_dir, second) = folder(&[(
        "User.csv",
        &user("22222222-2222-4222-8222-222222222222", "a@example.com"),
    )]);
    let (report, told) = run(Kind::AiChatbot, &second, &fresh.target, &options).await;
    let report = report.unwrap();
    assert!(!report.is_clean());
    assert_eq!(report.tallies[&RecordType::User].refused, 1);
    assert_eq!(
        told,
        [
            "User.csv:2: refused: user 22222222-2222-4222-8222-222222222222: what must be unique of it is another's in the store"
        ]
    );
    assert_eq!(exported(&fresh.target).await, before);
    // In other letters it is another address.
    let (_dir, third) = folder(&[(
        "User.csv",
        &user("33333333-3333-4333-8333-333333333333", "A@example.com"),
    )]);
    let (report, told) = run(Kind::AiChatbot, &third, &fresh.target, &options).await;
    assert!(report.unwrap().is_clean());
    assert!(told[0].contains("found by its exact spelling"), "{told:?}");
    let after = exported(&fresh.target).await;
    let (report, _) = run(Kind::AiChatbot, &third, &fresh.target, &options).await;
    assert_eq!(report.unwrap().new_records(), 0);
    assert_eq!(exported(&fresh.target).await, after);
}

#[tokio::test]
async fn a_source_that_holds_nothing_of_the_kind_is_told_what_is_read() {
    let fresh = fresh();
    let (_dir, source) = folder(&[("notes.txt", "x")]);
    for kind in Kind::ALL {
        let (report, _) = run(kind, &source, &fresh.target, &Options::default()).await;
        let error = report.unwrap_err();
        assert!(matches!(error, ImportError::Nothing { .. }), "{error:?}");
    }
    let nowhere = Source::Path("/nowhere/at/all".into());
    let (report, _) = run(Kind::Skein, &nowhere, &fresh.target, &Options::default()).await;
    assert_eq!(
        report.unwrap_err().to_string(),
        "/nowhere/at/all cannot be read"
    );
    let kind = "mysql".parse::<Kind>().unwrap_err().to_string();
    assert!(kind.contains("web-chat, assistants, assistants-export, ai-chatbot or skein"));
}

#[tokio::test]
async fn a_source_without_any_record_is_told_and_not_clean() {
    let fresh = fresh();
    for (kind, file, text) in [
        (Kind::WebChat, "conversations.json", "[]"),
        (Kind::AiChatbot, "User.csv", "id,email,password\n"),
    ] {
        let (_dir, source) = folder(&[(file, text)]);
        let (report, told) = run(kind, &source, &fresh.target, &Options::default()).await;
        let report = report.unwrap();
        assert!(!report.is_clean(), "{kind}");
        assert!(report.to_string().starts_with("nothing to import: "));
        assert_eq!(told, [format!("left out: {file}: it is empty")]);
    }
    // An export that is empty was cut off.
    let (_dir, source) = folder(&[("skein.jsonl", "")]);
    let (report, told) = run(Kind::Skein, &source, &fresh.target, &Options::default()).await;
    assert!(matches!(report, Err(ImportError::Faulty { .. })));
    assert_eq!(told, ["faulty: skein.jsonl: it is empty"]);
}

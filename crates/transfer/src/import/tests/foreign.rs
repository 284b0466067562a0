//! Each old shape, as its own backend left it.

use super::*;

#[tokio::test]
async fn imports_a_web_chat_of_both_generations() {
    let fresh = fresh();
    let (report, told) = import_twice(Kind::WebChat, &fixture("web-chat"), &fresh).await;
    assert!(report.is_clean());
    assert_eq!(report.tallies[&RecordType::Conversation], new(4));
    assert_eq!(report.tallies[&RecordType::Message], new(8));
    assert_eq!(report.tallies[&RecordType::Summary], new(1));
    assert_eq!(report.tallies[&RecordType::Pin], new(2));
    assert_eq!(report.tallies[&RecordType::User], new(3));
    let dave = derived("web-chat/conversation", &["session 17", "dave"]);
    assert_eq!(
        told,
        [
            "conversations.json:3: left out: message 3 of conversation session 17: the role tool; user, assistant and system are imported".to_owned(),
            "few_shot_examples.json:9: left out: an example of nobody's: it would reach other people's prompts".to_owned(),
            format!("users.jsonl:3: changed: user {}: its password is not hashed with bcrypt or Argon2id and is left out", derived("web-chat/user", &["65920000bbbbbbbbbbbbbbb3"])),
            format!("users.jsonl:2: changed: user {}: its e-mail address differs in case only from another user's; it is found by its exact spelling", derived("web-chat/user", &["65920000bbbbbbbbbbbbbbb2"])),
            format!("conversations.json:4: changed: conversation {}: another user's conversation has its id; it gets the id {dave}", derived("web-chat/conversation", &["session 17"])),
        ]
    );

    let first = id("0b9df2a4-6c1e-4c8e-9a54-0d6a2f3b7c11");
    let record = conversation(&fresh, first).await;
    assert!(matches!(record.conversation.owner, Owner::Browser(_)));
    assert_eq!(record.conversation.origin, Origin::WebChat);
    assert_eq!(record.conversation.created_at_ms, 1_704_103_200_000);
    assert_eq!((record.tokens_used, record.next_seq), (42, 3));
    assert_eq!(record.alias, None);
    let found = messages(&fresh, first).await;
    assert_eq!(
        talk(&found),
        [
            said(1, Role::User, "Hello"),
            said(2, Role::Assistant, "Hi, what can I do?"),
        ]
    );
    // What has no time of its own has the conversation's first and last.
    assert_eq!(found[0].message.created_at_ms, 1_704_103_200_000);
    assert_eq!(found[1].message.created_at_ms, 1_704_103_500_250);
    assert_eq!(found[0].message.body.cost("o200k_base"), Some(5));
    let pins = fresh
        .store
        .list_pins(
            &record.conversation.owner,
            Some(ConversationId::new(first)),
            10,
        )
        .await
        .unwrap();
    assert_eq!((pins.len(), pins[0].answer.as_str()), (1, "8"));
}

#[tokio::test]
async fn a_web_chats_summary_is_no_turn_and_its_users_own_their_conversations() {
    let fresh = fresh();
    import_twice(Kind::WebChat, &fixture("web-chat"), &fresh).await;
    let second = id("1c9df2a4-6c1e-4c8e-9a54-0d6a2f3b7c22");
    let record = conversation(&fresh, second).await;
    let erin = fresh
        .store
        .find_user_by_email("erin@example.com")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(record.conversation.owner, Owner::User(erin.id));
    assert_eq!(record.conversation.title.as_deref(), Some("Birthdays"));
    assert_eq!(erin.created_at_ms, 1_703_980_800_000);
    let hash = fresh.store.find_password(erin.id).await.unwrap().unwrap();
    assert!(hash.text().starts_with("$2b$10$"));
    let other = fresh
        .store
        .find_user_by_email("=Erin@Example.com")
        .await
        .unwrap()
        .unwrap();
    assert_ne!(other.id, erin.id);

    let summary = fresh
        .store
        .find_summary(ConversationId::new(second))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(summary.text, "They spoke about birthdays.");
    assert_eq!(summary.covers_upto, 0);
    assert_eq!(summary.costs[0].encoding, "o200k_base");
    let found = messages(&fresh, second).await;
    assert_eq!(
        talk(&found),
        [
            said(1, Role::User, "誕生日はいつ？"),
            said(2, Role::Assistant, "In May."),
        ]
    );
    assert_eq!(found[0].message.created_at_ms, 1_704_103_200_123);
    let query = SearchQuery {
        owner: Owner::User(erin.id),
        text: "誕生日".to_owned(),
        limit: 10,
    };
    // A message is found soon after it was stored, not at once.
    let found_at_last = async {
        while fresh
            .store
            .search_messages(query.clone())
            .await
            .unwrap()
            .is_empty()
        {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), found_at_last)
        .await
        .unwrap();

    // An id that is no UUID is an alias; of two owners' conversations with one id the second has an id of its own.
    let carol = derived("web-chat/conversation", &["session 17"]);
    let record = conversation(&fresh, carol).await;
    assert_eq!(record.alias.as_deref(), Some("session 17"));
    assert_eq!(
        talk(&messages(&fresh, carol).await),
        [
            said(1, Role::System, "You are terse."),
            said(2, Role::User, "Who?"),
            said(4, Role::Assistant, "Me."),
        ]
    );
    // It says no time, so its document's id does.
    assert_eq!(record.conversation.created_at_ms, 1_704_067_200_000);
    let dave = derived("web-chat/conversation", &["session 17", "dave"]);
    assert_eq!(conversation(&fresh, dave).await.alias, None);
    assert_eq!(
        talk(&messages(&fresh, dave).await),
        [said(1, Role::User, "Who else?")]
    );
}

#[tokio::test]
async fn imports_what_assistants_frontends_keep_of_threads() {
    let fresh = fresh();
    let (report, told) = import_twice(Kind::Assistants, &fixture("assistants"), &fresh).await;
    assert!(report.is_clean());
    assert_eq!(report.tallies[&RecordType::ThreadView], new(4));
    assert_eq!(
        told,
        [
            "conversations.jsonl:3: left out: a web chat's conversation; `skein import web-chat` reads it"
        ]
    );
    let view = fresh
        .store
        .find_thread_view("user-1", "thread_abc123")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((view.name.as_str(), view.is_group), ("Plans", true));
    assert_eq!(view.created_at_ms, 1_709_280_000_500);
    assert_eq!(view.updated_at_ms, 1_709_366_400_500);
    let old = fresh
        .store
        .find_thread_view("default-user", "thread_old")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (old.name.as_str(), old.is_group),
        ("2024-01-01 00:00:00", false)
    );
    let nickname = fresh
        .store
        .find_thread_view("default-user", "thread_n2")
        .await
        .unwrap()
        .unwrap();
    assert_eq!((nickname.name.as_str(), nickname.is_group), ("Group", true));
}

#[tokio::test]
async fn imports_an_assistants_export_in_order_whichever_end_it_begins_at() {
    let fresh = fresh();
    let source = fixture("assistants-export/export.jsonl");
    let (report, told) = import_twice(Kind::AssistantsExport, &source, &fresh).await;
    assert!(report.is_clean());
    assert_eq!(report.tallies[&RecordType::Conversation], new(2));
    assert_eq!(report.tallies[&RecordType::Message], new(7));
    let ignored: Vec<_> = report.ignored.iter().collect();
    let names = ["assistant", "thread.run", "thread.run.step"].map(str::to_owned);
    assert_eq!(
        ignored,
        names.iter().map(|name| (name, &1)).collect::<Vec<_>>()
    );
    assert_eq!(
        told,
        ["export.jsonl:5: left out: message msg_b3: it is empty"]
    );

    let newest_first = derived("assistants/thread", &["thread_A"]);
    let record = conversation(&fresh, newest_first).await;
    assert_eq!(record.conversation.owner, Owner::Tenant);
    assert_eq!(record.alias.as_deref(), Some("thread_A"));
    assert_eq!(record.metadata["topic"], "news");
    assert_eq!(record.conversation.created_at_ms, 1_700_000_000_000);
    let found = messages(&fresh, newest_first).await;
    let aliases: Vec<_> = found.iter().map(|record| record.alias.as_deref()).collect();
    assert_eq!(
        aliases,
        [Some("msg_1"), Some("msg_2"), Some("msg_3"), Some("msg_4")]
    );
    let parts = |index: usize| -> Vec<&PartContent> {
        found[index]
            .message
            .body
            .parts
            .iter()
            .map(|part| &part.content)
            .collect()
    };
    assert!(
        matches!(parts(1)[0], PartContent::Text { annotations, .. } if annotations[0]["type"] == "file_citation")
    );
    assert!(
        matches!(parts(2)[1], PartContent::File { url, .. } if url == "https://example.com/a.png")
    );
    assert!(matches!(parts(2)[2], PartContent::Opaque { name, raw }
        if name == "image_file" && raw["image_file"]["file_id"] == "file-1"));
    assert!(matches!(parts(2)[3], PartContent::Opaque { raw, .. }
        if raw["metadata"] == json!({"k": "v"}) && raw["attachments"][0]["file_id"] == "file-2"));
    let last = &found[3].message.body;
    assert_eq!(last.status, MessageStatus::Incomplete);
    assert_eq!(last.error, Some(RunError::MaxOutputTokens));

    // Of this one there are the messages only, oldest first.
    let implied = derived("assistants/thread", &["thread_B"]);
    let record = conversation(&fresh, implied).await;
    assert_eq!(record.conversation.created_at_ms, 1_700_000_100_000);
    let found = messages(&fresh, implied).await;
    let aliases: Vec<_> = found.iter().map(|record| record.alias.as_deref()).collect();
    assert_eq!(aliases, [Some("msg_b1"), Some("msg_b2"), Some("msg_b4")]);
    assert_eq!(found[2].message.body.status, MessageStatus::Cancelled);
}

const GINA: &str = "11111111-1111-4111-8111-111111111111";
const CHAT: &str = "c1111111-1111-4111-8111-111111111111";

fn message_id(number: u32) -> MessageId {
    MessageId::new(id(&format!("a{number:07}-0000-4000-8000-000000000000")))
}

#[tokio::test]
async fn imports_an_ai_chatbots_tables() {
    let fresh = fresh();
    let (report, told) = import_twice(Kind::AiChatbot, &fixture("ai-chatbot"), &fresh).await;
    assert!(report.is_clean());
    let news = [
        (RecordType::User, 2),
        (RecordType::Conversation, 2),
        (RecordType::Message, 5),
        (RecordType::Rating, 2),
        (RecordType::Document, 2),
        (RecordType::Suggestion, 1),
    ];
    assert_eq!(
        report.tallies,
        news.into_iter()
            .map(|(record, count)| (record, new(count)))
            .collect()
    );
    assert_eq!(
        told,
        [
            "Message_v2.csv:6: left out: message a0000005-0000-4000-8000-000000000000: it is empty",
            "Message_v2.csv:8: left out: message a0000010-0000-4000-8000-000000000000: the role tool; user, assistant and system are imported",
        ]
    );
    let record = conversation(&fresh, id(CHAT)).await;
    assert_eq!(
        record.conversation.owner,
        Owner::User(UserId::new(id(GINA)))
    );
    assert_eq!(
        record.conversation.title.as_deref(),
        Some("Weather, \"today\"")
    );
    assert_eq!(record.conversation.visibility, Visibility::Public);
    assert_eq!(record.conversation.created_at_ms, 1_735_787_045_678);
    let guest = fresh
        .store
        .find_user_by_email("guest-1733000000000")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(guest.kind, UserKind::Guest);

    let found = messages(&fresh, id(CHAT)).await;
    let order: Vec<_> = found
        .iter()
        .map(|record| (record.message.id, record.rating))
        .collect();
    assert_eq!(
        order,
        [
            (message_id(2), None),
            (message_id(3), Some(Rating::Up)),
            (message_id(4), None),
            (message_id(6), Some(Rating::Down)),
        ]
    );
    let versions = fresh
        .store
        .list_versions(DocumentId(id("d1111111-1111-4111-8111-111111111111")))
        .await
        .unwrap();
    let contents: Vec<&str> = versions
        .iter()
        .map(|version| version.content.as_str())
        .collect();
    assert_eq!(contents, ["First", "Second\n\"draft\""]);
}

#[tokio::test]
async fn an_ai_chatbots_parts_become_what_a_run_of_ours_would_have_stored() {
    let fresh = fresh();
    import_twice(Kind::AiChatbot, &fixture("ai-chatbot"), &fresh).await;
    let found = messages(&fresh, id(CHAT)).await;
    let answer = &found[1].message.body;
    let shapes: Vec<(Option<u32>, &PartContent)> = answer
        .parts
        .iter()
        .map(|part| (part.step, &part.content))
        .collect();
    assert!(
        matches!(shapes[0], (Some(0), PartContent::Reasoning { text, .. }) if text == &["Look it up."])
    );
    let (Some(0), PartContent::Call(call)) = shapes[1] else {
        panic!("{:?}", shapes[1])
    };
    assert_eq!(
        (call.name.as_str(), call.call_id.as_str()),
        ("getWeather", "call_1")
    );
    assert_eq!(call.arguments, r#"{"city":"Rome"}"#);
    let output = ToolResult::Output {
        output: json!({"$t": 21}),
    };
    assert_eq!(
        shapes[2],
        (
            Some(0),
            &PartContent::CallOutput {
                call: 1,
                result: output
            }
        )
    );
    assert!(
        matches!(shapes[3], (Some(1), PartContent::Text { text, .. }) if text == "21 degrees.")
    );
    assert!(matches!(shapes[4], (Some(1), PartContent::Data { name, .. }) if name == "usage"));
    assert!(
        matches!(shapes[5], (Some(1), PartContent::Opaque { name, raw })
        if name == "something-new" && raw["x"] == 1)
    );
    assert!(
        answer
            .parts
            .iter()
            .all(|part| part.status == PartStatus::Completed)
    );

    let user = &found[2].message.body;
    assert!(
        matches!(&user.parts[1].content, PartContent::File { media_type, name, .. }
        if media_type == "image/png" && name.as_deref() == Some("a.png"))
    );

    let failed = &found[3].message.body;
    let PartContent::Call(broken) = &failed.parts[0].content else {
        panic!("{failed:?}")
    };
    assert_eq!(broken.arguments, "{\"title\":");
    assert!(matches!(&failed.parts[1].content,
        PartContent::CallOutput { call: 0, result: ToolResult::Error { message } } if message == "Bad input."));
    let PartContent::Call(cut) = &failed.parts[2].content else {
        panic!("{failed:?}")
    };
    assert_eq!(failed.parts[2].status, PartStatus::Incomplete);
    assert_ne!(
        cut.call_id, broken.call_id,
        "ids of calls are unique in a message"
    );
    assert!(matches!(&failed.parts[4].content,
        PartContent::CallOutput { call: 3, result: ToolResult::Denied { reason } } if reason.as_deref() == Some("Not now.")));
}

/// A database that holds the web chat's fixtures and more.
struct Database;

#[async_trait]
impl RawCollections for Database {
    fn name(&self) -> String {
        "the database chatbot_db".to_owned()
    }

    async fn list_collections(&self) -> Result<Vec<String>, StoreError> {
        let names = ["conversations", "few_shot_examples", "uploads", "users"];
        Ok(names.map(str::to_owned).to_vec())
    }

    async fn read_collection(&self, collection: &str) -> Result<RawDocuments, StoreError> {
        let ending = if collection == "users" {
            "jsonl"
        } else {
            "json"
        };
        let Source::Path(path) = fixture(&format!("web-chat/{collection}.{ending}")) else {
            panic!("a file")
        };
        let text = fs::read_to_string(path).unwrap();
        let text = text.trim_start_matches('\u{feff}');
        let documents: Vec<Value> = serde_json::from_str(text).unwrap_or_else(|_| {
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        });
        let documents = documents.into_iter().map(|document| Ok(Ok(document)));
        Ok(futures_util::stream::iter(documents).boxed())
    }
}

/// A database with a document that cannot be read between two that can.
struct BrokenDatabase;

#[async_trait]
impl RawCollections for BrokenDatabase {
    fn name(&self) -> String {
        "the database broken".to_owned()
    }

    async fn list_collections(&self) -> Result<Vec<String>, StoreError> {
        Ok(vec!["conversations".to_owned()])
    }

    async fn read_collection(&self, _collection: &str) -> Result<RawDocuments, StoreError> {
        let whole = |id: &str| Ok(Ok(json!({"conversation_id": id, "messages": []})));
        let id = Some(json!({"$oid": "64b000000000000000000001"}));
        let documents = [whole("a"), Ok(Err(BrokenDocument { id })), whole("b")];
        Ok(futures_util::stream::iter(documents).boxed())
    }
}

#[tokio::test]
async fn a_document_that_cannot_be_read_is_one_faulty_record() {
    let fresh = fresh();
    let source = Source::Collections(Arc::new(BrokenDatabase));
    let options = Options {
        skip_faulty: true,
        ..Options::default()
    };
    let (report, told) = run(Kind::WebChat, &source, &fresh.target, &options).await;
    let report = report.unwrap();
    assert_eq!(report.tallies[&RecordType::Conversation], new(2));
    assert_eq!(report.faulty, 1);
    assert_eq!(
        told,
        [
            r#"conversations:2: faulty: the document with the _id {"$oid":"64b000000000000000000001"} cannot be read: it is no valid BSON; a text in it may be no UTF-8"#
        ]
    );
}

#[tokio::test]
async fn a_database_gives_the_same_as_its_files() {
    let of_files = fresh();
    import_twice(Kind::WebChat, &fixture("web-chat"), &of_files).await;
    let of_database = fresh();
    let source = Source::Collections(Arc::new(Database));
    let (report, told) = import_twice(Kind::WebChat, &source, &of_database).await;
    assert!(report.is_clean());
    assert_eq!(told.len(), 5);
    assert_eq!(
        exported(&of_database.target).await,
        exported(&of_files.target).await
    );
    // The files bring nothing that the database did not.
    let (report, _) = run(
        Kind::WebChat,
        &fixture("web-chat"),
        &of_database.target,
        &Options::default(),
    )
    .await;
    assert_eq!(report.unwrap().new_records(), 0);
}

//! What [`records::Archive`] says of users, conversations and owners. [`crate::archive_messages`] has the messages.

use std::sync::Arc;

use chat_core::{
    access::{Owner, Visibility},
    conversation::{Conversation, Origin},
    id::{ConversationId, PinId, UserId},
    ports::{Pin, PinScope},
};
use records::{
    ConversationRecord, DocumentId, DocumentKind, DocumentVersion, NewUser, PasswordHash, Put,
    Rotation, SessionId, SessionRecord, User, UserKind, UserRecord, UserRefusal, email_key,
    exact_email_key,
};
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::{WholeStore, sample};

/// A user that was put is found like any other, and scanned as it was put.
pub async fn a_user_is_stored_as_it_is_given(store: Arc<dyn WholeStore>) {
    let mut guest = user(" Guest-17 ");
    guest.user.kind = UserKind::Guest;
    guest.user.created_at_ms = -1;
    guest.password = None;
    for record in [user("Ada@Example.org"), guest] {
        assert_eq!(store.put_user(record.clone()).await.unwrap(), Put::New);
        let user = Some(record.user.clone());
        assert_eq!(store.find_user(record.user.id).await.unwrap(), user);
        let by_email = store.find_user_by_email(&record.email_key).await.unwrap();
        assert_eq!(by_email, user);
        let password = store.find_password(record.user.id).await.unwrap();
        assert_eq!(password, record.password);
        let scanned = store.scan_users(None, 100).await.unwrap();
        assert!(scanned.contains(&record), "{scanned:?}");
    }
}

/// A user whose id is there is known, however the two differ, and stays as it was.
pub async fn a_known_user_is_unchanged(store: Arc<dyn WholeStore>) {
    let first = user("ada@example.org");
    assert_eq!(store.put_user(first.clone()).await.unwrap(), Put::New);
    let mut second = user("bob@example.org");
    second.user.id = first.user.id;
    for again in [first.clone(), second.clone()] {
        assert_eq!(store.put_user(again).await.unwrap(), Put::Known);
    }
    assert_eq!(store.scan_users(None, 10).await.unwrap(), [first]);
    let by_email = store.find_user_by_email(&second.email_key).await.unwrap();
    assert_eq!(by_email, None);
}

/// A user whose key is another one's is taken, and nothing of it is stored.
pub async fn a_user_with_a_taken_key_is_not_stored(store: Arc<dyn WholeStore>) {
    let first = user("ada@example.org");
    assert_eq!(store.put_user(first.clone()).await.unwrap(), Put::New);
    let second = user("ADA@example.org");
    assert_eq!(store.put_user(second.clone()).await.unwrap(), Put::Taken);
    assert_eq!(store.find_user(second.user.id).await.unwrap(), None);
    assert_eq!(store.scan_users(None, 10).await.unwrap(), [first]);
    // One that registers later meets the same rule.
    let new = NewUser {
        id: UserId::new(sample::uuid()),
        email: "Ada@example.org".to_owned(),
        email_key: email_key("Ada@example.org"),
        kind: UserKind::Regular,
        password: None,
        at_ms: 1,
    };
    let refused = store.insert_user(new).await.unwrap();
    assert_eq!(refused, Err(UserRefusal::EmailTaken));
}

/// Users whose addresses differ in case only live side by side under exact keys, and each is found by its own.
pub async fn exact_keys_keep_users_apart(store: Arc<dyn WholeStore>) {
    let spellings = ["ada@example.org", "Ada@example.org", "ADA@example.org"];
    let mut records = spellings.map(user);
    for record in &mut records[1..] {
        record.email_key = exact_email_key(&record.user.email);
    }
    for record in &records {
        assert_eq!(store.put_user(record.clone()).await.unwrap(), Put::New);
    }
    for record in &records[1..] {
        let key = exact_email_key(&record.user.email);
        let found = store.find_user_by_email(&key).await.unwrap();
        assert_eq!(found.as_ref(), Some(&record.user));
    }
    let key = email_key("ADA@example.org");
    let found = store.find_user_by_email(&key).await.unwrap();
    assert_eq!(found.as_ref(), Some(&records[0].user));
    assert_eq!(store.scan_users(None, 10).await.unwrap(), records);
}

/// When callers race to put one user, exactly one stores it; when they race for a key, exactly one gets it.
pub async fn racing_users_have_one_winner(store: Arc<dyn WholeStore>) {
    let record = user("ada@example.org");
    let mut racing = JoinSet::new();
    for racer in 0..16 {
        let store = Arc::clone(&store);
        let mut record = record.clone();
        record.user.created_at_ms = racer;
        racing.spawn(async move { store.put_user(record).await.unwrap() });
    }
    assert_counts(&racing.join_all().await, 1, Put::Known);

    let mut racing = JoinSet::new();
    for _ in 0..16 {
        let store = Arc::clone(&store);
        racing.spawn(async move { store.put_user(user("bob@example.org")).await.unwrap() });
    }
    assert_counts(&racing.join_all().await, 1, Put::Taken);
    assert_eq!(store.scan_users(None, 100).await.unwrap().len(), 2);
}

/// A conversation that was put is found like any other, and scanned as it was put.
pub async fn a_conversation_is_stored_as_it_is_given(store: Arc<dyn WholeStore>) {
    let mut plain = conversation(&Owner::Tenant);
    plain.conversation.title = None;
    plain.conversation.visibility = Visibility::Public;
    plain.conversation.created_at_ms = -1;
    plain.alias = None;
    plain.metadata = Map::new();
    plain.next_seq = 1;
    plain.tokens_used = 0;
    for record in [conversation(&sample::owner()), plain] {
        assert_eq!(put(&store, &record).await, Put::New);
        let id = record.conversation.id;
        let found = store.find_conversation(id).await.unwrap();
        assert_eq!(found.as_ref(), Some(&record.conversation));
        assert_eq!(sample::texts(&*store, id).await, []);
        let owner = record.conversation.owner.clone();
        let scanned = store.scan_conversations(Some(&owner), None, 9).await;
        assert_eq!(scanned.unwrap(), [record]);
    }
}

/// A conversation whose id is there is known, however the two differ, and stays as it was, messages included.
pub async fn a_known_conversation_is_unchanged(store: Arc<dyn WholeStore>) {
    let open = sample::send(&sample::owner(), sample::conversation_id(), "question");
    sample::opened(&*store, &open).await;
    let before = store.scan_conversations(None, None, 9).await.unwrap();
    assert_eq!(before.len(), 1);
    assert_eq!(before[0].next_seq, 3);
    let mut again = conversation(&sample::owner());
    again.conversation.id = open.conversation;
    for again in [again, before[0].clone()] {
        assert_eq!(put(&store, &again).await, Put::Known);
    }
    let after = store.scan_conversations(None, None, 9).await.unwrap();
    assert_eq!(after, before);
    assert_eq!(sample::texts(&*store, open.conversation).await.len(), 1);
}

/// A conversation whose alias is another one's is taken; without an alias there is nothing to take.
pub async fn a_conversation_with_a_taken_alias_is_not_stored(store: Arc<dyn WholeStore>) {
    let owner = sample::owner();
    let first = conversation(&owner);
    assert_eq!(put(&store, &first).await, Put::New);
    let mut second = conversation(&owner);
    second.alias.clone_from(&first.alias);
    assert_eq!(put(&store, &second).await, Put::Taken);
    let found = store.find_conversation(second.conversation.id).await;
    assert_eq!(found.unwrap(), None);
    for _ in 0..2 {
        let mut plain = conversation(&owner);
        plain.alias = None;
        assert_eq!(put(&store, &plain).await, Put::New);
    }
    store
        .delete_conversation(first.conversation.id)
        .await
        .unwrap();
    assert_eq!(put(&store, &second).await, Put::New);
}

/// When callers race to put one conversation, exactly one stores it; when they race for an alias, exactly one gets it.
pub async fn racing_conversations_have_one_winner(store: Arc<dyn WholeStore>) {
    let owner = sample::owner();
    let record = conversation(&owner);
    let mut racing = JoinSet::new();
    for racer in 0..16 {
        let store = Arc::clone(&store);
        let mut record = record.clone();
        record.tokens_used = racer;
        racing.spawn(async move { put(&store, &record).await });
    }
    assert_counts(&racing.join_all().await, 1, Put::Known);

    let mut racing = JoinSet::new();
    for _ in 0..16 {
        let store = Arc::clone(&store);
        let mut record = conversation(&owner);
        record.alias = Some("one".to_owned());
        racing.spawn(async move { put(&store, &record).await });
    }
    assert_counts(&racing.join_all().await, 1, Put::Taken);
    let stored = store.scan_conversations(Some(&owner), None, 100).await;
    assert_eq!(stored.unwrap().len(), 2);
}

/// Metadata come back exactly, whatever their keys, numbers and depth.
pub async fn metadata_survive_exactly(store: Arc<dyn WholeStore>) {
    let mut deep = json!("bottom");
    for level in 0..100 {
        deep = match level % 2 {
            0 => json!([deep]),
            _ => json!({ "": deep }),
        };
    }
    let metadata = json!({
        "$where": "sleep(1000)",
        "$set": {"owner": "tenant:default"},
        "a.b.c": {"": {".": {"$": 1}}},
        "\0": "\0 inside \0",
        "__proto__": {"constructor": null},
        "_id": 7,
        "𝄞 é ": "𝄞 é ",
        "numbers": [
            i64::MIN, i64::MAX, 9_223_372_036_854_775_808_u64, u64::MAX, 0, -0.0, 0.1, 1e308, 5e-324,
            2.225_073_858_507_201e-308, 9_007_199_254_740_993_i64, 1.0, 1e-7,
            0.300_000_000_000_000_04, 123_456_789.123_456_79,
        ],
        "long": "x".repeat(1 << 20),
        "many": (0..2_000).map(Value::from).collect::<Vec<_>>(),
        "deep": deep,
        "types": [true, false, null, [], {}, "", [[[]]]],
    });
    let mut record = conversation(&sample::owner());
    record.metadata = metadata.as_object().unwrap().clone();
    record.conversation.title = Some("'; -- \0 {$ne: 1}".to_owned());
    record.alias = Some("thread_$\0.é".to_owned());
    assert_eq!(put(&store, &record).await, Put::New);
    let scanned = store.scan_conversations(None, None, 9).await.unwrap();
    assert_eq!(scanned, [record]);
}

/// A conversation goes on at the place that it was put with, whatever lies before that.
pub async fn a_conversation_goes_on_at_its_next_place(store: Arc<dyn WholeStore>) {
    let mut record = conversation(&sample::owner());
    record.next_seq = 20;
    assert_eq!(put(&store, &record).await, Put::New);
    let open = sample::send(
        &record.conversation.owner,
        record.conversation.id,
        "question",
    );
    let leg = sample::opened(&*store, &open).await;
    assert!(!leg.created);
    assert_eq!(leg.answer_seq, 21);
    let texts = sample::texts(&*store, open.conversation).await;
    assert_eq!(texts, [(20, "question".to_owned())]);
    record.next_seq = 22;
    let scanned = store.scan_conversations(None, None, 9).await.unwrap();
    assert_eq!(scanned, [record]);
}

/// Users are given page by page in the order of their ids, each exactly once, while others come.
pub async fn users_are_scanned_in_order_while_others_come(store: Arc<dyn WholeStore>) {
    let users: Vec<_> = (0..23).map(|n| user(&format!("{n}@a.org"))).collect();
    for user in users.iter().rev() {
        assert_eq!(store.put_user(user.clone()).await.unwrap(), Put::New);
    }
    let coming = Arc::clone(&store);
    let mut others = JoinSet::new();
    others.spawn(async move {
        for n in 0..40 {
            // Before and behind those that are scanned.
            let mut other = user(&format!("{n}@b.org"));
            if n % 2 == 0 {
                other.user.id = UserId::new(uuid::Uuid::from_u128(n + 1));
            }
            assert_eq!(coming.put_user(other).await.unwrap(), Put::New);
        }
    });
    let mut scanned: Vec<UserRecord> = Vec::new();
    loop {
        let after = scanned.last().map(|record| record.user.id);
        let page = store.scan_users(after, 4).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 4);
        scanned.extend(page);
    }
    others.join_all().await;
    assert!(scanned.is_sorted_by(|a, b| a.user.id < b.user.id));
    scanned.retain(|record| record.user.email.ends_with("@a.org"));
    assert_eq!(scanned, users);
}

/// Conversations are given page by page in the order of their ids, each exactly once, while others come, of one owner
/// or of all.
pub async fn conversations_are_scanned_in_order_while_others_come(store: Arc<dyn WholeStore>) {
    let owners = [sample::owner(), sample::owner()];
    let records: Vec<_> = (0..23).map(|n| conversation(&owners[n % 2])).collect();
    for record in records.iter().rev() {
        assert_eq!(put(&store, record).await, Put::New);
    }
    let (coming, stranger) = (Arc::clone(&store), owners[0].clone());
    let mut others = JoinSet::new();
    others.spawn(async move {
        for n in 0..40 {
            let mut other = conversation(&stranger);
            other.conversation.title = None;
            if n % 2 == 0 {
                other.conversation.id = ConversationId::new(uuid::Uuid::from_u128(n + 1));
            }
            assert_eq!(put(&coming, &other).await, Put::New);
        }
    });
    for owner in [None, Some(&owners[0]), Some(&owners[1])] {
        let mut scanned: Vec<ConversationRecord> = Vec::new();
        loop {
            let after = scanned.last().map(|record| record.conversation.id);
            let page = store.scan_conversations(owner, after, 3).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= 3);
            scanned.extend(page);
        }
        assert!(scanned.is_sorted_by(|a, b| a.conversation.id < b.conversation.id));
        scanned.retain(|record| record.conversation.title.is_some());
        let expected: Vec<_> = records
            .iter()
            .filter(|record| owner.is_none_or(|owner| record.conversation.owner == *owner))
            .cloned()
            .collect();
        assert_eq!(scanned, expected);
    }
    others.join_all().await;
}

/// Every owner of something is given once, in the order of the text forms: of a conversation, a pin or a document.
pub async fn owners_are_scanned_once_each(store: Arc<dyn WholeStore>) {
    let id = || UserId::new(sample::uuid());
    // In the order of their text forms.
    let owners = [
        Owner::Browser(id()),
        Owner::Browser(id()),
        Owner::Tenant,
        Owner::User(id()),
        Owner::User(id()),
        Owner::User(id()),
    ];
    for owner in owners.iter().rev() {
        for _ in 0..3 {
            if *owner != owners[0] && *owner != owners[4] {
                assert_eq!(put(&store, &conversation(owner)).await, Put::New);
            }
            if *owner != owners[1] && *owner != owners[4] {
                let pin = Pin {
                    id: PinId::new(sample::uuid()),
                    scope: PinScope::Owner(owner.clone()),
                    prompt: "How?".to_owned(),
                    answer: "So.".to_owned(),
                    created_at_ms: 1,
                };
                assert!(store.insert_pin(pin).await.unwrap());
            }
            if *owner == owners[4] || *owner == Owner::Tenant {
                let version = DocumentVersion {
                    document: DocumentId(sample::uuid()),
                    created_at_ms: 1,
                    owner: owner.clone(),
                    title: "A title".to_owned(),
                    kind: DocumentKind::Text,
                    content: "Some text".to_owned(),
                };
                assert!(store.insert_version(version).await.unwrap());
            }
        }
    }
    // A pin of a conversation has no owner, and a user without anything is none.
    let conversations = store.scan_conversations(None, None, 1).await.unwrap();
    let pin = Pin {
        id: PinId::new(sample::uuid()),
        scope: PinScope::Conversation(conversations[0].conversation.id),
        prompt: "How?".to_owned(),
        answer: "So.".to_owned(),
        created_at_ms: 1,
    };
    assert!(store.insert_pin(pin).await.unwrap());
    assert_eq!(store.put_user(user("a@a.org")).await.unwrap(), Put::New);

    assert_eq!(store.scan_owners(None, 100).await.unwrap(), owners);
    assert_eq!(store.scan_owners(None, 2).await.unwrap(), owners[..2]);
    for (number, after) in owners.iter().enumerate() {
        let page = store.scan_owners(Some(after), 2).await.unwrap();
        let rest = &owners[number + 1..];
        assert_eq!(page, rest[..rest.len().min(2)]);
    }
}

async fn put(store: &Arc<dyn WholeStore>, record: &ConversationRecord) -> Put {
    store.put_conversation(record.clone()).await.unwrap()
}

/// Checks that so many were stored and all others were told this.
fn assert_counts(outcomes: &[Put], new: usize, other: Put) {
    let count = |wanted| outcomes.iter().filter(|put| **put == wanted).count();
    assert_eq!(count(Put::New), new, "{outcomes:?}");
    assert_eq!(count(other), outcomes.len() - new, "{outcomes:?}");
}

/// A session that was put is one like any other, and is scanned as it was put, of all users or of one; a known one stays as
/// it was, and one of a user who is not there is not stored.
pub async fn sessions_move_with_their_users(store: Arc<dyn WholeStore>) {
    let (ada, bob) = (user("ada@example.org"), user("bob@example.org"));
    for user in [&ada, &bob] {
        assert_eq!(store.put_user(user.clone()).await.unwrap(), Put::New);
    }
    let session = |user: &UserRecord, token: u8| SessionRecord {
        id: SessionId(sample::uuid()),
        user: user.user.id,
        token: [token; 32],
        expires_at_ms: 2_000,
        created_at_ms: -1,
    };
    let mut all = vec![session(&ada, 1), session(&ada, 2), session(&bob, 3)];
    for session in &all {
        assert_eq!(store.put_session(session.clone()).await.unwrap(), Put::New);
    }
    let changed = SessionRecord {
        token: [9; 32],
        ..all[0].clone()
    };
    assert_eq!(store.put_session(changed).await.unwrap(), Put::Known);
    let orphan = session(&user("eve@example.org"), 4);
    assert_eq!(
        store.put_session(orphan.clone()).await.unwrap(),
        Put::Orphan
    );
    assert_eq!(store.find_session(orphan.id, 0).await.unwrap(), None);

    let rotated = store
        .rotate_session(all[2].id, [3; 32], [5; 32], 1_000, 3_000)
        .await;
    assert_eq!(rotated.unwrap(), Rotation::Rotated(bob.user.id));
    (all[2].token, all[2].expires_at_ms) = ([5; 32], 3_000);
    all.sort_by_key(|session| session.id);
    assert_eq!(store.scan_sessions(None, None, 10).await.unwrap(), all);
    let first = store.scan_sessions(None, None, 1).await.unwrap();
    assert_eq!(first, all[..1]);
    let rest = store.scan_sessions(None, Some(all[0].id), 10).await;
    assert_eq!(rest.unwrap(), all[1..]);
    let adas: Vec<SessionRecord> = all
        .into_iter()
        .filter(|session| session.user == ada.user.id)
        .collect();
    let scanned = store.scan_sessions(Some(ada.user.id), None, 10).await;
    assert_eq!(scanned.unwrap(), adas);
}

fn user(email: &str) -> UserRecord {
    UserRecord {
        user: User {
            id: UserId::new(sample::uuid()),
            email: email.to_owned(),
            kind: UserKind::Regular,
            created_at_ms: 1_700_000_000_000,
        },
        email_key: email_key(email),
        password: Some(PasswordHash::new(format!("$2b$10${email}"))),
    }
}

/// A conversation without messages.
pub(crate) fn conversation(owner: &Owner) -> ConversationRecord {
    let id = sample::conversation_id();
    ConversationRecord {
        conversation: Conversation {
            id,
            owner: owner.clone(),
            title: Some("A title".to_owned()),
            visibility: Visibility::Private,
            origin: Origin::Assistants,
            created_at_ms: 1_600_000_000_000,
        },
        alias: Some(format!("thread_{id}")),
        metadata: json!({"user_id": "u"}).as_object().unwrap().clone(),
        tokens_used: 12_345,
        next_seq: 1,
    }
}

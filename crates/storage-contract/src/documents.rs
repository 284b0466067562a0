//! What [`records::Documents`] says.

use std::sync::Arc;

use chat_core::{access::Owner, id::UserId};
use records::{AddVersion, DocumentId, DocumentKind, DocumentVersion, NewVersion, Suggestion};
use tokio::task::JoinSet;

use crate::{RecordsStore, sample};

/// Versions are listed oldest first, each as it was stored, those of their document only.
pub async fn versions_are_listed_oldest_first(store: Arc<dyn RecordsStore>) {
    let (document, owner) = (id(), sample::owner());
    let mut versions = Vec::new();
    for (at_ms, kind) in [
        (-5, DocumentKind::Text),
        (1, DocumentKind::Code),
        (2, DocumentKind::Image),
        (1_700_000_000_000, DocumentKind::Sheet),
    ] {
        versions.push(DocumentVersion {
            kind,
            title: format!("Title \0 {at_ms}"),
            content: format!("Content \0 𝄞 of {at_ms}"),
            ..version(document, at_ms, &owner)
        });
    }
    for at in [2, 0, 3, 1] {
        assert!(store.insert_version(versions[at].clone()).await.unwrap());
        let other = version(id(), versions[at].created_at_ms, &owner);
        assert!(store.insert_version(other).await.unwrap());
    }
    assert_eq!(store.list_versions(document).await.unwrap(), versions);
    let mut after = None;
    for version in &versions {
        let next = store.next_version(document, after).await.unwrap();
        assert_eq!(next.as_ref(), Some(version));
        after = Some(version.created_at_ms);
    }
    assert_eq!(store.next_version(document, after).await.unwrap(), None);
    assert_eq!(store.next_version(id(), None).await.unwrap(), None);
}

/// A document that is not there has no versions and no suggestions.
pub async fn a_missing_document_has_no_versions(store: Arc<dyn RecordsStore>) {
    let version = version(id(), 1, &sample::owner());
    assert!(store.insert_version(version).await.unwrap());
    assert_eq!(store.list_versions(id()).await.unwrap(), []);
    assert_eq!(store.list_suggestions(id()).await.unwrap(), []);
}

/// A second version of one time is not stored.
pub async fn a_version_of_a_known_time_is_not_stored(store: Arc<dyn RecordsStore>) {
    let first = version(id(), 1, &sample::owner());
    assert!(store.insert_version(first.clone()).await.unwrap());
    let mut second = first.clone();
    "another".clone_into(&mut second.content);
    assert!(!store.insert_version(second).await.unwrap());
    assert_eq!(store.list_versions(first.document).await.unwrap(), [first]);
}

/// The first version makes the owner; one by another is not stored, whatever its time.
pub async fn a_version_of_another_owner_is_not_stored(store: Arc<dyn RecordsStore>) {
    let first = version(id(), 5, &sample::owner());
    assert!(store.insert_version(first.clone()).await.unwrap());
    let stranger = sample::owner();
    for at_ms in [4, 5, 6] {
        let foreign = version(first.document, at_ms, &stranger);
        assert!(!store.insert_version(foreign).await.unwrap(), "{at_ms}");
    }
    assert_eq!(documents(&store, Some(&stranger), None, 5).await, []);
    assert_eq!(store.list_versions(first.document).await.unwrap(), [first]);
}

/// When owners race for one document, one of them has all the versions.
pub async fn racing_owners_have_one_winner(store: Arc<dyn RecordsStore>) {
    let document = id();
    let mut racing = JoinSet::new();
    for at_ms in 0..16 {
        let store = Arc::clone(&store);
        let version = version(document, at_ms, &sample::owner());
        racing.spawn(async move {
            let stored = store.insert_version(version.clone()).await.unwrap();
            stored.then_some(version)
        });
    }
    let winners: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(store.list_versions(document).await.unwrap(), winners);
}

/// When callers race for one version, exactly one stores it; racing versions of one owner are all stored.
pub async fn racing_versions_are_stored_once_each(store: Arc<dyn RecordsStore>) {
    let (document, owner) = (id(), sample::owner());
    let mut racing = JoinSet::new();
    for racer in 0..24 {
        let store = Arc::clone(&store);
        let version = version(document, racer % 4, &owner);
        racing.spawn(async move { store.insert_version(version).await.unwrap() });
    }
    let stored = racing.join_all().await;
    assert_eq!(stored.into_iter().filter(|stored| *stored).count(), 4);
    let times: Vec<_> = store
        .list_versions(document)
        .await
        .unwrap()
        .iter()
        .map(|version| version.created_at_ms)
        .collect();
    assert_eq!(times, [0, 1, 2, 3]);
}

/// Suggestions to all versions are listed together, oldest first, ties by id, each as it was stored.
pub async fn suggestions_are_listed_oldest_first(store: Arc<dyn RecordsStore>) {
    let (document, owner) = (id(), sample::owner());
    for at_ms in [1, 2] {
        let version = version(document, at_ms, &owner);
        assert!(store.insert_version(version).await.unwrap());
    }
    let first = Suggestion {
        description: None,
        resolved: true,
        original: "was \0".to_owned(),
        ..suggestion(document, 2, 3)
    };
    let tie = suggestion(document, 2, 4);
    let all = [
        first,
        tie,
        suggestion(document, 1, 4),
        suggestion(document, 1, 5),
    ];
    for suggestion in all.iter().rev() {
        assert!(store.insert_suggestion(suggestion.clone()).await.unwrap());
    }
    let other = version(id(), 1, &owner);
    assert!(store.insert_version(other.clone()).await.unwrap());
    let others = suggestion(other.document, 1, 4);
    assert!(store.insert_suggestion(others.clone()).await.unwrap());
    assert_eq!(store.list_suggestions(document).await.unwrap(), all);
    assert_eq!(
        store.list_suggestions(other.document).await.unwrap(),
        [others]
    );
}

/// A suggestion whose id is there is not stored, and the first one stays.
pub async fn a_suggestion_of_a_known_id_is_not_stored(store: Arc<dyn RecordsStore>) {
    let owner = sample::owner();
    let documents = [id(), id()];
    for document in documents {
        let version = version(document, 1, &owner);
        assert!(store.insert_version(version).await.unwrap());
    }
    let first = suggestion(documents[0], 1, 1);
    assert!(store.insert_suggestion(first.clone()).await.unwrap());
    for document in documents {
        let mut again = suggestion(document, 1, 2);
        again.id = first.id;
        assert!(!store.insert_suggestion(again).await.unwrap());
    }
    assert_eq!(store.list_suggestions(documents[0]).await.unwrap(), [first]);
    assert_eq!(store.list_suggestions(documents[1]).await.unwrap(), []);
}

/// A suggestion for a version that is not there is not stored.
pub async fn a_suggestion_of_a_missing_version_is_not_stored(store: Arc<dyn RecordsStore>) {
    let version = version(id(), 1, &sample::owner());
    assert!(store.insert_version(version.clone()).await.unwrap());
    for (document, version_at_ms) in [(version.document, 2), (id(), 1)] {
        let suggestion = suggestion(document, version_at_ms, 1);
        assert!(!store.insert_suggestion(suggestion).await.unwrap());
        assert_eq!(store.list_suggestions(document).await.unwrap(), []);
    }
}

/// Documents are listed by id, each once however many versions it has, of one owner or of all.
pub async fn documents_are_listed_by_id(store: Arc<dyn RecordsStore>) {
    let owners = [sample::owner(), Owner::Tenant];
    let ids: Vec<_> = (0..7).map(|_| id()).collect();
    for (number, &document) in ids.iter().enumerate().rev() {
        for at_ms in [1, 2, 3] {
            let version = version(document, at_ms, &owners[number % 2]);
            assert!(store.insert_version(version).await.unwrap());
        }
    }
    let of_first = [ids[0], ids[2], ids[4], ids[6]];
    assert_eq!(documents(&store, None, None, 100).await, ids);
    assert_eq!(
        documents(&store, Some(&owners[0]), None, 100).await,
        of_first
    );
    assert_eq!(
        documents(&store, Some(&owners[1]), None, 2).await,
        [ids[1], ids[3]]
    );
    for (number, &after) in ids.iter().enumerate() {
        let page = documents(&store, None, Some(after), 2).await;
        let rest = &ids[number + 1..];
        assert_eq!(page, rest[..rest.len().min(2)]);
    }
    // What is asked for need not be the owner's.
    assert_eq!(
        documents(&store, Some(&owners[0]), Some(ids[3]), 1).await,
        [ids[4]]
    );
    assert_eq!(documents(&store, Some(&sample::owner()), None, 5).await, []);
}

/// A version that is added to a document that is not there makes it; it is stored as it was given, at the time given.
pub async fn an_added_version_makes_the_document(store: Arc<dyn RecordsStore>) {
    let owner = sample::owner();
    for kind in [
        DocumentKind::Text,
        DocumentKind::Code,
        DocumentKind::Image,
        DocumentKind::Sheet,
    ] {
        let new = NewVersion {
            kind,
            title: "Title \0".to_owned(),
            content: "Content \0 𝄞".to_owned(),
            ..new_version(id(), 7, &owner)
        };
        let expected = as_stored(&new, 7);
        let added = store.add_version(new).await.unwrap();
        assert_eq!(added, AddVersion::Stored(expected.clone()));
        assert_eq!(
            store.list_versions(expected.document).await.unwrap(),
            [expected]
        );
    }
    assert_eq!(documents(&store, Some(&owner), None, 5).await.len(), 4);
}

/// An added version has its own time where that is later than the newest version's, and else the next one after that.
pub async fn an_added_version_is_the_newest(store: Arc<dyn RecordsStore>) {
    let (document, owner) = (id(), sample::owner());
    let first = version(document, 10, &owner);
    assert!(store.insert_version(first.clone()).await.unwrap());
    let mut versions = vec![first];
    for (at_ms, stored_at) in [(11, 11), (11, 12), (-3, 13), (100, 100), (100, 101)] {
        let new = NewVersion {
            content: format!("at {at_ms}"),
            ..new_version(document, at_ms, &owner)
        };
        let expected = as_stored(&new, stored_at);
        let added = store.add_version(new).await.unwrap();
        assert_eq!(added, AddVersion::Stored(expected.clone()));
        assert_eq!(
            store.newest_version(document).await.unwrap(),
            Some(expected.clone())
        );
        versions.push(expected);
    }
    assert_eq!(store.list_versions(document).await.unwrap(), versions);
}

/// A document of another owner is neither added to nor amended, and stays as it is.
pub async fn anothers_document_is_foreign(store: Arc<dyn RecordsStore>) {
    let first = version(id(), 5, &sample::owner());
    assert!(store.insert_version(first.clone()).await.unwrap());
    let stranger = sample::owner();
    for at_ms in [4, 5, 6] {
        let foreign = NewVersion {
            content: "foreign".to_owned(),
            ..new_version(first.document, at_ms, &stranger)
        };
        let added = store.add_version(foreign.clone()).await.unwrap();
        assert_eq!(added, AddVersion::Foreign);
        let amended = store.amend_version(foreign).await.unwrap();
        assert_eq!(amended, AddVersion::Foreign);
    }
    assert_eq!(documents(&store, Some(&stranger), None, 5).await, []);
    assert_eq!(store.list_versions(first.document).await.unwrap(), [first]);
}

/// When callers race to add to one document, each adds a version of its own time.
pub async fn racing_added_versions_are_all_stored(store: Arc<dyn RecordsStore>) {
    let (document, owner) = (id(), sample::owner());
    let mut racing = JoinSet::new();
    for racer in 0..16 {
        let store = Arc::clone(&store);
        let new = NewVersion {
            content: format!("of {racer}"),
            ..new_version(document, 1, &owner)
        };
        racing.spawn(async move {
            match store.add_version(new).await.unwrap() {
                AddVersion::Stored(version) => version,
                AddVersion::Foreign => panic!("it is its owner's"),
            }
        });
    }
    let mut added = racing.join_all().await;
    added.sort_by_key(|version| version.created_at_ms);
    let times: Vec<_> = added.iter().map(|version| version.created_at_ms).collect();
    assert_eq!(times, (1..=16).collect::<Vec<_>>());
    assert_eq!(store.list_versions(document).await.unwrap(), added);
}

/// When owners race to make one document, one of them does, and to the others it is foreign.
pub async fn racing_first_versions_have_one_owner(store: Arc<dyn RecordsStore>) {
    let document = id();
    let mut racing = JoinSet::new();
    for _ in 0..16 {
        let store = Arc::clone(&store);
        let new = new_version(document, 1, &sample::owner());
        racing.spawn(async move { store.add_version(new).await.unwrap() });
    }
    let mut stored = Vec::new();
    for outcome in racing.join_all().await {
        if let AddVersion::Stored(version) = outcome {
            stored.push(version);
        }
    }
    assert_eq!(stored.len(), 1);
    assert_eq!(store.list_versions(document).await.unwrap(), stored);
}

/// Amending changes title, kind and content of the newest version; its time and its suggestions stay.
pub async fn an_amended_version_keeps_its_time_and_suggestions(store: Arc<dyn RecordsStore>) {
    let (document, owner) = (id(), sample::owner());
    let older = version(document, 1, &owner);
    for version in [older.clone(), version(document, 2, &owner)] {
        assert!(store.insert_version(version).await.unwrap());
    }
    let suggestions = [suggestion(document, 1, 1), suggestion(document, 2, 2)];
    for suggestion in &suggestions {
        assert!(store.insert_suggestion(suggestion.clone()).await.unwrap());
    }
    for at_ms in [-5, 2, 1_000] {
        let new = NewVersion {
            title: format!("Title \0 {at_ms}"),
            kind: DocumentKind::Sheet,
            content: format!("a,b\0,{at_ms}"),
            ..new_version(document, at_ms, &owner)
        };
        let expected = as_stored(&new, 2);
        let amended = store.amend_version(new).await.unwrap();
        assert_eq!(amended, AddVersion::Stored(expected.clone()));
        assert_eq!(
            store.list_versions(document).await.unwrap(),
            [older.clone(), expected]
        );
    }
    assert_eq!(store.list_suggestions(document).await.unwrap(), suggestions);
}

/// Amending a document that is not there makes it.
pub async fn amending_a_missing_document_makes_it(store: Arc<dyn RecordsStore>) {
    let new = new_version(id(), 9, &sample::owner());
    let expected = as_stored(&new, 9);
    let amended = store.amend_version(new).await.unwrap();
    assert_eq!(amended, AddVersion::Stored(expected.clone()));
    assert_eq!(
        store.list_versions(expected.document).await.unwrap(),
        [expected]
    );
}

/// The newest version is the one with the latest time, whenever it was stored; a missing document has none.
pub async fn the_newest_version_has_the_latest_time(store: Arc<dyn RecordsStore>) {
    let (document, owner) = (id(), sample::owner());
    for at_ms in [-7, 20, 3] {
        let version = version(document, at_ms, &owner);
        assert!(store.insert_version(version).await.unwrap());
    }
    let other = version(id(), 100, &owner);
    assert!(store.insert_version(other).await.unwrap());
    assert_eq!(
        store.newest_version(document).await.unwrap(),
        Some(version(document, 20, &owner))
    );
    assert_eq!(store.newest_version(id()).await.unwrap(), None);
}

/// Versions that are newer than a time are deleted with their suggestions and given oldest first; the others stay.
pub async fn versions_after_a_time_are_deleted(store: Arc<dyn RecordsStore>) {
    let (document, owner) = (id(), sample::owner());
    let all: Vec<_> = [-4, 2, 3, 9]
        .map(|at_ms| version(document, at_ms, &owner))
        .into();
    let mut kept = Vec::new();
    for version in all.iter().rev() {
        assert!(store.insert_version(version.clone()).await.unwrap());
        let suggestion = suggestion(document, version.created_at_ms, 1);
        assert!(store.insert_suggestion(suggestion.clone()).await.unwrap());
        if version.created_at_ms <= 2 {
            kept.insert(0, suggestion);
        }
    }
    let other = version(id(), 9, &owner);
    assert!(store.insert_version(other.clone()).await.unwrap());
    let deleted = store.delete_versions_after(document, &owner, 2).await;
    assert_eq!(deleted.unwrap(), all[2..]);
    assert_eq!(store.list_versions(document).await.unwrap(), all[..2]);
    let mut suggestions = store.list_suggestions(document).await.unwrap();
    suggestions.sort_by_key(|suggestion| suggestion.version_at_ms);
    assert_eq!(suggestions, kept);
    assert_eq!(store.list_versions(other.document).await.unwrap(), [other]);
    // A time that was deleted may be used again.
    assert!(store.insert_version(all[2].clone()).await.unwrap());
}

/// Nothing is deleted of another's document, of one that is not there, and where nothing is newer.
pub async fn nothing_else_is_deleted_after_a_time(store: Arc<dyn RecordsStore>) {
    let (document, owner) = (id(), sample::owner());
    let versions = [version(document, 1, &owner), version(document, 2, &owner)];
    for version in &versions {
        assert!(store.insert_version(version.clone()).await.unwrap());
    }
    let suggestion = suggestion(document, 2, 1);
    assert!(store.insert_suggestion(suggestion.clone()).await.unwrap());
    for (document, owner, after_ms) in [
        (document, &sample::owner(), 0),
        (id(), &owner, 0),
        (document, &owner, 2),
        (document, &owner, 3),
    ] {
        let deleted = store.delete_versions_after(document, owner, after_ms);
        assert_eq!(deleted.await.unwrap(), []);
    }
    assert_eq!(store.list_versions(document).await.unwrap(), versions);
    assert_eq!(
        store.list_suggestions(document).await.unwrap(),
        [suggestion]
    );
}

/// When callers race to delete the same versions, each version is given to one of them.
pub async fn racing_deletions_give_each_version_once(store: Arc<dyn RecordsStore>) {
    let (document, owner) = (id(), sample::owner());
    let all: Vec<_> = (0..8)
        .map(|at_ms| version(document, at_ms, &owner))
        .collect();
    for version in &all {
        assert!(store.insert_version(version.clone()).await.unwrap());
    }
    let mut racing = JoinSet::new();
    for racer in 0..16 {
        let (store, owner) = (Arc::clone(&store), owner.clone());
        racing.spawn(async move {
            let deleted = store.delete_versions_after(document, &owner, racer % 8);
            deleted.await.unwrap()
        });
    }
    let mut deleted = racing.join_all().await.concat();
    deleted.sort_by_key(|version| version.created_at_ms);
    assert_eq!(deleted, all[1..]);
    assert_eq!(store.list_versions(document).await.unwrap(), all[..1]);
}

fn new_version(document: DocumentId, at_ms: i64, owner: &Owner) -> NewVersion {
    NewVersion {
        document,
        owner: owner.clone(),
        title: "A title".to_owned(),
        kind: DocumentKind::Text,
        content: "Some text".to_owned(),
        at_ms,
    }
}

fn as_stored(new: &NewVersion, created_at_ms: i64) -> DocumentVersion {
    DocumentVersion {
        document: new.document,
        created_at_ms,
        owner: new.owner.clone(),
        title: new.title.clone(),
        kind: new.kind,
        content: new.content.clone(),
    }
}

async fn documents(
    store: &Arc<dyn RecordsStore>,
    owner: Option<&Owner>,
    after: Option<DocumentId>,
    limit: u32,
) -> Vec<DocumentId> {
    store.list_documents(owner, after, limit).await.unwrap()
}

fn id() -> DocumentId {
    DocumentId(sample::uuid())
}

fn version(document: DocumentId, created_at_ms: i64, owner: &Owner) -> DocumentVersion {
    DocumentVersion {
        document,
        created_at_ms,
        owner: owner.clone(),
        title: "A title".to_owned(),
        kind: DocumentKind::Text,
        content: "Some text".to_owned(),
    }
}

fn suggestion(document: DocumentId, version_at_ms: i64, created_at_ms: i64) -> Suggestion {
    Suggestion {
        id: sample::uuid(),
        document,
        version_at_ms,
        original: "Some".to_owned(),
        suggested: "$Any.".to_owned(),
        description: Some("shorter".to_owned()),
        resolved: false,
        user: UserId::new(sample::uuid()),
        created_at_ms,
    }
}

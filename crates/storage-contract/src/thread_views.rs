//! What [`records::ThreadViews`] says.

use std::sync::Arc;

use records::ThreadView;
use tokio::task::JoinSet;

use crate::RecordsStore;

/// A view is found as it was stored, by its user and its thread.
pub async fn a_view_is_found_as_it_was_stored(store: Arc<dyn RecordsStore>) {
    let group = ThreadView {
        is_group: true,
        name: "\0 name".to_owned(),
        updated_at_ms: -1,
        ..view("ada", "thread_1")
    };
    let views = [
        group,
        view("ada", "thread_2"),
        view("bob", "thread_1"),
        view("$where", "a.b\0c"),
        view("", ""),
    ];
    for view in &views {
        assert!(insert(&store, view).await);
    }
    for view in &views {
        let found = store.find_thread_view(&view.user, &view.thread);
        assert_eq!(found.await.unwrap().as_ref(), Some(view));
    }
}

/// A view that is not there is `None`.
pub async fn an_unknown_view_is_not_found(store: Arc<dyn RecordsStore>) {
    assert!(insert(&store, &view("ada", "thread_1")).await);
    for (user, thread) in [
        ("ada", "thread_2"),
        ("bob", "thread_1"),
        ("Ada", "thread_1"),
        ("ada", ""),
        ("", "thread_1"),
    ] {
        assert_eq!(store.find_thread_view(user, thread).await.unwrap(), None);
    }
}

/// A second view that a user has of a thread is not stored, and the first one stays.
pub async fn a_second_view_of_a_thread_is_not_stored(store: Arc<dyn RecordsStore>) {
    let first = view("ada", "thread_1");
    assert!(insert(&store, &first).await);
    let second = ThreadView {
        name: "another".to_owned(),
        ..first.clone()
    };
    assert!(!insert(&store, &second).await);
    let found = store.find_thread_view("ada", "thread_1").await.unwrap();
    assert_eq!(found, Some(first));
}

/// When callers race for one view, exactly one stores it.
pub async fn racing_views_have_one_winner(store: Arc<dyn RecordsStore>) {
    let mut racing = JoinSet::new();
    for created_at_ms in 0..16 {
        let store = Arc::clone(&store);
        let view = ThreadView {
            created_at_ms,
            ..view("ada", "thread_1")
        };
        racing.spawn(async move { insert(&store, &view).await.then_some(view) });
    }
    let winners: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(list(&store, None, None, 5).await, winners);
}

/// Views are listed by user and thread, those after a pair, at most as many as asked for, of one user or of all.
pub async fn views_are_listed_by_user_and_thread(store: Arc<dyn RecordsStore>) {
    let pairs = [
        ("", ""),
        ("", "b"),
        ("A", "a"),
        ("a", ""),
        ("a", "a"),
        ("a", "a\0"),
        ("a", "aa"),
        ("a", "\u{E9}"),
        ("a", "\u{FFFD}"),
        ("a", "\u{1F600}"),
        ("b", "a"),
        ("\u{E9}", "a"),
    ];
    let all: Vec<_> = pairs
        .iter()
        .map(|(user, thread)| view(user, thread))
        .collect();
    for view in all.iter().rev() {
        assert!(insert(&store, view).await);
    }
    assert_eq!(list(&store, None, None, 100).await, all);
    assert_eq!(list(&store, Some("a"), None, 100).await, all[3..10]);
    assert_eq!(list(&store, Some("a"), None, 2).await, all[3..5]);
    assert_eq!(list(&store, Some(""), None, 100).await, all[..2]);
    assert_eq!(list(&store, Some("c"), None, 100).await, []);
    for (number, &pair) in pairs.iter().enumerate() {
        let rest = &all[number + 1..];
        assert_eq!(list(&store, None, Some(pair), 100).await, rest);
        assert_eq!(
            list(&store, None, Some(pair), 2).await,
            rest[..rest.len().min(2)]
        );
        let of_user: Vec<_> = rest
            .iter()
            .filter(|view| view.user == "a")
            .cloned()
            .collect();
        assert_eq!(list(&store, Some("a"), Some(pair), 100).await, of_user);
    }
    // What comes after a pair does not depend on whether it is there.
    assert_eq!(list(&store, None, Some(("a", "ab")), 1).await, all[7..8]);
}

async fn insert(store: &Arc<dyn RecordsStore>, view: &ThreadView) -> bool {
    store.insert_thread_view(view.clone()).await.unwrap()
}

async fn list(
    store: &Arc<dyn RecordsStore>,
    user: Option<&str>,
    after: Option<(&str, &str)>,
    limit: u32,
) -> Vec<ThreadView> {
    store.list_thread_views(user, after, limit).await.unwrap()
}

fn view(user: &str, thread: &str) -> ThreadView {
    ThreadView {
        user: user.to_owned(),
        thread: thread.to_owned(),
        name: "A thread".to_owned(),
        is_group: false,
        created_at_ms: 1,
        updated_at_ms: 2,
    }
}

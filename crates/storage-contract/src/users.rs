//! What [`records::Users`] says.

use std::sync::Arc;

use chat_core::id::UserId;
use records::{NewUser, PasswordHash, User, UserKind, UserRefusal, email_key};
use tokio::task::JoinSet;

use crate::{RecordsStore, sample};

/// A stored user is given back and found by id and by e-mail address, as it was typed.
pub async fn a_user_is_found_by_id_and_by_email(store: Arc<dyn RecordsStore>) {
    for (email, kind) in [
        (" Ada@Example.org ", UserKind::Regular),
        ("guest-17", UserKind::Guest),
    ] {
        let new = user(email, kind);
        let stored = store.insert_user(new.clone()).await.unwrap().unwrap();
        assert_eq!(
            stored,
            User {
                id: new.id,
                email: email.to_owned(),
                kind,
                created_at_ms: new.at_ms
            }
        );
        assert_eq!(store.find_user(new.id).await.unwrap(), Some(stored.clone()));
        let key = email_key(email);
        assert_eq!(store.find_user_by_email(&key).await.unwrap(), Some(stored));
    }
}

/// A user that is not there is `None`.
pub async fn an_unknown_user_is_not_found(store: Arc<dyn RecordsStore>) {
    let id = UserId::new(sample::uuid());
    assert_eq!(store.find_user(id).await.unwrap(), None);
    assert_eq!(store.find_user_by_email("nobody").await.unwrap(), None);
}

/// A second user with the e-mail address, however it is typed, is refused, and nothing is changed.
pub async fn a_taken_email_is_refused(store: Arc<dyn RecordsStore>) {
    let first = user("ada@example.org", UserKind::Regular);
    let stored = store.insert_user(first).await.unwrap().unwrap();
    let second = user(" ADA@example.ORG", UserKind::Guest);
    assert_eq!(
        store.insert_user(second.clone()).await.unwrap(),
        Err(UserRefusal::EmailTaken)
    );
    assert_eq!(store.find_user(second.id).await.unwrap(), None);
    assert_eq!(
        store.find_user_by_email("ada@example.org").await.unwrap(),
        Some(stored)
    );
}

/// When callers race for one e-mail address, exactly one gets it.
pub async fn racing_for_an_email_has_one_winner(store: Arc<dyn RecordsStore>) {
    let mut racing = JoinSet::new();
    for _ in 0..24 {
        let store = Arc::clone(&store);
        racing.spawn(async move {
            store
                .insert_user(user("one@example.org", UserKind::Regular))
                .await
                .unwrap()
        });
    }
    let outcomes = racing.join_all().await;
    let winners: Vec<_> = outcomes.into_iter().filter_map(Result::ok).collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(
        store.find_user_by_email("one@example.org").await.unwrap(),
        Some(winners[0].clone())
    );
}

/// A password's hash is given as it was stored; a user without one, and one that is not there, has none.
pub async fn a_password_is_found_as_it_was_stored(store: Arc<dyn RecordsStore>) {
    let hash = PasswordHash::new("$2b$10$abc./'\"\0é".to_owned());
    let ada = NewUser {
        password: Some(hash.clone()),
        ..user("ada@example.org", UserKind::Regular)
    };
    let guest = user("guest-17", UserKind::Guest);
    for user in [&ada, &guest] {
        store.insert_user(user.clone()).await.unwrap().unwrap();
    }
    let refused = NewUser {
        password: Some(PasswordHash::new("another".to_owned())),
        ..user("ADA@example.org", UserKind::Regular)
    };
    assert!(store.insert_user(refused.clone()).await.unwrap().is_err());
    for (id, expected) in [
        (ada.id, Some(hash)),
        (guest.id, None),
        (refused.id, None),
        (UserId::new(sample::uuid()), None),
    ] {
        assert_eq!(store.find_password(id).await.unwrap(), expected);
    }
}

fn user(email: &str, kind: UserKind) -> NewUser {
    NewUser {
        id: UserId::new(sample::uuid()),
        email: email.to_owned(),
        email_key: email_key(email),
        kind,
        password: None,
        at_ms: 1_700_000_000_000,
    }
}

//! What [`records::Users`] says.

use std::sync::Arc;

use chat_core::{access::Owner, id::UserId};
use records::{
    DocumentId, DocumentKind, DocumentVersion, NewUser, PasswordHash, Promotion, User, UserKind,
    UserRefusal, email_key,
};
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

/// A password's hash is replaced by whoever knows it as it is, and by nobody else.
pub async fn a_password_replaces_only_the_one_it_was_made_for(store: Arc<dyn RecordsStore>) {
    let [old, new, other] = ["$2b$10$old", "$argon2id$\0new", "other"].map(hash);
    let ada = NewUser {
        password: Some(old.clone()),
        ..user("ada@example.org", UserKind::Regular)
    };
    let guest = user("guest-17", UserKind::Guest);
    for user in [&ada, &guest] {
        store.insert_user(user.clone()).await.unwrap().unwrap();
    }
    for (id, was, replaced) in [
        (ada.id, &new, false),
        (ada.id, &old, true),
        (ada.id, &old, false),
        (guest.id, &old, false),
        (UserId::new(sample::uuid()), &old, false),
    ] {
        let next = if replaced { &new } else { &other };
        let done = store.replace_password(id, was, next.clone()).await.unwrap();
        assert_eq!(done, replaced);
    }
    assert_eq!(store.find_password(ada.id).await.unwrap(), Some(new));
    assert_eq!(store.find_password(guest.id).await.unwrap(), None);
}

/// When callers race to replace one hash, exactly one does.
pub async fn racing_passwords_have_one_winner(store: Arc<dyn RecordsStore>) {
    let old = hash("old");
    let ada = NewUser {
        password: Some(old.clone()),
        ..user("ada@example.org", UserKind::Regular)
    };
    store.insert_user(ada.clone()).await.unwrap().unwrap();
    let mut racing = JoinSet::new();
    for racer in 0..16 {
        let (store, id, old) = (Arc::clone(&store), ada.id, old.clone());
        racing.spawn(async move {
            let next = hash(&format!("new {racer}"));
            let done = store.replace_password(id, &old, next.clone()).await;
            done.unwrap().then_some(next)
        });
    }
    let winners: Vec<_> = racing.join_all().await.into_iter().flatten().collect();
    assert_eq!(winners.len(), 1);
    assert_eq!(
        store.find_password(ada.id).await.unwrap().as_ref(),
        winners.first()
    );
}

/// A promoted guest is a regular user with the address as it was typed and the password, under the same id.
pub async fn a_promoted_guest_is_a_regular_user(store: Arc<dyn RecordsStore>) {
    let guest = user("guest-17", UserKind::Guest);
    store.insert_user(guest.clone()).await.unwrap().unwrap();
    let promoted = store
        .promote_guest(promotion(guest.id, " Ada@Example.org"))
        .await
        .unwrap();
    let ada = User {
        id: guest.id,
        email: " Ada@Example.org".to_owned(),
        kind: UserKind::Regular,
        created_at_ms: guest.at_ms,
    };
    assert_eq!(promoted, Ok(ada.clone()));
    assert_eq!(store.find_user(guest.id).await.unwrap(), Some(ada.clone()));
    let by_email = store.find_user_by_email("ada@example.org");
    assert_eq!(by_email.await.unwrap(), Some(ada));
    assert_eq!(store.find_user_by_email("guest-17").await.unwrap(), None);
    assert_eq!(
        store.find_password(guest.id).await.unwrap(),
        Some(hash("secret"))
    );
}

/// What a guest owned is the regular user's.
pub async fn a_promoted_guest_keeps_what_they_own(store: Arc<dyn RecordsStore>) {
    let guest = user("guest-17", UserKind::Guest);
    store.insert_user(guest.clone()).await.unwrap().unwrap();
    let owner = Owner::User(guest.id);
    let version = DocumentVersion {
        document: DocumentId(sample::uuid()),
        created_at_ms: 1,
        owner: owner.clone(),
        title: "A title".to_owned(),
        kind: DocumentKind::Text,
        content: "Some text".to_owned(),
    };
    assert!(store.insert_version(version.clone()).await.unwrap());
    let promoted = store.promote_guest(promotion(guest.id, "ada@example.org"));
    promoted.await.unwrap().unwrap();
    let owned = store.list_documents(Some(&owner), None, 5).await.unwrap();
    assert_eq!(owned, [version.document]);
}

/// Only a guest is promoted: nobody who is not there, no regular user, and nobody twice. Nothing is changed otherwise.
pub async fn only_a_guest_is_promoted(store: Arc<dyn RecordsStore>) {
    let regular = NewUser {
        password: Some(hash("own")),
        ..user("ada@example.org", UserKind::Regular)
    };
    let guest = user("guest-17", UserKind::Guest);
    for user in [&regular, &guest] {
        store.insert_user(user.clone()).await.unwrap().unwrap();
    }
    let first = store.promote_guest(promotion(guest.id, "bob@example.org"));
    first.await.unwrap().unwrap();
    for id in [regular.id, guest.id, UserId::new(sample::uuid())] {
        let before = store.find_user(id).await.unwrap();
        let password = store.find_password(id).await.unwrap();
        let again = Promotion {
            password: hash("another"),
            ..promotion(id, "eve@example.org")
        };
        assert_eq!(
            store.promote_guest(again).await.unwrap(),
            Err(UserRefusal::NotAGuest)
        );
        assert_eq!(store.find_user(id).await.unwrap(), before);
        assert_eq!(store.find_password(id).await.unwrap(), password);
    }
    let taken = store.find_user_by_email("eve@example.org").await.unwrap();
    assert_eq!(taken, None);
}

/// An address that another user has, however it is typed, is refused, and the guest stays one.
pub async fn a_guest_is_not_promoted_to_a_taken_email(store: Arc<dyn RecordsStore>) {
    let ada = user("ada@example.org", UserKind::Regular);
    let guest = user("guest-17", UserKind::Guest);
    for user in [&ada, &guest] {
        store.insert_user(user.clone()).await.unwrap().unwrap();
    }
    let before = store.find_user(guest.id).await.unwrap();
    let refused = store.promote_guest(promotion(guest.id, "ADA@example.org "));
    assert_eq!(refused.await.unwrap(), Err(UserRefusal::EmailTaken));
    assert_eq!(store.find_user(guest.id).await.unwrap(), before);
    assert_eq!(store.find_user_by_email("guest-17").await.unwrap(), before);
    assert_eq!(store.find_password(guest.id).await.unwrap(), None);
    let holder = store.find_user_by_email("ada@example.org").await.unwrap();
    assert_eq!(holder.map(|user| user.id), Some(ada.id));
    // The refusal spent nothing: the guest may take another address.
    let promoted = store.promote_guest(promotion(guest.id, "bob@example.org"));
    promoted.await.unwrap().unwrap();
}

/// When guests race for one address, exactly one gets it, and the others stay guests.
pub async fn racing_promotions_to_an_email_have_one_winner(store: Arc<dyn RecordsStore>) {
    let mut racing = JoinSet::new();
    for racer in 0..16 {
        let store = Arc::clone(&store);
        racing.spawn(async move {
            let guest = user(&format!("guest-{racer}"), UserKind::Guest);
            store.insert_user(guest.clone()).await.unwrap().unwrap();
            let promotion = promotion(guest.id, "one@example.org");
            (guest.id, store.promote_guest(promotion).await.unwrap())
        });
    }
    let mut winners = Vec::new();
    for (id, outcome) in racing.join_all().await {
        let found = store.find_user(id).await.unwrap().unwrap();
        match outcome {
            Ok(user) => winners.push(user),
            Err(refusal) => {
                assert_eq!(refusal, UserRefusal::EmailTaken);
                assert_eq!(found.kind, UserKind::Guest);
            }
        }
    }
    assert_eq!(winners.len(), 1);
    let holder = store.find_user_by_email("one@example.org").await.unwrap();
    assert_eq!(holder.as_ref(), winners.first());
}

/// When callers race to promote one guest, one does, and the others are told that it is none any more.
pub async fn racing_promotions_of_a_guest_have_one_winner(store: Arc<dyn RecordsStore>) {
    let guest = user("guest-17", UserKind::Guest);
    store.insert_user(guest.clone()).await.unwrap().unwrap();
    let mut racing = JoinSet::new();
    for racer in 0..16 {
        let (store, id) = (Arc::clone(&store), guest.id);
        racing.spawn(async move {
            let email = format!("ada{racer}@example.org");
            store.promote_guest(promotion(id, &email)).await.unwrap()
        });
    }
    let mut winners = Vec::new();
    for outcome in racing.join_all().await {
        match outcome {
            Ok(user) => winners.push(user),
            Err(refusal) => assert_eq!(refusal, UserRefusal::NotAGuest),
        }
    }
    assert_eq!(winners.len(), 1);
    let found = store.find_user(guest.id).await.unwrap();
    assert_eq!(found.as_ref(), winners.first());
}

fn hash(text: &str) -> PasswordHash {
    PasswordHash::new(text.to_owned())
}

fn promotion(id: UserId, email: &str) -> Promotion {
    Promotion {
        id,
        email: email.to_owned(),
        password: hash("secret"),
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

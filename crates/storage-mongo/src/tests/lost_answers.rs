//! Commits whose answer is lost, one operation after the other: what was done is told as done, and is done once.

use chat_core::{
    id::UserId,
    ports::{Closed, Conversations as _, IdempotencyKey, Messages as _, Resumed, Runs as _},
    run::RunStatus,
};
use records::{
    AddVersion, DocumentId, DocumentKind, Documents as _, NewSession, NewUser, NewVersion,
    PasswordHash, Promotion, Rotation, SessionId, Sessions as _, UserKind, Users as _,
};
use storage_contract::sample;

use super::{outage::spoiled, proxy::Loss, proxy::Proxy};

const LOSSES: [Loss; 2] = [Loss::Answer, Loss::Request];

/// So many that the driver, which repeats a commit once by itself, gives up.
fn lose_commits(proxy: &Proxy, loss: Loss) {
    for _ in 0..3 {
        proxy.spoil(&["commitTransaction"], loss);
    }
}

#[tokio::test]
async fn a_run_is_resumed_once() {
    for loss in LOSSES {
        let (store, direct, proxy, _database) = spoiled().await;
        let (open, first) = sample::paused(&store).await;
        let mut resume = sample::resume(&open.caller, sample::waiting(&open), "resumed");
        resume.key = Some(IdempotencyKey("key".to_owned()));
        lose_commits(&proxy, loss);
        let leg = sample::resumed(&store, &resume).await;
        assert!(proxy.is_done());
        assert_eq!((leg.index, leg.epoch), (1, first.epoch + 1));
        let newest = direct.newest_leg(open.conversation).await.unwrap();
        assert_eq!(newest.unwrap().epoch, leg.epoch);
        let again = direct.resume_run(resume).await.unwrap();
        assert!(matches!(again, Resumed::Repeated(_)), "{again:?}");
    }
}

#[tokio::test]
async fn a_run_that_waits_is_ended_once() {
    for loss in LOSSES {
        let (store, direct, proxy, _database) = spoiled().await;
        let (open, _) = sample::paused(&store).await;
        let end = sample::end(sample::waiting(&open), RunStatus::Expired, "expired");
        lose_commits(&proxy, loss);
        assert_eq!(store.end_paused(end.clone()).await.unwrap(), Closed::Done);
        assert!(proxy.is_done());
        assert_eq!(direct.end_paused(end).await.unwrap(), Closed::Lost);
    }
}

#[tokio::test]
async fn a_cut_says_what_it_deleted() {
    for loss in LOSSES {
        let (store, direct, proxy, _database) = spoiled().await;
        let open = sample::send(&sample::owner(), sample::conversation_id(), "one");
        sample::opened(&store, &open).await;
        let from = open.input[0].id;
        lose_commits(&proxy, loss);
        let cut = store.cut(open.conversation, from).await.unwrap().unwrap();
        assert!(proxy.is_done());
        assert_eq!(cut.messages, 1);
        assert_eq!(cut.dropped[0].leg, open.leg);
        assert_eq!(direct.find_message(from).await.unwrap(), None);
        assert_eq!(direct.cut(open.conversation, from).await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_session_does_not_take_its_own_token_for_a_stolen_one() {
    for loss in LOSSES {
        let (store, direct, proxy, _database) = spoiled().await;
        let [first, second, third] = [1_u8, 2, 3].map(|byte| [byte; 32]);
        let session = NewSession {
            id: SessionId(sample::uuid()),
            user: UserId::new(sample::uuid()),
            token: first,
            expires_at_ms: 2_000,
            at_ms: 1_000,
        };
        let (id, user) = (session.id, session.user);
        lose_commits(&proxy, loss);
        store.insert_session(session).await.unwrap();
        lose_commits(&proxy, loss);
        let rotated = store.rotate_session(id, first, second, 1_000, 3_000);
        assert_eq!(rotated.await.unwrap(), Rotation::Rotated(user));
        assert_eq!(direct.find_session(id, 3_000).await.unwrap(), Some(user));
        lose_commits(&proxy, loss);
        let reused = store.rotate_session(id, first, third, 1_000, 3_000);
        assert_eq!(reused.await.unwrap(), Rotation::Reused(user));
        assert!(proxy.is_done());
        let unknown = direct.rotate_session(id, second, third, 1_000, 3_000);
        assert_eq!(unknown.await.unwrap(), Rotation::Unknown);
    }
}

#[tokio::test]
async fn the_end_of_sessions_is_counted() {
    for loss in LOSSES {
        let (store, direct, proxy, _database) = spoiled().await;
        let user = UserId::new(sample::uuid());
        for byte in 0..3 {
            let session = NewSession {
                id: SessionId(sample::uuid()),
                user,
                token: [byte; 32],
                expires_at_ms: 2_000,
                at_ms: 1_000,
            };
            store.insert_session(session).await.unwrap();
        }
        lose_commits(&proxy, loss);
        assert_eq!(store.end_sessions_of(user).await.unwrap(), 3);
        assert!(proxy.is_done());
        assert_eq!(direct.end_sessions_of(user).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_guest_is_promoted_and_given_a_password_once() {
    for loss in LOSSES {
        let (store, direct, proxy, _database) = spoiled().await;
        let [old, new] = ["$2b$old", "$2b$new"].map(|text| PasswordHash::new(text.to_owned()));
        let guest = NewUser {
            id: UserId::new(sample::uuid()),
            email: "guest-1".to_owned(),
            email_key: "guest-1".to_owned(),
            kind: UserKind::Guest,
            password: None,
            at_ms: 1_000,
        };
        let id = guest.id;
        store.insert_user(guest).await.unwrap().unwrap();
        let promotion = Promotion {
            id,
            email: "Ann@example.org".to_owned(),
            password: old.clone(),
        };
        lose_commits(&proxy, loss);
        let promoted = store.promote_guest(promotion).await.unwrap().unwrap();
        assert_eq!((promoted.id, promoted.kind), (id, UserKind::Regular));
        lose_commits(&proxy, loss);
        let replaced = store.replace_password(id, &old, new.clone()).await.unwrap();
        assert!(replaced);
        assert!(proxy.is_done());
        assert_eq!(direct.find_password(id).await.unwrap(), Some(new));
    }
}

#[tokio::test]
async fn a_version_is_added_once_and_deleted_versions_are_told() {
    for loss in LOSSES {
        let (store, direct, proxy, _database) = spoiled().await;
        let owner = sample::owner();
        let version = NewVersion {
            document: DocumentId(sample::uuid()),
            owner: owner.clone(),
            title: "Essay".to_owned(),
            kind: DocumentKind::Text,
            content: "the same words".to_owned(),
            at_ms: 1_000,
        };
        let id = version.document;
        for expected in [1_000, 1_001] {
            lose_commits(&proxy, loss);
            let added = store.add_version(version.clone()).await.unwrap();
            let AddVersion::Stored(stored) = added else {
                panic!("{added:?}");
            };
            assert_eq!(stored.created_at_ms, expected);
        }
        let versions = direct.list_versions(id).await.unwrap();
        assert_eq!(versions.len(), 2);
        lose_commits(&proxy, loss);
        let deleted = store.delete_versions_after(id, &owner, 0).await.unwrap();
        assert!(proxy.is_done());
        assert_eq!(deleted, versions);
        assert_eq!(direct.newest_version(id).await.unwrap(), None);
        // It is nobody's from now on.
        let other = NewVersion {
            owner: sample::owner(),
            ..version
        };
        let added = direct.add_version(other).await.unwrap();
        assert!(matches!(added, AddVersion::Stored(_)), "{added:?}");
    }
}

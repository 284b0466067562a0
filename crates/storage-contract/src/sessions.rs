//! What [`records::Sessions`] says.

use std::sync::Arc;

use chat_core::id::UserId;
use records::{NewSession, Rotation, SessionId};
use tokio::task::JoinSet;

use crate::{RecordsStore, sample};

/// A session is found by its id and says whose it is.
pub async fn a_session_is_found_by_its_id(store: Arc<dyn RecordsStore>) {
    let sessions = [session(), session()];
    for session in &sessions {
        store.insert_session(session.clone()).await.unwrap();
    }
    for session in &sessions {
        assert_eq!(find(&store, session, NOW).await, Some(session.user));
    }
    assert_eq!(find(&store, &session(), NOW).await, None);
}

/// A session that expired before the time asked about is not found; until then it is.
pub async fn an_expired_session_is_not_found(store: Arc<dyn RecordsStore>) {
    let session = session();
    store.insert_session(session.clone()).await.unwrap();
    assert_eq!(find(&store, &session, EXPIRY).await, Some(session.user));
    assert_eq!(find(&store, &session, EXPIRY + 1).await, None);
}

/// The current token is replaced by the next one, which is then the current one.
pub async fn the_current_token_is_rotated(store: Arc<dyn RecordsStore>) {
    let session = session();
    let other = NewSession {
        id: SessionId(sample::uuid()),
        ..session.clone()
    };
    for session in [&session, &other] {
        store.insert_session(session.clone()).await.unwrap();
    }
    let mut current = session.token;
    for next in [token(), token(), token()] {
        let rotated = rotate(&store, &session, current, next).await;
        assert_eq!(rotated, Rotation::Rotated(session.user));
        assert_eq!(find(&store, &session, NOW).await, Some(session.user));
        current = next;
    }
    // Another session's token is its own, though it was the same.
    let rotated = rotate(&store, &other, session.token, token()).await;
    assert_eq!(rotated, Rotation::Rotated(session.user));
}

/// A rotation says until when the session lasts from then on, be it longer or shorter.
pub async fn a_rotation_moves_the_expiry(store: Arc<dyn RecordsStore>) {
    for expiry in [EXPIRY + 500, EXPIRY - 500] {
        let session = session();
        store.insert_session(session.clone()).await.unwrap();
        let rotated = store
            .rotate_session(session.id, session.token, token(), NOW, expiry)
            .await
            .unwrap();
        assert_eq!(rotated, Rotation::Rotated(session.user));
        assert_eq!(find(&store, &session, expiry).await, Some(session.user));
        assert_eq!(find(&store, &session, expiry + 1).await, None);
    }
}

/// A token that was used before, or never was the session's, ends the session for the holder of the current one as well.
pub async fn any_other_token_ends_the_session(store: Arc<dyn RecordsStore>) {
    for used in [true, false] {
        let session = session();
        let bystander = NewSession {
            user: session.user,
            ..self::session()
        };
        for session in [&session, &bystander] {
            store.insert_session(session.clone()).await.unwrap();
        }
        let current = token();
        let rotated = rotate(&store, &session, session.token, current).await;
        assert_eq!(rotated, Rotation::Rotated(session.user));
        let wrong = if used { session.token } else { token() };
        let reused = rotate(&store, &session, wrong, token()).await;
        assert_eq!(reused, Rotation::Reused(session.user));
        assert_eq!(find(&store, &session, NOW).await, None);
        for token in [current, wrong] {
            let ended = rotate(&store, &session, token, self::token()).await;
            assert_eq!(ended, Rotation::Unknown);
        }
        let untouched = find(&store, &bystander, NOW).await;
        assert_eq!(untouched, Some(bystander.user), "only that session ends");
    }
}

/// A session that never was, has ended or expired before the time is unknown, whatever token is presented, and comes back by
/// none.
pub async fn a_session_that_is_over_is_not_rotated(store: Arc<dyn RecordsStore>) {
    let [never, ended, expired] = [session(), session(), session()];
    for session in [&ended, &expired] {
        store.insert_session(session.clone()).await.unwrap();
    }
    assert!(store.end_session(ended.id).await.unwrap());
    for (session, at_ms) in [(&never, NOW), (&ended, NOW), (&expired, EXPIRY + 1)] {
        for presented in [token(), session.token] {
            let rotated =
                store.rotate_session(session.id, presented, token(), at_ms, at_ms + 1_000);
            assert_eq!(rotated.await.unwrap(), Rotation::Unknown);
        }
        assert_eq!(find(&store, session, at_ms).await, None);
    }
}

/// At the very time of its expiry a session is still rotated.
pub async fn a_session_is_rotated_until_it_expires(store: Arc<dyn RecordsStore>) {
    let session = session();
    store.insert_session(session.clone()).await.unwrap();
    let rotated = store
        .rotate_session(session.id, session.token, token(), EXPIRY, EXPIRY + 1_000)
        .await
        .unwrap();
    assert_eq!(rotated, Rotation::Rotated(session.user));
}

/// When two callers present the same token, one rotates it and the other ends the session.
pub async fn racing_rotations_end_the_session(store: Arc<dyn RecordsStore>) {
    for _ in 0..16 {
        let session = session();
        store.insert_session(session.clone()).await.unwrap();
        let mut racing = JoinSet::new();
        for _ in 0..2 {
            let (store, session) = (Arc::clone(&store), session.clone());
            racing.spawn(async move { rotate(&store, &session, session.token, token()).await });
        }
        let outcomes = racing.join_all().await;
        for expected in [
            Rotation::Rotated(session.user),
            Rotation::Reused(session.user),
        ] {
            assert!(outcomes.contains(&expected), "{outcomes:?}");
        }
        assert_eq!(find(&store, &session, NOW).await, None);
    }
}

/// An ended session is gone, and no other with it.
pub async fn an_ended_session_is_gone(store: Arc<dyn RecordsStore>) {
    let [ended, other] = [session(), session()];
    for session in [&ended, &other] {
        store.insert_session(session.clone()).await.unwrap();
    }
    assert!(store.end_session(ended.id).await.unwrap());
    assert!(!store.end_session(ended.id).await.unwrap());
    assert!(!store.end_session(SessionId(sample::uuid())).await.unwrap());
    assert_eq!(find(&store, &ended, NOW).await, None);
    assert_eq!(find(&store, &other, NOW).await, Some(other.user));
}

/// When callers race to end one session, exactly one does.
pub async fn racing_ends_have_one_winner(store: Arc<dyn RecordsStore>) {
    let session = session();
    store.insert_session(session.clone()).await.unwrap();
    let mut racing = JoinSet::new();
    for _ in 0..16 {
        let (store, id) = (Arc::clone(&store), session.id);
        racing.spawn(async move { store.end_session(id).await.unwrap() });
    }
    let ended = racing.join_all().await;
    assert_eq!(ended.into_iter().filter(|ended| *ended).count(), 1);
}

/// All sessions of a user end together, and nobody else's.
pub async fn all_sessions_of_a_user_are_ended(store: Arc<dyn RecordsStore>) {
    let mut sessions = [session(), session(), session(), session()];
    let user = sessions[0].user;
    for session in &mut sessions[..3] {
        session.user = user;
    }
    for session in &sessions {
        store.insert_session(session.clone()).await.unwrap();
    }
    assert_eq!(store.end_sessions_of(user).await.unwrap(), 3);
    assert_eq!(store.end_sessions_of(user).await.unwrap(), 0);
    for session in &sessions[..3] {
        assert_eq!(find(&store, session, NOW).await, None);
        let rotated = rotate(&store, session, session.token, token()).await;
        assert_eq!(rotated, Rotation::Unknown);
    }
    let other = &sessions[3];
    assert_eq!(find(&store, other, NOW).await, Some(other.user));
}

/// A sweep deletes what expired before its time, and says of how many sessions; the others stay.
pub async fn expired_sessions_are_swept(store: Arc<dyn RecordsStore>) {
    let mut kept = Vec::new();
    for expires_at_ms in [EXPIRY - 2, EXPIRY - 1, EXPIRY, EXPIRY + 1] {
        let session = NewSession {
            expires_at_ms,
            ..session()
        };
        store.insert_session(session.clone()).await.unwrap();
        if expires_at_ms >= EXPIRY {
            kept.push(session);
        }
    }
    assert_eq!(store.sweep_sessions(EXPIRY).await.unwrap(), 2);
    assert_eq!(store.sweep_sessions(EXPIRY).await.unwrap(), 0);
    for session in &kept {
        assert_eq!(find(&store, session, EXPIRY).await, Some(session.user));
    }
    assert_eq!(store.sweep_sessions(EXPIRY + 2).await.unwrap(), 2);
}

const NOW: i64 = 1_700_000_000_000;
const EXPIRY: i64 = NOW + 10_000;

fn session() -> NewSession {
    NewSession {
        id: SessionId(sample::uuid()),
        user: UserId::new(sample::uuid()),
        token: token(),
        expires_at_ms: EXPIRY,
        at_ms: NOW,
    }
}

/// A hash that no other call gives; it begins and ends with zeros, which must not be lost.
fn token() -> [u8; 32] {
    let mut token = [0; 32];
    token[4..20].copy_from_slice(sample::uuid().as_bytes());
    token
}

async fn find(store: &Arc<dyn RecordsStore>, session: &NewSession, at_ms: i64) -> Option<UserId> {
    store.find_session(session.id, at_ms).await.unwrap()
}

async fn rotate(
    store: &Arc<dyn RecordsStore>,
    session: &NewSession,
    presented: [u8; 32],
    next: [u8; 32],
) -> Rotation {
    store
        .rotate_session(session.id, presented, next, NOW, EXPIRY)
        .await
        .unwrap()
}

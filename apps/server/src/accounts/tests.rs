use auth::{Algorithm, Secret, Work};
use chat_core::testing::ManualClock;
use records::{Archive as _, Put, UserRecord, email_key, exact_email_key};
use storage_sqlite::{Config, SqliteStore};
use tempfile::TempDir;

use super::*;
use crate::system::RandomIds;

/// Of the password `correct horse`, by `crypt` of libxcrypt.
const BCRYPT: &str = "$2b$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu";

struct House {
    accounts: Accounts,
    store: Arc<SqliteStore>,
    clock: Arc<ManualClock>,
    _dir: TempDir,
}

fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(SqliteStore::open(Config::new(dir.path())).unwrap());
    let clock = Arc::new(ManualClock::at(1_767_323_045_678));
    let secret = Secret::new(vec![1; 32]);
    let accounts = Accounts::new(AccountParts {
        users: store.clone(),
        sessions: store.clone(),
        keys: TokenKeys::new(&[secret], Algorithm::Hs256, Duration::from_mins(30)).unwrap(),
        issuer: None,
        refresh_life: Duration::from_hours(1),
        limits: Limits::new(TriesPerMinute::default()),
        clock: clock.clone(),
        ids: Arc::new(RandomIds),
    });
    House {
        accounts,
        store,
        clock,
        _dir: dir,
    }
}

impl House {
    /// An imported user with this hash.
    async fn import(&self, email: &str, email_key: String, password: Option<&str>) -> User {
        let user = User {
            id: UserId::new(RandomIds.random()),
            email: email.to_owned(),
            kind: UserKind::Regular,
            created_at_ms: 1,
        };
        let record = UserRecord {
            user: user.clone(),
            email_key,
            password: password.map(|hash| records::PasswordHash::new(hash.to_owned())),
        };
        assert_eq!(self.store.put_user(record).await.unwrap(), Put::New);
        user
    }

    async fn login(&self, email: &str, password: &str) -> Result<SignedIn, NotSignedIn> {
        self.accounts.login(email, password.to_owned()).await
    }

    async fn register(&self, email: &str) -> SignedIn {
        let password = "correct horse".to_owned();
        let registered = self.accounts.register(None, email.to_owned(), password);
        registered.await.unwrap()
    }

    async fn hash_of(&self, user: &User) -> String {
        let hash = self.store.find_password(user.id).await.unwrap();
        hash.unwrap().text().to_owned()
    }
}

fn bearer(signed_in: &SignedIn) -> String {
    format!("Bearer {}", signed_in.access_token)
}

#[tokio::test]
async fn every_failed_login_does_the_same_work() {
    let house = house();
    house.register("ann@x.example").await;
    house.accounts.make_guest().await.unwrap();
    let guest = auth::guest_email(house.clock.now_ms(), 0);
    for (email, hash) in [
        ("imported@x.example", Some(BCRYPT)),
        ("damaged@x.example", Some("$2b$damaged")),
        ("without@x.example", None),
    ] {
        house.import(email, email_key(email), hash).await;
    }
    for email in [
        "nobody@x.example",
        "ann@x.example",
        "imported@x.example",
        "damaged@x.example",
        "without@x.example",
        &guest,
    ] {
        let before = house.accounts.passwords.spent();
        let refused = house.login(email, "a wrong one").await;
        assert!(matches!(refused, Err(NotSignedIn::Refused)), "{email}");
        let after = house.accounts.passwords.spent();
        let spent = Work {
            argon2: after.argon2 - before.argon2,
            bcrypt: after.bcrypt - before.bcrypt,
        };
        assert_eq!(
            spent,
            Work {
                argon2: 1,
                bcrypt: 1
            },
            "{email}"
        );
    }
}

#[tokio::test]
async fn a_login_replaces_an_imported_hash_once() {
    let house = house();
    let email = "Imported@x.example";
    let user = house.import(email, email_key(email), Some(BCRYPT)).await;
    assert!(house.login(email, "correct horsf").await.is_err());
    assert_eq!(house.hash_of(&user).await, BCRYPT);
    let signed_in = house
        .login("imported@X.example", "correct horse")
        .await
        .unwrap();
    assert_eq!(signed_in.user, user);
    let upgraded = house.hash_of(&user).await;
    assert!(upgraded.starts_with("$argon2id$"), "{upgraded}");
    house.login(email, "correct horse").await.unwrap();
    assert_eq!(house.hash_of(&user).await, upgraded);
}

#[tokio::test]
async fn of_two_addresses_that_differ_in_case_each_finds_its_own() {
    let house = house();
    let first = house
        .import("ann@x.example", email_key("ann@x.example"), Some(BCRYPT))
        .await;
    let key = exact_email_key("Ann@x.example");
    let second = house.import("Ann@x.example", key, Some(BCRYPT)).await;
    for (typed, found) in [
        ("ann@x.example", &first),
        ("Ann@x.example", &second),
        ("ANN@x.example", &first),
    ] {
        let signed_in = house.login(typed, "correct horse").await.unwrap();
        assert_eq!(signed_in.user.id, found.id, "{typed}");
    }
    // Nobody gets between them.
    let register = house.accounts.register(
        None,
        "=Ann@x.example".to_owned(),
        "correct horse".to_owned(),
    );
    assert!(matches!(register.await, Err(NotSignedIn::Reserved)));
}

#[tokio::test]
async fn a_session_ends_when_its_time_is_over_and_is_swept() {
    let house = house();
    let ann = house.register("ann@x.example").await;
    assert!(house.accounts.caller(Some(&bearer(&ann))).await.is_ok());
    house.clock.move_by(3_600_001);
    let refused = house.accounts.refresh(&ann.refresh_token).await;
    assert!(matches!(refused, Err(NotSignedIn::Refused)));
    assert_eq!(
        house
            .store
            .sweep_sessions(house.clock.now_ms())
            .await
            .unwrap(),
        1
    );
    let bob = house.register("bob@x.example").await;
    house.accounts.sweep().await;
    assert!(house.accounts.caller(Some(&bearer(&bob))).await.is_ok());
}

#[tokio::test]
async fn a_token_of_another_users_session_is_nobodys() {
    let house = house();
    let ann = house.register("ann@x.example").await;
    let bob = house.register("bob@x.example").await;
    let of_ann = house.accounts.present(Some(&bearer(&ann))).await.unwrap();
    let session = of_ann.session.map(|session| session.0);
    let forged = house
        .accounts
        .keys
        .issue(&speaks_for(&bob.user), session, house.clock.now_ms());
    let header = format!("Bearer {}", forged.token);
    assert!(matches!(
        house.accounts.caller(Some(&header)).await,
        Err(NoCaller::Gone)
    ));
    let without = house
        .accounts
        .keys
        .issue(&speaks_for(&bob.user), None, house.clock.now_ms());
    let header = format!("Bearer {}", without.token);
    assert_eq!(
        house.accounts.caller(Some(&header)).await.unwrap().id,
        bob.user.id
    );
}

#[tokio::test]
async fn of_two_who_refresh_at_once_one_goes_on_for_a_moment_and_the_session_ends() {
    let house = house();
    let ann = house.register("ann@x.example").await;
    let (one, two) = tokio::join!(
        house.accounts.refresh(&ann.refresh_token),
        house.accounts.refresh(&ann.refresh_token)
    );
    assert_eq!(u8::from(one.is_ok()) + u8::from(two.is_ok()), 1);
    let header = bearer(one.as_ref().or(two.as_ref()).unwrap());
    assert!(matches!(
        house.accounts.caller(Some(&header)).await,
        Err(NoCaller::Gone)
    ));
}

#[tokio::test]
async fn what_signs_someone_in_is_not_shown() {
    let house = house();
    let ann = house.register("ann@x.example").await;
    let shown = format!("{ann:?} {:?}", house.accounts);
    assert!(!shown.contains(&ann.access_token) && !shown.contains(&ann.refresh_token));
}

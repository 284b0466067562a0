use crate::testing::{fresh, open};

#[tokio::test]
async fn a_second_migration_changes_nothing() {
    let (store, guard) = fresh().await;
    assert_eq!(store.plan().await.unwrap(), []);
    let again = open(&guard.0).await;
    assert_eq!(again.migrate().await.unwrap(), []);
}

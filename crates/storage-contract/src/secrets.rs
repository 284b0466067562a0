//! What [`records::Secrets`] says.

use std::{collections::HashSet, sync::Arc};

use tokio::task::JoinSet;

use crate::RecordsStore;

/// The first candidate is stored, and later ones are not.
pub async fn the_first_candidate_stays(store: Arc<dyn RecordsStore>) {
    assert_eq!(store.secret("jwt", vec![1, 2]).await.unwrap(), [1, 2]);
    assert_eq!(store.secret("jwt", vec![3]).await.unwrap(), [1, 2]);
}

/// Each name has a secret of its own.
pub async fn each_name_has_its_own_secret(store: Arc<dyn RecordsStore>) {
    assert_eq!(store.secret("jwt", vec![1]).await.unwrap(), [1]);
    assert_eq!(store.secret("cookie", vec![2]).await.unwrap(), [2]);
    assert_eq!(store.secret("jwt", vec![3]).await.unwrap(), [1]);
}

/// When callers race, all get the same secret.
pub async fn racing_callers_get_one_secret(store: Arc<dyn RecordsStore>) {
    let mut racing = JoinSet::new();
    for candidate in 0..24 {
        let store = Arc::clone(&store);
        racing.spawn(async move { store.secret("jwt", vec![candidate]).await.unwrap() });
    }
    let given: HashSet<_> = racing.join_all().await.into_iter().collect();
    assert_eq!(given.len(), 1);
}

use mongodb::{
    bson::{Document, doc},
    error::ErrorKind,
};

use super::*;

#[test]
fn an_unreachable_database_is_unavailable_and_a_broken_contract_is_fatal() {
    let unreachable: Error = ErrorKind::from(std::io::ErrorKind::ConnectionRefused).into();
    assert!(is_passing(&unreachable));
    assert!(matches!(
        StoreError::from(Failure::Mongo(unreachable)),
        StoreError::Unavailable(_)
    ));
    assert!(matches!(
        StoreError::from(Failure::TooLate {
            seconds: 20,
            last: None
        }),
        StoreError::Unavailable(_)
    ));
    assert!(matches!(
        StoreError::from(Failure::Misuse("a gap".to_owned())),
        StoreError::Fatal(_)
    ));
    assert!(matches!(
        StoreError::from(Failure::corrupt("owner")("no owner")),
        StoreError::Corrupt { what: "owner", .. }
    ));
}

#[test]
fn what_a_server_quotes_of_a_document_is_not_told() {
    storage_contract::run(async {
        let (store, _guard) = crate::testing::fresh().await;
        let users = store.database().collection::<Document>("skein_users");
        let ann = |id: i32| doc! {"_id": id, "email_key": "ann@example.org"};
        users.insert_one(ann(1)).await.unwrap();
        let refused = users.insert_one(ann(2)).await.unwrap_err();
        assert!(refused.to_string().contains("ann@example.org"));
        let told = StoreError::from(Failure::from(refused));
        let mut said = format!("{told} {told:?}");
        let mut cause: Option<&dyn std::error::Error> = Some(&told);
        while let Some(error) = cause {
            said = format!("{said} {error}");
            cause = error.source();
        }
        assert!(said.contains("11000"), "{said}");
        assert!(!said.contains("ann@example.org"), "{said}");
    });
}

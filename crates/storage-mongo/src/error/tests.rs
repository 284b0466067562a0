use mongodb::error::ErrorKind;

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

use serde_json::json;

use super::*;

#[tokio::test]
async fn a_document_that_is_no_utf_8_is_broken_and_ends_nothing() {
    let name = mongo_fixture::fresh_database_name();
    let uri = mongo_fixture::shared().uri_for(&name);
    let client = Client::with_uri_str(&uri).await.unwrap();
    let collection = client
        .database(&name)
        .collection::<RawDocumentBuf>("conversations");
    for number in 1..=3 {
        let document = doc! {"_id": number, "text": "SECRET"};
        let mut bytes = RawDocumentBuf::try_from(&document).unwrap().into_bytes();
        if number == 2 {
            let at = bytes.iter().position(|byte| *byte == b'C').unwrap();
            bytes[at] = 0xff;
        }
        let document = RawDocumentBuf::from_bytes(bytes).unwrap();
        collection.insert_one(document).await.unwrap();
    }
    let database = RawDatabase::connect(&Config::new(uri)).await.unwrap();
    let read = database.read_collection("conversations").await.unwrap();
    let read: Vec<_> = read.map(Result::unwrap).collect().await;
    assert_eq!(
        read,
        [
            Ok(json!({"_id": 1, "text": "SECRET"})),
            Err(BrokenDocument { id: Some(json!(2)) }),
            Ok(json!({"_id": 3, "text": "SECRET"})),
        ]
    );
}

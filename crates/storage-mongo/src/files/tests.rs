use std::sync::Arc;

use futures_util::{AsyncReadExt as _, StreamExt as _};
use mongodb::{
    bson::{DateTime, Document},
    options::GridFsBucketOptions,
};
use storage_contract::sample;

use super::*;
use crate::testing::fresh;

storage_contract::files_contract!(fresh);

#[test]
fn what_dead_uploads_left_is_swept_and_what_lives_is_not() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let kept = insert(&store, &[1; 10_000]).await;
        let dead = dropped_upload(&store).await;
        let deleted = half_deleted(&store).await;
        assert_eq!(
            store.sweep_uploads().await.unwrap(),
            0,
            "an hour has not passed"
        );
        assert_eq!(uploads(&store).await.len(), 3);

        let alive = dropped_upload(&store).await;
        age(&store, &[dead, deleted]).await;
        assert_eq!(store.sweep_uploads().await.unwrap(), 2);
        let left = uploads(&store).await;
        assert!(left.len() == 2 && left.contains(&alive));
        assert_eq!(
            chunks(&store).await,
            1 + 8,
            "of the kept file and the living upload"
        );
        assert_eq!(read(&store, kept, None).await.unwrap(), [1; 10_000]);
    });
}

#[test]
fn a_swept_upload_is_never_completed() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let new = new_file();
        let aged = Arc::clone(&store);
        let late = stream::once(async move {
            let dead = uploads(&aged).await;
            age(&aged, &dead).await;
            assert_eq!(aged.sweep_uploads().await.unwrap(), 1);
            Ok(Bytes::from_static(b"late"))
        });
        let outcome = store.insert_file(new.clone(), Box::pin(late)).await;
        assert!(
            matches!(outcome, Err(StoreError::Unavailable(_))),
            "{outcome:?}"
        );
        assert_eq!(store.find_file(new.id).await.unwrap(), None);
    });
}

#[test]
fn refusals_and_deletions_leave_nothing() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let bytes = vec![1; 3_000_000];
        let taken = insert(&store, &bytes).await;
        let mut small = new_file();
        small.max_bytes = 2_000_000;
        let mut again = new_file();
        again.id = taken;
        for (new, refusal) in [
            (small, FileRefusal::TooLarge),
            (again, FileRefusal::IdTaken),
        ] {
            let refused = store.insert_file(new, stream_of(&bytes)).await.unwrap();
            assert_eq!(refused, Err(refusal));
        }
        let breaks = stream_of(&bytes).chain(stream::iter([Err(io::Error::other("gone"))]));
        let refused = store.insert_file(new_file(), Box::pin(breaks)).await;
        assert_eq!(refused.unwrap(), Err(FileRefusal::BrokeOff));
        assert_eq!(uploads(&store).await.len(), 1);
        assert_eq!(chunks(&store).await, 12);

        assert!(store.delete_file(taken).await.unwrap());
        assert_eq!(uploads(&store).await, []);
        assert_eq!(chunks(&store).await, 0);
    });
}

#[test]
fn a_range_reads_no_other_chunks() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let id = insert(&store, &vec![1; 4 * 255 * 1024]).await;
        let removed = doc! {"n": {"$in": [0, 3]}};
        store
            .part::<ChunkDocument, Document>()
            .delete_many(removed)
            .await
            .unwrap();
        let (first, last) = (CHUNK_BYTES, 3 * CHUNK_BYTES);
        let middle = read(&store, id, Some(first..last)).await.unwrap();
        assert_eq!(middle.len() as u64, last - first);
        for missing in [first - 1..last, first..last + 1] {
            let error = read(&store, id, Some(missing)).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
    });
}

#[test]
fn the_tools_of_gridfs_read_a_file() {
    storage_contract::run(async {
        let (store, _guard) = fresh().await;
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|at| at.to_be_bytes()[2]).collect();
        insert(&store, &bytes).await;
        let [upload] = uploads(&store).await[..] else {
            panic!("one upload");
        };
        let bucket = store.database().gridfs_bucket(
            GridFsBucketOptions::builder()
                .bucket_name("skein_files".to_owned())
                .build(),
        );
        let mut stream = bucket.open_download_stream(upload.into()).await.unwrap();
        let mut seen = Vec::new();
        stream.read_to_end(&mut seen).await.unwrap();
        assert!(seen == bytes);
    });
}

fn new_file() -> NewFile {
    NewFile {
        id: FileId::new(sample::uuid()),
        owner: sample::owner(),
        name: "notes.txt".to_owned(),
        media_type: "text/plain".to_owned(),
        purpose: String::new(),
        max_bytes: 10_000_000,
        at_ms: 7,
    }
}

fn stream_of(bytes: &[u8]) -> ByteStream {
    let pieces: Vec<_> = bytes.chunks(60_000).map(Bytes::copy_from_slice).collect();
    Box::pin(stream::iter(pieces).map(Ok))
}

async fn insert(store: &MongoStore, bytes: &[u8]) -> FileId {
    let stored = store.insert_file(new_file(), stream_of(bytes)).await;
    stored.unwrap().unwrap().id
}

async fn read(store: &MongoStore, id: FileId, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
    let stream = store.read_file(id, range).await.unwrap().unwrap();
    let pieces: Vec<_> = stream.collect().await;
    let pieces: io::Result<Vec<_>> = pieces.into_iter().collect();
    Ok(pieces?.concat())
}

/// An upload of more than eight chunks whose caller goes; eight of them are written.
async fn dropped_upload(store: &MongoStore) -> Uuid {
    let before = uploads(store).await;
    let (tell, told) = tokio::sync::oneshot::channel();
    let stalls = stream::once(async move {
        tell.send(()).unwrap();
        std::future::pending().await
    });
    let bytes = stream_of(&vec![1; 9 * 255 * 1024]).chain(stalls);
    tokio::select! {
        biased;
        _outcome = store.insert_file(new_file(), Box::pin(bytes)) => panic!("the upload ended"),
        told = told => told.unwrap(),
    }
    let after = uploads(store).await;
    *after.iter().find(|id| !before.contains(id)).unwrap()
}

/// A deletion that ended after its first step.
async fn half_deleted(store: &MongoStore) -> Uuid {
    let id = insert(store, &[1; 10_000]).await;
    let upload = store.mark_deleted(id).await.unwrap().unwrap();
    assert_eq!(store.find_file(id).await.unwrap(), None);
    assert!(!store.delete_file(id).await.unwrap());
    upload
}

/// Lets these uploads be as if they had been touched last two hours ago.
async fn age(store: &MongoStore, uploads: &[Uuid]) {
    let long_ago = DateTime::from_millis(DateTime::now().timestamp_millis() - 2 * 3_600_000);
    store
        .part::<FileDocument, Document>()
        .update_many(
            doc! {"_id": {"$in": uploads}},
            doc! {"$set": {"metadata.touched_at": long_ago}},
        )
        .await
        .unwrap();
}

async fn uploads(store: &MongoStore) -> Vec<Uuid> {
    let mut cursor = store.all::<FileDocument>().find(doc! {}).await.unwrap();
    let mut ids = Vec::new();
    while cursor.advance().await.unwrap() {
        ids.push(cursor.deserialize_current().unwrap().id);
    }
    ids
}

async fn chunks(store: &MongoStore) -> u64 {
    let chunks = store.part::<ChunkDocument, Document>();
    chunks.count_documents(doc! {}).await.unwrap()
}

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use storage_contract::sample;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::Config;

#[test]
fn files_are_there_after_reopening() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        let (kept, deleted) = (new_file(), new_file());
        let store = open(&dir);
        let stored = insert(&store, &kept, b"kept").await;
        insert(&store, &deleted, b"deleted").await;
        assert!(store.delete_file(deleted.id).await.unwrap());
        drop(store);

        let store = open(&dir);
        assert_eq!(store.find_file(kept.id).await.unwrap(), Some(stored));
        assert_eq!(read(&store, kept.id).await, b"kept");
        assert_eq!(store.find_file(deleted.id).await.unwrap(), None);
    });
}

#[test]
fn what_a_crash_left_is_swept_at_the_next_open() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        let kept = new_file();
        let store = open(&dir);
        insert(&store, &kept, b"kept").await;
        drop(store);
        let root = dir.path().join("files");
        // An upload that was cut off, one that was cut off before its row, and a deletion that was after it.
        fs::write(root.join("tmp/0"), "half a fi").unwrap();
        fs::write(root.join("tmp/71"), "").unwrap();
        for _ in 0..3 {
            let place = place(&dir, FileId::new(sample::uuid()));
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, "whole").unwrap();
        }
        // What is not ours.
        let mut wrong_shard = kept.id.uuid().into_bytes();
        wrong_shard[15] ^= 1;
        let of_others = [
            root.join("tmp/notes"),
            root.join("README"),
            place(&dir, kept.id).with_file_name("core"),
            place(&dir, kept.id).with_file_name(Uuid::from_bytes(wrong_shard).to_string()),
            place(&dir, kept.id).with_file_name(kept.id.uuid().simple().to_string()),
        ];
        for path in &of_others {
            fs::write(path, "another's").unwrap();
        }

        let store = open(&dir);
        assert!(!root.join("tmp/0").exists(), "drafts go before it is open");
        // The sweep goes on while the store is used, and is over when it holds no shard any more.
        let new = new_file();
        insert(&store, &new, b"new").await;
        swept(&store).await;
        let mut left = BTreeSet::from(of_others);
        left.extend([place(&dir, kept.id), place(&dir, new.id)]);
        assert_eq!(files_in(&root), left);
        assert_eq!(read(&store, kept.id).await, b"kept");
        assert_eq!(read(&store, new.id).await, b"new");
    });
}

#[test]
fn uploads_that_race_the_sweep_are_kept() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        drop(open(&dir));
        for _ in 0..2_000 {
            let place = place(&dir, FileId::new(sample::uuid()));
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(place, "left").unwrap();
        }
        let store = open(&dir);
        let mut kept = BTreeSet::new();
        for _ in 0..100 {
            let new = new_file();
            insert(&store, &new, b"new").await;
            kept.insert(place(&dir, new.id));
        }
        swept(&store).await;
        assert_eq!(files_in(&dir.path().join("files")), kept);
    });
}

#[test]
fn refusals_and_dropped_uploads_leave_no_bytes() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        let store = open(&dir);
        let root = dir.path().join("files");
        let taken = new_file();
        insert(&store, &taken, b"taken").await;
        let left = BTreeSet::from([place(&dir, taken.id)]);

        let refused = store.insert_file(taken.clone(), bytes(b"again")).await;
        assert_eq!(refused.unwrap(), Err(FileRefusal::IdTaken));
        assert_eq!(files_in(&root), left);

        let mut small = new_file();
        small.max_bytes = 3;
        let refused = store.insert_file(small, bytes(b"four")).await;
        assert_eq!(refused.unwrap(), Err(FileRefusal::TooLarge));
        assert_eq!(files_in(&root), left);

        let large = vec![0; 1_000_000];
        let breaks = bytes(&large).chain(stream::iter([Err(io::Error::other("the client went"))]));
        let refused = store.insert_file(new_file(), Box::pin(breaks)).await;
        assert_eq!(refused.unwrap(), Err(FileRefusal::BrokeOff));
        assert_eq!(files_in(&root), left);

        let stalls = Box::pin(bytes(&large).chain(stream::pending()));
        let upload = store.insert_file(new_file(), stalls);
        tokio::select! {
            biased;
            _outcome = upload => panic!("the upload ended"),
            () = async { while files_in(&root) == left { tokio::task::yield_now().await; } } => {}
        }
        // What the pool was left with is done when it has ended.
        drop(store);
        assert_eq!(files_in(&root), left);
    });
}

#[test]
fn a_race_for_an_id_leaves_one_files_bytes() {
    storage_contract::run(async {
        let dir = TempDir::new().unwrap();
        let store = open(&dir);
        let new = new_file();
        let uploads = (0..8).map(|_| store.insert_file(new.clone(), bytes(&vec![7; 100_000])));
        let outcomes = futures_util::future::join_all(uploads).await;
        let stored = outcomes.into_iter().flat_map(Result::unwrap);
        assert_eq!(stored.count(), 1);
        drop(store);
        let root = dir.path().join("files");
        assert_eq!(files_in(&root), BTreeSet::from([place(&dir, new.id)]));
    });
}

#[test]
fn a_deletion_takes_the_bytes_and_leaves_them_to_who_reads_them() {
    storage_contract::run(async {
        let (dir, new) = (TempDir::new().unwrap(), new_file());
        let store = open(&dir);
        let large = vec![b'a'; 1_000_000];
        insert(&store, &new, &large).await;
        let reader = store.read_file(new.id, None).await.unwrap().unwrap();
        assert!(store.delete_file(new.id).await.unwrap());
        if cfg!(unix) {
            assert_eq!(files_in(&dir.path().join("files")), BTreeSet::new());
            assert!(collect(reader).await.unwrap() == large);
        }
    });
}

#[test]
fn a_row_whose_bytes_are_gone_or_cut_is_said_to_be_damaged() {
    storage_contract::run(async {
        let (dir, new) = (TempDir::new().unwrap(), new_file());
        let store = open(&dir);
        insert(&store, &new, b"whole").await;
        fs::write(place(&dir, new.id), "half").unwrap();
        assert!(matches!(
            store.read_file(new.id, None).await,
            Err(StoreError::Corrupt { what: "file", .. })
        ));
        fs::remove_file(place(&dir, new.id)).unwrap();
        assert!(matches!(
            store.read_file(new.id, Some(0..0)).await,
            Err(StoreError::Corrupt { what: "file", .. })
        ));
        assert!(store.delete_file(new.id).await.unwrap());
        assert!(store.read_file(new.id, None).await.unwrap().is_none());
    });
}

#[test]
fn bytes_that_are_cut_off_while_they_are_read_end_with_an_error() {
    storage_contract::run(async {
        let (dir, new) = (TempDir::new().unwrap(), new_file());
        let store = open(&dir);
        insert(&store, &new, &vec![1; 1_000_000]).await;
        let reader = store.read_file(new.id, None).await.unwrap().unwrap();
        let file = fs::OpenOptions::new().write(true).open(place(&dir, new.id));
        file.unwrap().set_len(999_999).unwrap();
        let error = collect(reader).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    });
}

#[test]
fn a_store_that_cannot_insert_the_row_leaves_no_bytes() {
    storage_contract::run(async {
        let (dir, new) = (TempDir::new().unwrap(), new_file());
        let store = open(&dir);
        let forbid =
            "CREATE TRIGGER forbid BEFORE INSERT ON file BEGIN SELECT RAISE(ABORT, 'no'); END";
        store
            .write(move |writing| Ok(writing.connection.execute_batch(forbid)?))
            .await
            .unwrap();
        store
            .insert_file(new.clone(), bytes(b"bytes"))
            .await
            .unwrap_err();
        assert_eq!(files_in(&dir.path().join("files")), BTreeSet::new());
        store
            .write(|writing| Ok(writing.connection.execute_batch("DROP TRIGGER forbid")?))
            .await
            .unwrap();
        insert(&store, &new, b"bytes").await;
    });
}

#[test]
fn a_reader_does_not_keep_the_store_from_closing() {
    storage_contract::run(async {
        let (dir, new) = (TempDir::new().unwrap(), new_file());
        let store = open(&dir);
        insert(&store, &new, b"bytes").await;
        let reader = store.read_file(new.id, None).await.unwrap().unwrap();
        drop(store);
        collect(reader).await.unwrap_err();
        assert_eq!(read(&open(&dir), new.id).await, b"bytes");
    });
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("files"), "a file").unwrap();
    let refused = SqliteStore::open(Config::new(dir.path())).unwrap_err();
    assert!(refused.to_string().contains("files"), "{refused}");
}

#[cfg(unix)]
#[test]
fn bytes_are_kept_from_other_users() {
    use std::os::unix::fs::PermissionsExt as _;

    storage_contract::run(async {
        let (dir, new) = (TempDir::new().unwrap(), new_file());
        let store = open(&dir);
        insert(&store, &new, b"bytes").await;
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let place = place(&dir, new.id);
        assert_eq!(mode(&place), 0o600);
        for folder in [place.parent().unwrap(), &dir.path().join("files/tmp")] {
            assert_eq!(mode(folder), 0o700);
            assert_eq!(mode(folder.parent().unwrap()), 0o700);
        }
    });
}

fn open(dir: &TempDir) -> SqliteStore {
    SqliteStore::open(Config::new(dir.path())).unwrap()
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

fn bytes(bytes: &[u8]) -> ByteStream {
    let pieces: Vec<_> = bytes.chunks(50_000).map(Bytes::copy_from_slice).collect();
    Box::pin(stream::iter(pieces).map(Ok))
}

async fn insert(store: &SqliteStore, new: &NewFile, some: &[u8]) -> StoredFile {
    let stored = store.insert_file(new.clone(), bytes(some)).await;
    stored.unwrap().unwrap()
}

async fn read(store: &SqliteStore, id: FileId) -> Vec<u8> {
    collect(store.read_file(id, None).await.unwrap().unwrap())
        .await
        .unwrap()
}

async fn collect(bytes: ByteStream) -> io::Result<Vec<u8>> {
    let pieces: Vec<_> = bytes.collect().await;
    let pieces: io::Result<Vec<_>> = pieces.into_iter().collect();
    Ok(pieces?.concat())
}

/// Waits until the sweep has gone through all shards.
async fn swept(store: &SqliteStore) {
    while !store.files().is_swept() {
        tokio::task::yield_now().await;
    }
}

/// Where the bytes of this id belong.
fn place(dir: &TempDir, id: FileId) -> PathBuf {
    let shard = format!("{:02x}", id.uuid().as_bytes()[15]);
    dir.path().join("files").join(shard).join(id.to_string())
}

fn files_in(root: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else {
            files.insert(path);
        }
    }
    files
}

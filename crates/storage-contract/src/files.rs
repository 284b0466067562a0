//! What [`records::Files`] says.

use std::{
    io,
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use chat_core::access::Owner;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use records::{ByteStream, FileId, FileRefusal, Files, MAX_PIECE_BYTES, NewFile, StoredFile};
use tokio::{sync::Notify, task::JoinSet};

use crate::sample;

/// A stored file is given back and found, with its length and its hash.
pub async fn a_file_is_found_as_it_was_stored(store: Arc<dyn Files>) {
    let new = file(&sample::owner());
    let stored = store
        .insert_file(new.clone(), whole(b"abc"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        stored,
        StoredFile {
            id: new.id,
            owner: new.owner,
            name: new.name,
            media_type: new.media_type,
            purpose: new.purpose,
            bytes: 3,
            sha256: hash("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            created_at_ms: new.at_ms,
        }
    );
    assert_eq!(store.find_file(new.id).await.unwrap(), Some(stored));
    assert_eq!(read(&*store, new.id, None).await.unwrap(), b"abc");
}

/// A file that is not there is `None`, and cannot be deleted.
pub async fn an_unknown_file_is_not_found(store: Arc<dyn Files>) {
    insert(&*store, file(&sample::owner()), b"another").await;
    let id = file(&sample::owner()).id;
    assert_eq!(store.find_file(id).await.unwrap(), None);
    assert!(store.read_file(id, None).await.unwrap().is_none());
    assert!(store.read_file(id, Some(0..1)).await.unwrap().is_none());
    assert!(!store.delete_file(id).await.unwrap());
}

/// A file may be empty.
pub async fn an_empty_file_is_stored(store: Arc<dyn Files>) {
    let empty_hash = hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for pieces in [vec![], vec![Bytes::new(), Bytes::new()]] {
        let mut new = file(&sample::owner());
        new.max_bytes = 0;
        let id = new.id;
        let stored = store
            .insert_file(new, stream_of(pieces))
            .await
            .unwrap()
            .unwrap();
        assert_eq!((stored.bytes, stored.sha256), (0, empty_hash));
        assert_eq!(store.find_file(id).await.unwrap(), Some(stored));
        assert_eq!(read(&*store, id, None).await.unwrap(), b"");
        assert_eq!(read(&*store, id, Some(0..9)).await.unwrap(), b"");
    }
}

/// The bytes of a large file come as they were brought, whatever the pieces, in pieces that are neither empty nor large.
pub async fn a_file_of_several_pieces_is_read_as_it_came(store: Arc<dyn Files>) {
    let million = hash("cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    let letters = vec![b'a'; 1_000_000];
    let one_way = file(&sample::owner());
    let stored = store
        .insert_file(one_way.clone(), in_pieces(&letters, 70_001))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((stored.bytes, stored.sha256), (1_000_000, million));
    let other_way = file(&sample::owner());
    let stored = store
        .insert_file(other_way, whole(&letters))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((stored.bytes, stored.sha256), (1_000_000, million));

    for (len, piece) in [
        (3_000, 1),
        (MAX_PIECE_BYTES, MAX_PIECE_BYTES),
        (MAX_PIECE_BYTES + 1, 1_000),
        (3 * MAX_PIECE_BYTES, MAX_PIECE_BYTES - 1),
        (3 * MAX_PIECE_BYTES - 1, 2 * MAX_PIECE_BYTES),
        (900_000, 900_000),
    ] {
        let bytes = mixed(len);
        let new = file(&sample::owner());
        let id = new.id;
        let stored = store
            .insert_file(new, in_pieces(&bytes, piece))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(stored.bytes, len as u64);
        let mut pieces = store.read_file(id, None).await.unwrap().unwrap();
        let mut seen = Vec::new();
        while let Some(piece) = pieces.try_next().await.unwrap() {
            assert!((1..=MAX_PIECE_BYTES).contains(&piece.len()));
            seen.extend_from_slice(&piece);
        }
        assert!(seen == bytes, "{len} bytes in pieces of {piece}");
    }
}

/// A file may have as many bytes as it may; with one more it is refused, before the rest is read, and nothing is kept.
pub async fn a_file_that_is_too_large_is_refused(store: Arc<dyn Files>) {
    for max in [1, 1_000, MAX_PIECE_BYTES, 2 * MAX_PIECE_BYTES + 5] {
        let bytes = mixed(max);
        let mut new = file(&sample::owner());
        new.max_bytes = max as u64;
        // One piece, and a byte alone in the end.
        for split in [0, max] {
            let asked = Arc::new(AtomicUsize::new(0));
            let too_many = [&bytes[..split], &bytes[split..], b"!"].map(Bytes::copy_from_slice);
            let counted = Arc::clone(&asked);
            let endless = stream::iter(too_many)
                .chain(stream::repeat(Bytes::from_static(b"more")))
                .map(Ok)
                .inspect(move |_piece| {
                    counted.fetch_add(1, Ordering::Relaxed);
                });
            assert_eq!(
                store
                    .insert_file(new.clone(), Box::pin(endless))
                    .await
                    .unwrap(),
                Err(FileRefusal::TooLarge)
            );
            assert_eq!(asked.load(Ordering::Relaxed), 3);
            nothing_is_kept(&*store, &new).await;
        }
        insert(&*store, new.clone(), &bytes).await;
        assert!(read(&*store, new.id, None).await.unwrap() == bytes);
    }
}

/// An error of the stream, wherever, ends the upload, and nothing is kept.
pub async fn an_upload_that_breaks_off_is_refused(store: Arc<dyn Files>) {
    let new = file(&sample::owner());
    for len in [0, 1, MAX_PIECE_BYTES, 3 * MAX_PIECE_BYTES + 7] {
        let broken = in_pieces(&mixed(len), 50_000)
            .chain(stream::iter([Err(io::Error::other("the client went"))]));
        assert_eq!(
            store
                .insert_file(new.clone(), Box::pin(broken))
                .await
                .unwrap(),
            Err(FileRefusal::BrokeOff)
        );
        nothing_is_kept(&*store, &new).await;
    }
    insert(&*store, new.clone(), b"whole").await;
    assert_eq!(read(&*store, new.id, None).await.unwrap(), b"whole");
}

/// An upload whose caller goes is as if it had never been.
pub async fn a_dropped_upload_leaves_nothing(store: Arc<dyn Files>) {
    let new = file(&sample::owner());
    for len in [0, 1, 3 * MAX_PIECE_BYTES + 7] {
        let (bytes, stalls, _go_on) = stalling(&mixed(len));
        tokio::select! {
            biased;
            _outcome = store.insert_file(new.clone(), bytes) => panic!("the upload ended"),
            () = stalls.notified() => {}
        }
        nothing_is_kept(&*store, &new).await;
    }
    insert(&*store, new.clone(), b"whole").await;
    assert_eq!(read(&*store, new.id, None).await.unwrap(), b"whole");
}

/// A file is not seen until its last byte is there, and then it is.
pub async fn a_file_is_not_seen_before_its_last_byte(store: Arc<dyn Files>) {
    let new = file(&sample::owner());
    let bytes = mixed(2 * MAX_PIECE_BYTES + 7);
    let (stream, stalls, go_on) = stalling(&bytes);
    let look = async {
        stalls.notified().await;
        nothing_is_kept(&*store, &new).await;
        assert!(!store.delete_file(new.id).await.unwrap());
        go_on.notify_one();
    };
    let upload = async { store.insert_file(new.clone(), stream).await.unwrap() };
    let (stored, ()) = tokio::join!(upload, look);
    stored.unwrap();
    assert!(read(&*store, new.id, None).await.unwrap() == bytes);
}

/// An upload that stalls keeps nobody else's waiting, not even one of the same id, which then has it.
pub async fn a_stalled_upload_holds_up_no_other(store: Arc<dyn Files>) {
    let new = file(&sample::owner());
    let (stream, stalls, go_on) = stalling(&mixed(MAX_PIECE_BYTES + 1));
    let overtake = async {
        stalls.notified().await;
        insert(&*store, file(&sample::owner()), b"another").await;
        insert(&*store, new.clone(), b"faster").await;
        go_on.notify_one();
    };
    let upload = async { store.insert_file(new.clone(), stream).await.unwrap() };
    let (stored, ()) = tokio::join!(upload, overtake);
    assert_eq!(stored, Err(FileRefusal::IdTaken));
    assert_eq!(read(&*store, new.id, None).await.unwrap(), b"faster");
}

/// The id of a stored file is refused, also to its owner, and the file is as it was.
pub async fn a_taken_id_is_refused(store: Arc<dyn Files>) {
    let first = file(&sample::owner());
    let stored = insert(&*store, first.clone(), b"the first").await;
    for owner in [first.owner.clone(), sample::owner()] {
        let mut second = file(&owner);
        second.id = first.id;
        assert_eq!(
            store.insert_file(second, whole(b"a second")).await.unwrap(),
            Err(FileRefusal::IdTaken)
        );
    }
    assert_eq!(store.find_file(first.id).await.unwrap(), Some(stored));
    assert_eq!(read(&*store, first.id, None).await.unwrap(), b"the first");
}

/// When callers race for one id, exactly one gets it, and the file has its bytes and no others'.
pub async fn racing_for_an_id_has_one_winner(store: Arc<dyn Files>) {
    for _round in 0..4 {
        let id = file(&sample::owner()).id;
        let mut racing = JoinSet::new();
        for letter in b'a'..=b'p' {
            let store = Arc::clone(&store);
            racing.spawn(async move {
                let mut new = file(&sample::owner());
                new.id = id;
                let bytes = vec![letter; MAX_PIECE_BYTES + usize::from(letter)];
                let outcome = store
                    .insert_file(new, in_pieces(&bytes, 100_000))
                    .await
                    .unwrap();
                (outcome, bytes)
            });
        }
        let (winners, losers): (Vec<_>, Vec<_>) = racing
            .join_all()
            .await
            .into_iter()
            .partition(|(outcome, _)| outcome.is_ok());
        assert_eq!(winners.len(), 1);
        assert!(
            losers
                .iter()
                .all(|(outcome, _)| *outcome == Err(FileRefusal::IdTaken))
        );
        let (stored, bytes) = &winners[0];
        assert_eq!(
            store.find_file(id).await.unwrap().as_ref(),
            stored.as_ref().ok()
        );
        assert!(read(&*store, id, None).await.unwrap() == *bytes);
    }
}

/// A range gives its bytes: it is cut at the end, and one beyond the end or that ends before it begins has none.
pub async fn a_range_is_read(store: Arc<dyn Files>) {
    let len = 2 * MAX_PIECE_BYTES as u64 + 100_000;
    let new = file(&sample::owner());
    let bytes = mixed(usize::try_from(len).unwrap());
    insert(&*store, new.clone(), &bytes).await;
    // The borders of pieces, of the chunks that GridFS has, and of the file.
    let mut borders = vec![0, 1, 77, u64::MAX - 1, u64::MAX];
    for border in [255 * 1024, 510 * 1024, 256 * 1024, 512 * 1024, len] {
        borders.extend([border - 1, border, border + 1]);
    }
    for &start in &borders {
        for &end in &borders {
            let cut = |border: u64| usize::try_from(border.min(len)).unwrap();
            let wanted = bytes.get(cut(start)..cut(end)).unwrap_or_default();
            let seen = read(&*store, new.id, Some(start..end)).await.unwrap();
            assert!(
                seen == wanted,
                "{start}..{end}: {} bytes instead of {}",
                seen.len(),
                wanted.len()
            );
        }
    }
}

/// Names, media types and purposes are any text and come back as they were given.
pub async fn any_text_is_a_name(store: Arc<dyn Files>) {
    let owner = sample::owner();
    let long = "ü".repeat(5_000);
    for text in [
        "",
        ".",
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\Windows\\win.ini",
        "a\0b",
        "line\r\nbreak",
        "\u{202e}gpj.exe",
        "日本語 📄.pdf",
        "$set",
        "{\"$gt\": \"\"}",
        "'; DROP TABLE file; --",
        "%s%n",
        &long,
    ] {
        let mut new = file(&owner);
        new.name = text.to_owned();
        new.media_type = text.to_owned();
        new.purpose = text.to_owned();
        let stored = insert(&*store, new.clone(), text.as_bytes()).await;
        assert_eq!(
            [&stored.name, &stored.media_type, &stored.purpose],
            [text; 3]
        );
        assert_eq!(read(&*store, new.id, None).await.unwrap(), text.as_bytes());
        assert_eq!(store.find_file(new.id).await.unwrap(), Some(stored));
    }
}

/// An owner's files are listed in the order of their ids, a page after another.
pub async fn an_owners_files_are_listed_in_order(store: Arc<dyn Files>) {
    let owner = sample::owner();
    let mut files: Vec<_> = (0..7).map(|_| file(&owner)).collect();
    files.rotate_left(3);
    let mut stored = Vec::new();
    for new in files {
        stored.push(insert(&*store, new, b"mine").await);
        insert(&*store, file(&sample::owner()), b"another's").await;
    }
    stored.sort_by_key(|file| file.id);
    assert_eq!(store.list_files(&owner, None, 100).await.unwrap(), stored);
    assert_eq!(store.list_files(&owner, None, 0).await.unwrap(), []);

    let mut paged = Vec::new();
    loop {
        let after = paged.last().map(|file: &StoredFile| file.id);
        let page = store.list_files(&owner, after, 3).await.unwrap();
        assert!(page.len() <= 3);
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, stored);

    // A cursor outlives its file.
    store.delete_file(stored[2].id).await.unwrap();
    assert_eq!(
        store
            .list_files(&owner, Some(stored[2].id), 100)
            .await
            .unwrap(),
        stored[3..]
    );
    assert_eq!(
        store.list_files(&sample::owner(), None, 100).await.unwrap(),
        []
    );
}

/// A deleted file is gone, and its id is free.
pub async fn a_deleted_file_is_gone(store: Arc<dyn Files>) {
    let new = file(&sample::owner());
    let kept = insert(&*store, file(&new.owner), b"kept").await;
    insert(&*store, new.clone(), &mixed(600_000)).await;
    assert!(store.delete_file(new.id).await.unwrap());
    assert_eq!(store.find_file(new.id).await.unwrap(), None);
    assert!(store.read_file(new.id, None).await.unwrap().is_none());
    assert!(!store.delete_file(new.id).await.unwrap());
    assert_eq!(
        store.list_files(&new.owner, None, 100).await.unwrap(),
        [kept]
    );
    insert(&*store, new.clone(), b"anew").await;
    assert_eq!(read(&*store, new.id, None).await.unwrap(), b"anew");
}

/// When callers race to delete a file, exactly one is told that it was there.
pub async fn racing_deletions_have_one_winner(store: Arc<dyn Files>) {
    let new = file(&sample::owner());
    insert(&*store, new.clone(), b"bytes").await;
    let mut racing = JoinSet::new();
    for _ in 0..16 {
        let store = Arc::clone(&store);
        racing.spawn(async move { store.delete_file(new.id).await.unwrap() });
    }
    let told = racing.join_all().await;
    assert_eq!(told.into_iter().filter(|was_there| *was_there).count(), 1);
}

/// A reader that began before a deletion sees the bytes that it began with, or an error, whatever has the id by then.
pub async fn a_reader_never_sees_other_bytes(store: Arc<dyn Files>) {
    let new = file(&sample::owner());
    let bytes = vec![b'a'; 4 * MAX_PIECE_BYTES];
    insert(&*store, new.clone(), &bytes).await;
    let mut begun = store.read_file(new.id, None).await.unwrap().unwrap();
    let untouched = store.read_file(new.id, None).await.unwrap().unwrap();
    let mut seen = begun.try_next().await.unwrap().unwrap().to_vec();
    store.delete_file(new.id).await.unwrap();
    insert(&*store, new.clone(), &vec![b'b'; bytes.len()]).await;
    let rest = collect(begun).await;
    let whole = match rest {
        Ok(rest) => {
            seen.extend(rest);
            Ok(seen)
        }
        Err(error) => Err(error),
    };
    for seen in [whole, collect(untouched).await].into_iter().flatten() {
        assert!(seen == bytes);
    }
}

/// However uploads, deletions and readers of one id race, a reader sees one upload's bytes, all of them.
pub async fn no_race_tears_a_file(store: Arc<dyn Files>) {
    let id = file(&sample::owner()).id;
    let mut racing = JoinSet::new();
    for letter in b'a'..=b'd' {
        let store = Arc::clone(&store);
        racing.spawn(async move {
            for _round in 0..25 {
                let mut new = file(&sample::owner());
                new.id = id;
                let bytes = vec![letter; usize::from(letter) * 4_000];
                if let Ok(stored) = store.insert_file(new, whole(&bytes)).await.unwrap() {
                    assert_eq!(stored.bytes, bytes.len() as u64);
                }
                store.delete_file(id).await.unwrap();
            }
        });
    }
    for _reader in 0..6 {
        let store = Arc::clone(&store);
        racing.spawn(async move {
            for _round in 0..150 {
                if let Some(stream) = store.read_file(id, None).await.unwrap()
                    && let Ok(seen) = collect(stream).await
                {
                    let letter = seen[0];
                    assert!(seen == vec![letter; usize::from(letter) * 4_000]);
                }
            }
        });
    }
    racing.join_all().await;
    assert_eq!(store.find_file(id).await.unwrap(), None);
}

fn file(owner: &Owner) -> NewFile {
    NewFile {
        id: FileId::new(sample::uuid()),
        owner: owner.clone(),
        name: "notes.txt".to_owned(),
        media_type: "text/plain".to_owned(),
        purpose: "assistants".to_owned(),
        max_bytes: 100_000_000,
        at_ms: 1_700_000_000_000,
    }
}

async fn insert(store: &dyn Files, file: NewFile, bytes: &[u8]) -> StoredFile {
    store
        .insert_file(file, whole(bytes))
        .await
        .unwrap()
        .unwrap()
}

async fn read(store: &dyn Files, id: FileId, range: Option<Range<u64>>) -> io::Result<Vec<u8>> {
    collect(store.read_file(id, range).await.unwrap().unwrap()).await
}

async fn collect(bytes: ByteStream) -> io::Result<Vec<u8>> {
    bytes
        .try_fold(Vec::new(), |mut all, piece| async move {
            all.extend_from_slice(&piece);
            Ok(all)
        })
        .await
}

async fn nothing_is_kept(store: &dyn Files, file: &NewFile) {
    assert_eq!(store.find_file(file.id).await.unwrap(), None);
    assert!(store.read_file(file.id, None).await.unwrap().is_none());
    let listed = store.list_files(&file.owner, None, 100).await.unwrap();
    assert_eq!(listed, []);
}

/// Bytes in which no piece is like another.
fn mixed(len: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

fn whole(bytes: &[u8]) -> ByteStream {
    stream_of(vec![Bytes::copy_from_slice(bytes)])
}

fn in_pieces(bytes: &[u8], len: usize) -> ByteStream {
    stream_of(bytes.chunks(len).map(Bytes::copy_from_slice).collect())
}

fn stream_of(pieces: Vec<Bytes>) -> ByteStream {
    Box::pin(stream::iter(pieces.into_iter().map(Ok)))
}

/// A stream that tells when all its bytes are taken and ends when it is told to.
fn stalling(bytes: &[u8]) -> (ByteStream, Arc<Notify>, Arc<Notify>) {
    let (stalls, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, told) = (Arc::clone(&stalls), Arc::clone(&go_on));
    let end = stream::once(async move {
        tell.notify_one();
        told.notified().await;
        Ok(Bytes::new())
    });
    let stream = in_pieces(bytes, 50_000).chain(end);
    (Box::pin(stream), stalls, go_on)
}

fn hash(hex: &str) -> [u8; 32] {
    std::array::from_fn(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
}

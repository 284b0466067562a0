use tempfile::TempDir;

use super::*;
use crate::SqliteStore;

#[test]
fn refuses_a_directory_that_is_in_use_and_names_it() {
    let dir = TempDir::new().unwrap();
    let store = SqliteStore::open(Config::new(dir.path())).unwrap();
    let refused = SqliteStore::open(Config::new(dir.path())).unwrap_err();
    assert!(matches!(&refused, OpenError::InUse(path) if path == dir.path()));
    assert!(
        refused
            .to_string()
            .contains(&dir.path().display().to_string())
    );
    let clone = store.clone();
    drop(store);
    SqliteStore::open(Config::new(dir.path())).unwrap_err();
    drop(clone);
    SqliteStore::open(Config::new(dir.path())).unwrap();
}

#[cfg(unix)]
#[test]
fn keeps_what_it_makes_from_other_users() {
    use std::os::unix::fs::PermissionsExt as _;

    let dir = TempDir::new().unwrap();
    let data_dir = dir.path().join("made").join("here");
    let _store = SqliteStore::open(Config::new(&data_dir)).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data_dir), 0o700);
    for file in ["skein.db", "skein.db-wal", "skein.lock"] {
        assert_eq!(mode(&data_dir.join(file)), 0o600, "{file}");
    }
}

#[test]
fn commits_are_synced_to_the_disk() {
    let dir = TempDir::new().unwrap();
    let connection = connect_writer(&database(dir.path()).unwrap()).unwrap();
    let pragma = |name| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
    assert_eq!(pragma("synchronous"), 2.into(), "2 is FULL");
    assert_eq!(pragma("foreign_keys"), 1.into());
    assert_eq!(pragma("wal_autocheckpoint"), 0.into());
}

#[test]
fn a_reader_cannot_write() {
    let dir = TempDir::new().unwrap();
    let path = database(dir.path()).unwrap();
    let writer = connect_writer(&path).unwrap();
    writer.execute_batch("CREATE TABLE t (a)").unwrap();
    let reader = connect_reader(&path).unwrap();
    reader.execute("INSERT INTO t VALUES (1)", []).unwrap_err();
}

#[test]
fn refuses_a_file_that_is_no_database() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("skein.db"), "no database ".repeat(1_000)).unwrap();
    let refused = SqliteStore::open(Config::new(dir.path())).unwrap_err();
    assert!(matches!(refused, OpenError::Database(_)), "{refused:?}");
}

#[test]
fn refuses_a_directory_that_cannot_be_made() {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let refused = SqliteStore::open(Config::new(file.join("data"))).unwrap_err();
    assert!(matches!(refused, OpenError::File { .. }), "{refused:?}");
}

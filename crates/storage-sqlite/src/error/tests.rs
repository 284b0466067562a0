use rusqlite::{ffi, types::Type};

use super::*;

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Unavailable,
    Corrupt(&'static str),
    Fatal,
}

fn kind(failure: impl Into<Failure>) -> Kind {
    match StoreError::from(failure.into()) {
        StoreError::Unavailable(_) => Kind::Unavailable,
        StoreError::Corrupt { what, .. } => Kind::Corrupt(what),
        StoreError::Fatal(_) => Kind::Fatal,
    }
}

fn coded(code: i32) -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(code), None)
}

#[test]
fn an_error_of_sqlite_says_whether_the_same_call_may_succeed_later() {
    let table = [
        (ffi::SQLITE_BUSY, Kind::Unavailable),
        (ffi::SQLITE_BUSY_RECOVERY, Kind::Unavailable),
        (ffi::SQLITE_BUSY_SNAPSHOT, Kind::Unavailable),
        (ffi::SQLITE_LOCKED, Kind::Unavailable),
        (ffi::SQLITE_LOCKED_SHAREDCACHE, Kind::Unavailable),
        (ffi::SQLITE_PROTOCOL, Kind::Unavailable),
        (ffi::SQLITE_IOERR, Kind::Unavailable),
        (ffi::SQLITE_IOERR_READ, Kind::Unavailable),
        (ffi::SQLITE_IOERR_WRITE, Kind::Unavailable),
        (ffi::SQLITE_IOERR_FSYNC, Kind::Unavailable),
        (ffi::SQLITE_IOERR_SHMSIZE, Kind::Unavailable),
        (ffi::SQLITE_FULL, Kind::Unavailable),
        (ffi::SQLITE_CANTOPEN, Kind::Unavailable),
        (ffi::SQLITE_CANTOPEN_ISDIR, Kind::Unavailable),
        (ffi::SQLITE_NOMEM, Kind::Unavailable),
        (ffi::SQLITE_CORRUPT, Kind::Corrupt("database")),
        (ffi::SQLITE_CORRUPT_INDEX, Kind::Corrupt("database")),
        (ffi::SQLITE_NOTADB, Kind::Corrupt("database")),
        (ffi::SQLITE_ERROR, Kind::Fatal),
        (ffi::SQLITE_CONSTRAINT, Kind::Fatal),
        (ffi::SQLITE_CONSTRAINT_UNIQUE, Kind::Fatal),
        (ffi::SQLITE_MISUSE, Kind::Fatal),
        (ffi::SQLITE_READONLY, Kind::Fatal),
        (ffi::SQLITE_TOOBIG, Kind::Fatal),
    ];
    for (code, expected) in table {
        assert_eq!(kind(coded(code)), expected, "code {code}");
    }
}

#[test]
fn a_value_of_another_type_is_corrupt() {
    let errors = [
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, "no number".into()),
        rusqlite::Error::InvalidColumnType(0, "seq".to_owned(), Type::Text),
        rusqlite::Error::IntegralValueOutOfRange(0, -1),
    ];
    for error in errors {
        let text = error.to_string();
        assert_eq!(kind(error), Kind::Corrupt("value"), "{text}");
    }
    let record = Failure::corrupt("log row")("it is cut short".into());
    assert_eq!(kind(record), Kind::Corrupt("log row"));
}

#[test]
fn what_a_repetition_does_not_mend_is_fatal() {
    assert_eq!(kind(rusqlite::Error::InvalidQuery), Kind::Fatal);
    assert_eq!(kind(Failure::Misuse("a gap")), Kind::Fatal);
    assert_eq!(kind(Failure::Panicked), Kind::Fatal);
    assert_eq!(kind(Failure::Gone), Kind::Fatal);
}

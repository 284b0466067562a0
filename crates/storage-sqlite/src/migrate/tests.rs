use super::*;

const FIRST: Migration = Migration {
    number: 1,
    name: "0001_first.sql",
    sql: "CREATE TABLE first (a INTEGER);",
};

const SECOND: Migration = Migration {
    number: 2,
    name: "0002_second.sql",
    sql: "CREATE TABLE second (b INTEGER);",
};

fn memory() -> Connection {
    Connection::open_in_memory().unwrap()
}

fn tables(connection: &Connection) -> Vec<String> {
    connection
        .prepare("SELECT name FROM sqlite_schema WHERE name IN ('first', 'second') ORDER BY name")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap()
}

#[test]
fn applies_each_migration_once() {
    let mut connection = memory();
    migrate(&mut connection, &[FIRST]).unwrap();
    assert_eq!(tables(&connection), ["first"]);
    migrate(&mut connection, &[FIRST, SECOND]).unwrap();
    migrate(&mut connection, &[FIRST, SECOND]).unwrap();
    assert_eq!(tables(&connection), ["first", "second"]);
    let recorded: Vec<(u32, String)> = connection
        .prepare("SELECT number, name FROM schema_migration ORDER BY number")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(
        recorded,
        [(1, FIRST.name.to_owned()), (2, SECOND.name.to_owned())]
    );
}

#[test]
fn refuses_an_edited_migration() {
    let mut connection = memory();
    migrate(&mut connection, &[FIRST]).unwrap();
    let edited = Migration {
        sql: "CREATE TABLE first (a TEXT);",
        ..FIRST
    };
    let refused = migrate(&mut connection, &[edited, SECOND]).unwrap_err();
    assert!(
        matches!(refused, OpenError::MigrationChanged { name } if name == FIRST.name),
        "{refused:?}"
    );
    assert_eq!(tables(&connection), ["first"], "nothing was changed");
}

#[test]
fn line_ends_do_not_change_a_migration() {
    assert_eq!(checksum("a\r\nb\n"), checksum("a\nb\n"));
    assert_ne!(checksum("a b\n"), checksum("a\nb\n"));
}

#[test]
fn refuses_a_database_of_a_newer_release() {
    let mut connection = memory();
    migrate(&mut connection, &[FIRST, SECOND]).unwrap();
    let refused = migrate(&mut connection, &[FIRST]).unwrap_err();
    assert!(
        matches!(refused, OpenError::NewerRelease { found: 2, known: 1 }),
        "{refused:?}"
    );
}

#[test]
fn a_failing_migration_leaves_nothing_behind() {
    let mut connection = memory();
    let broken = Migration {
        sql: "CREATE TABLE second (b INTEGER); CREATE TABLE second (b INTEGER);",
        ..SECOND
    };
    migrate(&mut connection, &[FIRST, broken]).unwrap_err();
    assert_eq!(tables(&connection), ["first"]);
    migrate(&mut connection, &[FIRST, SECOND]).unwrap();
    assert_eq!(tables(&connection), ["first", "second"]);
}

#[test]
fn migrations_are_numbered_without_a_gap_as_their_files_are() {
    for (number, migration) in (1..).zip(MIGRATIONS) {
        assert_eq!(migration.number, number);
        assert!(migration.name.starts_with(&format!("{number:04}_")));
    }
}

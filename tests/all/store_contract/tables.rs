//! The tables themselves: all shapes that are around, values nobody expects, versions, and two at the same time.

use super::engines::Still;
use super::engines::{Database, Engine, Sqlite, fixture, name};
use super::{on_each_engine, restarted};
use pm_host::ports::{Cleared, Rows, Trouble};
use pm_host::store::{self, Access, Address, Push, SqliteAddress};
use std::sync::Arc;

on_each_engine! {
    every_shape_of_the_tables_works
    rows_that_cannot_be_read_hide_no_others
    missing_tables_say_what_to_do
    migrating_creates_what_is_missing_and_nothing_twice
    migrating_adds_the_index_that_fits
    two_can_migrate_at_the_same_time
    a_newer_version_is_refused
}

fn every_shape_of_the_tables_works(database: &dyn Database) {
    for file in ["r8.sql", "r6-host.sql", "predictive.sql", "readme.sql"] {
        let database = database.empty();
        database.sql(&fixture(file));
        let mut store = database.store(None);
        for text in ["a", "b"] {
            store.add(&name(text)).unwrap();
        }
        let before = database.column("SELECT notes FROM STATUS_PROCESS");
        assert_eq!(before, ["NULL", "NULL"], "{file}");
        store.raise(&Rows::Named(vec![name("a")]), "up").unwrap();
        assert_eq!(store.poll(9).unwrap().len(), 1, "{file}");
        assert_eq!(store.clear(&restarted(1, Some("up"))).unwrap(), Cleared::Done, "{file}");
        assert_eq!(store.poll(9).unwrap().len(), 0, "{file}");
        let schema = store.schema().unwrap();
        assert_eq!((schema.version, schema.newest), (None, 5), "{file}");
        let indexed = file != "r8.sql" && file != "readme.sql";
        let missing: &[&str] = if indexed { &[] } else { &["index on STATUS_PROCESS (alarma)"] };
        assert_eq!(schema.missing, missing, "{file}");
        let engine = match database.engine() {
            Engine::Sqlite => "sqlite 3.",
            Engine::MariaDb => "mysql ",
            Engine::PostgreSql => "postgresql ",
        };
        assert!(schema.engine.starts_with(engine), "{}", schema.engine);
    }
}

fn rows_that_cannot_be_read_hide_no_others(database: &dyn Database) {
    let (big, text, bytes) = match database.engine() {
        Engine::Sqlite => ("", "", "BLOB"),
        Engine::MariaDb => ("BIGINT UNSIGNED", "VARCHAR(20)", "VARBINARY(50)"),
        Engine::PostgreSql => ("NUMERIC", "VARCHAR(20)", "TEXT"),
    };
    database.sql(&format!(
        "CREATE TABLE STATUS_PROCESS (process_id {big}, alarma INT, sound {text}, notes {bytes});\n\
         CREATE TABLE PROCESE (process_id {big}, process_name VARCHAR(50));\n"
    ));
    match database.engine() {
        Engine::Sqlite => {
            database.sql("INSERT INTO STATUS_PROCESS VALUES ('seven', 1, 0, 'a text as key')");
            database.sql("INSERT INTO PROCESE VALUES ('seven', 'text')");
        }
        Engine::MariaDb | Engine::PostgreSql => {
            database.sql("INSERT INTO STATUS_PROCESS VALUES (18446744073709551615, 1, NULL, 'too large')");
            database.sql("INSERT INTO PROCESE VALUES (18446744073709551615, 'large')");
        }
    }
    // Its texts are always texts: see `bytes_that_are_no_text_hide_no_others`.
    let (sound, bytes) =
        if database.engine() == Engine::PostgreSql { ("'x'", "NULL") } else { ("NULL", "x'ff00fe'") };
    database.sql(&format!("INSERT INTO STATUS_PROCESS VALUES (3, 1, {sound}, {bytes})"));
    database.sql(
        "INSERT INTO STATUS_PROCESS VALUES (2, 1, 'loud', NULL);\n\
         INSERT INTO STATUS_PROCESS VALUES (4, 1, NULL, NULL);\n\
         INSERT INTO STATUS_PROCESS VALUES (5, NULL, NULL, NULL);\n\
         INSERT INTO STATUS_PROCESS VALUES (NULL, 1, NULL, NULL);\n\
         INSERT INTO PROCESE VALUES (2, 'b'), (3, 'c'), (4, NULL), (5, 'e');\n",
    );
    let mut store = database.store(None);
    for _ in 0..2 {
        let alarms = store.poll(9).unwrap();
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert!(alarms[0].row.0 == 4 && alarms[0].name.is_blank() && !alarms[0].acknowledged);
    }
    let listed: Vec<_> = store.list().unwrap().iter().map(|row| (row.row.0, row.alarm)).collect();
    assert_eq!(listed, [(4, 1), (5, 0)]);
    assert_eq!(store.clear(&restarted(4, None)).unwrap(), Cleared::Done);
}

fn missing_tables_say_what_to_do(database: &dyn Database) {
    let database = database.empty();
    let mut store = database.store(None);
    for error in [
        store.poll(9).unwrap_err(),
        store.clear(&restarted(1, None)).unwrap_err(),
        store.raise(&Rows::All, "x").unwrap_err(),
        store.list().unwrap_err(),
    ] {
        assert_eq!(error.trouble, Trouble::Schema, "{error}");
        assert!(error.to_string().contains("pm db migrate"), "{error}");
    }
    assert_eq!(store.schema().unwrap().missing, ["table STATUS_PROCESS", "table PROCESE"]);
    database.sql(&fixture("r8.sql"));
    assert!(store.poll(9).unwrap().is_empty(), "it recovers by itself");
    let mut of_host = database.store(Some(1));
    let error = of_host.poll(9).unwrap_err();
    assert_eq!(error.trouble, Trouble::Schema, "{error}");
    assert!(error.to_string().contains("host_id"), "{error}");
    let missing = of_host.schema().unwrap().missing;
    assert_eq!(missing[0], "column STATUS_PROCESS.host_id (host_id is configured)");
}

fn migrating_creates_what_is_missing_and_nothing_twice(database: &dyn Database) {
    let database = database.empty();
    let mut store = database.store(Some(7));
    let done = store.migrate().unwrap();
    assert_eq!(
        done,
        [
            "created STATUS_PROCESS",
            "created PROCESE",
            "version 1: the tables of the alarms",
            "created an index on STATUS_PROCESS (host_id, alarma)",
            "version 2: an index on the alarms",
            "created pm_group",
            "created pm_dependency",
            "version 3: groups and dependencies",
            "created pm_attempt",
            "version 4: attempts of all hosts",
            "created pm_host",
            "version 5: the leases of hosts",
        ]
    );
    let schema = store.schema().unwrap();
    assert_eq!((schema.version, schema.missing), (Some(5), Vec::new()));
    assert!(store.migrate().unwrap().is_empty());
    store.add(&name("web")).unwrap();
    store.raise(&Rows::All, "x").unwrap();
    assert_eq!(store.poll(9).unwrap().len(), 1);
    let versions = database.column("SELECT version FROM pm_schema ORDER BY version");
    assert_eq!(versions, ["1", "2", "3", "4", "5"]);
}

fn migrating_adds_the_index_that_fits(database: &dyn Database) {
    for (file, host, added) in [
        ("r8.sql", None, &["created an index on STATUS_PROCESS (alarma)"][..]),
        ("r6-host.sql", Some(1), &[]),
        ("r6-host.sql", None, &[]),
        ("readme.sql", None, &["created an index on STATUS_PROCESS (alarma)"][..]),
    ] {
        let database = database.empty();
        database.sql(&fixture(file));
        let mut store = database.store(host);
        store.add(&name("kept")).unwrap();
        store.raise(&Rows::All, "kept").unwrap();
        let done = store.migrate().unwrap();
        let made: Vec<_> = done.iter().filter(|text| text.contains("STATUS_PROCESS")).collect();
        assert_eq!(made, added, "{file} {host:?}");
        assert_eq!(database.column("SELECT notes FROM STATUS_PROCESS"), ["kept"], "{file}");
    }
}

fn two_can_migrate_at_the_same_time(database: &dyn Database) {
    let database = database.empty();
    let stores: Vec<_> = (0..6).map(|_| database.store(None)).collect();
    let done: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            stores.into_iter().map(|mut store| scope.spawn(move || store.migrate().unwrap())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let made = |what: &str| done.iter().filter(|text| *text == what).count();
    assert_eq!(made("created STATUS_PROCESS"), 1, "{done:?}");
    assert_eq!(made("created an index on STATUS_PROCESS (alarma)"), 1, "{done:?}");
    for table in ["pm_group", "pm_dependency", "pm_attempt"] {
        assert_eq!(made(&format!("created {table}")), 1, "{done:?}");
    }
    let schema = database.store(None).schema().unwrap();
    assert_eq!((schema.version, schema.missing), (Some(5), Vec::new()));
}

fn a_newer_version_is_refused(database: &dyn Database) {
    let database = database.empty();
    let mut store = database.store(None);
    store.migrate().unwrap();
    database.sql("INSERT INTO pm_schema (version, what) VALUES (9, 'of tomorrow')");
    let error = store.migrate().unwrap_err();
    assert_eq!(error.trouble, Trouble::Schema);
    let text = error.to_string();
    assert!(
        text.contains("a newer pm has brought them to version 9, this one knows 5; use the newer pm"),
        "{text}"
    );
    assert!(store.poll(9).unwrap().is_empty(), "what was added does not hinder reading");
}

#[test]
fn a_new_file_of_the_embedded_engine_has_the_tables_at_once() {
    let database = Sqlite::new();
    let mut store = database.store(None);
    assert!(store.poll(9).unwrap().is_empty());
    assert_eq!(store.add(&name("web")).unwrap().0, 1);
    let schema = store.schema().unwrap();
    assert_eq!((schema.version, schema.missing), (Some(5), Vec::new()));
    assert_eq!(database.column("PRAGMA journal_mode"), ["wal"]);
}

#[test]
fn a_file_that_is_replaced_is_opened_anew() {
    let (database, other) = (Sqlite::new(), Sqlite::new());
    let mut store = database.store(None);
    store.add(&name("old")).unwrap();
    let mut elsewhere = other.store(None);
    elsewhere.add(&name("new")).unwrap();
    elsewhere.raise(&Rows::All, "x").unwrap();
    drop(elsewhere);
    for companion in ["-wal", "-shm"] {
        let file = format!("{}{companion}", database.path().display());
        let _ = std::fs::remove_file(file);
    }
    std::fs::rename(other.path(), database.path()).unwrap();
    assert_eq!(store.poll(9).unwrap()[0].name.as_str(), "new");
}

#[test]
fn a_file_that_was_there_and_is_gone_is_not_made_anew_until_somebody_asks_for_it() {
    let database = Sqlite::new();
    let mut store = database.store(None);
    store.add(&name("web")).unwrap();
    let mut beside = store.another().unwrap();
    std::fs::remove_file(database.path()).unwrap();
    for _ in 0..2 {
        for store in [&mut store, &mut beside] {
            let error = store.poll(9).unwrap_err();
            assert_eq!(error.trouble, Trouble::Away, "{error}");
            assert!(
                error.to_string().contains("alarms.db: the file is gone, so no alarm can be seen; "),
                "{error}"
            );
        }
        assert!(!database.path().exists());
    }
    assert!(store.migrate().unwrap().contains(&"created STATUS_PROCESS".to_owned()));
    assert!(store.migrate().unwrap().is_empty());
    assert!(store.poll(9).unwrap().is_empty() && beside.poll(9).unwrap().is_empty());
}

#[test]
fn who_only_looks_makes_no_file_and_says_who_does() {
    let database = Sqlite::new();
    let address = |access| {
        let path = database.path().with_file_name("deep").join("alarms.db");
        Address::Sqlite(SqliteAddress { path, access, host_id: None, push: Push::Off })
    };
    for access in [Access::Existing, Access::ReadOnly] {
        let mut store = store::open(address(access), Arc::new(Still::default()));
        for error in [store.poll(9).unwrap_err(), store.list().unwrap_err(), store.schema().unwrap_err()] {
            let text = error.to_string();
            assert!(
                text.ends_with(
                    "there is no such file yet; pm run makes it, or pm db migrate, with its tables"
                ),
                "{text}"
            );
        }
        assert!(!database.path().with_file_name("deep").exists());
    }
    assert!(store::open(address(Access::ReadOnly), Arc::new(Still::default())).migrate().is_err());
    let mut store = store::open(address(Access::Existing), Arc::new(Still::default()));
    assert_eq!(store.add(&name("web")).unwrap().0, 1);
    assert_eq!(store.list().unwrap().len(), 1);
}

#[test]
fn troubles_of_a_file_are_told_apart() {
    let database = Sqlite::new();
    let mut store = database.store(None);
    store.add(&name("web")).unwrap();
    let lock = rusqlite::Connection::open(database.path()).unwrap();
    lock.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = store.raise(&Rows::All, "x").unwrap_err();
    assert_eq!(error.trouble, Trouble::Conflict, "{error}");
    assert!(error.to_string().contains("alarms.db") && error.to_string().contains("lock"), "{error}");
    lock.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.raise(&Rows::All, "x").unwrap(), 1, "it recovers by itself");

    let garbage = Sqlite::new();
    std::fs::write(garbage.path(), "this is not a database, whatever its name says ".repeat(50)).unwrap();
    let error = garbage.store(None).poll(9).unwrap_err();
    assert_eq!(error.trouble, Trouble::Other, "{error}");
    assert!(error.to_string().contains("restore the file from a backup"), "{error}");

    let directory = Sqlite::new();
    std::fs::create_dir(directory.path()).unwrap();
    let error = directory.store(None).poll(9).unwrap_err();
    assert_eq!(error.trouble, Trouble::Away, "{error}");
}

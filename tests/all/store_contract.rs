//! The contract of the alarm store, the same tests on every engine: what is read, what a clearing does, what the
//! operator's commands and the versions of the tables do.
//!
//! SQLite always runs; MariaDB and PostgreSQL need their servers (`pm_tests::components`).

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also outside the function with the attribute"
)]

mod attempts;
mod engines;
mod faults;
mod leases;
mod postgres;
mod reach;
mod relations;
mod tables;

use engines::{Database, Engine, fixture, name};
use pm_host::policy::model::{Alarm, Clear, RowId};
use pm_host::policy::time::Wall;
use pm_host::ports::{AlarmStore, Cleared, Rows};

/// Runs each test on each engine.
macro_rules! on_each_engine {
    ($($test:ident)*) => {
        mod on_sqlite {
            $(#[test] fn $test() { super::$test(&crate::store_contract::engines::Sqlite::new()); })*
        }
        mod on_postgresql {
            $(#[test] fn $test() {
                if let Some(database) = crate::store_contract::engines::PostgreSql::new() {
                    super::$test(&database);
                }
            })*
        }
        mod behind_several_addresses {
            $(#[test] fn $test() {
                if let Some(database) = crate::store_contract::engines::Twofold::new() {
                    super::$test(&database);
                }
            })*
        }
        mod on_mariadb {
            $(#[test] fn $test() {
                if let Some(database) = crate::store_contract::engines::MariaDb::new() {
                    super::$test(&database);
                }
            })*
        }
    };
}
use on_each_engine;

on_each_engine! {
    only_alarma_one_is_an_alarm
    acknowledged_rows_are_returned_as_such
    only_rows_with_a_process_are_seen
    a_host_sees_only_its_rows
    duplicate_empty_and_null_values_are_read_as_they_are
    a_poll_is_limited_and_ordered
    clearing_appends_the_note_and_tells_what_happened
    clearing_without_a_restart_leaves_the_note
    clearing_is_safe_to_repeat
    an_alarm_that_was_raised_anew_stays
    a_difference_only_in_case_or_blanks_is_a_difference
    notes_never_exceed_their_column
    hostile_names_are_data
    raising_and_resetting_touch_only_their_rows
    added_processes_get_the_next_number_once
    other_hosts_rows_are_never_touched
    many_rows_are_cleared_together_and_each_tells_its_own
}

/// Rows of `STATUS_PROCESS` and `PROCESE`: id, name, alarma, sound, notes in SQL.
fn row(database: &dyn Database, id: i64, name: &str, alarma: i64, sound: i64, notes: &str) {
    database.sql(&format!(
        "INSERT INTO STATUS_PROCESS (process_id, alarma, sound, notes) VALUES ({id}, {alarma}, {sound}, {notes})"
    ));
    database.bind(&format!("INSERT INTO PROCESE (process_id, process_name) VALUES ({id}, ?)"), name);
}

fn ids(alarms: &[Alarm]) -> Vec<i64> {
    alarms.iter().map(|alarm| alarm.row.0).collect()
}

fn status(database: &dyn Database, id: i64) -> (String, String) {
    let get = |column| {
        database.column(&format!("SELECT {column} FROM STATUS_PROCESS WHERE process_id = {id}")).remove(0)
    };
    (get("alarma"), get("notes"))
}

/// A clearing after a restart at 2026-01-01 00:00:00 UTC.
fn restarted(row: i64, notes: Option<&str>) -> Clear {
    Clear { row: RowId(row), notes: notes.map(str::to_owned), restarted_at: Some(Wall(1_767_225_600_000)) }
}

fn r8(database: &dyn Database) -> Box<dyn AlarmStore> {
    database.sql(&fixture("r8.sql"));
    database.store(None)
}

fn only_alarma_one_is_an_alarm(database: &dyn Database) {
    let mut store = r8(database);
    for (id, alarma) in [(1, 0), (2, 1), (3, 2), (4, -1), (5, 11), (6, 1)] {
        row(database, id, "p", alarma, 0, "'n'");
    }
    assert_eq!(ids(&store.poll(100).unwrap()), [2, 6]);
    assert_eq!(ids(&store.poll(100).unwrap()), [2, 6], "reading changes nothing");
    assert_eq!(store.list().unwrap().len(), 6);
}

fn acknowledged_rows_are_returned_as_such(database: &dyn Database) {
    let mut store = r8(database);
    for (id, sound) in [(1, 0), (2, 1), (3, 2), (4, -1)] {
        row(database, id, "p", 1, sound, "'n'");
    }
    let acknowledged: Vec<_> = store.poll(9).unwrap().iter().map(|alarm| alarm.acknowledged).collect();
    assert_eq!(acknowledged, [false, true, false, false]);
}

fn only_rows_with_a_process_are_seen(database: &dyn Database) {
    let mut store = r8(database);
    row(database, 1, "p", 1, 0, "'n'");
    database.sql("INSERT INTO STATUS_PROCESS (process_id, alarma) VALUES (2, 1)");
    assert_eq!(ids(&store.poll(9).unwrap()), [1]);
    assert_eq!(store.list().unwrap().len(), 1);
    assert_eq!(store.raise(&Rows::All, "x").unwrap(), 1);
}

fn a_host_sees_only_its_rows(database: &dyn Database) {
    database.sql(&fixture("r6-host.sql"));
    row(database, 1, "a", 1, 0, "'n'");
    row(database, 2, "b", 1, 0, "'n'");
    database.sql("UPDATE STATUS_PROCESS SET host_id = 7 WHERE process_id = 2");
    assert_eq!(ids(&database.store(Some(7)).poll(9).unwrap()), [2]);
    assert_eq!(ids(&database.store(Some(1)).poll(9).unwrap()), [1]);
    assert_eq!(ids(&database.store(Some(3)).poll(9).unwrap()), [0; 0]);
    assert_eq!(ids(&database.store(None).poll(9).unwrap()), [1, 2], "without host_id all rows count");
    assert_eq!(database.store(Some(7)).list().unwrap().len(), 1);
}

fn duplicate_empty_and_null_values_are_read_as_they_are(database: &dyn Database) {
    let mut store = r8(database);
    let long = "ș".repeat(100);
    row(database, 1, "same", 1, 0, "NULL");
    row(database, 2, "same", 1, 0, &format!("'{long}'"));
    row(database, 3, "", 1, 0, "''");
    row(database, 4, " a|b ", 1, 0, "'tab\tline\nend'");
    let alarms = store.poll(9).unwrap();
    let seen: Vec<_> = alarms.iter().map(|alarm| (alarm.name.as_str(), alarm.notes.as_deref())).collect();
    let expected =
        [("same", None), ("same", Some(&*long)), ("", Some("")), (" a|b ", Some("tab\tline\nend"))];
    assert_eq!(seen, expected);
    assert!(alarms[2].name.is_blank());
}

fn a_poll_is_limited_and_ordered(database: &dyn Database) {
    let mut store = r8(database);
    for id in [9, 3, 7, 1, 5] {
        row(database, id, "p", 1, 0, "NULL");
    }
    assert_eq!(ids(&store.poll(3).unwrap()), [1, 3, 5]);
    assert_eq!(ids(&store.poll(0).unwrap()), [0; 0]);
    assert_eq!(store.poll(usize::MAX).unwrap().len(), 5);
}

fn clearing_appends_the_note_and_tells_what_happened(database: &dyn Database) {
    let mut store = r8(database);
    row(database, 1, "a", 1, 0, "'disk \"full\" ''x'' \\\\ %s'");
    row(database, 2, "b", 1, 1, "NULL");
    for alarm in store.poll(9).unwrap() {
        let clear = restarted(alarm.row.0, alarm.notes.as_deref());
        assert_eq!(store.clear(&clear).unwrap(), Cleared::Done);
        let (alarma, notes) = status(database, alarm.row.0);
        let (before, stamp) = notes.split_once(" - Restarted at ").unwrap();
        assert_eq!((alarma.as_str(), before), ("0", alarm.notes.as_deref().unwrap_or_default()));
        assert_eq!(stamp.len(), "2026-01-01 00:00:00".len(), "{stamp}");
    }
    assert_eq!(database.column("SELECT sound FROM STATUS_PROCESS ORDER BY process_id"), ["0", "1"]);
    assert!(store.poll(9).unwrap().is_empty());
    assert_eq!(store.clear(&restarted(3, None)).unwrap(), Cleared::Gone);
}

fn clearing_without_a_restart_leaves_the_note(database: &dyn Database) {
    let mut store = r8(database);
    for (id, notes, read) in [(1, "'n'", Some("n")), (2, "NULL", None)] {
        row(database, id, "a", 1, 0, notes);
        let clear = Clear { restarted_at: None, ..restarted(id, read) };
        assert_eq!(store.clear(&clear).unwrap(), Cleared::Done);
        assert_eq!(status(database, id), ("0".to_owned(), read.unwrap_or("NULL").to_owned()));
        assert_eq!(store.clear(&clear).unwrap(), Cleared::Already);
    }
}

fn clearing_is_safe_to_repeat(database: &dyn Database) {
    let mut store = r8(database);
    row(database, 1, "a", 1, 0, "'n'");
    let clear = restarted(1, Some("n"));
    assert_eq!(store.clear(&clear).unwrap(), Cleared::Done);
    let once = status(database, 1);
    assert_eq!(store.clear(&clear).unwrap(), Cleared::Already);
    assert_eq!(status(database, 1), once, "one stamp");
    database.sql("UPDATE STATUS_PROCESS SET alarma = 2 WHERE process_id = 1");
    assert_eq!(store.clear(&clear).unwrap(), Cleared::Already, "2 is no alarm either");
    database.sql("DELETE FROM PROCESE;\nDELETE FROM STATUS_PROCESS;\n");
    assert_eq!(store.clear(&clear).unwrap(), Cleared::Gone);
}

fn an_alarm_that_was_raised_anew_stays(database: &dyn Database) {
    let mut store = r8(database);
    for (id, notes, read) in
        [(1, "'second'", Some("first")), (2, "NULL", Some("first")), (3, "'second'", None), (4, "''", None)]
    {
        row(database, id, "a", 1, 0, notes);
        let before = status(database, id);
        assert_eq!(store.clear(&restarted(id, read)).unwrap(), Cleared::Changed);
        assert_eq!(status(database, id), before);
    }
    assert_eq!(store.poll(9).unwrap().len(), 4);
}

fn a_difference_only_in_case_or_blanks_is_a_difference(database: &dyn Database) {
    let mut store = r8(database);
    row(database, 1, "Web", 1, 0, "'Disk full ă '");
    for read in ["disk full ă ", "Disk full ă", "Disk full a ", "Disk full ă  "] {
        assert_eq!(store.clear(&restarted(1, Some(read))).unwrap(), Cleared::Changed, "{read:?}");
    }
    for other in ["web", "Web ", "Wéb"] {
        assert_eq!(store.raise(&Rows::Named(vec![name(other)]), "x").unwrap(), 0, "{other:?}");
    }
    assert_eq!(store.clear(&restarted(1, Some("Disk full ă "))).unwrap(), Cleared::Done);
}

fn notes_never_exceed_their_column(database: &dyn Database) {
    let mut store = r8(database);
    let old = " - Restarted at 2025-01-01 01:01:01";
    let long = "ț".repeat(100);
    let stamped = format!("disk{old}{old}");
    for (id, notes, kept) in [(1, &long, "ț".repeat(65)), (2, &stamped, format!("disk{old}"))] {
        row(database, id, "a", 1, 0, &format!("'{notes}'"));
        assert_eq!(store.clear(&restarted(id, Some(notes))).unwrap(), Cleared::Done);
        let (alarma, after) = status(database, id);
        assert_eq!(alarma, "0");
        assert!(after.chars().count() <= 100, "{after}");
        assert!(after.starts_with(&kept) && after[kept.len()..].starts_with(" - Restarted at 20"), "{after}");
    }
    assert_eq!(store.raise(&Rows::All, &"ă".repeat(300)).unwrap(), 2);
    assert_eq!(status(database, 1).1, "ă".repeat(100));
}

fn hostile_names_are_data(database: &dyn Database) {
    let mut store = r8(database);
    let names = [
        "'; DROP TABLE STATUS_PROCESS; -- ",
        "\" OR \"\"=\"",
        "a\\' OR 1=1 #",
        "$(reboot)",
        "`id`",
        "a;b&&c||d",
        "line\nbreak\r\n",
        "nul\0inside",
        "--now",
        "-H host",
        "*",
        "[a-z]*",
        "../../etc/passwd",
        "poweroff.target",
        "x@$(id)",
        "\u{202e}txt.exe",
        "\u{1b}[2J\u{7}",
        "e\u{301}\u{200d}\u{feff}",
        "%s%n%d",
        "?1 :name @var",
        "🦀🦀",
    ];
    let full = "ș".repeat(100);
    // PostgreSQL has no text with NUL in it.
    let possible = |name: &&str| database.engine() != Engine::PostgreSql || !name.contains('\0');
    let names: Vec<&str> = names.into_iter().filter(possible).chain([full.as_str()]).collect();
    for (id, text) in (1..).zip(&names) {
        row(database, id, text, 1, 0, "NULL");
    }
    let alarms = store.poll(100).unwrap();
    assert_eq!(alarms.iter().map(|alarm| alarm.name.as_str()).collect::<Vec<_>>(), names);
    for (alarm, text) in alarms.iter().zip(&names) {
        assert_eq!(store.reset(&Rows::Named(vec![alarm.name.clone()]), text).unwrap(), 1, "{text:?}");
        assert_eq!(store.raise(&Rows::Named(vec![alarm.name.clone()]), text).unwrap(), 1, "{text:?}");
        let seen = store.poll(100).unwrap().iter().find(|seen| seen.row == alarm.row).unwrap().notes.clone();
        assert_eq!(seen.as_deref(), Some(*text));
        assert_eq!(
            store.clear(&Clear { restarted_at: None, ..restarted(alarm.row.0, Some(text)) }).unwrap(),
            Cleared::Done
        );
    }
    assert_eq!(store.list().unwrap().len(), names.len());
}

fn raising_and_resetting_touch_only_their_rows(database: &dyn Database) {
    let mut store = r8(database);
    for (id, text, sound) in [(1, "a", 1), (2, "a", 0), (3, "b", 1)] {
        row(database, id, text, 0, sound, "NULL");
    }
    assert_eq!(store.raise(&Rows::Named(vec![name("a"), name("a"), name("nobody")]), "test").unwrap(), 2);
    assert_eq!(ids(&store.poll(9).unwrap()), [1, 2]);
    let sounds = "SELECT sound FROM STATUS_PROCESS ORDER BY process_id";
    assert_eq!(database.column(sounds), ["0", "0", "1"]);
    assert_eq!(store.raise(&Rows::Named(vec![name("a")]), "test").unwrap(), 2, "rows, not changes");
    assert_eq!(status(database, 2), ("1".to_owned(), "test".to_owned()));
    assert_eq!(store.raise(&Rows::All, "all").unwrap(), 3);
    assert_eq!(store.reset(&Rows::Named(vec![name("b")]), "off").unwrap(), 1);
    assert_eq!(ids(&store.poll(9).unwrap()), [1, 2]);
    assert_eq!(store.reset(&Rows::All, "off").unwrap(), 3);
    assert_eq!(status(database, 1), ("0".to_owned(), "off".to_owned()));
    assert_eq!(store.raise(&Rows::Named(Vec::new()), "x").unwrap(), 0);
}

fn added_processes_get_the_next_number_once(database: &dyn Database) {
    for (file, host) in [("r8.sql", None), ("r6-host.sql", Some(7)), ("readme.sql", None)] {
        let database = database.empty();
        database.sql(&fixture(file));
        let mut store = database.store(host);
        let first = store.add(&name("web")).unwrap();
        let second = store.add(&name("we'b")).unwrap();
        assert_eq!((first, second), (RowId(1), RowId(2)), "{file}");
        assert_eq!(store.add(&name("web")).unwrap(), first, "{file}: no second one");
        let rows = store.list().unwrap();
        assert_eq!(
            rows.iter().map(|row| (row.name.as_str(), row.alarm, row.sound)).collect::<Vec<_>>(),
            [("web", 0, 0), ("we'b", 0, 0)]
        );
        assert_eq!(store.raise(&Rows::All, "x").unwrap(), 2, "{file}");
        assert_eq!(store.poll(9).unwrap().len(), 2, "{file}: rows of this host");
    }
}

fn other_hosts_rows_are_never_touched(database: &dyn Database) {
    database.sql(&fixture("r6-host.sql"));
    for id in [1, 2] {
        row(database, id, "same", 1, 0, "'n'");
    }
    database.sql("UPDATE STATUS_PROCESS SET host_id = 7 WHERE process_id = 2");
    let mut store = database.store(Some(1));
    assert_eq!(store.clear(&restarted(2, Some("n"))).unwrap(), Cleared::Gone);
    assert_eq!(store.reset(&Rows::All, "x").unwrap(), 1);
    assert_eq!(store.reset(&Rows::Named(vec![name("same")]), "x").unwrap(), 1);
    assert_eq!(status(database, 2), ("1".to_owned(), "n".to_owned()));
    assert_eq!(store.raise(&Rows::All, "y").unwrap(), 1);
    assert_eq!(status(database, 2).1, "n");
}

fn many_rows_are_cleared_together_and_each_tells_its_own(database: &dyn Database) {
    database.sql(&fixture("r8.sql"));
    for id in 1..=100 {
        row(
            database,
            id,
            &format!("p{id}"),
            i64::from(id % 10 != 0),
            0,
            if id % 7 == 0 { "'new'" } else { "NULL" },
        );
    }
    let mut store = database.store(None);
    let clears: Vec<_> = (1..=101).map(|id| restarted(id, None)).collect();
    let results = store.clear_all(&clears);
    assert_eq!(results.iter().map(|(index, _)| *index).collect::<Vec<_>>(), (0..101).collect::<Vec<_>>());
    for (index, result) in results {
        let expected = match index + 1 {
            101 => Cleared::Gone,
            id if id % 10 == 0 => Cleared::Already,
            id if id % 7 == 0 => Cleared::Changed,
            _ => Cleared::Done,
        };
        assert_eq!(result.unwrap(), expected, "row {}", index + 1);
    }
    let left = database.column("SELECT COUNT(*) FROM STATUS_PROCESS WHERE alarma = 1").remove(0);
    assert_eq!(left, "13", "exactly those with other notes stay in alarm");
}

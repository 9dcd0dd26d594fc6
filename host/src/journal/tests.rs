//! The journal across deaths of its owner, reboots, damage, full disks and readers. Times are given, files are real.

mod audit;
mod history;
mod memory;
mod overrides;

use super::*;
use crate::policy::breaker::{Breaker, Probe, State};
use crate::policy::model::{Alarm, Cause, End, Handled, OnTrial, RowId};
use crate::policy::time::{Now, Ticks, Wall};
use crate::ports::{Answer, Boot};
use rusqlite::OpenFlags;
use std::os::unix::fs::PermissionsExt;
use tempfile::TempDir;

const BOOT: &str = "boot-one";

fn at(second: u64) -> Now {
    Now { boot: Ticks(second * 1000), wall: Wall(1_767_225_600_000 + i64::try_from(second * 1000).unwrap()) }
}

fn name(text: &str) -> Name {
    Name::new(text)
}

fn intent(of: &str, second: u64) -> Intent {
    let alarm = |row, notes: Option<&str>| Alarm {
        row: RowId(row),
        name: name(of),
        notes: notes.map(str::to_owned),
        acknowledged: false,
    };
    let alarms = vec![alarm(1, Some("no answer \"'; --\n")), alarm(2, None)];
    Intent {
        name: name(of),
        alarms,
        seen: Some(Wall(i64::try_from(second).unwrap() * 1000 - 3_000)),
        group: None,
        strategy: "auto".to_owned(),
        cause: Cause::Alarm,
        chain: vec![Asked { check: "breaker".to_owned(), answer: Answer::Passed, saw: "closed".to_owned() }],
        at: at(second),
    }
}

fn record(end: End, second: u64) -> Record {
    Record { end, attempts: 2, by: Some("service".to_owned()), detail: "seen".to_owned(), at: at(second) }
}

fn clear(row: i64, notes: Option<&str>) -> Clear {
    Clear { row: RowId(row), notes: notes.map(str::to_owned), restarted_at: Some(Wall(5)) }
}

fn open_until(until: Ticks) -> Breaker {
    Breaker {
        state: State::Open { until },
        level: 2,
        failures: 3,
        useless: vec![Ticks(1), Ticks(2)],
        quiet_from: Some(Ticks(5)),
    }
}

fn opened(directory: &TempDir) -> FileJournal {
    let opened = open(directory.path(), BOOT).unwrap();
    assert_eq!(opened.warning, None);
    opened.journal
}

/// A journal of a process that is not there: what `kill -9` leaves behind.
fn of_a_dead_pm(directory: &TempDir) -> FileJournal {
    let mut journal = opened(directory);
    journal.owner.start -= 1;
    journal
}

fn busy(result: Result<AttemptId, JournalError>) -> i64 {
    match result {
        Err(JournalError::Busy { attempt, .. }) => attempt,
        other => panic!("expected busy, got {other:?}"),
    }
}

#[test]
fn file_and_directory_are_for_pm_alone() {
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("a/b");
    let journal = open(&state, BOOT).unwrap().journal;
    journal.begin(&intent("web", 1)).unwrap();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(state.clone()), 0o700);
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        assert_eq!(mode(state.join(file)), 0o600, "{file}");
    }
}

#[test]
fn one_attempt_per_name_while_its_owner_lives() {
    let directory = TempDir::new().unwrap();
    let (journal, another) = (opened(&directory), opened(&directory));
    let id = journal.begin(&intent("web", 1)).unwrap();
    assert_eq!(busy(journal.begin(&intent("web", 2))), id.0);
    assert_eq!(busy(another.begin(&intent("web", 2))), id.0, "also from elsewhere");
    another.begin(&intent("db", 2)).unwrap();
    journal.end(id, &name("web"), &record(End::Restarted, 3), None).unwrap();
    assert!(another.begin(&intent("web", 4)).unwrap().0 > id.0);
}

#[test]
fn a_dead_owner_does_not_block_its_name() {
    let directory = TempDir::new().unwrap();
    let id = of_a_dead_pm(&directory).begin(&intent("web", 1)).unwrap();
    let journal = opened(&directory);
    let next = journal.begin(&intent("web", 2)).unwrap();
    let history = journal.attempts(Some(&name("web")), 9).unwrap();
    let ids: Vec<_> = history.iter().map(|attempt| attempt.id).collect();
    assert_eq!(ids, [next, id], "newest first");
    assert!(history[0].ended.is_none());
    let (when, end, tries, detail) = history[1].ended.clone().unwrap();
    assert_eq!((when, end, tries), (at(2).wall, End::Cancelled, 0));
    assert_eq!(detail, "its pm died; another attempt took its place");
}

#[test]
fn what_a_killed_pm_had_begun_is_taken_over_once_at_every_stage() {
    for (stage, identity) in [
        (Stage::Intent, None),
        (Stage::Prepared, None),
        (Stage::Acting, Some("service:abc")),
        (Stage::Verifying, Some("service:abc")),
    ] {
        let directory = TempDir::new().unwrap();
        let killed = of_a_dead_pm(&directory);
        let id = killed.begin(&intent("web", 1)).unwrap();
        if stage > Stage::Prepared {
            killed.stage(id, Stage::Acting, identity).unwrap();
        }
        if stage > Stage::Intent {
            killed.stage(id, stage, None).unwrap();
        }
        // Not closed: the process was killed.
        std::mem::forget(killed);

        let journal = opened(&directory);
        let [entry] = &journal.unfinished().unwrap()[..] else { panic!("one entry at {stage:?}") };
        assert_eq!((entry.id, entry.name.as_str(), entry.stage, entry.boot), (id, "web", stage, Boot::Same));
        assert_eq!(entry.identity.as_deref(), identity, "{stage:?}");
        assert_eq!(entry.alarms, intent("web", 1).alarms);
        assert!(journal.unfinished().unwrap().is_empty(), "it has a living owner now");
        assert_eq!(busy(journal.begin(&intent("web", 2))), id.0);
        journal.end(id, &name("web"), &record(End::Restarted, 3), None).unwrap();
        journal.begin(&intent("web", 4)).unwrap();
    }
}

#[test]
fn attempts_of_an_earlier_boot_are_marked_so() {
    let directory = TempDir::new().unwrap();
    let id = opened(&directory).begin(&intent("web", 1)).unwrap();
    let journal = open(directory.path(), "boot-two").unwrap().journal;
    let [entry] = &journal.unfinished().unwrap()[..] else { panic!("one entry") };
    assert_eq!((entry.id, entry.boot), (id, Boot::Earlier), "although a process has the same pid and start");
}

#[test]
fn the_end_brings_standing_and_clearings_all_or_nothing() {
    let directory = TempDir::new().unwrap();
    let standing = Standing {
        breaker: open_until(Ticks(9_000)),
        handled: vec![Handled { row: RowId(1), notes: Some("x".to_owned()), recheck: Ticks(4_000) }],
        pause: Some(Ticks(5_000)),
        last_good: Some(Ticks(2_000)),
        last_end: Some(Ticks(2_500)),
        rung: 2,
        trial: Some(OnTrial { rung: 1, since: Ticks(2_400) }),
        after_window: true,
        ..Standing::default()
    };
    let clears = [clear(1, Some("a")), clear(2, None)];
    {
        let journal = of_a_dead_pm(&directory);
        let id = journal.begin(&intent("web", 1)).unwrap();
        journal.end(id, &name("web"), &record(End::Restarted, 3), Some((&standing, &clears))).unwrap();
    }
    let journal = opened(&directory);
    assert!(journal.unfinished().unwrap().is_empty());
    assert_eq!(journal.standings().unwrap(), BTreeMap::from([(name("web"), standing)]));
    let waiting: Vec<_> = journal.outbox().unwrap().into_iter().map(|pending| pending.clear).collect();
    assert_eq!(waiting, clears);
    let latest = journal.attempts(None, 1).unwrap();
    assert_eq!(latest[0].ended, Some((at(3).wall, End::Restarted, 2, "seen".to_owned())));
}

#[test]
fn the_outbox_keeps_its_order_and_never_uses_a_number_twice() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let post = |row| {
        let id = journal.begin(&intent("web", 1)).unwrap();
        let standing = Standing::default();
        journal
            .end(id, &name("web"), &record(End::Restarted, 2), Some((&standing, &[clear(row, None)])))
            .unwrap();
    };
    (1..=3).for_each(post);
    let ids: Vec<_> = journal.outbox().unwrap().iter().map(|pending| pending.id).collect();
    journal.delivered(&[ids[0], ids[2]]).unwrap();
    post(4);
    let left = journal.outbox().unwrap();
    assert_eq!(left.iter().map(|pending| pending.clear.row.0).collect::<Vec<_>>(), [2, 4]);
    assert!(left[1].id > ids[2]);
    journal.delivered(&[]).unwrap();
    journal.delivered(&[left[0].id, left[1].id, 999]).unwrap();
    assert!(journal.outbox().unwrap().is_empty());
}

#[test]
fn numbers_of_attempts_are_never_used_twice() {
    let directory = TempDir::new().unwrap();
    let first = opened(&directory).begin(&intent("web", 1)).unwrap();
    let journal = opened(&directory);
    journal.inner().conn.execute_batch("DELETE FROM attempts").unwrap();
    assert!(journal.begin(&intent("web", 2)).unwrap().0 > first.0);
}

#[test]
fn after_a_reboot_only_what_still_means_something_is_kept() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let mark = Handled { row: RowId(1), notes: None, recheck: Ticks(7_000) };
    for (who, standing) in [
        ("open", Standing { breaker: open_until(Ticks(9_000)), ..Standing::default() }),
        (
            "counting",
            Standing { breaker: Breaker { failures: 2, ..Breaker::default() }, ..Standing::default() },
        ),
        ("good", Standing { last_good: Some(Ticks(1)), pause: Some(Ticks(2)), ..Standing::default() }),
        ("handled", Standing { handled: vec![mark.clone()], ..Standing::default() }),
    ] {
        journal.keep(&[(name(who), standing.clone())], None).unwrap();
    }
    assert_eq!(journal.standings().unwrap().len(), 4);
    let after = open(directory.path(), "boot-two").unwrap().journal.standings().unwrap();
    let due = Standing {
        breaker: Breaker { state: State::HalfOpen(Probe::Due), level: 2, ..Breaker::default() },
        ..Standing::default()
    };
    let handled = Standing { handled: vec![Handled { recheck: Ticks(0), ..mark }], ..Standing::default() };
    assert_eq!(after, BTreeMap::from([(name("open"), due), (name("handled"), handled)]));
}

#[test]
fn a_clean_slate_is_not_stored() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let paused = Standing { pause: Some(Ticks(u64::MAX)), ..Standing::default() };
    journal.keep(&[(name("web"), paused.clone())], None).unwrap();
    assert!(
        journal.standings().unwrap()[&name("web")].pause > Some(Ticks(1 << 60)),
        "the end of time stays far"
    );
    journal.keep(&[(name("web"), Standing::default())], None).unwrap();
    assert!(journal.standings().unwrap().is_empty());
}

#[test]
fn the_history_shows_the_last_of_each_or_the_last_of_one() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    for second in 0..5 {
        for who in ["web", "db"] {
            let id = journal.begin(&intent(who, second)).unwrap();
            journal.end(id, &name(who), &record(End::Failed, second), None).unwrap();
        }
    }
    let each: Vec<_> = journal.attempts(None, 1).unwrap().iter().map(|attempt| attempt.id.0).collect();
    assert_eq!(each, [10, 9]);
    let web: Vec<_> =
        journal.attempts(Some(&name("web")), 2).unwrap().iter().map(|attempt| attempt.began).collect();
    assert_eq!(web, [at(4).wall, at(3).wall]);
    assert!(journal.attempts(Some(&name("nobody")), 2).unwrap().is_empty());
}

#[test]
fn a_damaged_file_is_set_aside_with_a_warning() {
    for damage in ["not a database at all, but long enough to be taken for one".repeat(40), "\0".repeat(8192)]
    {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("journal.db");
        std::fs::write(&path, &damage).unwrap();
        let Opened { journal, warning } = open(directory.path(), BOOT).unwrap();
        let warning = warning.unwrap();
        assert!(warning.contains("was damaged") && warning.contains("journal.db.corrupt-2"), "{warning}");
        journal.begin(&intent("web", 1)).unwrap();
        let aside: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.to_string_lossy().contains("corrupt"))
            .collect();
        assert!(aside.iter().any(|path| std::fs::read(path).unwrap() == damage.as_bytes()), "{aside:?}");
        drop(journal);
        assert_eq!(open(directory.path(), BOOT).unwrap().warning, None);
    }
}

#[test]
fn damage_inside_the_file_is_found_when_it_is_opened() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("journal.db");
    {
        let journal = opened(&directory);
        let id = journal.begin(&intent("web", 1)).unwrap();
        journal
            .end(id, &name("web"), &record(End::Failed, 1), Some((&Standing::default(), &[clear(1, None)])))
            .unwrap();
    }
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    std::fs::write(&path, bytes).unwrap();
    let first = open(directory.path(), BOOT).unwrap();
    assert!(first.warning.unwrap().contains("set aside"));
    assert!(first.journal.outbox().unwrap().is_empty());
}

#[test]
fn a_newer_journal_is_refused_and_left_alone() {
    let directory = TempDir::new().unwrap();
    opened(&directory).inner().conn.pragma_update(None, "user_version", 99).unwrap();
    for refused in [
        open(directory.path(), BOOT).map(drop).unwrap_err(),
        open_read_only(directory.path(), BOOT).map(drop).unwrap_err(),
    ] {
        let text = refused.to_string();
        let known = open::VERSIONS.len();
        let expected = format!("a newer pm has brought it to version 99, this one knows {known}");
        assert!(text.contains(&expected), "{text}");
    }
    let aside =
        |file: std::io::Result<std::fs::DirEntry>| file.unwrap().path().to_string_lossy().contains("corrupt");
    assert!(!std::fs::read_dir(directory.path()).unwrap().any(aside), "nothing was set aside");
}

#[test]
fn two_can_create_the_journal_at_the_same_time() {
    let directory = TempDir::new().unwrap();
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| open(directory.path(), BOOT).map(|o| o.warning))).collect();
        for thread in threads {
            assert_eq!(thread.join().unwrap().unwrap(), None);
        }
    });
}

#[test]
fn readers_work_before_there_is_a_journal_and_while_it_is_written() {
    let directory = TempDir::new().unwrap();
    let none = open_read_only(directory.path(), BOOT).unwrap();
    assert!(none.attempts(None, 9).unwrap().is_empty() && none.standings().unwrap().is_empty());
    assert!(!directory.path().join("journal.db").exists(), "reading creates nothing");
    let journal = opened(&directory);
    let reader = open_read_only(directory.path(), BOOT).unwrap();
    let id = journal.begin(&intent("web", 1)).unwrap();
    assert_eq!(reader.attempts(None, 9).unwrap()[0].id, id);
    {
        let mut writing = journal.inner();
        let tx = writing.conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
        attempts::end(&tx, id, &record(End::Failed, 2)).unwrap();
        assert!(reader.attempts(None, 9).unwrap()[0].ended.is_none(), "not before it is committed");
        tx.commit().unwrap();
    }
    assert!(reader.attempts(None, 9).unwrap()[0].ended.is_some());
    let refused = reader.begin(&intent("db", 3)).unwrap_err().to_string();
    assert!(refused.contains("readonly"), "{refused}");
}

#[test]
fn an_end_that_could_not_be_written_does_not_keep_its_name_busy() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let (web, db) = (journal.begin(&intent("web", 1)).unwrap(), journal.begin(&intent("db", 1)).unwrap());
    let pages: i64 = journal.inner().conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let allow = |most: i64| journal.inner().conn.pragma_update(None, "max_page_count", most).unwrap();
    allow(pages);
    let long = Record { detail: "x".repeat(100_000), ..record(End::Failed, 2) };
    let open = Standing { breaker: open_until(Ticks(9)), ..Standing::default() };
    let full = journal.end(web, &name("web"), &long, Some((&open, &[]))).unwrap_err().to_string();
    assert!(full.contains("full") && full.contains("free some space"), "{full}");
    assert_eq!(journal.attempts(Some(&name("web")), 1).unwrap()[0].ended, None, "all or nothing");
    assert!(journal.end(db, &name("db"), &record(End::Restarted, 2), None).is_err(), "owed ends go first");

    allow(pages + 1000);
    journal.begin(&intent("web", 3)).unwrap();
    assert_eq!(journal.standings().unwrap()[&name("web")], open);
    let ended = journal.attempts(Some(&name("db")), 1).unwrap()[0].ended.clone().unwrap();
    assert_eq!(ended.1, End::Restarted);
    assert!(journal.inner().owed.is_empty());
}

#[test]
fn evidence_is_kept_with_its_attempt() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let (web, db) = (journal.begin(&intent("web", 1)).unwrap(), journal.begin(&intent("db", 1)).unwrap());
    journal.evidence(web, "first\n").unwrap();
    journal.evidence(web, "seen \u{1b} '; --\n").unwrap();
    journal.end(web, &name("web"), &record(End::Failed, 2), None).unwrap();
    assert_eq!(
        journal.evidence_of(web).unwrap().as_deref(),
        Some("seen \u{1b} '; --\n"),
        "the last one counts"
    );
    assert_eq!(journal.evidence_of(db).unwrap(), None);
    let reader = open_read_only(directory.path(), BOOT).unwrap();
    assert!(reader.evidence_of(web).unwrap().is_some());
    assert!(reader.evidence(web, "x").is_err());
    assert_eq!(open_read_only(&directory.path().join("none"), BOOT).unwrap().evidence_of(web).unwrap(), None);
}

#[test]
fn the_latest_thousand_capsules_are_kept_and_a_hundred_of_one_name() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let attempt = |who: &str, second| {
        let id = journal.begin(&intent(who, second)).unwrap();
        journal.evidence(id, "seen").unwrap();
        journal.end(id, &name(who), &record(End::Failed, second), None).unwrap();
        id
    };
    let kept = |id: &AttemptId| journal.evidence_of(*id).unwrap().is_some();
    let quiet = attempt("quiet", 1);
    let busy: Vec<_> = (0..300).map(|_| attempt("busy", 1)).collect();
    assert!(
        kept(&quiet) && !kept(&busy[199]) && kept(&busy[200]),
        "the busy one costs the quiet one nothing"
    );
    assert_eq!(
        journal.attempts(Some(&name("busy")), 2000).unwrap().len(),
        300,
        "the history goes further back"
    );

    let others: Vec<_> = (0..899).map(|number| attempt(&format!("other{}", number % 10), 1)).collect();
    assert!(kept(&quiet) && kept(&busy[200]) && kept(&others[0]));
    attempt("last", 1);
    assert!(!kept(&quiet) && kept(&busy[200]), "the oldest of a thousand and one");
}

#[test]
fn evidence_that_does_not_fit_on_the_disk_stops_nothing() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let web = journal.begin(&intent("web", 1)).unwrap();
    let pages: i64 = journal.inner().conn.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    journal.inner().conn.pragma_update(None, "max_page_count", pages).unwrap();
    assert!(journal.evidence(web, &"x".repeat(65_536)).is_err());
    journal.stage(web, Stage::Acting, None).unwrap();
    journal.end(web, &name("web"), &record(End::Restarted, 2), None).unwrap();
    assert_eq!(journal.evidence_of(web).unwrap(), None);
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("a file");
    std::fs::write(&file, "").unwrap();
    let text = open(&file.join("state"), BOOT).map(drop).unwrap_err().to_string();
    assert!(text.starts_with("creating the state directory") && text.contains("a file/state"), "{text}");
}

#[test]
fn the_tables_are_strict_about_types() {
    let directory = TempDir::new().unwrap();
    drop(opened(&directory));
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let conn = Connection::open_with_flags(directory.path().join("journal.db"), flags).unwrap();
    assert!(conn.execute("INSERT INTO outbox (process_id) VALUES ('seven')", []).is_err());
}

//! What is kept of the history and for how long: steps, age, size, and the space that is given back.

use super::*;
use crate::ports::{Retention, Step, StepKind, Tidied};
use std::time::Duration;

const DAY: u64 = 86_400;
const KEEP: Retention = Retention { days: 90, bytes: 1 << 40 };

fn ended(journal: &FileJournal, of: &str, second: u64) -> AttemptId {
    let id = journal.begin(&intent(of, second)).unwrap();
    journal.end(id, &name(of), &record(End::Restarted, second), None).unwrap();
    id
}

fn step(output: &str) -> Step {
    Step {
        kind: StepKind::Restart,
        by: "service".to_owned(),
        at: Wall(7),
        took: Duration::from_millis(118),
        result: Err("no such unit".to_owned()),
        output: output.to_owned(),
    }
}

fn count(journal: &FileJournal, sql: &str) -> i64 {
    journal.inner().conn.query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn steps_come_back_in_their_order_and_as_they_were() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let (web, db) = (journal.begin(&intent("web", 9)).unwrap(), journal.begin(&intent("db", 9)).unwrap());
    let check = Step { kind: StepKind::Check, result: Ok("fine".to_owned()), ..step("") };
    for step in [&step("a\nb\n"), &check] {
        journal.step(web, step).unwrap();
    }
    assert_eq!(journal.steps_of(web).unwrap(), [step("a\nb\n"), check]);
    assert_eq!(journal.steps_of(db).unwrap(), []);
    assert_eq!(journal.attempt(web).unwrap().unwrap().seen, intent("web", 9).seen);
    let reader = open_read_only(directory.path(), BOOT).unwrap();
    assert_eq!(reader.steps_of(web).unwrap().len(), 2);
}

#[test]
fn old_attempts_go_in_bounded_rounds_with_all_that_is_theirs_and_open_ones_never() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let killed = of_a_dead_pm(&directory);
    let open = killed.begin(&intent("left open", 0)).unwrap();
    killed.step(open, &step("")).unwrap();
    for _ in 0..400 {
        let id = ended(&journal, "web", 1);
        journal.step(id, &step("x")).unwrap();
        journal.evidence(id, "seen").unwrap();
    }
    let decided: Vec<_> = (0..5_000)
        .map(|_| Decision {
            name: name("web"),
            at: at(1).wall,
            word: "breaker".to_owned(),
            chain: Vec::new(),
        })
        .collect();
    journal.decided(&decided).unwrap();
    assert_eq!(journal.tidy(&KEEP, at(89 * DAY).wall).unwrap(), Tidied::Nothing, "all are young");
    ended(&journal, "web", 90 * DAY);
    let later = at(91 * DAY).wall;
    let left = || {
        (count(&journal, "SELECT COUNT(*) FROM attempts"), count(&journal, "SELECT COUNT(*) FROM decisions"))
    };
    let mut seen = vec![left()];
    while journal.tidy(&KEEP, later).unwrap() == Tidied::Some {
        seen.push(left());
    }
    // The open one is looked at with every round.
    assert_eq!(seen, [(402, 5_000), (147, 3_000), (2, 1_000), (2, 0)]);
    assert_eq!(count(&journal, "SELECT COUNT(*) FROM steps"), 1, "the steps of the open one");
    assert_eq!(count(&journal, "SELECT COUNT(*) FROM evidence"), 0);
    assert_eq!(journal.unfinished().unwrap()[0].id, open);
    assert_eq!(journal.attempts(None, 9).unwrap().len(), 2);
}

#[test]
fn a_journal_that_is_too_large_loses_the_oldest_and_gives_the_space_back() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    for _ in 0..3_000 {
        let id = ended(&journal, "web", 1);
        journal.step(id, &step(&"x".repeat(4_000))).unwrap();
    }
    let pages = || count(&journal, "PRAGMA page_count");
    let (before, keep) = (pages(), Retention { days: 90, bytes: 8 << 20 });
    assert!(before > 3_000, "{before} pages");
    let mut rounds = 0;
    while journal.tidy(&keep, at(2).wall).unwrap() == Tidied::Some {
        rounds += 1;
        assert!(rounds < 50);
    }
    let kept = count(&journal, "SELECT COUNT(*) FROM attempts");
    assert!((1_000..2_200).contains(&kept), "{kept} of 3000 fit into 8 MiB");
    assert_eq!(count(&journal, "SELECT MAX(id) FROM attempts"), 3_000, "the oldest go");
    // Some rounds later the rest of what is free has been given back, but for what is kept for new ones.
    for _ in 0..5 {
        journal.tidy(&keep, at(2).wall).unwrap();
    }
    let (now, free) = (pages(), count(&journal, "PRAGMA freelist_count"));
    assert!(now < before - 500 && free <= 1_024, "{before} pages, now {now}, {free} of them free");

    // However small the limit, the latest thousand stay.
    let tiny = Retention { days: 90, bytes: 1 };
    while journal.tidy(&tiny, at(2).wall).unwrap() == Tidied::Some {}
    assert_eq!(count(&journal, "SELECT COUNT(*) FROM attempts"), 1_000);
    assert_eq!(journal.chain().unwrap(), journal.chain().unwrap(), "the audit is whole");
}

#[test]
fn a_file_of_an_older_version_uses_its_free_pages_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("journal.db");
    let old = Connection::open(&path).unwrap();
    for sql in &super::super::open::VERSIONS[..5] {
        old.execute_batch(sql).unwrap();
    }
    old.pragma_update(None, "user_version", 5).unwrap();
    drop(old);
    let journal = opened(&directory);
    assert_eq!(count(&journal, "PRAGMA auto_vacuum"), 0, "it is not written anew at start");
    let fill = |second| {
        for _ in 0..600 {
            let id = ended(&journal, "web", second);
            journal.step(id, &step(&"x".repeat(4_000))).unwrap();
        }
    };
    fill(1);
    let full = count(&journal, "PRAGMA page_count");
    while journal.tidy(&KEEP, at(100 * DAY).wall).unwrap() == Tidied::Some {}
    fill(100 * DAY);
    let again = count(&journal, "PRAGMA page_count");
    assert!(again <= full + full / 20, "{full} pages, then {again}");
}

#[test]
fn each_state_of_an_attempt_is_to_be_published_until_that_is_noted() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let waiting = || -> Vec<(i64, i64)> {
        let waiting = journal.unpublished("shop1", 9).unwrap();
        waiting.iter().map(|one| (one.attempt.id.0, one.revision)).collect()
    };
    let open = journal.begin(&intent("open", 1)).unwrap();
    let web = ended(&journal, "web", 1);
    assert_eq!(waiting(), [(web.0, 1)], "one that is under way is not told");
    let told = journal.unpublished("shop1", 9).unwrap();
    assert_eq!((told[0].host.as_str(), told[0].journal.len()), ("shop1", 16));
    // Its effect becomes known after it was read and before it is noted.
    journal.judged(&name("web"), Effect::Relapsed).unwrap();
    journal.published(&told).unwrap();
    assert_eq!(waiting(), [(web.0, 2)]);
    journal.published(&journal.unpublished("shop1", 9).unwrap()).unwrap();
    assert_eq!(waiting(), []);
    journal.published(&told).unwrap();
    assert_eq!(waiting(), [], "an older state does not come back");
    journal.end(open, &name("open"), &record(End::Failed, 2), None).unwrap();
    assert_eq!(waiting(), [(open.0, 1)]);
    let again = opened(&directory).unpublished("shop1", 9).unwrap();
    assert_eq!(again[0].journal, told[0].journal, "the name of the journal stays");
    let plan = count_plan(&journal);
    assert!(plan.contains("attempts_unpublished"), "{plan}");
}

/// How what waits is found.
fn count_plan(journal: &FileJournal) -> String {
    let sql = "EXPLAIN QUERY PLAN SELECT id FROM attempts WHERE revision > published AND ended_wall IS NOT NULL ORDER BY id LIMIT 9";
    journal.inner().conn.query_row(sql, [], |row| row.get(3)).unwrap()
}

/// A number that came back would make the notes of one restart those of another: in `pm history`, in `pm_attempt`, in a message.
#[test]
fn the_number_of_an_attempt_is_never_given_twice_also_when_the_newest_are_dropped_and_pm_is_restarted() {
    let directory = TempDir::new().unwrap();
    let mut journal = opened(&directory);
    let mut given: Vec<AttemptId> = Vec::new();
    for day in [0, 100, 200, 300] {
        given.extend((0..3).map(|_| ended(&journal, "web", day * DAY)));
        // One that was never ended, and is closed by who comes next.
        given.push(of_a_dead_pm(&directory).begin(&intent("db", day * DAY)).unwrap());
        given.push(ended(&journal, "db", day * DAY));
        while journal.tidy(&KEEP, at((day + 99) * DAY).wall).unwrap() == Tidied::Some {}
        assert!(journal.attempts(None, 9).unwrap().is_empty(), "the newest are gone as well");
        drop(journal);
        journal = opened(&directory);
    }
    given.push(journal.begin(&intent("web", 400 * DAY)).unwrap());
    assert_eq!(given.len(), 21);
    assert!(given.is_sorted_by(|earlier, later| earlier.0 < later.0), "{given:?}");
}

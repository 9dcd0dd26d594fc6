//! The audit: numbers without gaps, a chain that shows what was tampered with, and who is found in it.

use super::overrides::{all, asks, process, wish};
use super::*;
use crate::policy::window::{Order, Scope};

fn entry(verb: &str, scope: Scope, second: u64) -> Entry {
    Entry {
        request: asks("ana", second),
        verb: verb.to_owned(),
        scope,
        until: None,
        result: "refused: no".to_owned(),
    }
}

/// A journal with some entries.
fn filled(directory: &TempDir) -> FileJournal {
    let journal = opened(directory);
    let names = ["web", "db", "web", "mail", "web"];
    let entries: Vec<_> = (1..).zip(names).map(|(second, of)| entry("hold", process(of), second)).collect();
    journal.audit(&entries).unwrap();
    journal
}

fn numbers(journal: &FileJournal, wanted: &Wanted) -> Vec<i64> {
    journal.audited(wanted).unwrap().into_iter().map(|entry| entry.number).collect()
}

#[test]
fn entries_have_numbers_without_gaps_and_a_chain_over_all_of_them() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let empty = journal.chain().unwrap();
    assert_eq!((empty.entries, empty.first, empty.last, empty.flaw), (0, None, None, None));
    journal.order(&asks("ana", 1), &[wish(Order::Hold, process("web"), Some(9))]).unwrap();
    journal.order(&asks("bob\u{1b}", 2), &[wish(Order::Hold, process("web"), None)]).unwrap();
    journal.audit(&[entry("bypass", Scope::All, 3)]).unwrap();
    // One that was not committed takes no number.
    journal.inner().conn.execute_batch("BEGIN; INSERT INTO audit (at_wall, by_whom, verb, scope_kind, scope_name, why, result, previous, hash) VALUES (1, '', '', 'all', '', '', '', '', ''); ROLLBACK").unwrap();
    journal.audit(&[entry("reset", Scope::Group(name("front")), 4)]).unwrap();
    let audited = journal.audited(&all()).unwrap();
    assert_eq!(audited.iter().map(|one| one.number).collect::<Vec<_>>(), [4, 3, 2, 1], "newest first");
    assert_eq!(audited[0].entry, entry("reset", Scope::Group(name("front")), 4));
    assert_eq!(audited[1].entry, entry("bypass", Scope::All, 3));
    let second = &audited[2].entry;
    assert_eq!((second.request.by.as_str(), second.verb.as_str(), second.until), ("bob\u{1b}", "hold", None));
    let replaced = "in force, in place of the hold of web by ana until ";
    assert!(second.result.starts_with(replaced), "{}", second.result);
    assert_eq!((audited[3].entry.until, audited[3].entry.result.as_str()), (Some(at(9).wall), "in force"));
    assert!(audited.iter().all(|one| one.hash.len() == 64));
    let chain = journal.chain().unwrap();
    assert_eq!((chain.entries, chain.first, chain.flaw), (4, Some(1), None));
    assert_eq!(chain.last, Some((4, audited[0].hash.clone())));
}

#[test]
fn what_was_tampered_with_shows() {
    let last = "(SELECT max(id) FROM audit)";
    for (sql, flaw) in [
        ("UPDATE audit SET by_whom = 'bob' WHERE id = 2".to_owned(), "entry 2 is not as it was written"),
        ("UPDATE audit SET until_wall = 0 WHERE id = 3".to_owned(), "entry 3 is not as it was written"),
        ("UPDATE audit SET why = why || result, result = '' WHERE id = 1".to_owned(), "entry 1 is not"),
        ("UPDATE audit SET scope_kind = 'group' WHERE id = 5".to_owned(), "entry 5 is not"),
        ("UPDATE audit SET previous = '' WHERE id = 2".to_owned(), "entry 2 is not"),
        ("DELETE FROM audit WHERE id = 2".to_owned(), "entry 2 is missing"),
        ("DELETE FROM audit WHERE id IN (2, 3)".to_owned(), "entries 2 to 3 are missing"),
        ("DELETE FROM audit WHERE id = 1".to_owned(), "entry 1 is missing"),
        ("DELETE FROM audit WHERE id < 5".to_owned(), "entries 1 to 4 are missing"),
        (format!("DELETE FROM audit WHERE id = {last}"), "entry 5 is missing"),
        ("DELETE FROM audit".to_owned(), "entries 1 to 5 are missing"),
        ("DELETE FROM sqlite_sequence WHERE name = 'audit'".to_owned(), "there are entries behind number 0"),
        (
            "UPDATE audit SET id = 99 WHERE id = 2; UPDATE audit SET id = 2 WHERE id = 3; UPDATE audit SET id = 3 WHERE id = 99".to_owned(),
            "entry 2 is not as it was written",
        ),
    ] {
        let directory = TempDir::new().unwrap();
        let journal = filled(&directory);
        assert_eq!(journal.chain().unwrap().flaw, None);
        journal.inner().conn.execute_batch(&sql).unwrap();
        let found = journal.chain().unwrap().flaw.unwrap_or_default();
        assert!(found.starts_with(flaw), "{sql}: {found}");
        // It goes on being written, and goes on showing.
        journal.audit(&[entry("hold", Scope::All, 9)]).unwrap();
        let found = journal.chain().unwrap().flaw;
        assert_eq!(found.is_none(), sql.contains("sqlite_sequence"), "{sql}: {found:?}");
    }
}

/// Another journal's entries are each as they were written, but do not follow.
#[test]
fn an_entry_out_of_another_journal_does_not_follow() {
    let (here, there) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let (journal, another) = (filled(&here), opened(&there));
    another.audit(&[entry("release", process("web"), 1), entry("release", process("web"), 2)]).unwrap();
    drop(another);
    let other = there.path().join("journal.db");
    journal
        .inner()
        .conn
        .execute_batch(&format!(
            "ATTACH '{}' AS other; DELETE FROM audit WHERE id = 2; INSERT INTO audit SELECT * FROM other.audit WHERE id = 2",
            other.display()
        ))
        .unwrap();
    let flaw = journal.chain().unwrap().flaw.unwrap();
    assert_eq!(flaw, "entry 2 does not follow the one before it: one of the two is another one");
}

#[test]
fn entries_are_found_by_process_by_time_and_by_number() {
    let directory = TempDir::new().unwrap();
    let journal = filled(&directory);
    journal.audit(&[entry("hold", Scope::All, 6), entry("hold", Scope::Group(name("front")), 7)]).unwrap();
    let of = |of: &str, group: Option<&str>| Wanted { of: Some(name(of)), group: group.map(name), ..all() };
    assert_eq!(numbers(&journal, &all()), [7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(numbers(&journal, &of("web", None)), [6, 5, 3, 1], "what was for all was for it, too");
    assert_eq!(numbers(&journal, &of("web", Some("front"))), [7, 6, 5, 3, 1]);
    assert_eq!(numbers(&journal, &of("front", None)), [6], "a group is not a process of that name");
    assert_eq!(numbers(&journal, &Wanted { since: Some(at(5).wall), ..all() }), [7, 6, 5]);
    assert_eq!(numbers(&journal, &Wanted { limit: 2, ..all() }), [7, 6]);
    assert_eq!(numbers(&journal, &Wanted { limit: 2, ..of("web", None) }), [6, 5]);
}

#[test]
fn the_audit_is_never_shorter_than_promised() {
    let directory = TempDir::new().unwrap();
    let journal = filled(&directory);
    let most = super::super::audit::MOST;
    // As if so many had been written before: the numbers alone decide what is dropped.
    let entries: Vec<_> = (0..600).map(|_| entry("hold", process("web"), 9)).collect();
    journal.inner().conn.execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'audit'", [most]).unwrap();
    journal.audit(&entries).unwrap();
    let kept = numbers(&journal, &all());
    assert_eq!(
        (kept[0], kept.len()),
        (most + 600, 600),
        "the five first ones were older than the newest {most}"
    );
    assert!(journal.chain().unwrap().flaw.unwrap().contains("are missing"), "this test has left a gap");
}

#[test]
fn everybody_who_writes_at_the_same_time_gets_a_number_of_their_own() {
    let directory = TempDir::new().unwrap();
    drop(opened(&directory));
    std::thread::scope(|scope| {
        for of in ["a", "b", "c", "d"] {
            let directory = &directory;
            scope.spawn(move || {
                let journal = opened(directory);
                for second in 0..25 {
                    journal.order(&asks(of, second), &[wish(Order::Hold, process(of), None)]).unwrap();
                }
            });
        }
    });
    let journal = opened(&directory);
    let chain = journal.chain().unwrap();
    assert_eq!((chain.entries, chain.first, chain.last.unwrap().0, chain.flaw), (100, Some(1), 100, None));
    assert_eq!(journal.overrides().unwrap().len(), 4);
}

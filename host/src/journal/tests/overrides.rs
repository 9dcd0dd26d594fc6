//! Overrides and orders in the file: what replaces what, what a hold refuses, two at once, and a death in between.

use super::*;
use crate::policy::window::{Order, Scope};
use std::collections::BTreeSet;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) fn process(text: &str) -> Scope {
    Scope::Process(name(text))
}

pub(super) fn asks(by: &str, second: u64) -> Request {
    Request { by: by.to_owned(), why: "disk swap".to_owned(), at: at(second).wall }
}

pub(super) fn wish(order: Order, scope: Scope, until: Option<u64>) -> Wish {
    Wish::Override { scope, order, until: until.map(|second| at(second).wall) }
}

fn release(scope: Scope, order: Option<Order>) -> Wish {
    Wish::Release { scope, order }
}

fn held(result: Result<AttemptId, JournalError>) -> Option<(Scope, String)> {
    match result {
        Ok(_) => None,
        Err(JournalError::Held { scope, by, .. }) => Some((scope, by)),
        Err(other) => panic!("expected a hold, got {other}"),
    }
}

#[test]
fn a_later_override_replaces_the_earlier_one_of_the_same_scope_and_order() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let hold = |until| [wish(Order::Hold, process("web"), until)];
    assert_eq!(journal.order(&asks("ana", 1), &hold(None)).unwrap(), [vec![]]);
    journal.order(&asks("ana", 1), &[wish(Order::Observe, process("web"), None)]).unwrap();
    journal.order(&asks("ana", 1), &[wish(Order::Hold, Scope::All, Some(9))]).unwrap();
    let replaced = journal.order(&asks("bob", 2), &hold(Some(5))).unwrap();
    assert_eq!(replaced[0].len(), 1);
    assert_eq!((replaced[0][0].by.as_str(), replaced[0][0].until), ("ana", None));
    let all = journal.overrides().unwrap();
    let text: Vec<_> = all.iter().map(|one| (one.scope.clone(), one.order, one.by.as_str())).collect();
    let expected = [
        (Scope::All, Order::Hold, "ana"),
        (process("web"), Order::Hold, "bob"),
        (process("web"), Order::Observe, "ana"),
    ];
    assert_eq!(text, expected);
    assert_eq!(
        (all[1].since, all[1].until, all[1].why.as_str()),
        (at(2).wall, Some(at(5).wall), "disk swap")
    );
}

#[test]
fn a_release_takes_away_what_was_put_on_that_scope_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let group = Scope::Group(name("web"));
    let wishes = [Scope::All, group.clone(), process("web"), process("db")]
        .map(|scope| wish(Order::Hold, scope, None))
        .into_iter()
        .chain([wish(Order::Observe, process("web"), None), wish(Order::Bypass, process("web"), Some(9))]);
    journal.order(&asks("ana", 1), &wishes.collect::<Vec<_>>()).unwrap();
    let gone = journal.order(&asks("ana", 2), &[release(process("web"), Some(Order::Observe))]).unwrap();
    assert_eq!(gone[0].iter().map(|one| one.order).collect::<Vec<_>>(), [Order::Observe]);
    // The bypass is over by then, so it is taken away without a word.
    let gone =
        journal.order(&asks("ana", 9), &[release(process("web"), None), release(group, None)]).unwrap();
    assert_eq!(gone.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1]);
    let left: Vec<_> = journal.overrides().unwrap().into_iter().map(|one| one.scope).collect();
    assert_eq!(left, [Scope::All, process("db")]);
    assert_eq!(journal.order(&asks("ana", 9), &[release(process("web"), None)]).unwrap(), [vec![]]);
}

#[test]
fn a_hold_of_the_name_its_group_or_all_refuses_the_claim_while_it_is_in_force() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let front = Intent { group: Some(name("front")), ..intent("web", 5) };
    let cases = [
        (Scope::All, true, true),
        (Scope::Group(name("front")), true, false),
        (Scope::Group(name("web")), false, false),
        (process("web"), true, true),
        (process("front"), false, false),
    ];
    for (scope, member, stranger) in cases {
        journal.order(&asks("ana", 1), &[wish(Order::Hold, scope.clone(), None)]).unwrap();
        for (intent, expected) in [(&front, member), (&intent("web", 5), stranger)] {
            let refused = held(journal.begin(intent).inspect(|id| {
                journal.end(*id, &name("web"), &record(End::Cancelled, 5), None).unwrap();
            }));
            assert_eq!(refused.is_some(), expected, "{scope:?} {intent:?}");
            assert!(refused.is_none_or(|(its, by)| its == scope && by == "ana"));
        }
        journal.order(&asks("ana", 1), &[release(scope, None)]).unwrap();
    }
    for order in [Order::Observe, Order::Bypass] {
        journal.order(&asks("ana", 1), &[wish(order, Scope::All, Some(99))]).unwrap();
    }
    let id = journal.begin(&front).unwrap();
    assert_eq!(journal.attempts(None, 9).unwrap()[0].id, id, "only a hold refuses");
}

#[test]
fn a_hold_ends_by_itself_and_the_longest_one_is_named() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let hold = |scope, until| [wish(Order::Hold, scope, until)];
    journal.order(&asks("ana", 1), &hold(process("web"), Some(5))).unwrap();
    journal.order(&asks("bob", 1), &hold(Scope::All, Some(7))).unwrap();
    assert_eq!(held(journal.begin(&intent("web", 4))), Some((Scope::All, "bob".to_owned())));
    assert_eq!(held(journal.begin(&intent("web", 6))), Some((Scope::All, "bob".to_owned())));
    journal.order(&asks("eve", 6), &hold(process("web"), None)).unwrap();
    assert_eq!(held(journal.begin(&intent("web", 6))), Some((process("web"), "eve".to_owned())));
    journal.begin(&intent("db", 7)).unwrap();
    // What has been over for long is not kept.
    let week = 7 * 86_400;
    journal.order(&asks("ana", week + 6), &hold(process("x"), None)).unwrap();
    assert_eq!(journal.overrides().unwrap().len(), 3);
    journal.order(&asks("ana", week + 8), &hold(process("x"), None)).unwrap();
    assert_eq!(journal.overrides().unwrap().len(), 2, "both with an end are gone");
}

#[test]
fn a_hold_stops_an_attempt_that_was_begun_before_it() {
    let directory = TempDir::new().unwrap();
    let (journal, operator) = (opened(&directory), opened(&directory));
    let front = Intent { group: Some(name("front")), ..intent("web", 1) };
    let id = journal.begin(&front).unwrap();
    journal.acting(id, Some("service:1"), at(1).wall).unwrap();
    operator.order(&asks("ana", 2), &[wish(Order::Hold, Scope::Group(name("front")), Some(9))]).unwrap();
    assert!(matches!(journal.acting(id, Some("service:2"), at(3).wall), Err(JournalError::Held { .. })));
    journal.acting(id, Some("service:3"), at(9).wall).unwrap();
    journal.acting(AttemptId(99), None, at(3).wall).unwrap();
    drop(journal);
    let stage = Connection::open(directory.path().join("journal.db")).unwrap();
    let identity: String = stage.query_row("SELECT identity FROM attempts", [], |row| row.get(0)).unwrap();
    assert_eq!(identity, "service:3");
}

/// The daemon and the operator have connections of their own, as two processes have.
#[test]
fn no_claim_succeeds_after_a_hold_was_acknowledged() {
    let directory = TempDir::new().unwrap();
    for round in 0..20 {
        let (daemon, operator) = (opened(&directory), opened(&directory));
        let (acknowledged, start) = (AtomicBool::new(false), Barrier::new(2));
        std::thread::scope(|scope| {
            let claims = scope.spawn(|| {
                start.wait();
                loop {
                    let known = acknowledged.load(Ordering::SeqCst);
                    match daemon.begin(&intent("web", 5)) {
                        Ok(_) if known => panic!("round {round}: a claim after the hold"),
                        Ok(id) => daemon.end(id, &name("web"), &record(End::Failed, 5), None).unwrap(),
                        Err(JournalError::Held { .. }) => return,
                        Err(other) => panic!("{other}"),
                    }
                }
            });
            start.wait();
            operator.order(&asks("ana", 4), &[wish(Order::Hold, process("web"), None)]).unwrap();
            acknowledged.store(true, Ordering::SeqCst);
            claims.join().unwrap();
        });
        operator.order(&asks("ana", 6), &[release(process("web"), None)]).unwrap();
    }
}

#[test]
fn orders_wait_until_they_are_obeyed_and_go_together_with_what_follows() {
    let directory = TempDir::new().unwrap();
    let (operator, daemon) = (opened(&directory), opened(&directory));
    let open = Standing { breaker: open_until(Ticks(9)), ..Standing::default() };
    for of in ["web", "db"] {
        daemon.keep(&[(name(of), Standing { last_good: Some(Ticks(3)), ..open.clone() })], None).unwrap();
    }
    let reset = |at_once: &[&str]| {
        let at_once: BTreeSet<_> = at_once.iter().map(|of| name(of)).collect();
        [Wish::Reset { scope: Scope::All, at_once }]
    };
    operator.order(&asks("ana", 1), &reset(&[])).unwrap();
    assert_eq!(daemon.standings().unwrap()[&name("web")].breaker, open.breaker, "the daemon does it");
    let id = operator.begin(&intent("web", 2)).unwrap();
    let entry = Entry {
        request: asks("ana", 2),
        verb: "restart --force".to_owned(),
        scope: process("web"),
        until: None,
        result: "failed".to_owned(),
    };
    operator.end_by_hand(id, &record(End::Failed, 3), &entry).unwrap();

    let orders = daemon.orders().unwrap();
    let verbs: Vec<_> = orders.iter().map(|one| one.verb.clone()).collect();
    assert_eq!(verbs, [Verb::Reset(Scope::All), Verb::Counted(id)]);
    assert_eq!(orders[0].request, asks("ana", 1));
    let attempt = daemon.attempt(id).unwrap().unwrap();
    assert_eq!(attempt.ended.unwrap().1, End::Failed);
    assert_eq!(daemon.attempt(AttemptId(99)).unwrap().map(|attempt| attempt.id), None);
    // A daemon that dies here leaves them to the next one.
    drop(daemon);
    let daemon = opened(&directory);
    assert_eq!(daemon.orders().unwrap(), orders);
    let one_failed =
        Standing { breaker: Breaker { failures: 1, ..Breaker::default() }, ..Standing::default() };
    daemon
        .obeyed(&[orders[0].id], &[(name("web"), one_failed.clone()), (name("db"), Standing::default())])
        .unwrap();
    assert_eq!(daemon.orders().unwrap(), orders[1..]);
    assert_eq!(daemon.standings().unwrap(), BTreeMap::from([(name("web"), one_failed)]));

    // Without a daemon the stored standings change at once, only those that are named.
    daemon.keep(&[(name("db"), open.clone())], None).unwrap();
    operator.order(&asks("ana", 4), &reset(&["web", "nobody"])).unwrap();
    assert_eq!(daemon.standings().unwrap().into_keys().collect::<Vec<_>>(), [name("db")]);
    let waiting: Vec<_> = daemon.orders().unwrap().into_iter().map(|one| one.id).collect();
    assert!(waiting.windows(2).all(|pair| pair[0] < pair[1]) && waiting.len() == 2, "{waiting:?}");
}

#[test]
fn a_verb_of_a_newer_pm_waits_for_it() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let insert = "INSERT INTO orders (verb, by_whom, why, at_wall) VALUES ('dance', 'ana', '', 1)";
    journal.inner().conn.execute(insert, []).unwrap();
    journal.order(&asks("ana", 1), &[Wish::Reset { scope: Scope::All, at_once: BTreeSet::new() }]).unwrap();
    let orders = journal.orders().unwrap();
    assert_eq!(orders.len(), 1);
    journal.obeyed(&[orders[0].id], &[]).unwrap();
    let left: String =
        journal.inner().conn.query_row("SELECT verb FROM orders", [], |row| row.get(0)).unwrap();
    assert_eq!(left, "dance");
}

#[test]
fn a_change_and_its_entry_are_there_together_or_not_at_all() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let wishes = [wish(Order::Hold, process("web"), None), wish(Order::Hold, process("db"), None)];
    {
        // Killed before the commit.
        let mut inner = journal.inner();
        let tx = inner.conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
        super::super::overrides::fulfil(&tx, &asks("ana", 1), &wishes[0], BOOT).unwrap();
    }
    assert!(journal.overrides().unwrap().is_empty() && journal.audited(&all()).unwrap().is_empty());
    // The second wish cannot be noted, so the first one is not done either.
    let forbid = "CREATE TRIGGER no BEFORE INSERT ON audit WHEN NEW.scope_name = 'db' BEGIN SELECT RAISE(ABORT, 'no'); END";
    journal.inner().conn.execute_batch(forbid).unwrap();
    journal.order(&asks("ana", 1), &wishes).unwrap_err();
    assert!(journal.overrides().unwrap().is_empty() && journal.audited(&all()).unwrap().is_empty());
    journal.inner().conn.execute_batch("DROP TRIGGER no").unwrap();
    journal.order(&asks("ana", 1), &wishes).unwrap();
    assert_eq!((journal.overrides().unwrap().len(), journal.audited(&all()).unwrap().len()), (2, 2));
    assert_eq!(journal.chain().unwrap().flaw, None);
}

pub(super) fn all() -> Wanted {
    Wanted { limit: usize::MAX, ..Wanted::default() }
}

#[test]
fn a_hold_counts_although_the_disk_is_full_now() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    journal.order(&asks("ana", 1), &[wish(Order::Hold, process("web"), Some(9))]).unwrap();
    let id = journal.begin(&intent("db", 1)).unwrap();
    journal.inner().conn.pragma_update(None, "query_only", true).unwrap();
    assert!(held(journal.begin(&intent("web", 2))).is_some());
    assert!(matches!(journal.begin(&intent("web", 9)), Err(JournalError::Unusable { .. })), "it is over");
    assert!(matches!(journal.acting(id, None, at(2).wall), Err(JournalError::Unusable { .. })));
}

#[test]
fn only_what_others_write_is_a_change_by_others() {
    let directory = TempDir::new().unwrap();
    let (daemon, operator) = (opened(&directory), opened(&directory));
    daemon.changed_by_others();
    daemon.begin(&intent("web", 1)).unwrap();
    assert!(!daemon.changed_by_others());
    operator.overrides().unwrap();
    assert!(!daemon.changed_by_others());
    operator.order(&asks("ana", 1), &[wish(Order::Hold, process("web"), None)]).unwrap();
    assert!(daemon.changed_by_others());
    assert!(!daemon.changed_by_others(), "each is told once");
    // A write of its own in between hides nothing.
    operator.order(&asks("ana", 2), &[release(process("web"), None)]).unwrap();
    daemon.begin(&intent("db", 1)).unwrap();
    assert!(daemon.changed_by_others());
}

#[test]
fn a_journal_of_before_is_brought_up_to_date_and_can_be_read_before_that() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("journal.db");
    let old = Connection::open(&path).unwrap();
    old.execute_batch(open::VERSIONS[0]).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    let insert = "INSERT INTO attempts (name, strategy, alarms, boot, began_boot, began_wall, owner_pid, owner_start, \
                  owner_boot, stage) VALUES ('web', 'auto', '[]', 'boot-one', 1, 1, 1, 1, 'boot-one', 'acting')";
    old.execute(insert, []).unwrap();
    drop(old);
    let reader = open_read_only(directory.path(), BOOT).unwrap();
    assert!(reader.overrides().unwrap().is_empty() && reader.audited(&all()).unwrap().is_empty());
    assert_eq!(reader.chain().unwrap().entries, 0);
    drop(reader);
    let journal = opened(&directory);
    journal.order(&asks("ana", 1), &[wish(Order::Hold, process("web"), None)]).unwrap();
    let id = journal.unfinished().unwrap()[0].id;
    assert!(matches!(journal.acting(id, None, at(2).wall), Err(JournalError::Held { .. })));
}

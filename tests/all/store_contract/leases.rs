//! One pm speaks for a host: what the table `pm_host` promises on every server. A file serves one machine and has no leases.

use super::engines::{Database, Engine, fixture, name};
use super::{on_each_engine, restarted};
use pm_host::ports::{AlarmStore, Cleared, Lease, Rows, Speaker};
use std::time::{Duration, Instant};

on_each_engine! {
    of_two_that_speak_for_a_host_one_does_until_it_lets_go
    a_lease_that_is_not_renewed_ends_and_late_clearings_change_nothing
    a_silent_host_is_told_of_once_by_one
    of_many_at_once_one_gets_the_lease
    without_the_table_nobody_is_kept_away
}

fn speaker(instance: &str, millis: u64) -> Speaker {
    Speaker {
        instance: instance.to_owned(),
        name: format!("machine-{instance}"),
        lasts: Duration::from_millis(millis),
    }
}

fn with_leases(database: &dyn Database) -> Option<Box<dyn Database>> {
    let database = database.empty();
    let mut store = database.store(Some(1));
    store.migrate().unwrap();
    if database.engine() == Engine::Sqlite {
        assert!(matches!(store.hold(&speaker("a", 60_000), None).unwrap(), Lease::None { .. }));
        return None;
    }
    Some(database)
}

fn epoch(lease: &Lease) -> i64 {
    if let Lease::Mine { epoch } = lease { *epoch } else { panic!("{lease:?}") }
}

fn until_mine(store: &mut dyn AlarmStore, speaker: &Speaker) -> i64 {
    let until = Instant::now() + Duration::from_secs(20);
    loop {
        let lease = store.hold(speaker, None).unwrap();
        if let Lease::Mine { epoch } = lease {
            return epoch;
        }
        assert!(Instant::now() < until, "{lease:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn of_two_that_speak_for_a_host_one_does_until_it_lets_go(database: &dyn Database) {
    let Some(database) = with_leases(database) else { return };
    let (mut first, mut second, mut other) =
        (database.store(Some(1)), database.store(Some(1)), database.store(Some(2)));
    let (a, b) = (speaker("aa", 60_000), speaker("bb", 60_000));
    assert_eq!(epoch(&first.hold(&a, None).unwrap()), 1);
    assert_eq!(epoch(&first.hold(&a, Some(1)).unwrap()), 1, "renewed");
    let Lease::Theirs { name, left } = second.hold(&b, None).unwrap() else {
        panic!("two speak for one host")
    };
    assert!(name == "machine-aa" && left > Duration::from_secs(30), "{name} {left:?}");
    assert_eq!(epoch(&other.hold(&b, None).unwrap()), 1, "each host has its own");
    // The same pm after a kill: it need not wait, and what it sent before is too late.
    assert_eq!(epoch(&first.hold(&a, None).unwrap()), 2);
    first.let_go(2).unwrap();
    assert_eq!(epoch(&second.hold(&b, None).unwrap()), 3);
    assert!(matches!(first.hold(&a, Some(2)).unwrap(), Lease::Theirs { .. }));
    let hosts = second.hosts().unwrap();
    let told: Vec<_> = hosts.iter().map(|host| (host.host.as_str(), host.epoch, host.holds)).collect();
    assert_eq!(told, [("1", 3, true), ("2", 1, true)]);
}

fn a_lease_that_is_not_renewed_ends_and_late_clearings_change_nothing(database: &dyn Database) {
    let Some(database) = with_leases(database) else { return };
    let (mut first, mut second) = (database.store(Some(1)), database.store(Some(1)));
    first.add(&name("web")).unwrap();
    first.raise(&Rows::All, "up").unwrap();
    let before = epoch(&first.hold(&speaker("aa", 200), None).unwrap());
    first.fence(Some(before));
    let after = until_mine(&mut *second, &speaker("bb", 60_000));
    assert_eq!((before, after), (1, 2));
    assert_ne!(first.clear(&restarted(1, Some("up"))).unwrap(), Cleared::Done);
    assert_eq!(first.poll(9).unwrap().len(), 1, "the late one has changed nothing");
    second.fence(Some(after));
    assert_eq!(second.clear(&restarted(1, Some("up"))).unwrap(), Cleared::Done);
    second.raise(&Rows::All, "again").unwrap();
    second.fence(None);
    assert_eq!(second.clear(&restarted(1, Some("again"))).unwrap(), Cleared::Done, "without a fence as ever");
}

fn a_silent_host_is_told_of_once_by_one(database: &dyn Database) {
    let Some(database) = with_leases(database) else { return };
    let [mut silent, mut left, mut one, mut two] = [7, 8, 1, 2].map(|id| database.store(Some(id)));
    silent.hold(&speaker("77", 60_000), None).unwrap();
    let ended = epoch(&left.hold(&speaker("88", 60_000), None).unwrap());
    left.let_go(ended).unwrap();
    assert_eq!(one.silent(Duration::from_secs(60)).unwrap(), [], "nobody has been silent for a minute");
    let until = Instant::now() + Duration::from_secs(20);
    let mut told: Vec<_> = Vec::new();
    while told.is_empty() {
        assert!(Instant::now() < until, "nobody was told of the silent host");
        told.extend(one.silent(Duration::from_millis(30)).unwrap());
        told.extend(two.silent(Duration::from_millis(30)).unwrap());
    }
    let hosts: Vec<_> = told.iter().map(|host| (host.host.as_str(), host.name.as_str())).collect();
    assert_eq!(hosts, [("7", "machine-77")], "not of one that ended in good order");
    assert_eq!(two.silent(Duration::from_millis(30)).unwrap(), []);
    silent.hold(&speaker("77", 60_000), Some(1)).unwrap();
    while one.silent(Duration::from_millis(30)).unwrap().is_empty() {
        assert!(Instant::now() < until, "a host that was heard of again can fall silent again");
    }
}

fn of_many_at_once_one_gets_the_lease(database: &dyn Database) {
    let Some(database) = with_leases(database) else { return };
    let stores: Vec<_> = (0..8).map(|_| database.store(Some(1))).collect();
    let got: usize = std::thread::scope(|scope| {
        let hold = |(number, mut store): (usize, Box<dyn AlarmStore>)| {
            scope.spawn(move || {
                let speaker = speaker(&format!("{number:02x}"), 60_000);
                // Two that add the row at the same moment: the key lets one in, and the other asks again.
                let mut lease = store.hold(&speaker, None);
                while lease.is_err() {
                    lease = store.hold(&speaker, None);
                }
                usize::from(matches!(lease, Ok(Lease::Mine { .. })))
            })
        };
        let threads: Vec<_> = stores.into_iter().enumerate().map(hold).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(got, 1);
}

fn without_the_table_nobody_is_kept_away(database: &dyn Database) {
    let database = database.empty();
    database.sql(&fixture("r6-host.sql"));
    let mut store = database.store(Some(1));
    let lease = store.hold(&speaker("aa", 60_000), None).unwrap();
    assert!(matches!(lease, Lease::None { .. }), "{lease:?}");
    assert_eq!(store.poll(9).unwrap(), []);
}

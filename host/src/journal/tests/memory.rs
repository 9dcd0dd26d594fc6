//! What outlives a pm: journals of older versions, copies, what is remembered of the host, and why it decided so.

use super::*;
use crate::policy::bucket::Bucket;
use crate::policy::driver::Driver;
use crate::policy::group::{Group, GroupState};
use crate::policy::mass::{Condition, Mass, Stage};
use crate::policy::model::Due;
use crate::policy::relations::Relations;
use crate::policy::window::{Announced, Scope};
use crate::ports::Windows as _;
use std::collections::BTreeSet;

/// Every version that there has been, with data in it.
#[test]
fn a_journal_of_every_older_version_is_read_as_it_is_and_brought_up_to_date() {
    for version in 1..open::VERSIONS.len() {
        let directory = TempDir::new().unwrap();
        let older = Connection::open(directory.path().join("journal.db")).unwrap();
        open::VERSIONS[..version].iter().for_each(|step| older.execute_batch(step).unwrap());
        older.pragma_update(None, "user_version", i64::try_from(version).unwrap()).unwrap();
        older
            .execute_batch(&format!(
                "INSERT INTO standings (name, boot, failures, open_until, pause, last_good, handled) \
                 VALUES ('web', '{BOOT}', 3, 9000, NULL, 2000, '[]'); \
                 INSERT INTO attempts (name, strategy, alarms, boot, began_boot, began_wall, owner_pid, owner_start, \
                 owner_boot, stage, ended_wall, outcome, tries, detail) \
                 VALUES ('web', 'auto', '[]', '{BOOT}', 1, 2, 3, 4, '{BOOT}', 'ended', 5, 'failed', 2, 'seen');"
            ))
            .unwrap();
        drop(older);
        let state = State::Open { until: Ticks(9_000) };
        let breaker = Breaker { state, failures: 3, ..Breaker::default() };
        let standing = Standing { breaker, last_good: Some(Ticks(2_000)), ..Standing::default() };
        let expected = BTreeMap::from([(name("web"), standing)]);
        let reader = open_read_only(directory.path(), BOOT).unwrap();
        for journal in [reader, open_copy(directory.path(), BOOT).unwrap(), opened(&directory)] {
            assert_eq!(journal.standings().unwrap(), expected, "version {version}");
            assert_eq!(journal.evidence_of(AttemptId(1)).unwrap(), None);
            assert_eq!(journal.overrides().unwrap(), []);
            assert_eq!(journal.windows().unwrap(), []);
            assert_eq!(journal.host().unwrap(), HostMemory::default());
            let [attempt] = &journal.history(None, Wall(0), 9).unwrap()[..] else { panic!("one attempt") };
            assert_eq!((attempt.cause.as_str(), &attempt.by, attempt.effect), ("alarm", &None, None));
        }
    }
}

#[test]
fn a_copy_leaves_the_file_alone_and_takes_on_nobodys_work() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let done = journal.begin(&intent("db", 1)).unwrap();
    let clears = [clear(1, None)];
    let standing = Standing { breaker: open_until(Ticks(9)), ..Standing::default() };
    journal.end(done, &name("db"), &record(End::Failed, 2), Some((&standing, &clears))).unwrap();
    journal.begin(&intent("web", 3)).unwrap();
    let copy = open_copy(directory.path(), BOOT).unwrap();
    assert_eq!(copy.standings().unwrap(), BTreeMap::from([(name("db"), standing)]));
    assert!(copy.outbox().unwrap().is_empty() && copy.unfinished().unwrap().is_empty());
    copy.keep(&[(name("db"), Standing::default())], Some(&HostMemory::default())).unwrap();
    copy.begin(&intent("web", 4)).unwrap();
    assert_eq!(copy.standings().unwrap().len(), 0);
    assert_eq!((journal.standings().unwrap().len(), journal.outbox().unwrap().len()), (1, 1));
    let none = TempDir::new().unwrap();
    let empty = open_copy(none.path(), BOOT).unwrap();
    empty.begin(&intent("web", 1)).unwrap();
    assert_eq!(std::fs::read_dir(none.path()).unwrap().count(), 0, "nothing is created");
}

/// What is remembered of the host comes back as it was, and after a reboot as what still means something.
#[test]
fn what_is_remembered_of_the_host_survives_a_kill_and_a_reboot() {
    let directory = TempDir::new().unwrap();
    let states = [
        GroupState::Closed,
        GroupState::Open { until: Ticks(7) },
        GroupState::CanaryDue,
        GroupState::CanaryRuns(name("web")),
        GroupState::CanaryProbation { canary: name("web"), since: Ticks(8) },
        GroupState::Releasing { batch: 4, begun: 2, good: 1 },
    ];
    let group = |state| Group {
        state,
        level: 3,
        bucket: Bucket { full_at: Ticks(11) },
        troubled: BTreeMap::from([(name("web"), Ticks(12))]),
        tried: BTreeMap::from([(name("web"), Ticks(13))]),
        quiet_from: Some(Ticks(13)),
        proving_from: Some(Ticks(19)),
    };
    let host = HostMemory {
        groups: (0..).zip(states).map(|(n, state)| (name(&format!("g{n}")), group(state))).collect(),
        drivers: BTreeMap::from([(
            name("docker"),
            Driver { failures: 4, until: Some(Ticks(18)), trial: Some(name("web")) },
        )]),
        due: BTreeMap::from([(name("app"), Due { because: name("db"), since: Ticks(14) })]),
        storm: Bucket { full_at: Ticks(15) },
        mass: Mass {
            stage: Stage::Held { looked: 9, healthy: 7 },
            suspects: BTreeSet::from([name("bad"), name("good")]),
            seen: [
                (name("bad"), (Condition::Bad, Ticks(16))),
                (name("good"), (Condition::Healthy, Ticks(17))),
            ]
            .into(),
        },
        windows: BTreeMap::from([(
            name("night"),
            Announced {
                scopes: vec![Scope::All, Scope::Group(name("front")), Scope::Process(name("web"))],
                since: Wall(21),
                until: Wall(22),
            },
        )]),
        relations: Relations {
            groups: vec![(name("web"), name("g0"))],
            dependencies: vec![(name("web"), name("db"))],
        },
        seen_until: Some(Ticks(21)),
    };
    of_a_dead_pm(&directory).keep(&[], Some(&host)).unwrap();
    assert_eq!(opened(&directory).host().unwrap(), host);
    let after = open(directory.path(), "boot-two").unwrap().journal.host().unwrap();
    let words: Vec<_> = after.groups.values().map(|group| (group.word(), group.level)).collect();
    assert_eq!(words[0], ("closed", 3));
    assert!(words[1..].iter().all(|word| *word == ("half-open", 3)), "{words:?}");
    assert_eq!((after.storm, after.mass, after.due.len()), (Bucket::default(), Mass::default(), 1));
    assert!(after.drivers.is_empty(), "a booted machine has booted its drivers as well");
    assert_eq!(after.windows, host.windows, "its end is still to be announced");
    assert_eq!((after.relations, after.seen_until), (host.relations, None), "the tables are no moments");
    for stage in [Stage::None, Stage::Looking { since: Ticks(5) }, Stage::Believed] {
        let host = HostMemory { mass: Mass { stage, ..Mass::default() }, ..HostMemory::default() };
        opened(&directory).keep(&[], Some(&host)).unwrap();
        assert_eq!(opened(&directory).host().unwrap(), host);
    }
}

#[test]
fn a_window_that_an_earlier_version_announced_is_one_still() {
    let directory = TempDir::new().unwrap();
    of_a_dead_pm(&directory).keep(&[], Some(&HostMemory::default())).unwrap();
    let journal = opened(&directory);
    let old = r#"{"windows":["night"]}"#;
    assert_eq!(journal.inner().conn.execute("UPDATE host SET memory = ?1", [old]).unwrap(), 1);
    let windows = journal.host().unwrap().windows;
    assert_eq!(windows, BTreeMap::from([(name("night"), Announced::default())]));
}

#[test]
fn decisions_chains_and_effects_can_be_asked_for() {
    let directory = TempDir::new().unwrap();
    let journal = opened(&directory);
    let first = journal.begin(&intent("web", 10)).unwrap();
    journal.end(first, &name("web"), &record(End::Restarted, 11), None).unwrap();
    let second = journal.begin(&intent("web", 20)).unwrap();
    assert_eq!(journal.explanation(first).unwrap(), intent("web", 10).chain);
    journal.judged(&name("web"), Effect::Relapsed).unwrap();
    journal.judged(&name("web"), Effect::Lasted).unwrap();
    journal.end(second, &name("web"), &record(End::Failed, 21), None).unwrap();
    let effects: Vec<_> =
        journal.history(Some(&name("web")), Wall(0), 9).unwrap().iter().map(|a| (a.id, a.effect)).collect();
    assert_eq!(effects, [(second, None), (first, Some(Effect::Relapsed))], "the first word counts");
    let before = |second: u64| journal.last_before(&name("web"), at(second).wall).unwrap().map(|a| a.id);
    assert_eq!(
        [before(9), before(10), before(19), before(99)],
        [None, Some(first), Some(first), Some(second)]
    );
    let held = |second: u64, word: &str| Decision {
        name: name("web"),
        at: at(second).wall,
        word: word.to_owned(),
        chain: vec![Asked { check: "breaker".to_owned(), answer: Answer::Held, saw: "open".to_owned() }],
    };
    let (breaker, window) = (held(30, "breaker-open"), held(40, "maintenance"));
    journal.decided(&[breaker.clone(), Decision { name: name("db"), ..held(35, "waiting") }]).unwrap();
    journal.decided(std::slice::from_ref(&window)).unwrap();
    journal.decided(&[]).unwrap();
    let at_most = |second: u64, most| journal.decisions(&name("web"), at(second).wall, most).unwrap();
    assert_eq!((at_most(39, 9), at_most(29, 9)), (vec![breaker.clone()], vec![]));
    assert_eq!((at_most(99, 9), at_most(99, 1)), (vec![window.clone(), breaker], vec![window]));
}

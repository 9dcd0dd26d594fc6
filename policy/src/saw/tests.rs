//! What `pm why` says of each check that let an alarm pass.

use crate::breaker::{self, Breaker, Probe};
use crate::bucket::{Bucket, Budget};
use crate::decide::{Check, examine};
use crate::driver::Driver;
use crate::group::GroupState;
use crate::mass::{Condition, Stage};
use crate::model::{Due, Handled, InFlight, Name, OnTrial, Order, RowId, Scope, Table, Verify};
use crate::testing::{World, secs};

fn name(text: &str) -> Name {
    Name::new(text)
}

/// What `check` saw of the alarm of web in a world prepared like that.
fn saw(check: Check, prepare: impl Fn(&mut World)) -> String {
    let mut world = World::new(&["web"]);
    prepare(&mut world);
    let chain = examine(&world.alarms[0], &world.view(), &world.state, world.now);
    chain.into_iter().find(|(its, _)| *its == check).unwrap().1.unwrap()
}

/// What `check` saw of web, which is due without an alarm.
fn saw_of_due(check: Check) -> String {
    let mut world = World::new(&[]);
    world.rules("web");
    world.state.due.insert(name("web"), Due { because: name("db"), since: world.now.boot });
    let chain = world.decide().start.remove(0).chain;
    chain.into_iter().find(|(its, _)| *its == check).unwrap().1
}

#[test]
fn the_row_and_what_was_asked_of_it_are_told() {
    assert_eq!(saw(Check::Named, |_| ()), "web (row 1)");
    assert_eq!(saw_of_due(Check::Named), "web");
    assert_eq!(saw(Check::Configured, |_| ()), "a section that can be used");
    assert_eq!(saw(Check::Unacknowledged, |_| ()), "sound = 0");
    assert_eq!(saw_of_due(Check::Unacknowledged), "there is no alarm to tick");
    assert_eq!(saw(Check::NotRunning, |_| ()), "no restart under way");
    assert_eq!(saw(Check::Override, |_| ()), "no hold by an operator");
    assert_eq!(saw(Check::NotHandled, |_| ()), "not handled yet");
    assert_eq!(saw_of_due(Check::NotHandled), "not handled yet");
    let marked = |row| {
        saw(Check::NotHandled, |world| {
            let recheck = world.now.boot;
            world.standing("web").handled.push(Handled { row: RowId(row), notes: None, recheck });
        })
    };
    assert_eq!(marked(1), "handled before, due to be looked at again");
    assert_eq!(marked(2), "not handled yet");
    assert_eq!(saw(Check::Observe, |_| ()), "to be acted on");
    assert_eq!(saw(Check::Intake, |_| ()), "pm takes on work");
}

#[test]
fn windows_that_do_not_cover_it_are_counted() {
    let with = |count| {
        saw(Check::Maintenance, |world| {
            for _ in 0..count {
                world.maintain("w", Scope::Process(name("other")));
            }
        })
    };
    assert_eq!(with(0), "no window is planned");
    assert_eq!(with(1), "no open window covers it, of 1 window");
    assert_eq!(with(3), "no open window covers it, of 3 windows");
}

#[test]
fn the_guard_tells_how_many_are_in_alarm_and_what_that_means() {
    let with = |stage, least, known| {
        saw(Check::MassAlarm, |world| {
            (world.state.mass.stage, world.limits.mass_min, world.known) = (stage, least, known);
        })
    };
    assert_eq!(with(Stage::None, 0, None), "no guard (mass_alarm_min = 0)");
    assert_eq!(with(Stage::None, 2, None), "1 in alarm, fewer than 2: no mass alarm");
    assert_eq!(with(Stage::None, 1, Some(9)), "1 in alarm of 9 rows: no mass alarm");
    assert_eq!(with(Stage::None, 1, None), "1 in alarm of ? rows: no mass alarm");
    let looking = Stage::Looking { since: crate::testing::NOON.boot };
    assert_eq!(with(looking, 1, Some(9)), "1 in alarm of 9 rows: only looked at, not restarted");
    assert_eq!(
        with(Stage::Held { looked: 5, healthy: 4 }, 1, Some(9)),
        "mass alarm, 4 of 5 looked at are healthy; this one is looked at, or was bad"
    );
    assert_eq!(with(Stage::Believed, 1, Some(9)), "1 in alarm of 9 rows, and believed");
    let bad = saw(Check::MassAlarm, |world| {
        world.state.mass.stage = Stage::Held { looked: 2, healthy: 1 };
        world.state.mass.suspects.insert(name("web"));
        world.state.mass.seen.insert(name("web"), (Condition::Bad, world.now.boot));
    });
    assert!(bad.starts_with("mass alarm, 1 of 2"));
}

#[test]
fn dependencies_are_told_with_their_wave_and_when_the_last_of_them_came_back() {
    assert_eq!(saw(Check::Dependency, |_| ()), "depends on nothing");
    let with = |restored: bool| {
        saw(Check::Dependency, |world| {
            world.relate("web>db db>disk");
            let at = world.ago(20);
            world.standing("disk").last_good = restored.then_some(at);
        })
    };
    assert_eq!(with(false), "wave 2; what it depends on is well");
    assert_eq!(with(true), "wave 2; what it depends on is well, the last of it came back 20 s ago");
}

#[test]
fn failures_of_the_driver_behind_it_are_counted() {
    let with = |failures: Option<u32>| {
        saw(Check::Driver, |world| {
            let driver = failures.map(|failures| (name("service"), Driver { failures, ..Driver::default() }));
            world.state.drivers.extend(driver);
        })
    };
    assert_eq!(with(None), "no failure of what its strategy depends on");
    assert_eq!(with(Some(1)), "1 failure in a row of what its strategy depends on");
    assert_eq!(with(Some(2)), "2 failures in a row of what its strategy depends on");
}

#[test]
fn the_breaker_tells_where_it_stands_and_what_is_left() {
    assert_eq!(saw(Check::Breaker, |_| ()), "closed, no restart that did not help");
    let with =
        |breaker: Breaker| saw(Check::Breaker, |world| world.standing("web").breaker = breaker.clone());
    let one = Breaker { failures: 1, level: 2, ..Breaker::default() };
    assert_eq!(with(one.clone()), "closed, 1 restart that did not help yet (opens at 3), level 2");
    let due = Breaker { state: breaker::State::HalfOpen(Probe::Due), ..one.clone() };
    assert_eq!(
        with(due),
        "half-open: exactly one restart decides (1 restart that did not help yet (opens at 3), level 2)"
    );
    // Whether the one on trial helps is not known yet; one that was before it did not.
    for (useless, told) in [
        (1, "closed, 0 restarts that did not help yet and one on trial (opens at 3), level 0"),
        (2, "closed, 1 restart that did not help yet and one on trial (opens at 3), level 0"),
    ] {
        let seen = saw(Check::Breaker, |world| {
            let now = world.now.boot;
            let its = world.standing("web");
            its.breaker.useless = vec![now; useless];
            its.trial = Some(OnTrial { rung: 0, since: now });
        });
        assert_eq!(seen, told);
    }
    let spent = Breaker { failures: 3, ..Breaker::default() };
    let looked = saw(Check::Breaker, |world| {
        world.table = Table::ReadOnly;
        world.standing("web").breaker = spent.clone();
    });
    assert_eq!(
        looked,
        "closed, 3 restarts that did not help yet (opens at 3), level 0: only looked at, because the alarm may be \
         older than the restart"
    );
    let bypassed = saw(Check::Breaker, |world| {
        world.rules("web").threshold = 0;
        world.standing("web").breaker = one.clone();
        world.order(Order::Bypass, Scope::All);
    });
    assert_eq!(
        bypassed,
        "bypassed by an operator (closed, 1 restart that did not help yet (opens at 1), level 2)"
    );
}

#[test]
fn the_group_tells_its_budget_and_who_is_in_trouble() {
    assert_eq!(saw(Check::Group, |_| ()), "in no group");
    let with = |prepare: &dyn Fn(&mut World)| {
        saw(Check::Group, |world| {
            world.relate("web:front");
            prepare(world);
        })
    };
    assert_eq!(with(&|world| world.groups.clear()), "front, without limits");
    assert_eq!(with(&|_| ()), "front: closed, 5 of 5 restarts left, 0 members of 6 in trouble");
    let limits = |budget: Budget, members: u32| {
        with(&|world| {
            let rules = world.groups.get_mut(&name("front")).unwrap();
            (rules.budget, rules.members) = (budget, members);
            let now = world.now.boot;
            world.group("front").troubled.insert(name("x"), now);
            world.group("front").state = GroupState::Releasing { batch: 2, begun: 0, good: 0 };
        })
    };
    assert_eq!(limits(Budget::NONE, 2), "front: releasing, no budget, 1 member of 2 in trouble");
    assert_eq!(limits(Budget::NONE, u32::MAX), "front: releasing, no budget, 1 member in trouble");
}

#[test]
fn the_pause_tells_when_the_last_restart_was_and_whether_it_is_over() {
    assert_eq!(saw(Check::Backoff, |_| ()), "no restart behind it");
    let with = |ended: Option<u64>, failures, prepare: fn(&mut World)| {
        saw(Check::Backoff, |world| {
            world.rules("web").pause.base = secs(10);
            let ended = ended.map(|ended| world.ago(ended));
            let standing = world.standing("web");
            (standing.last_end, standing.breaker.failures) = (ended, failures);
            prepare(world);
        })
    };
    assert_eq!(with(None, 1, |_| ()), "no restart behind it");
    assert_eq!(with(Some(30), 0, |_| ()), "last restart 30 s ago, nothing to wait for");
    assert_eq!(with(Some(30), 2, |_| ()), "last restart 30 s ago, pause of 20 s over");
    assert_eq!(with(Some(10), 1, |_| ()), "last restart 10 s ago, pause of 10 s over");
    assert_eq!(
        with(Some(12), 2, |world| world.order(Order::Bypass, Scope::All)),
        "last restart 12 s ago, pause of 20 s does not matter now"
    );
}

#[test]
fn limits_of_the_host_tell_what_is_left() {
    assert_eq!(saw(Check::Storm, |_| ()), "no limit (storm_limit = 0)");
    let storm = saw(Check::Storm, |world| {
        world.limits.storm = Budget { size: 3, refill: secs(6) };
        world.state.storm = Bucket { full_at: world.hence(6) };
    });
    assert_eq!(storm, "2 of 3 restarts left for this host");
    let running = saw(Check::Capacity, |world| {
        let since = world.now.boot;
        world.standing("x").in_flight = Some(InFlight { since, verify: Verify::AfterOnly });
    });
    assert_eq!(running, "1 of 10 restarts running");
}

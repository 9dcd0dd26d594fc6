//! What the beginning of a job takes, what an operator can make as new, and what a standing answers of itself.

use super::*;
use crate::breaker::Breaker;
use crate::bucket::Budget;
use crate::group::GroupState;
use crate::mass::Stage;
use crate::model::{Alarm, Handled, OnTrial, RowId};
use crate::testing::{NOON, World, alarm, job, rules, secs};
use crate::time::Ticks;

fn name(text: &str) -> Name {
    Name::new(text)
}

#[test]
fn a_restart_takes_of_all_that_is_scarce_and_a_look_of_nothing() {
    for (verify, takes) in [(Verify::AfterOnly, true), (Verify::First, true), (Verify::Only, false)] {
        let mut world = World::new(&[]);
        world.relate("web:front");
        world.limits.storm = Budget { size: 3, refill: secs(6) };
        world.group("front").state = GroupState::CanaryDue;
        world.rules("web").ladder = vec![name("service"), name("process")];
        for driver in ["service", "process"] {
            let until = Some(NOON.boot);
            world.state.drivers.insert(name(driver), Driver { failures: 3, until, trial: None });
        }
        world.begin(&Job { verify, rung: 1, ..job("web") });
        assert_eq!(world.standing("web").in_flight, Some(InFlight { since: NOON.boot, verify }));
        assert_eq!(world.state.running(), 1);
        let full_at = if takes { NOON.boot.after(secs(6)) } else { Ticks(0) };
        assert_eq!(world.state.storm.full_at, full_at);
        let canary = if takes { GroupState::CanaryRuns(name("web")) } else { GroupState::CanaryDue };
        assert_eq!(world.group("front").state, canary);
        assert_eq!(world.state.drivers[&name("process")].trial, takes.then(|| name("web")));
        assert_eq!(world.state.drivers[&name("service")].trial, None);
        assert_eq!(world.state.dirty.host, takes);
    }
}

#[test]
fn what_goes_on_from_an_earlier_pm_runs_and_takes_nothing_again() {
    let mut state = State::default();
    state.resumed(&name("web"), NOON);
    let expected = Standing {
        in_flight: Some(InFlight { since: NOON.boot, verify: Verify::AfterOnly }),
        ..Standing::default()
    };
    assert_eq!(state.standing(&name("web")), Some(&expected));
    assert_eq!((state.standing(&name("db")), state.running()), (None, 1));
    assert_eq!(state.dirty, Dirty::default());
    for who in ["db", "mail"] {
        state.resumed(&name(who), NOON);
    }
    assert_eq!(state.running(), 3);
}

fn full() -> Standing {
    Standing {
        breaker: Breaker { level: 2, ..Breaker::default() },
        in_flight: Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly }),
        handled: vec![Handled { row: RowId(1), notes: None, recheck: Ticks(2) }],
        pause: Some(Ticks(3)),
        last_good: Some(Ticks(4)),
        last_end: Some(Ticks(5)),
        ended: Some(Ticks(6)),
        alarm_since: Some(Ticks(7)),
        rung: 1,
        trial: Some(OnTrial { rung: 0, since: Ticks(8) }),
        after_window: true,
        waited: true,
    }
}

#[test]
fn a_reset_forgets_failures_and_keeps_what_runs_and_what_was_handled() {
    let mut state = State::default();
    state.standings.insert(name("web"), full());
    state.reset(&name("web"));
    let expected =
        Standing { breaker: Breaker::default(), pause: None, last_end: None, rung: 0, trial: None, ..full() };
    assert_eq!(state.standing(&name("web")), Some(&expected));
    assert_eq!(state.take_dirty().standings, [name("web")].into());
    assert_eq!(state.take_dirty(), Dirty::default(), "told once");
    state.reset(&name("stranger"));
    assert_eq!((state.standings.len(), state.take_dirty()), (1, Dirty::default()));
}

#[test]
fn a_group_is_as_new_after_its_reset_and_unknown_ones_change_nothing() {
    let mut state = State::default();
    state.reset_group(&name("front"));
    assert!(!state.dirty.host);
    state.groups.insert(name("front"), Group { level: 3, ..Group::default() });
    state.reset_group(&name("front"));
    assert!(state.groups.is_empty() && state.dirty.host);
    state.reset_group(&name("front"));
    assert!(state.dirty.host, "what is not stored yet stays so");
}

#[test]
fn nobody_waits_for_a_driver_that_was_put_right() {
    let mut world = World::new(&[]);
    let failing = || Driver { failures: 3, until: Some(NOON.boot), trial: None };
    world.state.drivers.insert(name("service"), failing());
    world.state.mended(&name("process"));
    assert!(!world.state.dirty.host && world.state.drivers.len() == 1);
    for _ in 0..2 {
        world.state.drivers.insert(name("service"), failing());
        world.state.mended(&name("service"));
        assert!(world.state.dirty.host && world.state.drivers.is_empty());
    }
}

#[test]
fn only_a_state_in_which_nothing_can_happen_is_at_rest() {
    let rest = State::default();
    assert!(rest.is_at_rest());
    let mut with = [rest.clone(), rest.clone(), rest.clone(), rest];
    with[0].standings.insert(name("web"), Standing::default());
    with[1].groups.insert(name("front"), Group::default());
    with[2].due.insert(name("web"), Due { because: name("db"), since: Ticks(1) });
    with[3].mass.stage = Stage::Believed;
    assert!(with.iter().all(|state| !state.is_at_rest()));
}

#[test]
fn a_mark_is_of_one_row_with_the_same_notes() {
    let with = |row, notes: Option<&str>| Alarm { notes: notes.map(str::to_owned), ..alarm(row, "web") };
    let marks = full();
    assert!(marks.handled(&with(1, None)).is_some());
    assert!(marks.handled(&with(2, None)).is_none());
    assert!(marks.handled(&with(1, Some(""))).is_none());
    assert!(marks.handled(&with(2, Some(""))).is_none());
}

#[test]
fn the_step_is_the_remembered_one_or_the_one_after_the_trial_within_the_ladder() {
    let step = |rung, trial: Option<u32>, steps: usize| {
        let rules = Rules { ladder: vec![name("x"); steps], ..rules() };
        let trial = trial.map(|rung| OnTrial { rung, since: Ticks(1) });
        Standing { rung, trial, ..Standing::default() }.step(&rules)
    };
    assert_eq!(step(0, None, 3), 0);
    assert_eq!(step(1, None, 3), 1);
    assert_eq!(step(2, None, 3), 2);
    assert_eq!(step(9, None, 3), 2, "the ladder was shortened");
    assert_eq!(step(0, Some(1), 3), 2);
    assert_eq!(step(0, Some(2), 3), 2);
    assert_eq!(step(0, Some(u32::MAX), 3), 2);
    assert_eq!(step(5, Some(5), 0), 0);
}

#[test]
fn a_poll_of_the_moment_of_the_end_proves_nothing() {
    let standing = Standing { ended: Some(Ticks(5)), ..Standing::default() };
    assert_eq!([4, 5, 6].map(|polled| standing.is_out_of_sight(Ticks(polled))), [true, true, false]);
    assert!(!Standing::default().is_out_of_sight(Ticks(0)));
}

#[test]
fn time_in_which_pm_did_not_run_proves_nothing() {
    let mut world = World::new(&[]);
    world.rules("web");
    let now = world.now.boot;
    let before = |seconds: u64| Some(Ticks(now.0 - seconds * 1000));
    let (ten, four, two) = (before(10), before(4), before(2));
    for (who, from) in [("old", ten), ("late", two), ("never", None)] {
        world.standing(who).breaker.quiet_from = from;
    }
    world.group("front").quiet_from = ten;
    world.group("front").proving_from = two;
    world.standing("now").breaker.quiet_from = Some(now);
    world.state.unseen(four.unwrap(), now);
    // Others read it, too, and must not take it for proven.
    let changed: Vec<_> = world.state.dirty.standings.iter().map(Name::as_str).collect();
    assert_eq!((changed, world.state.dirty.host), (vec!["late", "old"], true));
    assert_eq!(world.standing("old").breaker.quiet_from, before(6), "six seconds were seen, they end now");
    assert_eq!(world.standing("late").breaker.quiet_from, Some(now));
    assert_eq!(world.standing("never").breaker.quiet_from, None);
    assert_eq!(
        (world.group("front").quiet_from, world.group("front").proving_from),
        (Some(world.ago(6)), Some(now))
    );
    let mut alone = World::new(&[]);
    alone.state.unseen(now, now);
    assert!(!alone.state.dirty.host);
}

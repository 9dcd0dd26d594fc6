//! What is doubted and how it is looked at, what a bypass passes, who is a canary, and what the job is like.

use super::*;
use crate::breaker::{self, Breaker, Probe};
use crate::driver::Driver;
use crate::group::GroupState;
use crate::model::{Due, Handled, InFlight, OnTrial, Order, Plan, RowId, Scope, Verify};
use crate::testing::{NOON, World, secs};

fn name(text: &str) -> Name {
    Name::new(text)
}

fn started(plan: &Plan) -> Vec<&str> {
    plan.start.iter().map(|job| job.name.as_str()).collect()
}

fn ago(seconds: u64) -> Ticks {
    Ticks(NOON.boot.0 - seconds * 1000)
}

/// How the job for the only alarm, of web, looks before it acts.
fn verify(prepare: impl Fn(&mut World)) -> Verify {
    let mut world = World::new(&["web"]);
    prepare(&mut world);
    world.decide().start[0].verify
}

fn unchecked(prepare: impl Fn(&mut World)) -> Verify {
    verify(|world| {
        prepare(world);
        world.rules("web").check = Checked::Unchecked;
    })
}

fn good(world: &mut World, seconds: u64) {
    world.standing("web").last_good = Some(ago(seconds));
}

#[test]
fn an_alarm_is_doubted_for_each_of_its_reasons_and_only_where_there_is_a_check() {
    type Prepare = fn(&mut World);
    let mark = |recheck| Handled { row: RowId(1), notes: None, recheck };
    assert_eq!(verify(|_| ()), Verify::AfterOnly);
    let reasons: [Prepare; 6] = [
        |world| good(world, 59),
        |world| world.table = Table::ReadOnly,
        |world| world.sight = Sight::Blind,
        |world| world.rules("web").verify = Verify::First,
        |world| world.standing("web").after_window = true,
        |world| world.state.mass.suspects.extend([name("web")]),
    ];
    for reason in reasons {
        assert_eq!((verify(reason), unchecked(reason)), (Verify::First, Verify::AfterOnly));
    }
    assert_eq!(verify(|world| world.standing("web").handled.push(mark(NOON.boot))), Verify::First);
    let other =
        |world: &mut World| world.standing("web").handled.push(Handled { row: RowId(2), ..mark(NOON.boot) });
    assert_eq!(verify(other), Verify::AfterOnly, "the mark of another row");
}

#[test]
fn a_restart_of_its_own_is_doubted_as_long_as_the_alarm_began_shortly_after_it() {
    assert_eq!(verify(|world| good(world, 60)), Verify::AfterOnly);
    assert_eq!(verify(|world| good(world, 0)), Verify::First);
    let with = |good_ago, since_ago| {
        verify(|world| {
            good(world, good_ago);
            world.standing("web").alarm_since = Some(ago(since_ago));
        })
    };
    // It is older than the restart.
    assert_eq!(with(500, 800), Verify::First);
    assert_eq!(with(500, 500), Verify::First);
    assert_eq!(with(500, 441), Verify::First);
    assert_eq!(with(500, 440), Verify::AfterOnly);
}

#[test]
fn what_it_depends_on_gets_its_time_when_it_has_just_come_back() {
    let back = |db_ago: u64, tried: Option<u64>| {
        verify(|world| {
            world.relate("web>db");
            world.standing("db").last_good = Some(ago(db_ago));
            world.standing("web").last_end = tried.map(ago);
        })
    };
    assert_eq!(back(59, None), Verify::Patiently);
    assert_eq!(back(60, None), Verify::AfterOnly);
    assert_eq!(back(30, Some(31)), Verify::Patiently);
    assert_eq!(back(30, Some(30)), Verify::AfterOnly, "it was tried since");
    assert_eq!(back(30, Some(29)), Verify::AfterOnly);
}

#[test]
fn whoever_had_to_wait_is_looked_at_patiently() {
    let waited: fn(&mut World) = |world| world.standing("web").waited = true;
    assert_eq!((verify(waited), unchecked(waited)), (Verify::Patiently, Verify::AfterOnly));
}

#[test]
fn a_spent_breaker_is_only_looked_at_while_the_alarm_is_doubted() {
    let spent = |prepare: fn(&mut World)| {
        let mut world = World::new(&["web"]);
        world.standing("web").breaker = Breaker { useless: vec![NOON.boot; 3], ..Breaker::default() };
        prepare(&mut world);
        world.decide()
    };
    let plan = spent(|_| ());
    assert_eq!(plan.held, [(0, Hold::BreakerOpen { count: 3, until: NOON.boot })]);
    let plan = spent(|world| world.table = Table::ReadOnly);
    assert_eq!((plan.start[0].verify, &plan.start[0].cause), (Verify::Only, &Cause::Alarm));
    assert_eq!(plan.start[0].chain.len(), 11 + 3, "to the breaker, and what concerns a look");
    let plan = spent(|world| {
        world.alarms.clear();
        world.state.due.insert(name("web"), Due { because: name("db"), since: NOON.boot });
    });
    assert_eq!((started(&plan), plan.start[0].verify), (vec!["web"], Verify::AfterOnly));
}

#[test]
fn a_bypass_passes_breaker_and_group_hardly_waits_and_is_no_trial() {
    let prepare = || {
        let mut world = World::new(&["web"]);
        world.relate("web:front");
        world.rules("web").pause.base = secs(100);
        world.standing("web").last_end = Some(world.ago(10));
        world.standing("web").breaker.failures = 1;
        world
    };
    let mut world = prepare();
    assert_eq!(world.decide().held[0].1, Hold::Backoff { count: 1, until: world.hence(90) });
    world.order(Order::Bypass, Scope::Group(name("front")));
    assert_eq!(started(&world.decide()), ["web"]);
    // One that stays broken must not take all that this host may restart.
    world.standing("web").last_end = Some(world.ago(9));
    assert_eq!(world.decide().held[0].1, Hold::Backoff { count: 1, until: world.hence(1) });
    // A pause that is shorter by itself stays so.
    world.rules("web").pause.base = secs(9);
    assert_eq!(started(&world.decide()), ["web"]);
    world.rules("web").pause.base = secs(100);
    world.standing("web").last_end = Some(world.ago(10));
    world.group("front").state = GroupState::Open { until: NOON.boot.after(secs(9)) };
    assert_eq!(started(&world.decide()), ["web"]);
    world.standing("web").breaker.state = breaker::State::Open { until: NOON.boot.after(secs(9)) };
    assert_eq!(started(&world.decide()), ["web"]);
    world.standing("web").breaker.state = breaker::State::HalfOpen(Probe::Due);
    assert_eq!(world.decide().start[0].trial, Trial::No);
    let mut world = prepare();
    world.standing("web").breaker.state = breaker::State::HalfOpen(Probe::Due);
    assert_eq!(world.decide().start[0].trial, Trial::Probe, "a trial has waited longer than any pause");
    world.standing("web").breaker.state = breaker::State::Open { until: NOON.boot };
    assert_eq!(world.decide().start[0].trial, Trial::Probe);
}

#[test]
fn a_restart_on_trial_makes_wait_and_is_not_called_one_that_did_not_help() {
    let mut world = World::new(&["web"]);
    world.rules("web").pause.base = secs(10);
    let now = world.now.boot;
    world.standing("web").last_end = Some(now);
    for (useless, on_trial, count, until) in [(1, true, 0, 10), (2, true, 1, 20), (2, false, 2, 20)] {
        let its = world.standing("web");
        its.breaker.useless = vec![now; useless];
        its.trial = on_trial.then_some(OnTrial { rung: 0, since: now });
        assert_eq!(world.decide().held[0].1, Hold::Backoff { count, until: world.hence(until) });
    }
}

#[test]
fn the_pause_grows_with_restarts_that_did_not_help_and_is_over_at_its_end() {
    let mut rules = crate::testing::rules();
    rules.pause.base = secs(10);
    let ends = |rules: &Rules, failures, ended: Option<u64>| {
        let standing = Standing {
            breaker: Breaker { failures, ..Breaker::default() },
            last_end: ended.map(ago),
            ..Standing::default()
        };
        pause_ends(&name("web"), rules, &standing, NOON.boot)
    };
    assert_eq!(ends(&rules, 1, None), None);
    assert_eq!(ends(&rules, 0, Some(0)), None);
    assert_eq!(
        [1, 2, 3].map(|failures| ends(&rules, failures, Some(5))),
        [5, 15, 35].map(|at| Some(NOON.boot.after(secs(at))))
    );
    let jitter = Rules { pause_jitter: 50, ..rules.clone() };
    let spread = ends(&jitter, 1, Some(0)).unwrap().since(NOON.boot);
    assert!(spread != secs(10) && (secs(5)..=secs(15)).contains(&spread));
    let held = |seconds| {
        let mut world = World::new(&["web"]);
        world.rules("web").pause.base = secs(10);
        world.standing("web").breaker.failures = 1;
        world.standing("web").last_end = Some(ago(seconds));
        world.decide().held.len()
    };
    assert_eq!([9, 10, 11].map(held), [1, 0, 0]);
    rules.pause.base = Duration::ZERO;
    assert_eq!(ends(&rules, 2, Some(0)), None);
}

#[test]
fn pauses_of_process_and_driver_are_over_at_their_end() {
    let held = |until: u64, driver: bool| {
        let mut world = World::new(&["web"]);
        let until = Ticks(NOON.boot.0 - 1000 + until * 1000);
        if driver {
            world.state.drivers.insert(name("service"), Driver { until: Some(until), ..Driver::default() });
        } else {
            world.standing("web").pause = Some(until);
        }
        world.decide().held.into_iter().next().map(|(_, hold)| hold)
    };
    let until = NOON.boot.after(secs(1));
    assert_eq!([0, 1].map(|at| held(at, false)), [None, None]);
    assert_eq!(held(2, false), Some(Hold::DriverPause { until }));
    assert_eq!([0, 1].map(|at| held(at, true)), [None, None]);
    assert_eq!(held(2, true), Some(Hold::DriverOpen { driver: name("service"), until: Some(until) }));
    let both = |pause: u64, driver: Driver| {
        let mut world = World::new(&["web"]);
        world.standing("web").pause = Some(NOON.boot.after(secs(pause)));
        world.state.drivers.insert(name("service"), driver);
        world.decide().held[0].1.word()
    };
    let paused = |seconds| Driver { until: Some(NOON.boot.after(secs(seconds))), ..Driver::default() };
    // Of the two what ends later is told.
    assert_eq!([1, 2, 3].map(|pause| both(pause, paused(2))), ["driver-open", "driver-open", "driver-pause"]);
    let finds_out = Driver { trial: Some(name("db")), ..paused(0) };
    assert_eq!(both(9, finds_out), "driver-open");
    let mut world = World::new(&["web"]);
    world.rules("web").ladder.clear();
    assert_eq!(started(&world.decide()), ["web"], "no strategy, no driver");
}

#[test]
fn a_handled_row_is_quiet_until_it_is_looked_at_again_or_its_notes_are_others() {
    let held = |recheck: Ticks, notes: Option<&str>| {
        let mut world = World::new(&["web"]);
        let notes = notes.map(str::to_owned);
        world.standing("web").handled.push(Handled { row: RowId(1), notes, recheck });
        world.decide().held.len()
    };
    assert_eq!(held(NOON.boot.after(secs(1)), None), 1);
    assert_eq!(held(NOON.boot, None), 0);
    assert_eq!(held(NOON.boot.after(secs(1)), Some("other")), 0);
}

#[test]
fn the_step_after_the_one_on_trial_answers_an_alarm_and_the_remembered_one_a_dependency() {
    let mut world = World::new(&["web"]);
    world.rules("web").ladder = ["service", "process", "custom"].map(name).into();
    world.standing("web").rung = 1;
    assert_eq!(world.decide().start[0].rung, 1);
    world.standing("web").trial = Some(OnTrial { rung: 1, since: NOON.boot });
    assert_eq!(world.decide().start[0].rung, 2);
    world.standing("web").trial = Some(OnTrial { rung: 2, since: NOON.boot });
    assert_eq!(world.decide().start[0].rung, 2, "the last step is the last");
    world.alarms.clear();
    world.state.due.insert(name("web"), Due { because: name("db"), since: NOON.boot });
    assert_eq!(world.decide().start[0].rung, 1);
    world.state.standings.clear();
    assert_eq!(world.decide().start[0].rung, 0);
}

#[test]
fn who_is_due_is_no_part_of_a_mass_alarm_and_has_nothing_to_be_doubted() {
    let mut world = World::new(&[]);
    world.rules("web").verify = Verify::First;
    world.state.mass.stage = Stage::Looking { since: NOON.boot };
    world.state.mass.suspects.insert(name("web"));
    world.state.due.insert(name("web"), Due { because: name("db"), since: NOON.boot });
    let plan = world.decide();
    assert_eq!((started(&plan), plan.start[0].verify), (vec!["web"], Verify::AfterOnly));
}

#[test]
fn an_observer_decides_everything_and_does_nothing() {
    let mut world = World::new(&["web"]);
    world.intake = Intake::Observing;
    let would =
        |verify, by: &str, why: &str| Hold::Observed { verify, by: by.to_owned(), why: why.to_owned() };
    let observed = |by: &str, why: &str| would(Verify::AfterOnly, by, why);
    assert_eq!(world.decide().held, [(0, observed("pm run --observe", ""))]);
    world.intake = Intake::Open;
    world.order(Order::Observe, Scope::Process(name("web")));
    assert_eq!(world.decide().held, [(0, observed("anna", "test"))]);
    // What would be looked at first is not said to be restarted.
    world.rules("web").verify = Verify::First;
    assert_eq!(world.decide().held, [(0, would(Verify::First, "anna", "test"))]);
    world.state.mass.stage = Stage::Looking { since: NOON.boot };
    world.state.mass.suspects.insert(name("web"));
    assert_eq!(world.decide().held, [(0, would(Verify::Only, "anna", "test"))]);
    let chain = crate::decide::examine(&world.alarms[0], &world.view(), &world.state, world.now);
    let objection = chain.into_iter().find_map(|(_, saw)| saw.err());
    assert_eq!(objection, Some(would(Verify::Only, "anna", "test")));
    world.alarm(&["db"]);
    assert_eq!(started(&world.decide()), ["db"]);
}

/// A half-open group of a, b and c, which are in alarm.
fn half_open() -> World {
    let mut world = World::new(&["a", "b", "c", "other"]);
    world.relate("a:front b:front c:front");
    world.group("front").state = GroupState::CanaryDue;
    world
}

fn canary_of(world: &World) -> String {
    let plan = world.decide();
    let canary: Vec<_> = started(&plan).into_iter().filter(|name| *name != "other").collect();
    let behind = plan.held.iter().filter_map(|(_, hold)| match hold {
        Hold::GroupCanary { canary, .. } => Some(canary.as_str()),
        _ => None,
    });
    assert!(behind.into_iter().all(|told| canary.is_empty() || told == canary[0]));
    assert!(canary.len() <= 1);
    canary.concat()
}

#[test]
fn the_canary_is_the_one_nearest_to_the_root_then_the_most_critical_then_the_oldest() {
    let mut world = half_open();
    assert_eq!(canary_of(&world), "a");
    assert_eq!(world.decide().held.len(), 2);
    world.standing("c").alarm_since = Some(ago(50));
    assert_eq!(canary_of(&world), "c");
    world.rules("b").criticality = Criticality::High;
    assert_eq!(canary_of(&world), "b");
    world.relate("a:front b:front c:front b>db");
    assert_eq!(canary_of(&world), "c");
    // Whoever was tried in vain comes after all others, the one longest ago first.
    world.group("front").tried = [(name("c"), ago(5))].into();
    assert_eq!(canary_of(&world), "a");
    world.group("front").tried = [(name("a"), ago(4)), (name("b"), ago(6)), (name("c"), ago(5))].into();
    assert_eq!(canary_of(&world), "b");
    world.group("front").tried.clear();
    // Also when its open time has just ended and nobody has let time pass yet.
    world.group("front").state = GroupState::Open { until: NOON.boot };
    assert_eq!(canary_of(&world), "c");
    world.group("front").state = GroupState::Open { until: NOON.boot.after(secs(1)) };
    assert_eq!((canary_of(&world), world.decide().held.len()), (String::new(), 3));
}

#[test]
fn whoever_cannot_be_restarted_now_is_no_canary() {
    type Prepare = fn(&mut World);
    let prepared: [Prepare; 7] = [
        |world| world.alarms[0].acknowledged = true,
        |world| world.order(Order::Hold, Scope::Process(name("a"))),
        |world| world.order(Order::Observe, Scope::Process(name("a"))),
        |world| world.standing("a").breaker.state = breaker::State::Open { until: NOON.boot.after(secs(5)) },
        |world| world.standing("a").pause = Some(NOON.boot.after(secs(5))),
        |world| {
            world.rules("a").pause.base = secs(10);
            world.standing("a").breaker.failures = 1;
            world.standing("a").last_end = Some(NOON.boot);
        },
        |world| {
            world.standing("a").in_flight = Some(InFlight { since: NOON.boot, verify: Verify::AfterOnly });
        },
    ];
    for (at, prepare) in prepared.into_iter().enumerate() {
        let mut world = half_open();
        prepare(&mut world);
        assert_eq!(canary_of(&world), "b", "case {at}");
    }
    // What is over in a moment does not make another one the canary.
    let mut world = half_open();
    world.limits.parallel = 0;
    assert_eq!(world.decide().held.iter().filter(|(_, hold)| hold.word() == "group-canary").count(), 2);
}

#[test]
fn only_groups_with_limits_wait_for_a_canary_and_one_that_is_due_can_be_it() {
    let mut world = half_open();
    world.groups.clear();
    assert_eq!(world.decide().start.len(), 4);
    let mut world = half_open();
    world.alarm(&["other"]);
    world.state.due.insert(name("b"), Due { because: name("other"), since: NOON.boot });
    world.state.due.insert(name("c"), Due { because: name("other"), since: NOON.boot });
    let plan = world.decide();
    assert_eq!(started(&plan), ["other", "b"]);
    let behind = Hold::GroupCanary { group: name("front"), canary: name("b") };
    assert_eq!(plan.due_held, [(name("c"), behind)]);
}

#[test]
fn a_canary_on_probation_is_looked_at_when_it_is_doubted_and_everybody_else_waits() {
    for state in [
        GroupState::CanaryRuns(name("a")),
        GroupState::CanaryProbation { canary: name("a"), since: NOON.boot },
    ] {
        let mut world = half_open();
        world.group("front").state = state;
        let behind = Hold::GroupCanary { group: name("front"), canary: name("a") };
        assert_eq!(world.decide().held, [0, 1, 2].map(|index| (index, behind.clone())));
        world.table = Table::ReadOnly;
        let plan = world.decide();
        assert_eq!((started(&plan), plan.start[0].verify), (vec!["a", "other"], Verify::Only));
        assert_eq!(plan.held.len(), 2);
    }
}

#[test]
fn a_batch_is_let_go_within_one_round_and_the_rest_waits_for_it() {
    let mut world = half_open();
    world.group("front").state = GroupState::Releasing { batch: 2, begun: 0, good: 0 };
    let plan = world.decide();
    assert_eq!(started(&plan), ["a", "b", "other"]);
    assert_eq!(plan.held, [(2, Hold::GroupReleasing { group: name("front"), batch: 2 })]);
    world.group("front").state = GroupState::Closed;
    world.groups.get_mut(&name("front")).unwrap().budget.size = 1;
    let plan = world.decide();
    assert_eq!(started(&plan), ["a", "other"]);
    assert_eq!(plan.held[0], (1, Hold::GroupOpen { group: name("front"), until: None }));
}

#[test]
fn whether_the_last_restart_has_helped_after_all_need_not_wait_for_the_next_one() {
    let mut world = World::new(&["web"]);
    world.rules("web").pause.base = secs(100);
    let ended = world.ago(30);
    let standing = world.standing("web");
    standing.breaker.useless = vec![ended];
    (standing.last_end, standing.last_good) = (Some(ended), Some(ended));
    let plan = world.decide();
    assert_eq!((started(&plan), plan.start[0].verify), (vec!["web"], Verify::Only));
    // Found bad it waits for its restart, and is not looked at again and again.
    world.standing("web").last_good = None;
    assert_eq!(world.decide().held, [(0, Hold::Backoff { count: 1, until: world.hence(70) })]);
    // Nor is what nothing can look at.
    world.standing("web").last_good = Some(ended);
    world.rules("web").check = Checked::Unchecked;
    assert_eq!(world.decide().held, [(0, Hold::Backoff { count: 1, until: world.hence(70) })]);
    // What is due has no alarm that could be wrong.
    world.rules("web").check = Checked::ByCheck;
    world.alarm(&[]);
    world.state.due.insert(name("web"), Due { because: name("db"), since: NOON.boot });
    assert_eq!(world.decide().due_held[0].1.word(), "backoff");
}

#[test]
fn a_moment_that_has_passed_is_not_told_as_the_next_look() {
    for (since, recheck) in [(299, Some(1)), (300, None), (301, None)] {
        let mut world = World::new(&["web"]);
        world.rules("web").check = Checked::Unchecked;
        world.state.mass.stage = Stage::Looking { since: world.ago(since) };
        world.state.mass.suspects.insert(name("web"));
        let recheck = recheck.map(|seconds| world.hence(seconds));
        assert!(
            matches!(&world.decide().held[0].1, Hold::MassAlarm { recheck: told, .. } if *told == recheck),
            "{since}"
        );
    }
}

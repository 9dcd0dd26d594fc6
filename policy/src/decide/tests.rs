//! Every check on its own, their order, who goes first, and what holds of every plan.

use super::*;
use crate::bucket::{Bucket, Budget};
use crate::driver::Driver;
use crate::group::GroupState;
use crate::mass::Stage;
use crate::model::{
    Cause, Checked, Configured, Criticality, Due, Handled, InFlight, Intake, Order, RowId, Scope, Trouble,
    Verify,
};
use crate::testing::{NOON, World, secs};
use crate::{breaker, model};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn name(text: &str) -> Name {
    Name::new(text)
}

fn started(plan: &Plan) -> Vec<&str> {
    plan.start.iter().map(|job| job.name.as_str()).collect()
}

const HOUR: u64 = 3600;

/// What makes one check object to the alarm of web, and the reason that it gives.
type Case = (Check, fn(&mut World), fn() -> Hold);

fn in_seconds(seconds: u64) -> Ticks {
    NOON.boot.after(secs(seconds))
}

/// One case for each check that fails when the check is missing; nothing else objects.
const CASES: &[Case] = &[
    (
        Check::Named,
        |world| {
            world.rules(" \t");
            world.alarms[0].name = name(" \t");
        },
        || Hold::Unnamed,
    ),
    (Check::Configured, |world| world.configured.clear(), || Hold::NotConfigured),
    (Check::Unacknowledged, |world| world.alarms[0].acknowledged = true, || Hold::Acknowledged),
    (
        Check::NotRunning,
        |world| {
            world.standing("web").in_flight = Some(InFlight { since: Ticks(5), verify: Verify::AfterOnly });
        },
        || Hold::InFlight { since: Ticks(5) },
    ),
    (
        Check::Override,
        |world| world.order(Order::Hold, Scope::Process(name("web"))),
        || Hold::Overridden { by: "anna".to_owned(), why: "test".to_owned(), until: None },
    ),
    (
        Check::Maintenance,
        |world| world.maintain("night", Scope::All),
        || Hold::Maintenance {
            id: name("night"),
            reason: "disks".to_owned(),
            until: NOON.after(secs(HOUR)).wall,
        },
    ),
    (
        Check::NotHandled,
        |world| {
            let recheck = in_seconds(3);
            world.standing("web").handled.push(Handled { row: RowId(1), notes: None, recheck });
        },
        || Hold::Handled { recheck: in_seconds(3) },
    ),
    (
        Check::MassAlarm,
        |world| {
            world.rules("web").check = Checked::Unchecked;
            world.state.mass.stage = Stage::Held { looked: 9, healthy: 8 };
            world.state.mass.suspects.insert(name("web"));
        },
        || Hold::MassAlarm { healthy: Some((9, 8)), recheck: None },
    ),
    (
        Check::Dependency,
        |world| {
            world.relate("web>db");
            world.standing("db").in_flight = Some(InFlight { since: Ticks(5), verify: Verify::AfterOnly });
        },
        || Hold::Waiting { cause: name("db"), trouble: Trouble::Restarting },
    ),
    (
        Check::Driver,
        |world| world.standing("web").pause = Some(in_seconds(2)),
        || Hold::DriverPause { until: in_seconds(2) },
    ),
    (
        Check::Breaker,
        |world| {
            world.standing("web").breaker.state = breaker::State::Open { until: in_seconds(9) };
            world.standing("web").breaker.useless = vec![NOON.boot];
        },
        || Hold::BreakerOpen { count: 1, until: in_seconds(9) },
    ),
    (
        Check::Group,
        |world| {
            world.relate("web:front web>db");
            world.group("front").state = GroupState::Open { until: in_seconds(8) };
        },
        || Hold::GroupOpen { group: name("front"), until: Some(in_seconds(8)) },
    ),
    (
        Check::Backoff,
        |world| {
            world.rules("web").pause.base = secs(10);
            let (ended, began) = (world.ago(3), world.ago(4));
            world.standing("web").last_end = Some(ended);
            world.standing("web").breaker.useless.push(began);
        },
        || Hold::Backoff { count: 1, until: in_seconds(7) },
    ),
    (
        Check::Storm,
        |world| {
            world.limits.storm = Budget { size: 1, refill: secs(6) };
            world.state.storm = Bucket { full_at: in_seconds(4) };
        },
        || Hold::Storm { limit: 1, until: in_seconds(4) },
    ),
    (
        Check::Observe,
        |world| world.order(Order::Observe, Scope::All),
        || Hold::Observed { verify: Verify::AfterOnly, by: "anna".to_owned(), why: "test".to_owned() },
    ),
    (Check::Intake, |world| world.intake = Intake::Stopping, || Hold::Stopping),
    (Check::Capacity, |world| world.limits.parallel = 0, || Hold::Capacity { limit: 0 }),
];

#[test]
fn every_check_has_a_case_in_which_it_alone_objects() {
    assert_eq!(CASES.iter().map(|case| case.0).collect::<Vec<_>>(), Check::ALL);
    for (check, prepare, hold) in CASES {
        let mut world = World::new(&["web"]);
        prepare(&mut world);
        let hold = hold();
        let plan = world.decide();
        assert_eq!((plan.held, plan.start.len()), (vec![(0, hold.clone())], 0), "{check:?}");
        assert_eq!(plan.wake_at, hold.ends(NOON), "{check:?}");
        let view = world.view();
        let chain = examine(&world.alarms[0], &view, &world.state, NOON);
        let objections: Vec<_> = chain.iter().filter(|(_, saw)| saw.is_err()).cloned().collect();
        assert_eq!(objections, [(*check, Err(hold.clone()))], "nothing else objects");
        assert!(chain.iter().all(|(_, saw)| saw.as_ref().map_or(true, |saw| !saw.is_empty())));
        // Of what has no name or no section nothing else can be known.
        let asked = if *check <= Check::Configured { chain.len() } else { Check::ALL.len() };
        assert_eq!(chain.iter().map(|(check, _)| *check).collect::<Vec<_>>(), Check::ALL[..asked]);
        assert_eq!(asked == chain.len() && *check <= Check::Configured, chain.len() < Check::ALL.len());
        let examiner = Examiner::new(&view, &world.state, NOON);
        assert_eq!(examiner.objection(&world.alarms[0], &[Check::Named, *check]), Some(hold));
        let others: Vec<Check> = Check::ALL.into_iter().filter(|other| other != check).collect();
        assert_eq!(examiner.objection(&world.alarms[0], &others), None);
        assert_eq!(examiner.job(&world.alarms[0]), None);
    }
}

#[test]
fn of_two_objections_the_earlier_check_gives_the_reason_and_both_are_told() {
    for (at, (check, prepare, hold)) in CASES.iter().enumerate() {
        for (later, prepare_later, _) in &CASES[at + 1..] {
            let mut world = World::new(&["web"]);
            prepare_later(&mut world);
            prepare(&mut world);
            assert_eq!(world.decide().held, [(0, hold())], "{check:?} before {later:?}");
            let chain = examine(&world.alarms[0], &world.view(), &world.state, NOON);
            let told = chain.iter().any(|(check, saw)| check == later && saw.is_err());
            // Two of them change what others are prepared from.
            let replaced =
                *check <= Check::Configured || (*check, *later) == (Check::Dependency, Check::Group);
            assert!(told || replaced, "{later:?} after {check:?}");
        }
    }
}

#[test]
fn an_alarm_without_an_objection_is_started_and_the_job_tells_what_each_check_saw() {
    let world = World::new(&["web", "db"]);
    let plan = world.decide();
    assert_eq!(started(&plan), ["web", "db"]);
    assert_eq!((plan.held.len(), plan.due_held.len(), plan.wake_at), (0, 0, None));
    let job = &plan.start[1];
    assert_eq!((&job.cause, job.verify, job.rung), (&Cause::Alarm, Verify::AfterOnly, 0));
    assert_eq!(job.chain.iter().map(|(check, _)| *check).collect::<Vec<_>>(), Check::ALL);
    let view = world.view();
    let examiner = Examiner::new(&view, &world.state, NOON);
    assert_eq!(examiner.job(&world.alarms[1]).as_ref().map(|its| &its.name), Some(&job.name));
    let chain: Vec<_> =
        examiner.chain(&world.alarms[0]).into_iter().map(|(c, saw)| (c, saw.unwrap())).collect();
    assert_eq!(chain, plan.start[0].chain);
}

#[test]
fn words_of_checks_are_distinct_and_the_order_is_theirs() {
    let words: BTreeSet<_> = Check::ALL.iter().map(|check| check.word()).collect();
    assert_eq!(words.len(), 17);
    assert!(words.iter().all(|word| !word.is_empty() && *word != "xyzzy"));
    assert!(Check::ALL.is_sorted());
    assert_eq!((Check::NotRunning.word(), Check::Storm.word()), ("in flight", "storm limit"));
}

#[test]
fn rows_of_one_name_share_one_restart_except_those_that_are_held_themselves() {
    let mut world = World::new(&["web", "web", "web", "db", "web"]);
    world.alarms[1].acknowledged = true;
    world.alarms[0].row = RowId(9);
    let recheck = in_seconds(5);
    world.standing("web").handled.push(Handled { row: RowId(5), notes: None, recheck });
    world.limits.parallel = 2;
    let plan = world.decide();
    assert_eq!(started(&plan), ["web", "db"]);
    assert_eq!(plan.start[0].alarms.iter().map(|alarm| alarm.row.0).collect::<Vec<_>>(), [3, 9]);
    assert_eq!(plan.held, [(1, Hold::Acknowledged), (4, Hold::Handled { recheck })]);
    assert_eq!(plan.wake_at, Some(recheck));
}

#[test]
fn the_most_critical_goes_first_then_the_root_then_the_oldest_then_the_first_row() {
    let mut world = World::new(&["low", "young", "old", "leaf", "critical", "high", "young2"]);
    world.rules("low").criticality = Criticality::Low;
    world.rules("critical").criticality = Criticality::Critical;
    world.rules("high").criticality = Criticality::High;
    world.relate("leaf>root");
    let (old, older) = (world.ago(60), world.ago(90));
    world.standing("old").alarm_since = Some(old);
    world.standing("leaf").alarm_since = Some(older);
    assert_eq!(started(&world.decide()), ["critical", "high", "old", "young", "young2", "leaf", "low"]);
    world.limits.parallel = 3;
    let plan = world.decide();
    assert_eq!(started(&plan), ["critical", "high", "old"]);
    assert_eq!(plan.held.iter().map(|(index, _)| *index).collect::<Vec<_>>(), [0, 1, 3, 6]);
    assert!(plan.held.iter().all(|(_, hold)| *hold == Hold::Capacity { limit: 3 }));
    let view = world.view();
    let examiner = Examiner::new(&view, &world.state, NOON);
    assert_eq!(["leaf", "root", "old"].map(|who| examiner.wave(&name(who))), [1, 0, 0]);
    assert_eq!(examiner.asked(), [4, 5, 2, 1, 6, 3, 0]);
}

#[test]
fn what_runs_counts_against_the_limit_and_what_is_taken_in_a_round_is_gone() {
    let mut world = World::new(&["a", "b", "c"]);
    world.standing("x").in_flight = Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
    world.limits.parallel = 3;
    assert_eq!(started(&world.decide()), ["a", "b"]);
    world.limits.storm = Budget { size: 1, refill: secs(6) };
    let plan = world.decide();
    assert_eq!(started(&plan), ["a"]);
    assert_eq!(plan.held[0], (1, Hold::Storm { limit: 1, until: in_seconds(6) }));
    assert_eq!(plan.wake_at, Some(in_seconds(6)));
}

#[test]
fn the_plan_wakes_at_the_first_end_of_a_reason() {
    let mut world = World::new(&["a", "b", "c"]);
    world.standing("a").pause = Some(in_seconds(7));
    world.standing("b").pause = Some(in_seconds(3));
    world.alarms[2].acknowledged = true;
    assert_eq!(world.decide().wake_at, Some(in_seconds(3)));
}

#[test]
fn whoever_is_due_is_restarted_once_and_a_handled_alarm_does_not_speak_for_it() {
    let mut world = World::new(&["both", "marked", "ticked"]);
    world.relate("both>db marked>db quiet>db held>db ticked>db");
    world.alarms[2].acknowledged = true;
    for who in ["both", "marked", "quiet", "held", "ticked"] {
        world.state.due.insert(name(who), Due { because: name("db"), since: NOON.boot });
    }
    world.standing("marked").handled.push(Handled { row: RowId(2), notes: None, recheck: in_seconds(50) });
    world.standing("held").pause = Some(in_seconds(9));
    let plan = world.decide();
    assert_eq!(started(&plan), ["both", "marked", "quiet"]);
    for job in &plan.start {
        assert_eq!((&job.cause, job.verify), (&Cause::Dependency(name("db")), Verify::AfterOnly));
        assert_eq!(job.alarms.len(), usize::from(job.name == name("both")));
    }
    assert_eq!(plan.due_held, [(name("held"), Hold::DriverPause { until: in_seconds(9) })]);
    assert_eq!(plan.wake_at, Some(in_seconds(9)));
    assert_eq!(plan.held.len(), 2);
    world.limits.parallel = 1;
    let plan = world.decide();
    assert_eq!(started(&plan), ["both"]);
    assert!(plan.due_held.contains(&(name("quiet"), Hold::Capacity { limit: 1 })));
}

#[test]
fn a_job_that_only_looks_needs_a_place_and_a_driver_but_nothing_else_that_is_scarce() {
    let looking = || {
        let mut world = World::new(&["web"]);
        world.relate("web:front");
        world.state.mass.stage = Stage::Looking { since: NOON.boot };
        world.state.mass.suspects.insert(name("web"));
        world.limits.storm = Budget { size: 1, refill: secs(6) };
        world.state.storm = Bucket { full_at: in_seconds(4) };
        world.standing("web").breaker.state = breaker::State::Open { until: in_seconds(9) };
        world.group("front").state = GroupState::Open { until: in_seconds(8) };
        world
    };
    let plan = looking().decide();
    let job = &plan.start[0];
    assert_eq!((&job.cause, job.verify), (&Cause::MassAlarm, Verify::Only));
    let asked = [
        &Check::ALL[..=Check::MassAlarm as usize],
        &[Check::Driver, Check::Observe, Check::Intake, Check::Capacity],
    ]
    .concat();
    assert_eq!(job.chain.iter().map(|(check, _)| *check).collect::<Vec<_>>(), asked);
    let world = looking();
    let chain = examine(&world.alarms[0], &world.view(), &world.state, NOON);
    assert_eq!(chain.iter().map(|(check, _)| *check).collect::<Vec<_>>(), asked);
    for (check, prepare, hold) in CASES.iter().filter(|case| asked[8..].contains(&case.0)) {
        let mut world = looking();
        prepare(&mut world);
        let hold = match hold() {
            Hold::Observed { by, why, .. } => Hold::Observed { verify: Verify::Only, by, why },
            hold => hold,
        };
        assert_eq!(world.decide().held, [(0, hold)], "{check:?}");
    }
}

#[test]
fn one_job_finds_out_whether_a_driver_works_again() {
    let mut world = World::new(&["a", "b", "c"]);
    world.rules("c").ladder = vec![name("process")];
    let driver = Driver { failures: 3, until: Some(in_seconds(0)), trial: None };
    world.state.drivers.insert(name("service"), driver.clone());
    let plan = world.decide();
    assert_eq!(started(&plan), ["a", "c"]);
    assert_eq!(plan.held, [(1, Hold::DriverOpen { driver: name("service"), until: None })]);
    let paused = Driver { until: Some(in_seconds(5)), ..driver };
    world.state.drivers.insert(name("service"), paused);
    let plan = world.decide();
    assert_eq!(started(&plan), ["c"]);
    assert_eq!(plan.wake_at, Some(in_seconds(5)));
}

/// A world made of a few dice.
fn worlds() -> impl Strategy<Value = World> {
    let rows = prop::collection::vec((0_usize..7, any::<bool>()), 0..14);
    let what = prop::collection::vec((0_u8..16, 0_usize..6), 0..8);
    (rows, what, 0_usize..5, 0_u32..4).prop_map(|(rows, what, parallel, storm)| {
        let names = ["n0", "n1", "n2", "n3", "n4", "n5", ""];
        let mut world = World::new(&rows.iter().map(|(number, _)| names[*number]).collect::<Vec<_>>());
        for (alarm, (_, ticked)) in world.alarms.iter_mut().zip(&rows) {
            alarm.acknowledged = *ticked;
        }
        world.relate("n1>n0 n2>n1 n3:g n4:g n5:g");
        world.limits.parallel = parallel;
        world.limits.storm = Budget { size: storm, refill: secs(6) };
        for (kind, number) in what {
            let who = names[number];
            match kind {
                0 => {
                    world.standing(who).in_flight =
                        Some(InFlight { since: Ticks(3), verify: Verify::AfterOnly });
                }
                1 => world.standing(who).breaker.state = breaker::State::Open { until: in_seconds(5) },
                2 => world.standing(who).breaker.state = breaker::State::HalfOpen(breaker::Probe::Due),
                3 => world.standing(who).pause = Some(in_seconds(4)),
                4 => world.order(Order::Hold, Scope::Process(name(who))),
                5 => world.order(Order::Bypass, Scope::Process(name(who))),
                6 => world.maintain("w", Scope::Process(name(who))),
                7 => world.group("g").state = GroupState::CanaryDue,
                8 => world.group("g").state = GroupState::Releasing { batch: 2, begun: 1, good: 0 },
                9 => world.standing(who).last_good = Some(NOON.boot),
                10 => drop(world.state.due.insert(name(who), Due { because: name("n0"), since: Ticks(1) })),
                11 => drop(world.state.mass.suspects.insert(name(who))),
                12 => world.state.mass.stage = Stage::Looking { since: NOON.boot },
                13 => drop(world.configured.insert(name(who), Configured::No)),
                14 => world.standing(who).breaker.useless = vec![NOON.boot; 3],
                _ => world.rules(who).criticality = Criticality::High,
            }
        }
        world
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Every alarm is started or held, no name has two jobs, no limit is exceeded, the same is decided again, and what
    /// the chain of an alarm says is what was decided of it.
    #[test]
    fn whatever_the_world_is_like_a_plan_is_whole(world in worlds()) {
        let plan = world.decide();
        prop_assert_eq!(&plan, &world.decide());
        let rows: Vec<RowId> = plan.start.iter().flat_map(|job| &job.alarms).map(|alarm| alarm.row).collect();
        let held: Vec<RowId> = plan.held.iter().map(|(index, _)| world.alarms[*index].row).collect();
        let all: BTreeSet<_> = rows.iter().chain(&held).collect();
        prop_assert_eq!((all.len(), rows.len() + held.len()), (world.alarms.len(), world.alarms.len()));
        let names: BTreeSet<_> = started(&plan).into_iter().collect();
        prop_assert_eq!(names.len(), plan.start.len());
        prop_assert!(plan.start.is_empty() || world.state.running() + plan.start.len() <= world.limits.parallel);
        let restarts = plan.start.iter().filter(|job| job.verify != Verify::Only).count();
        prop_assert!(world.limits.storm.size == 0 || restarts <= world.limits.storm.size as usize);
        let canary = world.state.groups.get(&name("g")).is_some_and(|its| its.state == GroupState::CanaryDue);
        let members = plan.start.iter().filter(|job| job.verify != Verify::Only && ["n3", "n4", "n5"].contains(&job.name.as_str()));
        let bypassed = |who: &Name| world.overrides.iter().any(|its| its.order == Order::Bypass && its.scope.covers(who, None));
        prop_assert!(!canary || members.filter(|job| !bypassed(&job.name)).count() <= 1);
        let due: BTreeSet<_> = plan.due_held.iter().map(|(name, _)| name.as_str()).collect();
        prop_assert!(due.is_disjoint(&names));
        let ends = plan.held.iter().map(|(_, hold)| hold).chain(plan.due_held.iter().map(|(_, hold)| hold));
        let ahead = ends.filter_map(|hold| hold.ends(world.now)).filter(|at| *at > world.now.boot);
        prop_assert_eq!(plan.wake_at, ahead.min());
        for (index, hold) in &plan.held {
            let chain = examine(&world.alarms[*index], &world.view(), &world.state, world.now);
            let first = chain.iter().find_map(|(_, saw)| saw.as_ref().err());
            // What others took in this round is not known to a chain of its own.
            let scarce = matches!(hold, Hold::Capacity { .. } | Hold::Storm { .. } | Hold::GroupCanary { .. } | Hold::GroupReleasing { .. });
            prop_assert!(scarce || first == Some(hold), "{:?} {:?}", hold, first);
        }
        for job in &plan.start {
            prop_assert!(job.alarms.iter().all(|alarm: &model::Alarm| alarm.name == job.name && !alarm.acknowledged));
            prop_assert!(world.state.standing(&job.name).is_none_or(|its| its.in_flight.is_none()));
        }
    }
}

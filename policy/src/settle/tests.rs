//! What follows from each end of a job, for the process, its group, its driver, the host and the table.

use super::*;
use crate::breaker::{self, Breaker, Probe};
use crate::bucket::{Bucket, Budget};
use crate::group::GroupState;
use crate::mass::Stage;
use crate::model::InFlight;
use crate::testing::{World, alarm, job, outcome, secs};

const STORM: Budget = Budget { size: 3, refill: Duration::from_secs(6) };

fn name(text: &str) -> Name {
    Name::new(text)
}

/// A world in which web has been running a job for five seconds.
fn running() -> World {
    let mut world = World::new(&["web"]);
    let since = world.ago(5);
    world.standing("web").in_flight = Some(InFlight { since, verify: Verify::AfterOnly });
    world
}

fn half_open(probe: Probe) -> Breaker {
    Breaker { state: breaker::State::HalfOpen(probe), level: 1, ..Breaker::default() }
}

fn on_trial(world: &mut World) {
    let since = world.ago(100);
    world.standing("web").trial = Some(OnTrial { rung: 0, since });
}

fn handled(row: i64) -> Handled {
    Handled { row: RowId(row), notes: None, recheck: Ticks(0) }
}

#[test]
fn a_restart_that_helped_is_remembered_clears_its_rows_and_has_to_prove_itself() {
    let mut world = running();
    let (now, began) = (world.now.boot, world.ago(5));
    let standing = world.standing("web");
    standing.pause = Some(Ticks(1));
    standing.after_window = true;
    standing.alarm_since = Some(began);
    standing.breaker.failures = 1;
    standing.breaker.useless = vec![Ticks(1)];
    let settled = world.settle(&job("web"), &outcome(End::Restarted));
    let expected = Standing {
        breaker: Breaker { useless: vec![Ticks(1), began], quiet_from: Some(now), ..Breaker::default() },
        handled: vec![Handled { recheck: world.hence(60), ..handled(1) }],
        last_good: Some(now),
        last_end: Some(now),
        ended: Some(now),
        trial: Some(OnTrial { rung: 0, since: now }),
        ..Standing::default()
    };
    assert_eq!(world.state.standings[&name("web")], expected);
    let clear = Clear { row: RowId(1), notes: None, restarted_at: Some(world.now.wall) };
    assert_eq!(settled, Settlement { clear: vec![clear], ..Settlement::default() });
    let dirty = world.state.take_dirty();
    assert_eq!((dirty.standings.len(), dirty.host), (1, false));
}

#[test]
fn an_alarm_that_the_job_was_not_about_still_stands() {
    let mut world = running();
    let since = world.ago(9);
    world.standing("web").alarm_since = Some(since);
    let settled = world.settle(&Job { alarms: Vec::new(), ..job("web") }, &outcome(End::Restarted));
    assert_eq!((world.standing("web").alarm_since, settled.clear.len()), (Some(since), 0));
}

#[test]
fn a_restart_by_hand_began_when_it_is_told_and_touches_no_job_that_is_running() {
    let mut world = running();
    let in_flight = world.standing("web").in_flight;
    let _ = world.count(&Job::by_hand(&name("web"), Trial::No), &outcome(End::Restarted));
    let now = world.now.boot;
    let standing = world.standing("web");
    assert_eq!((standing.in_flight, standing.ended), (in_flight, None));
    assert_eq!((standing.breaker.useless.clone(), standing.last_end), (vec![now], Some(now)));
    let _ = world.settle(&job("web"), &outcome(End::Cancelled));
    let standing = world.standing("web");
    assert_eq!((standing.in_flight, standing.ended), (None, Some(now)));
}

#[test]
fn what_is_scarce_comes_back_only_when_no_restart_was_made_and_none_is_still_to_come() {
    let by_hand = Job::by_hand(&name("web"), Trial::No);
    let looked = Job { verify: Verify::Only, ..job("web") };
    for (job, end, attempts, comes_back) in [
        (job("web"), End::AlreadyHealthy, 0, true),
        (job("web"), End::Infrastructure, 0, true),
        (job("web"), End::Cancelled, 0, true),
        (job("web"), End::AlreadyHealthy, 1, false),
        (job("web"), End::HandedOver, 0, false),
        (job("web"), End::HandedOver, 1, false),
        (looked.clone(), End::AlreadyHealthy, 0, false),
        (looked, End::HandedOver, 0, false),
        (by_hand, End::Cancelled, 0, false),
    ] {
        let mut world = running();
        world.limits.storm = STORM;
        world.state.storm = Bucket::default().taken(STORM, world.now.boot);
        let _ = world.settle(&job, &Outcome::new(end, attempts, ""));
        let left = world.state.storm.left(STORM, world.now.boot);
        assert_eq!(left, Some(if comes_back { 3 } else { 2 }), "{end:?} {attempts} {:?}", job.cause);
        assert_eq!(world.state.dirty.host, comes_back);
    }
}

#[test]
fn a_restart_for_the_sake_of_a_dependency_counts_only_as_the_trial_of_a_half_open_breaker() {
    let for_db = Job { cause: Cause::Dependency(name("db")), alarms: Vec::new(), ..job("web") };
    let mut world = running();
    let now = world.now.boot;
    world.standing("web").breaker =
        Breaker { level: 1, failures: 2, quiet_from: Some(Ticks(7)), ..Breaker::default() };
    let _ = world.settle(&for_db, &outcome(End::Restarted));
    let standing = world.standing("web");
    assert_eq!(standing.breaker, Breaker { level: 1, quiet_from: Some(now), ..Breaker::default() });
    assert_eq!((standing.trial, standing.last_good), (None, Some(now)));
    let mut world = running();
    world.standing("web").breaker = half_open(Probe::Due);
    let _ = world.settle(&Job { trial: Trial::Probe, ..for_db }, &outcome(End::Restarted));
    let standing = world.standing("web");
    assert_eq!(standing.breaker.state, breaker::State::HalfOpen(Probe::Used));
    assert!(standing.trial.is_some());
}

#[test]
fn the_step_that_acted_is_on_trial_or_else_the_one_the_job_began_with() {
    for (acted, expected) in [(Some(2), 2), (None, 1)] {
        let mut world = running();
        let outcome = Outcome { rung: acted, ..outcome(End::Restarted) };
        let _ = world.settle(&Job { rung: 1, ..job("web") }, &outcome);
        assert_eq!(world.standing("web").trial.unwrap().rung, expected);
    }
}

#[test]
fn a_second_restart_says_that_the_first_did_not_last_except_for_a_dependency_or_by_hand() {
    let of = |cause: Cause| {
        let mut world = running();
        world.relate("web:front");
        world.rules("web").ladder = vec![name("service"), name("process")];
        on_trial(&mut world);
        let settled = world.settle(&Job { cause, ..job("web") }, &outcome(End::Restarted));
        let troubled = world.group("front").troubled.len();
        (settled.notices, world.standing("web").rung, troubled)
    };
    let relapsed = Notice::Relapsed { name: name("web"), after_ms: 100_000, rung: 1 };
    assert_eq!(of(Cause::Alarm), (vec![relapsed], 1, 1));
    assert_eq!(of(Cause::Operator), (vec![], 0, 0));
    assert_eq!(of(Cause::Dependency(name("db"))), (vec![], 0, 0));
    let mut first = running();
    first.relate("web:front");
    let settled = first.settle(&job("web"), &outcome(End::Restarted));
    assert_eq!((settled.notices.len(), first.group("front").troubled.len()), (0, 0));
}

#[test]
fn dependents_are_due_when_their_section_says_so_and_whoever_was_restarted_is_due_no_more() {
    for (dependents, due) in [(Dependents::Restart, vec!["app", "mail"]), (Dependents::Leave, vec!["mail"])] {
        let mut world = running();
        world.relate("app>web mail>web top>app");
        world.rules("web").dependents = dependents;
        let before = Due { because: name("db"), since: Ticks(1) };
        world.state.due.insert(name("mail"), before.clone());
        let _ = world.settle(&job("web"), &outcome(End::Restarted));
        assert_eq!(world.state.due.keys().map(Name::as_str).collect::<Vec<_>>(), due);
        assert_eq!(world.state.due[&name("mail")], before);
        assert_eq!(world.state.take_dirty().host, dependents == Dependents::Restart);
        if dependents == Dependents::Restart {
            let since = world.now.boot;
            assert_eq!(world.state.due[&name("app")], Due { because: name("web"), since });
            let _ = world.settle(&job("app"), &outcome(End::Restarted));
            assert_eq!(world.state.due.keys().collect::<Vec<_>>(), [&name("mail")]);
            assert!(world.state.dirty.host);
        }
    }
}

#[test]
fn a_healthy_process_is_cleared_without_a_stamp_and_its_quiet_lacks_the_time_nobody_knew() {
    for (alarm_ago, lost) in [(Some(20), 20), (Some(3), 5), (None, 5)] {
        let mut world = running();
        let (from, now) = (world.ago(100), world.now.boot);
        let since = alarm_ago.map(|ago| world.ago(ago));
        let standing = world.standing("web");
        (standing.after_window, standing.alarm_since) = (true, since);
        standing.breaker = Breaker { level: 1, failures: 1, quiet_from: Some(from), ..Breaker::default() };
        let settled = world.settle(&job("web"), &Outcome::new(End::AlreadyHealthy, 0, ""));
        assert_eq!(settled.clear, [Clear { row: RowId(1), notes: None, restarted_at: None }]);
        let standing = world.standing("web");
        assert_eq!((standing.after_window, standing.alarm_since, standing.last_good), (false, None, None));
        assert_eq!(standing.breaker.quiet_from, Some(from.after(secs(lost))));
        assert_eq!((standing.breaker.failures, standing.ended), (0, Some(now)));
    }
}

#[test]
fn in_a_mass_alarm_only_the_guard_learns_what_a_look_brought() {
    for (end, condition) in [(End::AlreadyHealthy, Condition::Healthy), (End::Unhealthy, Condition::Bad)] {
        let mut world = running();
        let now = world.now.boot;
        world.state.mass.stage = Stage::Looking { since: Ticks(5) };
        on_trial(&mut world);
        world.standing("web").breaker = Breaker { useless: vec![now; 3], ..Breaker::default() };
        world.standing("web").handled = vec![handled(1)];
        let looked = Job { cause: Cause::MassAlarm, verify: Verify::Only, ..job("web") };
        let settled = world.settle(&looked, &Outcome::new(end, 0, ""));
        assert_eq!(world.state.mass.seen[&name("web")], (condition, now));
        assert!(world.state.dirty.host);
        assert!(settled.clear.is_empty() && settled.notices.is_empty());
        assert_eq!(settled.withdraw.len(), usize::from(condition == Condition::Bad));
        let standing = world.standing("web");
        assert!(standing.trial.is_some() && standing.breaker.level == 0);
    }
}

#[test]
fn a_look_that_finds_it_bad_is_a_relapse_and_opens_what_is_spent() {
    let look = |trial: bool, useless: usize| {
        let mut world = running();
        world.relate("web:front");
        if trial {
            on_trial(&mut world);
        }
        let now = world.now.boot;
        let standing = world.standing("web");
        standing.last_good = Some(now);
        standing.breaker.useless = vec![now; useless];
        let job = Job { verify: Verify::Only, ..job("web") };
        let settled = world.settle(&job, &Outcome::new(End::Unhealthy, 0, ""));
        assert_eq!(world.standing("web").last_good, None);
        (settled.notices, world.group("front").troubled.len())
    };
    let until = World::new(&[]).hence(300);
    let opened = Notice::BreakerOpened { name: name("web"), count: 3, level: 1, until };
    let relapsed = Notice::Relapsed { name: name("web"), after_ms: 100_000, rung: 0 };
    assert_eq!(look(false, 2), (vec![], 0));
    assert_eq!(look(true, 2), (vec![relapsed.clone()], 1));
    assert_eq!(look(false, 3), (vec![opened.clone()], 1));
    assert_eq!(look(true, 3), (vec![relapsed, opened], 1));
}

#[test]
fn a_canary_on_probation_that_a_look_finds_bad_opens_its_group() {
    let mut world = running();
    world.relate("web:front");
    world.group("front").state = GroupState::CanaryProbation { canary: name("web"), since: Ticks(1) };
    let look = Job { verify: Verify::Only, ..job("web") };
    let settled = world.settle(&look, &Outcome::new(End::Unhealthy, 0, ""));
    assert!(matches!(settled.notices[..], [Notice::GroupOpened { .. }]), "{:?}", settled.notices);
    assert!(world.state.dirty.host);
}

#[test]
fn a_failure_withdraws_what_waits_counts_and_goes_on_to_the_next_step() {
    let mut world = running();
    world.relate("web:front");
    world.rules("web").ladder = vec![name("service"), name("process"), name("custom")];
    let (now, began) = (world.now.boot, world.ago(5));
    let standing = world.standing("web");
    standing.handled = vec![handled(1), handled(2)];
    standing.last_good = Some(now);
    standing.after_window = true;
    standing.breaker.useless = vec![Ticks(1), began];
    let settled = world.settle(&job("web"), &outcome(End::Failed));
    assert_eq!((settled.withdraw, settled.clear.len()), (vec![RowId(1), RowId(2)], 0));
    assert_eq!(settled.notices, []);
    let standing = world.standing("web");
    assert_eq!(standing.handled, []);
    assert_eq!((standing.last_good, standing.last_end, standing.after_window), (None, Some(now), false));
    assert_eq!((standing.rung, standing.breaker.failures), (1, 1));
    assert_eq!(standing.breaker.useless, [began, began]);
    assert_eq!(world.group("front").troubled.len(), 1);
    let until = world.hence(300);
    let settled = world.settle(&job("web"), &Outcome { rung: Some(1), ..outcome(End::Failed) });
    assert_eq!(settled.notices, [Notice::BreakerOpened { name: name("web"), count: 3, level: 1, until }]);
    assert_eq!(world.standing("web").rung, 2);
    let _ = world.settle(&job("web"), &Outcome { rung: Some(2), ..outcome(End::Failed) });
    assert_eq!(world.standing("web").rung, 2, "the last step is the last");
}

#[test]
fn a_failed_restart_after_one_on_trial_is_a_relapse_as_well() {
    let mut world = running();
    on_trial(&mut world);
    let settled = world.settle(&job("web"), &outcome(End::Failed));
    assert_eq!(settled.notices, [Notice::Relapsed { name: name("web"), after_ms: 100_000, rung: 0 }]);
    assert_eq!(world.standing("web").trial, None);
}

#[test]
fn a_job_that_failed_before_its_restart_passes_no_step_over_and_is_no_answer_of_a_driver() {
    let mut world = running();
    world.rules("web").ladder = vec![name("service"), name("process")];
    let until = world.hence(60);
    let service = world.state.drivers.entry(name("service")).or_default();
    (service.failures, service.until, service.trial) = (5, Some(until), Some(name("web")));
    let settled = world.settle(&job("web"), &Outcome::new(End::Failed, 0, "pre-restart command: exit 1"));
    assert_eq!(settled.notices, []);
    let standing = world.standing("web");
    assert_eq!((standing.rung, standing.breaker.failures), (0, 1));
    let service = &world.state.drivers[&name("service")];
    assert_eq!((service.failures, service.until, service.trial.as_ref()), (5, Some(until), None));
}

#[test]
fn a_failed_restart_by_hand_ends_the_trial_of_the_one_before_unless_it_came_to_none() {
    for (attempts, on_trial) in [(1, false), (0, true)] {
        let mut world = World::new(&["web"]);
        let _ = world.settle(&job("web"), &outcome(End::Restarted));
        let by_hand = Job::by_hand(&name("web"), Trial::No);
        let settled = world.count(&by_hand, &Outcome::new(End::Failed, attempts, ""));
        assert_eq!(settled.notices, []);
        assert_eq!(world.standing("web").trial.is_some(), on_trial);
        assert_eq!(world.standing("web").breaker.useless.len(), 2);
    }
}

#[test]
fn what_a_strategy_depends_on_never_counts_against_the_process() {
    let mut world = running();
    world.relate("web:front");
    world.standing("web").breaker = half_open(Probe::Due);
    world.group("front").state = GroupState::CanaryRuns(name("web"));
    let away = Outcome { driver: Some(name("service")), ..Outcome::new(End::Infrastructure, 0, "") };
    for failures in 1..=3 {
        let settled = world.settle(&job("web"), &away);
        assert_eq!(world.state.drivers[&name("service")].failures, failures);
        let paused = matches!(settled.notices[..], [Notice::DriverPaused { .. }]);
        assert_eq!((paused, settled.notices.len()), (failures == 3, usize::from(failures == 3)));
    }
    assert_eq!(world.standing("web").breaker, half_open(Probe::Due));
    let until = world.hence(10);
    assert_eq!(world.standing("web").pause, Some(until));
    assert_eq!(world.group("front").state, GroupState::CanaryDue);
    assert!(world.state.dirty.host);
    // It answers: those who waited need not any more.
    let settled = world.settle(&job("web"), &outcome(End::Restarted));
    assert_eq!(settled.notices, [Notice::DriverBack { driver: name("service") }]);
    assert!(world.state.drivers.is_empty());
    assert_eq!(world.standing("web").pause, None);
}

#[test]
fn a_failed_restart_is_an_answer_of_the_driver_of_the_step_that_acted() {
    for (rung, left) in [(None, "process"), (Some(1), "service")] {
        let mut world = running();
        world.rules("web").ladder = vec![name("service"), name("process")];
        for driver in ["service", "process"] {
            world.state.drivers.entry(name(driver)).or_default().failures = 1;
        }
        let settled = world.settle(&job("web"), &Outcome { rung, ..outcome(End::Failed) });
        assert_eq!(world.state.drivers.keys().collect::<Vec<_>>(), [&name(left)]);
        assert_eq!((settled.notices.len(), world.state.dirty.host), (0, true));
    }
}

#[test]
fn a_job_that_did_not_find_out_leaves_the_trial_of_a_driver_to_another() {
    for end in [End::Infrastructure, End::Cancelled] {
        let mut world = running();
        for (driver, trial) in [("service", "web"), ("bus", "db")] {
            world.state.drivers.entry(name(driver)).or_default().trial = Some(name(trial));
        }
        let _ = world.settle(&job("web"), &Outcome::new(end, 0, ""));
        assert_eq!(world.state.drivers[&name("service")].trial, None);
        assert_eq!(world.state.drivers[&name("bus")].trial, Some(name("db")));
        assert_eq!(world.state.drivers[&name("service")].failures, 0);
    }
}

#[test]
fn a_cancelled_job_gives_its_place_in_the_group_back_but_not_that_of_others() {
    let by_hand = Job::by_hand(&name("web"), Trial::No);
    let look = Job { verify: Verify::Only, ..job("web") };
    for (job, begun) in [(job("web"), 1), (by_hand, 2), (look, 2)] {
        let mut world = running();
        world.relate("web:front");
        world.group("front").state = GroupState::Releasing { batch: 2, begun: 2, good: 0 };
        let _ = world.settle(&job, &Outcome::new(End::Cancelled, 0, ""));
        assert_eq!(world.group("front").state, GroupState::Releasing { batch: 2, begun, good: 0 });
    }
}

#[test]
fn a_place_in_the_budget_of_a_group_comes_back_only_when_no_restart_was_made() {
    let budget = crate::testing::group_rules().budget;
    for (end, attempts, left) in [
        (End::Cancelled, 0, 5),
        (End::Cancelled, 1, 4),
        (End::Cancelled, 2, 4),
        (End::Infrastructure, 0, 5),
        // The one attempt found nobody who could carry it out.
        (End::Infrastructure, 1, 5),
        (End::Infrastructure, 2, 4),
    ] {
        let mut world = running();
        world.relate("web:front");
        let now = world.now.boot;
        world.group("front").bucket = Bucket::default().taken(budget, now);
        world.group("front").state = GroupState::Releasing { batch: 2, begun: 2, good: 0 };
        let _ = world.settle(&job("web"), &Outcome::new(end, attempts, ""));
        assert_eq!(world.group("front").bucket.left(budget, now), Some(left), "{end:?} {attempts}");
        // Nobody knows whether it would have helped, so another takes its turn.
        assert_eq!(world.group("front").state, GroupState::Releasing { batch: 2, begun: 1, good: 0 });
    }
}

#[test]
fn success_counts_for_the_group_and_a_process_that_was_healthy_costs_it_nothing() {
    let after = |job: &Job, end| {
        let mut world = running();
        world.relate("web:front");
        let (now, budget) = (world.now.boot, crate::testing::group_rules().budget);
        world.group("front").bucket = Bucket::default().taken(budget, now).taken(budget, now);
        world.group("front").state = GroupState::Releasing { batch: 4, begun: 4, good: 3 };
        let settled = world.settle(job, &Outcome::new(end, 1, ""));
        (settled.notices, world.group("front").clone(), now)
    };
    let (notices, group, _) = after(&job("web"), End::Restarted);
    assert_eq!(
        (notices, group.state),
        (vec![Notice::GroupClosed { group: name("front") }], GroupState::Closed)
    );
    let look = Job { verify: Verify::Only, ..job("web") };
    let (notices, group, now) = after(&look, End::AlreadyHealthy);
    assert_eq!((notices.len(), group.bucket.full_at), (0, now.after(secs(120))));
    assert_eq!(group.state, GroupState::Releasing { batch: 4, begun: 4, good: 3 });
    let mut world = running();
    world.relate("web:front");
    let (now, budget) = (world.now.boot, crate::testing::group_rules().budget);
    world.group("front").bucket = Bucket::default().taken(budget, now).taken(budget, now);
    world.group("front").state = GroupState::CanaryRuns(name("web"));
    let _ = world.settle(&job("web"), &Outcome::new(End::AlreadyHealthy, 0, ""));
    assert_eq!(world.group("front").bucket.full_at, now.after(secs(60)));
    let probation = GroupState::CanaryProbation { canary: name("web"), since: now };
    assert_eq!(world.group("front").state, probation);
    assert!(world.state.dirty.host);
}

#[test]
fn a_restart_by_hand_is_not_the_one_that_finds_out_about_a_driver() {
    let by_hand = Job::by_hand(&name("web"), Trial::No);
    let no_driver = |driver: Option<&str>| Outcome {
        driver: driver.map(name),
        ..Outcome::new(End::Infrastructure, 1, "")
    };
    let called_off = Outcome::new(End::Cancelled, 0, "");
    for outcome in [no_driver(Some("service")), no_driver(None), called_off] {
        let mut world = running();
        let until = Some(world.ago(1));
        let away = crate::driver::Driver { failures: 3, until, trial: Some(name("web")) };
        world.state.drivers.insert(name("service"), away.clone());
        let settled = world.count(&by_hand, &outcome);
        assert_eq!(
            (settled.notices.len(), &world.state.drivers[&name("service")]),
            (0, &away),
            "{outcome:?}"
        );
        assert!(!world.state.dirty.host);
    }
    // What it got wrong counts as long as nobody waits.
    let mut world = running();
    let told = [1, 2, 3].map(|_| world.count(&by_hand, &no_driver(Some("service"))).notices.len());
    assert_eq!((told, world.state.drivers[&name("service")].failures), ([0, 0, 1], 3));
    assert!(world.state.dirty.host);
}

#[test]
fn a_row_whose_clearing_waits_already_is_not_cleared_twice_and_other_rows_stay_marked() {
    let mut world = running();
    let recheck = world.hence(60);
    let other_notes = Handled { notes: Some("old".to_owned()), ..handled(3) };
    world.standing("web").handled = vec![handled(1), handled(2), other_notes];
    let both = Job { alarms: vec![alarm(1, "web"), alarm(3, "web")], ..job("web") };
    let settled = world.settle(&both, &outcome(End::Restarted));
    assert_eq!(settled.clear.iter().map(|clear| clear.row).collect::<Vec<_>>(), [RowId(3)]);
    let marked = |row| Handled { recheck, ..handled(row) };
    assert_eq!(world.standing("web").handled, [handled(2), marked(1), marked(3)]);
}

#[test]
fn a_job_that_was_handed_over_changes_nothing_but_that_it_runs_no_more() {
    let mut world = running();
    let mut expected = world.standing("web").clone();
    (expected.in_flight, expected.ended) = (None, Some(world.now.boot));
    let settled = world.settle(&job("web"), &Outcome::new(End::HandedOver, 0, ""));
    assert_eq!(settled, Settlement::default());
    assert_eq!(*world.standing("web"), expected);
    assert!(!world.state.dirty.host);
}

#[test]
fn a_bypass_ends_within_a_day_and_other_orders_when_they_like() {
    let day = secs(86_400);
    assert!(!is_too_long(Order::Bypass, Some(day - secs(1))));
    assert!(!is_too_long(Order::Bypass, Some(day)));
    assert!(is_too_long(Order::Bypass, Some(day + secs(1))));
    assert!(is_too_long(Order::Bypass, None));
    for order in [Order::Hold, Order::Observe] {
        assert!(!is_too_long(order, None) && !is_too_long(order, Some(2 * day)));
    }
}

#[test]
fn without_a_check_a_restart_answers_all_alarms_of_the_name_that_were_seen_before_its_end() {
    for (checked, rows) in [(Checked::Unchecked, vec![1, 2]), (Checked::ByCheck, vec![1])] {
        let mut world = World::new(&["web", "web", "web", "db"]);
        world.rules("web").check = checked;
        world.alarms[2].acknowledged = true;
        world.begin(&job("web"));
        let settled = world.settle(&job("web"), &outcome(End::Restarted));
        assert_eq!(settled.clear.iter().map(|clear| clear.row.0).collect::<Vec<_>>(), rows, "{checked:?}");
        // What it has caused itself says nothing about it.
        let relapses =
            world.advance().into_iter().filter(|its| matches!(its, Notice::Relapsed { .. })).count();
        assert_eq!((relapses, world.standing("web").handled.len()), (0, rows.len()), "{checked:?}");
    }
    // Also when the job was about none of them; what one by hand answers is said by its job.
    for (cause, cleared) in [(Cause::Dependency(name("db")), 1), (Cause::Operator, 0)] {
        let mut world = World::new(&["web"]);
        world.rules("web").check = Checked::Unchecked;
        let since = Some(world.now.boot);
        world.standing("web").alarm_since = since;
        let job = Job { cause, ..Job::by_hand(&name("web"), Trial::No) };
        let settled = world.settle(&job, &outcome(End::Restarted));
        assert_eq!(settled.clear.len(), cleared);
        assert_eq!(world.standing("web").alarm_since, since.filter(|_| cleared == 0));
    }
}

//! What time and alarms change in what is remembered, and what an alarm means for a process.

mod groups;

use super::*;
use crate::breaker::{self, Breaker, Probe};
use crate::bucket::Bucket;
use crate::driver::Driver;
use crate::fate::{Fate, Seen};
use crate::model::{Due, Handled, InFlight, OnTrial, Order, RowId, Scope, Standing, Table, Verify};
use crate::testing::{NOON, World, secs};

fn name(text: &str) -> Name {
    Name::new(text)
}

fn useless(count: usize) -> Breaker {
    Breaker { useless: vec![NOON.boot; count], ..Breaker::default() }
}

fn quiet_since(from: Ticks, breaker: Breaker) -> Breaker {
    Breaker { quiet_from: Some(from), ..breaker }
}

fn fate_of(world: &World, who: &str) -> Fate {
    Seen::new(&world.state, &world.view(), world.now).fate(&name(who))
}

fn dirty(world: &World, who: &str) -> bool {
    world.state.dirty.standings.contains(&name(who))
}

#[test]
fn an_alarm_means_what_the_first_fitting_reason_says() {
    type Prepare = fn(&mut World);
    let cases: [(Fate, Prepare); 12] = [
        (Fate::Believed, |_| ()),
        (Fate::Quiet, |world| {
            let recheck = world.hence(1);
            world.standing("web").handled.push(Handled { row: RowId(1), notes: None, recheck });
        }),
        (Fate::Doubted, |world| {
            let recheck = world.now.boot;
            world.standing("web").handled.push(Handled { row: RowId(1), notes: None, recheck });
        }),
        (Fate::InWindow, |world| world.maintain("w", Scope::All)),
        (Fate::InWindow, |world| {
            world.maintain("w", Scope::All);
            world.standing("web").in_flight = Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
        }),
        (Fate::Busy, |world| {
            world.standing("web").in_flight = Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
        }),
        (Fate::Excused, |world| world.configured.clear()),
        (Fate::Excused, |world| world.alarms[0].acknowledged = true),
        (Fate::Excused, |world| world.order(Order::Hold, Scope::All)),
        (Fate::Waits, |world| {
            world.relate("web>db");
            world.standing("db").in_flight = Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
        }),
        (Fate::Doubted, |world| world.table = Table::ReadOnly),
        // What comes after the dependencies says nothing about whether the alarm is true.
        (Fate::Believed, |world| world.standing("web").pause = Some(world.now.boot.after(secs(9)))),
    ];
    for (at, (fate, prepare)) in cases.into_iter().enumerate() {
        let mut world = World::new(&["web"]);
        prepare(&mut world);
        assert_eq!(fate_of(&world, "web"), fate, "case {at}");
        let seen = Seen::new(&world.state, &world.view(), world.now);
        let in_alarm = seen.in_alarm().count();
        assert_eq!(in_alarm, usize::from(fate != Fate::Quiet));
    }
    assert_eq!(fate_of(&World::new(&["web", " "]), "db"), Fate::Quiet);
    assert_eq!(fate_of(&World::new(&["web", " "]), " "), Fate::Quiet);
}

#[test]
fn of_several_rows_the_one_that_says_most_counts_and_each_name_comes_once() {
    for turned in [false, true] {
        let mut world = World::new(&["web", "db", "web"]);
        world.alarms[if turned { 2 } else { 0 }].acknowledged = true;
        let view = world.view();
        let seen = Seen::new(&world.state, &view, world.now);
        let all: Vec<_> = seen.in_alarm().map(|(name, fate)| (name.as_str(), fate)).collect();
        assert_eq!(all, [("web", Fate::Believed), ("db", Fate::Believed)]);
    }
}

#[test]
fn a_group_is_overdrawn_only_by_a_member_that_nothing_else_stands_against() {
    let overdrawn = |prepare: &dyn Fn(&mut World)| {
        let mut world = World::new(&["web"]);
        world.relate("web:front");
        let now = world.now.boot;
        world.group("front").bucket = Bucket { full_at: now.after(secs(300)) };
        prepare(&mut world);
        let notices = world.advance();
        let opened = notices.iter().any(|notice| matches!(notice, Notice::GroupOpened { .. }));
        assert!(world.state.dirty.host || !opened);
        opened
    };
    let soon = NOON.boot.after(secs(5));
    assert!(overdrawn(&|_| ()));
    assert!(overdrawn(&|world| world.table = Table::ReadOnly));
    assert!(!overdrawn(
        &|world| world.group("front").bucket = Bucket { full_at: world.now.boot.after(secs(240)) }
    ));
    assert!(!overdrawn(&|world| world.group("front").state = GroupState::CanaryDue));
    assert!(!overdrawn(&|world| world.order(Order::Bypass, Scope::All)));
    assert!(!overdrawn(&|world| world.order(Order::Hold, Scope::All)));
    assert!(!overdrawn(&|world| world.standing("web").pause = Some(soon)));
    assert!(!overdrawn(&|world| world.standing("web").breaker.state = breaker::State::Open { until: soon }));
    assert!(!overdrawn(&|world| {
        world.rules("web").pause.base = secs(10);
        world.standing("web").breaker = useless(1);
        world.standing("web").last_end = Some(world.now.boot);
    }));
    assert!(!overdrawn(&|world| world.relate("web")));
}

#[test]
fn the_first_look_at_an_alarm_is_remembered_and_so_is_nothing_that_is_clean() {
    let mut world = World::new(&["web"]);
    world.standing("old");
    assert_eq!(world.advance(), []);
    assert_eq!(world.state.standings.keys().collect::<Vec<_>>(), [&name("web")]);
    let since = world.now.boot;
    world.pass(60);
    let _ = world.advance();
    assert_eq!(world.standing("web").alarm_since, Some(since));
    assert!(!dirty(&world, "web"));
}

#[test]
fn a_believed_alarm_ends_the_quiet_and_opens_what_is_spent() {
    let mut world = World::new(&["web"]);
    let from = world.ago(10);
    world.standing("web").breaker = quiet_since(from, useless(2));
    assert_eq!(world.advance(), []);
    assert_eq!(world.standing("web").breaker, useless(2));
    assert!(dirty(&world, "web"));
    let _ = world.state.take_dirty();
    world.standing("web").breaker = useless(3);
    let until = world.hence(300);
    assert_eq!(world.advance(), [Notice::BreakerOpened { name: name("web"), count: 3, level: 1, until }]);
    assert!(dirty(&world, "web"));
    let _ = world.state.take_dirty();
    assert_eq!(world.advance(), []);
    assert!(!dirty(&world, "web"), "nothing changed any more");
}

#[test]
fn what_says_nothing_about_the_process_disturbs_its_quiet_and_changes_nothing_else() {
    type Prepare = fn(&mut World);
    let cases: [(Prepare, bool); 4] = [
        (|world| world.alarms[0].acknowledged = true, true),
        (|world| world.maintain("w", Scope::All), true),
        (|world| world.table = Table::ReadOnly, false),
        (
            |world| {
                world.standing("web").in_flight =
                    Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
            },
            false,
        ),
    ];
    for (at, (prepare, disturbs)) in cases.into_iter().enumerate() {
        let mut world = World::new(&["web"]);
        let from = world.ago(10);
        world.standing("web").breaker = quiet_since(from, useless(3));
        prepare(&mut world);
        let _ = world.advance();
        let breaker = if disturbs { useless(3) } else { quiet_since(from, useless(3)) };
        assert_eq!(world.standing("web").breaker, breaker, "case {at}");
        assert_eq!(dirty(&world, "web"), disturbs, "case {at}");
    }
}

#[test]
fn an_alarm_in_a_window_is_remembered_as_a_possible_leftover_until_it_is_gone() {
    let mut world = World::new(&["web"]);
    world.maintain("w", Scope::All);
    let _ = world.advance();
    assert!(world.standing("web").after_window && dirty(&world, "web"));
    let _ = world.state.take_dirty();
    let _ = world.advance();
    assert!(!dirty(&world, "web"));
    world.windows.clear();
    let _ = world.advance();
    assert!(world.standing("web").after_window);
    world.alarm(&[]);
    world.sight = Sight::Blind;
    let _ = world.advance();
    assert!(world.standing("web").after_window, "nobody saw");
    world.sight = Sight::Clear;
    let pause = world.hence(5);
    world.standing("web").pause = Some(pause);
    let _ = world.advance();
    assert!(world.standing("web").after_window, "out of sight for a moment");
    world.standing("web").pause = None;
    let _ = world.advance();
    assert!(!world.state.standings.contains_key(&name("web")));
}

#[test]
fn planned_work_leaves_a_restart_before_it_unjudged() {
    let mut world = World::new(&["web"]);
    world.maintain("w", Scope::All);
    let since = world.ago(100);
    let standing = world.standing("web");
    (standing.trial, standing.after_window) = (Some(OnTrial { rung: 0, since }), true);
    standing.breaker = Breaker { state: breaker::State::HalfOpen(Probe::Used), ..useless(2) };
    let _ = world.advance();
    let expected = Breaker { state: breaker::State::HalfOpen(Probe::Due), ..useless(1) };
    let standing = world.standing("web");
    assert_eq!((&standing.breaker, standing.trial), (&expected, None));
    assert!(dirty(&world, "web"));
}

#[test]
fn whoever_waits_for_what_it_depends_on_is_remembered_to_have_waited_until_its_alarm_is_gone() {
    let mut world = World::new(&["web"]);
    world.relate("web>db");
    world.standing("db").in_flight = Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
    let from = world.ago(10);
    world.standing("web").breaker = quiet_since(from, useless(1));
    let _ = world.advance();
    assert!(world.standing("web").waited && dirty(&world, "web"));
    assert_eq!(world.standing("web").breaker, useless(1));
    world.standing("db").in_flight = None;
    let _ = world.advance();
    assert!(world.standing("web").waited);
    assert_eq!(fate_of(&world, "web"), Fate::Doubted);
    world.alarm(&[]);
    world.sight = Sight::Blind;
    let _ = world.advance();
    assert!(world.standing("web").waited, "nobody saw");
    world.sight = Sight::Clear;
    let _ = world.state.take_dirty();
    let _ = world.advance();
    assert!(!world.standing("web").waited && dirty(&world, "web"));
}

#[test]
fn the_ladder_begins_anew_also_when_a_reboot_has_left_nothing_to_forgive() {
    let rung = |prepare: &dyn Fn(&mut World)| {
        let mut world = World::new(&[]);
        world.rules("web");
        world.standing("web").rung = 1;
        prepare(&mut world);
        let _ = world.advance();
        assert_eq!(dirty(&world, "web"), world.standing("web").rung == 0 || world.sight == Sight::Blind);
        world.standing("web").rung
    };
    assert_eq!(rung(&|_| ()), 0);
    assert_eq!(rung(&|world| world.standing("web").trial = Some(OnTrial { rung: 0, since: NOON.boot })), 1);
    assert_eq!(
        rung(&|world| world.standing("web").in_flight =
            Some(InFlight { since: NOON.boot, verify: Verify::AfterOnly })),
        1
    );
}

#[test]
fn an_alarm_after_a_restart_that_seemed_to_help_is_a_relapse() {
    let mut world = World::new(&["web"]);
    world.relate("web:front");
    world.rules("web").ladder = vec![name("service"), name("process")];
    let since = world.ago(100);
    world.standing("web").trial = Some(OnTrial { rung: 0, since });
    let relapsed = Notice::Relapsed { name: name("web"), after_ms: 100_000, rung: 1 };
    assert_eq!(world.advance(), [relapsed]);
    assert_eq!((world.standing("web").rung, world.standing("web").trial), (1, None));
    assert_eq!(world.group("front").troubled.len(), 1);
    assert!(dirty(&world, "web") && world.state.dirty.host);
    let _ = world.state.take_dirty();
    assert_eq!(world.advance(), []);
    assert!(!dirty(&world, "web") && !world.state.dirty.host);
}

#[test]
fn quiet_begins_with_the_first_poll_that_does_not_show_the_alarm() {
    let mut world = World::new(&[]);
    world.rules("web");
    let (now, before) = (world.now.boot, world.ago(10));
    let standing = world.standing("web");
    standing.breaker = quiet_since(before, useless(1));
    standing.alarm_since = Some(before);
    let _ = world.advance();
    assert_eq!(world.standing("web").breaker.quiet_from, Some(now), "it was disturbed by the alarm");
    assert_eq!(world.standing("web").alarm_since, None);
    assert!(dirty(&world, "web"));
    let _ = world.state.take_dirty();
    world.pass(30);
    let _ = world.advance();
    assert_eq!(world.standing("web").breaker.quiet_from, Some(now), "and goes on");
    assert!(!dirty(&world, "web"));
}

#[test]
fn without_sight_there_is_no_quiet_and_while_a_job_runs_none_begins() {
    let mut world = World::new(&[]);
    world.rules("web");
    let before = world.ago(10);
    world.standing("web").breaker = quiet_since(before, useless(1));
    world.sight = Sight::Blind;
    let _ = world.advance();
    assert_eq!((world.standing("web").breaker.quiet_from, dirty(&world, "web")), (None, true));
    let _ = world.state.take_dirty();
    let _ = world.advance();
    assert_eq!((world.standing("web").breaker.quiet_from, dirty(&world, "web")), (None, false));
    world.sight = Sight::Clear;
    world.standing("web").in_flight = Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
    let _ = world.advance();
    assert_eq!(world.standing("web").breaker.quiet_from, None);
    world.standing("web").in_flight = None;
    let _ = world.advance();
    assert_eq!((world.standing("web").breaker.quiet_from, dirty(&world, "web")), (Some(NOON.boot), true));
}

#[test]
fn after_a_job_nothing_is_concluded_before_a_poll_has_looked_again() {
    let ended = |polled: Ticks, sight| {
        let mut world = World::new(&[]);
        world.rules("web");
        let (before, now) = (world.ago(10), world.now.boot);
        let standing = world.standing("web");
        (standing.ended, standing.alarm_since, standing.after_window) = (Some(now), Some(before), true);
        standing.breaker = useless(1);
        (world.polled, world.sight) = (Some(polled), sight);
        let _ = world.advance();
        world.standing("web").clone()
    };
    let (now, before) = (NOON.boot, Ticks(NOON.boot.0 - 10_000));
    for polled in [Ticks(now.0 - 1), now] {
        let standing = ended(polled, Sight::Clear);
        assert_eq!((standing.ended, standing.alarm_since), (Some(now), Some(before)));
        assert_eq!((standing.after_window, standing.breaker.quiet_from), (true, None));
    }
    let standing = ended(Ticks(now.0 + 1), Sight::Clear);
    assert_eq!((standing.ended, standing.alarm_since, standing.after_window), (None, None, false));
    assert_eq!(standing.breaker.quiet_from, Some(now));
    let standing = ended(now, Sight::Blind);
    assert_eq!(
        (standing.ended, standing.alarm_since, standing.after_window),
        (Some(now), Some(before), true)
    );
}

/// A world in which web has been quiet for so many seconds, with a poll as old as that.
fn quiet(seconds: u64, polled_ago: u64, breaker: Breaker) -> World {
    let mut world = World::new(&[]);
    world.rules("web");
    let from = world.ago(seconds);
    world.polled = Some(world.ago(polled_ago));
    let trial = Some(OnTrial { rung: 1, since: from });
    *world.standing("web") =
        Standing { breaker: quiet_since(from, breaker), rung: 1, trial, ..Standing::default() };
    world
}

#[test]
fn a_stable_period_is_told_forgives_and_begins_the_ladder_anew() {
    let half_open = Breaker { state: breaker::State::HalfOpen(Probe::Used), level: 1, ..useless(1) };
    let (lasted, closed) =
        (Notice::Lasted { name: name("web") }, Notice::BreakerClosed { name: name("web") });
    let forgotten = Notice::FailuresForgotten { name: name("web") };
    for (breaker, told) in [
        (useless(1), vec![lasted.clone()]),
        (useless(2), vec![lasted.clone(), forgotten]),
        (half_open, vec![lasted, closed]),
    ] {
        let mut world = quiet(600, 0, breaker.clone());
        assert_eq!(world.advance(), told);
        assert_eq!((world.standing("web").rung, world.standing("web").trial), (0, None));
        assert_eq!(world.standing("web").breaker.level, breaker.level);
        assert_eq!(dirty(&world, "web"), breaker.level > 0 || dirty(&world, "web"));
        let mut early = quiet(599, 0, breaker.clone());
        assert_eq!((early.advance(), early.standing("web").rung), (vec![], 1));
        let mut unproven = quiet(600, 1, breaker.clone());
        assert_eq!(unproven.advance(), [], "proven up to the last poll and no further");
        let mut future = quiet(599, 0, breaker.clone());
        future.polled = Some(future.hence(9));
        assert_eq!(future.advance(), []);
        let mut busy = quiet(600, 0, breaker);
        busy.standing("web").in_flight = Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
        assert_eq!(busy.advance(), []);
    }
    let mut dirt = quiet(600, 0, Breaker { level: 3, ..useless(1) });
    let _ = dirt.advance();
    assert!(dirty(&dirt, "web"));
    let mut without_trial = quiet(600, 0, useless(2));
    without_trial.standing("web").trial = None;
    assert_eq!(without_trial.advance(), []);
    let mut long = quiet(600 * 3, 0, Breaker { level: 3, ..useless(1) });
    assert_eq!(long.advance().len(), 1);
    assert_eq!(long.standing("web").breaker.level, 1);
    let mut level = quiet(600, 0, Breaker { level: 1, ..Breaker::default() });
    assert_eq!(level.advance(), []);
    assert_eq!(level.standing("web").rung, 1, "a level less is no restart that lasted");
}

#[test]
fn an_open_breaker_becomes_half_open_in_its_time_and_that_is_told() {
    let mut world = World::new(&[]);
    world.rules("web");
    let until = world.hence(1);
    world.standing("web").breaker.state = breaker::State::Open { until };
    assert_eq!(world.advance(), []);
    let _ = world.state.take_dirty();
    world.pass(1);
    assert_eq!(world.advance(), [Notice::BreakerHalfOpen { name: name("web") }]);
    assert!(dirty(&world, "web"));
}

#[test]
fn what_meant_a_while_ago_is_forgotten_when_it_means_nothing_any_more() {
    let after = |seconds: u64| {
        let mut world = World::new(&[]);
        world.rules("web").pause.cap = secs(500);
        let at = world.ago(seconds);
        let standing = world.standing("web");
        (standing.last_good, standing.last_end, standing.rung) = (Some(at), Some(at), 1);
        let _ = world.advance();
        let standing = world.standing("web");
        (standing.last_good.is_some(), standing.last_end.is_some())
    };
    assert_eq!(
        [899, 900, 999, 1000].map(after),
        [(true, true), (false, true), (false, true), (false, false)]
    );
    // As long as there is an alarm, it matters how long before it that was.
    let mut alarmed = World::new(&["web"]);
    alarmed.table = Table::ReadOnly;
    let at = alarmed.ago(9000);
    alarmed.standing("web").last_good = Some(at);
    let _ = alarmed.advance();
    assert_eq!(alarmed.standing("web").last_good, Some(at));
    for (pause, left) in [(0, false), (1, true)] {
        let mut world = World::new(&[]);
        world.rules("web");
        let until = world.hence(pause);
        world.standing("web").pause = Some(until);
        let _ = world.advance();
        assert_eq!((world.standing("web").pause.is_some(), dirty(&world, "web")), (left, !left));
    }
}

#[test]
fn windows_are_announced_once_at_their_start_and_once_at_their_end() {
    let mut world = World::new(&[]);
    world.maintain("w", Scope::All);
    world.windows[0].until = world.now.after(secs(10)).wall;
    world.windows[0].from = world.now.after(secs(1)).wall;
    assert_eq!((world.advance(), world.state.dirty.host), (vec![], false));
    world.pass(1);
    let (reason, until, scopes) = ("disks".to_owned(), world.windows[0].until, vec![Scope::All]);
    let started = Notice::WindowStarted { id: name("w"), scopes: scopes.clone(), reason, until };
    assert_eq!(world.advance(), [started]);
    assert!(world.state.take_dirty().host);
    assert_eq!((world.advance(), world.state.dirty.host), (vec![], false));
    world.pass(9);
    assert_eq!(world.advance(), [Notice::WindowEnded { id: name("w"), scopes, early: None }]);
    assert!(world.state.take_dirty().host);
    assert_eq!((world.advance(), world.state.dirty.host), (vec![], false));
    world.state.windows.insert(name("gone"), Announced::default());
    let gone = Notice::WindowEnded { id: name("gone"), scopes: Vec::new(), early: None };
    assert_eq!(world.advance(), [gone]);
}

#[test]
fn a_window_that_is_taken_away_or_changed_while_it_is_open_is_told_with_whom_it_covered_last() {
    let mut world = World::new(&[]);
    world.maintain("w", Scope::All);
    let (since, until) = (world.now.wall, world.windows[0].until);
    let _ = world.advance();
    world.pass(1);
    let web = vec![Scope::Process(name("web"))];
    world.windows[0].scopes.clone_from(&web);
    let _ = world.state.take_dirty();
    assert_eq!(world.advance(), []);
    assert!(world.state.take_dirty().host, "whom it covers has changed");
    assert_eq!(world.state.windows[&name("w")], Announced { scopes: web.clone(), since, until });
    world.windows[0].until = world.now.after(secs(5)).wall;
    assert_eq!(world.advance(), []);
    assert!(world.state.take_dirty().host, "when it ends has changed");
    let mut late = World { state: world.state.clone(), now: world.now.after(secs(5)), ..World::new(&[]) };
    world.windows.clear();
    world.pass(4);
    let ended = |early| Notice::WindowEnded { id: name("w"), scopes: web.clone(), early };
    assert_eq!(world.advance(), [ended(Some(since))]);
    assert_eq!(late.advance(), [ended(None)]);
}

#[test]
fn what_only_ends_with_a_job_ends_also_when_the_job_got_lost() {
    let mut world = World::new(&[]);
    world.relate("web:front db:back a:rest b:more");
    world.group("front").state = GroupState::CanaryRuns(name("web"));
    world.group("back").state = GroupState::CanaryRuns(name("db"));
    world.group("rest").state = GroupState::Releasing { batch: 4, begun: 3, good: 1 };
    world.standing("db").in_flight = Some(InFlight { since: Ticks(1), verify: Verify::AfterOnly });
    for (driver, trial) in [("service", "web"), ("bus", "db")] {
        world.state.drivers.insert(name(driver), Driver { trial: Some(name(trial)), ..Driver::default() });
    }
    world.configured.insert(name("gone"), Configured::No);
    for who in ["gone", "web"] {
        world.state.due.insert(name(who), Due { because: name("db"), since: Ticks(1) });
    }
    let _ = world.advance();
    assert_eq!(world.group("front").state, GroupState::CanaryDue);
    assert_eq!(world.group("back").state, GroupState::CanaryRuns(name("db")));
    assert_eq!(world.group("rest").state, GroupState::Releasing { batch: 4, begun: 3, good: 1 });
    assert_eq!(world.state.drivers[&name("service")].trial, None);
    assert_eq!(world.state.drivers[&name("bus")].trial, Some(name("db")));
    assert_eq!(world.state.due.keys().collect::<Vec<_>>(), [&name("web")]);
    assert!(world.state.take_dirty().host);
    world.standing("db").in_flight = None;
    let _ = world.advance();
    assert_eq!(world.group("rest").state, GroupState::Releasing { batch: 4, begun: 1, good: 1 });
    assert!(!world.state.take_dirty().host);
}

#[test]
fn the_end_of_a_groups_quiet_is_stored() {
    let mut world = World::new(&[]);
    world.relate("web:front");
    world.group("front").level = 1;
    let now = world.now.boot;
    for (names, quiet, changed) in [
        (&[][..], Some(now), false),
        (&[], Some(now), false),
        (&["web"], None, true),
        (&["web"], None, false),
    ] {
        world.alarm(names);
        let _ = world.advance();
        assert_eq!((world.group("front").quiet_from, world.state.take_dirty().host), (quiet, changed));
    }
}

#[test]
fn a_group_is_forgotten_when_it_is_clean_or_has_no_limits_any_more() {
    let clean = Group::default();
    let full_later =
        |seconds| Group { bucket: Bucket { full_at: NOON.boot.after(secs(seconds)) }, ..clean.clone() };
    let troubled = Group { troubled: [(name("web"), NOON.boot)].into(), ..clean.clone() };
    let level = Group { level: 1, ..clean.clone() };
    let due = Group { state: GroupState::CanaryDue, ..clean.clone() };
    for (group, left) in
        [(clean.clone(), 0), (full_later(0), 0), (full_later(1), 1), (troubled, 1), (level, 1), (due, 1)]
    {
        let mut world = World::new(&[]);
        world.relate("web:front");
        *world.group("front") = group.clone();
        let _ = world.advance();
        assert_eq!(world.state.groups.len(), left, "{group:?}");
        world.groups.clear();
        *world.group("front") = group;
        let _ = world.advance();
        assert_eq!(world.state.groups.len(), 0);
    }
}

#[test]
fn the_guard_looks_only_while_the_database_answers() {
    for (sight, told) in [(Sight::Clear, 1), (Sight::Blind, 0)] {
        let mut world = World::new(&["a", "b", "c"]);
        (world.known, world.limits.mass_min, world.sight) = (Some(4), 2, sight);
        let notices = world.advance();
        let mass = notices.iter().filter(|notice| matches!(notice, Notice::MassAlarm { .. }));
        assert_eq!(mass.count(), told);
    }
}

#[test]
fn how_long_a_restart_lasted_ends_with_its_alarm_and_not_with_the_look() {
    // The alarm came four seconds behind the restart, or stood before it.
    for (alarm, lasted) in [(26, 4_000), (30, 0), (31, 30_000)] {
        let mut world = World::new(&["web"]);
        let (since, alarm_since) = (world.ago(30), world.ago(alarm));
        let standing = world.standing("web");
        (standing.trial, standing.alarm_since) = (Some(OnTrial { rung: 0, since }), Some(alarm_since));
        let told = Notice::Relapsed { name: name("web"), after_ms: lasted, rung: 0 };
        assert_eq!(world.advance(), [told], "{alarm}");
    }
}

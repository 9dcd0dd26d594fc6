//! When the guard wakes, what it answers, and how it ends.

use super::*;
use crate::model::{Cause, Handled, Hold, InFlight, Order, Outcome, RowId, Scope, Verify};
use crate::testing::{NOON, World, secs};

fn name(text: &str) -> Name {
    Name::new(text)
}

fn guarded(names: &[&str], known: u64) -> World {
    let mut world = World::new(names);
    (world.known, world.limits.mass_min) = (Some(known), 3);
    world
}

fn in_stage(stage: Stage, seen: Option<(Condition, Ticks)>) -> Mass {
    let seen = seen.map(|seen| (name("web"), seen)).into_iter().collect();
    Mass { stage, suspects: [name("web")].into(), seen }
}

#[test]
fn the_guard_answers_by_stage_and_by_what_was_seen() {
    let (now, limits) = (NOON.boot, crate::testing::limits());
    let (bad, good) = ((Condition::Bad, now), (Condition::Healthy, now));
    let stale = (Condition::Healthy, Ticks(now.0 - 60_000));
    let fresh = (Condition::Healthy, Ticks(now.0 - 59_999));
    let (looking, held) = (Stage::Looking { since: now }, Stage::Held { looked: 2, healthy: 2 });
    for (stage, seen, checked, unchecked) in [
        (Stage::None, None, Guard::Pass, Guard::Pass),
        (Stage::Believed, Some(good), Guard::Pass, Guard::Pass),
        (looking, None, Guard::Look, Guard::Hold),
        (looking, Some(bad), Guard::Hold, Guard::Hold),
        (looking, Some(good), Guard::Hold, Guard::Hold),
        (held, None, Guard::Look, Guard::Hold),
        (held, Some(bad), Guard::Pass, Guard::Pass),
        (held, Some(fresh), Guard::Hold, Guard::Hold),
        (held, Some(stale), Guard::Look, Guard::Hold),
    ] {
        let mass = in_stage(stage, seen);
        assert_eq!(mass.guard(&name("web"), Checked::ByCheck, &limits, now), checked, "{stage:?} {seen:?}");
        assert_eq!(
            mass.guard(&name("web"), Checked::Unchecked, &limits, now),
            unchecked,
            "{stage:?} {seen:?}"
        );
        assert_eq!(mass.guard(&name("db"), Checked::ByCheck, &limits, now), Guard::Pass, "no suspect");
    }
}

#[test]
fn a_look_is_remembered_only_while_it_matters_and_belief_needs_something_to_believe() {
    for (stage, remembered, believed) in [
        (Stage::None, 0, Stage::None),
        (Stage::Looking { since: Ticks(1) }, 1, Stage::Believed),
        (Stage::Held { looked: 1, healthy: 1 }, 1, Stage::Believed),
        (Stage::Believed, 1, Stage::Believed),
    ] {
        let mut mass = in_stage(stage, None);
        mass.looked(&name("web"), Condition::Bad, NOON.boot);
        assert_eq!(mass.seen.len(), remembered);
        mass.believe();
        assert_eq!(mass.stage, believed);
    }
}

#[test]
fn a_held_alarm_is_looked_at_again_in_its_time() {
    let seen = Some((Condition::Healthy, Ticks(5_000)));
    let next = |stage, seen| in_stage(stage, seen).next(&name("web"), &crate::testing::limits());
    assert_eq!(next(Stage::Looking { since: Ticks(1_000) }, seen), Some(Ticks(301_000)));
    assert_eq!(next(Stage::Held { looked: 1, healthy: 1 }, seen), Some(Ticks(65_000)));
    assert_eq!(next(Stage::Held { looked: 1, healthy: 1 }, None), None);
    assert_eq!(next(Stage::None, seen), None);
    assert_eq!(next(Stage::Believed, seen), None);
}

#[test]
fn more_than_the_share_of_all_rows_and_no_fewer_than_the_least_wake_it() {
    let wakes = |names: &[&str], known: Option<u64>, least, share| {
        let mut world = guarded(names, 0);
        (world.known, world.limits.mass_min, world.limits.mass_share) = (known, least, share);
        let notices = world.advance();
        assert_eq!(world.state.dirty.host, !notices.is_empty());
        notices
    };
    let mass = |alarms, known| vec![Notice::MassAlarm { alarms, known }];
    let all = ["a", "b", "c"];
    assert_eq!(wakes(&all, Some(5), 3, 50), mass(3, 5));
    assert_eq!(wakes(&all, Some(6), 3, 50), []);
    assert_eq!(wakes(&all, Some(6), 3, 49), mass(3, 6));
    assert_eq!(wakes(&all, Some(5), 4, 50), []);
    assert_eq!(wakes(&all, Some(5), 2, 50), mass(3, 5));
    assert_eq!(wakes(&all, Some(5), 0, 50), []);
    assert_eq!(wakes(&all, None, 3, 50), []);
    assert_eq!(wakes(&["a", "a", "a"], Some(5), 3, 50), mass(3, 5), "rows are counted, not names");
    let mut world = guarded(&all, 5);
    let _ = world.advance();
    assert_eq!(world.state.mass.stage, Stage::Looking { since: NOON.boot });
    assert_eq!(world.state.mass.suspects.len(), 3);
}

#[test]
fn what_nobody_would_act_on_makes_no_mass_alarm() {
    type Prepare = fn(&mut World);
    let prepared: [Prepare; 5] = [
        |world| world.alarms[0].acknowledged = true,
        |world| world.order(Order::Hold, Scope::Process(name("a"))),
        |world| world.maintain("w", Scope::Process(name("a"))),
        |world| {
            let recheck = world.hence(1);
            world.standing("a").handled.push(Handled { row: RowId(1), notes: None, recheck });
        },
        |world| world.alarms[0].name = name(" "),
    ];
    for (at, prepare) in prepared.into_iter().enumerate() {
        let mut world = guarded(&["a", "b", "c"], 3);
        prepare(&mut world);
        let notices = world.advance();
        assert!(!notices.iter().any(|notice| matches!(notice, Notice::MassAlarm { .. })), "case {at}");
    }
}

#[test]
fn what_planned_work_left_behind_makes_a_mass_alarm_only_where_nothing_can_look_at_it() {
    let wakes = |checked| {
        let mut world = guarded(&["a", "b", "c"], 3);
        world.rules("a").check = checked;
        world.standing("a").after_window = true;
        !world.advance().is_empty()
    };
    assert!(!wakes(Checked::ByCheck));
    assert!(wakes(Checked::Unchecked));
    // A suspect stays one, whatever was planned since.
    let mut world = guarded(&["a", "b", "c"], 4);
    let _ = world.advance();
    world.standing("a").after_window = true;
    for who in ["b", "c"] {
        look(&mut world, who, Condition::Healthy);
    }
    assert_eq!(world.advance(), [], "a is looked at as well");
    assert!(world.state.mass.suspects.contains(&name("a")));
}

#[test]
fn a_suspect_that_an_operator_has_ticked_stays_one_and_nobody_waits_for_its_look() {
    let mut world = guarded(&["a", "b", "c", "d"], 5);
    let _ = world.advance();
    world.alarms[0].acknowledged = true;
    for who in ["b", "c", "d"] {
        look(&mut world, who, Condition::Healthy);
    }
    assert_eq!(world.advance(), [Notice::MassHeld { looked: 3, healthy: 3 }]);
    assert!(world.state.mass.suspects.contains(&name("a")));
}

fn look(world: &mut World, who: &str, condition: Condition) {
    let now = world.now.boot;
    world.state.mass.looked(&name(who), condition, now);
}

#[test]
fn when_all_were_looked_at_most_of_them_decide() {
    let concluded = |bad: &[&str]| {
        let mut world = guarded(&["a", "b", "c", "d"], 5);
        let _ = world.advance();
        for who in ["a", "b", "c", "d"] {
            let condition = if bad.contains(&who) { Condition::Bad } else { Condition::Healthy };
            assert_eq!(world.advance(), [], "not before all were");
            look(&mut world, who, condition);
        }
        let _ = world.state.take_dirty();
        let notices = world.advance();
        assert!(world.state.dirty.host);
        (notices, world.state.mass.stage)
    };
    let held = |healthy| (vec![Notice::MassHeld { looked: 4, healthy }], Stage::Held { looked: 4, healthy });
    let believed = |healthy| (vec![Notice::MassBelieved { looked: 4, healthy }], Stage::Believed);
    assert_eq!(concluded(&[]), held(4));
    assert_eq!(concluded(&["b"]), held(3));
    assert_eq!(concluded(&["b", "c"]), held(2), "as many as not are not most");
    assert_eq!(concluded(&["b", "c", "d"]), believed(1));
    assert_eq!(concluded(&["a", "b", "c", "d"]), believed(0));
}

#[test]
fn looking_ends_after_its_longest_time_and_without_a_check_nothing_is_looked_at() {
    let mut world = guarded(&["a", "b", "c"], 4);
    let _ = world.advance();
    look(&mut world, "a", Condition::Healthy);
    world.pass(299);
    assert_eq!(world.advance(), []);
    world.pass(1);
    assert_eq!(world.advance(), [Notice::MassHeld { looked: 1, healthy: 1 }]);
    let mut world = guarded(&["a", "b", "c"], 4);
    for who in ["a", "b", "c"] {
        world.rules(who).check = Checked::Unchecked;
    }
    assert_eq!(
        world.advance(),
        [Notice::MassAlarm { alarms: 3, known: 4 }, Notice::MassBelieved { looked: 0, healthy: 0 }]
    );
    let mut world = guarded(&["a", "b", "c"], 4);
    world.configured.insert(name("a"), Configured::No);
    let _ = world.advance();
    for who in ["b", "c"] {
        look(&mut world, who, Condition::Bad);
    }
    assert_eq!(world.advance(), [Notice::MassBelieved { looked: 2, healthy: 0 }]);
}

#[test]
fn a_suspect_is_one_as_long_as_its_alarm_stands_or_somebody_works_on_it() {
    let mut world = guarded(&["a", "b", "c", "d"], 5);
    let _ = world.advance();
    for who in ["a", "b", "c", "d"] {
        look(&mut world, who, Condition::Healthy);
    }
    let _ = world.advance();
    world.alarm(&["a"]);
    let now = world.now.boot;
    world.standing("b").in_flight = Some(InFlight { since: now, verify: Verify::AfterOnly });
    world.standing("c").pause = Some(now.after(secs(9)));
    world.standing("d").ended = Some(now);
    let _ = world.advance();
    assert_eq!(world.state.mass.suspects.len(), 4);
    assert_eq!(world.state.mass.seen.len(), 4);
    world.standing("b").in_flight = None;
    world.standing("c").pause = None;
    world.standing("d").ended = Some(Ticks(now.0 - 1));
    let _ = world.state.take_dirty();
    let _ = world.advance();
    assert_eq!(world.state.mass.suspects.iter().collect::<Vec<_>>(), [&name("a")]);
    assert_eq!(world.state.mass.seen.len(), 1, "what was seen of others is forgotten");
    assert!(world.state.take_dirty().host);
    world.alarm(&["a", "x"]);
    let _ = world.advance();
    assert!(!world.state.mass.suspects.contains(&name("x")), "it came later, and alone");
    world.alarm(&["x"]);
    assert_eq!(world.advance(), [Notice::MassOver]);
    assert_eq!(world.state.mass, Mass::default());
    assert!(world.state.take_dirty().host);
    assert_eq!((world.advance(), world.state.dirty.host), (vec![], false));
}

#[test]
fn a_guard_that_is_switched_off_holds_nobody_and_what_was_under_suspicion_is_looked_at_first() {
    let mut world = guarded(&["a", "b", "c"], 4);
    world.rules("c").check = Checked::Unchecked;
    let _ = (world.advance(), world.state.take_dirty());
    world.limits.mass_min = 0;
    assert_eq!((world.advance(), world.state.mass.stage), (vec![], Stage::Believed));
    assert!(world.state.take_dirty().host);
    let plan = world.decide();
    let verify: Vec<_> = plan.start.iter().map(|job| (job.name.as_str(), job.verify)).collect();
    assert_eq!(verify, [("a", Verify::First), ("b", Verify::First), ("c", Verify::AfterOnly)]);
    world.alarm(&[]);
    assert_eq!(world.advance(), [Notice::MassOver]);
}

#[test]
fn what_is_left_of_a_mass_alarm_that_was_believed_does_not_speak_for_the_next_one() {
    let mut world = guarded(&["a", "b", "c"], 6);
    world.limits.mass_share = 40;
    let _ = world.advance();
    for who in ["a", "b", "c"] {
        look(&mut world, who, Condition::Bad);
    }
    assert_eq!(world.advance(), [Notice::MassBelieved { looked: 3, healthy: 0 }]);
    // Few more are alarms like any others, also together with what is left.
    world.alarm(&["a", "x", "y"]);
    assert_eq!((world.advance(), world.state.mass.stage), (vec![], Stage::Believed));
    assert_eq!(world.state.mass.suspects.iter().collect::<Vec<_>>(), [&name("a")]);
    world.alarm(&["a", "x", "y", "z"]);
    assert_eq!(world.advance(), [Notice::MassAlarm { alarms: 4, known: 6 }]);
    assert_eq!(world.state.mass.suspects.len(), 4);
    assert_eq!(world.state.mass.seen.len(), 0, "also a is looked at again");
    // Also when the last of the old ones goes with the very poll that brings others; rows are counted, not names.
    let mut anew = guarded(&["b", "c", "c"], 4);
    anew.state.mass = Mass { suspects: [name("a")].into(), ..in_stage(Stage::Believed, None) };
    assert_eq!(anew.advance(), [Notice::MassOver, Notice::MassAlarm { alarms: 3, known: 4 }]);
    // While it is looked at, or held, more is more of the same.
    world.alarm(&["a", "x", "y", "z", "w"]);
    assert_eq!((world.advance(), world.state.mass.suspects.len()), (vec![], 5));
}

#[test]
fn rows_in_alarm_that_nobody_acts_on_do_not_make_the_others_fewer() {
    let wakes = |ticked: usize| {
        let mut world = guarded(&["a", "b", "c", "d", "e", "f", "g"], 9);
        world.alarms.iter_mut().rev().take(ticked).for_each(|alarm| alarm.acknowledged = true);
        world.advance()
    };
    assert_eq!(wakes(4), [Notice::MassAlarm { alarms: 3, known: 5 }]);
    assert_eq!(wakes(5), [], "two are not enough");
    // Neither a row without a name nor one that was handled is one that somebody leaves alone.
    let mut world = guarded(&["a", "b", "c", " "], 6);
    let recheck = world.hence(1);
    world.standing("d").handled.push(Handled { row: RowId(5), notes: None, recheck });
    world.alarms.push(crate::testing::alarm(5, "d"));
    assert_eq!(world.advance(), []);
}

#[test]
fn what_nobody_could_look_at_says_nothing() {
    let mut world = guarded(&["a", "b", "c"], 4);
    world.rules("c").check = Checked::Unchecked;
    world.order(Order::Observe, Scope::All);
    let _ = (world.advance(), world.pass(301));
    assert_eq!(world.advance(), []);
    assert_eq!(world.decide().wake_at, None, "it would be looked at again for ever");
    world.overrides.clear();
    assert_eq!(world.decide().start.len(), 2, "they are looked at");
    look(&mut world, "a", Condition::Healthy);
    assert_eq!(world.advance(), [Notice::MassHeld { looked: 1, healthy: 1 }]);
}

#[test]
fn an_alarm_that_is_known_to_be_wrong_keeps_nobody_waiting() {
    for (condition, started) in [(Condition::Healthy, 1), (Condition::Bad, 0)] {
        let mut world = guarded(&["db", "web", "x"], 4);
        world.relate("web>db");
        let _ = world.advance();
        look(&mut world, "web", Condition::Bad);
        look(&mut world, "db", condition);
        look(&mut world, "x", Condition::Healthy);
        assert!(!world.state.mass.disbelieves(&name("db")), "not before it is concluded");
        let _ = world.advance();
        world.state.mass.stage = Stage::Held { looked: 3, healthy: 2 };
        let begun = world.decide().start.into_iter().filter(|job| job.name == name("web")).count();
        assert_eq!(begun, started, "{condition:?}");
    }
}

#[test]
fn those_that_come_while_it_is_a_mass_alarm_are_suspects_as_well() {
    let mut world = guarded(&["a", "b", "c"], 4);
    let _ = world.advance();
    world.alarm(&["a", "b", "c", "x"]);
    assert_eq!(world.advance(), []);
    assert!(world.state.mass.suspects.contains(&name("x")));
}

#[test]
fn the_whole_story_from_the_first_look_to_the_restart_of_the_bad_one() {
    let mut world = guarded(&["a", "b", "c"], 4);
    let _ = world.advance();
    let plan = world.decide();
    assert_eq!(plan.start.len(), 3);
    for job in &plan.start {
        assert_eq!((&job.cause, job.verify), (&Cause::MassAlarm, Verify::Only));
        world.begin(job);
        let end = if job.name == name("b") {
            crate::model::End::Unhealthy
        } else {
            crate::model::End::AlreadyHealthy
        };
        let settled = world.settle(job, &Outcome::new(end, 0, ""));
        assert!(settled.clear.is_empty());
    }
    world.pass(1);
    assert_eq!(world.advance(), [Notice::MassHeld { looked: 3, healthy: 2 }]);
    let plan = world.decide();
    assert_eq!(plan.start.iter().map(|job| job.name.as_str()).collect::<Vec<_>>(), ["b"]);
    let recheck = Some(world.hence(59));
    let hold = Hold::MassAlarm { healthy: Some((3, 2)), recheck };
    assert_eq!(plan.held, [(0, hold.clone()), (2, hold)]);
    world.state.believe();
    assert!(world.state.dirty.host);
    assert_eq!(world.decide().start.len(), 3);
}

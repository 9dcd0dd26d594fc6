//! Who is in trouble, who calls for something, and whom orders and windows cover.

use super::*;
use crate::model::{Due, Handled, Hold, InFlight, RowId, Scope, Verify};
use crate::testing::{NOON, World, secs};

fn name(text: &str) -> Name {
    Name::new(text)
}

/// What the alarm of web waits for, in a world in which it depends on db.
fn waits(prepare: impl Fn(&mut World)) -> Option<(String, Trouble)> {
    let mut world = World::new(&["web"]);
    world.relate("web>db db>disk");
    prepare(&mut world);
    let web = world.alarms.iter().position(|alarm| alarm.name == name("web"));
    world.decide().held.into_iter().find(|(index, _)| Some(*index) == web).map(|(_, hold)| match hold {
        Hold::Waiting { cause, trouble } => (cause.as_str().to_owned(), trouble),
        other => panic!("{other:?}"),
    })
}

fn for_db(trouble: Trouble) -> Option<(String, Trouble)> {
    Some(("db".to_owned(), trouble))
}

#[test]
fn each_trouble_of_a_dependency_makes_wait_and_the_gravest_is_told() {
    let now = NOON.boot;
    assert_eq!(waits(|_| ()), None);
    assert_eq!(waits(|world| world.alarm(&["web", "db"])), for_db(Trouble::InAlarm));
    assert_eq!(
        waits(|world| drop(world.state.due.insert(name("db"), Due { because: name("disk"), since: now }))),
        for_db(Trouble::Due)
    );
    let open = |world: &mut World, until| world.standing("db").breaker.state = breaker::State::Open { until };
    let opened = for_db(Trouble::BreakerOpen { until: Ticks(now.0 + 1) });
    assert_eq!(waits(|world| open(world, Ticks(now.0 + 1))), opened);
    assert_eq!(waits(|world| open(world, now)), None, "its trial is due, and there is no alarm");
    let running = |world: &mut World| {
        world.standing("db").in_flight = Some(InFlight { since: now, verify: Verify::AfterOnly });
    };
    assert_eq!(waits(running), for_db(Trouble::Restarting));
    let looked_at = |world: &mut World| {
        world.standing("db").in_flight = Some(InFlight { since: now, verify: Verify::Only });
    };
    assert_eq!(waits(looked_at), None, "it is not restarted, whatever is seen");
    assert_eq!(
        waits(|world| {
            world.alarm(&["web", "db"]);
            open(world, Ticks(now.0 + 1));
        }),
        opened
    );
    assert_eq!(
        waits(|world| {
            open(world, Ticks(now.0 + 1));
            running(world);
        }),
        for_db(Trouble::Restarting)
    );
    assert_eq!(
        waits(|world| {
            running(world);
            world.order(Order::Hold, Scope::Process(name("db")));
        }),
        for_db(Trouble::Held)
    );
    let root = waits(|world| world.alarm(&["web", "db", "disk"]));
    assert_eq!(root, Some(("disk".to_owned(), Trouble::InAlarm)));
}

#[test]
fn who_waits_for_one_that_pm_will_not_restart_is_told_so() {
    let with = |prepare: &dyn Fn(&mut World)| {
        waits(|world| {
            world.alarm(&["web", "db", "db"]);
            prepare(world);
        })
    };
    let tick = |world: &mut World, rows: &[usize]| {
        rows.iter().for_each(|row| world.alarms[*row].acknowledged = true);
    };
    let db = || Scope::Process(name("db"));
    assert_eq!(with(&|world| tick(world, &[1])), for_db(Trouble::InAlarm), "another row of it calls");
    assert_eq!(with(&|world| tick(world, &[1, 2])), for_db(Trouble::Ticked));
    assert_eq!(with(&|world| world.order(Order::Observe, db())), for_db(Trouble::Observed));
    assert_eq!(with(&|world| world.maintain("w", db())), for_db(Trouble::InWindow));
    let unusable =
        |world: &mut World| drop(world.configured.insert(name("db"), Configured::Unusable("x".to_owned())));
    assert_eq!(with(&unusable), for_db(Trouble::Unusable));
    // What does not end with the window is told first, and of all that the gravest.
    let windowed = |world: &mut World| {
        world.maintain("w", db());
        world.order(Order::Observe, db());
    };
    assert_eq!(with(&windowed), for_db(Trouble::Observed));
    let both = |world: &mut World| {
        windowed(world);
        tick(world, &[1, 2]);
    };
    assert_eq!(with(&both), for_db(Trouble::Ticked));
    let all = |world: &mut World| {
        both(world);
        unusable(world);
    };
    assert_eq!(with(&all), for_db(Trouble::Unusable));
    assert_eq!(
        waits(|world| {
            world.alarm(&["web"]);
            let since = world.ago(60);
            let now = world.now.boot;
            let standing = world.standing("db");
            (standing.alarm_since, standing.ended) = (Some(since), Some(now));
            world.maintain("w", db());
        }),
        for_db(Trouble::InWindow),
        "its row is out of sight"
    );
}

#[test]
fn a_dependency_whose_row_is_out_of_sight_after_its_job_still_makes_wait() {
    let with = |alarmed: bool, ended: Option<u64>| {
        waits(|world| {
            let since = world.ago(60);
            let standing = world.standing("db");
            standing.alarm_since = alarmed.then_some(since);
            standing.ended = ended.map(Ticks);
        })
    };
    let now = NOON.boot.0;
    assert_eq!(with(true, Some(now)), for_db(Trouble::InAlarm));
    assert_eq!(with(true, Some(now - 1)), None, "a poll has looked since");
    assert_eq!(with(false, Some(now)), None, "it was brought back");
    assert_eq!(with(true, None), None);
}

#[test]
fn a_row_that_was_handled_is_no_alarm_before_it_is_looked_at_again() {
    let with = |recheck: u64| {
        waits(|world| {
            world.alarm(&["web", "db"]);
            let recheck = Ticks(NOON.boot.0 + recheck);
            world.standing("db").handled.push(Handled { row: RowId(2), notes: None, recheck });
        })
    };
    assert_eq!(with(1), None);
    assert_eq!(with(0), for_db(Trouble::InAlarm));
    let world = World::new(&["web", "", " "]);
    let view = world.view();
    let sights = Sights::new(&view, &world.state, world.now);
    assert_eq!(sights.alarmed, HashSet::from([&name("web")]));
}

#[test]
fn a_row_calls_for_something_unless_somebody_looks_after_it() {
    let calls = |prepare: &dyn Fn(&mut World)| {
        let mut world = World::new(&["web"]);
        prepare(&mut world);
        let view = world.view();
        Sights::new(&view, &world.state, world.now).calls(&world.alarms[0])
    };
    assert!(calls(&|_| ()));
    assert!(!calls(&|world| world.alarms[0].acknowledged = true));
    assert!(!calls(&|world| world.order(Order::Hold, Scope::All)));
    assert!(!calls(&|world| world.maintain("w", Scope::All)));
    assert!(calls(&|world| world.order(Order::Observe, Scope::All)));
    assert!(!calls(&|world| {
        let recheck = world.hence(1);
        world.standing("web").handled.push(Handled { row: RowId(1), notes: None, recheck });
    }));
}

#[test]
fn orders_and_windows_cover_by_name_and_group_and_only_while_they_last() {
    let mut world = World::new(&[]);
    world.relate("web:front");
    for order in [Order::Hold, Order::Bypass, Order::Observe] {
        world.order(order, Scope::Group(name("front")));
        world.order(order, Scope::Process(name("db")));
    }
    world.maintain("short", Scope::All);
    world.maintain("long", Scope::Group(name("front")));
    world.windows[1].until = world.now.after(secs(9_000)).wall;
    world.maintain("closed", Scope::All);
    world.windows[2].from = world.now.after(secs(1)).wall;
    world.windows[2].until = world.now.after(secs(99_000)).wall;
    for over in [false, true] {
        if over {
            let until = Some(world.now.wall);
            world.overrides.iter_mut().for_each(|its| its.until = until);
        }
        let view = world.view();
        let sights = Sights::new(&view, &world.state, world.now);
        for (who, covered) in [("web", true), ("db", true), ("mail", false)] {
            let who = name(who);
            let orders = [sights.held(&who), sights.bypass(&who), sights.observed(&who)];
            let orders = orders.map(|its| its.map(|its| its.order));
            let all = [Order::Hold, Order::Bypass, Order::Observe].map(Some);
            assert_eq!(orders, if covered && !over { all } else { [None; 3] });
        }
        let window = |who| sights.window(&name(who)).map(|window| window.id.as_str());
        assert_eq!((window("web"), window("db")), (Some("long"), Some("short")));
        assert_eq!(sights.group(&name("web")), Some(&name("front")));
    }
}

#[test]
fn waves_and_moments_come_from_the_dependencies() {
    let mut world = World::new(&[]);
    world.relate("web>db db>disk");
    let at = world.ago(7);
    world.standing("disk").last_good = Some(at);
    let view = world.view();
    let sights = Sights::new(&view, &world.state, world.now);
    assert_eq!(["disk", "db", "web", "alone"].map(|who| sights.wave(&name(who))), [0, 1, 2, 0]);
    assert_eq!(
        ["disk", "db", "web", "alone"].map(|who| sights.restored(&name(who))),
        [None, Some(at), Some(at), None]
    );
    let flat = World::new(&[]);
    let view = flat.view();
    let sights = Sights::new(&view, &flat.state, flat.now);
    assert_eq!(
        (sights.wave(&name("web")), sights.restored(&name("web")), sights.cause(&name("web"))),
        (0, None, None)
    );
}

//! `kill -9` while alarms are handled: nothing is lost, and no command is run more often than promised.
//!
//! What a command does has no identity, so the one that was running is run once more; every other one is not.

use super::{LOST, World, custom};
use pm_host::failpoint::Point;
use pm_tests::proxy::Fault;
use std::collections::BTreeMap;

/// Restarts at the same time.
const PARALLEL: usize = 4;
/// Alarms of each round.
const ALARMS: usize = 24;

/// When pm is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// So many commands have begun.
    Begun(usize),
    /// So many rows are cleared.
    Cleared(usize),
}

#[test]
fn killed_at_any_moment_it_goes_on_and_no_command_runs_a_third_time() {
    let command = "restart_command = echo $process_id >> @DIR@/$notes; sleep 0.02";
    let sections: String = (1..=ALARMS).map(|n| custom(&format!("p{n}"), command)).collect();
    let Some(mut world) = World::new(&sections) else { return };
    for (id, n) in (1..).zip(1..=ALARMS) {
        world.base.put(id, &format!("p{n}"), 0, None);
    }
    let done = |world: &World| {
        let query =
            format!("SELECT COUNT(*) FROM STATUS_PROCESS WHERE alarma = 0 AND process_id <= {ALARMS}");
        usize::try_from(world.base.number(&query)).unwrap()
    };
    let moments =
        [Moment::Begun(1), Moment::Begun(11), Moment::Cleared(1), Moment::Cleared(15), Moment::Begun(ALARMS)];
    let mut repeated = 0;
    for (round, moment) in moments.into_iter().enumerate() {
        let file = format!("round{round}");
        world.start();
        let raise =
            format!("UPDATE STATUS_PROCESS SET alarma = 1, notes = '{file}' WHERE process_id <= {ALARMS}");
        world.base.sql(&raise);
        world.until(&format!("{moment:?}"), |_| match moment {
            Moment::Begun(count) => world.count(&file) >= count,
            Moment::Cleared(count) => done(&world) >= count,
        });
        world.kill();
        world.start();
        world.until("all to be cleared", |_| done(&world) == ALARMS);
        world.round();
        world.delivered();
        world.kill();
        let mut runs: BTreeMap<String, usize> = BTreeMap::new();
        for row in world.lines(&file) {
            *runs.entry(row).or_default() += 1;
        }
        let twice = runs.values().filter(|count| **count == 2).count();
        assert_eq!(runs.len(), ALARMS, "{moment:?}: each was restarted\n{}", world.log());
        assert!(
            runs.values().all(|count| *count <= 2) && twice <= PARALLEL,
            "{moment:?}: {runs:?}\n{}",
            world.log()
        );
        repeated += twice;
    }
    // What was cut off is said; nothing else is wrong.
    let complaints = world.complaints();
    assert!(complaints.iter().all(|line| line.contains("was cut off when pm")), "{complaints:?}");
    assert!((1..=complaints.len()).contains(&repeated), "{repeated} were repeated, {complaints:?}");
    let open = world.journal("SELECT COUNT(*) FROM attempts WHERE ended_wall IS NULL");
    assert_eq!(open, 0, "no entry is left open");
}

#[test]
fn killed_before_the_restart_began_it_is_handled_once_by_the_next_start() {
    let keys = "pre_restart_command = echo x >> @DIR@/prepared; while [ ! -e @DIR@/go ]; do sleep 0.02; done\n\
                restart_command = echo x >> @DIR@/ran";
    let Some(mut world) = World::new(&custom("web", keys)) else { return };
    world.start();
    let id = world.base.alarm("web");
    world.until_count("prepared", 1);
    world.kill();
    // While nobody works the alarm gets another note: the next start reads it anew.
    world.base.again(id, "still down");
    world.write("go", "", 0o644);
    world.start();
    assert!(world.cleared(id).starts_with("still down - Restarted at "));
    world.round();
    assert_eq!((world.count("prepared"), world.count("ran")), (2, 1), "{}", world.log());
}

/// From the poll to the outbox, whatever the server knows and pm does not.
#[test]
fn killed_at_every_point_of_the_write_back_the_row_is_cleared_once_and_the_command_runs_once() {
    const POINTS: [Point; 9] = [
        Point::AlarmsRead,
        Point::OutcomeWritten,
        Point::OutcomeStored,
        Point::WriteBackOrdered,
        Point::WriteBackBegins,
        Point::WriteBackAnswered,
        Point::DeliveryWritten,
        Point::Delivered,
        Point::DeliveryTold,
    ];
    for point in POINTS {
        let keys = "restart_command = echo x >> @DIR@/ran\nhealth_check_command = test -e @DIR@/ran";
        let Some(mut world) = World::new(&custom("web", keys)) else { return };
        let id = world.base.alarm("web");
        world.dies_at(point);
        world.start();
        let notes = world.cleared(id);
        assert_eq!(notes.matches("Restarted at").count(), 1, "{point:?}: {notes}");
        world.round();
        world.delivered();
        assert_eq!(world.count("ran"), 1, "{point:?}\n{}", world.log());
        let ends =
            world.journal("SELECT COUNT(*) FROM attempts WHERE name = 'web' AND outcome = 'restarted'");
        let all = world.journal("SELECT COUNT(*) FROM attempts WHERE name = 'web'");
        assert_eq!((ends, all), (1, 1), "{point:?}");
    }
}

/// The server has the clearing and pm dies before it hears so; then the alarm is raised anew.
#[test]
fn killed_between_a_clearing_and_its_answer_it_wipes_nothing_that_is_raised_anew() {
    for anew in [false, true] {
        let keys = "restart_command = echo x >> @DIR@/ran";
        let Some((mut world, proxy)) = World::proxied("", &custom("web", keys)) else { return };
        proxy.set(Fault::After(b"Restarted at".to_vec(), Fault::Freeze.into()));
        let id = world.base.alarm("web");
        world.start();
        // The question has reached the server; its answer stays in the proxy.
        world.cleared(id);
        world.until("the clearing to wait", |world| {
            world.log().contains(LOST) || proxy.fault() == Fault::Freeze
        });
        world.kill();
        if anew {
            world.base.again(id, "down once more");
        }
        proxy.set(Fault::None);
        world.start();
        let notes = world.cleared(id);
        world.round();
        world.delivered();
        let begins = if anew { "down once more - Restarted at" } else { "down - Restarted at" };
        assert!(notes.starts_with(begins) && notes.matches("Restarted at").count() == 1, "{notes}");
        assert_eq!(world.count("ran"), if anew { 2 } else { 1 }, "{}", world.log());
    }
}

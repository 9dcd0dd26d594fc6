//! `kill -9` while alarms are handled: nothing is lost, and no command is run more often than promised.
//!
//! What a command does has no identity, so the one that was running is run once more; every other one is not.

use super::{World, custom};
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

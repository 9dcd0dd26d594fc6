//! Several alarms at once: side by side, bounded, and none waits for another's slowness.

use super::{World, custom};
use pm_tests::sandbox::Sandbox;

/// A restart that says when it begins and waits for a file.
fn waiting(name: &str) -> String {
    let keys = "restart_command = echo %s >> @DIR@/begun; while [ ! -e @DIR@/go ]; do sleep 0.02; done; echo %s >> @DIR@/ended";
    custom(name, keys)
}

#[test]
fn a_slow_restart_delays_nobody_else() {
    let mut world = World::with(&(waiting("slow") + &custom("quick", "restart_command = true")));
    world.start();
    let slow = world.alarm("slow");
    world.until_count("begun", 1);
    for _ in 0..3 {
        world.handled("quick");
    }
    assert_eq!((world.state(slow).0, world.count("ended")), (1, 0));
    let why = world.ok(&["why", "slow"]);
    assert!(why.contains("HOLD in flight     a restart is under way, for "), "{why}");
    world.write("go", "", 0o644);
    world.cleared(slow);
    assert_eq!(world.count("begun"), 1, "an alarm that is being handled is not handled twice");
}

#[test]
fn no_more_restarts_run_at_once_than_allowed() {
    let sections: String = ["a", "b", "c", "d"].map(waiting).concat();
    let config = Sandbox::on_sqlite(&sections).replace("[monitor]", "[monitor]\nmax_parallel_restarts = 2");
    let mut world = World::of(&config);
    let rows = ["a", "b", "c", "d"].map(|name| world.alarm(name));
    world.start();
    world.until_count("begun", 2);
    let why = world.ok(&["why", "c"]);
    assert!(
        why.contains("HOLD capacity      as many restarts are running as max_parallel_restarts allows (2)"),
        "{why}"
    );
    assert_eq!(world.lines("begun").len(), 2, "{:?}", world.lines("begun"));
    world.write("go", "", 0o644);
    for row in rows {
        world.cleared(row);
    }
    let mut begun = world.lines("begun");
    begun.sort();
    assert_eq!(begun, ["a", "b", "c", "d"]);
}

#[test]
fn a_burst_of_alarms_is_cleared_with_one_restart_each() {
    let default =
        "[process.default]\nrestart_strategy = custom\nrestart_command = echo $process_name >> @DIR@/ran\n";
    let mut world = World::with(default);
    world.table.execute_batch("BEGIN").unwrap();
    for id in 1..=200_i64 {
        let status = "INSERT INTO STATUS_PROCESS (process_id, alarma, sound) VALUES (?1, 1, 0)";
        world.table.execute(status, [id]).unwrap();
        let name = "INSERT INTO PROCESE (process_id, process_name) VALUES (?1, 'p' || ?1)";
        world.table.execute(name, [id]).unwrap();
    }
    world.table.execute_batch("COMMIT").unwrap();
    world.start();
    let left = |world: &World| -> i64 {
        world.table.query_row("SELECT SUM(alarma = 1) FROM STATUS_PROCESS", [], |row| row.get(0)).unwrap()
    };
    world.until("all alarms to be cleared", |_| left(&world) == 0);
    let mut ran = world.lines("ran");
    assert_eq!(ran.len(), 200);
    ran.sort();
    ran.dedup();
    assert_eq!(ran.len(), 200, "each of them once");
}

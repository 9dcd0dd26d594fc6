//! What a strategy depends on has a breaker of its own: no process is blamed, and there is one message.

use super::{custom, json, status, world};
use std::os::unix::net::UnixListener;

#[test]
fn a_driver_that_fails_pauses_its_processes_with_one_message_and_blames_none() {
    let section = |name: &str| {
        format!(
            "[process.{name}]\nrestart_strategy = docker\nsocket = @DIR@/nobody\nmax_restart_failures = 1\nbackoff = 0\n\n"
        )
    };
    let names = ["c1", "c2", "c3", "c4"];
    let other = custom("web", "backoff = 0\nrestart_command = echo x >> @DIR@/ran");
    let mut world = world("max_parallel_restarts = 3", &(names.map(section).concat() + &other));
    // A socket that nobody listens at any more.
    drop(UnixListener::bind(world.dir().join("nobody")).unwrap());
    let three = [names[0], names[1], names[2]].map(|name| world.alarm(name));
    world.start();
    let told = "WARNING] - What the strategy docker depends on fails again and again: nothing is restarted by it for ";
    world.until_log(told);
    let rows = [three[0], three[1], three[2], world.alarm(names[3])];
    world.until_log(&format!(
        "Not acting on c4 (ID: {}): what the strategy docker depends on fails again and again; tried again in ",
        rows[3]
    ));
    // Another strategy goes on.
    world.handled("web");
    for (name, id) in names.into_iter().zip(rows) {
        let breaker = status(&world, name)["breaker"].clone();
        assert_eq!((&breaker["state"], &breaker["did_not_help"]), (&"closed".into(), &0.into()), "{name}");
        assert_eq!(world.state(id).0, 1);
    }
    assert_eq!((world.said(told), world.said("Circuit breaker")), (1, 0), "{}", world.log());
    // Also a pm that was killed does not ask it before its time.
    world.kill();
    let why = world.ok(&["why", "c4"]);
    assert!(why.starts_with("c4 is in alarm; the alarm is held (driver-open).\n"), "{why}");
    let attempts = json(&world.ok(&["history", "--format", "json"])).as_array().unwrap().len();
    world.start();
    world.handled("web");
    let after = json(&world.ok(&["history", "--format", "json"])).as_array().unwrap().len();
    assert_eq!(after, attempts + 1, "{}", world.log());
    let plan = world.ok(&["plan"]);
    assert!(plan.starts_with("The next round would begin 0 jobs and hold 4 alarms.\n"), "{plan}");
}

//! The pause between restarts that do not help: it grows, it is told, and it delays nobody else.

use super::{custom, history, kill, pauses, real, running, world};

#[test]
fn restarts_that_do_not_help_come_at_growing_distances() {
    let keys = "restart_command = false\nmax_attempts = 1\nmax_restart_failures = 50\nbackoff = 0.3\nbackoff_factor = 2\n\
                backoff_max = 1\nbackoff_jitter = 0";
    let mut world = world("", &custom("bad", keys));
    world.start();
    let id = world.alarm("bad");
    world.until("five attempts", |_| history(&world, "bad").len() >= 5);
    let pauses = pauses(&history(&world, "bad")[..5]);
    for (pause, least) in pauses.iter().zip([250, 500, 850, 850]) {
        assert!(*pause >= least, "{pauses:?}");
    }
    let told = format!("Not acting on bad (ID: {id}): 1 restart did not help; the next one in 1 s");
    assert_eq!(world.said(&told), 1, "{}", world.log());
}

#[test]
fn the_pause_also_follows_a_restart_that_did_not_last_and_delays_nobody_else() {
    let mut world = world("", &real("web", "stable_time = 60\nbackoff = 40\nbackoff_jitter = 0"));
    world.program("web", "echo $$ >> @DIR@/started");
    world.start();
    let id = world.alarm("web");
    world.cleared(id);
    kill(&world, running(&world, "web")[0]);
    world.again(id);
    world.until_log(&format!("Not acting on web (ID: {id}): 1 restart did not help; the next one in 40 s"));
    world.round();
    assert_eq!((world.count("started"), world.state(id).0), (1, 1), "{}", world.log());
    let why = world.ok(&["why", "web"]);
    assert!(why.starts_with("web is in alarm; the alarm is held (backoff).\n"), "{why}");
    assert!(why.contains("HOLD backoff       1 restart did not help; the next one in "), "{why}");
    assert!(
        why.contains("ok   breaker       closed, 1 restart that did not help yet (opens at 3), level 0\n"),
        "{why}"
    );
}

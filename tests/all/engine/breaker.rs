//! The breaker of one process: useless restarts open it, one restart decides, open times grow, stable periods forgive.

use super::{custom, history, kill, pauses, real, running, status, world};

#[test]
fn restarts_that_seem_to_help_and_do_not_last_open_the_breaker() {
    let keys = "max_restart_failures = 3\nstable_time = 60\nbackoff = 0\ncircuit_reset_time = 600\ncircuit_jitter = 0";
    let mut world = world("", &real("web", keys));
    world.program("web", "echo $$ >> @DIR@/started");
    world.start();
    let id = world.alarm("web");
    for restart in 1..=3 {
        world.cleared(id);
        let pids = running(&world, "web");
        assert_eq!((pids.len(), world.count("started")), (1, restart), "{}", world.log());
        // It works for a moment, and dies again.
        kill(&world, pids[0]);
        world.again(id);
    }
    world.until_log("WARNING] - Circuit breaker opened for web after 3 failures (one trial in 600 s)");
    world.until_log("Circuit breaker open for web. Skipping restart. One trial in ");
    world.round();
    assert_eq!((world.count("started"), world.state(id).0), (3, 1), "{}", world.log());
    assert!(running(&world, "web").is_empty());
    assert_eq!(world.said("The restart of web did not last: in alarm again after "), 3, "{}", world.log());
    let why = world.ok(&["why", "web"]);
    assert!(
        why.contains(
            "HOLD breaker       the breaker is open after 3 restarts that did not help; one trial in 10 min\n"
        ),
        "{why}"
    );
    let effects = world.ok(&["history", "web", "--effect"]);
    let line: Vec<_> = effects.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(line[..6], ["web", "process", "0", "3", "0", "0"], "{effects}");
    assert!(effects.contains("never helps"), "{effects}");
}

#[test]
fn half_open_gets_exactly_one_restart_and_closes_after_the_stable_time() {
    let keys = "max_restart_failures = 1\nmax_attempts = 3\nstable_time = 1\nbackoff = 0\ncircuit_reset_time = 1\n\
                circuit_jitter = 0";
    let mut world = world("", &real("web", keys));
    // It cannot start before it is repaired.
    world.program("web", "echo $$ >> @DIR@/started; [ -e @DIR@/repaired ] || exit 1");
    world.start();
    let id = world.alarm("web");
    world.until_log("Circuit breaker opened for web after 1 failures (one trial in 1 s)");
    assert_eq!(world.count("started"), 3, "closed it gets max_attempts");
    world.write("repaired", "", 0o644);
    world.cleared(id);
    assert_eq!(world.count("started"), 4, "half-open it gets one\n{}", world.log());
    assert_eq!(world.said("Circuit breaker half-open for web: one restart decides"), 1);
    world.until_log("Circuit breaker reset for web");
    let log = world.log();
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("no {text:?} in\n{log}"));
    assert!(place("half-open for web") < place("Successfully handled alarm for web"));
    assert!(place("Successfully handled alarm for web") < place("Circuit breaker reset for web"));
    assert_eq!(history(&world, "web").last().unwrap()["effect"], "lasted");
    // One stable period later the level is forgiven as well.
    world.until("the level to be forgiven", |_| status(&world, "web")["breaker"]["level"] == 0);
    assert_eq!(status(&world, "web")["breaker"]["state"], "closed");
}

#[test]
fn a_trial_that_does_not_last_opens_the_breaker_for_twice_as_long() {
    let keys = "max_restart_failures = 1\nstable_time = 30\nbackoff = 0\ncircuit_reset_time = 1\ncircuit_reset_max = 3\n\
                circuit_jitter = 0";
    let mut world = world("", &real("web", keys));
    world.program("web", "echo $$ >> @DIR@/started");
    world.start();
    let id = world.alarm("web");
    let levels = ["1 failures (one trial in 1 s)", "2 failures (one trial in 2 s, level 2)"];
    for level in levels.into_iter().chain(["3 failures (one trial in 3 s, level 3)"]) {
        world.cleared(id);
        kill(&world, running(&world, "web")[0]);
        world.again(id);
        world.until_log(&format!("Circuit breaker opened for web after {level}"));
    }
    world.cleared(id);
    assert_eq!(world.count("started"), 4, "{}", world.log());
    let trial = status(&world, "web");
    assert_eq!((&trial["breaker"]["state"], &trial["breaker"]["level"]), (&"half-open".into(), &3.into()));
    let shown = world.ok(&["status"]);
    assert!(
        shown.lines().any(|line| line.starts_with("web ") && line.contains("half-open, on trial")),
        "{shown}"
    );
}

#[test]
fn failed_trials_come_at_doubled_distances_up_to_the_longest() {
    let keys = "restart_command = false\nmax_attempts = 1\nmax_restart_failures = 1\nbackoff = 0\n\
                circuit_reset_time = 0.5\ncircuit_reset_max = 1.5\ncircuit_jitter = 0";
    let mut world = world("", &custom("bad", keys));
    world.start();
    world.alarm("bad");
    world.until("five attempts", |_| history(&world, "bad").len() >= 5);
    let pauses = pauses(&history(&world, "bad")[..5]);
    for (pause, least) in pauses.iter().zip([400, 900, 1300, 1300]) {
        assert!(*pause >= least, "{pauses:?}");
    }
}

#[test]
fn a_restart_that_has_lasted_is_not_judged_by_an_alarm_after_its_stable_time() {
    let mut world =
        world("", &custom("web", "restart_command = echo x >> @DIR@/ran\nstable_time = 1\nbackoff = 0"));
    world.start();
    let id = world.alarm("web");
    world.cleared(id);
    let ended = history(&world, "web")[0]["ended_ms"].as_i64().unwrap();
    // Longer than its stable time, and shorter than the loop sleeps while there is nothing to do.
    let now = "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)";
    world.until("its stable time to be over", |_| {
        world.table.query_row(now, [], |row| row.get::<_, i64>(0)).unwrap() > ended + 1_500
    });
    world.again(id);
    world.until_count("ran", 2);
    world.cleared(id);
    assert_eq!(world.said("did not last"), 0, "{}", world.log());
    assert_eq!(status(&world, "web")["breaker"]["failures"], 0);
    world.until("the first to be known to have lasted", |_| history(&world, "web")[0]["effect"] == "lasted");
}

#[test]
fn open_times_are_spread_so_that_what_failed_together_is_not_tried_together() {
    // Nothing is said about the spread: it is the one that is built in.
    let keys =
        "restart_command = false\nmax_attempts = 1\nmax_restart_failures = 1\ncircuit_reset_time = 600";
    let names = ["web", "db", "cart", "mail"];
    let mut world = world("", &names.map(|name| custom(name, keys)).concat());
    for name in names {
        world.alarm(name);
    }
    world.start();
    let announced = names.map(|name| {
        let said = format!("Circuit breaker opened for {name} after 1 failures (one trial in ");
        world.until_log(&said);
        let log = world.log();
        let rest = &log[log.find(&said).unwrap() + said.len()..];
        rest.split_once(" s)").unwrap().0.parse::<u32>().unwrap_or_else(|_| panic!("{rest}"))
    });
    assert!(announced.iter().all(|seconds| (510..=690).contains(seconds)), "{announced:?}");
    assert!(announced.iter().any(|seconds| *seconds != announced[0]), "{announced:?}");
    // What was announced is what is shown, and what pm goes by.
    let opened = names.map(|name| {
        let ended = history(&world, name)[0]["ended_ms"].as_i64().unwrap();
        status(&world, name)["breaker"]["open_until_ms"].as_i64().unwrap() - ended
    });
    for (seconds, milliseconds) in announced.iter().zip(opened) {
        assert!((milliseconds - 1_000 * i64::from(*seconds)).abs() < 2_000, "{announced:?} {opened:?}");
    }
}

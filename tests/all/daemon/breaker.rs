//! Attempts, their growing distance, and the breaker: opening, being seen, surviving, its one trial.

use super::{World, custom, seconds};
use serde_json::Value;

/// A process whose restart is noted in `ran` and whose check is the file `healthy`.
fn noted(name: &str, keys: &str) -> String {
    let common = format!(
        "restart_command = echo $attempt >> @DIR@/ran\nhealth_check_command = test -e @DIR@/healthy\n\
         health_check_timeout = 0.1\nrestart_delay = 0.05\n{keys}"
    );
    custom(name, &common)
}

#[test]
fn failures_open_the_breaker_which_is_shown_and_outlives_pm() {
    let mut world = World::with(&noted("bad", "max_attempts = 2\nmax_restart_failures = 2"));
    world.start();
    let id = world.alarm("bad");
    world.until_log("WARNING] - Circuit breaker opened for bad after 2 failures");
    world.until_log("WARNING] - Circuit breaker open for bad. Skipping restart. One trial in");
    world.round();
    assert_eq!(world.lines("ran"), ["1", "2", "1", "2"], "two jobs of two attempts");
    let seen = |world: &World| {
        let why = world.ok(&["why", "bad"]);
        assert!(why.starts_with("bad is in alarm; the alarm is held (breaker-open).\n"), "{why}");
        assert!(
            why.contains(
                "HOLD breaker       the breaker is open after 2 restarts that did not help; one trial in "
            ),
            "{why}"
        );
        let status = world.ok(&["status"]);
        let line = status.lines().find(|line| line.starts_with("bad ")).unwrap();
        assert!(line.contains("ALARM") && line.contains("open, "), "{status}");
        let json: Value = serde_json::from_str(&world.ok(&["why", "bad", "--format", "json"])).unwrap();
        assert_eq!((&json["hold"], &json["verdict"]), (&"breaker-open".into(), &"held".into()));
        let json: Value = serde_json::from_str(&world.ok(&["status", "--format", "json"])).unwrap();
        let bad =
            json["processes"].as_array().unwrap().iter().find(|one| one["name"] == "bad").unwrap().clone();
        assert_eq!((&bad["breaker"]["state"], &bad["breaker"]["failures"]), (&"open".into(), &2.into()));
    };
    seen(&world);
    world.stop();
    seen(&world);
    world.start();
    world.until("the open breaker to be said again", |world| {
        world.log().matches("Circuit breaker open for bad. Skipping").count() == 2
    });
    world.round();
    world.kill();
    world.start();
    world.round();
    assert_eq!((world.count("ran"), world.state(id).0), (4, 1), "neither a stop nor a crash makes it forget");
    // By hand it is restarted all the same. That is the trial: the alarm is looked at first, and the breaker closes after
    // the stable time, which is none here.
    world.write("healthy", "", 0o644);
    world.ok(&["restart", "bad", "--force"]);
    world.cleared(id);
    world.until_log("Circuit breaker reset for bad");
    assert_eq!((world.count("ran"), world.said("Circuit breaker reset for bad")), (5, 1), "{}", world.log());
}

#[test]
fn after_the_reset_time_exactly_one_trial_decides() {
    let mut world =
        World::with(&noted("bad", "max_attempts = 3\nmax_restart_failures = 1\ncircuit_reset_time = 1"));
    world.start();
    let id = world.alarm("bad");
    world.until_log("Circuit breaker opened for bad after 1 failures (one trial in 1 s)");
    assert_eq!(world.lines("ran"), ["1", "2", "3"]);
    world.until_log("Circuit breaker opened for bad after 2 failures");
    assert_eq!(
        world.lines("ran"),
        ["1", "2", "3", "1"],
        "a trial is one restart, whatever max_attempts says"
    );
    world.write("healthy", "", 0o644);
    world.cleared(id);
    world.until_log("Circuit breaker reset for bad");
    world.stop();
    let status = world.ok(&["status"]);
    assert!(status.lines().any(|line| line.starts_with("bad ") && line.contains(" closed ")), "{status}");
}

#[test]
fn a_trial_that_was_cut_off_stays_one_restart() {
    let line =
        "restart_command = echo $attempt >> @DIR@/ran; while [ -e @DIR@/hang ]; do sleep 0.02; done; false";
    let keys = "max_attempts = 3\nmax_restart_failures = 1\ncircuit_reset_time = 1\nrestart_delay = 0.02";
    let mut world = World::with(&custom("bad", &format!("{line}\n{keys}")));
    world.start();
    world.alarm("bad");
    world.until_log("Circuit breaker opened for bad after 1 failure");
    world.write("hang", "", 0o644);
    world.until_count("ran", 4);
    world.kill();
    std::fs::remove_file(world.dir().join("hang")).unwrap();
    world.start();
    world.until_log("Circuit breaker opened for bad after 2 failures");
    assert_eq!(world.lines("ran")[..5], ["1", "2", "3", "1", "1"], "one before the kill, one after it");
    assert_eq!(world.said("Attempting restart (2 of"), 1, "{}", world.log());
}

#[test]
fn a_success_forgets_the_failures_before_it() {
    let mut world = World::with(&noted("bad", "max_attempts = 1\nmax_restart_failures = 2"));
    world.start();
    let id = world.alarm("bad");
    world.until_log("Failed to handle alarm for bad");
    world.write("healthy", "", 0o644);
    world.cleared(id);
    world.until_log("Reset failure count for process: bad after successful restart");
    std::fs::remove_file(world.dir().join("healthy")).unwrap();
    let failures = world.said("Failed to handle alarm for bad");
    world.again(id);
    world.until("one more failure", |world| {
        world.log().matches("Failed to handle alarm for bad").count() > failures
    });
    // Two in a row would open it; one after a success must not.
    world.until_log("Circuit breaker opened for bad after 2 failures");
    assert!(world.said("Failed to handle alarm for bad") >= failures + 2);
}

#[test]
fn attempts_are_made_at_growing_distances() {
    let keys = "restart_command = date +%s.%N >> @DIR@/ran; false\nmax_attempts = 4\nrestart_delay = 0.1\n\
                restart_delay_factor = 2\nrestart_delay_max = 0.3";
    let mut world = World::with(&custom("bad", keys));
    world.start();
    world.alarm("bad");
    world.until_log("All restart attempts failed for bad");
    let times: Vec<_> = world.lines("ran").iter().take(4).map(|line| seconds(line)).collect();
    assert_eq!(times.len(), 4);
    let gaps: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_millis()).collect();
    for (gap, least) in gaps.iter().zip([100, 200, 300]) {
        assert!(*gap >= least, "{gaps:?}");
    }
    for line in ["Attempting restart (1 of 4) for bad", "Attempting restart (4 of 4) for bad"] {
        assert!(world.said(line) >= 1, "{line}");
    }
}

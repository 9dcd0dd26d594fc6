//! Operators' orders beside a running daemon: in effect when the command returns, kept over a death, and counted.

use super::{World, custom};
use pm_tests::sandbox::Sandbox;
use rustix::process::Signal;
use serde_json::Value;

/// Each restart leaves a line.
const NOTED: &str = "restart_command = echo x >> @DIR@/ran";

fn under_way(sandbox: &Sandbox, name: &str) -> bool {
    sandbox.ok(&["status"]).lines().any(|line| line.starts_with(name) && line.contains("under way"))
}

#[test]
fn a_hold_is_in_effect_when_its_command_returns_while_alarms_keep_coming() {
    let mut world = World::with(&custom("web", NOTED));
    let pid = world.start();
    let id = world.handled("web");
    for round in 1..=5 {
        // Alarm after alarm, so that a restart is decided at about the moment of the hold.
        let before = world.count("ran");
        world.again(id);
        if round % 2 == 0 {
            world.until_count("ran", before + 1);
        }
        let told = world.ok(&["hold", "web"]);
        assert!(told.ends_with(&format!("The daemon (pid {pid}) has been told.\n")), "{told}");
        // What had begun before is told, and is no breach.
        if told.contains("A restart of web is under way") {
            world.until("it to end", |sandbox| !under_way(sandbox, "web"));
        }
        let held = world.count("ran");
        for _ in 0..3 {
            world.again(id);
            world.round();
        }
        assert_eq!((world.count("ran"), world.state(id).0), (held, 1), "round {round}:\n{}", world.log());
        assert_eq!(world.said("INFO] - OPERATOR LOG: In force: hold of web by "), round, "said once each");
        assert_eq!(world.said("Circuit breaker"), 0, "it counts against nobody");
        world.ok(&["release", "web"]);
        world.cleared(id);
        assert!(world.count("ran") > held);
    }
}

#[test]
fn a_hold_of_all_lets_nothing_begin_and_outlives_pm() {
    let mut world = World::with(&custom("web", NOTED));
    world.start();
    world.round();
    world.ok(&["hold", "--all", "--by", "ana", "--why", "moving racks"]);
    world.kill();
    let id = world.alarm("web");
    world.start();
    world.until_log(
        "OPERATOR LOG: In force: hold of all processes by ana until it is released (moving racks)",
    );
    let forced = world.pm(&["restart", "web", "--force"]);
    assert_eq!(forced.code, 1);
    assert!(forced.err.contains("\"web\" is held with all processes by ana"), "{}", forced.err);
    assert_eq!((world.count("ran"), world.state(id).0), (0, 1));
    world.ok(&["release", "--all"]);
    world.cleared(id);
    world.until_log(
        "OPERATOR LOG: Not in force any more: hold of all processes by ana until it is released (moving racks); released by ",
    );
}

#[test]
fn a_hold_ends_by_itself() {
    let mut world = World::with(&custom("web", NOTED));
    world.start();
    world.ok(&["hold", "web", "--for", "1.5"]);
    let id = world.alarm("web");
    world.cleared(id);
    assert_eq!(world.count("ran"), 1);
    let read = |words: &[&str]| serde_json::from_str::<Value>(&world.ok(words)).unwrap();
    let hold = read(&["audit", "web", "--format", "json"])[0]["until_ms"].as_i64().unwrap();
    let status = read(&["status", "--format", "json"]);
    let web =
        status["processes"].as_array().unwrap().iter().find(|one| one["name"] == "web").unwrap().clone();
    assert!(web["last_attempt"]["began_ms"].as_i64().unwrap() >= hold, "{web:#}");
    assert_eq!(status["overrides"], serde_json::json!([]));
}

#[test]
fn what_ended_while_no_pm_ran_is_said_and_audited_once() {
    let mut world = World::with(&custom("web", NOTED));
    world.start();
    world.round();
    world.ok(&["hold", "web", "--for", "1", "--by", "ana"]);
    world.stop();
    let over = |sandbox: &Sandbox| !sandbox.ok(&["status"]).contains("OVERRIDE");
    world.until("the hold to be over", over);
    world.start();
    world.until_log("OPERATOR LOG: Ended by itself: hold of web by ana until ");
    let audit = |world: &World| {
        let all: Value = serde_json::from_str(&world.ok(&["audit", "--format", "json"])).unwrap();
        let all = all.as_array().unwrap().iter();
        all.filter(|entry| entry["verb"] == "end of hold").cloned().collect::<Vec<_>>()
    };
    world.until("its end in the audit", |world| world.ok(&["audit"]).contains("end of hold web until "));
    world.stop();
    world.start();
    world.handled("web");
    let ends = audit(&world);
    assert_eq!(ends.len(), 1, "{ends:#?}");
    assert_eq!(
        (&ends[0]["by"], &ends[0]["result"]),
        (&"pm".into(), &"ended by itself; it was given by ana".into())
    );
    assert_eq!(world.said("OPERATOR LOG: Ended by itself"), 1, "{}", world.log());
}

#[test]
fn a_hold_whose_process_was_renamed_is_said_to_guard_nobody() {
    let mut world = World::with(&custom("web", NOTED));
    world.start();
    world.round();
    world.ok(&["hold", "web", "--by", "ana"]);
    world.until_log("OPERATOR LOG: In force: hold of web by ana");
    let status = world.ok(&["status"]);
    assert!(!status.contains("configured)"), "{status}");
    world.edit(&custom("shop", NOTED));
    world.until_log("Configuration changed, in effect now: [process.shop]; no longer there: [process.web]");
    world.until_log(
        "OPERATOR LOG: In force and of no effect: hold of web by ana until it is released: no such process is configured; \
         give it for another name, or end it: pm release web",
    );
    let status = world.ok(&["status"]);
    assert!(status.contains("web (no such"), "{status}");
    let all: Value = serde_json::from_str(&world.ok(&["status", "--format", "json"])).unwrap();
    assert_eq!(all["overrides"][0]["covers_nobody"], "no such process is configured");
}

#[test]
fn a_hold_stops_a_job_before_its_next_attempt() {
    let keys = "restart_command = echo x >> @DIR@/ran; while [ ! -e @DIR@/go ]; do sleep 0.02; done; false\n\
                max_attempts = 5\nrestart_delay = 0.01\nmax_restart_failures = 1";
    let mut world = World::with(&custom("web", keys));
    world.start();
    let id = world.alarm("web");
    world.until_count("ran", 1);
    let told = world.ok(&["hold", "web", "--by", "ana"]);
    assert!(
        told.contains(
            "A restart of web is under way (attempt 1): what has begun goes on, nothing new begins."
        ),
        "{told}"
    );
    world.write("go", "", 0o644);
    world.until_log(
        "Unfinished restart of web cancelled: \"web\" is held by ana until it is released; to end that: pm release web",
    );
    world.round();
    assert_eq!((world.count("ran"), world.state(id).0), (1, 1));
    assert_eq!(world.said("Circuit breaker"), 0, "{}", world.log());
}

#[test]
fn an_attempt_that_was_cut_off_is_not_made_again_against_a_hold() {
    let keys = "restart_command = echo x >> @DIR@/ran; while [ ! -e @DIR@/go ]; do sleep 0.02; done";
    let mut world = World::with(&custom("web", keys));
    world.start();
    let id = world.alarm("web");
    world.until_count("ran", 1);
    world.kill();
    world.ok(&["hold", "web"]);
    world.write("go", "", 0o644);
    world.start();
    world.until_log("Unfinished restart of web cancelled: \"web\" is held by ");
    world.round();
    assert_eq!((world.count("ran"), world.state(id).0), (1, 1));
    world.ok(&["release", "web"]);
    world.cleared(id);
    assert_eq!(world.count("ran"), 2);
}

/// Whoever writes without ringing, or may not, is heard all the same.
#[test]
fn a_change_that_nobody_rang_for_is_noticed() {
    let mut world = World::with(&custom("web", NOTED));
    world.start();
    world.round();
    let journal = super::open(&world.dir().join("state/journal.db"));
    let insert = "INSERT INTO overrides VALUES ('process', 'web', 'observe', 'ana', 'by hand', 1, NULL)";
    journal.execute(insert, []).unwrap();
    world.until_log("OPERATOR LOG: In force: observe of web by ana until it is released (by hand)");
}

#[test]
fn a_reset_closes_the_breaker_at_once_also_when_pm_dies_before_it_hears_of_it() {
    let keys = "restart_command = echo x >> @DIR@/ran; test -e @DIR@/repaired\nmax_attempts = 1\nmax_restart_failures = 1";
    let mut world = World::with(&custom("bad", keys));
    let pid = world.start();
    let id = world.alarm("bad");
    world.until_log("Circuit breaker opened for bad after 1 failures");
    let told = world.ok(&["reset", "bad", "--by", "ana", "--why", "new cable"]);
    assert_eq!(
        told,
        format!("Reset of bad: breaker closed, failures forgotten.\nThe daemon (pid {pid}) has been told.\n")
    );
    world.until("the next failure", |world| {
        world.log().matches("Circuit breaker opened for bad").count() == 2
    });
    assert_eq!(
        world.said(
            "OPERATOR LOG: Failures of bad are forgotten, breakers are closed: reset by ana (new cable)"
        ),
        1
    );
    // A stopped pm hears nothing, and a killed one nothing more.
    world.signal(Signal::STOP);
    world.ok(&["reset", "--all"]);
    world.kill();
    assert_eq!(world.count("ran"), 2);
    world.write("repaired", "", 0o644);
    world.start();
    world.cleared(id);
    assert_eq!(world.count("ran"), 3, "{}", world.log());
    world.until_log("OPERATOR LOG: Failures of all processes are forgotten");
}

#[test]
fn restarts_by_hand_are_counted_by_the_daemon_now_or_at_its_start() {
    let stable = |time: &str| {
        let keys = "restart_command = echo x >> @DIR@/ran; test -e @DIR@/repaired\nmax_attempts = 2\n\
                    restart_delay = 0\nmax_restart_failures = 2\nstable_time = ";
        custom("bad", &format!("{keys}{time}"))
    };
    let mut world = World::with(&stable("10m"));
    assert_eq!(world.pm(&["restart", "bad"]).code, 1);
    assert_eq!(world.count("ran"), 2);
    world.start();
    world.until_log("RESTART LOG: bad was not restarted by hand: restart_command exited with status 1");
    assert_eq!(world.said("Circuit breaker"), 0);
    assert_eq!(world.pm(&["restart", "bad", "--force"]).code, 1);
    world.until_log("Circuit breaker opened for bad after 2 failures");
    let status = world.ok(&["status"]);
    assert!(status.lines().any(|line| line.starts_with("bad ") && line.contains("open, ")), "{status}");
    let id = world.alarm("bad");
    world.round();
    assert_eq!(
        (world.count("ran"), world.state(id).0),
        (3, 1),
        "by hand twice, then once; the daemon not at all"
    );
    world.write("repaired", "", 0o644);
    world.ok(&["restart", "bad", "--force"]);
    world.until_log("RESTART LOG: bad was restarted by hand: ");
    // There is no check, so that is the answer to the alarm as well; it was the breaker's trial, and has to last.
    world.cleared(id);
    let status = world.ok(&["status"]);
    assert!(status.lines().any(|line| line.starts_with("bad ") && line.contains("half-open")), "{status}");
    assert_eq!((world.count("ran"), world.said("Circuit breaker reset for bad")), (4, 0), "{}", world.log());
    world.edit(&stable("0"));
    world.until_log("Circuit breaker reset for bad");
}

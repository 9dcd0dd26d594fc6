//! How pm stops: what it waits for, what it hands over, and how the next start goes on.

use super::{World, alive, custom};
use pm_tests::sandbox::Sandbox;
use rustix::process::Signal;
use std::time::{Duration, Instant};

/// A restart that notes its beginning, waits for a file, and notes its end.
const WAITING: &str = "restart_command = echo $attempt >> @DIR@/begun; while [ ! -e @DIR@/go ]; do sleep 0.02; done; \
                       echo x >> @DIR@/ended";

fn world(shutdown: &str, sections: &str) -> World {
    let config = Sandbox::on_sqlite(&format!("{sections}{}", super::MARKER));
    World::of(&config.replace("[monitor]", &format!("[monitor]\nshutdown_timeout = {shutdown}")))
}

#[test]
fn a_restart_that_ends_in_time_is_finished_and_its_alarm_cleared() {
    let mut world = world("25", &custom("web", WAITING));
    let pm = world.start();
    let id = world.alarm("web");
    world.until_count("begun", 1);
    world.signal(Signal::TERM);
    world.until_log("Stopping: no new restarts; 1 is running and gets up to 25 s to finish");
    // An alarm that comes now is left to the next start.
    let late = world.alarm("marker");
    assert!(alive(pm));
    world.write("go", "", 0o644);
    assert_eq!(world.ended(), 0);
    assert_eq!((world.state(id).0, world.state(late).0), (0, 1), "{}", world.log());
    assert_eq!(world.messages().last().unwrap(), "INFO Process Monitor Service stopped");
    world.start();
    world.cleared(late);
    assert_eq!(world.count("begun"), 1);
}

#[test]
fn a_restart_that_does_not_end_is_handed_over_and_the_next_start_goes_on() {
    for signals in [1, 2] {
        // With one signal pm waits for the time that it has; a second one ends the waiting.
        let mut world = world(if signals == 1 { "0.3" } else { "60" }, &custom("web", WAITING));
        world.start();
        let id = world.alarm("web");
        world.until_count("begun", 1);
        let began = Instant::now();
        world.signal(Signal::TERM);
        if signals == 2 {
            world.until_log("Stopping: no new restarts");
            world.signal(Signal::INT);
        }
        assert_eq!(world.ended(), 0);
        assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
        let handed = "RESTART LOG: Restart of web handed over: pm is stopping, the next start goes on";
        assert_eq!(world.said(handed), 1, "{}", world.log());
        assert_eq!(world.state(id).0, 1);
        world.start();
        world
            .until_log("RESTART LOG: Restart of web was cut off when pm was stopped or killed; doing it now");
        world.write("go", "", 0o644);
        assert!(world.cleared(id).starts_with("down - Restarted at"));
        world.round();
        assert_eq!(world.count("begun"), 2, "a command without an identity is run once more");
    }
}

#[test]
fn waits_between_attempts_and_for_health_end_at_once() {
    let sections = custom("delayed", "restart_command = echo x >> @DIR@/ran; false\nrestart_delay = 300")
        + &custom(
            "unhealthy",
            "restart_command = echo x >> @DIR@/ran\nhealth_check_command = false\nhealth_check_timeout = 300",
        );
    let mut world = world("0", &sections);
    world.start();
    let rows = ["delayed", "unhealthy"].map(|name| world.alarm(name));
    world.until_log("RESTART LOG: Attempt 1 failed for delayed");
    world.until_log("Performing health check for unhealthy");
    let began = Instant::now();
    world.stop();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    for name in ["delayed", "unhealthy"] {
        assert_eq!(world.said(&format!("Restart of {name} handed over")), 1, "{}", world.log());
    }
    assert_eq!(world.said("given up") + world.said("Failed to handle"), 0, "{}", world.log());
    assert_eq!(rows.map(|row| world.state(row).0), [1, 1]);
    let status = world.ok(&["status"]);
    assert!(status.contains(" cut off"), "{status}");
}

#[test]
fn an_idle_daemon_stops_at_once_on_either_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut world = world("30", "");
        world.start();
        world.round();
        let began = Instant::now();
        world.signal(signal);
        assert_eq!(world.ended(), 0);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!(world.said("INFO] - Stopping: no restart is running"), 1);
    }
}

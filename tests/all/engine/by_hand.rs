//! A restart by hand beside the daemon: what the daemon knows of it, and what it does with an alarm that came meanwhile.

use super::{World, custom, history, world};
use std::process::Stdio;

/// A command that runs until the file `go` is there, with a check that is good when `up` is.
fn slow() -> String {
    let command =
        "restart_command = echo x >> @DIR@/ran; while [ ! -e @DIR@/go ]; do sleep 0.02; done; touch @DIR@/up";
    custom(
        "slow",
        &format!("{command}\nhealth_check_command = test -e @DIR@/up\nbackoff = 10m\nstable_time = 20m"),
    )
}

fn begins(world: &World) -> std::process::Child {
    let mut command = world.command(&["restart", "slow", "--force", "--by", "ana"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    world.until_count("ran", 1);
    child
}

#[test]
fn an_alarm_that_comes_during_a_restart_by_hand_waits_for_it_and_is_looked_at_when_it_has_ended() {
    let mut world = world("", &slow());
    world.start();
    let mut by_hand = begins(&world);
    let id = world.alarm("slow");
    world.until("the daemon to hold it", |world| {
        world.ok(&["why", "slow"]).contains("a restart is under way")
    });
    world.round();
    assert_eq!((world.state(id).0, world.count("ran")), (1, 1), "{}", world.log());
    world.write("go", "", 0o644);
    assert!(by_hand.wait().unwrap().success());
    // The next restart would have to wait for ten minutes; whether that is needed is found out at once.
    world.cleared(id);
    assert_eq!((world.count("ran"), history(&world, "slow").len()), (1, 1), "{}", world.log());
    for untrue in ["Failed to handle alarm for slow", "no fault of its own", "did not help"] {
        assert_eq!(world.said(untrue), 0, "{}", world.log());
    }
}

#[test]
fn a_restart_by_hand_that_is_killed_keeps_nobody_waiting() {
    let mut world = world("", &slow());
    world.start();
    let mut by_hand = begins(&world);
    let id = world.alarm("slow");
    world.round();
    assert_eq!(world.state(id).0, 1);
    by_hand.kill().unwrap();
    by_hand.wait().unwrap();
    world.write("go", "", 0o644);
    world.cleared(id);
    assert_eq!(world.count("ran"), 2, "{}", world.log());
}

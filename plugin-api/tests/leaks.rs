//! Hundreds of commands and programs of every kind leave no descriptor, no zombie and no thread but one behind.
//!
//! One test in a process of its own, because it counts what the whole process holds.

// What a test calls is a test.
#![allow(clippy::unwrap_used)]

use pm_plugin_api::command::{Limits, run, shell};
use pm_plugin_api::detach::{Program, spawn};
use std::process::Command;
use std::time::{Duration, Instant};

fn count(dir: &str) -> usize {
    std::fs::read_dir(dir).expect("/proc").count()
}

fn children() -> String {
    let mut all = String::new();
    for task in std::fs::read_dir("/proc/self/task").expect("/proc") {
        all += &std::fs::read_to_string(task.expect("/proc").path().join("children")).unwrap_or_default();
    }
    all
}

fn commands() {
    let quick = Limits { timeout: Duration::from_secs(20), ..Limits::default() };
    let late = Limits {
        timeout: Duration::from_millis(3),
        kill_after: Duration::from_millis(3),
        output: 10,
        ..Limits::default()
    };
    for _ in 0..100 {
        assert!(run(&mut Command::new("/bin/true"), &quick).unwrap().success());
        assert!(run(&mut Command::new("/nowhere"), &quick).is_err());
    }
    for _ in 0..20 {
        assert!(!run(&mut shell("trap '' TERM; sleep 9"), &late).unwrap().success());
        assert!(run(&mut shell("sleep 0.05 & true"), &quick).unwrap().success());
    }
}

fn programs() {
    for _ in 0..50 {
        spawn(&Program::new("/bin/true")).unwrap();
        spawn(&Program::new("/nowhere")).unwrap_err();
        spawn(&Program { directory: "/nowhere".into(), ..Program::new("/bin/true") }).unwrap_err();
    }
}

#[test]
fn nothing_is_left_behind() {
    // The background thread and its descriptor come with the first pipe that is left behind.
    run(&mut shell("sleep 0.1 &"), &Limits::default()).unwrap();
    let (fds, threads) = (count("/proc/self/fd"), count("/proc/self/task"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(commands);
            scope.spawn(programs);
        }
    });
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let now = (count("/proc/self/fd"), count("/proc/self/task"), children());
        if now.0 <= fds && now.1 <= threads && now.2.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{now:?} instead of {fds} descriptors, {threads} threads");
        std::thread::sleep(Duration::from_millis(5));
    }
}

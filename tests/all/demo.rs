//! `pm demo` as a new user runs it: it ends well, in time, and leaves nothing behind.

use pm_tests::sandbox::{answer, built, processes_of};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

fn demo(folder: &std::path::Path) -> Command {
    let mut command = Command::new(built().join("pm"));
    // Everything that the demo makes is below this folder, so that what is left over can be told.
    command.arg("demo").env("TMPDIR", folder).env_remove("PM_CONFIG").env_remove("NOTIFY_SOCKET");
    command
}

fn leftovers(folder: &std::path::Path) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().display().to_string());
    let programs = processes_of(&folder.to_string_lossy()).into_iter().map(|pid| format!("process {pid}"));
    files.chain(programs).collect()
}

#[test]
fn the_demo_shows_restart_breaker_and_root_cause_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let shown = answer(&mut demo(folder.path()));
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!((shown.code, shown.err.as_str()), (0, ""), "{}", shown.out);
    for text in [
        "Found process in alarm: demo-web",
        "Successfully started/restarted and verified",
        "It runs again: pid ",
        "The row: alarma = 0, notes = \"demo - Restarted at ",
        "Circuit breaker opened for demo-worker",
        "demo-worker is in alarm; the alarm is held (breaker-open).",
        "Not acting on demo-web (ID: 1): waits for demo-worker, which has an open breaker",
        "The next round would begin 0 jobs and hold 2 alarms.",
        "Reset of demo-worker: breaker closed, failures forgotten.",
        "demo-web is healthy, nothing to restart",
        "The cause came first: demo-worker runs again, pid ",
        "pm plugins list",
    ] {
        assert!(shown.out.contains(text), "no {text:?} in\n{}", shown.out);
    }
    assert_eq!(leftovers(folder.path()), Vec::<String>::new());
}

#[test]
fn an_interrupted_demo_cleans_up_and_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = demo(folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + pm_tests::sandbox::PATIENCE;
    // The daemon of the demo runs: it is a second program that names the folder besides the two samples.
    while processes_of(&folder.path().to_string_lossy()).len() < 3 {
        assert!(
            Instant::now() < until && child.try_wait().unwrap().is_none(),
            "the demo did not come that far"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT)
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    nothing_is_left(folder.path());
}

/// What was killed takes a moment to go.
fn nothing_is_left(folder: &Path) {
    let until = Instant::now() + Duration::from_secs(5);
    while !leftovers(folder).is_empty() {
        assert!(Instant::now() < until, "{:?}", leftovers(folder));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn without_its_plugins_the_demo_says_what_is_missing() {
    let (folder, plugins) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let shown = answer(demo(folder.path()).arg("--plugins-dir").arg(plugins.path()));
    assert!(shown.code != 0 && shown.err.contains("process"), "{shown:?}");
    nothing_is_left(folder.path());
}

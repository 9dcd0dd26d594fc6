//! `pm restart NAME`: by hand, beside the daemon, without touching the table.

use super::{custom, shop};
use pm_tests::sandbox::{PATIENCE, Sandbox};
use std::process::Stdio;
use std::time::Instant;

#[test]
fn success_and_failure_are_told_by_the_exit_code_and_the_table_is_not_touched() {
    let sandbox = shop();
    sandbox.ok(&["alarm", "raise", "--all"]);
    let before = sandbox.rows();
    for words in [&["restart", "web"][..], &["--restart", "web"]] {
        let shown = sandbox.pm(words);
        assert_eq!(shown.code, 0, "{words:?}: {}", shown.err);
        assert!(shown.out.starts_with("web: restarted. "), "{}", shown.out);
        assert!(shown.err.contains("RESTART LOG: Successfully started/restarted and verified service: web"));
    }
    let failed = sandbox.pm(&["restart", "db"]);
    assert_eq!((failed.code, failed.out.as_str()), (1, ""));
    assert!(
        failed.err.ends_with("pm: db was not restarted: restart_command exited with status 1\n"),
        "{}",
        failed.err
    );
    for (name, text) in
        [("stranger", "add a section [process.stranger] to "), ("nobody", "is not configured")]
    {
        let unknown = sandbox.pm(&["restart", name]);
        assert_eq!((unknown.code, unknown.out.as_str()), (2, ""));
        assert!(unknown.err.contains(text), "{}", unknown.err);
    }
    assert_eq!(sandbox.rows(), before);
    assert!(!sandbox.dir().join("pm.log").exists(), "the log of the daemon is the daemon's");
    let status = sandbox.ok(&["status"]);
    let db = status.lines().find(|line| line.starts_with("db ")).unwrap();
    assert!(
        db.contains(" closed ") && db.contains("failed"),
        "the daemon counts it when it starts: {status}"
    );
}

/// A restart that notes its beginning and waits for a file.
fn waiting() -> Sandbox {
    Sandbox::sqlite(&custom(
        "slow",
        "restart_command = echo x >> @DIR@/begun; while [ ! -e @DIR@/go ]; do sleep 0.02; done\nhealth_check_command = test -e @DIR@/go",
    ))
}

#[test]
fn while_the_daemon_restarts_it_a_restart_by_hand_is_refused() {
    let mut sandbox = waiting();
    sandbox.ok(&["alarm", "add", "slow"]);
    sandbox.start();
    sandbox.ok(&["alarm", "raise", "slow"]);
    sandbox.until("the restart to begin", |sandbox| sandbox.read("begun").lines().count() == 1);
    let began = Instant::now();
    let busy = sandbox.pm(&["restart", "slow"]);
    assert!(began.elapsed() < PATIENCE / 2);
    assert_eq!((busy.code, busy.out.as_str()), (1, ""));
    assert!(
        busy.err.contains("a restart of \"slow\" is already under way (attempt 1); wait for it to end"),
        "{}",
        busy.err
    );
    sandbox.write("go", "", 0o644);
    sandbox.until_cleared("slow");
    assert_eq!(sandbox.read("begun").lines().count(), 1);
}

#[test]
fn a_restart_by_hand_that_is_killed_blocks_nobody() {
    let mut sandbox = waiting();
    sandbox.ok(&["alarm", "add", "slow"]);
    sandbox.start();
    let mut hand =
        sandbox.command(&["restart", "slow"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sandbox.until("the restart to begin", |sandbox| sandbox.read("begun").lines().count() == 1);
    assert!(sandbox.ok(&["status"]).contains(" under way"));
    hand.kill().unwrap();
    hand.wait().unwrap();
    assert!(sandbox.ok(&["status"]).contains(" cut off"), "{}", sandbox.ok(&["status"]));
    sandbox.write("go", "", 0o644);
    sandbox.ok(&["alarm", "raise", "slow"]);
    sandbox.until_cleared("slow");
    assert_eq!(sandbox.read("begun").lines().count(), 2, "{}", sandbox.log());
}

#[test]
fn while_somebody_restarts_it_by_hand_the_daemon_waits_and_then_looks_first() {
    let mut sandbox = waiting();
    sandbox.ok(&["alarm", "add", "slow"]);
    sandbox.start();
    let mut hand =
        sandbox.command(&["restart", "slow"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    sandbox.until("the restart to begin", |sandbox| sandbox.read("begun").lines().count() == 1);
    sandbox.ok(&["alarm", "raise", "slow"]);
    sandbox.until_log("a restart of \"slow\" is already under way");
    sandbox.write("go", "", 0o644);
    assert!(hand.wait().unwrap().success());
    sandbox.until_cleared("slow");
    assert_eq!(sandbox.read("begun").lines().count(), 1, "it was healthy by then:\n{}", sandbox.log());
    assert!(!sandbox.log().contains("Circuit breaker"), "{}", sandbox.log());
}

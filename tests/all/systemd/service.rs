//! The strategy "service" through the daemon: what is restarted, what is started, and what a failure is called.

use super::{Machine, raise, status, until_ended};
use std::time::Duration;

const SLEEPS: &str = "[Service]\nExecStart=/bin/sleep infinity\n";

#[test]
fn a_running_unit_is_restarted_and_a_stopped_one_started_once() {
    let Some(mut machine) = Machine::shared() else { return };
    let mut sandbox = machine.sandbox(
        "[process.default]\nrestart_strategy = service\nhealth_check = service\n\
         [process.runs]\nsystem_name = pmt-runs\n\
         [process.stopped]\nsystem_name = pmt-stopped.service\n\
         [process.other]\nunit = pmt-other\n",
    );
    let units = ["pmt-runs.service", "pmt-stopped.service", "pmt-other.service", "pmt-bystander.service"];
    machine.load(&sandbox, &units.map(|unit| (unit, SLEEPS)));
    // The journal remembers an earlier run of this test.
    let earlier = units.map(|unit| machine.starts(unit));
    machine.ok(&["systemctl", "start", "pmt-runs", "pmt-bystander"]);
    let [runs, bystander] = ["pmt-runs", "pmt-bystander"].map(|unit| machine.invocation(unit));
    sandbox.start();
    raise(&sandbox, &["runs", "stopped", "other"]);
    for name in ["runs", "stopped", "other"] {
        let notes = sandbox.until_cleared(name);
        assert!(notes.contains(" - Restarted at "), "{notes}");
        let detail = until_ended(&sandbox, name, "restarted");
        assert!(detail.contains("job done in ") && detail.contains("active (running)"), "{detail}");
        assert_eq!(status(&sandbox, name)["last_attempt"]["attempts"], 1);
    }
    assert_ne!(machine.invocation("pmt-runs"), runs, "restarted");
    assert_eq!(machine.invocation("pmt-bystander"), bystander, "not touched");
    let starts: Vec<_> =
        units.iter().zip(earlier).map(|(unit, earlier)| machine.starts(unit) - earlier).collect();
    assert_eq!(starts, [2, 1, 1, 1], "each of them once");
    let log = sandbox.log();
    assert!(log.contains("Service restart command executed for: pmt-runs (job done in "), "{log}");
    assert!(log.contains("Service start command executed for: pmt-stopped.service (job done in "), "{log}");
}

/// Sections, units and what is said of them; all of them fail.
const FAILING: [(&str, &str, &str); 7] = [
    (
        "missing",
        "[Service]\nType=exec\nExecStart=/nowhere/program\n",
        "exit-code, main process exited with status 203 (EXEC: the program of ExecStart= is missing or not executable)",
    ),
    (
        "oneshot",
        "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 7'\n",
        "exit-code, main process exited with status 7",
    ),
    (
        "killed",
        "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'kill -9 $$$$'\n",
        "signal, main process was killed by signal 9 (SIGKILL)",
    ),
    (
        "before",
        "[Service]\nExecStartPre=/bin/false\nExecStart=/bin/sleep infinity\n",
        "exit-code, of a command beside the main process",
    ),
    (
        "depends",
        "[Unit]\nRequires=pmt-fails-oneshot.service\nAfter=pmt-fails-oneshot.service\n\
         [Service]\nExecStart=/bin/sleep infinity\n",
        "job failed: a unit that it requires did not start",
    ),
    (
        "condition",
        "[Unit]\nConditionPathExists=/nowhere\n[Service]\nExecStart=/bin/sleep infinity\n",
        "a Condition…= of the unit is not met",
    ),
    (
        "never-ready",
        "[Service]\nType=notify\nTimeoutStartSec=1\nExecStart=/bin/sleep infinity\n",
        "timeout, it was not ready or did not stop within systemd's limit",
    ),
];

#[test]
fn a_failed_start_is_counted_and_told_with_the_result_of_the_unit() {
    let Some(mut machine) = Machine::shared() else { return };
    let mut sections =
        "[process.default]\nrestart_strategy = service\nmax_attempts = 1\nmax_restart_failures = 1\n\
                        health_check = service\nhealth_check_timeout = 1\n"
            .to_owned();
    for (name, ..) in FAILING {
        sections.push_str(&format!("[process.{name}]\nsystem_name = pmt-fails-{name}\n"));
    }
    let mut sandbox = machine.sandbox(&sections);
    let units = FAILING.map(|(name, text, _)| (format!("pmt-fails-{name}.service"), text));
    machine.load(&sandbox, &units.each_ref().map(|(name, text)| (name.as_str(), *text)));
    sandbox.start();
    raise(&sandbox, &FAILING.map(|(name, ..)| name));
    for (name, _, part) in FAILING {
        let detail = until_ended(&sandbox, name, "failed");
        assert!(detail.contains(part), "{name}: {detail}");
        // When systemd's job has failed it is the strategy that says so, and says where to read on.
        let log = format!("see journalctl -u pmt-fails-{name}.service");
        assert!(!detail.contains("job failed") || detail.contains(&log), "{name}: {detail}");
        let breaker = &status(&sandbox, name)["breaker"];
        assert_eq!((&breaker["state"], &breaker["failures"]), (&"open".into(), &1.into()), "{name}");
        assert_eq!(sandbox.row(name)["alarma"], 1, "the alarm of {name} stays");
    }
    let text = sandbox.ok(&["status"]);
    assert!(text.contains("203 (EXEC"), "{text}");
}

#[test]
fn a_program_that_ends_at_once_is_seen_by_the_check() {
    let Some(mut machine) = Machine::shared() else { return };
    let mut sandbox = machine.sandbox(
        "[process.exits]\nrestart_strategy = service\nsystem_name = pmt-exits\nmax_attempts = 1\n\
         max_restart_failures = 1\nhealth_check = service\nhealth_check_timeout = 1\n",
    );
    machine.load(&sandbox, &[("pmt-exits.service", "[Service]\nExecStart=/bin/sh -c 'exit 1'\n")]);
    sandbox.start();
    raise(&sandbox, &["exits"]);
    // systemd's start job of a simple unit is done with the fork. On a busy machine the program may get to run, and to
    // end, only after the check has seen it; its next alarm tells then.
    let detail = loop {
        let last = status(&sandbox, "exits")["last_attempt"].clone();
        match last["end"].as_str() {
            Some("failed") => break last["detail"].as_str().unwrap().to_owned(),
            Some("restarted") if sandbox.row("exits")["alarma"] == 0 => {
                drop(sandbox.ok(&["alarm", "raise", "exits"]));
            }
            _ => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    assert!(detail.contains("exit-code, main process exited with status 1"), "{detail}");
    assert_eq!(status(&sandbox, "exits")["breaker"]["state"], "open");
}

#[test]
fn what_systemd_refuses_is_said_and_auto_goes_on_only_without_a_unit() {
    let Some(mut machine) = Machine::shared() else { return };
    let mut sandbox = machine.sandbox(
        "[process.default]\nmax_attempts = 2\nmax_restart_failures = 1\n\
         [process.nothing]\nrestart_strategy = service\nsystem_name = pmt-nothing\n\
         [process.falls-back]\nrestart_strategy = auto\nsystem_name = pmt-falls-back\n\
         start_command = @DIR@/pmt-falls-back 1000\nhealth_check = process\n\
         [process.masked]\nrestart_strategy = auto\nsystem_name = pmt-masked\nstart_command = touch @DIR@/started\n\
         [process.broken]\nrestart_strategy = auto\nsystem_name = pmt-broken\nstart_command = touch @DIR@/started\n\
         [process.manual]\nrestart_strategy = service\nsystem_name = pmt-manual\n",
    );
    std::fs::copy("/bin/sleep", sandbox.dir().join("pmt-falls-back")).unwrap();
    machine.load(
        &sandbox,
        &[
            ("pmt-broken.service", "[Service]\nType=simple\n"),
            (
                "pmt-manual.service",
                "[Unit]\nRefuseManualStart=yes\n[Service]\nExecStart=/bin/sleep infinity\n",
            ),
            ("pmt-masked.service", ""),
        ],
    );
    sandbox.start();
    raise(&sandbox, &["nothing", "falls-back", "masked", "broken", "manual"]);
    for (name, part) in [
        ("nothing", "there is no unit pmt-nothing.service"),
        ("masked", "unit pmt-masked.service is masked, so systemd refuses to start it: systemctl unmask"),
        (
            "broken",
            "unit pmt-broken.service cannot be loaded (bad-setting): systemctl status pmt-broken.service",
        ),
        ("manual", "requested by dependency only"),
    ] {
        let detail = until_ended(&sandbox, name, "failed");
        assert!(detail.contains(part), "{name}: {detail}");
        let last = &status(&sandbox, name)["last_attempt"];
        assert_eq!(last["attempts"], 1, "{name}: a second attempt would be the same");
    }
    sandbox.until_cleared("falls-back");
    assert_eq!(
        pm_tests::sandbox::processes_of(&format!("{}/pmt-falls-back", sandbox.dir().display())).len(),
        1
    );
    assert!(
        sandbox
            .log()
            .contains("Strategy service did not restart falls-back, trying the next one: there is no")
    );
    assert!(!sandbox.dir().join("started").exists(), "a masked unit is not started by another way");
}

#[test]
fn a_start_limit_stands_unless_the_operator_has_it_reset() {
    // systemd forgets how often a unit was started when it reads its units again, which other tests have it do.
    let Some(mut machine) = Machine::private() else { return };
    let mut sandbox = machine.sandbox(
        "[process.default]\nrestart_strategy = service\nunit = pmt-limit\nhealth_check = service\n\
         health_check_timeout = 1\nmax_attempts = 1\n\
         max_restart_failures = 1\n\
         [process.respects]\n\
         [process.resets]\nreset_failed = yes\n",
    );
    let unit = "[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=1h\n\
                [Service]\nType=exec\nExecStart=/bin/sh -c 'test -e @DIR@/repaired && exec sleep infinity'\n";
    machine.load(&sandbox, &[("pmt-limit.service", unit)]);
    machine.run(&["systemctl", "start", "pmt-limit"]);
    super::until("the first start to fail", || machine.property("pmt-limit", "ActiveState") == "failed");
    sandbox.write("repaired", "", 0o644);
    sandbox.start();
    raise(&sandbox, &["respects"]);
    let detail = until_ended(&sandbox, "respects", "failed");
    assert!(detail.contains("start-limit-hit, it was started too often (StartLimitBurst=)"), "{detail}");
    assert!(
        detail.contains("refuses for now, after its main process exited with status 1; systemctl"),
        "{detail}"
    );
    raise(&sandbox, &["resets"]);
    sandbox.until_cleared("resets");
    assert_eq!(machine.property("pmt-limit", "ActiveState"), "active");
}

#[test]
fn a_job_that_takes_too_long_is_left_to_systemd() {
    let Some(mut machine) = Machine::shared() else { return };
    let mut sandbox = machine.sandbox(
        "[process.slow]\nrestart_strategy = service\nunit = pmt-slow\nrestart_timeout = 2\nmax_attempts = 1\n\
         max_restart_failures = 1\n",
    );
    let unit = "[Service]\nType=notify\nTimeoutStartSec=60\nExecStart=/bin/sleep infinity\n";
    machine.load(&sandbox, &[("pmt-slow.service", unit)]);
    sandbox.start();
    raise(&sandbox, &["slow"]);
    let detail = until_ended(&sandbox, "slow", "failed");
    assert!(detail.contains("unit pmt-slow.service: the start job was not over after 1."), "{detail}");
    assert!(detail.contains("activating (start); systemd goes on with it"), "{detail}");
    assert_eq!(machine.property("pmt-slow", "ActiveState"), "activating");
}

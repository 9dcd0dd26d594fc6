//! What is kept of a unit before it is restarted: its state, its processes, its own lines of the journal and no others.

use super::{Machine, raise, status, until, until_ended};
use pm_tests::evidence::{kept, section};
use pm_tests::sandbox::Sandbox;

fn capsule(sandbox: &Sandbox, name: &str) -> String {
    kept(sandbox, name).unwrap_or_else(|| panic!("nothing is kept of {name}\n{}", sandbox.log()))
}

#[test]
fn a_running_unit_is_kept_with_its_processes_and_its_own_lines() {
    let Some(mut machine) = Machine::shared() else { return };
    let mut sandbox = machine.sandbox(
        "[process.talks]\nrestart_strategy = auto\nsystem_name = pmt-talks\nhealth_check = service\n",
    );
    let talks = "[Service]\nExecStart=/bin/sh -c 'echo own words; sleep 1000001 --help=hunter2 & sleep 1000002; wait'\n";
    let other = "[Service]\nExecStart=/bin/sh -c 'echo foreign words; exec sleep infinity'\n";
    machine.load(&sandbox, &[("pmt-talks.service", talks), ("pmt-talks-other.service", other)]);
    machine.ok(&["systemctl", "start", "pmt-talks", "pmt-talks-other"]);
    // Anybody may log a text that says it is about a unit.
    let forged = "printf 'MESSAGE=forged words\\nUNIT=pmt-talks.service\\n' | logger --journald";
    machine.ok(&["sh", "-c", forged]);
    machine.ok(&["journalctl", "--sync"]);
    let believed = machine.ok(&["journalctl", "--quiet", "--output=cat", "UNIT=pmt-talks.service"]);
    assert!(believed.contains("forged words"), "{believed}");
    let (main, invocation) = (machine.property("pmt-talks", "MainPID"), machine.invocation("pmt-talks"));
    sandbox.start();
    raise(&sandbox, &["talks"]);
    sandbox.until_cleared("talks");

    let text = capsule(&sandbox, "talks");
    for fact in [
        "strategy: service\n".to_owned(),
        "\nunit: pmt-talks.service\n".to_owned(),
        "\nunit state: active (running) since 20".to_owned(),
        "\nresult: success\n".to_owned(),
        format!("\nmain process: {main}\n"),
        "\nrestarts by systemd: 0\n".to_owned(),
        format!("\ninvocation: {invocation}\n"),
    ] {
        assert!(text.contains(&fact), "{fact:?} in {text}");
    }
    let tree = section(&text, "processes");
    assert!(tree[0].contains(" sh (/") && tree[0].contains(": parent 1, sleeping"), "{text}");
    assert!(tree[1..].iter().any(|line| line.starts_with("  ") && line.contains(" sleep (/")), "{text}");
    let log = section(&text, "log").join("\n");
    assert!(log.contains("]: own words") && log.contains("systemd[1]: Started pmt-talks.service"), "{text}");
    assert!(!text.contains("foreign words") && !text.contains("forged words"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert_ne!(machine.invocation("pmt-talks"), invocation, "restarted");
}

#[test]
fn a_failed_unit_is_kept_with_how_it_ended_and_a_missing_one_with_that() {
    let Some(mut machine) = Machine::shared() else { return };
    let mut sandbox = machine.sandbox(
        "[process.default]\nrestart_strategy = service\nmax_attempts = 1\nmax_restart_failures = 1\n\
         [process.broke]\nsystem_name = pmt-broke\n[process.nothing]\nsystem_name = pmt-nothing-at-all\n",
    );
    let unit = "[Service]\nExecStart=/bin/sh -c 'echo out of paper; exit 7'\n";
    machine.load(&sandbox, &[("pmt-broke.service", unit)]);
    machine.run(&["systemctl", "start", "pmt-broke"]);
    until("the unit to fail", || machine.property("pmt-broke", "ActiveState") == "failed");
    machine.ok(&["journalctl", "--sync"]);
    sandbox.start();
    raise(&sandbox, &["broke", "nothing"]);
    until_ended(&sandbox, "nothing", "failed");
    super::until("broke to be handled", || !status(&sandbox, "broke")["last_attempt"]["end"].is_null());
    let text = capsule(&sandbox, "broke");
    for fact in [
        "\nunit state: failed (failed) since 20",
        "\nresult: exit-code\n",
        "\nmain process: none\n",
        "\nlast main process: exited with status 7\n",
    ] {
        assert!(text.contains(fact), "{fact:?} in {text}");
    }
    let log = section(&text, "log").join("\n");
    assert!(log.contains("]: out of paper") && log.contains("Failed with result 'exit-code'"), "{text}");
    let text = capsule(&sandbox, "nothing");
    assert!(
        text.starts_with("service: not available: there is no unit pmt-nothing-at-all.service\n"),
        "{text}"
    );
}

#[test]
fn a_frozen_bus_costs_half_of_the_time_and_the_journal_is_read_all_the_same() {
    let Some(mut machine) = Machine::private() else { return };
    let mut sandbox = machine.sandbox(
        "[process.default]\nrestart_strategy = service\nrestart_timeout = 1\nmax_attempts = 1\n\
         [process.deaf]\nunit = pmt-deaf\nevidence_timeout = 2\n",
    );
    let unit = "[Service]\nExecStart=/bin/sh -c 'echo before the frost; exec sleep infinity'\n";
    machine.load(&sandbox, &[("pmt-deaf.service", unit)]);
    machine.ok(&["systemctl", "start", "pmt-deaf"]);
    machine.ok(&["journalctl", "--sync"]);
    sandbox.start();
    let dbus = machine.property("dbus.service", "MainPID");
    machine.ok(&["kill", "-STOP", &dbus]);
    raise(&sandbox, &["deaf"]);
    until_ended(&sandbox, "deaf", "driver failed");
    machine.ok(&["kill", "-CONT", &dbus]);
    let text = capsule(&sandbox, "deaf");
    assert!(text.contains("\nunit state: not available: cannot ask for unit pmt-deaf.service"), "{text}");
    assert!(section(&text, "log").join("\n").contains("]: before the frost"), "{text}");
    let took = text.lines().find_map(|line| line.strip_prefix("gathered in: ")?.strip_suffix(" ms"));
    assert!(took.unwrap().parse::<u32>().unwrap() < 2_000, "{text}");
}

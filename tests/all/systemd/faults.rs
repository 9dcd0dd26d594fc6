//! systemd and its bus replaced, killed and frozen while pm works: it never repeats a job, and blames no unit.

use super::{Commands as _, Machine, raise, status, until, until_ended};
use pm_tests::sandbox::Sandbox;

/// Takes long enough to start for something to happen meanwhile.
const SLOW: &str = "[Service]\nExecStartPre=/bin/sleep 1.5\nExecStart=/bin/sleep infinity\n";

fn until_activating(machine: &Machine, unit: &str) {
    until("the start job", || machine.property(unit, "ActiveState") == "activating");
}

#[test]
fn a_job_outlives_a_replaced_systemd_and_a_killed_bus() {
    let Some(mut machine) = Machine::private() else { return };
    let mut sandbox = machine.sandbox(
        "[process.default]\nrestart_strategy = service\nhealth_check = service\nmax_attempts = 1\n\
         [process.reexec]\nunit = pmt-reexec\n\
         [process.bus]\nunit = pmt-bus\n",
    );
    machine.load(&sandbox, &[("pmt-reexec.service", SLOW), ("pmt-bus.service", SLOW)]);
    machine.ok(&["systemctl", "start", "pmt-reexec", "pmt-bus"]);
    sandbox.start();

    raise(&sandbox, &["reexec"]);
    until_activating(&machine, "pmt-reexec");
    machine.ok(&["systemctl", "daemon-reexec"]);
    sandbox.until_cleared("reexec");
    assert_eq!(status(&sandbox, "reexec")["last_attempt"]["attempts"], 1);
    assert_eq!(machine.starts("pmt-reexec.service"), 2);

    raise(&sandbox, &["bus"]);
    until_activating(&machine, "pmt-bus");
    machine.ok(&["systemctl", "kill", "--signal=KILL", "dbus.service"]);
    sandbox.until_cleared("bus");
    assert_eq!(status(&sandbox, "bus")["last_attempt"]["attempts"], 1);
    assert_eq!(machine.starts("pmt-bus.service"), 2);
    sandbox.until_log("the connection to the bus broke while the job ran; looking for it again");
}

#[test]
fn a_frozen_bus_or_systemd_is_not_the_fault_of_a_unit() {
    let Some(mut machine) = Machine::private() else { return };
    let mut sandbox = machine.sandbox(
        "[process.default]\nrestart_strategy = service\nrestart_timeout = 1\nmax_attempts = 2\n\
         [process.bus]\nunit = pmt-bus\n\
         [process.first]\nunit = pmt-first\n",
    );
    let sleeps = "[Service]\nExecStart=/bin/sleep infinity\n";
    machine.load(&sandbox, &[("pmt-bus.service", sleeps), ("pmt-first.service", sleeps)]);
    machine.ok(&["systemctl", "start", "pmt-bus", "pmt-first"]);
    sandbox.start();
    let dbus = machine.property("dbus.service", "MainPID");
    let freeze = |signal: &str| machine.ok(&["kill", signal, &dbus]);
    let systemd = rustix::process::Pid::from_raw(machine.systemd.pid.cast_signed()).unwrap();

    freeze("-STOP");
    raise(&sandbox, &["bus"]);
    let detail = until_ended(&sandbox, "bus", "driver failed");
    assert!(detail.contains("does not answer; see systemctl status dbus"), "{detail}");
    freeze("-CONT");
    not_blamed(&sandbox, "bus");

    rustix::process::kill_process(systemd, rustix::process::Signal::STOP).unwrap();
    raise(&sandbox, &["first"]);
    let detail = until_ended(&sandbox, "first", "driver failed");
    rustix::process::kill_process(systemd, rustix::process::Signal::CONT).unwrap();
    assert!(detail.contains("does not answer"), "{detail}");
    not_blamed(&sandbox, "first");

    for (name, unit) in [("bus", "pmt-bus.service"), ("first", "pmt-first.service")] {
        sandbox.until_cleared(name);
        assert_eq!(status(&sandbox, name)["last_attempt"]["attempts"], 1, "{name}");
        assert_eq!(machine.starts(unit), 2, "{name}");
    }
}

/// The breaker has counted nothing, and the alarm waits for the driver.
fn not_blamed(sandbox: &Sandbox, name: &str) {
    let breaker = &status(sandbox, name)["breaker"];
    assert_eq!((&breaker["state"], &breaker["failures"]), (&"closed".into(), &0.into()), "{name}");
    assert_eq!(sandbox.row(name)["alarma"], 1, "{name}");
    let why = sandbox.say(&["why", name]);
    assert!(why.contains("driver"), "{why}");
}

//! Where systemd or its bus is missing.

use super::{Machine, raise, status, until_ended};
use pm_tests::components;
use pm_tests::sandbox::Sandbox;

/// Runs a command where `/run` is empty, as on a machine without systemd.
const PLAIN: [&str; 7] = [
    "unshare",
    "--mount",
    "--propagation=private",
    "sh",
    "-c",
    "mount -t tmpfs tmpfs /run && exec \"$@\"",
    "sh",
];

/// The same for the socket of the bus alone.
const WITHOUT_BUS: [&str; 7] = [
    "unshare",
    "--mount",
    "--propagation=private",
    "sh",
    "-c",
    "mount -t tmpfs tmpfs /run/dbus && exec \"$@\"",
    "sh",
];

#[test]
fn without_systemd_service_is_unsupported_and_auto_takes_process() {
    // Mounting needs the rights that the component needs.
    let Some(systemd) = components::systemd() else { return };
    let config = Sandbox::on_sqlite(
        "[process.default]\nmax_attempts = 2\nmax_restart_failures = 1\n\
         [process.service]\nrestart_strategy = service\nsystem_name = pmt-plain\n\
         [process.auto]\nrestart_strategy = auto\nsystem_name = pmt-plain\nstart_command = @DIR@/pmt-plain 1000\n\
         [process.checked]\nrestart_strategy = custom\nrestart_command = true\nsystem_name = pmt-plain\n\
         health_check = service\nhealth_check_timeout = 0.3\n",
    );
    let mut sandbox = Sandbox::within(&systemd.shared, &PLAIN, &config);
    std::fs::copy("/bin/sleep", sandbox.dir().join("pmt-plain")).unwrap();
    sandbox.start();
    raise(&sandbox, &["service", "auto", "checked"]);
    let words = "systemd is not running here; use the strategy process or custom";
    assert_eq!(until_ended(&sandbox, "service", "failed"), words);
    assert_eq!(status(&sandbox, "service")["last_attempt"]["attempts"], 1);
    assert_eq!(until_ended(&sandbox, "checked", "failed"), format!("not healthy: {words}"));
    sandbox.until_cleared("auto");
    let log = sandbox.log();
    assert!(
        log.contains(&format!("Strategy service did not restart auto, trying the next one: {words}")),
        "{log}"
    );
    assert!(log.contains("Process start command executed for: pmt-plain"), "{log}");
}

#[test]
fn without_a_bus_systemctl_gives_the_same_answers() {
    let Some(mut machine) = Machine::shared() else { return };
    let mut sandbox = machine.sandbox_by(
        &WITHOUT_BUS,
        "[process.default]\nrestart_strategy = service\nhealth_check = service\nhealth_check_timeout = 1\n\
         max_attempts = 1\nmax_restart_failures = 1\n\
         [process.runs]\nunit = pmt-busless-runs\n\
         [process.stopped]\nunit = pmt-busless-stopped\n\
         [process.fails]\nunit = pmt-busless-fails\n\
         [process.missing]\nunit = pmt-busless-missing\n",
    );
    let sleeps = "[Service]\nExecStart=/bin/sleep infinity\n";
    machine.load(
        &sandbox,
        &[
            ("pmt-busless-runs.service", sleeps),
            ("pmt-busless-stopped.service", sleeps),
            ("pmt-busless-fails.service", "[Service]\nType=exec\nExecStart=/nowhere/program\n"),
        ],
    );
    machine.ok(&["systemctl", "start", "pmt-busless-runs"]);
    let before = machine.invocation("pmt-busless-runs");
    sandbox.start();
    raise(&sandbox, &["runs", "stopped", "fails", "missing"]);
    sandbox.until_cleared("runs");
    sandbox.until_cleared("stopped");
    assert_ne!(machine.invocation("pmt-busless-runs"), before);
    assert_eq!(machine.property("pmt-busless-stopped", "ActiveState"), "active");
    let detail = until_ended(&sandbox, "fails", "failed");
    assert!(detail.contains("exit-code, main process exited with status 203 (EXEC"), "{detail}");
    let detail = until_ended(&sandbox, "missing", "failed");
    assert_eq!(detail, "there is no unit pmt-busless-missing.service");
}

//! The check "service" through the daemon, on a unit in each state; the restart itself does nothing.

use super::{Machine, raise, until, until_ended};

const STATES: [(&str, &str, &str, &str); 6] = [
    ("active", "[Service]\nExecStart=/bin/sleep infinity\n", "restarted", "active (running)"),
    (
        "exited",
        "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n",
        "restarted",
        "active (exited)",
    ),
    (
        "activating",
        "[Service]\nType=notify\nExecStart=/bin/sleep infinity\n",
        "failed",
        "not healthy: activating (start)",
    ),
    (
        "deactivating",
        "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/sleep infinity\n",
        "failed",
        "not healthy: deactivating (stop)",
    ),
    (
        "failed",
        "[Service]\nExecStart=/bin/sh -c 'exit 3'\n",
        "failed",
        "not healthy: failed (failed): exit-code, main process exited with status 3",
    ),
    ("inactive", "[Service]\nExecStart=/bin/sleep infinity\n", "failed", "not healthy: inactive (dead)"),
];

#[test]
fn the_check_tells_active_from_everything_else() {
    let Some(mut machine) = Machine::shared() else { return };
    let mut sections = "[process.default]\nrestart_strategy = custom\nrestart_command = true\n\
                        health_check = service\nhealth_check_timeout = 0.3\nmax_attempts = 1\nmax_restart_failures = 1\n\
                        [process.missing]\nunit = pmt-is-missing\n"
        .to_owned();
    for (name, ..) in STATES {
        sections.push_str(&format!("[process.{name}]\nunit = pmt-is-{name}\n"));
    }
    let mut sandbox = machine.sandbox(&sections);
    let units = STATES.map(|(name, text, ..)| (format!("pmt-is-{name}.service"), text));
    machine.load(&sandbox, &units.each_ref().map(|(name, text)| (name.as_str(), *text)));
    for (name, ..) in STATES.iter().filter(|(name, ..)| *name != "inactive") {
        machine.ok(&["systemctl", "start", "--no-block", &format!("pmt-is-{name}")]);
    }
    until("the unit to run", || machine.property("pmt-is-deactivating", "ActiveState") == "active");
    machine.ok(&["systemctl", "stop", "--no-block", "pmt-is-deactivating"]);
    for (name, ..) in STATES {
        until(name, || {
            let state = machine.property(&format!("pmt-is-{name}"), "ActiveState");
            state == if name == "exited" { "active" } else { name }
        });
    }

    sandbox.start();
    let names = STATES.map(|(name, ..)| name);
    raise(&sandbox, &[&names[..], &["missing"]].concat());
    for (name, _, end, part) in STATES {
        let detail = until_ended(&sandbox, name, end);
        assert!(detail.contains(part), "{name}: {detail}");
    }
    let detail = until_ended(&sandbox, "missing", "failed");
    assert!(detail.contains("not healthy: there is no unit pmt-is-missing.service"), "{detail}");
}

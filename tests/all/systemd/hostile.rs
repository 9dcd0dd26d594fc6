//! Names from the table that mean something to systemd, a shell or a path: they restart nothing but what they name.

use super::{Commands as _, Machine, status, until_ended};
use std::collections::BTreeMap;

/// What a row may be called, and what comes of it.
const NAMES: [(&str, &str); 16] = [
    ("*", "there is no unit \"*\": the name has the character '*'"),
    ("[a-z]*", "the name has the character '['"),
    ("pmt-?", "the name has the character '?'"),
    ("--now", "there is no unit --now.service"),
    ("--root=/", "the name has the character '='"),
    ("-H localhost", "the name has the character ' '"),
    ("x@$(touch /tmp/hit)", "the name has the character '$'"),
    ("`touch /tmp/hit`", "the name has the character '`'"),
    ("a;touch /tmp/hit", "the name has the character ';'"),
    ("../../x", "the name has the character '/'"),
    ("/etc/systemd/system/pmt-a", "the name has the character '/'"),
    ("poweroff.target", "\"poweroff.target\" is not restarted by pm: a .target is not one of"),
    ("ctrl-alt-del.target", "is not restarted by pm"),
    ("init.scope", "is not restarted by pm: a .scope is not one of"),
    ("dbus", "\"dbus.service\" is not restarted by pm: systemd, the bus or pm itself depends on it"),
    ("systemd-journald", "is not restarted by pm"),
];

/// The last start of every unit there is.
fn starts(machine: &Machine) -> BTreeMap<String, String> {
    let shown = machine.ok(&["systemctl", "show", "--property=Id,InvocationID,MainPID,ActiveState", "*"]);
    let blocks = shown.split("\n\n").filter_map(|block| {
        let id = block.lines().find_map(|line| line.strip_prefix("Id="))?;
        Some((id.to_owned(), block.to_owned()))
    });
    blocks.collect()
}

#[test]
fn hostile_names_restart_nothing() {
    let Some(mut machine) = Machine::private() else { return };
    let mut sandbox = machine.sandbox(
        "[process.default]\nrestart_strategy = service\nmax_attempts = 1\nmax_restart_failures = 1\n",
    );
    let sleeps = "[Service]\nExecStart=/bin/sleep infinity\n";
    machine.load(&sandbox, &[("pmt-a.service", sleeps), ("pmt-b.service", sleeps)]);
    machine.ok(&["systemctl", "start", "pmt-a", "pmt-b"]);
    let before = starts(&machine);
    assert!(before.len() > 10 && before.contains_key("dbus.service"), "{before:?}");

    sandbox.start();
    let names = NAMES.map(|(name, _)| name);
    for verb in ["add", "raise"] {
        let done = pm_tests::sandbox::answer(sandbox.command(&["alarm", verb]).arg("--").args(names));
        assert_eq!(done.code, 0, "{done:?}");
    }
    for (name, part) in NAMES {
        let detail = until_ended(&sandbox, name, "failed");
        assert!(detail.contains(part), "{name}: {detail}");
        assert_eq!(status(&sandbox, name)["last_attempt"]["attempts"], 1, "{name}");
    }
    assert_eq!(starts(&machine), before, "a unit was started, stopped or restarted");
    assert_eq!(machine.ok(&["systemctl", "is-system-running"]), "running");
    assert!(!machine.outside("/tmp/hit").exists(), "a name became a command");

    // The same system does restart what is named.
    sandbox.say(&["alarm", "add", "pmt-b"]);
    sandbox.say(&["alarm", "raise", "pmt-b"]);
    sandbox.until_cleared("pmt-b");
    let after = starts(&machine);
    let changed: Vec<_> = before.keys().filter(|unit| before.get(*unit) != after.get(*unit)).collect();
    assert_eq!(changed, ["pmt-b.service"]);
}

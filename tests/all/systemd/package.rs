//! pm as the package installs it: `pm.service` with its own paths, in a systemd that the test has for itself.
//!
//! Here: ready, status, reload, journal, watchdog, password, hardening. What becomes of the programs it started is in
//! [`package_life`](super::package_life).

use super::{Answer, Commands, Machine, raise, status, until, until_ended};
use mysql::prelude::Queryable as _;
use pm_tests::components;
use pm_tests::sandbox::built;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A configuration on the embedded database, where the package has it; every alarm is believed.
pub(super) const EMBEDDED: &str = "[monitor]\ncheck_interval = 0.1\nmax_restart_failures = 3\ncircuit_reset_time = 600\n\
                                   stable_time = 0\nstorm_limit = 0\nmass_alarm_min = 0\n[criticality.normal]\nbackoff = 0\n[logging]\nfile = /var/log/pm.log\n";

/// A file of the package.
pub(super) fn packaged(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// pm, installed.
pub(super) struct Installed {
    pub(super) machine: Machine,
}

impl Installed {
    /// In a new system, not started.
    pub(super) fn new(config: &str) -> Option<Self> {
        let machine = Machine::private()?;
        let built = built();
        let built = built.to_str().unwrap();
        machine.write("/usr/bin/pm", "");
        machine.ok(&["mkdir", "-p", "/usr/lib/pm/plugins"]);
        machine.ok(&["mount", "--bind", &format!("{built}/pm"), "/usr/bin/pm"]);
        machine.ok(&["mount", "--bind", built, "/usr/lib/pm/plugins"]);
        let installed = Self { machine };
        installed.machine.write("/etc/systemd/system/pm.service", &packaged("pm.service"));
        installed.configure(config);
        installed.machine.ok(&["systemctl", "daemon-reload"]);
        Some(installed)
    }

    pub(super) fn configure(&self, config: &str) {
        let path = "/etc/pm/config.ini";
        self.machine.write(path, config);
        std::fs::set_permissions(self.machine.outside(path), PermissionsExt::from_mode(0o600)).unwrap();
    }

    /// Settings of the unit that differ from the package's.
    pub(super) fn override_unit(&self, text: &str) {
        self.machine.write("/etc/systemd/system/pm.service.d/test.conf", text);
        self.machine.ok(&["systemctl", "daemon-reload"]);
    }

    pub(super) fn systemctl(&self, verb: &str) -> Answer {
        let done = self.machine.run(&["systemctl", verb, "pm.service"]);
        assert_eq!(done.code, 0, "systemctl {verb} pm: {done:?}\n{}", self.heard());
        done
    }

    pub(super) fn start(&self) {
        self.systemctl("start");
    }

    pub(super) fn property(&self, key: &str) -> String {
        self.machine.property("pm.service", key)
    }

    pub(super) fn main_pid(&self) -> String {
        self.property("MainPID")
    }

    /// The entries of the journal that pm itself has written.
    fn journal(&self) -> Vec<Value> {
        self.machine.ok(&["journalctl", "--sync"]);
        let text =
            self.machine.ok(&["journalctl", "--quiet", "--output=json", "--unit=pm.service", "_COMM=pm"]);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(super) fn until_heard(&self, text: &str) {
        until(&format!("{text:?} in the journal"), || self.heard().contains(text));
    }

    pub(super) fn cleared(&self, name: &str) -> bool {
        status(self, name)["rows"][0]["alarma"] == 0
    }
}

impl Commands for Installed {
    fn say(&self, words: &[&str]) -> String {
        self.machine.ok(&[&["/usr/bin/pm"], words, &["--config", "/etc/pm/config.ini"]].concat())
    }
    fn heard(&self) -> String {
        self.machine.run(&["journalctl", "--quiet", "--output=cat", "--unit=pm.service"]).out
    }
}

#[test]
fn it_reports_itself_ready_and_reloads_without_dying() {
    let process = "[process.a]\nrestart_strategy = custom\nrestart_command = true\n";
    let Some(pm) = Installed::new(&format!("{EMBEDDED}{process}")) else { return };
    pm.start();
    assert_eq!(pm.property("ActiveState"), "active", "start comes back when pm is ready");
    until("the status", || pm.property("StatusText") == "0 alarms, no restart running");
    let pid = pm.main_pid();
    assert_eq!(status(&pm, "a")["name"], "a");
    assert!(pm.machine.outside("/var/lib/pm/journal.db").exists());
    let mode = |path: &str| pm.machine.outside(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("/var/lib/pm"), 0o700);

    pm.configure(&format!(
        "{EMBEDDED}{process}[process.b]\nrestart_strategy = custom\nrestart_command = false\n\
                  max_attempts = 1\n"
    ));
    pm.systemctl("reload");
    raise(&pm, &["b"]);
    until_ended(&pm, "b", "failed");
    until("the status of an alarm", || pm.property("StatusText").starts_with("1 alarm, "));
    pm.configure("[database]\nengine = oracle\n");
    pm.systemctl("reload");
    pm.until_heard("oracle");
    assert_eq!((pm.property("ActiveState"), pm.main_pid()), ("active".to_owned(), pid.clone()));
    pm.configure(&format!("{EMBEDDED}{process}"));
    pm.systemctl("reload");
    raise(&pm, &["a"]);
    until("the alarm to be cleared", || pm.cleared("a"));
    assert_eq!(pm.main_pid(), pid, "one and the same process all the time");
    pm.systemctl("stop");
    assert_eq!(pm.property("Result"), "success");

    let entries = pm.journal();
    let text = |entry: &Value| entry["MESSAGE"].as_str().unwrap_or_default().to_owned();
    let priority = |part: &str| {
        let found = entries.iter().find(|entry| text(entry).contains(part));
        found.unwrap_or_else(|| panic!("no {part:?} in {entries:?}"))["PRIORITY"].clone()
    };
    assert_eq!(priority("Starting Process Monitor Service"), "6");
    assert_eq!(priority("Attempt 1 failed for b"), "4");
    assert_eq!(priority("All restart attempts failed for b"), "3");
    for entry in &entries {
        let text = text(entry);
        assert!(!text.starts_with('<') && !text.contains("[INFO]"), "a prefix was left in {text:?}");
        let year = text.get(..4).is_some_and(|year| year.parse::<u32>().is_ok());
        assert!(!year, "the journal knows the time itself: {text:?}");
    }
}

#[test]
fn the_kernel_takes_others_first_and_what_pm_starts_is_one_of_them() {
    let score = |file: &str| format!("sleep 0.1; cat /proc/self/oom_score_adj > /var/tmp/{file}");
    let process = format!(
        "[process.a]\nrestart_strategy = custom\nrestart_command = {}\npre_restart_command = {}\n",
        score("restart"),
        score("before")
    );
    let Some(pm) = Installed::new(&format!("{EMBEDDED}{process}")) else { return };
    pm.start();
    raise(&pm, &["a"]);
    until("the alarm to be cleared", || pm.cleared("a"));
    let read = |path: &str| std::fs::read_to_string(pm.machine.outside(path)).unwrap().trim().to_owned();
    assert_eq!(pm.property("OOMScoreAdjust"), "-500");
    assert_eq!((read("/var/tmp/before"), read("/var/tmp/restart")), ("0".to_owned(), "0".to_owned()));
}

#[test]
fn a_configuration_that_cannot_be_used_is_not_started_again_and_again() {
    let Some(pm) = Installed::new("[database]\nengine = oracle\n") else { return };
    let done = pm.machine.run(&["systemctl", "start", "pm.service"]);
    assert_ne!(done.code, 0, "{done:?}");
    assert_eq!(
        (pm.property("ActiveState"), pm.property("ExecMainStatus")),
        ("failed".to_owned(), "2".to_owned())
    );
    assert!(pm.heard().contains("/etc/pm/config.ini:2"), "{}", pm.heard());
}

#[test]
fn the_sandbox_leaves_pm_what_it_needs_for_units() {
    let config = format!("{EMBEDDED}[process.default]\nrestart_strategy = service\nhealth_check = service\n");
    let Some(pm) = Installed::new(&config) else { return };
    pm.machine.write("/etc/systemd/system/pmt-unit.service", "[Service]\nExecStart=/bin/sleep infinity\n");
    pm.machine.ok(&["systemctl", "daemon-reload"]);
    pm.machine.ok(&["systemctl", "start", "pmt-unit"]);
    let before = pm.machine.invocation("pmt-unit");
    pm.override_unit(&packaged("pm-hardened.conf"));
    pm.start();
    let process = |key: &str| {
        let text = pm.machine.ok(&["cat", &format!("/proc/{}/status", pm.main_pid())]);
        text.lines().find_map(|line| line.strip_prefix(key)).map(|value| value.trim().to_owned())
    };
    assert_eq!(process("CapEff:").as_deref(), Some("0000000000000000"), "the sandbox is there");
    assert_eq!((process("NoNewPrivs:").as_deref(), process("Seccomp:").as_deref()), (Some("1"), Some("2")));

    raise(&pm, &["pmt-unit", "pmt-nothing"]);
    until("the unit to be restarted", || pm.cleared("pmt-unit"));
    assert_ne!(pm.machine.invocation("pmt-unit"), before);
    assert_eq!(until_ended(&pm, "pmt-nothing", "failed"), "there is no unit pmt-nothing.service");
    let log = std::fs::read_to_string(pm.machine.outside("/var/log/pm.log")).unwrap();
    assert!(log.contains("Successfully handled alarm for pmt-unit"), "{log}");
    for word in ["Cannot", "not possible", "denied", "Read-only"] {
        assert!(!pm.heard().contains(word), "{}", pm.heard());
    }
}

#[test]
fn a_pm_that_hangs_is_replaced_by_the_watchdog() {
    let Some(pm) = Installed::new(&format!("{EMBEDDED}[process.a]\nrestart_strategy = service\n")) else {
        return;
    };
    pm.override_unit("[Service]\nWatchdogSec=2\nRestartSec=100ms\n");
    pm.start();
    let pid = pm.main_pid();
    // It feeds the watchdog: a whole period later it still is the same.
    let fed = || pm.property("WatchdogTimestampMonotonic").parse::<u64>().unwrap();
    let first = fed();
    until("a period of the watchdog", || fed() > first + 2_000_000);
    assert_eq!(pm.main_pid(), pid);

    pm.machine.ok(&["kill", "-STOP", &pid]);
    until("the watchdog to act", || {
        pm.property("NRestarts") != "0" && pm.property("ActiveState") == "active"
    });
    assert_ne!(pm.main_pid(), pid);
    pm.until_heard("Watchdog timeout");
    raise(&pm, &["a"]);
    assert_eq!(until_ended(&pm, "a", "failed"), "there is no unit a.service");
}

#[test]
fn the_password_comes_as_a_credential_and_is_seen_nowhere() {
    const SECRET: &str = "credential-9f7b3c1e";
    let (Some(server), true) = (components::mysql(), components::systemd().is_some()) else { return };
    let options = mysql::OptsBuilder::new()
        .socket(server.socket.to_str().map(str::to_owned))
        .user(Some(&server.user))
        .pass(Some(&server.password));
    let mut admin = mysql::Conn::new(options).unwrap();
    for statement in [
        "DROP DATABASE IF EXISTS pmt_credential".to_owned(),
        "CREATE DATABASE pmt_credential".to_owned(),
        format!("CREATE OR REPLACE USER pmt_credential@'127.0.0.1' IDENTIFIED BY '{SECRET}'"),
        "GRANT ALL ON pmt_credential.* TO pmt_credential@'127.0.0.1'".to_owned(),
    ] {
        admin.query_drop(statement).unwrap();
    }
    let config = format!(
        "[database]\nhost = 127.0.0.1\nport = {}\nuser = pmt_credential\ndatabase = pmt_credential\n{EMBEDDED}\
         level = debug\n[process.a]\nrestart_strategy = custom\nrestart_command = env >/tmp/environment; sleep 0.2\n",
        server.port
    );
    let Some(pm) = Installed::new(&config) else { return };
    let file = "/etc/pm/database_password";
    pm.machine.write(file, &format!("{SECRET}\n"));
    std::fs::set_permissions(pm.machine.outside(file), PermissionsExt::from_mode(0o600)).unwrap();
    pm.override_unit(&format!("[Service]\nLoadCredential=database_password:{file}\n"));
    // By hand there is no credential.
    let by_hand = |words: &[&str]| {
        let password = format!("PM_DATABASE_PASSWORD={SECRET}");
        let command =
            [&["env", &password, "/usr/bin/pm"], words, &["--config", "/etc/pm/config.ini"]].concat();
        pm.machine.ok(&command)
    };
    by_hand(&["db", "migrate"]);
    pm.start();
    by_hand(&["alarm", "add", "a"]);
    by_hand(&["alarm", "raise", "a"]);
    until("the alarm to be cleared", || {
        let rows: Value = serde_json::from_str(&by_hand(&["alarm", "list", "--format", "json"])).unwrap();
        rows[0]["alarma"] == 0
    });

    let pid = pm.main_pid();
    for place in
        [format!("/proc/{pid}/environ"), format!("/proc/{pid}/cmdline"), "/tmp/environment".to_owned()]
    {
        let text = String::from_utf8_lossy(&std::fs::read(pm.machine.outside(&place)).unwrap()).into_owned();
        assert!(!text.is_empty() && !text.contains(SECRET), "{place}: {text}");
    }
    let environment = std::fs::read_to_string(pm.machine.outside("/tmp/environment")).unwrap();
    for variable in ["NOTIFY_SOCKET", "WATCHDOG_", "CREDENTIALS_DIRECTORY", "INVOCATION_ID", "JOURNAL_STREAM"]
    {
        assert!(!environment.contains(variable), "commands are no part of pm's unit: {environment}");
    }
    let log = std::fs::read_to_string(pm.machine.outside("/var/log/pm.log")).unwrap();
    for (text, what) in [(log, "log"), (pm.heard(), "journal")] {
        assert!(
            text.contains("Starting Process Monitor Service") && !text.contains(SECRET),
            "{what}: {text}"
        );
    }
    admin.query_drop("DROP DATABASE pmt_credential").unwrap();
    admin.query_drop("DROP USER pmt_credential@'127.0.0.1'").unwrap();
}

//! pm as a unit of systemd: installed, enabled, watched, and not locked into a sandbox that its work does not fit into.
//!
//! systemd itself is asked (`systemctl show`), so that drop-ins count. Judging is apart from asking.

mod sandbox;

use super::finding::{Finding, Fix};
use super::starts::Starts;
use crate::config::Config;
use crate::exec::SystemExec;
use crate::ports::{CommandLine, Exec as _};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The unit of the package.
const UNIT: &str = "pm.service";
/// A systemd that does not answer must not hold up what else there is to find.
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_OUTPUT: usize = 64 * 1024;

/// What is asked of the unit; [`sandbox`] has more.
const PROPERTIES: [&str; 10] = [
    "LoadState",
    "UnitFileState",
    "ActiveState",
    "Result",
    "MainPID",
    "Type",
    "NotifyAccess",
    "WatchdogUSec",
    "KillMode",
    "NeedDaemonReload",
];

/// Whose systemd it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    System,
    User,
}

/// A unit as systemd sees it.
#[derive(Debug)]
struct Unit {
    name: String,
    manager: Manager,
    properties: BTreeMap<String, String>,
}

impl Unit {
    fn get(&self, key: &str) -> &str {
        self.properties.get(key).map_or("", String::as_str)
    }

    /// The command `systemctl` for its manager.
    fn manager(&self) -> &'static str {
        match self.manager {
            Manager::System => "systemctl",
            Manager::User => "systemctl --user",
        }
    }

    /// The command `systemctl` for it.
    fn systemctl(&self, verb: &str) -> String {
        format!("{} {verb} {}", self.manager(), self.name)
    }

    /// Other lines of `[Service]`, separated by `\\n`, and pm started anew with them.
    fn drop_in(&self, lines: &str) -> Fix {
        let place = match self.manager {
            Manager::System => "/etc/systemd/system",
            Manager::User => "~/.config/systemd/user",
        };
        let folder = format!("{place}/{}.d", self.name);
        Fix::Run(format!(
            "mkdir -p {folder} && printf '[Service]\\n{lines}\\n' >>{folder}/zz-doctor.conf && {} daemon-reload && {}",
            self.manager(),
            self.systemctl("restart")
        ))
    }
}

/// Whether systemd is what starts services here.
fn is_there() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

/// How pm is started, or started anew, on this machine.
pub(super) fn begin(verb: &str) -> Fix {
    match (is_there(), verb) {
        (true, _) => Fix::Run(format!("systemctl {verb} {UNIT}")),
        (false, "start") => Fix::Do("start it: pm run".to_owned()),
        (false, _) => Fix::Do("end it, and start it again: pm run".to_owned()),
    }
}

/// Looks at the unit that the daemon runs in, else at the one of the package.
pub(super) fn examine(config: Option<&Config>, daemon: Option<u32>) -> Vec<Finding> {
    if !is_there() {
        let saw = "this system does not run systemd: how pm is started and watched is not known";
        return vec![Finding::none("unit", saw)];
    }
    let cgroup = daemon.and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok());
    let own = cgroup.as_deref().and_then(of_cgroup);
    let own = own.and_then(|(name, manager)| ask(&name, manager).ok());
    // A pm that something else has started is in the unit of that.
    let own = own.filter(|unit| daemon.is_some_and(|pid| unit.get("MainPID") == pid.to_string()));
    let unit = match own {
        Some(unit) => Ok(unit),
        None => ask(UNIT, Manager::System),
    };
    let unit = match unit {
        Ok(unit) => unit,
        Err(why) => {
            let saw = format!("systemctl show {UNIT}: {why}");
            return vec![Finding::warning("unit", saw, Fix::Run(format!("systemctl status {UNIT}")))];
        }
    };
    let mut findings = vec![judge(&unit)];
    if unit.get("LoadState") == "loaded" {
        findings.extend(by_hand(&unit, daemon));
        findings.push(watchdog(&unit));
        findings.extend(config.map(|config| sandbox::judge(&unit, &Starts::of(config))));
    }
    findings
}

/// The service in a line of `/proc/PID/cgroup`, and whose it is.
fn of_cgroup(cgroup: &str) -> Option<(String, Manager)> {
    let path = cgroup.lines().find_map(|line| {
        line.strip_prefix("0::").or_else(|| line.split_once("name=systemd:").map(|(_, path)| path))
    })?;
    let name = path.rsplit('/').find(|part| part.ends_with(".service"))?;
    let manager =
        if path.contains("/user@") && !name.starts_with("user@") { Manager::User } else { Manager::System };
    Some((name.to_owned(), manager))
}

fn ask(name: &str, manager: Manager) -> Result<Unit, String> {
    let user = if manager == Manager::User { "--user " } else { "" };
    let wanted: Vec<&str> = PROPERTIES.iter().chain(sandbox::PROPERTIES).copied().collect();
    let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "@._-:".contains(*c)).collect();
    let mut environment = BTreeMap::new();
    if let Ok(place) = std::env::var("XDG_RUNTIME_DIR") {
        environment.insert("XDG_RUNTIME_DIR".to_owned(), place);
    }
    let command = CommandLine {
        line: &format!("systemctl {user}show --property={} -- {name}", wanted.join(",")),
        directory: Path::new("/"),
        environment: &environment,
        timeout: PATIENCE,
    };
    let answer = SystemExec.capture(&command, MOST_OUTPUT);
    answer.end.map_err(|failed| format!("{failed}: {}", answer.output.trim()))?;
    let pair = |line: &str| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    Ok(Unit { name, manager, properties: answer.output.lines().filter_map(pair).collect() })
}

/// Installed, enabled, not failed.
fn judge(unit: &Unit) -> Finding {
    let name = &unit.name;
    match unit.get("LoadState") {
        "loaded" => {}
        "masked" => {
            let saw = format!("{name} is masked: nothing can start it");
            return Finding::problem("unit", saw, Fix::Run(unit.systemctl("unmask")));
        }
        "not-found" => {
            let saw = format!("{name} is not installed: pm is not started with the machine");
            let fix = "install -m 644 packaging/pm.service /etc/systemd/system/ && systemctl enable --now pm.service";
            return Finding::warning("unit", saw, Fix::Run(fix.to_owned()));
        }
        other => {
            let saw = format!("{name} cannot be used: {other}");
            return Finding::problem("unit", saw, Fix::Run(unit.systemctl("status")));
        }
    }
    let (active, enabled) = (unit.get("ActiveState"), unit.get("UnitFileState"));
    if active == "failed" {
        let saw = format!("{name} has failed ({})", unit.get("Result"));
        return Finding::problem("unit", saw, Fix::Run(format!("journalctl -u {name} -e -n 50")));
    }
    if unit.get("NeedDaemonReload") == "yes" {
        let saw = format!("the file of {name} was changed and systemd has not read it");
        return Finding::warning("unit", saw, Fix::Run(format!("{} daemon-reload", unit.manager())));
    }
    if !["enabled", "enabled-runtime", "static", "alias", "linked", "generated", "transient"]
        .contains(&enabled)
    {
        let saw = format!("{name} is {enabled}: pm is not started with the machine");
        return Finding::warning("unit", saw, Fix::Run(unit.systemctl("enable")));
    }
    Finding::ok("unit", format!("{name} is installed, {enabled} and {active}"))
}

/// A daemon that is not the one of the unit.
fn by_hand(unit: &Unit, daemon: Option<u32>) -> Option<Finding> {
    let pid = daemon.filter(|pid| unit.get("MainPID") != pid.to_string())?;
    let saw = format!(
        "the daemon (pid {pid}) was not started by {}: nothing starts it again when it ends",
        unit.name
    );
    Some(Finding::warning("unit", saw, Fix::Run(format!("kill {pid} && {}", unit.systemctl("start")))))
}

/// Whether systemd notices a pm that hangs.
fn watchdog(unit: &Unit) -> Finding {
    let (kind, period) = (unit.get("Type"), unit.get("WatchdogUSec"));
    if !kind.starts_with("notify") {
        let saw = format!(
            "{} has Type={kind}: systemd does not learn when pm is ready, nor that it lives",
            unit.name
        );
        return Finding::warning("watchdog", saw, unit.drop_in("Type=notify\\nWatchdogSec=60"));
    }
    if ["", "0", "infinity"].contains(&period) {
        let saw = format!("{} has no WatchdogSec: a pm that hangs is not replaced", unit.name);
        return Finding::warning("watchdog", saw, unit.drop_in("WatchdogSec=60"));
    }
    if unit.get("NotifyAccess") == "none" {
        let saw =
            format!("{} has NotifyAccess=none: systemd does not listen to pm and will end it", unit.name);
        return Finding::problem("watchdog", saw, unit.drop_in("NotifyAccess=main"));
    }
    Finding::ok("watchdog", format!("Type={kind}, WatchdogSec={period}: a pm that hangs is replaced"))
}

#[cfg(test)]
mod tests;

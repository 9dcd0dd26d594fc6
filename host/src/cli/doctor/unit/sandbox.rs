//! Whether the sandbox of the unit leaves room for what the configuration makes pm do.
//!
//! What pm starts inherits every restriction, for as long as it lives; what it looks at can be out of its sight. A
//! pm that only speaks with systemd, a container daemon and the network fits into a sandbox.

use super::super::finding::Finding;
use super::super::starts::Starts;
use super::Unit;

/// What is asked of the unit.
pub(super) const PROPERTIES: &[&str] = &[
    "ProtectSystem",
    "ProtectHome",
    "ProtectProc",
    "ProcSubset",
    "PrivateTmp",
    "PrivateDevices",
    "PrivateNetwork",
    "PrivateUsers",
    "PrivatePIDs",
    "DynamicUser",
    "NoNewPrivileges",
    "MemoryDenyWriteExecute",
    "RestrictAddressFamilies",
    "SystemCallFilter",
];

/// Values that restrict nothing.
const OPEN: [&str; 6] = ["", "~", "no", "default", "all", "inherit"];
/// What hides the processes of the machine.
const HIDES: [&str; 4] = ["ProtectProc", "ProcSubset", "PrivatePIDs", "PrivateUsers"];

pub(super) fn judge(unit: &Unit, starts: &Starts) -> Finding {
    let closed: Vec<&str> = PROPERTIES.iter().copied().filter(|key| !OPEN.contains(&unit.get(key))).collect();
    let assigned = |keys: &[&str]| {
        let shown = |key: &&str| match unit.get(key) {
            long if long.len() > 20 => format!("{key}=…"),
            value => format!("{key}={value}"),
        };
        keys.iter().map(shown).collect::<Vec<_>>().join(" ")
    };
    let lift = |keys: &[&str]| {
        let lines: Vec<String> = keys.iter().map(|key| format!("{key}={}", without(key))).collect();
        unit.drop_in(&lines.join("\\n"))
    };
    let hiding: Vec<&str> = closed.iter().copied().filter(|key| HIDES.contains(key)).collect();
    if !hiding.is_empty() && !starts.looks.is_empty() {
        let saw = format!("{} cannot see processes: {}", starts.looks.join(", "), assigned(&hiding));
        return Finding::problem("sandbox", saw, lift(&hiding));
    }
    let families = unit.get("RestrictAddressFamilies");
    let cut_off = closed.contains(&"RestrictAddressFamilies")
        && families.starts_with('~') == families.contains("AF_UNIX");
    if cut_off && !starts.sockets.is_empty() {
        let saw =
            format!("{} cannot reach systemd or the container daemon: no AF_UNIX", starts.sockets.join(", "));
        return Finding::problem("sandbox", saw, lift(&["RestrictAddressFamilies"]));
    }
    if !closed.is_empty() && !starts.programs.is_empty() {
        let saw = format!(
            "what {} start is in the sandbox of {}: {}",
            starts.programs.join(", "),
            unit.name,
            assigned(&closed)
        );
        return Finding::warning("sandbox", saw, lift(&closed));
    }
    if !["process", "none"].contains(&unit.get("KillMode")) && !starts.programs.is_empty() {
        let saw = format!(
            "{} has KillMode={}: stopping pm ends the programs that it has started",
            unit.name,
            unit.get("KillMode")
        );
        return Finding::warning("sandbox", saw, lift(&["KillMode"]));
    }
    match closed.is_empty() {
        true => Finding::ok(
            "sandbox",
            format!("{} has none, so nothing is in the way of what pm starts", unit.name),
        ),
        false => Finding::ok("sandbox", format!("that of {} leaves room for what is configured", unit.name)),
    }
}

/// The value that takes a restriction away.
fn without(key: &str) -> &'static str {
    match key {
        "ProtectProc" => "default",
        "ProcSubset" => "all",
        "KillMode" => "process",
        // An empty assignment resets these lists.
        "RestrictAddressFamilies" | "SystemCallFilter" => "",
        _ => "no",
    }
}

//! A scope of systemd for one process that has not begun yet.
//!
//! The process is moved by systemd itself, before it executes anything: none of its descendants can be left behind in
//! our control group. systemd is asked through `busctl`, with an argument vector.

use crate::command::{Limits, find_program, run};
use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long systemd may take to answer, and again to move the process.
const PATIENCE: Duration = Duration::from_secs(2);
/// As much of a label as is put into the name of the scope; the name may have 255 characters.
const LONGEST_LABEL: usize = 100;

/// Puts the process into a scope of its own and returns its name, or says why it has none.
pub(super) fn enclose(pid: u32, start_ticks: u64, label: &str) -> Result<String, String> {
    // A container may see the host's directory, but it is another process 1 that would take our number for its own.
    let first = std::fs::read_to_string("/proc/1/comm").unwrap_or_default();
    if first.trim_end() != "systemd" || !Path::new("/run/systemd/system").is_dir() {
        return Err("systemd does not run here".to_owned());
    }
    let root = rustix::process::geteuid().is_root();
    if !root && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        return Err("we are not root, and there is no user instance of systemd (XDG_RUNTIME_DIR is not set)"
            .to_owned());
    }
    let busctl = find_program("busctl", OsStr::new("/usr/bin:/bin")).ok_or("busctl is not installed")?;
    let name = name(pid, start_ticks, label);
    let mut command = Command::new(busctl);
    command.arg(if root { "--system" } else { "--user" }).args([
        "--timeout=2",
        "call",
        "org.freedesktop.systemd1",
    ]);
    command.args(["/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "StartTransientUnit"]);
    command.args(["ssa(sv)a(sa(sv))", &name, "fail", "3", "PIDs", "au", "1", &pid.to_string()]);
    command.args(["Description", "s", "Started by pm", "CollectMode", "s", "inactive-or-failed", "0"]);
    let limits = Limits { timeout: PATIENCE, kill_after: Duration::from_millis(100), ..Limits::default() };
    let finished = run(&mut command, &limits).map_err(|error| error.to_string())?;
    if !finished.success() {
        return Err(format!("busctl {}", finished.explain()));
    }
    // The answer says that systemd will do it.
    let deadline = Instant::now() + PATIENCE;
    while !is_in(pid, &name) {
        if Instant::now() >= deadline {
            return Err(format!("systemd did not move the process into {name}"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(name)
}

fn is_in(pid: u32, scope: &str) -> bool {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    groups.lines().any(|line| line.split('/').any(|part| part == scope))
}

/// Unique as long as the machine runs; everything outside systemd's alphabet becomes `_`.
fn name(pid: u32, start_ticks: u64, label: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_.:-".contains(c) { c } else { '_' };
    let label: String = label.chars().take(LONGEST_LABEL).map(allowed).collect();
    format!("pm-{label}-{pid}-{start_ticks}.scope")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_label_leaves_the_alphabet_of_unit_names() {
        assert_eq!(name(7, 9, "web.1"), "pm-web.1-7-9.scope");
        assert_eq!(name(7, 9, "../a-b;ț@%\\x2d"), "pm-.._a-b_____x2d-7-9.scope");
        assert!(name(u32::MAX, u64::MAX, &"x".repeat(1000)).len() < 255);
    }
}

//! Puts an end to a worker and to everything that descends from it.
//!
//! A command that a strategy runs has a process group of its own, so killing the worker's group is not enough, and once
//! the worker is gone its children are nobody's. So the family is looked up first, and each member is killed through a
//! descriptor of it, which never means a stranger. What was started to outlive pm (`pm_plugin_api::detach`) is no
//! descendant of the worker any more and lives on.

use pm_plugin_api::command::Family;
use rustix::fd::OwnedFd;
use rustix::process::{Pid, Signal, kill_process_group, pidfd_send_signal};
use std::fs;

/// A bomb that forks faster than it is swept up ends with its limit of processes, not with ours.
const ROUNDS: usize = 8;

/// Kills the worker `pid` with its group and its descendants. It must not have been reaped yet: until then its number
/// and that of its group belong to nobody else.
pub(super) fn kill(pid: Pid, pidfd: &OwnedFd) {
    // Stopped first, so that it starts nothing while it is looked at.
    let _ = pidfd_send_signal(pidfd, Signal::STOP);
    for _ in 0..ROUNDS {
        let family = Family::of(pid);
        family.signal(Signal::KILL);
        // Killed ones stay children, as zombies, until the worker is gone; what they had forked meanwhile is found again.
        if family.is_empty() || family.is_over() {
            break;
        }
    }
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = pidfd_send_signal(pidfd, Signal::KILL);
}

/// Resident memory of a process, in bytes; none when it cannot be told.
pub(super) fn memory(pid: Pid) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_pid())).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

//! Puts an end to a worker and to everything that descends from it.
//!
//! A command that a strategy runs has a process group of its own, so killing the worker's group is not enough, and once
//! the worker is gone its children are nobody's. So the family is looked up first, and each member is killed through a
//! descriptor of it, which never means a stranger. What was started to outlive pm (`pm_plugin_api::detach`) is no
//! descendant of the worker any more and lives on.

use rustix::fd::OwnedFd;
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal, test_kill_process,
};
use std::collections::BTreeSet;
use std::fs;

/// More than any command has; a fork bomb is killed round by round.
const MOST: usize = 4096;
/// A bomb that forks faster than this ends with its limit of processes, not with ours.
const ROUNDS: usize = 8;

/// Kills the worker `pid` with its group and its descendants. It must not have been reaped yet: until then its number
/// and that of its group belong to nobody else.
pub(super) fn kill(pid: Pid, pidfd: &OwnedFd) {
    // Stopped first, so that it starts nothing while it is looked at.
    let _ = pidfd_send_signal(pidfd, Signal::STOP);
    for _ in 0..ROUNDS {
        let family = descendants(pid);
        if family.is_empty() {
            break;
        }
        for (_, handle) in &family {
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
        // Killed ones stay children, as zombies, until the worker is gone.
        if family.iter().all(|(member, _)| is_over(*member)) {
            break;
        }
    }
    let _ = kill_process_group(pid, Signal::KILL);
    let _ = pidfd_send_signal(pidfd, Signal::KILL);
}

/// All living descendants with a handle of each.
fn descendants(pid: Pid) -> Vec<(Pid, OwnedFd)> {
    let (mut seen, mut queue, mut found) = (BTreeSet::from([pid.as_raw_pid()]), vec![pid], Vec::new());
    while let Some(parent) = queue.pop() {
        for child in children(parent) {
            if seen.len() >= MOST || !seen.insert(child.as_raw_pid()) {
                continue;
            }
            queue.push(child);
            // Between the list and the handle it may have ended, and its number be another's.
            if !is_over(child)
                && let Ok(handle) = pidfd_open(child, PidfdFlags::empty())
                && self::parent(child) == Some(parent.as_raw_pid())
            {
                found.push((child, handle));
            }
        }
    }
    found
}

fn children(pid: Pid) -> Vec<Pid> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", pid.as_raw_pid())) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let numbers = lists
        .flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<i32>>());
    numbers.filter_map(Pid::from_raw).collect()
}

/// The parent's number; none when there is no such process.
fn parent(pid: Pid) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn is_over(pid: Pid) -> bool {
    if test_kill_process(pid).is_err() {
        return true;
    }
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    matches!(state, None | Some('Z' | 'X'))
}

/// Resident memory of a process, in bytes; none when it cannot be told.
pub(super) fn memory(pid: Pid) -> Option<u64> {
    let statm = fs::read_to_string(format!("/proc/{}/statm", pid.as_raw_pid())).ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}

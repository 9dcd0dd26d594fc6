//! Who descends from a process, so that a time limit reaches those who have left its group, too.
//!
//! Each is held by a descriptor, which never means a stranger. Whoever has left for good, because his parent has ended, is
//! no descendant any more: that is how a program says that it means to stay.

use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal, test_kill_process};
use std::collections::BTreeSet;
use std::fs;

/// More than any command has.
const MOST: usize = 4096;

/// Living processes.
#[derive(Debug, Default)]
pub struct Family(Vec<(Pid, OwnedFd)>);

impl Family {
    /// All that descend from `pid` now, without itself. Empty on a kernel that does not tell.
    #[must_use]
    pub fn of(pid: Pid) -> Self {
        Self(descendants(pid))
    }

    /// Sends a signal to each of them.
    pub fn signal(&self, signal: Signal) {
        for (_, handle) in &self.0 {
            // Failing means that it has ended, or that we may not.
            let _ = pidfd_send_signal(handle, signal);
        }
    }

    /// Whether all of them have ended; a zombie has.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.0.iter().all(|(pid, _)| is_over(*pid))
    }

    /// Whether there is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
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

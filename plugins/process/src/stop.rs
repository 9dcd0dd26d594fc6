//! Ends processes: a signal, a wait for the end, SIGKILL, a wait again.
//!
//! A signal goes through a pidfd, which names one process for ever. On a kernel without it (before 5.3) the start time is
//! compared immediately before; what is left of the race is shorter than a pid takes to come round.

use crate::proc::{self, Process};
use pm_plugin_api::command::signal_name;
use pm_plugin_api::{Error, ErrorKind, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal, test_kill_process,
};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long a process may take to disappear after SIGKILL.
const DYING: Duration = Duration::from_secs(2);
/// How often to look at a process that has no pidfd.
const LOOK: Duration = Duration::from_millis(10);

/// What it took to end processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stopped {
    /// How many there were.
    pub(crate) count: usize,
    /// Whether some ended only after SIGKILL.
    pub(crate) killed: bool,
    pub(crate) took: Duration,
}

/// Ends all of them: `signal` at once to all, SIGKILL to those that are still there after `patience`.
pub(crate) fn stop(processes: &[Process], signal: Signal, patience: Duration) -> Result<Stopped> {
    let began = Instant::now();
    // Nobody is ended when somebody cannot be: half a restart helps nobody.
    for process in processes {
        may_signal(process)?;
    }
    let mut left: Vec<Handle<'_>> = processes.iter().filter_map(Handle::open).collect();
    for handle in &left {
        handle.send(signal)?;
    }
    wait(&mut left, patience);
    let killed = !left.is_empty();
    for handle in &left {
        handle.send(Signal::KILL)?;
    }
    wait(&mut left, DYING);
    if let Some(stuck) = left.first() {
        return Err(Error::failed(format!(
            "process {} does not end after SIGKILL: it is stuck in the kernel (state {}), usually in I/O on a disk or a \
             file server that does not answer",
            stuck.process.shown(),
            Process::read(stuck.process.pid).map_or('?', |process| process.state)
        )));
    }
    Ok(Stopped { count: processes.len(), killed, took: began.elapsed() })
}

fn may_signal(process: &Process) -> Result<()> {
    match pid(process).map(test_kill_process) {
        Some(Err(Errno::PERM)) => Err(not_allowed(process)),
        _ => Ok(()),
    }
}

fn not_allowed(process: &Process) -> Error {
    let user = |pid| {
        let ids = proc::status(pid, "Uid").unwrap_or_default();
        ids.split_whitespace().next().unwrap_or("?").to_owned()
    };
    Error::new(
        ErrorKind::Permission,
        format!(
            "pm runs as user {} and may not signal process {} of user {}: give pm CAP_KILL, run it as root or as that \
             user, or use the strategy service",
            rustix::process::geteuid().as_raw(),
            process.shown(),
            user(process.pid)
        ),
    )
}

fn pid(process: &Process) -> Option<Pid> {
    i32::try_from(process.pid).ok().and_then(Pid::from_raw)
}

/// One process, and no later one with its pid.
struct Handle<'a> {
    process: &'a Process,
    pid: Pid,
    pidfd: Option<OwnedFd>,
}

impl<'a> Handle<'a> {
    /// None when it is gone already.
    fn open(process: &'a Process) -> Option<Self> {
        let pid = pid(process)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
        // Compared after opening: from here on the descriptor means this process.
        process.is_still_there().then_some(Self { process, pid, pidfd })
    }

    fn send(&self, signal: Signal) -> Result<()> {
        let sent = match &self.pidfd {
            Some(pidfd) => pidfd_send_signal(pidfd, signal),
            None if self.process.is_still_there() => kill_process(self.pid, signal),
            None => return Ok(()),
        };
        match sent {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(Errno::PERM) => Err(not_allowed(self.process)),
            Err(error) => {
                let name = signal_name(signal.as_raw()).unwrap_or("a signal");
                let attempted = format!("sending {name} to process {}", self.process.shown());
                Err(Error::from(std::io::Error::from(error)).context(attempted))
            }
        }
    }
}

/// Takes those out that end within `patience`.
fn wait(left: &mut Vec<Handle<'_>>, patience: Duration) {
    let deadline = Instant::now() + patience;
    loop {
        left.retain(|handle| handle.process.is_still_there());
        let time = deadline.saturating_duration_since(Instant::now());
        if left.is_empty() || time.is_zero() {
            return;
        }
        let all = left.iter().all(|handle| handle.pidfd.is_some());
        let mut fds: Vec<_> = left
            .iter()
            .filter_map(|handle| handle.pidfd.as_ref())
            .map(|fd| PollFd::new(fd, PollFlags::IN))
            .collect();
        let time = if all { time } else { time.min(LOOK) };
        let limit = Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        };
        // A process that has ended but is not yet a zombie for `/proc` would make this spin.
        if poll(&mut fds, Some(&limit)).is_err() || fds.iter().any(|fd| !fd.revents().is_empty()) {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Sample, soon, unique, write_script};

    fn look(sample: &Sample) -> Process {
        Process::read(sample.pid()).unwrap()
    }

    #[test]
    fn who_obeys_is_not_killed() {
        let samples = [Sample::called(&unique("a")), Sample::called(&unique("b"))];
        let processes: Vec<Process> = samples.iter().map(look).collect();
        let stopped = stop(&processes, Signal::TERM, Duration::from_secs(10)).unwrap();
        assert_eq!((stopped.count, stopped.killed), (2, false));
        assert!(stopped.took < Duration::from_secs(5), "{stopped:?}");
        assert!(processes.iter().all(|process| !process.is_still_there()));
    }

    #[test]
    fn who_ignores_the_signal_is_killed_when_the_time_is_over() {
        let sample = Sample::called(&unique("deaf"));
        let process = look(&sample);
        // A stopped process does not even end.
        kill_process(Pid::from_raw(process.pid.cast_signed()).unwrap(), Signal::STOP).unwrap();
        soon(|| look(&sample).state == 'T');
        let stopped = stop(std::slice::from_ref(&process), Signal::TERM, Duration::from_millis(100)).unwrap();
        assert!(stopped.killed && stopped.took >= Duration::from_millis(100), "{stopped:?}");
        assert!(!process.is_still_there());
    }

    #[test]
    fn a_later_process_with_the_same_pid_is_left_alone() {
        let sample = Sample::called(&unique("later"));
        let earlier = Process { start_ticks: look(&sample).start_ticks - 1, ..look(&sample) };
        let stopped = stop(&[earlier], Signal::KILL, Duration::from_secs(5)).unwrap();
        assert!(!stopped.killed && look(&sample).is_still_there());
    }

    #[test]
    fn without_a_pidfd_the_end_is_seen_as_well() {
        let sample = Sample::called(&unique("old"));
        let process = look(&sample);
        let mut left = vec![Handle { pidfd: None, ..Handle::open(&process).unwrap() }];
        left[0].send(Signal::TERM).unwrap();
        wait(&mut left, Duration::from_secs(10));
        assert!(left.is_empty());
        assert!(Handle::open(&process).is_none(), "it is gone");
    }

    #[test]
    fn a_missing_right_is_told_with_both_users() {
        if !rustix::process::geteuid().is_root() {
            let error = may_signal(&Process::read(1).unwrap()).unwrap_err();
            assert!(error.message.contains("of user 0"), "{}", error.message);
        }
        let error = not_allowed(&Process::read(1).unwrap());
        assert_eq!(error.kind, ErrorKind::Permission);
        let us = rustix::process::geteuid().as_raw();
        assert!(error.message.starts_with(&format!("pm runs as user {us} and may not signal process 1 (")));
        assert!(error.message.contains("of user 0: give pm CAP_KILL"), "{}", error.message);
    }

    #[test]
    fn a_zombie_needs_no_signal() {
        let mut sample = Sample::called(&unique("z"));
        let process = look(&sample);
        sample.kill_without_reaping();
        assert!(!stop(&[process], Signal::TERM, Duration::from_secs(5)).unwrap().killed);
    }

    #[test]
    fn a_process_that_ends_on_another_signal_gets_that_one() {
        let dir = tempfile::tempdir().unwrap();
        let (file, said) = (dir.path().join("hup"), dir.path().join("said"));
        let ready = dir.path().join("ready");
        let text = format!(
            "#!/bin/bash\ntrap 'echo hup >{}; exit' HUP\ntouch {}\nwhile :; do sleep 0.01; done\n",
            said.display(),
            ready.display()
        );
        write_script(&file, &text);
        let mut child = std::process::Command::new(&file).spawn().unwrap();
        soon(|| ready.exists());
        let process = Process::read(child.id()).unwrap();
        assert!(!stop(&[process], Signal::HUP, Duration::from_secs(10)).unwrap().killed);
        child.wait().unwrap();
        assert_eq!(std::fs::read_to_string(said).unwrap(), "hup\n");
    }
}

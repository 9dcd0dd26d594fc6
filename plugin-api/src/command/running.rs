//! A started command: waiting for it, reading along, and putting an end to it.
//!
//! The child is reaped last of all. As long as it is not, its number and that of its group belong to nobody else, so
//! that a signal can never reach a stranger.

use super::family::Family;
use super::kept::Kept;
use super::{End, Leftovers, Limits, lingering};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// How long to go on reading after the child's end, for the last words of a helper it started (`> >(tee log)`).
const LAST_WORDS: Duration = Duration::from_millis(20);
/// What a pipe holds by default: so much may still be the child's own when it is gone.
const PIPE_CAPACITY: usize = 64 * 1024;
/// How long a process may take to disappear after SIGKILL before a thread in the background reaps it.
const DYING: Duration = Duration::from_secs(1);
/// No limit is longer than this, so that deadlines can be computed.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// A command and what it has written so far.
pub(super) struct Running {
    child: Child,
    pid: Pid,
    /// Readable when the child is over; none on a kernel without it, which is then asked again and again.
    pidfd: Option<OwnedFd>,
    over: bool,
    /// None after the end of file.
    reader: Option<PipeReader>,
    kept: Kept,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Exit,
    /// The child is gone and so is everybody else who could write.
    ExitAndSilence,
}

#[derive(PartialEq, Eq)]
enum Waited {
    Done,
    Late,
}

enum Got {
    Bytes(usize),
    NothingNow,
    End,
}

impl Running {
    pub(super) fn new(child: Child, reader: PipeReader, limit: usize) -> Self {
        let pid = Pid::from_child(&child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
        Self { child, pid, pidfd, over: false, reader: Some(reader), kept: Kept::new(limit) }
    }

    /// Waits for the end within `limits`, counted from `began`; the output and how many bytes of it were dropped.
    pub(super) fn finish(mut self, began: Instant, limits: &Limits) -> io::Result<(End, String, u64)> {
        let end = match self.wait_until(began + limits.timeout.min(LONGEST), Awaited::Exit) {
            Waited::Done => {
                // Before the child is reaped: until then its number cannot belong to another group.
                if limits.leftovers == Leftovers::Kill && self.pidfd.is_some() {
                    self.signal(Signal::KILL);
                }
                end_of(self.child.wait()?)
            }
            Waited::Late => self.kill(limits)?,
        };
        self.last_words();
        if let Some(reader) = self.reader {
            lingering::discard(reader);
        }
        if !self.over {
            lingering::reap(self.child);
        }
        let (output, dropped) = self.kept.into_text();
        Ok((end, output, dropped))
    }

    /// Reads along until what is awaited has happened, or `deadline` has passed.
    fn wait_until(&mut self, deadline: Instant, awaited: Awaited) -> Waited {
        let mut pause = Duration::from_millis(1);
        loop {
            if self.is_over() && (awaited == Awaited::Exit || self.reader.is_none()) {
                return Waited::Done;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Waited::Late;
            }
            if self.pidfd.is_some() {
                self.wait_a_while(left);
            } else {
                self.wait_a_while(left.min(pause));
                pause = (pause * 2).min(Duration::from_millis(20));
            }
        }
    }

    /// Sleeps until something happens, at most so long, and takes one portion of output.
    fn wait_a_while(&mut self, at_most: Duration) {
        let mut fds = Vec::with_capacity(2);
        if let Some(reader) = &self.reader {
            fds.push(PollFd::new(reader, PollFlags::IN));
        }
        if let Some(pidfd) = self.pidfd.as_ref().filter(|_| !self.over) {
            fds.push(PollFd::new(pidfd, PollFlags::IN));
        }
        if poll(&mut fds, Some(&timespec(at_most))).is_err() {
            // Interrupted, or the kernel is out of memory: look again, but do not spin.
            std::thread::sleep(at_most.min(Duration::from_millis(1)));
        }
        let mut happened = fds.iter().map(|fd| !fd.revents().is_empty());
        let readable = self.reader.is_some() && happened.next() == Some(true);
        self.over |= happened.next() == Some(true);
        if readable {
            self.read();
        }
    }

    /// Whether the child has ended; it is not reaped by this.
    fn is_over(&mut self) -> bool {
        if !self.over && self.pidfd.is_none() {
            let peek = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
            self.over = !matches!(waitid(WaitId::Pid(self.pid), peek), Ok(None));
        }
        self.over
    }

    /// One portion, so that a flood never keeps us from looking at the clock.
    fn read(&mut self) -> Got {
        let mut buffer = [0; 16 * 1024];
        let Some(reader) = &mut self.reader else { return Got::End };
        match reader.read(&mut buffer) {
            Ok(count @ 1..) => {
                self.kept.push(&buffer[..count]);
                Got::Bytes(count)
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Got::NothingNow
            }
            Ok(_) | Err(_) => {
                self.reader = None;
                Got::End
            }
        }
    }

    /// SIGTERM to the group and its family, a grace, SIGKILL to what is left of them, and the child reaped.
    fn kill(&mut self, limits: &Limits) -> io::Result<End> {
        // Whoever has left the group is reached as long as his parent lives; looked up before that is over.
        let family = Family::of(self.pid);
        self.signal(Signal::TERM);
        family.signal(Signal::TERM);
        self.wait_until(Instant::now() + limits.kill_after.min(LONGEST), Awaited::ExitAndSilence);
        self.signal(Signal::KILL);
        family.signal(Signal::KILL);
        if self.wait_until(Instant::now() + DYING, Awaited::Exit) == Waited::Done {
            self.child.wait()?;
        } else {
            tracing::warn!(
                pid = self.child.id(),
                "a command that ran over its time outlives SIGKILL: pm may not signal it, or it is stuck in the kernel"
            );
        }
        Ok(End::TimedOut { after: limits.timeout })
    }

    fn signal(&self, signal: Signal) {
        // Failing means that nobody is left, or that we may not; the wait that follows tells which.
        let _ = kill_process_group(self.pid, signal);
    }

    /// What was written before the end, and a moment for what follows it.
    fn last_words(&mut self) {
        let deadline = Instant::now() + LAST_WORDS;
        let mut taken = 0;
        loop {
            let got = self.read();
            let left = deadline.saturating_duration_since(Instant::now());
            match got {
                Got::End => return,
                Got::Bytes(_) if left.is_zero() && taken >= PIPE_CAPACITY => return,
                Got::Bytes(count) => taken += count,
                Got::NothingNow if left.is_zero() => return,
                Got::NothingNow => {
                    let Some(reader) = &self.reader else { return };
                    // Failing means to look again, until the moment is over.
                    let _ = poll(&mut [PollFd::new(reader, PollFlags::IN)], Some(&timespec(left)));
                }
            }
        }
    }
}

pub(crate) fn end_of(status: ExitStatus) -> End {
    match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Signaled(signal.unwrap_or_default()),
    }
}

pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    /// As [`super::super::run`] does it on a kernel that has no pidfd.
    fn without_pidfd(line: &str, limits: &Limits) -> (End, String) {
        let (reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(line).stdin(Stdio::null()).stdout(writer).process_group(0);
        let child = command.spawn().unwrap();
        drop(command);
        let mut running = Running::new(child, reader, limits.output);
        running.pidfd = None;
        let (end, output, _) = running.finish(Instant::now(), limits).unwrap();
        (end, output)
    }

    #[test]
    fn an_old_kernel_changes_nothing_but_how_the_end_is_noticed() {
        let limits = Limits { timeout: Duration::from_millis(200), ..Limits::default() };
        let plenty = Limits::default();
        assert_eq!(without_pidfd("echo hi; exit 3", &plenty), (End::Exited(3), "hi\n".to_owned()));
        let (end, output) = without_pidfd("echo hi; exec sleep 60", &limits);
        assert_eq!((end, output.as_str()), (End::TimedOut { after: limits.timeout }, "hi\n"));
    }
}

//! A process that has been forked and waits for the word to execute a program.
//!
//! The pause is what allows to put it into a control group first. Between it and us stands a second process, its
//! parent: it tells how the program ended as long as we want to know, and leaves the program to init when we do not, or
//! when we die.
//!
//! This is our side of it; theirs is `forked`.

use super::forked::{self, Ends, Plan, Step};
use crate::command::{End, end_of, timespec};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// How long the steps up to the execution may take; a dead network file system can hold it for ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// A process that waits.
pub(super) struct Held {
    pid: u32,
    go: PipeWriter,
    status: PipeReader,
    parent: Parent,
}

/// The process between us and the program.
pub(super) struct Parent {
    pid: Pid,
    /// It writes the wait status of the program to it, and ends when we close ours.
    link: Option<UnixStream>,
}

impl Held {
    /// Forks twice: the parent of the process that waits ends before us, so that it never becomes our zombie.
    pub(super) fn fork(plan: &Plan) -> io::Result<Self> {
        let (mut status, status_writer) = io::pipe()?;
        let (go_reader, go) = io::pipe()?;
        let (link, its_link) = UnixStream::pair()?;
        let ends = Ends { status: status_writer.as_fd(), go: go_reader.as_fd(), link: its_link.as_fd() };
        let pid = forked::fork(plan, &ends)?;
        let parent = Parent { pid, link: Some(link) };
        drop((status_writer, go_reader, its_link));
        match read_report(&mut status)? {
            Some((kind, pid)) if kind == Step::Ready as u8 => {
                Ok(Self { pid: pid.unsigned_abs(), go, status, parent })
            }
            Some((kind, errno)) => Err(failure(kind, errno)),
            None => Err(io::Error::other("the new process was killed")),
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Lets it go on, and waits until it has executed its program.
    pub(super) fn release(mut self) -> io::Result<Parent> {
        self.go.write_all(&[1])?;
        if !readable(&self.status, PATIENCE) {
            // It is there, because it holds the other end of the pipe; it must not begin after all.
            let _ = Pid::from_raw(self.pid.cast_signed()).map(|pid| kill_process(pid, Signal::KILL));
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "it was not executed within 10 s; is its file system reachable?",
            ));
        }
        match read_report(&mut self.status)? {
            None => Ok(self.parent),
            Some((kind, errno)) => Err(failure(kind, errno)),
        }
    }
}

impl Parent {
    /// How the program ended, if it does so within `grace`. After that it is on its own.
    pub(super) fn ended_within(mut self, grace: Duration) -> Option<End> {
        let mut link = self.link.take()?;
        let mut status = [0; 4];
        if !readable(&link, grace) || link.read_exact(&mut status).is_err() {
            return None;
        }
        Some(end_of(ExitStatus::from_raw(i32::from_ne_bytes(status))))
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        self.link = None;
        // It sees that our end is closed, and leaves at once.
        while let Err(rustix::io::Errno::INTR) = waitpid(Some(self.pid), WaitOptions::empty()) {}
    }
}

/// Whether `fd` has something to read, or is closed on the other side, within `limit`.
fn readable(fd: &impl AsFd, limit: Duration) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::new(fd, PollFlags::IN)];
        match poll(&mut fds, Some(&timespec(left))) {
            Ok(_) => return !fds[0].revents().is_empty(),
            Err(_) if left.is_zero() => return false,
            Err(_) => {}
        }
    }
}

/// None at the end of file: the pipe was closed by the execution.
fn read_report(status: &mut PipeReader) -> io::Result<Option<(u8, i32)>> {
    let mut report = [0; 5];
    match status.read_exact(&mut report) {
        Ok(()) => {
            let [kind, a, b, c, d] = report;
            Ok(Some((kind, i32::from_ne_bytes([a, b, c, d]))))
        }
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(error),
    }
}

fn failure(kind: u8, errno: i32) -> io::Error {
    let error = io::Error::from_raw_os_error(errno);
    let step = match kind {
        _ if kind == Step::Fork as u8 => "making a process",
        _ if kind == Step::Descriptors as u8 => "arranging its descriptors",
        _ if kind == Step::User as u8 => "changing to its user, which only root may",
        _ if kind == Step::Directory as u8 => "entering its directory",
        _ => return error,
    };
    io::Error::new(error.kind(), format!("{step}: {error}"))
}

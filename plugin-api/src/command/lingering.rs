//! What a command leaves behind: pipes that its background programs still hold, children that do not die.
//!
//! `restart_command = /opt/app/run &` leaves a program whose output is our pipe. Closing the read end would kill it
//! with SIGPIPE at its next word, not reading would stop it when the pipe is full. So one thread of this library,
//! started on first need, reads and discards. It never holds up the caller, and slows a flood down to some MB/s
//! instead of burning a processor on it.
//!
//! A pipe that is still open after a moment belongs to a program that is meant to stay, and that has to outlive us: the
//! pipe goes to a `cat >/dev/null` of its own, which ends with the program.

use super::find_program;
use crate::detach::{Program, spawn_reading};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use std::ffi::OsStr;
use std::io::{self, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many pipes are read by the thread; with one more the oldest is passed on early.
const MOST_PIPES: usize = 64;
/// How long a pipe is read by the thread.
const MOMENT: Duration = Duration::from_secs(1);
/// How often to look at the clock and at children that would not die.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 250_000_000 };
/// How long to pause after a full portion.
const BREATH: Duration = Duration::from_millis(10);

static INBOX: Mutex<Option<Arc<Inbox>>> = Mutex::new(None);

enum Left {
    Pipe(PipeReader),
    Child(Child),
}

struct Inbox {
    left: Mutex<Vec<Left>>,
    /// Readable when something was put in.
    wake: OwnedFd,
}

/// Reads `pipe` to its end in the background.
pub(super) fn discard(pipe: PipeReader) {
    put(Left::Pipe(pipe));
}

/// Reaps `child` in the background, whenever it ends.
pub(super) fn reap(child: Child) {
    put(Left::Child(child));
}

fn put(left: Left) {
    match inbox() {
        Ok(inbox) => {
            inbox.left.lock().unwrap_or_else(PoisonError::into_inner).push(left);
            // The counter cannot overflow, and a wake-up that is already there is as good.
            let _ = rustix::io::write(&inbox.wake, &1_u64.to_ne_bytes());
        }
        Err(error) => tracing::warn!(
            "cannot start the thread that reads what background programs write, they may get SIGPIPE: {error}"
        ),
    }
}

fn inbox() -> io::Result<Arc<Inbox>> {
    let mut place = INBOX.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(inbox) = &*place {
        return Ok(Arc::clone(inbox));
    }
    let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let inbox = Arc::new(Inbox { left: Mutex::new(Vec::new()), wake });
    let its_own = Arc::clone(&inbox);
    std::thread::Builder::new().name("pm-discard".to_owned()).spawn(move || attend(&its_own))?;
    *place = Some(Arc::clone(&inbox));
    Ok(inbox)
}

/// The thread; it ends with the process.
fn attend(inbox: &Inbox) {
    let mut pipes: Vec<(PipeReader, Instant)> = Vec::new();
    let mut children: Vec<Child> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        for left in std::mem::take(&mut *inbox.left.lock().unwrap_or_else(PoisonError::into_inner)) {
            match left {
                Left::Pipe(pipe) => pipes.push((pipe, Instant::now())),
                Left::Child(child) => children.push(child),
            }
        }
        let readable = wait(inbox, &pipes, !(pipes.is_empty() && children.is_empty()));
        let mut full = false;
        let mut each = readable.into_iter();
        pipes.retain_mut(|(pipe, _)| {
            if each.next() != Some(true) {
                return true;
            }
            let got = pipe.read(&mut buffer);
            full |= matches!(got, Ok(count) if count == buffer.len());
            match got {
                Ok(count) => count > 0,
                Err(error) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted),
            }
        });
        children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        // The oldest comes first.
        while pipes.len() > MOST_PIPES || pipes.first().is_some_and(|(_, since)| since.elapsed() > MOMENT) {
            pass_on(pipes.remove(0).0);
        }
        if full {
            std::thread::sleep(BREATH);
        }
    }
}

/// Sleeps until something is to be done; tells which pipes are readable or closed.
fn wait(inbox: &Inbox, pipes: &[(PipeReader, Instant)], look: bool) -> Vec<bool> {
    let mut fds: Vec<_> = pipes.iter().map(|(pipe, _)| PollFd::new(pipe, PollFlags::IN)).collect();
    fds.push(PollFd::new(&inbox.wake, PollFlags::IN));
    if poll(&mut fds, look.then_some(&LOOK)).is_err() {
        // Interrupted, or no memory: come again, but do not spin.
        std::thread::sleep(BREATH);
        return Vec::new();
    }
    // It is non-blocking, and reading it makes it unreadable again.
    let _ = rustix::io::read(&inbox.wake, &mut [0_u8; 8]);
    fds.iter().map(|fd| !fd.revents().is_empty()).take(pipes.len()).collect()
}

fn pass_on(pipe: PipeReader) {
    let started = rustix::io::ioctl_fionbio(&pipe, false).map_err(io::Error::from).and_then(|()| {
        let cat = find_program("cat", OsStr::new("/bin:/usr/bin")).ok_or(io::ErrorKind::NotFound)?;
        spawn_reading(&Program { arguments: vec!["cat".into()], ..Program::new(cat) }, pipe.into())
    });
    if let Err(error) = started {
        tracing::warn!(
            "a program that a command left behind gets SIGPIPE when it writes, because nobody can read it: {error}; end \
             such commands with >/dev/null 2>&1 & or >>FILE 2>&1 &"
        );
    }
}

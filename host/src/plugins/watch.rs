//! Watches the plugin directory, so that a new file is seen when it comes and nothing is done while none does.
//!
//! The thread sleeps in the kernel until something changes, and then until nothing has changed for half a second: who
//! copies a library, or several, has finished by then. It only rings; looking is somebody else's. Where a directory
//! cannot be watched, whoever looks now and then still finds what is new, only later.

use crate::clock::Stopwatch;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// So long nothing may change before it is looked at.
const QUIET: Timespec = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
/// A directory that never comes to rest is looked at all the same, after so long.
const MOST: Duration = Duration::from_secs(10);

/// Calls `ring` on a thread of its own, each time the contents of `directory` have changed.
///
/// # Errors
/// When it cannot be watched: it does not exist, or the system has no more watches to give.
pub fn watch(directory: &Path, ring: impl Fn() + Send + 'static) -> io::Result<()> {
    let watched = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
    let changes = WatchFlags::CLOSE_WRITE
        | WatchFlags::MOVED_TO
        | WatchFlags::MOVED_FROM
        | WatchFlags::DELETE
        | WatchFlags::ATTRIB
        | WatchFlags::ONLYDIR;
    inotify::add_watch(&watched, directory, changes)?;
    std::thread::Builder::new().name("pm-watch".to_owned()).spawn(move || {
        while changed(&watched, None) {
            let since = Stopwatch::start();
            while since.elapsed() < MOST && changed(&watched, Some(&QUIET)) {}
            ring();
        }
    })?;
    Ok(())
}

/// Waits for a change and takes in all that there are; false when the time is over, or nothing can change any more.
fn changed(watched: &OwnedFd, timeout: Option<&Timespec>) -> bool {
    loop {
        match poll(&mut [PollFd::new(watched, PollFlags::IN)], timeout) {
            Ok(0) => return false,
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
    let mut buffer = [0; 4096];
    loop {
        match rustix::io::read(watched, &mut buffer[..]) {
            Ok(1..) | Err(Errno::INTR) => {}
            // Emptied.
            Err(Errno::AGAIN) => return true,
            Ok(_) | Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn a_change_rings_once_when_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let (ring, rung) = channel();
        watch(folder.path(), move || ring.send(()).unwrap()).unwrap();
        for part in 0..50 {
            std::fs::write(folder.path().join(format!("{part}.so")), "x").unwrap();
        }
        rung.recv_timeout(LONG).unwrap();
        assert!(rung.recv_timeout(Duration::from_millis(700)).is_err(), "fifty files are one change");
        std::fs::rename(folder.path().join("1.so"), folder.path().join("renamed.so")).unwrap();
        rung.recv_timeout(LONG).unwrap();
        std::fs::remove_file(folder.path().join("renamed.so")).unwrap();
        rung.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn what_does_not_exist_cannot_be_watched() {
        assert!(watch(Path::new("/nonexistent/plugins"), || {}).is_err());
    }
}

//! Writes to a console without ever waiting long for it.
//!
//! Whether there is room is asked before each piece that a pipe takes whole. Who does not read for a tenth of a
//! second loses lines, is told how many when it reads again, and is not waited for until then.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::{Errno, write};
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::os::unix::fs::OpenOptionsExt;

/// What a pipe takes without waiting once it reports room (`PIPE_BUF`).
const PIECE: usize = 4096;
/// How long a reader may take; short, because the daemon's loop prints too.
const PATIENCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
/// The width of a terminal that does not tell.
const USUAL_COLUMNS: usize = 80;

/// The terminal of standard output, opened a second time. A terminal that has room for less than a line makes a write
/// wait, and the way to forbid that, on the descriptor that is shared with the shell, would change the shell's.
pub(super) fn own_terminal() -> Option<File> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let open = || OpenOptions::new().write(true).custom_flags(flags).open("/proc/self/fd/1").ok();
    if io::stdout().is_terminal() { open() } else { None }
}

/// An output.
pub(super) struct Outlet {
    output: Box<dyn AsFd + Send>,
    /// Texts that were not shown since the last one that was.
    lost: u64,
    /// The last text ended in its middle.
    torn: bool,
}

impl Outlet {
    pub(super) fn new(output: Box<dyn AsFd + Send>) -> Self {
        Self { output, lost: 0, torn: false }
    }

    /// How wide the terminal is now.
    pub(super) fn columns(&self) -> usize {
        let size = rustix::termios::tcgetwinsize(&self.output).map(|size| usize::from(size.ws_col));
        size.ok().filter(|columns| *columns > 0).unwrap_or(USUAL_COLUMNS)
    }

    /// Writes a text, or counts it as lost.
    pub(super) fn put(&mut self, text: &[u8]) -> io::Result<()> {
        let written = self.catch_up().and_then(|()| self.pieces(text));
        if written.is_err() {
            self.lost += 1;
        }
        Ok(written?)
    }

    fn catch_up(&mut self) -> Result<(), Errno> {
        if self.torn {
            self.pieces(b"\n")?;
        }
        if self.lost > 0 {
            let note = format!("[{} lines were not shown: nobody read them in time]\n", self.lost);
            self.pieces(note.as_bytes())?;
            self.lost = 0;
        }
        Ok(())
    }

    fn pieces(&mut self, text: &[u8]) -> Result<(), Errno> {
        let mut rest = text;
        while !rest.is_empty() {
            let piece = &rest[..rest.len().min(PIECE)];
            match self.room().and_then(|()| write(&self.output, piece)) {
                Ok(written) => {
                    rest = &rest[written..];
                    self.torn = !rest.is_empty();
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn room(&self) -> Result<(), Errno> {
        let patience = if self.lost == 0 { PATIENCE } else { AT_ONCE };
        let ready = poll(&mut [PollFd::new(&self.output, PollFlags::OUT)], Some(&patience))?;
        if ready == 0 { Err(Errno::AGAIN) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::sync::mpsc;

    #[test]
    fn a_reader_that_stopped_costs_lines_and_no_time() {
        let (mut reader, writer) = io::pipe().unwrap();
        let (done, finished) = mpsc::channel();
        let printing = std::thread::spawn(move || {
            let mut outlet = Outlet::new(Box::new(writer));
            let long = format!("{}\n", "x".repeat(9_999));
            let shown = (0..2_000).filter(|_| outlet.put(long.as_bytes()).is_ok()).count();
            done.send(shown).unwrap();
            (outlet, shown)
        });
        // A write that waits for the reader would never come to this.
        finished.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
        let (mut outlet, shown) = printing.join().unwrap();
        assert!((1..2_000).contains(&shown), "{shown}");
        let mut bytes = vec![0; 1 << 20];
        let length = reader.read(&mut bytes).unwrap();
        assert!(bytes[..length].starts_with(b"xxx"));
        outlet.put(b"back\n").unwrap();
        drop(outlet);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        let note = format!("[{} lines were not shown: nobody read them in time]\nback\n", 2_000 - shown);
        assert_eq!(text.trim_start_matches('\n'), note);
    }

    #[test]
    fn a_reader_that_left_is_an_error_and_nothing_worse() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let mut outlet = Outlet::new(Box::new(writer));
        assert_eq!(outlet.put(b"x\n").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(outlet.columns(), USUAL_COLUMNS);
    }
}

//! Standard output: whole lines for everybody, and for a person at a terminal one live line below them.
//!
//! The live line (countdown to the next poll, running restarts) is never logged and never garbles a log line: it is
//! taken away before each and put back after it. Without a terminal there is none. A console that nobody reads (a
//! stopped terminal, a full pipe) costs its own lines and a tenth of a second once, and never stops the daemon.

mod outlet;
mod progress;

use crate::policy::model::printable;
use crate::policy::time::Now;
use crate::ports::{Alive, Presence};
use outlet::Outlet;
use progress::Progress;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Back to the first column, and nothing right of it.
const WIPE: &str = "\r\x1b[K";
/// A countdown shows every second.
const BEAT: Duration = Duration::from_secs(1);
/// When there is nobody to show it to.
const IDLE: Duration = Duration::from_secs(3600);

/// Standard output, shared by all who print. Clones are the same console.
#[derive(Clone)]
pub struct Console(Arc<Mutex<Screen>>);

struct Screen {
    outlet: Outlet,
    kind: Kind,
    /// What the live line shows; empty when there is none.
    status: String,
}

/// Whether a live line can be drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Terminal,
    Other,
}

impl Console {
    /// The standard output of this process.
    #[must_use]
    pub fn stdout() -> Self {
        let term = std::env::var_os("TERM").unwrap_or_default();
        let draws = io::stdout().is_terminal() && !term.is_empty() && term != "dumb";
        let kind = if draws { Kind::Terminal } else { Kind::Other };
        match outlet::own_terminal() {
            Some(terminal) => Self::new(Box::new(terminal), kind),
            None => Self::new(Box::new(rustix::stdio::stdout()), kind),
        }
    }

    fn new(output: Box<dyn AsFd + Send>, kind: Kind) -> Self {
        let screen = Screen { outlet: Outlet::new(output), kind, status: String::new() };
        Self(Arc::new(Mutex::new(screen)))
    }

    /// Takes whole lines: each write begins and ends a line.
    #[must_use]
    pub fn lines(&self) -> Lines {
        Lines(self.clone())
    }

    /// The live line; it vanishes when this is dropped.
    #[must_use]
    pub fn status(&self) -> Status {
        Status { console: self.clone(), progress: Progress::default() }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Screen) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Screen {
    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        if self.status.is_empty() {
            return self.outlet.put(line);
        }
        let status = fit(&self.status, self.outlet.columns());
        self.outlet.put(&[WIPE.as_bytes(), line, status.as_bytes()].concat())
    }

    fn show(&mut self, status: &str) {
        if self.kind == Kind::Terminal && status != self.status {
            status.clone_into(&mut self.status);
            let frame = format!("{WIPE}{}", fit(status, self.outlet.columns()));
            // A frame that is not shown is followed by the next one.
            let _ = self.outlet.put(frame.as_bytes());
        }
    }
}

/// `text` within one row: a longer one would leave its beginning behind when it is wiped.
fn fit(text: &str, columns: usize) -> String {
    // What comes late in Unicode may be two columns wide; better too short than wrapped.
    let width = |c: char| if c < '\u{1100}' { 1 } else { 2 };
    let room = columns.saturating_sub(1);
    if text.chars().map(width).sum::<usize>() <= room {
        return text.to_owned();
    }
    let mut left = room.saturating_sub(1);
    let cut = text.chars().take_while(|c| {
        let fits = width(*c) <= left;
        left = left.saturating_sub(width(*c));
        fits
    });
    cut.chain((room > 0).then_some('…')).collect()
}

/// The lines of a console, for whoever prints.
pub struct Lines(Console);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.with(|screen| screen.line(line)).map(|()| line.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The live line of a terminal; does nothing anywhere else.
pub struct Status {
    console: Console,
    progress: Progress,
}

impl Status {
    /// Shows `text` until it is set anew.
    pub fn set(&self, text: &str) {
        self.console.with(|screen| screen.show(&printable(text)));
    }
    /// Takes the line away.
    pub fn clear(&self) {
        self.set("");
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Presence for Status {
    fn alive(&mut self, now: Now, state: &Alive) {
        if self.console.with(|screen| screen.kind) == Kind::Terminal {
            let text = self.progress.line(now, state);
            self.set(&text);
        }
    }
    fn ready(&mut self) {}
    fn reloading(&mut self) {}
    fn stopping(&mut self) {
        self.progress.stopping();
    }
    fn beat(&self) -> Duration {
        if self.console.with(|screen| screen.kind) == Kind::Terminal { BEAT } else { IDLE }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::time::Wall;
    use std::io::Read;

    fn console(kind: Kind) -> (Console, io::PipeReader) {
        let (reader, writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        (Console::new(Box::new(writer), kind), reader)
    }

    fn shown(reader: &mut io::PipeReader) -> String {
        let mut bytes = vec![0; 1 << 20];
        let length = reader.read(&mut bytes).unwrap_or(0);
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }

    #[test]
    fn a_log_line_goes_above_the_live_line() {
        let (console, mut reader) = console(Kind::Terminal);
        let mut lines = console.lines();
        lines.write_all(b"before\n").unwrap();
        let status = console.status();
        status.set("Next in 3");
        status.set("Next in 3");
        lines.write_all(b"log\n").unwrap();
        status.set("Next in 2");
        status.clear();
        lines.write_all(b"after\n").unwrap();
        let expected = "before\n\r\x1b[KNext in 3\r\x1b[Klog\nNext in 3\r\x1b[KNext in 2\r\x1b[Kafter\n";
        assert_eq!(shown(&mut reader), expected);
        status.set("leftover \x1b[31m\n");
        drop(status);
        assert_eq!(shown(&mut reader), "\r\x1b[Kleftover \\u{1b}[31m\\u{a}\r\x1b[K");
    }

    #[test]
    fn without_a_terminal_there_are_lines_only() {
        let (console, mut reader) = console(Kind::Other);
        let mut status = console.status();
        status.set("Next in 3");
        let next_poll = Some(Wall(3_000));
        status.alive(Now::default(), &Alive { alarms: 0, running: Vec::new(), database: Ok(()), next_poll });
        console.lines().write_all(b"log\n").unwrap();
        assert_eq!(status.beat(), IDLE);
        drop(status);
        assert_eq!(shown(&mut reader), "log\n");
    }

    #[test]
    fn the_loop_counts_down() {
        let (console, mut reader) = console(Kind::Terminal);
        let mut status = console.status();
        assert_eq!(status.beat(), BEAT);
        let next_poll = Some(Wall(3_000));
        status.alive(Now::default(), &Alive { alarms: 0, running: Vec::new(), database: Ok(()), next_poll });
        assert_eq!(shown(&mut reader), "\r\x1b[KNext database check in 3 seconds");
    }

    #[test]
    fn the_live_line_never_wraps() {
        assert_eq!(fit("12345", 6), "12345");
        assert_eq!(fit("123456", 6), "1234…");
        assert_eq!(fit("ab日本語", 7), "ab日…");
        assert_eq!(fit("日本", 3), "…");
        assert_eq!(fit("x", 1), "");
        assert_eq!(fit("x", 0), "");
        assert_eq!(fit("", 80), "");
    }
}

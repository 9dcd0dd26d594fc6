//! The thread beside each worker: takes in what it says, looks after it, and sees it off.
//!
//! It lives as long as its worker, so nothing of it is left when there is nothing to do. Every few seconds it looks at
//! the worker's memory, asks a silent one whether it is there, and sends home one that has nothing to do. At the end it
//! reaps the process: that may take for ever when it hangs in the kernel, and must never keep a caller waiting.

use super::ear::Listener;
use super::family;
use super::link::{Death, Link, Phase, locked, timespec};
use crate::clock::Stopwatch;
use crate::plugins::refusal::Maker;
use crate::plugins::rules::Rule;
use crate::plugins::wire::{LARGEST, Loaded, Message, encode};
use crate::policy::model::printable;
use pm_plugin_api::command::signal_name;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::io::{PipeReader, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

/// How long callers may listen by themselves after the last call, before the reader does again.
const REST: Duration = Duration::from_millis(50);
/// How long a caller may take to hear the last words of a worker that has ended.
const LAST_CALLER: Duration = Duration::from_millis(200);
/// How often a worker is looked after.
const LOOK: Duration = Duration::from_secs(5);
/// How long it may take to load its library.
pub(super) const HELLO: Duration = Duration::from_secs(5);
/// A worker that was silent for so long is asked whether it is there, and has until the next look to answer.
const SILENCE: Duration = Duration::from_secs(10);
/// How long its own status is waited for, so that "signal 11" is said and not "signal 9".
const OWN_END: Duration = Duration::from_millis(20);
/// How much of its error output is kept.
const LAST_WORDS: usize = 2048;

/// What a worker's reader needs to know besides its link.
pub(super) struct Watch {
    pub(super) maker: Maker,
    pub(super) rule: Rule,
    /// Called once, at its end, when it was not meant to end.
    pub(super) lost: Box<dyn FnOnce(&Death) + Send>,
}

/// The life of a reader.
pub(super) fn read(link: &Arc<Link>, mut child: Child, stderr: PipeReader, watch: Watch) {
    let mut reader = Reader {
        link,
        watch: &watch,
        stderr: Some(stderr),
        words: Vec::new(),
        quiet: 0,
        born: Stopwatch::start(),
    };
    let why = reader.serve();
    let meant = link.phase() == Phase::Draining && why.is_none();
    let status = own_end(link, &mut child);
    reader.listen();
    let how = why.unwrap_or_else(|| How::Ended(ended(status)));
    let death = match how {
        How::Refused(loaded) => match loaded.reason(&watch.maker) {
            Some(reason) => Death::Refused(reason),
            None => Death::Ended { how: "ended".to_owned(), last_words: String::new() },
        },
        How::Ended(how) => Death::Ended { how, last_words: last_words(&reader.words) },
    };
    let lost = link.died(&death);
    if !meant || lost > 0 {
        (watch.lost)(&death);
    }
    family::kill(link.pid, &link.pidfd);
    // Here and nowhere else: a process that hangs in the kernel does not die, and waiting for it would hang a caller.
    let _ = child.wait();
}

#[derive(Debug)]
pub(super) enum How {
    Refused(Loaded),
    Ended(String),
}

/// What woke a reader.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent, and each is one descriptor")]
struct Happened {
    end: bool,
    socket: bool,
    stderr: bool,
    nothing: bool,
}

struct Reader<'a> {
    link: &'a Arc<Link>,
    watch: &'a Watch,
    stderr: Option<PipeReader>,
    /// The end of what it said to its error output.
    words: Vec<u8>,
    /// Looks since it last had anything to do.
    quiet: u32,
    born: Stopwatch,
}

impl Reader<'_> {
    /// Until it ends; why it had to, when it was put to an end.
    fn serve(&mut self) -> Option<How> {
        let mut buffer = vec![0; LARGEST];
        let (mut since, mut ended) = (Stopwatch::start(), false);
        loop {
            let pause = self.every().saturating_sub(since.elapsed());
            if pause.is_zero() {
                if let Some(how) = self.look() {
                    return Some(how);
                }
                since = Stopwatch::start();
                continue;
            }
            let listener = self.link.listener();
            let pause = match listener {
                _ if ended => LAST_CALLER,
                Listener::Nobody { .. } => pause.min(REST),
                Listener::Reader | Listener::Caller => pause,
            };
            let Some(happened) = self.wait(listener, ended, pause) else { continue };
            if let Some(how) = self.link.trouble() {
                return Some(how);
            }
            if happened.stderr {
                self.listen_once();
            }
            if happened.socket {
                match recv(&self.link.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
                    Ok((0, _)) => return None,
                    Ok((length, _)) => {
                        if let Some(how) = self.link.take(&buffer[..length]) {
                            return Some(how);
                        }
                        self.link.let_go();
                        continue;
                    }
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(_) => return None,
                }
            }
            // A caller who still listens hears what was said before, and then lets go.
            if happened.end && listener != Listener::Caller
                || ended && (happened.nothing || listener == Listener::Reader)
            {
                return None;
            }
            ended |= happened.end;
            if happened.nothing {
                self.link.rest();
            }
        }
    }

    /// How often it is looked after. Never less often than a worker may be idle.
    fn every(&self) -> Duration {
        LOOK.min(self.watch.rule.idle_time.max(Duration::from_secs(1)))
    }

    /// Sleeps until something happens; none when that was interrupted.
    fn wait(&self, listener: Listener, ended: bool, pause: Duration) -> Option<Happened> {
        let watch = |fd| PollFd::from_borrowed_fd(fd, PollFlags::IN);
        let nothing = || self.link.ear.bell.as_fd();
        // The bell stands in for what need not be watched: the indices stay the same.
        let mut fds = [
            watch(self.link.ear.bell.as_fd()),
            watch(if ended { nothing() } else { self.link.pidfd.as_fd() }),
            watch(if listener == Listener::Reader { self.link.socket.as_fd() } else { nothing() }),
            watch(self.stderr.as_ref().map_or_else(nothing, |pipe| pipe.as_fd())),
        ];
        poll(&mut fds, Some(&timespec(pause))).ok()?;
        let ready = |index: usize| !fds[index].revents().is_empty();
        if ready(0) {
            self.link.ear.answered();
        }
        Some(Happened {
            end: !ended && ready(1),
            socket: listener == Listener::Reader && ready(2),
            stderr: self.stderr.is_some() && ready(3),
            nothing: !(0..fds.len()).any(ready),
        })
    }

    /// Looks after the worker; why it has to end, if it has to.
    fn look(&mut self) -> Option<How> {
        if self.link.phase() == Phase::Starting && self.born.elapsed() >= HELLO {
            return Some(How::Ended(format!("said nothing within {} s", HELLO.as_secs())));
        }
        if locked(&self.link.state).asked {
            return Some(How::Ended("did not answer when it was asked whether it is there".to_owned()));
        }
        let Rule { memory_max, idle_time, .. } = self.watch.rule;
        if let Some(memory) = family::memory(self.link.pid).filter(|memory| *memory > memory_max) {
            tracing::warn!(
                "worker of plugin \"{}\" uses {} MB (limit {} MB); it is replaced",
                self.watch.maker.name,
                memory >> 20,
                memory_max >> 20
            );
            self.link.retire();
        }
        self.quiet = if self.link.stirred() { 0 } else { self.quiet + 1 };
        if self.quiet > 0 && self.every() * self.quiet >= idle_time && self.link.retire_if_idle() {
            tracing::debug!(target: "plugin", plugin = %self.watch.maker.name, "its worker had nothing to do and was ended");
        } else if self.quiet > 0 && (self.every() * self.quiet).as_secs().is_multiple_of(SILENCE.as_secs()) {
            locked(&self.link.state).asked = true;
            if let Some(ping) = encode(0, &Message::Ping) {
                let _ = self.link.send(&ping, || Duration::ZERO);
            }
        }
        None
    }

    /// One portion of its error output, so that a flood never keeps us from anything else.
    fn listen_once(&mut self) {
        let mut portion = [0; 4096];
        let Some(pipe) = &mut self.stderr else { return };
        match pipe.read(&mut portion) {
            Ok(0) | Err(_) => self.stderr = None,
            Ok(length) => {
                self.words.extend_from_slice(&portion[..length]);
                let beyond = self.words.len().saturating_sub(LAST_WORDS);
                self.words.drain(..beyond);
            }
        }
    }

    /// What is left in the pipe, without waiting for more: somebody else may hold its other end.
    fn listen(&mut self) {
        for _ in 0..64 {
            let Some(pipe) = &self.stderr else { return };
            let mut fds = [PollFd::new(pipe, PollFlags::IN)];
            if !matches!(poll(&mut fds, Some(&timespec(Duration::ZERO))), Ok(1)) {
                return;
            }
            self.listen_once();
        }
    }
}

fn own_end(link: &Link, child: &mut Child) -> Option<ExitStatus> {
    let _ = poll(&mut [PollFd::new(&link.pidfd, PollFlags::IN)], Some(&timespec(OWN_END)));
    child.try_wait().ok().flatten()
}

fn ended(status: Option<ExitStatus>) -> String {
    let Some(status) = status else { return "closed its connection".to_owned() };
    match (status.signal(), status.code()) {
        (Some(signal), _) => match signal_name(signal) {
            Some(name) => format!("died (signal {signal}, {name})"),
            None => format!("died (signal {signal})"),
        },
        (None, Some(code)) => format!("ended by itself with status {code}"),
        (None, None) => "ended".to_owned(),
    }
}

/// The last lines of its error output, on one line.
fn last_words(words: &[u8]) -> String {
    let text = String::from_utf8_lossy(words);
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(3)..];
    printable(&last.join(" | ")).to_string()
}

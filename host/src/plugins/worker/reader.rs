//! The thread beside each worker: takes in what it says, looks after it, and sees it off.
//!
//! It lives as long as its worker, so nothing of it is left when there is nothing to do. Every few seconds it looks at
//! the worker's memory, asks a silent one whether it is there, and sends home one that has nothing to do. At the end it
//! reaps the process: that may take for ever when it hangs in the kernel, and must never keep a caller waiting.

use super::family;
use super::link::{Death, Link, Phase, timespec};
use crate::clock::Stopwatch;
use crate::plugins::log;
use crate::plugins::refusal::Maker;
use crate::plugins::rules::Rule;
use crate::plugins::wire::{self, LARGEST, Loaded, Message, encode};
use crate::policy::model::printable;
use pm_plugin_api::command::signal_name;
use pm_plugin_api::{Error, ErrorKind};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use std::io::{PipeReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::time::Duration;

/// How often a worker is looked after.
const LOOK: Duration = Duration::from_secs(5);
/// How long it may take to load its library.
pub(super) const HELLO: Duration = Duration::from_secs(5);
/// A silent worker is asked after so many looks whether it is there, and has until the next to answer.
const SILENT_LOOKS: u32 = 2;
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
    let mut reader =
        Reader { link, watch: &watch, stderr: Some(stderr), words: Vec::new(), quiet: 0, asked: false };
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

enum How {
    Refused(Loaded),
    Ended(String),
}

struct Reader<'a> {
    link: &'a Arc<Link>,
    watch: &'a Watch,
    stderr: Option<PipeReader>,
    /// The end of what it said to its error output.
    words: Vec<u8>,
    /// Looks since it last had anything to do.
    quiet: u32,
    /// It was asked whether it is there.
    asked: bool,
}

impl Reader<'_> {
    /// Until it ends; why it had to, when it was put to an end.
    fn serve(&mut self) -> Option<How> {
        let mut buffer = vec![0; LARGEST];
        let mut since = Stopwatch::start();
        loop {
            let pause = LOOK.saturating_sub(since.elapsed());
            if pause.is_zero() {
                if let Some(how) = self.look() {
                    return Some(how);
                }
                since = Stopwatch::start();
                continue;
            }
            let mut fds = vec![
                PollFd::new(&self.link.socket, PollFlags::IN),
                PollFd::new(&self.link.pidfd, PollFlags::IN),
            ];
            fds.extend(self.stderr.as_ref().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
            if poll(&mut fds, Some(&timespec(pause))).is_err() {
                continue;
            }
            let happened: Vec<_> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if happened.get(2) == Some(&true) {
                self.listen_once();
            }
            if happened[0] {
                match recv(&self.link.socket, &mut buffer[..], RecvFlags::DONTWAIT) {
                    Ok((0, _)) => return None,
                    Ok((length, _)) => {
                        if let Some(how) = self.take(&buffer[..length]) {
                            return Some(how);
                        }
                        continue;
                    }
                    Err(Errno::AGAIN | Errno::INTR) => {}
                    Err(_) => return None,
                }
            }
            if happened[1] {
                return None;
            }
        }
    }

    fn take(&mut self, packet: &[u8]) -> Option<How> {
        let (number, message) = match wire::decode(packet) {
            Ok(message) => message,
            Err(error) => return Some(How::Ended(format!("wrote something that is no answer ({error})"))),
        };
        self.asked = false;
        match message {
            Message::Hello(Loaded::Ready) => self.link.greeted(),
            Message::Hello(refused) => return Some(How::Refused(refused)),
            Message::Answer(body) => self.answer(number, Ok(body.to_vec())),
            Message::Failed(body) => self.answer(number, Err(read_error(body))),
            Message::Said { level, module, text } => {
                let waiting = self.link.waiting(number);
                let (span, heard) = waiting.map_or((None, None), |w| (Some(w.span.clone()), w.heard.clone()));
                let say = || log::repeat(&self.watch.maker.name, heard.as_ref(), level, module, text);
                span.map_or_else(say, |span| span.in_scope(say));
            }
            Message::Pong => {}
            Message::Call(..) | Message::Ping => {
                return Some(How::Ended("wrote something that is no answer (a request)".to_owned()));
            }
        }
        None
    }

    fn answer(&self, number: u64, answer: Result<Vec<u8>, Error>) {
        if !self.link.answered(number, answer) {
            tracing::debug!(target: "plugin", plugin = %self.watch.maker.name, number, "an answer that nobody waits for");
        }
    }

    /// Looks after the worker; why it has to end, if it has to.
    fn look(&mut self) -> Option<How> {
        if self.link.phase() == Phase::Starting {
            return Some(How::Ended(format!("said nothing within {} s", HELLO.as_secs())));
        }
        if self.asked {
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
        if self.quiet > 0 && LOOK * self.quiet >= idle_time && self.link.retire_if_idle() {
            tracing::debug!(target: "plugin", plugin = %self.watch.maker.name, "its worker had nothing to do and was ended");
        } else if self.quiet > 0 && self.quiet.is_multiple_of(SILENT_LOOKS) {
            self.asked = true;
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

fn read_error(body: &[u8]) -> Error {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        Error::new(ErrorKind::Failed, "failed with an error that this pm cannot read; rebuild the plugin")
    })
}

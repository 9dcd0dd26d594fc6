//! Who listens to a worker: one at a time, and no more threads than there have to be.
//!
//! While nothing happens the worker's reader does. When calls follow each other closely each caller listens for his own
//! answer, takes in whatever else comes, and lets go: that is one change of threads less than through the reader, which
//! has soon heard nothing for a while and listens again. Nobody sleeps over a message: whoever lets go while others wait
//! wakes the reader.

use super::flood::Flood;
use super::link::{Link, Phase, State, Waiting, locked, timespec};
use super::reader::How;
use crate::clock::Stopwatch;
use crate::plugins::log;
use crate::plugins::wire::{self, LARGEST, Loaded, Message};
use pm_plugin_api::{Error, ErrorKind};
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, recv};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::time::Duration;

/// How long a caller sleeps in the kernel before he looks at the clock.
const NAP: Duration = Duration::from_millis(100);

/// Who listens at the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listener {
    /// The reader of the worker.
    Reader,
    /// Nobody at the moment; the next caller will. The reader has not rested yet, or has once.
    Nobody { rested: bool },
    /// A caller.
    Caller,
}

/// What a caller does until his answer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Listens,
    Waits,
}

/// What listening takes.
#[derive(Debug)]
pub(super) struct Ear {
    /// Wakes the reader.
    pub(super) bell: OwnedFd,
    /// Whoever listens has it.
    buffer: Mutex<Vec<u8>>,
    /// What a caller heard that ends the worker.
    trouble: Mutex<Option<How>>,
    flood: Mutex<Flood>,
    born: Stopwatch,
}

impl Ear {
    pub(super) fn new(socket: &OwnedFd) -> io::Result<Self> {
        set_socket_timeout(socket, Timeout::Recv, Some(NAP))?;
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self {
            bell,
            buffer: Mutex::new(vec![0; LARGEST]),
            trouble: Mutex::default(),
            flood: Mutex::default(),
            born: Stopwatch::start(),
        })
    }

    /// A call is made, which may say something.
    pub(super) fn earned(&self) {
        locked(&self.flood).earned();
    }

    /// Wakes the reader.
    fn ring(&self) {
        // It can only be full, and then it rings.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }

    /// The reader: takes note that it was woken.
    pub(super) fn answered(&self) {
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
    }
}

impl State {
    /// A caller takes the ear when nobody has it.
    pub(super) fn take_the_ear(&mut self) -> Role {
        match self.listener {
            Listener::Nobody { .. } => {
                self.listener = Listener::Caller;
                Role::Listens
            }
            Listener::Reader | Listener::Caller => Role::Waits,
        }
    }
}

impl Link {
    /// A caller: listens until his call has come to an end, or the time is over, or nothing more can be heard.
    pub(super) fn listen(&self, waiting: &Waiting, left: impl Fn() -> Duration) {
        let mut buffer = locked(&self.ear.buffer);
        // Most answers come at once; whoever waits longer also sees the worker's end, when somebody holds its socket open.
        let mut at_once = true;
        while locked(&waiting.end).is_none() {
            let left = left();
            if left.is_zero() {
                return;
            }
            let flags = if at_once && left > NAP { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
            if flags == RecvFlags::DONTWAIT && !self.something_to_hear(left) {
                return;
            }
            at_once = false;
            match recv(&self.socket, &mut buffer[..], flags) {
                Ok((length @ 1.., _)) => {
                    if let Some(how) = self.take(&buffer[..length]) {
                        *locked(&self.ear.trouble) = Some(how);
                        return;
                    }
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                // It is gone; the reader knows best what to say of that.
                Ok(_) | Err(_) => return,
            }
        }
    }

    /// Waits for a message, or the time to be over; false when the worker has ended and there is none.
    fn something_to_hear(&self, left: Duration) -> bool {
        let mut fds = [PollFd::new(&self.socket, PollFlags::IN), PollFd::new(&self.pidfd, PollFlags::IN)];
        let _ = poll(&mut fds, Some(&timespec(left)));
        !fds[0].revents().is_empty() || fds[1].revents().is_empty()
    }

    /// A caller: lets go of the ear. `number` is his own call, which the reader need not wait for unless it is open.
    pub(super) fn stop_listening(&self, number: u64) {
        let mut state = locked(&self.state);
        let others = state.waiting.keys().any(|other| *other != number);
        let own = state.waiting.contains_key(&number);
        let quiet = !others && !own && state.phase == Phase::Ready && locked(&self.ear.trouble).is_none();
        state.listener = if quiet { Listener::Nobody { rested: false } } else { Listener::Reader };
        drop(state);
        if !quiet {
            self.ear.ring();
        }
    }

    /// The reader: who listens now.
    pub(super) fn listener(&self) -> Listener {
        locked(&self.state).listener
    }

    /// The reader: it has heard something. When nobody waits for more, the next caller can listen himself.
    pub(super) fn let_go(&self) {
        let mut state = locked(&self.state);
        if state.listener == Listener::Reader && state.waiting.is_empty() && state.phase == Phase::Ready {
            state.listener = Listener::Nobody { rested: false };
        }
    }

    /// The reader: nothing has happened for a while.
    pub(super) fn rest(&self) {
        let mut state = locked(&self.state);
        state.listener = match state.listener {
            Listener::Nobody { rested: false } => Listener::Nobody { rested: true },
            Listener::Nobody { rested: true } | Listener::Reader => Listener::Reader,
            Listener::Caller => Listener::Caller,
        };
    }

    /// The reader: what a caller heard that ends the worker.
    pub(super) fn trouble(&self) -> Option<How> {
        locked(&self.ear.trouble).take()
    }

    /// Takes in one packet; why the worker has to end, if it has to.
    pub(super) fn take(&self, packet: &[u8]) -> Option<How> {
        let (number, message) = match wire::decode(packet) {
            Ok(message) => message,
            Err(error) => return Some(How::Ended(format!("wrote something that is no answer ({error})"))),
        };
        match message {
            Message::Hello(Loaded::Ready) => self.greeted(),
            Message::Hello(refused) => return Some(How::Refused(refused)),
            Message::Answer(body) => self.settle(number, Ok(body.to_vec())),
            Message::Failed(body) => self.settle(number, Err(read_error(body))),
            Message::Said { level, module, text } => {
                let waiting = self.waiting(number);
                let (span, heard) = waiting.map_or((None, None), |w| (Some(w.span.clone()), w.heard.clone()));
                let admitted = locked(&self.ear.flood).admit(self.ear.born.elapsed());
                let say = || {
                    let Some(dropped) = admitted else { return };
                    if dropped > 0 {
                        tracing::warn!(
                            "plugin \"{}\" logs too much: {dropped} lines were left out",
                            self.plugin
                        );
                    }
                    log::repeat(&self.plugin, heard.as_ref(), level, module, text);
                };
                span.map_or_else(say, |span| span.in_scope(say));
            }
            Message::Pong => locked(&self.state).asked = false,
            Message::Call(..) | Message::Ping => {
                return Some(How::Ended("wrote something that is no answer (a request)".to_owned()));
            }
        }
        None
    }

    fn settle(&self, number: u64, answer: Result<Vec<u8>, Error>) {
        if !self.answered(number, answer) {
            tracing::debug!(target: "plugin", plugin = %self.plugin, number, "an answer that nobody waits for");
        }
    }
}

fn read_error(body: &[u8]) -> Error {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        Error::new(ErrorKind::Failed, "failed with an error that this pm cannot read; rebuild the plugin")
    })
}

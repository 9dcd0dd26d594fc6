//! The connection to one worker: calls go out with a number, whoever asked waits for the answer with that number.
//!
//! Any number of threads call at the same time over one socket. Nobody waits longer than his call may take, neither for
//! the answer nor for room in the socket: a worker that was stopped reads nothing. A call that gets no answer in time
//! makes the worker *drain*: it gets no new calls, those that it has may still be answered, and then it is killed. Each
//! of them ends within its own time, so draining ends as well.
//!
//! Who listens at the socket is one at a time: the worker's reader (`reader.rs`) when nothing happens, and while calls
//! follow each other the caller himself (`ear.rs`), which saves each of them the way through another thread.

use super::ear::{Ear, Listener, Role};
use super::family;
use crate::plugins::refusal::Reason;
use crate::plugins::wire::{Asked, LARGEST, Message, encode};
use crate::ports::Heard;
use pm_plugin_api::Error;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SendFlags, send};
use rustix::process::Pid;
use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::Span;

/// How a worker ended, or why it never began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Death {
    /// It could not load the library.
    Refused(Reason),
    /// In words: `died (signal 11, SIGSEGV)`; and the last it said to its error output.
    Ended { how: String, last_words: String },
}

/// What became of a call.
#[derive(Debug)]
pub(super) enum Fate {
    /// The part answered.
    Answered(Result<Vec<u8>, Error>),
    /// It never reached the worker; it can be made again.
    NotSent,
    /// It is too large for a message.
    TooLarge,
    /// The time is over.
    Late,
    /// The worker ended in the middle.
    Died(Death),
}

/// How far a worker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Starting,
    Ready,
    /// It gets no new calls.
    Draining,
    Dead(Death),
}

/// One live worker.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) socket: OwnedFd,
    pub(super) pid: Pid,
    pub(super) pidfd: OwnedFd,
    /// The name of the plugin, for what it says.
    pub(super) plugin: Arc<str>,
    pub(super) ear: Ear,
    pub(super) state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) phase: Phase,
    last: u64,
    pub(super) waiting: HashMap<u64, Arc<Waiting>>,
    /// Calls and answers since the reader last asked.
    stirred: bool,
    /// It was asked whether it is there, and has said nothing since.
    pub(super) asked: bool,
    pub(super) listener: Listener,
}

/// A caller who waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) end: Mutex<Option<Fate>>,
    ended: Condvar,
    /// What the library says meanwhile belongs into this.
    pub(super) span: Span,
    pub(super) heard: Option<Heard>,
}

impl Waiting {
    fn end(&self, fate: Fate) {
        *locked(&self.end) = Some(fate);
        self.ended.notify_one();
    }
}

impl Link {
    pub(super) fn new(socket: OwnedFd, pid: Pid, pidfd: OwnedFd, plugin: &str) -> io::Result<Self> {
        let state = State {
            phase: Phase::Starting,
            last: 0,
            waiting: HashMap::new(),
            stirred: true,
            asked: false,
            listener: Listener::Reader,
        };
        let ear = Ear::new(&socket)?;
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Ok(Self { socket, pid, pidfd, plugin: plugin.into(), ear, state, changed })
    }

    pub(super) fn phase(&self) -> Phase {
        locked(&self.state).phase.clone()
    }

    /// Whether it takes calls, or will soon.
    pub(super) fn takes_calls(&self) -> bool {
        matches!(locked(&self.state).phase, Phase::Starting | Phase::Ready)
    }

    /// Waits until it is not starting any more; none when that takes longer than `timeout`.
    pub(super) fn ready(&self, timeout: Duration) -> Option<Phase> {
        let state = locked(&self.state);
        let starting = |state: &mut State| state.phase == Phase::Starting;
        let waited = self.changed.wait_timeout_while(state, timeout, starting);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (state.phase != Phase::Starting).then(|| state.phase.clone())
    }

    /// Makes a call and waits for its answer, at most `timeout` in all.
    pub(super) fn call(
        &self,
        asked: Asked<'_>,
        body: &[u8],
        heard: Option<&Heard>,
        timeout: Duration,
        watch: impl Fn() -> Duration,
    ) -> Fate {
        let waiting = Arc::new(Waiting {
            end: Mutex::new(None),
            ended: Condvar::new(),
            span: Span::current(),
            heard: heard.cloned(),
        });
        let Some((number, role)) = self.enlist(&waiting) else { return Fate::NotSent };
        let left = || timeout.saturating_sub(watch());
        let sent = encode(number, &Message::Call(asked, body)).map(|packet| self.send(&packet, left));
        if role == Role::Listens {
            if sent == Some(Sent::Yes) {
                self.listen(&waiting, left);
            }
            self.stop_listening(number);
        }
        match sent {
            Some(Sent::Yes) => {}
            Some(Sent::Late) => return self.give_up(number, &waiting),
            Some(Sent::No) => {
                locked(&self.state).waiting.remove(&number);
                return Fate::NotSent;
            }
            None => {
                locked(&self.state).waiting.remove(&number);
                return Fate::TooLarge;
            }
        }
        let unanswered = |end: &mut Option<Fate>| end.is_none();
        let left = timeout.saturating_sub(watch());
        let waited = waiting.ended.wait_timeout_while(locked(&waiting.end), left, unanswered);
        let (mut end, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match end.take() {
            Some(fate) => fate,
            None => {
                drop(end);
                self.give_up(number, &waiting)
            }
        }
    }

    /// Puts a call on the list, with a number; none when the worker takes no calls.
    fn enlist(&self, waiting: &Arc<Waiting>) -> Option<(u64, Role)> {
        let mut state = locked(&self.state);
        if state.phase != Phase::Ready {
            return None;
        }
        state.last += 1;
        state.stirred = true;
        let number = state.last;
        state.waiting.insert(number, Arc::clone(waiting));
        self.ear.earned();
        Some((number, state.take_the_ear()))
    }

    /// The caller leaves; the worker has to, too.
    fn give_up(&self, number: u64, waiting: &Waiting) -> Fate {
        let mut state = locked(&self.state);
        if state.waiting.remove(&number).is_none() {
            // Answered at the last moment: whoever took it off the list has answered before he let go of the lock.
            return locked(&waiting.end).take().unwrap_or(Fate::Late);
        }
        self.drain(state);
        Fate::Late
    }

    /// It gets no new calls and is killed when it has answered those that it has.
    pub(super) fn retire(&self) {
        self.drain(locked(&self.state));
    }

    fn drain(&self, mut state: MutexGuard<'_, State>) {
        if !matches!(state.phase, Phase::Dead(_)) {
            state.phase = Phase::Draining;
            self.changed.notify_all();
        }
        let over = state.waiting.is_empty() && state.phase == Phase::Draining;
        drop(state);
        if over {
            family::kill(self.pid, &self.pidfd);
        }
    }

    /// The reader: the worker has loaded its library.
    pub(super) fn greeted(&self) {
        let mut state = locked(&self.state);
        if state.phase == Phase::Starting {
            state.phase = Phase::Ready;
        }
        self.changed.notify_all();
    }

    /// The reader: who waits for the call with this number; none when nobody does any more.
    pub(super) fn waiting(&self, number: u64) -> Option<Arc<Waiting>> {
        locked(&self.state).waiting.get(&number).cloned()
    }

    /// The reader: an answer. False when nobody waits for it, because it is late or was never asked for.
    pub(super) fn answered(&self, number: u64, answer: Result<Vec<u8>, Error>) -> bool {
        let mut state = locked(&self.state);
        (state.stirred, state.asked) = (true, false);
        let Some(waiting) = state.waiting.remove(&number) else { return false };
        waiting.end(Fate::Answered(answer));
        if state.phase == Phase::Draining {
            self.drain(state);
        }
        true
    }

    /// The reader: whether anything was asked or answered since it last wanted to know, or is being asked now.
    pub(super) fn stirred(&self) -> bool {
        let mut state = locked(&self.state);
        std::mem::take(&mut state.stirred) || !state.waiting.is_empty()
    }

    /// The reader: without calls for long enough it has to go; false when one has just come.
    pub(super) fn retire_if_idle(&self) -> bool {
        let state = locked(&self.state);
        let idle = state.waiting.is_empty() && !state.stirred;
        if idle {
            self.drain(state);
        }
        idle
    }

    /// The reader: it is gone. Answers the calls that it took along.
    pub(super) fn died(&self, death: &Death) -> usize {
        let mut state = locked(&self.state);
        state.phase = Phase::Dead(death.clone());
        self.changed.notify_all();
        let lost = std::mem::take(&mut state.waiting);
        lost.values().for_each(|waiting| waiting.end(Fate::Died(death.clone())));
        lost.len()
    }

    /// Sends a packet as soon as there is room for it.
    pub(super) fn send(&self, packet: &[u8], left: impl Fn() -> Duration) -> Sent {
        debug_assert!(packet.len() <= LARGEST, "checked when it was encoded");
        loop {
            match send(&self.socket, packet, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(_) => return Sent::Yes,
                Err(Errno::AGAIN) => {}
                Err(Errno::INTR) => continue,
                Err(_) => return Sent::No,
            }
            let left = left();
            if left.is_zero() {
                return Sent::Late;
            }
            // Interrupted or not, the clock decides.
            let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::OUT)], Some(&timespec(left)));
        }
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    Yes,
    /// There was no room in time.
    Late,
    /// The other end is gone.
    No,
}

pub(super) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}

pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

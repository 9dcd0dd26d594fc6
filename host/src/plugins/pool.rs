//! Threads that run calls into libraries, so that a call which never comes back blocks nobody.
//!
//! The caller waits for the answer for as long as the call may take and not longer. A thread that is still
//! running then is *lost*: nothing in the process can stop it. It is counted against its library until it comes
//! back, and its late answer is thrown away. Threads are used again at once and leave after some idle seconds; no
//! call waits for a thread.
//!
//! Nothing here knows what a plugin is, and nobody joins these threads: a lost one would never end.

use pm_plugin_api::Error;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::Duration;

/// How long a thread without work stays.
const STAY: Duration = Duration::from_secs(10);

/// What a call answers.
pub(super) type Answer = Result<Vec<u8>, Error>;

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    /// The time is over; the call goes on.
    Late,
    /// The thread died, which means a mistake in pm itself.
    Died,
    /// No thread could be started.
    NoThread(io::Error),
}

/// How many calls of a library were given up and have not come back.
#[derive(Debug, Default)]
pub(super) struct Lost(AtomicUsize);

impl Lost {
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// The threads.
#[derive(Debug)]
pub(super) struct Pool {
    idle: Arc<Mutex<Idle>>,
    stay: Duration,
}

impl Default for Pool {
    fn default() -> Self {
        Self { idle: Arc::default(), stay: STAY }
    }
}

#[derive(Debug, Default)]
struct Idle {
    /// The one that worked last is at the end and is taken first: its stack and caches are warm.
    threads: Vec<(u64, Sender<Job>)>,
    started: u64,
}

struct Job {
    work: Box<dyn FnOnce() -> Answer + Send>,
    promise: Promise,
    /// The way back into the list of idle threads. The thread does not keep it, so that it ends with the pool.
    inbox: Sender<Job>,
}

impl Pool {
    /// Runs `work` on a thread of the pool and waits for its answer, at most `timeout`.
    pub(super) fn run(
        &self,
        timeout: Duration,
        lost: &Arc<Lost>,
        work: impl FnOnce() -> Answer + Send + 'static,
    ) -> Result<Answer, NoAnswer> {
        let desk = Arc::new(Desk { state: Mutex::new(State::Waiting), changed: Condvar::new() });
        let promise = Promise { desk: Arc::clone(&desk), lost: Arc::clone(lost), kept: Kept::NotYet };
        self.hand_out(Box::new(work), promise).map_err(NoAnswer::NoThread)?;
        desk.wait(timeout, lost)
    }

    fn hand_out(&self, work: Box<dyn FnOnce() -> Answer + Send>, promise: Promise) -> io::Result<()> {
        let taken = locked(&self.idle).threads.pop();
        let (number, inbox) = match taken {
            Some(thread) => thread,
            None => self.start()?,
        };
        let job = Job { work, promise, inbox: inbox.clone() };
        // A thread leaves only after it has taken itself off the list, so it is there to receive.
        inbox.send(job).map_err(|_| io::Error::other(format!("plugin thread {number} has gone")))
    }

    fn start(&self) -> io::Result<(u64, Sender<Job>)> {
        let number = {
            let mut idle = locked(&self.idle);
            idle.started += 1;
            idle.started
        };
        let (sender, receiver) = channel();
        let (idle, stay) = (Arc::downgrade(&self.idle), self.stay);
        thread::Builder::new()
            .name(format!("pm-plugin-{number}"))
            .spawn(move || serve(number, &receiver, stay, &idle))?;
        Ok((number, sender))
    }
}

/// The life of a thread.
fn serve(number: u64, inbox: &Receiver<Job>, stay: Duration, idle: &Weak<Mutex<Idle>>) {
    loop {
        match inbox.recv_timeout(stay) {
            Ok(Job { work, promise, inbox }) => {
                let answer = work();
                let Some(idle) = idle.upgrade() else { return promise.keep(answer) };
                // Back on the list before the answer: the caller's next call finds this thread again.
                locked(&idle).threads.push((number, inbox));
                promise.keep(answer);
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Err(RecvTimeoutError::Timeout) => {
                let Some(idle) = idle.upgrade() else { return };
                let mut idle = locked(&idle);
                // Not on the list: somebody has just taken this thread, and the job is on its way.
                if let Some(at) = idle.threads.iter().position(|(its, _)| *its == number) {
                    idle.threads.remove(at);
                    return;
                }
            }
        }
    }
}

/// Where a caller waits for the answer.
#[derive(Debug)]
struct Desk {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
enum State {
    Waiting,
    Answered(Answer),
    Died,
    /// The caller has left.
    Left,
}

impl Desk {
    fn wait(&self, timeout: Duration, lost: &Lost) -> Result<Answer, NoAnswer> {
        let waiting = |state: &mut State| matches!(state, State::Waiting);
        let (mut state, _) = self
            .changed
            .wait_timeout_while(locked(&self.state), timeout, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Left) {
            State::Answered(answer) => Ok(answer),
            State::Died => Err(NoAnswer::Died),
            State::Waiting | State::Left => {
                // Counted while the state is locked: who comes back a moment later sees it counted.
                lost.0.fetch_add(1, Ordering::Relaxed);
                Err(NoAnswer::Late)
            }
        }
    }
}

/// The other end of a [`Desk`]; dropping it without an answer means that the thread died.
#[derive(Debug)]
struct Promise {
    desk: Arc<Desk>,
    lost: Arc<Lost>,
    kept: Kept,
}

#[derive(Debug, PartialEq, Eq)]
enum Kept {
    NotYet,
    Yes,
}

impl Promise {
    fn keep(mut self, answer: Answer) {
        self.kept = Kept::Yes;
        self.put(State::Answered(answer));
    }

    fn put(&self, ended: State) {
        let mut state = locked(&self.desk.state);
        if matches!(*state, State::Left) {
            self.lost.0.fetch_sub(1, Ordering::Relaxed);
        } else {
            *state = ended;
            self.desk.changed.notify_one();
        }
    }
}

impl Drop for Promise {
    fn drop(&mut self) {
        if self.kept == Kept::NotYet {
            self.put(State::Died);
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    fn name() -> Answer {
        Ok(thread::current().name().unwrap_or_default().as_bytes().to_vec())
    }

    fn text(answer: Result<Answer, NoAnswer>) -> String {
        String::from_utf8(answer.unwrap().unwrap()).unwrap()
    }

    #[test]
    fn one_thread_serves_one_caller_again_and_again() {
        let (pool, lost) = (Pool::default(), Arc::default());
        for _ in 0..100 {
            assert_eq!(text(pool.run(LONG, &lost, name)), "pm-plugin-1");
        }
        assert_eq!(lost.count(), 0);
    }

    #[test]
    fn a_late_call_is_given_up_counted_and_counted_back_when_it_returns() {
        let (pool, lost) = (Pool::default(), Arc::new(Lost::default()));
        let (release, held) = channel::<()>();
        let (say, done) = channel();
        let late = pool.run(Duration::from_millis(5), &lost, move || {
            held.recv().ok();
            say.send(()).ok();
            name()
        });
        assert!(matches!(late, Err(NoAnswer::Late)));
        assert_eq!(lost.count(), 1);
        // The lost thread delays nobody.
        assert_eq!(text(pool.run(LONG, &lost, name)), "pm-plugin-2");
        release.send(()).unwrap();
        done.recv_timeout(LONG).unwrap();
        while lost.count() > 0 {
            thread::yield_now();
        }
        // Both are idle now; which of them is taken does not matter.
        assert!(text(pool.run(LONG, &lost, name)).starts_with("pm-plugin-"));
    }

    #[test]
    fn a_thread_that_dies_is_an_error_and_no_loss() {
        let (pool, lost) = (Pool::default(), Arc::default());
        let died = pool.run(LONG, &lost, || panic!("a mistake in pm"));
        assert!(matches!(died, Err(NoAnswer::Died)));
        assert_eq!(lost.count(), 0);
        assert_eq!(text(pool.run(LONG, &lost, name)), "pm-plugin-2");
    }

    #[test]
    fn parallel_calls_get_threads_of_their_own() {
        let (pool, lost) = (Pool::default(), Arc::new(Lost::default()));
        let meet = Arc::new(std::sync::Barrier::new(8));
        thread::scope(|scope| {
            for _ in 0..8 {
                // All eight have to be inside at the same time, or none comes back.
                let meet = Arc::clone(&meet);
                scope.spawn(|| {
                    let answer = pool.run(LONG, &lost, move || {
                        meet.wait();
                        name()
                    });
                    assert!(text(answer).starts_with("pm-plugin-"));
                });
            }
        });
        assert_eq!(locked(&pool.idle).threads.len(), 8);
    }

    #[test]
    fn threads_without_work_leave_and_no_call_is_lost_on_one_that_is_leaving() {
        let pool = Pool { stay: Duration::ZERO, ..Pool::default() };
        let lost = Arc::default();
        for call in 0..2000_u32 {
            let answer = pool.run(LONG, &lost, move || Ok(call.to_le_bytes().to_vec()));
            assert_eq!(answer.unwrap(), Ok(call.to_le_bytes().to_vec()));
        }
        while !locked(&pool.idle).threads.is_empty() {
            thread::yield_now();
        }
        assert!(text(pool.run(LONG, &lost, name)).starts_with("pm-plugin-"));
    }
}

//! Named threads for jobs: started when there is work, gone when there has been none for a while.
//!
//! The pool is not a queue of decisions: the loop hands in no more jobs than may run at once. A job that panics
//! costs itself, not its thread. Nothing here waits for a job; what is still running when pm exits is told by the
//! journal.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a thread waits for more work before it leaves.
const IDLE: Duration = Duration::from_secs(5);

type Work = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Inner {
    queue: VecDeque<Work>,
    idle: usize,
    spawned: u64,
}

/// The threads `pm-job-N`.
#[derive(Clone, Default)]
pub(super) struct Pool {
    shared: Arc<(Mutex<Inner>, Condvar)>,
}

impl Pool {
    /// Runs `work` on a thread of the pool.
    ///
    /// # Errors
    /// When the system refuses another thread and none is idle; the work is not run.
    pub(super) fn run(&self, work: Work) -> io::Result<()> {
        let number = {
            let mut inner = self.lock();
            if inner.idle > inner.queue.len() {
                inner.queue.push_back(work);
                self.shared.1.notify_one();
                return Ok(());
            }
            inner.spawned += 1;
            inner.spawned
        };
        let pool = self.clone();
        std::thread::Builder::new().name(format!("pm-job-{number}")).spawn(move || pool.serve(work)).map(drop)
    }

    fn serve(&self, first: Work) {
        let mut next = Some(first);
        while let Some(work) = next {
            // The work reports its own panics; this keeps the thread and the counters right.
            let _ = catch_unwind(AssertUnwindSafe(work));
            next = self.wait();
        }
    }

    fn wait(&self) -> Option<Work> {
        let mut inner = self.lock();
        inner.idle += 1;
        let (mut inner, _) = self
            .shared
            .1
            .wait_timeout_while(inner, IDLE, |inner| inner.queue.is_empty())
            .unwrap_or_else(PoisonError::into_inner);
        inner.idle -= 1;
        inner.queue.pop_front()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::mpsc;

    #[test]
    fn threads_are_used_again_and_survive_a_panic() {
        let pool = Pool::default();
        let (done, results) = mpsc::channel();
        let mut threads = BTreeSet::new();
        for number in 0..50 {
            let done = done.clone();
            pool.run(Box::new(move || {
                done.send(std::thread::current().name().map(str::to_owned)).unwrap();
                assert!(number % 10 != 5, "some work panics on purpose");
            }))
            .unwrap();
            threads.insert(results.recv().unwrap());
        }
        assert!(threads.len() < 25, "{threads:?}");
    }

    #[test]
    fn work_runs_side_by_side() {
        let pool = Pool::default();
        let (there, gate) = (mpsc::channel(), Arc::new((Mutex::new(false), Condvar::new())));
        for _ in 0..3 {
            let (there, gate) = (there.0.clone(), Arc::clone(&gate));
            pool.run(Box::new(move || {
                there.send(()).unwrap();
                drop(gate.1.wait_while(gate.0.lock().unwrap(), |open| !*open).unwrap());
                there.send(()).unwrap();
            }))
            .unwrap();
        }
        for _ in 0..3 {
            there.1.recv().unwrap();
        }
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        for _ in 0..3 {
            there.1.recv().unwrap();
        }
    }
}

//! The thread `pm-publish`: puts ended attempts into the table that all hosts share, so that no restart waits for it.
//!
//! It has a connection of its own, made when there is something to publish and closed again. What waits stands in the
//! journal, so a kill loses nothing and a database that is away for hours is caught up, batch by batch. Without the
//! table, or the right to write it, pm says so once and goes on.

use crate::policy::time::Ticks;
use crate::ports::{AlarmStore, Clock, Journal, Publication, Published, Trouble};
use crate::wording;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::{debug, info, warn};

/// Attempts in one statement.
const BATCH: usize = 100;
/// The pause after trouble, doubled each time, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
const REFUSED_PAUSE: Duration = Duration::from_secs(60);
/// How long the table is not looked for when there is none.
const NOWHERE_PAUSE: Duration = Duration::from_secs(600);

/// What the loop tells the thread.
pub(super) enum Word {
    /// There may be something to publish.
    Look,
    /// Whether the database answers, as the polls see it: one server is not asked by two clocks.
    Link(Answers),
    /// Another database, or none any more.
    Replace(Option<Box<dyn AlarmStore>>),
    /// Whether it is wanted at all.
    Switch(bool),
}

/// Whether the database answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    Yes,
    No,
}

/// How to tell it; it leaves when this is dropped, or silenced.
pub(super) struct Press {
    words: Option<Sender<Word>>,
    thread: Option<JoinHandle<()>>,
}

impl Press {
    /// Starts the thread, which looks at once.
    pub(super) fn start(
        store: Option<Box<dyn AlarmStore>>,
        (journal, clock): (Arc<dyn Journal>, Arc<dyn Clock>),
        host: String,
        wanted: bool,
    ) -> Self {
        let (sender, words) = channel();
        let publisher = Publisher {
            store,
            journal,
            clock,
            host,
            wanted,
            answers: Answers::Yes,
            said: false,
            failures: 0,
            not_before: Ticks(0),
        };
        let started =
            std::thread::Builder::new().name("pm-publish".to_owned()).spawn(move || publisher.run(&words));
        let thread = started
            .map_err(|error| warn!("Attempts are not published: the system refuses another thread: {error}"));
        let press = Self { words: Some(sender), thread: thread.ok() };
        press.look();
        press
    }

    /// There may be something to publish.
    pub(super) fn look(&self) {
        self.tell(Word::Look);
    }

    pub(super) fn tell(&self, word: Word) {
        // Without the thread nothing is published.
        let _ = self.words.as_ref().map(|words| words.send(word));
    }

    /// Asks the thread to leave, which it does behind the batch in hand.
    pub(super) fn silence(&mut self) {
        self.words = None;
    }

    /// Whether it has left, and the journal is in no hand of it any more.
    pub(super) fn has_left(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

struct Publisher {
    store: Option<Box<dyn AlarmStore>>,
    journal: Arc<dyn Journal>,
    clock: Arc<dyn Clock>,
    host: String,
    /// Whether the operator wants it.
    wanted: bool,
    answers: Answers,
    /// Whether it was said that there is no table.
    said: bool,
    failures: u32,
    /// Nothing is tried before this moment.
    not_before: Ticks,
}

/// What a round came to.
enum Next {
    /// Nothing is left.
    Rest,
    /// There may be more.
    More,
    /// It is tried again later.
    Later,
}

impl Publisher {
    fn run(mut self, words: &Receiver<Word>) {
        let mut pause = None;
        loop {
            let word = match pause {
                Some(pause) => words.recv_timeout(pause),
                None => words.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match word {
                Ok(Word::Look) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Word::Link(answers)) => {
                    self.answers = answers;
                    if answers == Answers::Yes && !self.said {
                        (self.failures, self.not_before) = (0, Ticks(0));
                    }
                }
                Ok(Word::Replace(store)) => {
                    (self.store, self.answers) = (store, Answers::Yes);
                    (self.said, self.failures, self.not_before) = (false, 0, Ticks(0));
                }
                Ok(Word::Switch(wanted)) => {
                    if wanted && !self.wanted {
                        self.not_before = Ticks(0);
                    }
                    self.wanted = wanted;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let left = self.not_before.since(self.clock.now().boot);
            pause = if left.is_zero() { self.round() } else { Some(left) };
        }
    }

    /// Publishes a batch; answers how long to wait for a word before the next one.
    fn round(&mut self) -> Option<Duration> {
        match self.batch() {
            Next::More => Some(Duration::ZERO),
            Next::Rest => {
                self.hang_up();
                None
            }
            Next::Later => {
                self.hang_up();
                Some(self.not_before.since(self.clock.now().boot))
            }
        }
    }

    /// The connection is not kept for what may come in hours.
    fn hang_up(&mut self) {
        self.store = self.store.as_ref().and_then(|store| store.another());
    }

    fn batch(&mut self) -> Next {
        if self.store.is_none() || !self.wanted || self.answers == Answers::No {
            return Next::Rest;
        }
        let waiting = match self.journal.unpublished(&self.host, BATCH) {
            Ok(waiting) => waiting,
            Err(error) => {
                debug!("{}", wording::no_journal(&error));
                return self.later(FIRST_PAUSE);
            }
        };
        if waiting.is_empty() {
            return Next::Rest;
        }
        match self.put(&waiting) {
            Some(next) => next,
            None => match self.journal.published(&waiting) {
                Ok(()) => {
                    self.failures = 0;
                    Next::More
                }
                Err(error) => {
                    debug!("{}", wording::no_journal(&error));
                    self.later(FIRST_PAUSE)
                }
            },
        }
    }

    /// Puts them into the table; `None` when they stand there, or never will.
    fn put(&mut self, waiting: &[Publication]) -> Option<Next> {
        let store = self.store.as_mut()?;
        let error = match store.publish(waiting) {
            Ok(Published::All) => {
                if std::mem::take(&mut self.said) {
                    info!("Attempts are published in pm_attempt now");
                }
                return None;
            }
            Ok(Published::Nowhere) => return Some(self.nowhere()),
            Err(error) => error,
        };
        match error.trouble {
            // One row that the table does not take must not hold up the others.
            Trouble::Other if waiting.len() > 1 => {
                waiting.iter().find_map(|one| self.put(std::slice::from_ref(one)))
            }
            Trouble::Other => {
                let attempt = waiting.first().map_or(0, |one| one.attempt.id.0);
                warn!("Attempt {attempt} is not published: {error}");
                None
            }
            Trouble::Away | Trouble::ReadOnly | Trouble::Refused | Trouble::Schema | Trouble::Conflict => {
                debug!("{error}. Attempts are published later");
                // Servers lock accounts.
                let first = if error.trouble == Trouble::Refused { REFUSED_PAUSE } else { FIRST_PAUSE };
                let pause = first.saturating_mul(2_u32.saturating_pow(self.failures));
                self.failures = self.failures.saturating_add(1);
                Some(self.later(pause.min(LONGEST_PAUSE)))
            }
        }
    }

    fn nowhere(&mut self) -> Next {
        if !std::mem::replace(&mut self.said, true) {
            info!(
                "Attempts are not published: there is no table pm_attempt here, or this account may not SELECT, INSERT and \
                 UPDATE there. Create it: pm db migrate. Or switch this off: [history] publish = no"
            );
        }
        self.later(NOWHERE_PAUSE)
    }

    fn later(&mut self, pause: Duration) -> Next {
        self.not_before = self.clock.now().boot.after(pause);
        Next::Later
    }
}

//! What the store thread does between two polls: drops what the history need not keep any more.
//!
//! A round is short, and the next one comes with the next poll as long as there is something to drop. No job waits for
//! it longer than for one small write to the journal.

use crate::policy::time::{Now, Ticks};
use crate::ports::{Journal, Retention, Tidied};
use crate::wording;
use std::time::Duration;
use tracing::{debug, info};

/// How long nothing is looked at when there was nothing to drop.
const REST: Duration = Duration::from_secs(600);

/// The chores and when they are due.
#[derive(Debug)]
pub(super) struct Chores {
    keep: Retention,
    due: Ticks,
    /// Rounds in a row that dropped something.
    rounds: u32,
}

impl Chores {
    pub(super) fn new(keep: Retention) -> Self {
        Self { keep, due: Ticks(0), rounds: 0 }
    }

    /// Another measure; it is put to use at once.
    pub(super) fn keep(&mut self, keep: Retention) {
        (self.keep, self.due) = (keep, Ticks(0));
    }

    /// One round, if it is due.
    pub(super) fn tidy(&mut self, journal: &dyn Journal, now: Now) {
        if now.boot < self.due {
            return;
        }
        match journal.tidy(&self.keep, now.wall) {
            Ok(Tidied::Some) => {
                self.rounds = self.rounds.saturating_add(1);
                return;
            }
            Ok(Tidied::Nothing) if self.rounds > 0 => {
                info!(
                    "Dropped old history ([history] days = {}, size = {})",
                    self.keep.days,
                    self.keep.bytes >> 20
                );
            }
            Ok(Tidied::Nothing) => {}
            Err(error) => debug!("{}", wording::no_journal(&error)),
        }
        (self.rounds, self.due) = (0, now.boot.after(REST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal;
    use crate::policy::time::Wall;

    #[test]
    fn after_a_round_that_found_nothing_it_rests_until_the_measure_changes() {
        let directory = tempfile::tempdir().unwrap();
        let journal = journal::open(directory.path(), "boot").unwrap().journal;
        let mut chores = Chores::new(Retention { days: 90, bytes: 1 << 30 });
        let at = |ms| Now { boot: Ticks(ms), wall: Wall(0) };
        chores.tidy(&journal, at(1_000));
        assert_eq!(chores.due, Ticks(601_000));
        chores.tidy(&journal, at(2_000));
        assert_eq!(chores.due, Ticks(601_000), "it was not due");
        chores.keep(Retention { days: 1, bytes: 1 << 30 });
        chores.tidy(&journal, at(3_000));
        assert_eq!(chores.due, Ticks(603_000));
    }
}

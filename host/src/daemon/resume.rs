//! What a pm that was killed has left in the middle, taken up by the next one at its start.
//!
//! Every unfinished entry becomes a job again or is closed; how far it had come is for `respond` to judge.

use super::Daemon;
use crate::failpoint::{self, Point};
use crate::policy::breaker::Admission;
use crate::policy::model::{Cause, Configured, End, Job, Rules, Trial};
use crate::ports::{JournalError, Record, Unfinished};
use crate::respond::Claim;
use crate::wording;
use tracing::{debug, warn};

impl Daemon {
    /// Goes on with what a killed pm left in the middle.
    pub(super) fn resume(&mut self) -> Result<(), JournalError> {
        // What is covered by now is not restarted again, only verified.
        self.book.windows = self.parts.catalog.windows(self.parts.clock.now().wall);
        let entries = self.parts.journal.unfinished()?;
        failpoint::pass(Point::TakenOver);
        for entry in entries {
            let name = entry.name.clone();
            match self.parts.catalog.look_up(&name) {
                (Configured::Yes(_), Some(spec)) => {
                    let job = self.taken_up(&entry, &spec.rules);
                    self.book.state.resumed(&name, self.parts.clock.now());
                    self.begin(job, spec, Claim::Resume(entry));
                }
                (Configured::Unusable(why), _) => {
                    self.abandon(&entry, &format!("its configuration cannot be used: {why}"));
                }
                _ => self.abandon(&entry, "it is not configured any more"),
            }
        }
        Ok(())
    }

    /// The job of an entry; what was the one trial of a half-open breaker stays one.
    fn taken_up(&self, entry: &Unfinished, rules: &Rules) -> Job {
        let now = self.parts.clock.now().boot;
        let standing = self.book.state.standing(&entry.name);
        let trial = match standing.map(|standing| standing.breaker.admits(rules, now)) {
            Some(Admission::Probe) => Trial::Probe,
            _ => Trial::No,
        };
        Job {
            alarms: entry.alarms.clone(),
            cause: entry.cause.clone(),
            rung: standing.map_or(0, |standing| match entry.cause {
                Cause::Alarm | Cause::MassAlarm => standing.step(rules),
                Cause::Dependency(_) => standing.rung,
                Cause::Operator => 0,
            }),
            ..Job::by_hand(&entry.name, trial)
        }
    }

    /// Ends an entry whose process cannot be handled any more.
    fn abandon(&self, entry: &Unfinished, why: &str) {
        warn!("{}", wording::cancelled(&entry.name, why));
        let (detail, at) = (why.to_owned(), self.parts.clock.now());
        let record = Record { end: End::Cancelled, attempts: 0, by: None, detail, at };
        if let Err(error) = self.parts.journal.end(entry.id, &entry.name, &record, None) {
            debug!("{}", wording::no_journal(&error));
        }
    }
}

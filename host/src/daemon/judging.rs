//! From what is known to what is done: lets time pass, decides, begins jobs, and settles how they ended.
//!
//! Everything it changes in what is remembered goes into the journal before the loop waits again.

use super::book::Running;
use super::{Command, Daemon};
use crate::failpoint::{self, Point};
use crate::policy::advance::advance;
use crate::policy::decide::{Examiner, decide};
use crate::policy::model::{
    Cause, Check, Clear, End, Hold, Intake, Job, Name, Notice, Outcome, RowId, Settlement, Standing, View,
};
use crate::policy::settle::settle;
use crate::policy::state::State;
use crate::policy::time::Now;
use crate::ports::{Answer, Asked, Decision, Effect, Happened, Record};
use crate::respond::{Claim, Report};
use crate::spec::Spec;
use crate::wording;
use std::collections::BTreeSet;
use tracing::{debug, error, info, warn};

/// So many new reasons are noted with their chain at once; the others follow when they change. Bounds the time that
/// the loop spends when somebody forgets a WHERE.
const MOST_NOTED: usize = 1_000;

/// Whether clearings wait in the journal's outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noted {
    /// They outlive pm.
    Yes,
    /// They are known to this pm alone; after a kill the alarm still stands in the table.
    No,
}

impl Daemon {
    /// Turns what is known into jobs and reasons.
    pub(super) fn decide(&mut self) {
        self.wake_at = None;
        if self.parts.intake == Intake::Observing && self.intake == Intake::Stopping {
            // Whoever only observes has nothing to finish, and alarms that it did not act on are no news.
            return;
        }
        let now = self.parts.clock.now();
        if let Some(moved) = self.book.wall.look(now) {
            warn!("{}", wording::clock_set(moved));
        }
        self.say_what_is_over();
        self.book.windows = self.parts.catalog.windows(now.wall);
        self.book.call_off(now);
        if self.book.is_at_rest() {
            return;
        }
        self.book.look_up(self.parts.catalog.as_mut(), now);
        let intake = self.intake();
        let (state, view) = self.book.judged(intake);
        let notices = advance(state, &view, now);
        let plan = decide(&view, state, now);
        self.wake_at = plan.wake_at;
        self.say_notices(&notices, now);
        let storm = plan.held.iter().filter(|(_, hold)| matches!(hold, Hold::Storm { .. })).count();
        self.say_held(plan.held, now);
        for job in plan.start {
            let Some(spec) = self.book.spec(&job.name) else { continue };
            for alarm in job.alarms.iter().filter(|_| job.cause == Cause::Alarm) {
                info!("{}", wording::found(alarm));
            }
            if let Cause::Dependency(because) = &job.cause {
                info!("{}", wording::because_of(&job.name, because));
            }
            let (state, view) = self.book.judged(intake);
            state.begin(&view, &spec.rules, &job, now);
            failpoint::pass(Point::JobDecided);
            self.begin(job, spec, Claim::New);
        }
        self.say_storm(storm, now);
        self.keep();
    }

    pub(super) fn say_notices(&self, notices: &[Notice], now: Now) {
        for notice in notices {
            let text = wording::notice(notice, now);
            match notice {
                // Nobody waits for it: a failure count that is reset, or a breaker that closes, is told by itself.
                Notice::Lasted { .. } => debug!("{text}"),
                _ if wording::is_good_news(notice) => info!("{text}"),
                _ => warn!("{text}"),
            }
            self.tell(Happened::Concluded { notice: notice.clone(), group: self.group_of(notice.process()) });
            let judged = match notice {
                Notice::Lasted { name } => self.parts.journal.judged(name, Effect::Lasted),
                Notice::Relapsed { name, .. } => self.parts.journal.judged(name, Effect::Relapsed),
                _ => Ok(()),
            };
            if let Err(error) = judged {
                debug!("{}", wording::no_journal(&error));
            }
        }
        if notices.iter().any(|notice| matches!(notice, Notice::Lasted { .. } | Notice::Relapsed { .. })) {
            self.publisher.look();
        }
    }

    /// Says once per storm how many wait: a line for each would bury everything else.
    fn say_storm(&mut self, waiting: usize, now: Now) {
        if self.book.storm_begins(waiting, now) {
            warn!("{}", wording::storm(waiting, self.book.limits().storm));
        }
    }

    /// Says a reason once, when it is new for its row, and notes what led to it.
    fn say_held(&mut self, held: Vec<(usize, Hold)>, now: Now) {
        let new = self.book.new_reasons(held);
        if new.is_empty() {
            return;
        }
        // A mass alarm is told by its summary; each of its rows is for pm why and pm plan.
        for (index, hold) in new.iter().filter(|(_, hold)| !matches!(hold, Hold::MassAlarm { .. })) {
            let text = wording::held(&self.book.alarms[*index], hold, now);
            match hold {
                Hold::BreakerOpen { .. } | Hold::GroupOpen { .. } | Hold::Unusable(_) | Hold::Unnamed => {
                    warn!("{text}");
                }
                _ => info!("{text}"),
            }
        }
        let intake = self.intake();
        let (state, view) = self.book.judged(intake);
        let decisions = noted(&new, &view, state, now);
        if let Err(error) = self.parts.journal.decided(&decisions) {
            debug!("{}", wording::no_journal(&error));
        }
    }

    /// Takes in how a job ended.
    pub(super) fn settle(&mut self, name: &Name, report: &Report) {
        let Some(Running { job, spec, .. }) = self.book.running.remove(name) else { return };
        failpoint::pass(Point::Settling);
        let now = self.parts.clock.now();
        let intake = self.intake();
        let (state, view) = self.book.judged(intake);
        let settled = settle(state, &view, &spec.rules, &job, &report.outcome, now);
        self.say_outcome(&job, report);
        self.say_notices(&settled.notices, now);
        let noted = self.note(name, &spec, report, &settled.clear);
        failpoint::pass(Point::OutcomeStored);
        if report.id.is_none() && report.outcome.end == End::AlreadyHealthy && job.cause == Cause::Alarm {
            self.note_look(&job, &report.outcome, now);
        }
        self.write_back(&job, settled, noted);
        if report.id.is_some() {
            self.publisher.look();
        } else if report.outcome.end == End::Cancelled {
            // The journal has refused it, for something that the loop has not heard of yet.
            self.orders();
        }
    }

    /// Notes that a process was left alone because it is healthy: there is no attempt to tell it.
    fn note_look(&self, job: &Job, outcome: &Outcome, now: Now) {
        let passed = |check: &str, saw: &str| Asked {
            check: check.to_owned(),
            answer: Answer::Passed,
            saw: saw.to_owned(),
        };
        let mut chain: Vec<_> = job.chain.iter().map(|(check, saw)| passed(check.word(), saw)).collect();
        chain.push(passed("health", &outcome.detail));
        let word = Decision::HEALTHY.to_owned();
        let decision = Decision { name: job.name.clone(), at: now.wall, word, chain };
        if let Err(error) = self.parts.journal.decided(&[decision]) {
            debug!("{}", wording::no_journal(&error));
        }
    }

    /// Has rows cleared, or not cleared any more, as a settlement says.
    pub(super) fn write_back(&mut self, job: &Job, settled: Settlement, noted: Noted) {
        if !settled.withdraw.is_empty() {
            self.order(Command::Withdraw(settled.withdraw.into_iter().collect::<BTreeSet<RowId>>()));
        }
        if !settled.clear.is_empty() {
            self.order(Command::Flush(match noted {
                Noted::Yes => Vec::new(),
                Noted::No => settled.clear,
            }));
            failpoint::pass(Point::WriteBackOrdered);
        }
        self.book.settled(job);
    }

    /// Writes the end into the journal; answers whether the clearings are noted there.
    fn note(&mut self, name: &Name, spec: &Spec, report: &Report, clear: &[Clear]) -> Noted {
        if report.outcome.end == End::HandedOver {
            return Noted::Yes;
        }
        let kept = self.kept(name);
        let journal = &self.parts.journal;
        let written = match report.id {
            Some(id) => {
                self.book.state.dirty.standings.remove(name);
                let record = record(spec, &report.outcome, self.parts.clock.now());
                journal.end(id, name, &record, Some((&kept, clear)))
            }
            None => journal.keep(&[(name.clone(), kept)], None),
        };
        if let Err(error) = &written {
            debug!("{}", wording::no_journal(error));
        }
        if report.id.is_some() && written.is_ok() { Noted::Yes } else { Noted::No }
    }

    /// What of a standing is stored. Marks of handled rows are not: the outbox is their memory.
    pub(super) fn kept(&self, name: &Name) -> Standing {
        let standing = self.book.state.standing(name).cloned().unwrap_or_default();
        Standing { handled: Vec::new(), in_flight: None, ..standing }
    }

    /// Stores what has changed in what is remembered.
    pub(super) fn keep(&mut self) {
        self.book.state.dirty.host |= self.book.is_note_due();
        let dirty = self.book.state.take_dirty();
        if dirty.standings.is_empty() && !dirty.host {
            return;
        }
        let standings: Vec<_> =
            dirty.standings.into_iter().map(|name| (name.clone(), self.kept(&name))).collect();
        let host = dirty.host.then(|| self.book.host(&self.table));
        if let Err(error) = self.parts.journal.keep(&standings, host.as_ref()) {
            debug!("{}", wording::no_journal(&error));
        }
    }

    fn group_of(&self, name: Option<&Name>) -> Option<Name> {
        self.book.arrangement.related.group_of(name?).cloned()
    }

    fn say_outcome(&self, Job { name, cause, alarms, .. }: &Job, Report { id, outcome }: &Report) {
        match outcome.end {
            // That it is healthy has been said, and its alarm stands: whether it is believed is not decided yet.
            End::AlreadyHealthy if *cause == Cause::MassAlarm => {}
            End::Restarted if alarms.is_empty() => info!("{}", wording::done(name)),
            End::Restarted | End::AlreadyHealthy => info!("{}", wording::handled(name)),
            End::Failed | End::Infrastructure => {
                let why = &outcome.detail;
                let text = if alarms.is_empty() { wording::not_done } else { wording::not_handled };
                error!("{}", text(name, why));
                self.tell(Happened::RestartFailed {
                    name: name.clone(),
                    group: self.group_of(Some(name)),
                    attempts: outcome.attempts,
                    why: outcome.detail.clone(),
                });
            }
            End::HandedOver | End::Unhealthy => {}
            End::Cancelled if id.is_none() => info!("{}", wording::not_begun(name, &outcome.detail)),
            End::Cancelled => info!("{}", wording::cancelled(name, &outcome.detail)),
        }
    }
}

/// What is noted of the end of an attempt.
pub(crate) fn record(spec: &Spec, outcome: &Outcome, at: Now) -> Record {
    let step = outcome.rung.and_then(|rung| spec.chain.get(rung as usize));
    Record {
        end: outcome.end,
        attempts: outcome.attempts,
        by: step.map(|link| link.name.clone()),
        detail: outcome.detail.clone(),
        at,
    }
}

fn noted(new: &[(usize, Hold)], view: &View<'_>, state: &State, now: Now) -> Vec<Decision> {
    let examiner = Examiner::new(view, state, now);
    let decision = |(index, hold): &(usize, Hold)| {
        let alarm = &view.alarms[*index];
        let asked = |(check, result): (Check, Result<String, Hold>)| match result {
            Ok(saw) => Asked { check: check.word().to_owned(), answer: Answer::Passed, saw },
            Err(hold) => {
                Asked { check: check.word().to_owned(), answer: Answer::Held, saw: hold.sentence(now) }
            }
        };
        let chain = examiner.chain(alarm).into_iter().map(asked).collect();
        Decision { name: alarm.name.clone(), at: now.wall, word: hold.word().to_owned(), chain }
    };
    new.iter().take(MOST_NOTED).map(decision).collect()
}

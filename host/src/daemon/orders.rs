//! What operators have ordered, taken in from the journal when the doorbell rings or somebody else has changed it.
//!
//! Overrides become part of the book; whether one is in force is asked of the policy. An order is obeyed once: it leaves
//! the journal together with the standings that follow from it, so a kill in between loses nothing and repeats nothing
//! that would be counted twice. The hold itself does not wait for any of this: the claim in the journal refuses.

use super::Daemon;
use crate::policy::breaker::Breaker;
use crate::policy::model::{Configured, Job, Name, Outcome, Standing, Trial, Verify};
use crate::policy::settle::settle;
use crate::policy::time::Ticks;
use crate::policy::window::{Override, Scope};
use crate::ports::overrides::{Ordered, Verb};
use crate::ports::{Attempt, JournalError};
use crate::wording;
use std::collections::BTreeSet;
use tracing::{debug, info, warn};

/// What the loop has taken in so far.
#[derive(Default)]
pub(super) struct Doorbell {
    /// When it looks by itself again.
    look_at: Ticks,
    /// Something could not be read; it is tried again at the next look.
    again: bool,
    /// The last order that was obeyed. It still stands in the journal if that could not be written.
    obeyed: i64,
    /// Whose standings an order has changed, until they are stored.
    unwritten: BTreeSet<Name>,
}

impl Daemon {
    /// Looks at most once per beat whether somebody else has changed the journal, for those who do not ring.
    pub(super) fn look(&mut self) {
        let now = self.parts.clock.now().boot;
        if now < self.doorbell.look_at {
            return;
        }
        self.doorbell.look_at = now.after(self.parts.presence.beat());
        if self.doorbell.again || self.parts.journal.changed_by_others() {
            self.orders();
        }
    }

    /// Takes in what operators have ordered.
    pub(super) fn orders(&mut self) {
        // Asked before reading: what changes meanwhile is seen by the next look.
        self.parts.journal.changed_by_others();
        let read = self.parts.journal.overrides().and_then(|all| Ok((all, self.parts.journal.orders()?)));
        self.doorbell.again = false;
        match read {
            Ok((overrides, orders)) => {
                self.take_in(overrides);
                self.obey(&orders);
            }
            Err(error) => self.later(&error),
        }
    }

    /// Says what is new and what is over, each once.
    fn take_in(&mut self, overrides: Vec<Override>) {
        let now = self.parts.clock.now().wall;
        let in_force = |all: &[Override]| -> Vec<Override> {
            all.iter().filter(|given| given.is_in_force(now)).cloned().collect()
        };
        let (before, after) = (in_force(&self.book.overrides), in_force(&overrides));
        for given in after.iter().filter(|given| !before.contains(given)) {
            info!("{}", wording::ordered(given));
        }
        let same = |a: &Override, b: &Override| a.scope == b.scope && a.order == b.order;
        for over in before.iter().filter(|over| !after.iter().any(|given| same(over, given))) {
            info!("{}", wording::released(over));
        }
        self.book.overrides = overrides;
    }

    fn obey(&mut self, orders: &[Ordered]) {
        let mut done = Vec::new();
        for Ordered { id, verb, request } in orders {
            if *id > self.doorbell.obeyed {
                match verb {
                    Verb::Reset(scope) => {
                        info!("{}", wording::reset(scope, request));
                        self.reset(scope);
                    }
                    Verb::Counted(attempt) => match self.parts.journal.attempt(*attempt) {
                        Ok(attempt) => attempt.iter().for_each(|attempt| self.count(attempt)),
                        Err(error) => {
                            self.later(&error);
                            break;
                        }
                    },
                }
                self.doorbell.obeyed = *id;
            }
            done.push(*id);
        }
        if done.is_empty() {
            return;
        }
        let standing = |name: &Name| {
            let standing = self.book.standings.get(name).cloned().unwrap_or_default();
            // Marks of handled rows are not stored with the standing: the outbox is their memory.
            (name.clone(), Standing { handled: Vec::new(), in_flight: None, ..standing })
        };
        let standings: Vec<_> = self.doorbell.unwritten.iter().map(standing).collect();
        match self.parts.journal.obeyed(&done, &standings) {
            Ok(()) => self.doorbell.unwritten.clear(),
            Err(error) => self.later(&error),
        }
    }

    fn later(&mut self, error: &JournalError) {
        self.doorbell.again = true;
        debug!("{}", wording::no_journal(error));
    }

    /// Closes breakers and forgets failures.
    fn reset(&mut self, scope: &Scope) {
        let covered: Vec<_> =
            self.book.standings.keys().filter(|name| covers(scope, name)).cloned().collect();
        for name in covered {
            let forgiven = self.book.standings.get(&name).map(Standing::forgiven);
            self.book.stands(&name, forgiven.unwrap_or_default());
            self.doorbell.unwritten.insert(name);
        }
    }

    /// Counts a restart by hand as one of the loop's own.
    fn count(&mut self, attempt: &Attempt) {
        let name = &attempt.name;
        let Some((_, end, attempts, detail)) = &attempt.ended else { return };
        let (Configured::Yes(rules), _) = self.parts.catalog.look_up(name) else { return };
        let now = self.parts.clock.now();
        let before = self.book.standings.get(name).cloned().unwrap_or_default();
        let trial = match before.breaker {
            Breaker::Open { .. } => Trial::Probe,
            Breaker::Closed { .. } => Trial::No,
        };
        let job = Job { name: name.clone(), alarms: Vec::new(), verify: Verify::AfterOnly, trial };
        let outcome = Outcome { end: *end, attempts: *attempts, detail: detail.clone() };
        info!("{}", wording::by_hand(name, &outcome));
        let settled = settle(&before, &rules, &job, &outcome, now);
        for notice in &settled.notices {
            warn!("{}", wording::notice(name, notice, now));
        }
        // A job of the loop's own may have begun since; this is not its end.
        self.book.stands(name, Standing { in_flight: before.in_flight, ..settled.standing });
        self.doorbell.unwritten.insert(name.clone());
    }
}

/// Whether a scope covers a process. No process is a member of a group as long as no section can say so.
fn covers(scope: &Scope, name: &Name) -> bool {
    scope.covers(name, None)
}

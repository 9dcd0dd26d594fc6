//! What operators have ordered, taken in from the journal when the doorbell rings or somebody else has changed it.
//!
//! Overrides become part of the book; whether one is in force is asked of the policy. An order is obeyed once: it leaves
//! the journal together with the standings that follow from it, so a kill in between loses nothing and repeats nothing
//! that would be counted twice. The hold itself does not wait for any of this: the claim in the journal refuses.

use super::Daemon;
use super::judging::Noted;
use crate::failpoint::{self, Point};
use crate::policy::breaker::Admission;
use crate::policy::mass::Stage;
use crate::policy::model::{Checked, Configured, End, Job, Name, Outcome, Trial};
use crate::policy::settle;
use crate::policy::time::Ticks;
use crate::policy::time::Wall;
use crate::policy::window::{Override, Scope};
use crate::ports::overrides::{Entry, Ordered, Request, Verb, Wanted, covers_nobody, end_of};
use crate::ports::{Attempt, JournalError};
use crate::wording;
use std::collections::BTreeSet;
use tracing::{debug, info, warn};

/// So many entries of the audit are looked at for what one order came to.
const MOST_LOOKED_AT: usize = 1_000;

/// What the loop has taken in so far.
#[derive(Default)]
pub(super) struct Doorbell {
    /// When it looks by itself again.
    look_at: Ticks,
    /// Something could not be read; it is tried again at the next look.
    again: bool,
    /// The last order that was obeyed. It still stands in the journal if that could not be written.
    obeyed: i64,
    /// Overrides that were said to be in force.
    said: Vec<Override>,
    /// Those that are over, which has been said.
    over: Vec<Override>,
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
        // Whoever restarts by hand may be killed, and changes nothing by that.
        let waits = !self.book.by_hand.is_empty();
        if self.doorbell.again || waits || self.parts.journal.changed_by_others() {
            self.orders();
        }
    }

    /// Takes in what operators have ordered.
    pub(super) fn orders(&mut self) {
        // Asked before reading: what changes meanwhile is seen by the next look.
        self.parts.journal.changed_by_others();
        let read = self.parts.journal.overrides().and_then(|all| Ok((all, self.parts.journal.orders()?)));
        self.doorbell.again = false;
        self.parts.catalog.reread_windows();
        match read {
            Ok((overrides, orders)) => {
                self.take_in(overrides);
                self.by_hand();
                self.obey(&orders);
                // A restart by hand may have ended.
                self.publisher.look();
            }
            Err(error) => self.later(&error),
        }
    }

    /// Takes in who is being restarted by hand.
    fn by_hand(&mut self) {
        match self.parts.journal.elsewhere() {
            Ok(under_way) => self.book.elsewhere(under_way, self.parts.clock.now()),
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
        self.doorbell.said.clone_from(&after);
        let same = |a: &Override, b: &Override| a.scope == b.scope && a.order == b.order;
        for over in before.iter().filter(|over| !after.iter().any(|given| same(over, given))) {
            info!("{}", wording::released(over, self.released_by(over).as_ref()));
        }
        self.doorbell.over.retain(|given| overrides.contains(given));
        for given in overrides.iter().filter(|given| given.until.is_some_and(|until| until <= now)) {
            self.say_over(given, now);
        }
        self.book.overrides = overrides;
    }

    /// Says which overrides have ended by themselves.
    pub(super) fn say_what_is_over(&mut self) {
        if self.doorbell.said.is_empty() {
            return;
        }
        let now = self.parts.clock.now().wall;
        let over: Vec<_> = self.doorbell.said.extract_if(.., |given| !given.is_in_force(now)).collect();
        over.iter().for_each(|given| self.say_over(given, now));
    }

    /// Says and audits that an override has ended by itself, once: also when that was while no pm ran.
    fn say_over(&mut self, given: &Override, now: Wall) {
        if self.doorbell.over.contains(given) {
            return;
        }
        self.doorbell.over.push(given.clone());
        let entry = end_of(given, now);
        let same =
            |old: &Entry| old.verb == entry.verb && old.scope == entry.scope && old.until == entry.until;
        let wanted = Wanted { of: None, group: None, since: given.until, limit: MOST_LOOKED_AT };
        let audited = self.parts.journal.audited(&wanted).unwrap_or_default();
        if audited.iter().any(|old| same(&old.entry)) {
            return;
        }
        info!("{}", wording::ended(given));
        if let Err(error) = self.parts.journal.audit(&[entry]) {
            debug!("{}", wording::no_journal(&error));
        }
    }

    /// Says which overrides are in force and cover nobody any more: whoever gave them believes otherwise.
    pub(super) fn say_who_covers_nobody(&mut self) {
        let now = self.parts.clock.now().wall;
        for given in self.book.overrides.iter().filter(|given| given.is_in_force(now)) {
            let nobody = match &given.scope {
                Scope::All => false,
                Scope::Group(name) => self.book.arrangement.related.members(name).is_empty(),
                Scope::Process(name) => self.parts.catalog.look_up(name).0 == Configured::No,
            };
            if nobody {
                warn!("{}", covers_nobody(given));
            }
        }
    }

    /// Who has released an override, as far as the audit tells.
    fn released_by(&self, over: &Override) -> Option<Request> {
        let wanted = Wanted { of: None, group: None, since: None, limit: MOST_LOOKED_AT };
        let audited = self.parts.journal.audited(&wanted).unwrap_or_default();
        let its = |entry: &Entry| entry.verb.starts_with("release") && entry.scope == over.scope;
        audited.into_iter().map(|one| one.entry).find(its).map(|entry| entry.request)
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
                    Verb::Believe if self.book.state.mass.stage == Stage::None => {
                        info!("{}", wording::nothing_to_believe(request));
                    }
                    Verb::Believe => {
                        info!("{}", wording::believed(request));
                        self.book.state.believe();
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
        let standings: Vec<_> =
            self.doorbell.unwritten.iter().map(|name| (name.clone(), self.kept(name))).collect();
        failpoint::pass(Point::OrderObeyed);
        match self.parts.journal.obeyed(&done, &standings) {
            Ok(()) => {
                failpoint::pass(Point::OrderDone);
                self.doorbell.unwritten.clear();
            }
            Err(error) => self.later(&error),
        }
    }

    fn later(&mut self, error: &JournalError) {
        self.doorbell.again = true;
        debug!("{}", wording::no_journal(error));
    }

    /// Closes breakers and forgets failures.
    fn reset(&mut self, scope: &Scope) {
        let related = &self.book.arrangement.related;
        let covered = |name: &&Name| scope.covers(name, related.group_of(name));
        let names: Vec<_> = self.book.state.standings.keys().filter(covered).cloned().collect();
        for name in names {
            self.book.state.reset(&name);
            self.doorbell.unwritten.insert(name);
        }
        let groups: Vec<_> = match scope {
            Scope::All => self.book.state.groups.keys().cloned().collect(),
            Scope::Group(group) => vec![group.clone()],
            Scope::Process(_) => Vec::new(),
        };
        for group in groups {
            self.book.state.reset_group(&group);
        }
    }

    /// Counts a restart by hand as one of the loop's own.
    fn count(&mut self, attempt: &Attempt) {
        let name = &attempt.name;
        let Some((ended, end, attempts, detail)) = &attempt.ended else { return };
        let (Configured::Yes(rules), _) = self.parts.catalog.look_up(name) else { return };
        let now = self.parts.clock.now();
        let standing = self.book.state.standing(name);
        let trial = match standing.map(|standing| standing.breaker.admits(&rules, now.boot)) {
            None | Some(Admission::Allowed) => Trial::No,
            Some(_) => Trial::Probe,
        };
        // Without a check its own result is believed, also as the answer to the alarms that stood before. With one they
        // are looked at.
        let alarms = match (rules.check, end) {
            (Checked::Unchecked, End::Restarted) => self.book.alarms_before(name, *ended, now),
            _ => Vec::new(),
        };
        let job = Job { alarms, ..Job::by_hand(name, trial) };
        let plain = Outcome::new(*end, *attempts, detail.clone());
        let outcome = Outcome { rung: rung(attempt, &rules.ladder), ..plain };
        info!("{}", wording::by_hand(name, &outcome));
        let intake = self.intake();
        let (state, view) = self.book.judged(intake);
        let settled = settle::count(state, &view, &rules, &job, &outcome, now);
        self.say_notices(&settled.notices, now);
        self.doorbell.unwritten.insert(name.clone());
        self.write_back(&job, settled, Noted::No);
    }
}

/// The step of the ladder that made a restart by hand, as the ladder is now; none when it came to no restart, or when
/// there is no such step any more.
pub(super) fn rung(attempt: &Attempt, ladder: &[Name]) -> Option<u32> {
    let by = attempt.by.as_deref()?;
    u32::try_from(ladder.iter().position(|step| step.as_str() == by)?).ok()
}

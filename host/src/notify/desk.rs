//! What is to be sent to one receiver, and when. Pure: no I/O, `now` is an argument.
//!
//! * The same event about the same subject is told once in `deduplicate`; what came meanwhile is told at its end, as one
//!   notice with a count. Another event of its family (a breaker that closes) is news at any time.
//! * `rate_limit` bounds how many are told; what is held back arrives as one summary when there is room again.
//! * The queue is bounded; when it is full the least urgent goes, and is counted.
//! * What fails is tried again, after pauses that grow, until its time is over. A receiver that failed several times in a
//!   row is taken for broken: it gets one try a minute until one succeeds.

use super::item::{Item, What};
use crate::policy::bucket::{Bucket, Budget};
use crate::policy::time::{Now, Ticks};
use crate::spec::{EventKind, Receiver};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;

/// So many wait at the most.
const MOST_WAITING: usize = 100;
/// So many subjects are remembered for deduplication; beyond that everything is news.
const MOST_REMEMBERED: usize = 1_000;
/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause, and that of a broken receiver.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// So many failures in a row make a receiver a broken one.
const BROKEN_AFTER: u32 = 5;

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send this, and tell how it [ended](Desk::ended).
    Send(Box<Item>),
    /// Nothing before this moment.
    Wait(Ticks),
    /// Nothing until something happens.
    Rest,
    /// Nothing any more: pm leaves, and so many are not delivered.
    Leave(u32),
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Delivered,
    /// It may work another time.
    Failed,
    /// It will not work before somebody changes something.
    Refused,
}

/// What the log should say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// The first failure in a row; it is tried again.
    Fails,
    /// It has failed so often that it is tried once a minute only.
    Broken,
    /// It works again.
    Works,
    /// A notice of this event is given up.
    GivenUp(EventKind),
    /// The queue is full; so it is for the first time since it was empty.
    Full,
}

#[derive(Debug)]
struct Queued {
    item: Item,
    /// Until when it is tried.
    until: Ticks,
    tried: bool,
}

/// What was told last of a subject.
#[derive(Debug)]
struct Told {
    kind: EventKind,
    at: Ticks,
    /// The newest repetition since.
    repeated: Option<Item>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Desk {
    rate: Budget,
    deduplicate: Duration,
    retry_for: Duration,
    waiting: VecDeque<Queued>,
    told: HashMap<(&'static str, String), Told>,
    bucket: Bucket,
    held: BTreeMap<EventKind, u32>,
    lost: u32,
    full: bool,
    /// Failures in a row.
    failures: u32,
    not_before: Ticks,
    /// The first one is on its way.
    sending: bool,
    leaving: bool,
    words: Vec<Word>,
}

impl Desk {
    /// An empty one.
    pub(super) fn of(receiver: &Receiver) -> Self {
        Self {
            rate: receiver.rate,
            deduplicate: receiver.deduplicate,
            retry_for: receiver.retry_for,
            waiting: VecDeque::new(),
            told: HashMap::new(),
            bucket: Bucket::default(),
            held: BTreeMap::new(),
            lost: 0,
            full: false,
            failures: 0,
            not_before: Ticks(0),
            sending: false,
            leaving: false,
            words: Vec::new(),
        }
    }

    /// Something is to be told.
    pub(super) fn take(&mut self, item: Item, now: Ticks) {
        if self.is_repetition(&item, now) {
            return;
        }
        self.admit(item, now);
    }

    /// Whether the same was told a while ago; it is kept for later then.
    fn is_repetition(&mut self, item: &Item, now: Ticks) -> bool {
        if self.deduplicate.is_zero() {
            return false;
        }
        let (deduplicate, key) = (self.deduplicate, (item.family(), item.subject.clone()));
        if let Some(told) = self.told.get_mut(&key)
            && told.kind == item.kind
            && now < told.at.after(deduplicate)
        {
            let before = told.repeated.as_ref().map_or(0, |item| item.repeated);
            told.repeated = Some(Item { repeated: before.saturating_add(1), ..item.clone() });
            return true;
        }
        self.told.retain(|_, told| told.repeated.is_some() || now < told.at.after(deduplicate));
        if self.told.len() < MOST_REMEMBERED || self.told.contains_key(&key) {
            self.told.insert(key, Told { kind: item.kind, at: now, repeated: None });
        }
        false
    }

    /// Within the limit into the queue, beyond it into the summary.
    fn admit(&mut self, item: Item, now: Ticks) {
        // What was held back goes first, so a summary never comes behind what it should have preceded for long.
        if self.bucket.left(self.rate, now) == Some(0) || !self.held.is_empty() {
            let count = self.held.entry(item.kind).or_default();
            *count = count.saturating_add(item.repeated);
            return;
        }
        self.bucket = self.bucket.taken(self.rate, now);
        self.queue(item, now);
    }

    fn queue(&mut self, item: Item, now: Ticks) {
        if self.waiting.len() >= MOST_WAITING {
            if !std::mem::replace(&mut self.full, true) {
                self.words.push(Word::Full);
            }
            self.lost = self.lost.saturating_add(1);
            // The first one of the least urgent; not the one that is on its way.
            let least = (usize::from(self.sending)..self.waiting.len())
                .min_by_key(|at| self.waiting[*at].item.severity);
            match least.filter(|at| self.waiting[*at].item.severity <= item.severity) {
                Some(at) => self.waiting.remove(at),
                None => return,
            };
        }
        self.waiting.push_back(Queued { item, until: now.after(self.retry_for), tried: false });
    }

    /// What to do now.
    pub(super) fn step(&mut self, now: Now) -> Step {
        self.repetitions(now.boot);
        self.summary(now);
        self.expire(now.boot);
        let pause = self.not_before > now.boot;
        match self.waiting.front_mut() {
            Some(front) if !pause || (self.leaving && !front.tried && self.failures == 0) => {
                (front.tried, self.sending) = (true, true);
                return Step::Send(Box::new(front.item.clone()));
            }
            _ if self.leaving => {
                let waiting = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
                return Step::Leave(waiting.saturating_add(self.lost));
            }
            _ => {}
        }
        let repetition = self.told.values().filter(|told| told.repeated.is_some());
        let repetition = repetition.map(|told| told.at.after(self.deduplicate)).min();
        let summary = (!self.held.is_empty()).then(|| self.bucket.next(self.rate, now.boot));
        let retry = (!self.waiting.is_empty()).then_some(self.not_before);
        match [repetition, summary, retry].into_iter().flatten().min() {
            // Never in the past: what is due now has been done above.
            Some(at) => Step::Wait(at.max(Ticks(now.boot.0 + 1))),
            None => Step::Rest,
        }
    }

    /// How the try of the first one ended.
    pub(super) fn ended(&mut self, ended: Ended, now: Ticks) {
        self.sending = false;
        if ended == Ended::Delivered {
            self.waiting.pop_front();
            if std::mem::take(&mut self.failures) > 0 {
                self.words.push(Word::Works);
            }
            self.not_before = Ticks(0);
            self.full &= !self.waiting.is_empty();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.not_before = now.after(pause(self.failures));
        match self.failures {
            1 if ended == Ended::Failed => self.words.push(Word::Fails),
            BROKEN_AFTER => self.words.push(Word::Broken),
            _ => {}
        }
        if ended == Ended::Refused {
            self.give_up_first();
        }
        self.expire(now);
    }

    /// pm leaves: what waits is tried once, without pauses.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
    }

    /// What the log should say; asked after each change.
    pub(super) fn words(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.words)
    }

    /// Sends the repetitions whose time has come.
    fn repetitions(&mut self, now: Ticks) {
        let (deduplicate, leaving) = (self.deduplicate, self.leaving);
        let mut due: Vec<Item> = Vec::new();
        for told in self.told.values_mut().filter(|told| leaving || told.at.after(deduplicate) <= now) {
            if let Some(item) = told.repeated.take() {
                told.at = now;
                due.push(item);
            }
        }
        due.sort_by_key(|item| item.at.boot);
        for item in due {
            self.admit(item, now);
        }
    }

    /// Tells what was held back or lost, as soon as there is room and somebody who listens.
    fn summary(&mut self, now: Now) {
        let room = self.leaving || self.bucket.left(self.rate, now.boot) != Some(0);
        let tell_lost = self.lost > 0 && self.failures == 0 && self.waiting.is_empty() && !self.leaving;
        if !room || (self.held.is_empty() && !tell_lost) {
            return;
        }
        self.bucket = self.bucket.taken(self.rate, now.boot);
        let lost = if tell_lost { std::mem::take(&mut self.lost) } else { 0 };
        let held = std::mem::take(&mut self.held);
        let urgent = held.keys().map(|kind| kind.severity()).max().unwrap_or_default();
        let item = Item {
            kind: EventKind::HeldBack,
            severity: urgent.max(EventKind::HeldBack.severity()),
            subject: String::new(),
            id: format!("held-back-{}", now.wall.0),
            what: What::HeldBack(held, lost),
            at: now,
            repeated: 1,
        };
        self.queue(item, now.boot);
    }

    /// Gives up what was tried and whose time is over; and what was not tried, once it is clear that it comes too late.
    fn expire(&mut self, now: Ticks) {
        let failing = self.failures > 0;
        let over = |front: &Queued| {
            let late = front.until.after(LONGEST_PAUSE);
            if front.tried { front.until <= now } else { failing && late <= now }
        };
        while self.waiting.front().is_some_and(over) {
            self.give_up_first();
        }
    }

    fn give_up_first(&mut self) {
        if let Some(Queued { item, .. }) = self.waiting.pop_front() {
            self.lost = self.lost.saturating_add(1);
            self.words.push(Word::GivenUp(item.kind));
        }
    }
}

/// The pause after so many failures in a row.
fn pause(failures: u32) -> Duration {
    if failures >= BROKEN_AFTER {
        return LONGEST_PAUSE;
    }
    FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST_PAUSE)
}

#[cfg(test)]
pub(super) mod tests;

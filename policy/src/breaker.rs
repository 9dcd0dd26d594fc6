//! The circuit breaker of one process. **closed = restarts allowed, open = restarts refused.**
//!
//! What is counted are restarts that were not followed by a stable period, whether they failed or seemed to succeed.
//! Two things open it: so many of them within the window, or so many failed ones in a row, however long they took.
//! It stays open for a time that doubles with each level, spread so that a fleet does not come back as one herd. Then
//! it is half-open: exactly one restart, and a stable period without an alarm closes it. Each further stable period
//! takes one level away. Nothing happens by itself: every change has an event or the passing of time as its cause.

use crate::dice::spread;
use crate::model::Rules;
use crate::name::Name;
use crate::time::Ticks;
use std::time::Duration;

/// The longest memory of trouble: beyond it the open time has long reached its ceiling.
const HIGHEST: u8 = 20;

/// What is remembered of a breaker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Breaker {
    /// Where it stands.
    pub state: State,
    /// How often it has opened without being forgiven; 0 to 20.
    pub level: u8,
    /// Failed jobs in a row.
    pub failures: u32,
    /// When the restarts of the last window began that were not (yet) followed by a stable period; oldest first.
    pub useless: Vec<Ticks>,
    /// Since when nothing has disturbed it, or since when the present stable period counts.
    pub quiet_from: Option<Ticks>,
}

/// Where a breaker stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// Restarts are allowed.
    #[default]
    Closed,
    /// Restarts are refused.
    Open {
        /// When one trial is allowed.
        until: Ticks,
    },
    /// One restart decides.
    HalfOpen(Probe),
}

/// The one restart of a half-open breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// It may be made as soon as there is an alarm.
    Due,
    /// It was made and seemed to help; a stable period has to follow.
    Used,
}

/// What a breaker answers to a believed alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Closed: go.
    Allowed,
    /// Half-open: exactly one restart.
    Probe,
    /// A restart more would open it; look whether the alarm is true before anything is concluded.
    Spent,
    /// Open.
    Refused {
        /// When one trial is allowed.
        until: Ticks,
    },
}

/// It opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Restarts that did not help.
    pub count: u32,
    /// The level from now on.
    pub level: u8,
    /// When one trial is allowed.
    pub until: Ticks,
}

/// What a stable period brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgiven {
    /// The half-open breaker closed.
    Closed,
    /// The restarts of the window proved useful and count no more.
    Restarts,
    /// One level less.
    Level,
}

impl Breaker {
    /// How many restarts did not help: those of the window, or the failed ones in a row if these are more.
    #[must_use]
    pub fn count(&self, rules: &Rules, now: Ticks) -> u32 {
        let recent = self.useless.iter().filter(|began| now.since(**began) < rules.window).count();
        self.failures.max(u32::try_from(recent).unwrap_or(u32::MAX))
    }

    /// Whether a job may begin now.
    #[must_use]
    pub fn admits(&self, rules: &Rules, now: Ticks) -> Admission {
        match self.state {
            State::Closed if self.count(rules, now) >= rules.threshold.max(1) => Admission::Spent,
            State::Closed => Admission::Allowed,
            State::Open { until } if now < until => Admission::Refused { until },
            State::Open { .. } | State::HalfOpen(Probe::Due) => Admission::Probe,
            State::HalfOpen(Probe::Used) => Admission::Spent,
        }
    }

    /// A restart that began at `began` seemed to help. Whatever was restarted while it was not closed was its trial:
    /// also by hand, or past an open breaker by a bypass.
    pub fn restarted(&mut self, began: Ticks) {
        if self.state != State::Closed {
            self.state = State::HalfOpen(Probe::Used);
        }
        self.useless.push(began);
        self.failures = 0;
    }

    /// The process turned out healthy without a restart, so a half-open breaker keeps its trial. The quiet goes on,
    /// without the time since `unknown`, in which nobody knew.
    pub fn healthy(&mut self, unknown: Ticks, now: Ticks) {
        self.unseen(unknown, now);
        self.failures = 0;
        self.quiet(now);
    }

    /// Nobody could see the process between `since` and `now`: the quiet goes on without that time.
    pub fn unseen(&mut self, since: Ticks, now: Ticks) {
        self.quiet_from = without(self.quiet_from, since, now);
    }

    /// A restart that began at `began` did not help.
    pub fn failed(&mut self, rules: &Rules, name: &Name, began: Ticks, now: Ticks) -> Option<Opened> {
        self.quiet_from = None;
        self.failures = self.failures.saturating_add(1);
        self.useless.push(began);
        let opens = match self.state {
            State::Closed => self.count(rules, now) >= rules.threshold.max(1),
            // An operator wanted it so; that is counted, and it stays open for as long as it would have anyway.
            State::Open { until } if now < until => false,
            State::Open { .. } | State::HalfOpen(_) => true,
        };
        opens.then(|| self.open(rules, name, now))
    }

    /// There is an alarm, and it is believed.
    pub fn alarmed(&mut self, rules: &Rules, name: &Name, now: Ticks) -> Option<Opened> {
        self.quiet_from = None;
        (self.admits(rules, now) == Admission::Spent).then(|| self.open(rules, name, now))
    }

    /// Something that says nothing about the process disturbed the quiet: an operator, a window, a database that is
    /// away; whether there was quiet.
    pub fn disturbed(&mut self) -> bool {
        self.quiet_from.take().is_some()
    }

    /// Whether the last restart, which seemed to help, would have lasted cannot be known any more: it counts neither way,
    /// and a half-open breaker has its trial again.
    pub fn unjudged(&mut self) {
        self.useless.pop();
        if self.is_half_open() {
            self.state = State::HalfOpen(Probe::Due);
        }
    }

    /// There is no alarm; whether the quiet begins now. Where nothing is to be forgiven, none is measured.
    pub fn quiet(&mut self, now: Ticks) -> bool {
        let before = self.quiet_from;
        self.quiet_from = (!self.is_clean()).then(|| before.unwrap_or(now));
        before.is_none() && self.quiet_from.is_some()
    }

    /// Lets time pass to `now`; whether the open breaker became half-open.
    pub fn elapse(&mut self, now: Ticks) -> bool {
        let State::Open { until } = self.state else { return false };
        if now < until {
            return false;
        }
        self.state = State::HalfOpen(Probe::Due);
        self.quiet_from = self.quiet_from.map(|from| from.max(until));
        true
    }

    /// Forgives one stable period, if one has passed; ask again until there is none.
    pub fn forgive(&mut self, rules: &Rules, now: Ticks) -> Option<Forgiven> {
        let from = self.quiet_from?;
        if matches!(self.state, State::Open { .. }) || now.since(from) < rules.stable || self.is_clean() {
            return None;
        }
        let half_open = self.is_half_open();
        let forgiven = if half_open || self.failures > 0 || !self.useless.is_empty() {
            (self.state, self.failures) = (State::Closed, 0);
            self.useless.clear();
            if half_open { Forgiven::Closed } else { Forgiven::Restarts }
        } else {
            self.level -= 1;
            Forgiven::Level
        };
        self.quiet_from = (!self.is_clean()).then(|| from.after(rules.stable));
        Some(forgiven)
    }

    /// Forgets restarts that have left the window, but for the last: it still has to be followed by a stable period.
    pub fn prune(&mut self, rules: &Rules, now: Ticks) {
        let recent = |began: &Ticks| now.since(*began) < rules.window;
        let last = self.useless.len().saturating_sub(1);
        let first = self.useless.iter().position(recent).unwrap_or(last);
        self.useless.drain(..first);
    }

    /// The breaker after a reboot: restarts of another boot say nothing, so an open one is due for its trial.
    #[must_use]
    pub fn after_reboot(&self) -> Self {
        let state = match self.state {
            State::Closed => State::Closed,
            State::Open { .. } | State::HalfOpen(_) => State::HalfOpen(Probe::Due),
        };
        Self { state, level: self.level, ..Self::default() }
    }

    /// `closed`, `open` or `half-open`.
    #[must_use]
    pub fn word(&self, now: Ticks) -> &'static str {
        match self.state {
            State::Closed => "closed",
            State::Open { until } if now < until => "open",
            State::Open { .. } | State::HalfOpen(_) => "half-open",
        }
    }

    fn is_half_open(&self) -> bool {
        matches!(self.state, State::HalfOpen(_))
    }

    /// Whether there is nothing to be forgiven.
    pub(crate) fn is_clean(&self) -> bool {
        self.state == State::Closed && self.level == 0 && self.failures == 0 && self.useless.is_empty()
    }

    fn open(&mut self, rules: &Rules, name: &Name, now: Ticks) -> Opened {
        self.level = self.level.saturating_add(1).min(HIGHEST);
        let time = open_time(rules.open_time, rules.open_max, self.level);
        let until = now.after(spread(time, rules.open_jitter, name, now.0));
        self.state = State::Open { until };
        Opened { count: self.count(rules, now), level: self.level, until }
    }
}

/// A stable period that has counted since `from`, without the time between `since` and `now`.
pub(crate) fn without(from: Option<Ticks>, since: Ticks, now: Ticks) -> Option<Ticks> {
    from.map(|from| from.after(now.since(since.max(from))))
}

/// The time that a breaker stays open at a level: doubled with each, up to `most`, never below `first`.
#[must_use]
pub fn open_time(first: Duration, most: Duration, level: u8) -> Duration {
    let doubled = first.saturating_mul(2_u32.saturating_pow(u32::from(level.saturating_sub(1))));
    doubled.min(most.max(first))
}

#[cfg(test)]
mod tests;

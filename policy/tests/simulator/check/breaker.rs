//! The rules of one process: so many restarts, so far apart.

use super::{Verdict, ensure};
use crate::world::{MINUTE, Ms};
use pm_policy::model::{Cause, End, Job, Name, Rules, Trial, Verify};
use std::time::Duration;

/// What is known of the breaker of a process by what was announced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Closed,
    /// Open, then half-open: nothing before `until`, one restart after it.
    Open { until: Ms, probe: Option<Ms> },
}

/// What is known of a process.
#[derive(Debug, Default)]
pub(crate) struct Shadow {
    phase: Phase,
    level: u8,
    opened_at: Ms,
    /// Counted restarts that nothing can have forgiven.
    starts: Vec<Ms>,
    failures: u32,
    /// The same, forgiving nothing.
    all_starts: Vec<Ms>,
    all_failures: u32,
    /// When the job that runs began.
    began: Ms,
    counted_end: Option<Ms>,
    /// The last restart that counts seemed to help and has to be followed by a stable period.
    on_trial: bool,
    last_end: Option<Ms>,
    /// It was removed from the configuration for a while, so its breaker may be another one than was announced.
    vague: bool,
    pause_until: Ms,
    /// When a restart of pm was verified, unless it was bad since.
    pub(crate) good_at: Option<Ms>,
    /// Since when it has been seen in alarm without a break.
    pub(crate) seen_since: Option<Ms>,
    /// That was so in a maintenance window.
    pub(crate) in_window: bool,
    /// Planned work may have left its alarm behind: until it was restarted, looked at, or out of the table for a while.
    pub(crate) left_over: bool,
    /// Since when the table shows nothing of it.
    gone_since: Option<Ms>,
    /// The last job found it bad.
    pub(crate) bad: bool,
}

/// What was out of the table for so long is gone for pm as well, whatever kept it from looking.
const GONE: Ms = MINUTE;

impl Shadow {
    /// A restart begins that neither an operator asked for nor a bypass lets through.
    pub(crate) fn begins(&mut self, rules: &Rules, job: &Job, t: Ms) -> Verdict {
        let name = &job.name;
        self.forgive(rules, t);
        ensure(t >= self.pause_until, "a driver that failed is left alone", || format!("{name} at {t}"))?;
        let for_a_dependency = job.alarms.is_empty() && job.trial == Trial::No;
        match &mut self.phase {
            Phase::Closed if for_a_dependency => {}
            Phase::Closed => {
                let limit = rules.threshold.max(1);
                let recent =
                    self.starts.iter().filter(|began| u128::from(t - **began) < rules.window.as_millis());
                let count = (recent.count() as u32).max(self.failures);
                ensure(count < limit, "so many restarts in a window", || {
                    format!("{name}: {count} of {limit} at {t}")
                })?;
            }
            Phase::Open { until, probe } => {
                let early = *until;
                ensure(t >= early, "nothing while a breaker is open", || {
                    format!("{name} at {t}, open until {early}")
                })?;
                if !for_a_dependency {
                    ensure(probe.is_none(), "one restart decides", || {
                        format!("{name} at {t} after {probe:?}")
                    })?;
                    *probe = Some(t);
                }
            }
        }
        Ok(())
    }

    /// A restart waits after one that did not help: not longer than `longest`, before it is spread.
    pub(crate) fn pauses(&mut self, rules: &Rules, job: &Job, longest: Duration, t: Ms) -> Verdict {
        let name = &job.name;
        self.forgive(rules, t);
        if job.trial == Trial::No
            && let Some(ended) = self.last_end
        {
            let count = (self
                .starts
                .iter()
                .filter(|began| u128::from(t - **began) < rules.window.as_millis())
                .count() as u32)
                .max(self.failures);
            let pause = if count == 0 { 0 } else { rules.pause.after(count).min(longest).as_millis() as u64 };
            let least = ended + pause * (100 - u64::from(rules.pause_jitter)) / 100;
            ensure(t >= least, "a pause between restarts", || format!("{name} at {t}, not before {least}"))?;
        }
        Ok(())
    }

    /// A restart that nobody told of was made; when the job began that runs besides.
    pub(crate) fn restarts_at(&mut self, t: Ms) -> Ms {
        std::mem::replace(&mut self.began, t)
    }

    pub(crate) fn runs(&mut self, t: Ms) {
        self.began = t;
    }

    /// A job ended; whether the policy must have opened the breaker by it.
    pub(crate) fn settled(&mut self, rules: &Rules, job: &Job, end: End, t: Ms) -> bool {
        self.forgive(rules, t);
        if job.verify != Verify::Only {
            let counted = end == End::Failed || end == End::Restarted && counts(job);
            if counted {
                self.starts.push(self.began);
                self.all_starts.push(self.began);
                (self.counted_end, self.on_trial) = (Some(t), end == End::Restarted);
            } else if let Phase::Open { probe, .. } = &mut self.phase
                && *probe == Some(self.began)
            {
                *probe = None;
            }
            if let Phase::Open { until, probe } = &mut self.phase
                && (end == End::Restarted && counts(job))
            {
                // Also what was made past an open breaker, by hand or by a bypass, is the trial.
                (*until, *probe) = (t.min(*until), Some(self.began));
            }
            if matches!(end, End::Failed | End::Restarted) {
                (self.last_end, self.in_window) = (Some(t), false);
            }
        }
        if job.cause != Cause::MassAlarm && matches!(end, End::Restarted | End::Failed | End::AlreadyHealthy)
        {
            self.left_over = false;
        }
        // What is in alarm after an answer is in alarm anew.
        let answered = end == End::AlreadyHealthy || end == End::Restarted && !job.alarms.is_empty();
        if answered && job.cause != Cause::MassAlarm {
            self.seen_since = None;
        }
        match end {
            End::Restarted => {
                (self.failures, self.all_failures, self.good_at, self.bad) = (0, 0, Some(t), false);
            }
            End::AlreadyHealthy if job.cause != Cause::MassAlarm => {
                (self.failures, self.all_failures, self.bad) = (0, 0, false);
            }
            End::Failed => {
                self.failures += 1;
                self.all_failures += 1;
                (self.good_at, self.bad) = (None, true);
            }
            End::Unhealthy => {
                self.bad = true;
                // A mass alarm's look tells the guard, not the process.
                if job.cause != Cause::MassAlarm {
                    self.good_at = None;
                }
            }
            End::Infrastructure => self.pause_until = t + 10_000,
            End::AlreadyHealthy | End::HandedOver | End::Cancelled => {}
        }
        if end != End::Infrastructure {
            self.pause_until = 0;
        }
        end == End::Failed
            && match self.phase {
                Phase::Closed => self.failures >= rules.threshold.max(1),
                Phase::Open { until, .. } => t >= until,
            }
    }

    /// It is in alarm in a maintenance window: whether the restart before would have lasted is not known any more, so it
    /// counts neither way, and a breaker that is not closed has its one restart again.
    pub(crate) fn worked_on(&mut self) {
        (self.in_window, self.left_over) = (true, true);
        if std::mem::take(&mut self.on_trial) {
            self.starts.pop();
            if let Phase::Open { probe, .. } = &mut self.phase {
                *probe = None;
            }
        }
    }

    /// A poll shows whether it is in alarm.
    pub(crate) fn polled(&mut self, in_alarm: bool, t: Ms) {
        if in_alarm {
            self.gone_since = None;
        } else if t - *self.gone_since.get_or_insert(t) >= GONE {
            self.left_over = false;
        }
    }

    /// Its numbers are others. What left the old window, or was forgiven after the old time, is forgotten.
    pub(crate) fn reloaded(&mut self) {
        (self.starts, self.failures, self.opened_at) = (Vec::new(), 0, 0);
    }

    /// There is no section for it any more, so all of it may be forgotten; or not, as long as something is left of it.
    pub(crate) fn removed(&mut self) {
        (self.phase, self.starts, self.failures, self.last_end) = (Phase::Closed, Vec::new(), 0, None);
        (self.opened_at, self.pause_until, self.on_trial, self.vague) = (0, 0, false, true);
    }

    /// The breaker opened.
    pub(crate) fn opened(&mut self, rules: &Rules, name: &Name, level: u8, until: Ms, t: Ms) -> Verdict {
        let window = rules.window.as_millis();
        let recent = self.all_starts.iter().filter(|began| u128::from(t - **began) < window).count() as u32;
        let enough = recent.max(self.all_failures) >= rules.threshold.max(1);
        let why =
            || format!("{name} at {t}: {recent} restarts, {} failures, {:?}", self.all_failures, self.phase);
        let why_now = match self.phase {
            Phase::Closed => enough,
            Phase::Open { until, .. } => t >= until,
        } || std::mem::take(&mut self.vague);
        ensure(why_now, "a breaker opens for a reason", why)?;
        let (time, spread) = (open_time(rules, level).as_millis() as u64, u64::from(rules.open_jitter));
        let lasts = until - t;
        let right = lasts * 100 + 100 >= time * (100 - spread) && lasts * 100 <= time * (100 + spread) + 100;
        ensure(right, "an open time doubles and is spread", || {
            format!("{name}: level {level} for {lasts} ms")
        })?;
        let forgiven = u128::from(t - self.opened_at) / rules.stable.as_millis().max(1);
        let least = u128::from(self.level + 1).saturating_sub(forgiven).max(1);
        let right = level <= (self.level + 1).min(20) && u128::from(level) >= least.min(20);
        ensure(right, "a level at a time", || format!("{name}: from {} to {level}", self.level))?;
        (self.phase, self.level, self.opened_at) = (Phase::Open { until, probe: None }, level, t);
        Ok(())
    }

    /// For how long it can be open from now on, when nothing fails any more: what is left of the present time, or the one
    /// of the next level.
    pub(crate) fn open_for(&self, rules: &Rules, t: Ms) -> Ms {
        let left = match self.phase {
            Phase::Closed => 0,
            Phase::Open { until, .. } => until.saturating_sub(t),
        };
        let next = open_time(rules, self.level + 1).as_millis() as Ms;
        left.max(next * (100 + u64::from(rules.open_jitter)) / 100)
    }

    /// Something was forgiven.
    pub(crate) fn proved(&mut self, rules: &Rules, name: &Name, t: Ms) -> Verdict {
        let long_enough =
            self.counted_end.is_none_or(|ended| u128::from(t - ended) >= rules.stable.as_millis());
        ensure(long_enough, "only a stable period forgives", || {
            format!("{name} at {t}, after {:?}", self.counted_end)
        })?;
        (self.starts, self.failures, self.on_trial) = (Vec::new(), 0, false);
        Ok(())
    }

    pub(crate) fn closed(&mut self) {
        (self.phase, self.all_failures, self.vague) = (Phase::Closed, 0, false);
        self.all_starts.clear();
    }

    fn forgive(&mut self, rules: &Rules, t: Ms) {
        if self.counted_end.is_some_and(|ended| u128::from(t - ended) >= rules.stable.as_millis()) {
            self.starts.clear();
            self.failures = 0;
        }
    }

    /// Its job got lost with pm.
    pub(crate) fn lost(&mut self) {
        if let Phase::Open { probe, .. } = &mut self.phase
            && *probe == Some(self.began)
        {
            *probe = None;
        }
    }

    pub(crate) fn rebooted(&mut self, t: Ms) {
        let phase = match self.phase {
            Phase::Closed => Phase::Closed,
            Phase::Open { .. } => Phase::Open { until: t, probe: None },
        };
        let Self { level, opened_at, bad, left_over, .. } = *self;
        *self = Self { phase, level, opened_at, bad, left_over, ..Self::default() };
    }

    pub(crate) fn reset(&mut self) {
        let Self { began, good_at, seen_since, in_window, left_over, bad, .. } = *self;
        *self = Self { began, good_at, seen_since, in_window, left_over, bad, ..Self::default() };
    }

    pub(crate) fn last_end(&self) -> Option<Ms> {
        self.last_end
    }
}

/// How long a breaker is open at a level, before it is spread.
fn open_time(rules: &Rules, level: u8) -> Duration {
    let most = rules.open_max.max(rules.open_time);
    (1..level).fold(rules.open_time, |time, _| (time * 2).min(most))
}

/// Whether a restart that helped counts: not one for the sake of a dependency, unless it was a trial.
fn counts(job: &Job) -> bool {
    !matches!(job.cause, Cause::Dependency(_)) || job.trial == Trial::Probe
}

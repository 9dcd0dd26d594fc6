//! The rules of a mass alarm: look first, restart only what was found bad, and let no suspect slip away.

use super::plan::is_live;
use super::{Moment, Verdict, covered, ensure, in_window};
use pm_policy::model::{Alarm, Cause, End, Job, Name, Notice, Order, Sight, Verify, View};
use pm_policy::state::State;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    None,
    Looking,
    Held,
    Believed,
}

#[derive(Debug, Default)]
pub(crate) struct MassShadow {
    phase: Phase,
    suspects: BTreeSet<Name>,
    /// What the last look said.
    bad: BTreeMap<Name, bool>,
    /// Whom planned work may have left in alarm: each is looked at before it is believed.
    left_over: BTreeSet<Name>,
}

impl MassShadow {
    /// Whose alarm calls for something, one for each row.
    fn calls<'a>(&self, view: &View<'a>, state: &State, at: Moment) -> Vec<&'a Name> {
        let left_alone = |name: &Name| {
            let excused = self.left_over.contains(name) && !self.suspects.contains(name);
            excused || covered(view, Order::Hold, name, at.now) || in_window(view, name, at.now)
        };
        let open = view.alarms.iter().filter(|alarm| !alarm.acknowledged && is_live(alarm, state, at));
        open.map(|alarm| &alarm.name).filter(|name| !left_alone(name)).collect()
    }

    pub(crate) fn told(&mut self, notice: &Notice, view: &View<'_>, state: &State, at: Moment) -> Verdict {
        match notice {
            Notice::MassAlarm { alarms, known } => {
                let many = *alarms >= u64::from(view.limits.mass_min)
                    && alarms * 100 > *known * u64::from(view.limits.mass_share);
                let news = matches!(self.phase, Phase::None | Phase::Believed);
                ensure(many && news, "a mass alarm is one", || format!("{alarms} of {known}"))?;
                let suspects = self.calls(view, state, at).into_iter().cloned().collect();
                let left_over = std::mem::take(&mut self.left_over);
                *self = Self { phase: Phase::Looking, suspects, left_over, ..Self::default() };
            }
            Notice::MassHeld { looked, healthy } | Notice::MassBelieved { looked, healthy } => {
                let held = matches!(notice, Notice::MassHeld { .. });
                ensure(self.phase == Phase::Looking, "looking comes first", || format!("{:?}", self.phase))?;
                let good = self.bad.values().filter(|bad| !**bad).count() as u64;
                ensure(
                    (*looked, *healthy) == (self.bad.len() as u64, good),
                    "whoever is looked at is counted",
                    || format!("{healthy} of {looked}: {:?}", self.bad),
                )?;
                ensure((*looked > 0 && healthy * 2 >= *looked) == held, "most decide", || {
                    format!("{healthy} of {looked}")
                })?;
                self.phase = if held { Phase::Held } else { Phase::Believed };
            }
            Notice::MassOver => {
                let left: Vec<_> =
                    self.calls(view, state, at).into_iter().filter(|name| self.is_held(name)).collect();
                ensure(left.is_empty(), "a mass alarm lasts as long as a suspect", || {
                    format!("{left:?} at {}", at.t)
                })?;
                *self = Self::default();
            }
            _ => {}
        }
        Ok(())
    }

    /// A poll shows who is in alarm.
    pub(crate) fn polled(&mut self, in_alarm: &[Alarm]) {
        self.suspects.retain(|name| in_alarm.iter().any(|alarm| alarm.name == *name));
    }

    /// Whose rows are handled is no suspect any more; and when there are so many, the policy must have noticed.
    pub(crate) fn looks(&mut self, view: &View<'_>, left_over: BTreeSet<Name>, state: &State, at: Moment) {
        self.left_over = left_over;
        let live: Vec<_> =
            view.alarms.iter().filter(|alarm| is_live(alarm, state, at)).map(|its| &its.name).collect();
        let handled = |name: &Name| view.alarms.iter().any(|its| its.name == *name) && !live.contains(&name);
        self.suspects.retain(|name| !handled(name));
    }

    /// When there are so many alarms, the policy must have noticed.
    pub(crate) fn noticed(&self, view: &View<'_>, state: &State, at: Moment) -> Verdict {
        let alarms = self.calls(view, state, at).len() as u64;
        // Who is left alone neither makes a mass alarm nor keeps the others from being one.
        let left_alone = |alarm: &&Alarm| {
            let name = &alarm.name;
            let orders = covered(view, Order::Hold, name, at.now) || in_window(view, name, at.now);
            is_live(alarm, state, at) && (alarm.acknowledged || orders)
        };
        let left_alone = view.alarms.iter().filter(left_alone).count() as u64;
        let most = |known: u64| alarms * 100 > (known - left_alone) * u64::from(view.limits.mass_share);
        let many = alarms >= u64::from(view.limits.mass_min) && view.known.is_some_and(most);
        let unnoticed = many && view.sight == Sight::Clear && self.phase == Phase::None;
        ensure(!unnoticed, "a mass alarm is noticed", || format!("{alarms} at {}", at.t))
    }

    /// Whether an alarm is known to be wrong, so that nobody has to wait for it.
    pub(crate) fn disbelieves(&self, name: &Name) -> bool {
        self.phase == Phase::Held && self.bad.get(name) == Some(&false)
    }

    /// Whether a suspect was not found bad.
    fn is_held(&self, name: &Name) -> bool {
        self.phase != Phase::Believed && self.suspects.contains(name) && self.bad.get(name) != Some(&true)
    }

    pub(crate) fn is_suspect(&self, name: &Name) -> bool {
        self.phase != Phase::None && self.suspects.contains(name)
    }

    /// A job begins.
    pub(crate) fn begins(&self, job: &Job, at: Moment) -> Verdict {
        let restarts = job.verify != Verify::Only && job.cause == Cause::Alarm;
        let early = restarts && self.phase == Phase::Looking && self.suspects.contains(&job.name);
        ensure(!early, "look at all before restarting one", || format!("{} at {}", job.name, at.t))?;
        let held = restarts && self.is_held(&job.name);
        ensure(!held, "a suspect is restarted only when it was found bad", || {
            format!("{} at {}", job.name, at.t)
        })
    }

    pub(crate) fn settled(&mut self, job: &Job, end: End) {
        // Whoever was restarted, or found well by a job that was, is not held any more.
        if job.verify != Verify::Only && matches!(end, End::Restarted | End::AlreadyHealthy | End::Failed) {
            self.suspects.remove(&job.name);
        }
        if self.phase != Phase::None && job.cause == Cause::MassAlarm {
            match end {
                End::Unhealthy => drop(self.bad.insert(job.name.clone(), true)),
                End::AlreadyHealthy => drop(self.bad.insert(job.name.clone(), false)),
                _ => {}
            }
        }
    }

    pub(crate) fn believed(&mut self) {
        if self.phase != Phase::None {
            self.phase = Phase::Believed;
        }
    }
}

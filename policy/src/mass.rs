//! The guard against a mass alarm: an `UPDATE` without a `WHERE`, or a fault of the whole host.
//!
//! When more than a share of all rows is in alarm at once, every process that has a check is looked at first and
//! nothing is restarted meanwhile. Unless most of them are bad, the alarms are not to be believed: those that the
//! check finds bad are restarted, all others are held until their alarms go away or an operator believes them. Where
//! nothing has a check nothing speaks against the alarms.
//!
//! An alarm that came with a mass alarm stays under suspicion as long as it stands, also when the others have gone:
//! neither the operator who clears the wrong ones one by one nor pm, which restarts the bad ones, may set off the rest.

use crate::model::{Alarm, Checked, Configured, Limits, Notice, Standing, View};
use crate::name::Name;
use crate::sight::Sights;
use crate::state::State;
use crate::time::{Now, Ticks};
use std::collections::{BTreeSet, HashMap, HashSet};

/// What is remembered of a mass alarm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mass {
    /// Where it stands.
    pub stage: Stage,
    /// Who is in alarm since there were so many.
    pub suspects: BTreeSet<Name>,
    /// What the checks said, and when.
    pub seen: HashMap<Name, (Condition, Ticks)>,
}

/// Where a mass alarm stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    /// There is none.
    #[default]
    None,
    /// Processes are being looked at.
    Looking {
        /// Since when.
        since: Ticks,
    },
    /// Most are not bad: somebody is asked.
    Held {
        /// Processes that were looked at.
        looked: u64,
        /// Those of them that are healthy.
        healthy: u64,
    },
    /// The alarms are believed.
    Believed,
}

/// What a check said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// Good.
    Healthy,
    /// Bad.
    Bad,
}

/// What the guard answers about one alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Go on.
    Pass,
    /// Look at it, restart nothing.
    Look,
    /// Wait.
    Hold,
}

impl Mass {
    /// What to do about an alarm of `name`, which has a check or not.
    #[must_use]
    pub fn guard(&self, name: &Name, checked: Checked, limits: &Limits, now: Ticks) -> Guard {
        if !self.suspects.contains(name) {
            return Guard::Pass;
        }
        let checked = checked == Checked::ByCheck;
        let seen = self.seen.get(name);
        let is_old = |at: &Ticks| now.since(*at) >= limits.mass_recheck;
        match (self.stage, seen) {
            (Stage::None | Stage::Believed, _) => Guard::Pass,
            (Stage::Looking { .. }, None) if checked => Guard::Look,
            (Stage::Looking { .. }, _) => Guard::Hold,
            (Stage::Held { .. }, Some((Condition::Bad, _))) => Guard::Pass,
            (Stage::Held { .. }, Some((Condition::Healthy, at))) if checked && is_old(at) => Guard::Look,
            (Stage::Held { .. }, None) if checked => Guard::Look,
            (Stage::Held { .. }, _) => Guard::Hold,
        }
    }

    /// A process was looked at.
    pub fn looked(&mut self, name: &Name, condition: Condition, now: Ticks) {
        if self.stage != Stage::None {
            self.seen.insert(name.clone(), (condition, now));
        }
    }

    /// An operator believes the alarms.
    pub fn believe(&mut self) {
        if self.stage != Stage::None {
            self.stage = Stage::Believed;
        }
    }

    /// Whether an alarm of `name` is known to be wrong: it is held, and its process was found healthy.
    #[must_use]
    pub fn disbelieves(&self, name: &Name) -> bool {
        let healthy = matches!(self.seen.get(name), Some((Condition::Healthy, _)));
        healthy && matches!(self.stage, Stage::Held { .. })
    }

    /// Ends the looking: most are bad, or not.
    fn conclude(&mut self) -> Notice {
        let looked = self.seen.len() as u64;
        let healthy = self.seen.values().filter(|(seen, _)| *seen == Condition::Healthy).count() as u64;
        if looked > 0 && healthy * 2 >= looked {
            self.stage = Stage::Held { looked, healthy };
            Notice::MassHeld { looked, healthy }
        } else {
            self.stage = Stage::Believed;
            Notice::MassBelieved { looked, healthy }
        }
    }

    /// When a held alarm is looked at again, or the looking ends.
    #[must_use]
    pub fn next(&self, name: &Name, limits: &Limits) -> Option<Ticks> {
        match self.stage {
            Stage::Looking { since } => Some(since.after(limits.mass_look)),
            Stage::Held { .. } => self.seen.get(name).map(|(_, at)| at.after(limits.mass_recheck)),
            Stage::None | Stage::Believed => None,
        }
    }
}

/// Lets the guard see the alarms of a poll.
pub(crate) fn watch(state: &mut State, view: &View<'_>, now: Now, notices: &mut Vec<Notice>) {
    let least = view.limits.mass_min;
    let enough = (1..=view.alarms.len()).contains(&(least as usize));
    if state.mass.stage == Stage::None && !enough {
        return;
    }
    let before = state.mass.clone();
    if least == 0 {
        // Switched off: nobody is held any more. What was under suspicion is looked at like everything in doubt.
        state.mass.believe();
    }
    let wave = Wave::new(state, view, now);
    let mass = &mut state.mass;
    mass.suspects.retain(|name| wave.alarmed.contains(name) || wave.in_hand.contains(name));
    if mass.suspects.is_empty() && mass.stage != Stage::None {
        *mass = Mass::default();
        notices.push(Notice::MassOver);
    }
    if wave.is_mass(view) && wave.is_news(mass, least) {
        mass.stage = Stage::Looking { since: now.boot };
        mass.seen.clear();
        notices.push(Notice::MassAlarm { alarms: wave.alarms, known: wave.known.unwrap_or_default() });
    }
    if wave.is_mass(view) && mass.stage != Stage::Believed {
        mass.suspects.extend(wave.calling.iter().copied().cloned());
    }
    match mass.stage {
        Stage::Looking { since } => {
            let unseen = |name: &&&Name| mass.suspects.contains(**name) && !mass.seen.contains_key(**name);
            let waits = wave.calling.iter().filter(unseen).any(|name| is_checked(view, name));
            // What nobody could look at says nothing, however long it takes.
            let long_enough = now.boot.since(since) >= view.limits.mass_look && !mass.seen.is_empty();
            if !waits || long_enough {
                notices.push(mass.conclude());
            }
        }
        Stage::None | Stage::Held { .. } | Stage::Believed => {
            mass.seen.retain(|name, _| mass.suspects.contains(name));
        }
    }
    state.dirty.host |= state.mass != before;
}

/// The alarms of a poll that somebody would act on.
struct Wave<'a> {
    /// The name of each row.
    calling: Vec<&'a Name>,
    /// How many rows.
    alarms: u64,
    /// All rows but those in alarm that nobody acts on.
    known: Option<u64>,
    /// Everybody in alarm.
    alarmed: HashSet<&'a Name>,
    /// Suspects that somebody works on, or whose row is out of sight until the next poll.
    in_hand: HashSet<Name>,
}

impl<'a> Wave<'a> {
    fn new(state: &State, view: &'a View<'a>, now: Now) -> Self {
        let sights = Sights::new(view, state, now);
        // Where what planned work has left behind comes from is known, and each of it is looked at before it is believed.
        let left_over = |name: &Name| {
            let its = state.standings.get(name);
            its.is_some_and(|its| its.after_window)
                && !state.mass.suspects.contains(name)
                && is_checked(view, name)
        };
        // What nobody would act on anyway neither makes a mass alarm nor has to be looked at.
        let calls = |its: &&Alarm| sights.calls(its) && !left_over(&its.name);
        let live = view.alarms.iter().filter(|its| sights.alarmed.contains(&its.name));
        let (calling, left_alone): (Vec<&Alarm>, Vec<&Alarm>) = live.partition(calls);
        let unseen_yet = |its: &Standing| its.is_out_of_sight(view.polled);
        let in_hand = |name: &&Name| {
            let its = state.standings.get(*name);
            its.is_some_and(|its| its.in_flight.is_some() || its.pause.is_some() || unseen_yet(its))
        };
        Self {
            alarms: calling.len() as u64,
            calling: calling.into_iter().map(|its| &its.name).collect(),
            known: view.known.map(|known| known.saturating_sub(left_alone.len() as u64)),
            in_hand: state.mass.suspects.iter().filter(in_hand).cloned().collect(),
            alarmed: sights.alarmed,
        }
    }

    /// Whether they are too many to be true.
    fn is_mass(&self, view: &View<'_>) -> bool {
        let Limits { mass_min, mass_share, .. } = view.limits;
        let most = |known: u64| self.alarms * 100 > known * u64::from(mass_share);
        mass_min > 0 && self.alarms >= u64::from(mass_min) && self.known.is_some_and(most)
    }

    /// Whether it is another one than that which was believed: what is left of that must not speak for what comes later.
    fn is_news(&self, mass: &Mass, least: u32) -> bool {
        let others = self.calling.iter().filter(|name| !mass.suspects.contains(**name)).count();
        match mass.stage {
            Stage::None => true,
            Stage::Believed => others >= least as usize,
            Stage::Looking { .. } | Stage::Held { .. } => false,
        }
    }
}

fn is_checked(view: &View<'_>, name: &Name) -> bool {
    matches!(view.configured.get(name), Some(Configured::Yes(rules)) if rules.check == Checked::ByCheck)
}

#[cfg(test)]
mod tests;

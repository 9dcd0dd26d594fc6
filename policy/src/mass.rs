//! The guard against a mass alarm: an `UPDATE` without a `WHERE`, or a fault of the whole host.
//!
//! When more than a share of all rows is in alarm at once, every process that has a check is looked at first and
//! nothing is restarted meanwhile. If most of them are healthy, the alarms are not to be believed: those that the
//! check finds bad are restarted, all others are held until their alarms go away or an operator believes them.
//!
//! An alarm that came with a mass alarm stays under suspicion as long as it stands, also when the others have gone:
//! neither the operator who clears the wrong ones one by one nor pm, which restarts the bad ones, may set off the rest.

use crate::model::{Checked, Configured, Notice, Standing, View};
use crate::name::Name;
use crate::sight::Sights;
use crate::state::State;
use crate::time::{Now, Ticks};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

/// How long looking may take before it is concluded with what is known.
pub const LONGEST_LOOK: Duration = Duration::from_secs(300);
/// How old a verdict may become while alarms are held.
pub const FRESH: Duration = Duration::from_secs(60);

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
    /// Most are healthy: somebody is asked.
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
    pub fn guard(&self, name: &Name, checked: Checked, now: Ticks) -> Guard {
        if !self.suspects.contains(name) {
            return Guard::Pass;
        }
        let checked = checked == Checked::ByCheck;
        let seen = self.seen.get(name);
        match (self.stage, seen) {
            (Stage::None | Stage::Believed, _) => Guard::Pass,
            (Stage::Looking { .. }, None) if checked => Guard::Look,
            (Stage::Looking { .. }, _) => Guard::Hold,
            (Stage::Held { .. }, Some((Condition::Bad, _))) => Guard::Pass,
            (Stage::Held { .. }, Some((Condition::Healthy, at))) if now.since(*at) >= FRESH => Guard::Look,
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

    /// Ends the looking: most are healthy, or not.
    fn conclude(&mut self) -> Notice {
        let looked = self.seen.len() as u64;
        let healthy = self.seen.values().filter(|(seen, _)| *seen == Condition::Healthy).count() as u64;
        if healthy * 2 > looked {
            self.stage = Stage::Held { looked, healthy };
            Notice::MassHeld { looked, healthy }
        } else {
            self.stage = Stage::Believed;
            Notice::MassBelieved { looked, healthy }
        }
    }

    /// When a held alarm is looked at again, or the looking ends.
    #[must_use]
    pub fn next(&self, name: &Name) -> Option<Ticks> {
        match self.stage {
            Stage::Looking { since } => Some(since.after(LONGEST_LOOK)),
            Stage::Held { .. } => self.seen.get(name).map(|(_, at)| at.after(FRESH)),
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
    let sights = Sights::new(view, state, now);
    let checked = |name: &Name| matches!(view.configured.get(name), Some(Configured::Yes(r)) if r.check == Checked::ByCheck);
    // Where what planned work has left behind comes from is known, and each of it is looked at before it is believed.
    let left_over = |name: &Name| {
        let its = state.standings.get(name);
        its.is_some_and(|its| its.after_window) && !state.mass.suspects.contains(name) && checked(name)
    };
    // What nobody would act on anyway neither makes a mass alarm nor has to be looked at.
    let calling = view.alarms.iter().filter(|its| sights.calls(its) && !left_over(&its.name));
    let rows: Vec<&Name> = calling.map(|its| &its.name).collect();
    let names: HashSet<&Name> = rows.iter().copied().collect();
    let alarmed: HashSet<&Name> = sights.alarmed;
    let (alarms, before) = (rows.len() as u64, state.mass.clone());
    let many = least > 0 && alarms >= u64::from(least);
    let most = |known: u64| alarms * 100 > known * u64::from(view.limits.mass_share);
    let is_mass = many && view.known.is_some_and(most);
    if is_mass && state.mass.stage == Stage::None {
        state.mass.stage = Stage::Looking { since: now.boot };
        notices.push(Notice::MassAlarm { alarms, known: view.known.unwrap_or_default() });
    }
    let mass = &mut state.mass;
    // A suspect stays one while somebody works on it, and while its row is out of sight until the next poll.
    let unseen_yet = |its: &Standing| its.is_out_of_sight(view.polled);
    let in_hand = |name: &Name| {
        let its = state.standings.get(name);
        its.is_some_and(|its| its.in_flight.is_some() || its.pause.is_some() || unseen_yet(its))
    };
    mass.suspects.retain(|name| least > 0 && (alarmed.contains(name) || in_hand(name)));
    if is_mass {
        mass.suspects.extend(names.iter().copied().cloned());
    }
    if mass.suspects.is_empty() && mass.stage != Stage::None {
        *mass = Mass::default();
        notices.push(Notice::MassOver);
    }
    let unseen =
        |name: &&Name| mass.suspects.contains(*name) && checked(name) && !mass.seen.contains_key(*name);
    match mass.stage {
        Stage::Looking { since } => {
            if now.boot.since(since) >= LONGEST_LOOK || !names.iter().any(unseen) {
                notices.push(mass.conclude());
            }
        }
        Stage::None | Stage::Held { .. } | Stage::Believed => {
            mass.seen.retain(|name, _| mass.suspects.contains(name));
        }
    }
    state.dirty.host |= state.mass != before;
}

#[cfg(test)]
mod tests;

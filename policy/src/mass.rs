//! The guard against a mass alarm: an `UPDATE` without a `WHERE`, or a fault of the whole host.
//!
//! When more than a share of all rows is in alarm at once, every process that has a check is looked at first and
//! nothing is restarted meanwhile. If most of them are healthy, the alarms are not to be believed: those that the
//! check finds bad are restarted, all others are held until the alarms go away or an operator believes them.

use crate::name::Name;
use crate::time::Ticks;
use std::collections::HashMap;
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
    pub fn guard(&self, name: &Name, checked: crate::model::Checked, now: Ticks) -> Guard {
        let checked = checked == crate::model::Checked::ByCheck;
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
        if matches!(self.stage, Stage::Looking { .. } | Stage::Held { .. }) {
            self.seen.insert(name.clone(), (condition, now));
        }
    }

    /// Ends the looking; whether the alarms are held, and how many of how many are healthy.
    pub fn conclude(&mut self) -> (Stage, u64, u64) {
        let looked = self.seen.len() as u64;
        let healthy = self.seen.values().filter(|(seen, _)| *seen == Condition::Healthy).count() as u64;
        self.stage = if healthy * 2 > looked { Stage::Held { looked, healthy } } else { Stage::Believed };
        (self.stage, looked, healthy)
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

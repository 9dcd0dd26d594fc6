//! Maintenance windows on the calendar: from what was planned to the occurrence that is now, or comes next.
//!
//! Promises that whatever is planned is open exactly when its rules say, across changes of the clock and in every
//! time zone, also on a host without data of time zones; and that asking again within an occurrence costs nothing.
//! It reads no clock and must not decide anything: what an open window stops is for the policy.

mod agenda;
mod recurring;
mod schedule;
#[cfg(test)]
mod tests;
pub mod when;
mod zone;

pub use agenda::Agenda;
pub use recurring::{Part, Recurring, Wrong, length};
pub use zone::{NoSuchZone, Zone, offset_in_words};

use crate::policy::name::Name;
use crate::policy::time::Wall;
use crate::policy::window::{Definition, When, Window};
use std::cell::Cell;
use std::fmt;

/// All windows that are planned.
#[derive(Debug, Default)]
pub struct Calendar {
    entries: Vec<Entry>,
}

/// A window that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which one.
    pub id: Name,
    /// Why not, and what to do.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The maintenance window \"{}\" cannot be used: {}", self.id, self.why)
    }
}

#[derive(Debug)]
struct Entry {
    definition: Definition,
    /// How to work it out; none for a single time.
    recurring: Option<Recurring>,
    known: Cell<Known>,
}

/// What was worked out last, and for which moments it is the answer.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    valid: Option<(Wall, Wall)>,
    occurrence: Option<(Wall, Wall)>,
}

impl Calendar {
    /// A calendar of these windows; those that cannot be used are left out and answered.
    #[must_use]
    pub fn new(definitions: impl IntoIterator<Item = Definition>) -> (Self, Vec<Problem>) {
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        for definition in definitions {
            let recurring = match &definition.when {
                When::Once { from, until } if from < until => Ok(None),
                When::Once { .. } => Err("it ends before it begins; remove it and add it again".to_owned()),
                When::Recurring { cron, duration, zone } => {
                    Recurring::new(cron, *duration, zone).map(Some).map_err(|wrong| wrong.to_string())
                }
            };
            match recurring {
                Ok(recurring) => entries.push(Entry { definition, recurring, known: Cell::default() }),
                Err(why) => problems.push(Problem { id: definition.id, why }),
            }
        }
        (Self { entries }, problems)
    }

    /// Of each window the occurrence that holds `now`, else the next one; nothing for those that are over.
    ///
    /// Occurrences that overlap or follow each other without a break are one. Cheap as long as `now` stays within what
    /// was worked out, so it can be asked with every round of a loop; a clock that jumps is followed.
    #[must_use]
    pub fn occurrences(&self, now: Wall) -> Vec<Window> {
        let open_or_next = |entry: &Entry| {
            let (from, until) = entry.occurrence(now)?;
            let Definition { id, scopes, reason, .. } = entry.definition.clone();
            Some(Window { id, scopes, reason, from, until })
        };
        self.entries.iter().filter_map(open_or_next).collect()
    }
}

impl Entry {
    fn occurrence(&self, now: Wall) -> Option<(Wall, Wall)> {
        let Some(recurring) = &self.recurring else {
            let When::Once { from, until } = self.definition.when else { return None };
            return (now < until).then_some((from, until));
        };
        let known = self.known.get();
        if known.valid.is_some_and(|(from, until)| from <= now && now < until) {
            return known.occurrence;
        }
        let occurrence = recurring.occurrence(now);
        let valid = occurrence.map_or((now, Wall(i64::MAX)), |(from, until)| (from.min(now), until));
        self.known.set(Known { valid: Some(valid), occurrence });
        occurrence
    }
}

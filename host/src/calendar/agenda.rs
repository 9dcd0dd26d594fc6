//! The windows of the file and those of the journal as one calendar, for the loop.
//!
//! It is told when the file has changed ([`Agenda::configure`]) and when the journal may have ([`Agenda::reread`]);
//! it watches nothing by itself.

use super::{Calendar, Problem};
use crate::policy::time::Wall;
use crate::policy::window::{Definition, Window};
use crate::ports::{JournalError, Windows};
use std::sync::Arc;

/// What is planned, from both places.
pub struct Agenda {
    journal: Arc<dyn Windows>,
    configured: Vec<Definition>,
    added: Vec<Definition>,
    calendar: Calendar,
}

impl Agenda {
    /// An agenda of the windows of the file; those of the journal come with the first [`reread`](Self::reread).
    #[must_use]
    pub fn new(configured: Vec<Definition>, journal: Arc<dyn Windows>) -> (Self, Vec<Problem>) {
        let mut agenda = Self { journal, configured, added: Vec::new(), calendar: Calendar::default() };
        let problems = agenda.work_out();
        (agenda, problems)
    }

    /// Takes over the windows of a newer reading of the file; answers those of file and journal that cannot be used.
    pub fn configure(&mut self, configured: Vec<Definition>) -> Vec<Problem> {
        if configured == self.configured {
            return Vec::new();
        }
        self.configured = configured;
        self.work_out()
    }

    /// Reads the windows of the journal again; answers those of file and journal that cannot be used, when anything is new.
    ///
    /// # Errors
    /// [`JournalError::Unusable`]; what was planned before stays.
    pub fn reread(&mut self) -> Result<Vec<Problem>, JournalError> {
        let added = self.journal.windows()?;
        if added == self.added {
            return Ok(Vec::new());
        }
        self.added = added;
        Ok(self.work_out())
    }

    /// Of each window the occurrence that holds `now`, else the next one.
    #[must_use]
    pub fn windows(&self, now: Wall) -> Vec<Window> {
        self.calendar.occurrences(now)
    }

    fn work_out(&mut self) -> Vec<Problem> {
        let (usable, hidden) = merged(&self.configured, self.added.clone());
        let (calendar, mut problems) = Calendar::new(usable);
        self.calendar = calendar;
        problems.extend(hidden);
        problems
    }
}

/// Two windows of one name could not be told apart where they are announced, so the one of the file counts.
fn merged(configured: &[Definition], added: Vec<Definition>) -> (Vec<Definition>, Vec<Problem>) {
    let taken = |definition: &Definition| configured.iter().any(|other| other.id == definition.id);
    let (hidden, added): (Vec<_>, Vec<_>) = added.into_iter().partition(taken);
    let hidden = hidden.into_iter().map(|definition| Problem {
        why: format!(
            "the configuration has one of this name now; remove this one with: pm maintenance remove {}",
            definition.id
        ),
        id: definition.id,
    });
    (configured.iter().cloned().chain(added).collect(), hidden.collect())
}

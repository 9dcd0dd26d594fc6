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

    /// Reads the windows of the journal again; answers those of file and journal that cannot be used, when anything is
    /// new.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::name::Name;
    use crate::policy::window::{Scope, When};
    use crate::ports::Added;
    use std::path::PathBuf;
    use std::sync::Mutex;

    /// A journal that another process may have changed, or that cannot be read.
    #[derive(Default)]
    struct Kept(Mutex<Option<Vec<Definition>>>);

    impl Kept {
        fn now_holds(&self, windows: Option<Vec<Definition>>) {
            *self.0.lock().unwrap() = windows;
        }
    }

    impl Windows for Kept {
        fn windows(&self) -> Result<Vec<Definition>, JournalError> {
            self.0.lock().unwrap().clone().ok_or_else(|| JournalError::Unusable {
                attempted: "reading",
                path: PathBuf::from("journal.db"),
                why: "it is gone".to_owned(),
            })
        }
        fn add_window(&self, _: &Definition, _: Wall) -> Result<Added, JournalError> {
            unreachable!("the loop adds none")
        }
        fn remove_window(
            &self,
            _: &Name,
            _: &crate::ports::overrides::Request,
        ) -> Result<bool, JournalError> {
            unreachable!("the loop removes none")
        }
    }

    fn once(id: &str, until: i64) -> Definition {
        Definition {
            id: Name::new(id),
            scopes: vec![Scope::All],
            reason: String::new(),
            by: String::new(),
            when: When::Once { from: Wall(1), until: Wall(until) },
        }
    }

    fn shown(agenda: &Agenda) -> Vec<(String, i64)> {
        agenda.windows(Wall(5)).iter().map(|window| (window.id.to_string(), window.until.0)).collect()
    }

    #[test]
    fn windows_of_file_and_journal_are_one_agenda_that_follows_both() {
        let journal = Arc::new(Kept::default());
        let (mut agenda, problems) = Agenda::new(vec![once("file", 10)], journal.clone());
        assert_eq!((shown(&agenda), problems), (vec![("file".to_owned(), 10)], Vec::new()));
        journal.now_holds(Some(vec![once("added", 20), once("over", 3)]));
        assert_eq!(agenda.reread().unwrap(), []);
        assert_eq!(shown(&agenda), [("file".to_owned(), 10), ("added".to_owned(), 20)]);
        assert_eq!(agenda.configure(vec![once("other", 30)]), []);
        assert_eq!(shown(&agenda), [("other".to_owned(), 30), ("added".to_owned(), 20)]);
        journal.now_holds(Some(Vec::new()));
        assert_eq!(agenda.reread().unwrap(), []);
        assert_eq!(shown(&agenda), [("other".to_owned(), 30)]);
    }

    #[test]
    fn a_journal_that_cannot_be_read_leaves_what_was_known() {
        let journal = Arc::new(Kept::default());
        let (mut agenda, _) = Agenda::new(Vec::new(), journal.clone());
        journal.now_holds(Some(vec![once("added", 20)]));
        agenda.reread().unwrap();
        journal.now_holds(None);
        assert!(agenda.reread().is_err());
        assert_eq!(shown(&agenda), [("added".to_owned(), 20)]);
    }

    #[test]
    fn of_two_windows_of_one_name_the_one_of_the_file_counts_and_that_is_said_once() {
        let journal = Arc::new(Kept::default());
        journal.now_holds(Some(vec![once("night", 20)]));
        let (mut agenda, _) = Agenda::new(vec![once("night", 10)], journal);
        let problems = agenda.reread().unwrap();
        assert_eq!(shown(&agenda), [("night".to_owned(), 10)]);
        assert!(
            problems.len() == 1 && problems[0].why.contains("pm maintenance remove night"),
            "{problems:?}"
        );
        assert_eq!((agenda.reread().unwrap(), agenda.configure(vec![once("night", 10)])), (vec![], vec![]));
    }
}

//! pm's own memory: a write-ahead journal in the state directory, an SQLite file of its own.
//!
//! What is going to happen is written before it happens, and an outcome before it is written back, so that the next
//! pm knows what a killed one had begun. A call that has returned survives `kill -9`: the file is in WAL mode, and
//! the kernel keeps what was written. `synchronous = NORMAL` gives up the last moments before a power cut, on
//! purpose: identities of running instances and breakers' clocks mean nothing after a reboot anyway, and an alarm
//! whose handling was forgotten still stands in its table.
//!
//! It must not decide: who is busy, dead or due is answered from what is stored. It tells no time of its own.

mod attempts;
mod audit;
mod decisions;
mod evidence;
mod look;
mod memory;
mod open;
mod overrides;
mod owner;
mod publishing;
mod retention;
mod standings;
mod steps;
#[cfg(test)]
mod tests;
mod trouble;
mod windows;
mod writing;

pub use look::{Aside, Look, look, set_aside};

use crate::failpoint::{self, Point};
use crate::policy::model::{AttemptId, Clear, Name, Standing};
use crate::policy::time::Wall;
use crate::policy::window::Override;
use crate::ports::overrides::{Audited, Chain, Entry, Ordered, Request, Verb, Wanted, Wish};
use crate::ports::{
    Asked, Attempt, Decision, Effect, HostMemory, Intent, Journal, JournalError, Pending, Publication,
    Record, Retention, Stage, Step, Tidied, Unfinished,
};
use owner::Owner;
use rusqlite::{Connection, Transaction};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use trouble::unusable;
use writing::{Inner, Owed};

/// The journal in a file.
pub struct FileJournal {
    path: PathBuf,
    owner: Owner,
    inner: Mutex<Inner>,
    /// Of a copy: how its file looked when it was last read. What operators order is read from there.
    original: Option<Mutex<look::Print>>,
}

/// A journal that was opened.
pub struct Opened {
    /// The journal.
    pub journal: FileJournal,
    /// What people should know: a damaged file was set aside.
    pub warning: Option<String>,
}

/// Opens the journal in the state directory, which is created when there is none. `boot_id` identifies this boot.
///
/// A damaged file is set aside as `journal.db.corrupt-TIME` and a new one begun; the warning says so.
///
/// # Errors
/// [`JournalError::Unusable`]: the directory cannot be written, or a newer pm has written the file.
pub fn open(directory: &Path, boot_id: &str) -> Result<Opened, JournalError> {
    open::open(directory, boot_id)
}

/// Opens the journal for reading, also while a daemon works with it. Without a journal it is empty.
///
/// # Errors
/// [`JournalError::Unusable`]: the file cannot be read, is damaged, or a newer pm has written it.
pub fn open_read_only(directory: &Path, boot_id: &str) -> Result<FileJournal, JournalError> {
    open::open_read_only(directory, boot_id)
}

/// Opens a copy of the journal in memory: what is written to it is forgotten, and the file is not touched. What another
/// pm has under way is left out. Overrides and maintenance windows are those of the file, also when they come later.
///
/// # Errors
/// [`JournalError::Unusable`]: the file cannot be read, is damaged, or a newer pm has written it.
pub fn open_copy(directory: &Path, boot_id: &str) -> Result<FileJournal, JournalError> {
    open::open_copy(directory, boot_id)
}

impl Journal for FileJournal {
    fn begin(&self, intent: &Intent) -> Result<AttemptId, JournalError> {
        let Intent { name, group, at, .. } = intent;
        let hold = |conn: &Connection| {
            let hold = overrides::hold(conn, name, group.as_ref(), at.wall)?;
            Ok(hold.map(|hold| (name.clone(), hold)))
        };
        let begin = |tx: &Transaction<'_>| attempts::begin(tx, intent, &self.owner);
        self.unless_held("beginning an attempt in", hold, begin)?
            .map_err(|attempt| JournalError::Busy { name: name.clone(), attempt })
    }

    fn acting(&self, id: AttemptId, identity: Option<&str>, at: Wall) -> Result<(), JournalError> {
        let hold = |conn: &Connection| overrides::hold_of(conn, id, at);
        let note = |tx: &Transaction<'_>| attempts::stage(tx, id, Stage::Acting, identity);
        self.unless_held("noting the stage of an attempt in", hold, note)
    }

    fn stage(&self, id: AttemptId, stage: Stage, identity: Option<&str>) -> Result<(), JournalError> {
        self.write("noting the stage of an attempt in", |tx| attempts::stage(tx, id, stage, identity))
    }

    fn step(&self, id: AttemptId, step: &Step) -> Result<(), JournalError> {
        self.write("noting a step of an attempt in", |tx| steps::add(tx, id, step))
    }

    fn steps_of(&self, id: AttemptId) -> Result<Vec<Step>, JournalError> {
        self.read("reading the steps of an attempt from", |conn| steps::of(conn, id))
    }

    fn evidence(&self, id: AttemptId, text: &str) -> Result<(), JournalError> {
        self.write("keeping the evidence of an attempt in", |tx| evidence::keep(tx, id, text))
    }

    fn evidence_of(&self, id: AttemptId) -> Result<Option<String>, JournalError> {
        self.read("reading the evidence of an attempt from", |conn| evidence::of(conn, id))
    }

    fn end(
        &self,
        id: AttemptId,
        name: &Name,
        record: &Record,
        settled: Option<(&Standing, &[Clear])>,
    ) -> Result<(), JournalError> {
        let written = self.write("noting the end of an attempt in", |tx| {
            attempts::end(tx, id, record)?;
            if let Some((standing, clears)) = settled {
                standings::store(tx, name, standing, &self.owner.boot)?;
                standings::post(tx, clears)?;
            }
            failpoint::pass(Point::OutcomeWritten);
            Ok(())
        });
        if written.is_err() {
            let standing = settled.map(|(standing, _)| (name.clone(), standing.clone()));
            self.inner().owed.push(Owed { id, record: record.clone(), standing });
        }
        written
    }

    fn tidy(&self, keep: &Retention, now: Wall) -> Result<Tidied, JournalError> {
        self.write("dropping what is old from", |tx| retention::round(tx, keep, now))
    }

    fn unpublished(&self, host: &str, limit: usize) -> Result<Vec<Publication>, JournalError> {
        let boot = &self.owner.boot;
        self.read("reading the history from", |conn| publishing::waiting(conn, host, limit, boot))
    }

    fn published(&self, publications: &[Publication]) -> Result<(), JournalError> {
        self.write("noting what was published in", |tx| publishing::done(tx, publications))
    }

    fn elsewhere(&self) -> Result<Vec<(Name, Wall)>, JournalError> {
        self.read("reading what is under way from", |conn| attempts::elsewhere(conn, &self.owner))
    }

    fn outbox(&self) -> Result<Vec<Pending>, JournalError> {
        self.read("reading the outbox of", standings::outbox)
    }

    fn delivered(&self, ids: &[i64]) -> Result<(), JournalError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.write("emptying the outbox of", |tx| standings::delivered(tx, ids))
    }

    fn standings(&self) -> Result<BTreeMap<Name, Standing>, JournalError> {
        self.read("reading the standings from", |conn| standings::load(conn, &self.owner.boot))
    }

    fn keep(&self, standings: &[(Name, Standing)], host: Option<&HostMemory>) -> Result<(), JournalError> {
        self.write("storing standings in", |tx| {
            for (name, standing) in standings {
                standings::store(tx, name, standing, &self.owner.boot)?;
            }
            host.map_or(Ok(()), |host| standings::store_host(tx, host, &self.owner.boot))
        })
    }

    fn host(&self) -> Result<HostMemory, JournalError> {
        self.read("reading what is known of the host from", |conn| {
            standings::load_host(conn, &self.owner.boot)
        })
    }

    fn judged(&self, name: &Name, effect: Effect) -> Result<(), JournalError> {
        self.write("noting the effect of a restart in", |tx| decisions::judged(tx, name, effect))
    }

    fn decided(&self, decisions: &[Decision]) -> Result<(), JournalError> {
        if decisions.is_empty() {
            return Ok(());
        }
        self.write("noting why alarms are held in", |tx| decisions::note(tx, decisions))
    }

    fn decisions(&self, name: &Name, until: Wall, limit: usize) -> Result<Vec<Decision>, JournalError> {
        self.read("reading why alarms were held from", |conn| decisions::read(conn, name, until, limit))
    }

    fn explanation(&self, id: AttemptId) -> Result<Vec<Asked>, JournalError> {
        self.read("reading why an attempt was begun from", |conn| decisions::of_attempt(conn, id))
    }

    fn last_before(&self, name: &Name, at: Wall) -> Result<Option<Attempt>, JournalError> {
        let boot = &self.owner.boot;
        self.read("reading the history from", |conn| attempts::last_before(conn, name, at, boot))
    }

    fn history(&self, of: Option<&Name>, since: Wall, limit: usize) -> Result<Vec<Attempt>, JournalError> {
        let boot = &self.owner.boot;
        self.read("reading the history from", |conn| attempts::history(conn, of, since, limit, boot))
    }

    fn unfinished(&self) -> Result<Vec<Unfinished>, JournalError> {
        self.write("taking over attempts from", |tx| attempts::take_over(tx, &self.owner))
    }

    fn attempts(&self, of: Option<&Name>, limit: usize) -> Result<Vec<Attempt>, JournalError> {
        self.read("reading the history from", |conn| attempts::last(conn, of, limit, &self.owner.boot))
    }

    fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, JournalError> {
        self.read("reading the history from", |conn| attempts::one(conn, id, &self.owner.boot))
    }

    fn overrides(&self) -> Result<Vec<Override>, JournalError> {
        self.read_newest("reading the overrides from", overrides::load)
    }

    fn order(&self, request: &Request, wishes: &[Wish]) -> Result<Vec<Vec<Override>>, JournalError> {
        self.write_through("noting an operator's order in", |tx| {
            let boot = &self.owner.boot;
            wishes.iter().map(|wish| overrides::fulfil(tx, request, wish, boot)).collect()
        })
    }

    fn orders(&self) -> Result<Vec<Ordered>, JournalError> {
        self.read("reading the orders from", overrides::orders)
    }

    fn obeyed(&self, ids: &[i64], standings: &[(Name, Standing)]) -> Result<(), JournalError> {
        self.write("noting that orders were obeyed in", |tx| {
            overrides::obeyed(tx, ids, standings, &self.owner.boot)
        })
    }

    fn end_by_hand(&self, id: AttemptId, record: &Record, entry: &Entry) -> Result<(), JournalError> {
        self.write("noting the end of an attempt in", |tx| {
            attempts::end(tx, id, record)?;
            overrides::post(tx, &entry.request, &Verb::Counted(id))?;
            audit::append(tx, entry).map(drop)
        })
    }

    fn audit(&self, entries: &[Entry]) -> Result<(), JournalError> {
        self.write_through("adding to the audit in", |tx| {
            entries.iter().try_for_each(|entry| audit::append(tx, entry).map(drop))
        })
    }

    fn audited(&self, wanted: &Wanted) -> Result<Vec<Audited>, JournalError> {
        self.read("reading the audit in", |conn| audit::entries(conn, wanted))
    }

    fn chain(&self) -> Result<Chain, JournalError> {
        self.read("going through the audit in", audit::chain)
    }

    fn changed_by_others(&self) -> bool {
        if let Some(seen) = &self.original {
            let print = look::Print::of(&self.path);
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            return std::mem::replace(&mut *seen, print) != print;
        }
        let inner = &mut *self.inner();
        let version = inner
            .conn
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut pragma| pragma.query_row([], |row| row.get::<_, i64>(0)));
        version.map_or(true, |version| std::mem::replace(&mut inner.seen, version) != version)
    }
}

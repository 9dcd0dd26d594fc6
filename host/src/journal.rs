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
mod open;
mod owner;
mod standings;
#[cfg(test)]
mod tests;
mod windows;

use crate::policy::model::{AttemptId, Clear, Name, Standing};
use crate::ports::{Attempt, Intent, Journal, JournalError, Pending, Record, Stage, Unfinished};
use owner::Owner;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tracing::{error, info};

/// The journal in a file.
pub struct FileJournal {
    path: PathBuf,
    owner: Owner,
    inner: Mutex<Inner>,
}

/// A journal that was opened.
pub struct Opened {
    /// The journal.
    pub journal: FileJournal,
    /// What people should know: a damaged file was set aside.
    pub warning: Option<String>,
}

struct Inner {
    conn: Connection,
    /// Ends that could not be written (disk full). They go first as soon as something can be written again;
    /// otherwise their names would stay busy for as long as this pm lives.
    owed: Vec<Owed>,
    /// Whether the last call failed, which has been said.
    failing: bool,
}

struct Owed {
    id: AttemptId,
    record: Record,
    standing: Option<(Name, Standing)>,
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

impl FileJournal {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing is half done after a panic: SQLite rolls an unfinished transaction back.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, attempted: &'static str) -> impl Fn(rusqlite::Error) -> JournalError {
        let path = self.path.clone();
        move |error| unusable(attempted, &path, &error)
    }

    /// Reads; nothing is changed.
    fn read<T>(
        &self,
        attempted: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let inner = &mut *self.inner();
        let result = read(&inner.conn).map_err(self.failed(attempted));
        if let Err(error) = &result {
            inner.fails(error);
        }
        result
    }

    /// Changes something, all or nothing, after what could not be written before.
    fn write<T>(
        &self,
        attempted: &'static str,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let inner = &mut *self.inner();
        let Inner { conn, owed, .. } = inner;
        let result = (|| {
            let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for Owed { id, record, standing } in owed.iter() {
                attempts::end(&tx, *id, record)?;
                if let Some((name, standing)) = standing {
                    standings::store(&tx, name, standing, &self.owner.boot)?;
                }
            }
            let result = write(&tx)?;
            tx.commit()?;
            Ok(result)
        })();
        let result = result.map_err(self.failed(attempted));
        match &result {
            Ok(_) => {
                inner.owed.clear();
                inner.works(&self.path);
            }
            Err(error) => inner.fails(error),
        }
        result
    }
}

impl Inner {
    /// Says once that nothing can be noted: with each attempt it would flood a log whose disk may be full already.
    fn fails(&mut self, error: &JournalError) {
        if !std::mem::replace(&mut self.failing, true) {
            error!(
                "Working without memory: {error}; restarts go on, but a crash now could repeat one. Free the disk"
            );
        }
    }

    fn works(&mut self, path: &Path) {
        if std::mem::take(&mut self.failing) {
            info!("Memory is back: {} can be written again", path.display());
        }
    }
}

impl Journal for FileJournal {
    fn begin(&self, intent: &Intent) -> Result<AttemptId, JournalError> {
        self.write("beginning an attempt in", |tx| attempts::begin(tx, intent, &self.owner))?
            .map_err(|attempt| JournalError::Busy { name: intent.name.clone(), attempt })
    }

    fn stage(&self, id: AttemptId, stage: Stage, identity: Option<&str>) -> Result<(), JournalError> {
        self.write("noting the stage of an attempt in", |tx| attempts::stage(tx, id, stage, identity))
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
            attempts::prune(tx, id, record.at.wall)
        });
        if written.is_err() {
            let standing = settled.map(|(standing, _)| (name.clone(), standing.clone()));
            self.inner().owed.push(Owed { id, record: record.clone(), standing });
        }
        written
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

    fn keep(&self, name: &Name, standing: &Standing) -> Result<(), JournalError> {
        self.write("storing a standing in", |tx| standings::store(tx, name, standing, &self.owner.boot))
    }

    fn unfinished(&self) -> Result<Vec<Unfinished>, JournalError> {
        self.write("taking over attempts from", |tx| attempts::take_over(tx, &self.owner))
    }

    fn attempts(&self, of: Option<&Name>, limit: usize) -> Result<Vec<Attempt>, JournalError> {
        self.read("reading the history from", |conn| attempts::history(conn, of, limit, &self.owner.boot))
    }
}

/// The error of the port for one of the driver.
fn unusable(attempted: &'static str, path: &Path, error: &rusqlite::Error) -> JournalError {
    use rusqlite::ErrorCode;
    let what = match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    };
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; free some space on its disk",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "; run this as pm's account, which must be able to write the state directory"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "; restart the daemon, which sets a damaged journal aside"
        }
        _ => "",
    };
    JournalError::Unusable { attempted, path: path.to_owned(), why: format!("{what}{hint}") }
}

//! How the journal is read and written: one connection, one transaction per change, and what is owed after a full disk.

use super::trouble::{held, unusable};
use super::{FileJournal, attempts, standings};
use crate::policy::model::{AttemptId, Name, Standing};
use crate::policy::window::Override;
use crate::ports::{JournalError, Record};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use rustix::fs::{StatVfs, statvfs};
use std::path::Path;
use std::sync::{MutexGuard, PoisonError};
use tracing::{error, info};

pub(super) struct Inner {
    pub(super) conn: Connection,
    /// Ends that could not be written (disk full). They go first as soon as something can be written again;
    /// otherwise their names would stay busy for as long as this pm lives.
    pub(super) owed: Vec<Owed>,
    /// Whether the last call failed, which has been said.
    pub(super) failing: bool,
    /// What SQLite said when it was last asked whether others have changed the file.
    pub(super) seen: i64,
}

pub(super) struct Owed {
    pub(super) id: AttemptId,
    pub(super) record: Record,
    pub(super) standing: Option<(Name, Standing)>,
}

impl FileJournal {
    pub(super) fn inner(&self) -> MutexGuard<'_, Inner> {
        // Nothing is half done after a panic: SQLite rolls an unfinished transaction back.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, attempted: &'static str) -> impl Fn(rusqlite::Error) -> JournalError {
        let path = self.path.clone();
        move |error| unusable(attempted, &path, &error)
    }

    /// Reads; nothing is changed.
    pub(super) fn read<T>(
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

    /// Reads from the file, also when this is a copy of it that was made before.
    pub(super) fn read_newest<T>(
        &self,
        attempted: &'static str,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        match self.original.as_ref().map_or(Ok(None), |_| super::open::original(&self.path))? {
            Some(file) => read(&file).map_err(self.failed(attempted)),
            None => self.read(attempted, read),
        }
    }

    /// Changes something, all or nothing, after what could not be written before.
    pub(super) fn write<T>(
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

impl FileJournal {
    /// Changes something about an attempt unless a hold is in force for it, in the same transaction.
    pub(super) fn unless_held<T>(
        &self,
        attempted: &'static str,
        hold: impl Fn(&Connection) -> rusqlite::Result<Option<(Name, Override)>>,
        act: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let done = self.write(attempted, |tx| match hold(tx)? {
            Some(held) => Ok(Err(held)),
            None => act(tx).map(Ok),
        });
        match done {
            Ok(done) => done.map_err(held),
            // On a full disk restarts go on; but a hold can still be read, and it was acknowledged.
            Err(error) => match self.read(attempted, hold) {
                Ok(Some(found)) => Err(held(found)),
                _ => Err(error),
            },
        }
    }

    /// As [`write`](Self::write), and on the disk when it returns.
    pub(super) fn write_through<T>(
        &self,
        attempted: &'static str,
        write: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let synchronous =
            |word: &str| self.read(attempted, |conn| conn.pragma_update(None, "synchronous", word));
        synchronous("FULL")?;
        let written = self.write(attempted, write);
        // If that fails, later calls take longer, and nothing else.
        let _ = synchronous("NORMAL");
        written
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
        if self.failing && has_room(path) {
            self.failing = false;
            info!("Memory is back: {} can be written again", path.display());
        }
    }
}

/// Whether its disk is full no longer. Without a look small notes, which go where older ones were, and greater ones,
/// which find no place, would take turns in saying that it works and that it does not.
fn has_room(path: &Path) -> bool {
    const ROOM: u64 = 256 * 1024;
    let room = |disk: StatVfs| disk.f_bavail.saturating_mul(disk.f_frsize);
    statvfs(path).map_or(true, |disk| room(disk) >= ROOM)
}

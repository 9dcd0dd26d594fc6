//! The port to pm's own memory: what is noted before anything is done, and what follows from its end.

use crate::policy::model::{Alarm, AttemptId, Clear, End, Name, Standing};
use crate::policy::time::{Now, Wall};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How far an attempt has come. The order of the variants is the order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// It is going to happen; nothing has been done.
    Intent,
    /// The pre-restart command may have run.
    Prepared,
    /// The restart may have begun; the identity before it is recorded.
    Acting,
    /// The restart was carried out; it is being verified.
    Verifying,
    /// It has ended.
    Ended,
}

/// The beginning of a journal entry.
#[derive(Debug, Clone)]
pub struct Intent {
    /// Whom it is about.
    pub name: Name,
    /// The rows in alarm; empty for a restart by hand.
    pub alarms: Vec<Alarm>,
    /// The strategy as configured.
    pub strategy: String,
    /// When it began.
    pub at: Now,
}

/// The end of a journal entry.
#[derive(Debug, Clone)]
pub struct Record {
    /// What came of it.
    pub end: End,
    /// Restarts that were attempted.
    pub attempts: u32,
    /// One line.
    pub detail: String,
    /// When it ended.
    pub at: Now,
}

/// An entry that was begun and never ended: pm was killed.
#[derive(Debug, Clone)]
pub struct Unfinished {
    /// The entry.
    pub id: AttemptId,
    /// Whom it is about.
    pub name: Name,
    /// The rows it was begun for.
    pub alarms: Vec<Alarm>,
    /// How far it came.
    pub stage: Stage,
    /// The identity of the running instance before the restart, if the strategy has one.
    pub identity: Option<String>,
    /// Whether the machine was rebooted since.
    pub boot: Boot,
}

/// Whether a record is of this boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boot {
    /// Of this one: clocks and pids can be compared.
    Same,
    /// Of an earlier one.
    Earlier,
}

/// An entry of the history, for people.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The entry.
    pub id: AttemptId,
    /// Whom it was about.
    pub name: Name,
    /// The strategy as configured.
    pub strategy: String,
    /// When it began.
    pub began: Wall,
    /// When it ended, what came of it, attempts, one line; none while it runs, or when it was cut off.
    pub ended: Option<(Wall, End, u32, String)>,
    /// Whether it runs: it has no end, and the pm that makes it is alive.
    pub under_way: bool,
}

/// A clearing that waits to be made.
#[derive(Debug, Clone)]
pub struct Pending {
    /// Its number in the outbox.
    pub id: i64,
    /// The clearing.
    pub clear: Clear,
}

/// An error of the journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another attempt for this name has not ended.
    #[error("a restart of \"{name}\" is already under way (attempt {attempt}); wait for it to end")]
    Busy {
        /// Whom it is about.
        name: Name,
        /// The entry that has not ended.
        attempt: i64,
    },
    /// The state directory cannot be read or written.
    #[error("{attempted} {}: {why}", path.display())]
    Unusable {
        /// What was attempted.
        attempted: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        why: String,
    },
}

/// pm's own write-ahead journal. Every call is durable against `kill -9` when it returns.
pub trait Journal: Send + Sync {
    /// Opens an entry before anything is done; this is the claim on the name.
    ///
    /// # Errors
    /// [`JournalError::Busy`] when the name has an entry whose owner is alive.
    fn begin(&self, intent: &Intent) -> Result<AttemptId, JournalError>;
    /// Notes how far the entry has come.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn stage(&self, id: AttemptId, stage: Stage, identity: Option<&str>) -> Result<(), JournalError>;
    /// Keeps what was seen before the restart with the entry; a second text takes the place of the first. Only the
    /// latest thousand are kept, the latest hundred of one name, and none longer than its entry.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn evidence(&self, id: AttemptId, text: &str) -> Result<(), JournalError>;
    /// What was seen before the restart of this entry: lines of text, fit to be shown; none when nothing is kept.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn evidence_of(&self, id: AttemptId) -> Result<Option<String>, JournalError>;
    /// Ends the entry and stores, in the same transaction, the standing and the clearings that follow from it.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn end(
        &self,
        id: AttemptId,
        name: &Name,
        record: &Record,
        settled: Option<(&Standing, &[Clear])>,
    ) -> Result<(), JournalError>;
    /// Clearings that wait, oldest first.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn outbox(&self) -> Result<Vec<Pending>, JournalError>;
    /// Takes clearings out of the outbox: they were made, or need not be any more.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn delivered(&self, ids: &[i64]) -> Result<(), JournalError>;
    /// Every standing that is not a clean slate, with moments of this boot.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn standings(&self) -> Result<BTreeMap<Name, Standing>, JournalError>;
    /// Stores a standing without an attempt (handled marks that ended, resets).
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn keep(&self, name: &Name, standing: &Standing) -> Result<(), JournalError>;
    /// Entries whose owner has died. They belong to this process from now on, so each is answered once.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn unfinished(&self) -> Result<Vec<Unfinished>, JournalError>;
    /// The last entry of each name, or the last `limit` entries of one name, newest first.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn attempts(&self, of: Option<&Name>, limit: usize) -> Result<Vec<Attempt>, JournalError>;
}

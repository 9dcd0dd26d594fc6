//! The port to pm's own memory: what is noted before anything is done, and what follows from its end.

use super::attempt::{Attempt, Effect, Publication, Step};
use super::overrides::{self, Audited, Chain, Entry, Ordered, Request, Wanted, Wish};
use crate::policy::bucket::Bucket;
use crate::policy::driver::Driver;
use crate::policy::group::Group;
use crate::policy::mass::Mass;
use crate::policy::model::{Alarm, AttemptId, Cause, Clear, Due, End, Name, Standing};
use crate::policy::relations::Relations;
use crate::policy::time::{Now, Ticks, Wall};
use crate::policy::window::{Announced, Override, Scope};
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
    /// When its alarm was first seen; none for a restart by hand.
    pub seen: Option<Wall>,
    /// The group whose member it is; a hold of the group covers it.
    pub group: Option<Name>,
    /// The strategy as configured.
    pub strategy: String,
    /// Why it was begun.
    pub cause: Cause,
    /// What each check of the policy saw; empty for a restart by hand.
    pub chain: Vec<Asked>,
    /// When it began.
    pub at: Now,
}

/// One check of the policy and what it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The check, in its word.
    pub check: String,
    /// Whether it objected.
    pub answer: Answer,
    /// What it saw, or its objection, as a sentence.
    pub saw: String,
}

/// Whether a check objected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It did not.
    Passed,
    /// It did: the alarm was held.
    Held,
}

/// A decision to hold an alarm, or to leave a process alone that was looked at; those to restart one stand with their
/// attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Whom it is about.
    pub name: Name,
    /// When it was made, or made anew for another reason.
    pub at: Wall,
    /// The word of the reason.
    pub word: String,
    /// What each check saw.
    pub chain: Vec<Asked>,
}

impl Decision {
    /// The word when a process was looked at and found healthy: its alarm was cleared, and nothing was restarted.
    pub const HEALTHY: &str = "healthy";
}

/// What is remembered of the host besides its processes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostMemory {
    /// Groups that are not a clean slate.
    pub groups: BTreeMap<Name, Group>,
    /// Drivers that failed.
    pub drivers: BTreeMap<Name, Driver>,
    /// Processes to restart because of what they depend on.
    pub due: BTreeMap<Name, Due>,
    /// The restarts of this host.
    pub storm: Bucket,
    /// The guard against a mass alarm.
    pub mass: Mass,
    /// Maintenance windows whose start was announced.
    pub windows: BTreeMap<Name, Announced>,
    /// What the tables of the alarm database said of groups and dependencies when they were read last.
    pub relations: Relations,
    /// Up to when the alarms were seen, as far as that was noted; always in the present boot.
    pub seen_until: Option<Ticks>,
}

/// The end of a journal entry.
#[derive(Debug, Clone)]
pub struct Record {
    /// What came of it.
    pub end: End,
    /// Restarts that were attempted.
    pub attempts: u32,
    /// The strategy of the ladder that acted last; none when none did.
    pub by: Option<String>,
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
    /// Why it was begun.
    pub cause: Cause,
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

/// How long the history is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// What ended so many days ago goes.
    pub days: u32,
    /// When the journal holds more bytes than this, the oldest goes.
    pub bytes: u64,
}

/// What came of a round of dropping old things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tidied {
    /// There was nothing to drop.
    Nothing,
    /// Something was dropped, and there may be more.
    Some,
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
    /// An operator's hold is in force for this name.
    #[error("{}", overrides::held(name, scope, by, why, *until))]
    Held {
        /// Whom it is about.
        name: Name,
        /// What the hold was put on: the name, its group, or all.
        scope: Scope,
        /// Who holds it.
        by: String,
        /// Why; may be empty.
        why: String,
        /// The first moment at which it is over; none: until it is released.
        until: Option<Wall>,
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
    /// [`JournalError::Busy`] when the name has an entry whose owner is alive, [`JournalError::Held`] when a hold of
    /// the name, its group or all is in force. Whatever [`order`](Self::order) has returned for is seen here.
    fn begin(&self, intent: &Intent) -> Result<AttemptId, JournalError>;
    /// Notes that the restart begins now, as [`Stage::Acting`]; called before each one of an entry.
    ///
    /// # Errors
    /// [`JournalError::Held`] when a hold came into force since the entry was begun: then it must not begin.
    fn acting(&self, id: AttemptId, identity: Option<&str>, at: Wall) -> Result<(), JournalError>;
    /// Entries of other processes that are alive: restarts by hand that are under way, and since when.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn elsewhere(&self) -> Result<Vec<(Name, Wall)>, JournalError>;
    /// Notes how far the entry has come.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn stage(&self, id: AttemptId, stage: Stage, identity: Option<&str>) -> Result<(), JournalError>;
    /// Keeps a step of the entry that has ended, behind those before it.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn step(&self, id: AttemptId, step: &Step) -> Result<(), JournalError>;
    /// The steps of an entry, in their order.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn steps_of(&self, id: AttemptId) -> Result<Vec<Step>, JournalError>;
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
    /// Drops the oldest ended attempts with all that belongs to them, and the oldest decisions, as far as they are not to
    /// be kept: a bounded number of them in one call. Open attempts and the audit stay.
    ///
    /// # Errors
    /// [`JournalError::Unusable`]; nothing has changed.
    fn tidy(&self, keep: &Retention, now: Wall) -> Result<Tidied, JournalError>;
    /// Ended attempts whose present state has not been published, the oldest first, at most `limit`; `host` is what they
    /// are published for.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn unpublished(&self, host: &str, limit: usize) -> Result<Vec<Publication>, JournalError>;
    /// Notes that these states were published; a newer one of the same attempt is still to be.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn published(&self, publications: &[Publication]) -> Result<(), JournalError>;
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
    /// Stores standings without an attempt, and what is remembered of the host when it changed.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn keep(&self, standings: &[(Name, Standing)], host: Option<&HostMemory>) -> Result<(), JournalError>;
    /// What is remembered of the host, with moments of this boot.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn host(&self) -> Result<HostMemory, JournalError>;
    /// Notes what became of the last restart of `name` that had helped at first.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn judged(&self, name: &Name, effect: Effect) -> Result<(), JournalError>;
    /// Notes why alarms are held.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn decided(&self, decisions: &[Decision]) -> Result<(), JournalError>;
    /// The last decisions to hold an alarm of `name` that were made at `until` or before, newest first.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn decisions(&self, name: &Name, until: Wall, limit: usize) -> Result<Vec<Decision>, JournalError>;
    /// What each check saw when an attempt was begun; empty for one by hand.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn explanation(&self, id: AttemptId) -> Result<Vec<Asked>, JournalError>;
    /// The last attempt of `name` that began at `at` or before.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn last_before(&self, name: &Name, at: Wall) -> Result<Option<Attempt>, JournalError>;
    /// Attempts of one name, or of all, that began at `since` or later, newest first.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn history(&self, of: Option<&Name>, since: Wall, limit: usize) -> Result<Vec<Attempt>, JournalError>;
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
    /// One entry of the history; none when it is not kept any more.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn attempt(&self, id: AttemptId) -> Result<Option<Attempt>, JournalError>;
    /// The operators' overrides, some of them over: whether one is in force is for the caller to ask.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn overrides(&self) -> Result<Vec<Override>, JournalError>;
    /// Does what an operator asks for: all wishes or none, each together with its entry in the audit. Answers for
    /// each the overrides in force that it replaced or took away. Survives a power cut when it returns.
    ///
    /// # Errors
    /// [`JournalError::Unusable`]; nothing has changed.
    fn order(&self, request: &Request, wishes: &[Wish]) -> Result<Vec<Vec<Override>>, JournalError>;
    /// What the daemon still has to do once, oldest first. It stays until it is [`obeyed`](Self::obeyed).
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn orders(&self) -> Result<Vec<Ordered>, JournalError>;
    /// Takes orders away that were done, and stores the standings that follow from them, in one transaction.
    ///
    /// # Errors
    /// [`JournalError::Unusable`]; nothing has changed.
    fn obeyed(&self, ids: &[i64], standings: &[(Name, Standing)]) -> Result<(), JournalError>;
    /// Ends the entry of a restart by hand, in one transaction with the order to count it and with the audit.
    ///
    /// # Errors
    /// [`JournalError::Unusable`]; nothing has changed.
    fn end_by_hand(&self, id: AttemptId, record: &Record, entry: &Entry) -> Result<(), JournalError>;
    /// Adds entries to the audit that change nothing, such as refusals.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn audit(&self, entries: &[Entry]) -> Result<(), JournalError>;
    /// Entries of the audit, newest first.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn audited(&self, wanted: &Wanted) -> Result<Vec<Audited>, JournalError>;
    /// Goes through the whole audit and tells whether it is as it was written.
    ///
    /// # Errors
    /// [`JournalError::Unusable`].
    fn chain(&self) -> Result<Chain, JournalError>;
    /// Whether somebody else has changed the journal since this was last asked; yes when it cannot be told. Costs
    /// some microseconds.
    fn changed_by_others(&self) -> bool;
}

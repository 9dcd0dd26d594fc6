//! The seam behind which a plugin runs: a call goes in, an answer or a named error comes out in time.
//!
//! A library in this process is one backend; a worker process is another, and its callers need not know. A
//! backend belongs to one library, loads it on first use, and keeps the deadline whatever the library does.

use super::claim::Part;
use super::refusal::Reason;
use super::tally::Tally;
use crate::ports::Heard;
use pm_plugin_api::Error;
use pm_plugin_api::settings::Texts;
use std::collections::BTreeSet;
use std::time::Duration;

/// One operation of one part.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call<'a> {
    /// `strategy` or `check`.
    pub(super) kind: &'a str,
    /// The part.
    pub(super) name: &'a str,
    /// The part's settings.
    pub(super) settings: &'a Texts,
    /// `restart`, `identity`, `evidence`, `check`.
    pub(super) op: &'a str,
    /// Whom it is about, for messages.
    pub(super) subject: &'a str,
    /// The request as JSON.
    pub(super) body: &'a [u8],
    /// How long the answer may take.
    pub(super) timeout: Duration,
    /// Where what the library says meanwhile is kept, if anybody asked.
    pub(super) heard: Option<&'a Heard>,
}

/// How far a plugin has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nobody needed it yet.
    Idle,
    /// It is loaded.
    Loaded,
    /// It could not be loaded.
    Refused(Reason),
}

/// What can be told of a library that is used: its worker, and how its calls went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// `idle`, `starting`, `running`, `draining`, `backoff`, `failing`; none for a library in this process.
    pub worker: Option<&'static str>,
    /// Its processes.
    pub pids: Vec<u32>,
    /// Their resident memory, in bytes.
    pub memory: u64,
    /// Deaths of workers that were not meant to end.
    pub crashes: u64,
    /// Calls since pm was started.
    pub calls: u64,
    /// Calls that nobody answered.
    pub failed: u64,
    /// How long half of the last 512 calls took at the most.
    pub median: Option<Duration>,
    /// How long 99 % of them took at the most.
    pub slowest: Option<Duration>,
}

impl Report {
    /// As far as the calls tell.
    pub(super) fn of(tally: &Tally) -> Self {
        Self {
            calls: tally.calls,
            failed: tally.failed,
            median: tally.percentile(50),
            slowest: tally.percentile(99),
            ..Self::default()
        }
    }
}

/// Runs the parts of one library.
pub(super) trait Backend: Send + Sync {
    /// Runs an operation and answers its JSON. Blocks for at most the call's time limit.
    ///
    /// # Errors
    /// The part's own error; "config" when the settings are refused, "unavailable" when the library cannot be loaded
    /// or has too many calls that never came back, "panicked", "timeout", "interrupted".
    fn call(&self, call: &Call<'_>) -> Result<Vec<u8>, Error>;

    /// Loads the library, if that has not been tried; what came of it is its [`standing`](Self::standing).
    ///
    /// # Errors
    /// "timeout" when it takes longer than `timeout`, "unavailable" when no thread can be had for it.
    fn load(&self, timeout: Duration) -> Result<(), Error>;

    /// How far it has come; never blocks.
    fn standing(&self) -> Standing;

    /// What can be told of it; never blocks for long.
    fn report(&self) -> Report;

    /// The parts that were asked anything, kind and name.
    fn used(&self) -> BTreeSet<Part>;

    /// The SHA-256 sum of what is used; none for what was loaded into this process.
    fn checksum(&self) -> Option<String>;

    /// It is not needed any more: what runs may come to its end, and then it goes. A later call starts it anew.
    fn retire(&self);

    /// Forgets what speaks against starting it now.
    fn pardon(&self);
}

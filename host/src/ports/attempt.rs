//! An attempt as the journal remembers it: for the history, for people, for the table that is published.

use crate::policy::model::{AttemptId, End, Name};
use crate::policy::time::Wall;
use std::time::Duration;

/// What became of a restart that had helped at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A stable period followed it.
    Lasted,
    /// The process was in alarm again before that.
    Relapsed,
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
    /// When its alarm was first seen; none for a restart by hand, or when an earlier pm has not noted it.
    pub seen: Option<Wall>,
    /// When it began.
    pub began: Wall,
    /// When it ended, what came of it, attempts, one line; none while it runs, or when it was cut off.
    pub ended: Option<(Wall, End, u32, String)>,
    /// Whether it runs: it has no end, and the pm that makes it is alive.
    pub under_way: bool,
    /// Why it was begun: `alarm`, `dependency NAME`, `operator`.
    pub cause: String,
    /// The strategy of the ladder that acted last.
    pub by: Option<String>,
    /// What became of a restart that had helped at first, as far as it is known.
    pub effect: Option<Effect>,
}

impl Attempt {
    /// Whether it was for the sake of what it depends on: then nothing that follows says whether it helped.
    #[must_use]
    pub fn is_for_a_dependency(&self) -> bool {
        self.cause.starts_with("dependency ")
    }

    /// From the alarm, as pm first saw it, to a verified restart; none when it did not come to that.
    #[must_use]
    pub fn recovery(&self) -> Option<Duration> {
        let (ended, ..) = self.ended.as_ref().filter(|(_, end, ..)| *end == End::Restarted)?;
        Some(ended.since(self.seen.unwrap_or(self.began)))
    }
}

/// What a step of an attempt was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepKind {
    /// The look at the process before anything was done.
    Evidence,
    /// The operator's `pre_restart_command`.
    PreRestart,
    /// One strategy acted.
    Restart,
    /// A check looked until it was content or the time was over.
    Check,
}

impl StepKind {
    const ALL: [Self; 4] = [Self::Evidence, Self::PreRestart, Self::Restart, Self::Check];

    /// Its word, in the journal and for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Evidence => "evidence",
            Self::PreRestart => "pre-restart",
            Self::Restart => "restart",
            Self::Check => "check",
        }
    }

    /// The one with this word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// One step of an attempt that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What it was.
    pub kind: StepKind,
    /// The strategy or the check; empty where there is only one.
    pub by: String,
    /// When it began.
    pub at: Wall,
    /// How long it took.
    pub took: Duration,
    /// One line: what was done or seen, or why it failed.
    pub result: Result<String, String>,
    /// What commands printed and plugins said: lines, fit to be shown, bounded; may be empty.
    pub output: String,
}

/// An attempt for the table that all hosts share.
#[derive(Debug, Clone)]
pub struct Publication {
    /// The machine.
    pub host: String,
    /// Which journal of the machine: numbers of attempts begin anew with a new one.
    pub journal: String,
    /// The attempt; it has ended.
    pub attempt: Attempt,
    /// Which state of it this is: its effect is known later than its end.
    pub revision: i64,
}

/// What became of publications.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// All of them stand in the table.
    All,
    /// There is no such table, this account may not write it, or the engine has none.
    Nowhere,
}

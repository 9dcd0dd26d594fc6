//! What reading a file came to: a configuration, if there can be one, and everything that is wrong with the file.
//!
//! Three grades, each with its reader: without a [`Config`] nothing can run; with errors pm runs with
//! what is left and `pm check` and a reload refuse; with warnings only everything goes on.

use super::model::Config;
use super::problem::{Problem, Severity};
use std::path::PathBuf;

/// The result of [`load`](super::load).
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The file as it was named.
    pub file: PathBuf,
    /// `None` only when pm cannot run with this file at all: it cannot be read, or does not say how to reach the
    /// alarm database. Where a single value is wrong, the default stands in and the rest is as written.
    pub config: Option<Config>,
    /// Everything that was found, in the order of the file.
    pub problems: Vec<Problem>,
}

impl Loaded {
    /// Whether the file can be used as written: there is a configuration and no error. This is the exit status of
    /// `pm check` and the condition for taking over a changed file. A *start* needs only [`Self::config`].
    #[must_use]
    pub fn usable(&self) -> bool {
        self.config.is_some() && self.errors().next().is_none()
    }

    /// The problems that are errors.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Error)
    }

    /// The problems that are warnings.
    pub fn warnings(&self) -> impl Iterator<Item = &Problem> {
        self.problems.iter().filter(|problem| problem.severity == Severity::Warning)
    }
}

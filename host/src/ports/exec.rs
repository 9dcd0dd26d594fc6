//! The port to the operator's own commands.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A command line of the operator, with everything it needs.
#[derive(Debug, Clone)]
pub struct CommandLine<'a> {
    /// What the operator wrote; runs in a shell of its own.
    pub line: &'a str,
    /// Where it runs.
    pub directory: &'a std::path::Path,
    /// Its variables.
    pub environment: &'a BTreeMap<String, String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// Runs the operator's own commands.
pub trait Exec: Send + Sync {
    /// Runs a command line to its end, in its own process group, with bounded output, which goes into the log as well.
    /// The end is an error of one line when it could not be started, or for its exit status, a signal, the time limit.
    fn run(&self, command: &CommandLine<'_>) -> Captured;
    /// As [`run`](Self::run), but the output is only the answer: at most `most` bytes, the first and the last half, and none
    /// of it in the log. Comes back within the command's time, the end of what hangs included.
    fn capture(&self, command: &CommandLine<'_>, most: usize) -> Captured;
}

/// What a command said, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captured {
    /// Standard output and standard error as they were written, with a line about what was left out.
    pub output: String,
    /// As [`Exec::run`] answers.
    pub end: Result<(), CommandFailed>,
}

/// Why a command did not succeed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandFailed {
    /// One line for people.
    pub why: String,
    /// Whose fault it is.
    pub fault: Fault,
}

/// Whose fault it is that a command did not succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The command's.
    Command,
    /// The host's: it has no process, descriptor or memory left to run anything with.
    Host,
}

impl fmt::Display for CommandFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

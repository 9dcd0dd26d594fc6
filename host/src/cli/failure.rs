//! How a command fails: what the operator reads, and the exit code. The only place that knows exit codes.

use std::fmt::Display;
use std::io::{self, Write};

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// It was done and did not work.
    Failed(String),
    /// It was asked for wrongly, or the configuration cannot be used.
    Usage(String),
    /// The alarm database did not do what was asked.
    Database(String),
    /// A plugin is missing or refused.
    Plugin(String),
    /// The result says it all; nothing more is printed.
    Said(u8),
    /// Whoever reads the output has left (`pm status | head`).
    Deaf,
}

impl Failure {
    /// Wrong usage or configuration.
    pub const USAGE: u8 = 2;

    /// An alarm database error.
    pub(crate) fn database(error: &dyn Display) -> Self {
        Self::Database(error.to_string())
    }
    /// Any other error.
    pub(crate) fn failed(error: &dyn Display) -> Self {
        Self::Failed(error.to_string())
    }
    /// The exit code of the process.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Usage(_) => Self::USAGE,
            Self::Database(_) => 3,
            Self::Plugin(_) => 4,
            Self::Said(code) => *code,
            Self::Deaf => 0,
        }
    }
    /// What there is to say; empty when the result has said it.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Failed(text) | Self::Usage(text) | Self::Database(text) | Self::Plugin(text) => text,
            Self::Said(_) | Self::Deaf => "",
        }
    }
    /// Writes what there is to say.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, err: &mut dyn Write) -> io::Result<()> {
        match self.text() {
            "" => Ok(()),
            text => writeln!(err, "pm: {text}"),
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::Deaf
        } else {
            Self::Failed(format!("writing the output: {error}"))
        }
    }
}

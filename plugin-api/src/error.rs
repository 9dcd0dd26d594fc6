//! The error a plugin answers with: a kind that decides what pm does next, and a message for people.
//!
//! `?` works on every `std::error::Error` and keeps its chain of causes; that blanket conversion is why
//! [`Error`] itself does not implement `std::error::Error`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What went wrong, as far as pm's next step depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is missing or wrong; trying again is useless until the file changes.
    Config,
    /// The target does not exist here (no such unit, no such container); a chain goes on with its next link.
    NotFound,
    /// This part cannot do that here (no systemd on this host); a chain goes on with its next link.
    Unsupported,
    /// The driver behind the part does not answer (bus, daemon, socket); never counted against the target.
    Unavailable,
    /// pm may not do it; names the missing right.
    Permission,
    /// It took longer than it was given.
    Timeout,
    /// The part's code panicked; the library stays usable.
    Panicked,
    /// The call was cut off and its effect is unknown.
    Interrupted,
    /// It was tried and did not work.
    #[serde(other)]
    Failed,
}

/// An error with a [kind](ErrorKind) and a message that says what was attempted on what and why it failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Error {
    /// Decides what pm does next.
    pub kind: ErrorKind,
    /// For the operator; one line.
    pub message: String,
}

/// The result of everything a part does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
    /// [`ErrorKind::Failed`].
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, message)
    }
    /// [`ErrorKind::Config`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, message)
    }
    /// [`ErrorKind::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }
    /// [`ErrorKind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }
    /// [`ErrorKind::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }
    /// [`ErrorKind::Permission`].
    pub fn permission(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Permission, message)
    }
    /// [`ErrorKind::Timeout`].
    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Timeout, message)
    }

    /// The same error with what was being attempted put in front: `stopping "web": no such process`.
    #[must_use]
    pub fn context(mut self, attempted: impl fmt::Display) -> Self {
        self.message = format!("{attempted}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            message.push_str(": ");
            message.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::failed(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("reading the pid file")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn question_mark_keeps_the_chain_of_causes() {
        let error = Error::from(Outer(std::io::Error::other("disk on fire")));
        assert_eq!(error.message, "reading the pid file: disk on fire");
        assert_eq!(error.kind, ErrorKind::Failed);
    }

    #[test]
    fn a_kind_from_the_future_reads_as_failed() {
        let error: Error = serde_json::from_str(r#"{"kind":"quantum","message":"x"}"#).unwrap();
        assert_eq!(error.kind, ErrorKind::Failed);
    }
}

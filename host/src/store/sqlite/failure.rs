//! What an error of SQLite means for the daemon, in words that name the file.
//!
//! It must not decide what happens next: it names the trouble.

use crate::policy::model::printable;
use crate::ports::{StoreError, Trouble};
use rusqlite::{Error, ErrorCode};
use std::path::PathBuf;

/// The file, for messages.
#[derive(Clone)]
pub(super) struct Place(pub(super) PathBuf);

impl Place {
    /// The table with the alarms, for messages.
    pub(super) fn table(&self) -> String {
        format!("STATUS_PROCESS at {}", self.0.display())
    }

    /// That the file was there and is not any more.
    pub(super) fn gone(&self) -> StoreError {
        let hint = "put it back; or begin with an empty table: pm db migrate";
        self.absent("the file is gone, so no alarm can be seen", hint)
    }

    /// That there is no file yet.
    pub(super) fn not_yet(&self) -> StoreError {
        self.absent("there is no such file yet", "pm run makes it, or pm db migrate, with its tables")
    }

    fn absent(&self, why: &str, hint: &'static str) -> StoreError {
        StoreError {
            trouble: Trouble::Away,
            attempted: format!("opening the alarm database at {}", self.0.display()),
            why: why.to_owned(),
            hint: Some(hint),
        }
    }

    /// The error of the port for one of the driver.
    pub(super) fn error(&self, doing: &str, error: &Error) -> StoreError {
        let (trouble, hint) = meaning(error);
        StoreError {
            trouble,
            attempted: format!("{doing} at {}", self.0.display()),
            why: printable(&why(error)),
            hint,
        }
    }
}

/// Whether the file itself failed: the connection is not to be trusted any more.
pub(super) fn doubtful(error: &Error) -> bool {
    !matches!(
        code(error),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::ConstraintViolation
                | ErrorCode::ReadOnly
                | ErrorCode::Unknown
                | ErrorCode::DiskFull
        )
    )
}

/// The driver keeps the code of a statement that cannot be prepared apart from the others.
fn code(error: &Error) -> Option<ErrorCode> {
    match error {
        Error::SqlInputError { error, .. } => Some(error.code),
        other => other.sqlite_error_code(),
    }
}

fn why(error: &Error) -> String {
    match error {
        Error::SqliteFailure(_, Some(text)) | Error::SqlInputError { msg: text, .. } => text.clone(),
        other => other.to_string(),
    }
}

fn meaning(error: &Error) -> (Trouble, Option<&'static str>) {
    let Some(code) = code(error) else { return (Trouble::Other, None) };
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            (Trouble::Conflict, Some("another program holds a lock on the file; end its transaction"))
        }
        ErrorCode::ReadOnly => (
            Trouble::ReadOnly,
            Some("let pm's account write the file and its directory, or use another path"),
        ),
        ErrorCode::CannotOpen => {
            (Trouble::Away, Some("check the path in [database] and who may read and write the file"))
        }
        ErrorCode::DiskFull => (Trouble::Away, Some("free some space on its disk")),
        ErrorCode::SystemIoFailure | ErrorCode::FileLockingProtocolFailed => {
            (Trouble::Away, Some("check the disk and the file system of the file"))
        }
        ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
            (Trouble::Refused, Some("let pm's account read and write the file"))
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            (Trouble::Other, Some("restore the file from a backup, or move it away and pm creates a new one"))
        }
        ErrorCode::Unknown if schema_is_missing(&why(error)) => (
            Trouble::Schema,
            Some("run `pm db migrate` to create what is missing, or set another path in [database]"),
        ),
        _ => (Trouble::Other, None),
    }
}

/// SQLite has one code for every statement it cannot prepare.
fn schema_is_missing(text: &str) -> bool {
    ["no such table", "no such column", "has no column"].iter().any(|words| text.contains(words))
}

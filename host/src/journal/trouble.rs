//! What goes wrong with the journal, in the words of the port: what was attempted, why it failed, what to do.

use crate::policy::model::Name;
use crate::policy::window::Override;
use crate::ports::JournalError;
use std::path::Path;

/// The error of the port for a hold that is in force.
pub(super) fn held((name, Override { scope, by, why, until, .. }): (Name, Override)) -> JournalError {
    JournalError::Held { name, scope, by, why, until }
}

/// The error of the port for one of the driver.
pub(super) fn unusable(attempted: &'static str, path: &Path, error: &rusqlite::Error) -> JournalError {
    use rusqlite::ErrorCode;
    let what = match error {
        rusqlite::Error::SqliteFailure(_, Some(text)) => text.clone(),
        other => other.to_string(),
    };
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "; free some space on its disk",
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            "; run this as pm's account, which must be able to write the state directory"
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "; restart the daemon, which sets a damaged journal aside"
        }
        _ => "",
    };
    JournalError::Unusable { attempted, path: path.to_owned(), why: format!("{what}{hint}") }
}

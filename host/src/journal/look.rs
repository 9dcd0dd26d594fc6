//! A look at the journal's file from outside: its version, its size, whether it is whole.
//!
//! It changes nothing and relies on nothing that the journal itself makes sure of when it is opened.

use super::open::{ASIDE, VERSIONS, read_only};
use crate::policy::time::Wall;
use crate::ports::JournalError;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What a look at the file tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The version of its tables.
    pub version: usize,
    /// The newest version this pm knows.
    pub newest: usize,
    /// Size of the file and its log.
    pub bytes: u64,
    /// How many attempts it holds.
    pub attempts: u64,
    /// What SQLite finds wrong with it, if anything.
    pub damage: Option<String>,
}

/// Looks at the journal of a state directory, also while a daemon works with it; none when there is none yet. Reads the
/// whole file.
///
/// # Errors
/// [`JournalError::Unusable`]: it cannot be read, is no journal, or a newer pm has written it.
pub fn look(directory: &Path) -> Result<Option<Look>, JournalError> {
    let path = super::open::file(directory);
    let Some((conn, version)) = read_only(&path)? else { return Ok(None) };
    let size = |file: &Path| std::fs::metadata(file).map_or(0, |about| about.len());
    let bytes = size(&path) + size(&super::open::log_of(&path));
    let failed = |error| super::unusable("looking at", &path, &error);
    let found: String =
        conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).or_else(|error| match error {
            rusqlite::Error::SqliteFailure(_, Some(text)) => Ok(text),
            other => Err(failed(other)),
        })?;
    let damage = (found != "ok").then_some(found);
    let attempts = match damage {
        Some(_) => 0,
        None => conn.query_row("SELECT COUNT(*) FROM attempts", [], |row| row.get(0)).map_err(failed)?,
    };
    let newest = VERSIONS.len();
    Ok(Some(Look { version, newest, bytes, attempts: u64::try_from(attempts).unwrap_or_default(), damage }))
}

/// What tells one state of the file and its log from another without reading them: sizes and last changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print([Option<(u64, i64, i64)>; 2]);

impl Print {
    /// Of a file as it is now.
    pub(super) fn of(path: &Path) -> Self {
        let print = |path: &Path| {
            let about = std::fs::metadata(path).ok()?;
            Some((about.len(), about.mtime(), about.mtime_nsec()))
        };
        Self([print(path), print(&super::open::log_of(path))])
    }
}

/// A damaged journal that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aside {
    /// The file it is now.
    pub path: PathBuf,
    /// When it was set aside, to the second.
    pub at: Wall,
}

/// The damaged journals that stand in a state directory, the last one first; none where nothing can be read.
#[must_use]
pub fn set_aside(directory: &Path) -> Vec<Aside> {
    let path = super::open::file(directory);
    let begins = format!("{}{ASIDE}", path.file_name().unwrap_or_default().to_string_lossy());
    let aside = |entry: std::fs::DirEntry| {
        let name = entry.file_name().to_string_lossy().into_owned();
        let companion = name.ends_with("-wal") || name.ends_with("-shm");
        let about = entry.metadata().ok().filter(|_| name.starts_with(&begins) && !companion)?;
        // The name has the time of its last change; setting it aside changed the inode.
        Some(Aside { path: entry.path(), at: Wall(about.ctime().saturating_mul(1000)) })
    };
    let mut found: Vec<Aside> =
        std::fs::read_dir(directory).into_iter().flatten().flatten().filter_map(aside).collect();
    found.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| other.path.cmp(&one.path)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_is_looked_at_as_it_is_and_nothing_is_made() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(look(dir.path()).unwrap(), None);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        drop(super::super::open(dir.path(), "boot").unwrap());
        let found = look(dir.path()).unwrap().unwrap();
        assert_eq!((found.version, found.attempts, found.damage), (VERSIONS.len(), 0, None));
        assert!(found.bytes > 0);
    }

    #[test]
    fn what_is_damaged_newer_or_no_journal_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.db");
        std::fs::write(&path, "no database at all, and long enough to be looked at as one").unwrap();
        assert!(look(dir.path()).unwrap_err().to_string().contains("not a database"));
        std::fs::remove_file(&path).unwrap();
        drop(super::super::open(dir.path(), "boot").unwrap());
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.pragma_update(None, "journal_mode", "delete").unwrap();
        conn.pragma_update(None, "user_version", 99).unwrap();
        drop(conn);
        assert!(
            look(dir.path()).unwrap_err().to_string().contains("a newer pm has brought it to version 99")
        );
        let conn = rusqlite::Connection::open(&path).unwrap();
        conn.pragma_update(None, "user_version", 5).unwrap();
        drop(conn);
        // The pages behind the first are overwritten.
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[4096..].fill(0xff);
        std::fs::write(&path, bytes).unwrap();
        assert!(look(dir.path()).unwrap().unwrap().damage.is_some());
    }

    #[test]
    fn a_journal_that_was_set_aside_is_found_and_its_companions_are_not_counted() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(set_aside(&dir.path().join("nowhere")), []);
        drop(super::super::open(dir.path(), "boot").unwrap());
        assert_eq!(set_aside(dir.path()), []);
        std::fs::write(dir.path().join("journal.db-wal"), "").unwrap();
        std::fs::write(dir.path().join("journal.db"), "junk\n".repeat(1000)).unwrap();
        assert!(super::super::open(dir.path(), "boot").unwrap().warning.is_some());
        let found = set_aside(dir.path());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].path.to_string_lossy().contains("journal.db.corrupt-2"), "{found:?}");
        assert!(found[0].at.0 > 1_700_000_000_000, "{found:?}");
    }
}

//! Opening the journal's file: directory and file for pm alone, the version of the tables, damaged files.
//!
//! What is needed to go on after a start is read here once, so that damage shows before anything relies on it.

use super::look::Print;
use super::owner::Owner;
use super::{FileJournal, Inner, Opened, unusable};
use crate::ports::JournalError;
use crate::write_ahead::write_ahead;
use jiff::Timestamp;
use rusqlite::backup::Backup;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

/// The file in the state directory.
const FILE: &str = "journal.db";
/// What stands between the name of the file and the time in the name of one that was set aside.
pub(super) const ASIDE: &str = ".corrupt-";
/// How long another pm's transaction is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The steps to each version of the tables; the number of steps made stands in `user_version`.
pub(super) const VERSIONS: [&str; 6] = [
    ATTEMPTS,
    super::overrides::TABLES,
    super::decisions::TABLES,
    super::evidence::TABLE,
    super::windows::TABLE,
    super::steps::TABLES,
];

const ATTEMPTS: &str = "
    CREATE TABLE attempts (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL,
        strategy TEXT NOT NULL,
        alarms TEXT NOT NULL,
        boot TEXT NOT NULL,
        began_boot INTEGER NOT NULL,
        began_wall INTEGER NOT NULL,
        owner_pid INTEGER NOT NULL,
        owner_start INTEGER NOT NULL,
        owner_boot TEXT NOT NULL,
        stage TEXT NOT NULL,
        identity TEXT,
        ended_wall INTEGER,
        outcome TEXT,
        tries INTEGER,
        detail TEXT
    ) STRICT;
    CREATE UNIQUE INDEX attempts_open ON attempts (name) WHERE ended_wall IS NULL;
    CREATE INDEX attempts_of_name ON attempts (name, id);
    CREATE TABLE standings (
        name TEXT PRIMARY KEY,
        boot TEXT NOT NULL,
        failures INTEGER NOT NULL,
        open_until INTEGER,
        pause INTEGER,
        last_good INTEGER,
        handled TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        process_id INTEGER NOT NULL,
        notes TEXT,
        restarted_wall INTEGER
    ) STRICT;
";

pub(super) fn open(directory: &Path, boot_id: &str) -> Result<Opened, JournalError> {
    let path = directory.join(FILE);
    make_private(directory, &path)?;
    let (conn, warning) = match prepare(&path) {
        Ok(conn) => (conn, None),
        Err(error) if damaged(&error) => {
            let aside = set_aside(&path)?;
            let warning = format!(
                "The journal {} was damaged ({}) and is set aside as {}; pm begins a new one and has forgotten \
                 breakers, history and what operators ordered: put holds in force again",
                path.display(),
                error.reason(),
                aside.display()
            );
            make_private(directory, &path)?;
            (prepare(&path).map_err(|error| error.of(&path))?, Some(warning))
        }
        Err(error) => return Err(error.of(&path)),
    };
    Ok(Opened { journal: journal(path, boot_id, conn), warning })
}

pub(super) fn open_read_only(directory: &Path, boot_id: &str) -> Result<FileJournal, JournalError> {
    let path = directory.join(FILE);
    let conn = match prepare_read_only(&path) {
        Ok(Some(conn)) => conn,
        Ok(None) => empty().map_err(|error| unusable("reading", &path, &error))?,
        Err(error) => return Err(error.of(&path)),
    };
    Ok(journal(path, boot_id, conn))
}

pub(super) fn open_copy(directory: &Path, boot_id: &str) -> Result<FileJournal, JournalError> {
    let path = directory.join(FILE);
    let conn = match prepare_read_only(&path) {
        Ok(Some(conn)) => in_memory(&conn).map_err(|error| error.of(&path))?,
        Ok(None) => empty().map_err(|error| unusable("reading", &path, &error))?,
        Err(error) => return Err(error.of(&path)),
    };
    // What another pm has under way, and what it still has to clear, is not this one's business.
    conn.execute_batch(
        "PRAGMA query_only = OFF; DELETE FROM outbox; DELETE FROM orders; \
         DELETE FROM attempts WHERE ended_wall IS NULL;",
    )
    .map_err(|error| unusable("copying", &path, &error))?;
    let original = Some(Mutex::new(Print::of(&path)));
    Ok(FileJournal { original, ..journal(path, boot_id, conn) })
}

/// The file behind a copy, for reading; `None`: there is nothing to read yet.
pub(super) fn original(path: &Path) -> Result<Option<Connection>, JournalError> {
    prepare_read_only(path).map_err(|error| error.of(path))
}

/// A copy of a journal, brought to the newest version.
fn in_memory(file: &Connection) -> Result<Connection, Obstacle> {
    let mut copy = Connection::open_in_memory()?;
    Backup::new(file, &mut copy)?.run_to_completion(i32::MAX, Duration::ZERO, None)?;
    migrate(&mut copy)?;
    Ok(copy)
}

fn journal(path: PathBuf, boot_id: &str, conn: Connection) -> FileJournal {
    conn.set_prepared_statement_cache_capacity(64);
    FileJournal {
        path,
        owner: Owner::this(boot_id),
        inner: Mutex::new(Inner { conn, owed: Vec::new(), failing: false, seen: 0 }),
        original: None,
    }
}

/// Why a file cannot be used.
enum Obstacle {
    Sqlite(rusqlite::Error),
    Newer(usize),
}

impl From<rusqlite::Error> for Obstacle {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl Obstacle {
    fn reason(&self) -> String {
        match self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(_, Some(text))) => text.clone(),
            Self::Sqlite(error) => error.to_string(),
            Self::Newer(version) => format!(
                "a newer pm has brought it to version {version}, this one knows {}; use the newer pm, or move the \
                 file away and lose breakers and history",
                VERSIONS.len()
            ),
        }
    }

    fn of(&self, path: &Path) -> JournalError {
        match self {
            Self::Sqlite(error) => unusable("opening the journal", path, error),
            Self::Newer(_) => JournalError::Unusable {
                attempted: "opening the journal",
                path: path.to_owned(),
                why: self.reason(),
            },
        }
    }
}

/// The directory and an empty file that only pm's account can read.
fn make_private(directory: &Path, path: &Path) -> Result<(), JournalError> {
    let failed = |attempted, path: &Path, error: std::io::Error| JournalError::Unusable {
        attempted,
        path: path.to_owned(),
        why: match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                format!("{error}; run this as pm's account, which must be able to write the state directory")
            }
            _ => format!("{error}; create the directory for pm's account, or set another state directory"),
        },
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| failed("creating the state directory", directory, error))?;
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| failed("opening the journal", path, error))
}

fn prepare(path: &Path) -> Result<Connection, Obstacle> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(PATIENCE)?;
    // Only a file without tables takes it on: see `retention`.
    conn.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    write_ahead(&conn)?;
    conn.pragma_update(None, "synchronous", "NORMAL")?;
    migrate(&mut conn)?;
    probe(&conn)?;
    Ok(conn)
}

/// The file in a state directory.
pub(super) fn file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

/// The write-ahead log beside a file.
pub(super) fn log_of(path: &Path) -> PathBuf {
    PathBuf::from([path.as_os_str(), OsStr::new("-wal")].iter().copied().collect::<OsString>())
}

/// The file as it is, with its version, for reading only; `None`: there is nothing to read yet.
pub(super) fn read_only(path: &Path) -> Result<Option<(Connection, usize)>, JournalError> {
    let connect = || match connect_read_only(path)? {
        Some(conn) => {
            let version = version(&conn)?;
            Ok(Some((conn, version)).filter(|(_, version)| *version > 0))
        }
        None => Ok(None),
    };
    connect().map_err(|error: Obstacle| error.of(path))
}

/// `None`: there is nothing to read yet.
fn prepare_read_only(path: &Path) -> Result<Option<Connection>, Obstacle> {
    let Some(conn) = connect_read_only(path)? else { return Ok(None) };
    match version(&conn)? {
        0 => Ok(None),
        current if current == VERSIONS.len() => Ok(Some(conn)),
        // The daemon that brings it up to date has not started yet.
        _ => in_memory(&conn).map(Some),
    }
}

fn connect_read_only(path: &Path) -> Result<Option<Connection>, Obstacle> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() == 0)
        || path.symlink_metadata().is_err_and(|error| is_absent(&error))
    {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    // Without a log beside it nobody is at work on it, and it is read as it is: otherwise reading alone would make the
    // log and its index, and leave them behind.
    let conn = match log_of(path).symlink_metadata() {
        Err(error) if is_absent(&error) => {
            Connection::open_with_flags(as_it_is(path), flags | OpenFlags::SQLITE_OPEN_URI)?
        }
        _ => Connection::open_with_flags(path, flags)?,
    };
    conn.busy_timeout(PATIENCE)?;
    Ok(Some(conn))
}

/// The address of a file that nobody changes.
fn as_it_is(path: &Path) -> OsString {
    // An empty authority, so that a path with two slashes has none.
    let mut address = OsString::from(if path.is_absolute() { "file://" } else { "file:" });
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | b'?' | b'#' => address.push(format!("%{byte:02x}")),
            plain => address.push(OsStr::from_bytes(&[*plain])),
        }
    }
    address.push("?immutable=1");
    address
}

fn is_absent(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::NotFound
}

fn empty() -> rusqlite::Result<Connection> {
    let conn = Connection::open_in_memory()?;
    for step in VERSIONS {
        conn.execute_batch(step)?;
    }
    conn.pragma_update(None, "query_only", true)?;
    Ok(conn)
}

fn version(conn: &Connection) -> Result<usize, Obstacle> {
    let version: i64 = conn.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let version = usize::try_from(version).unwrap_or(usize::MAX);
    if version > VERSIONS.len() { Err(Obstacle::Newer(version)) } else { Ok(version) }
}

fn migrate(conn: &mut Connection) -> Result<(), Obstacle> {
    if version(conn)? == VERSIONS.len() {
        return Ok(());
    }
    // Another pm may be faster: what is missing is decided inside the transaction.
    let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for (number, step) in VERSIONS.iter().enumerate().skip(version(&tx)?) {
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", i64::try_from(number + 1).unwrap_or(i64::MAX))?;
    }
    tx.commit()?;
    Ok(())
}

/// Reads what a start reads.
fn probe(conn: &Connection) -> rusqlite::Result<()> {
    for sql in [
        "SELECT COUNT(length(handled)), COUNT(length(memory)) FROM standings",
        "SELECT length(memory) FROM host",
        "SELECT length(chain) FROM decisions ORDER BY id DESC LIMIT 1",
        "SELECT COUNT(length(notes)) FROM outbox",
        "SELECT COUNT(length(alarms)) FROM attempts WHERE ended_wall IS NULL",
        "SELECT length(detail) FROM attempts ORDER BY id DESC LIMIT 1",
        "SELECT COUNT(length(why)) FROM overrides",
        "SELECT COUNT(length(why)) FROM orders",
    ] {
        conn.prepare(sql)?.query([])?.next()?;
    }
    Ok(())
}

fn damaged(obstacle: &Obstacle) -> bool {
    let Obstacle::Sqlite(error) = obstacle else { return false };
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        // A file of another program, or one whose tables were lost.
        || error.to_string().contains("no such table")
        || error.to_string().contains("no such column")
}

/// Renames the file and its companions, by the time of its last change.
fn set_aside(path: &Path) -> Result<PathBuf, JournalError> {
    let changed = std::fs::metadata(path).and_then(|file| file.modified()).ok();
    let time = changed.and_then(|time| Timestamp::try_from(time).ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    let base = format!("{}{ASIDE}{}", path.display(), time.strftime("%Y%m%dT%H%M%SZ"));
    let free = std::iter::once(base.clone()).chain((2..).map(|number| format!("{base}-{number}")));
    let aside =
        free.map(PathBuf::from).find(|aside| aside.symlink_metadata().is_err_and(|error| is_absent(&error)));
    let aside = aside.unwrap_or_else(|| PathBuf::from(base));
    for companion in ["", "-wal", "-shm"] {
        let from = PathBuf::from(format!("{}{companion}", path.display()));
        match std::fs::rename(&from, format!("{}{companion}", aside.display())) {
            Err(error) if !is_absent(&error) => {
                return Err(JournalError::Unusable {
                    attempted: "setting the damaged journal aside",
                    path: from,
                    why: format!("{error}; move it away by hand"),
                });
            }
            _ => {}
        }
    }
    Ok(aside)
}

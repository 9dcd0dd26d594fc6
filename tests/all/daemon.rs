//! The built daemon on the embedded database, with real processes: what it does, and what it survives.
//!
//! Nothing is mocked and nothing is awaited by time alone: a test waits for a line of the log, a row or a process. "It
//! does not happen" is shown by another alarm that is handled later, never by a pause.

mod alarms;
mod breaker;
mod commands;
mod configuration;
mod crashes;
mod database;
mod evidence;
mod failpoints;
mod hostile;
mod libraries;
mod log;
mod overrides;
mod parallel;
mod plugins;
mod presence;
mod processes;
mod push;
mod resources;
mod stopping;
mod wrecks;

use pm_tests::sandbox::{PATIENCE, Sandbox};
use rusqlite::types::ToSql;
use rusqlite::{Connection, params};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A process that is always restarted at once; see [`World::round`].
const MARKER: &str = "\n[process.marker]\nrestart_strategy = custom\nrestart_command = true\n";

/// A sandbox and the alarm table as whoever raises alarms sees it.
pub(crate) struct World {
    sandbox: Sandbox,
    pub(crate) table: Connection,
}

/// A row: `alarma`, `sound`, `notes`.
pub(crate) type Row = (i64, i64, Option<String>);

impl World {
    /// The embedded database, polled ten times a second, and these process sections.
    fn with(sections: &str) -> Self {
        Self::of(&Sandbox::on_sqlite(&format!("{sections}{MARKER}")))
    }

    /// With a whole configuration.
    pub(crate) fn of(config: &str) -> Self {
        Self::launched(&[], config)
    }

    /// With pm run by another program.
    pub(crate) fn launched(launcher: &[&str], config: &str) -> Self {
        let sandbox = Sandbox::within(&std::env::temp_dir(), launcher, config);
        sandbox.ok(&["db", "migrate"]);
        let table = open(&sandbox.dir().join("alarms.db"));
        Self { sandbox, table }
    }

    /// The other process sections from now on.
    fn edit(&self, sections: &str) {
        self.configure(&Sandbox::on_sqlite(&format!("{sections}{MARKER}")));
    }

    /// Puts a row into the two tables as it is.
    pub(crate) fn put(&self, id: i64, name: &dyn ToSql, alarm: i64, sound: i64, notes: Option<&str>) {
        let status = "INSERT INTO STATUS_PROCESS (process_id, alarma, sound, notes) VALUES (?1, ?2, ?3, ?4)";
        self.table.execute_batch("BEGIN IMMEDIATE; PRAGMA defer_foreign_keys = ON").unwrap();
        self.table.execute(status, params![id, alarm, sound, notes]).unwrap();
        let name = params![id, name];
        self.table.execute("INSERT INTO PROCESE (process_id, process_name) VALUES (?1, ?2)", name).unwrap();
        self.table.execute_batch("COMMIT").unwrap();
    }

    /// A new row in alarm; answers its id.
    pub(crate) fn alarm(&self, name: &str) -> i64 {
        let next = "SELECT 1 + COALESCE(MAX(process_id), 0) FROM STATUS_PROCESS";
        let id = self.table.query_row(next, [], |row| row.get(0)).unwrap();
        self.put(id, &name, 1, 0, Some("down"));
        id
    }

    /// Puts a row into alarm again.
    pub(crate) fn again(&self, id: i64) {
        let update = "UPDATE STATUS_PROCESS SET alarma = 1, notes = 'again' WHERE process_id = ?1";
        assert_eq!(self.table.execute(update, [id]).unwrap(), 1);
    }

    pub(crate) fn state(&self, id: i64) -> Row {
        let select = "SELECT alarma, sound, notes FROM STATUS_PROCESS WHERE process_id = ?1";
        self.table.query_row(select, [id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
    }

    /// Waits until the alarm of a row is cleared, and answers its notes.
    pub(crate) fn cleared(&self, id: i64) -> String {
        self.until(&format!("row {id} to be cleared"), |_| self.state(id).0 == 0);
        self.state(id).2.unwrap_or_default()
    }

    /// Raises an alarm and waits until it is cleared.
    pub(crate) fn handled(&self, name: &str) -> i64 {
        let id = self.alarm(name);
        self.cleared(id);
        id
    }

    /// A whole round from the poll to a clearing; what was there before it has been seen and decided by then.
    pub(crate) fn round(&self) {
        self.handled("marker");
    }

    /// A program that runs until it is told to end, after what it does `first`. It waits without forking: a fork looks
    /// like its parent for a moment, and tests count programs.
    pub(crate) fn program(&self, name: &str, first: &str) -> PathBuf {
        let never = self.dir().join("never");
        if !never.exists() {
            let mode = rustix::fs::Mode::from_raw_mode(0o600);
            rustix::fs::mknodat(rustix::fs::CWD, &never, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }
        self.script(name, &format!("{first}\nwhile :; do read line < @DIR@/never; done"))
    }

    /// The lines of a file that commands write to.
    pub(crate) fn lines(&self, file: &str) -> Vec<String> {
        self.read(file).lines().map(str::to_owned).collect()
    }

    pub(crate) fn count(&self, file: &str) -> usize {
        self.lines(file).len()
    }

    pub(crate) fn until_count(&self, file: &str, count: usize) {
        self.until(&format!("{count} lines in {file}"), |_| self.count(file) >= count);
    }

    /// The texts of the log without time, level first: `INFO Starting …`. Every line must have the original's shape.
    fn messages(&self) -> Vec<String> {
        self.log().lines().map(message).collect()
    }

    /// How many lines of the log contain a text.
    pub(crate) fn said(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// A path below the folder, as text.
    pub(crate) fn path(&self, name: &str) -> String {
        self.dir().join(name).to_string_lossy().into_owned()
    }
}

impl Deref for World {
    type Target = Sandbox;
    fn deref(&self) -> &Sandbox {
        &self.sandbox
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Sandbox {
        &mut self.sandbox
    }
}

fn open(path: &Path) -> Connection {
    let table = Connection::open(path).unwrap();
    table.busy_timeout(PATIENCE).unwrap();
    table
}

/// `2026-01-31 12:00:00  [INFO] - text` as `INFO text`.
fn message(line: &str) -> String {
    let (stamp, rest) = line.split_at_checked(19).unwrap_or_else(|| panic!("no time in {line:?}"));
    let shape: String = stamp.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00 00:00:00", "{line:?}");
    let (level, text) = rest
        .strip_prefix("  [")
        .and_then(|rest| rest.split_once("] - "))
        .unwrap_or_else(|| panic!("{line:?} has not the shape of a log line"));
    assert!(["DEBUG", "INFO", "WARNING", "ERROR"].contains(&level), "{line:?}");
    format!("{level} {text}")
}

/// A section of a process with the strategy custom.
pub(crate) fn custom(name: &str, keys: &str) -> String {
    format!("[process.{name}]\nrestart_strategy = custom\n{keys}\n\n")
}

/// Whether a process is there and no zombie.
pub(crate) fn alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Pids of processes whose command line names a file of the sandbox.
pub(crate) fn running(world: &World, file: &str) -> Vec<u32> {
    let mut found: Vec<u32> = pm_tests::sandbox::processes_of(&world.path(file))
        .into_iter()
        .filter_map(|pid| u32::try_from(pid).ok())
        .filter(|pid| alive(*pid))
        .collect();
    found.sort_unstable();
    found
}

/// Kills a process the hard way and waits until it is gone.
pub(crate) fn kill(world: &World, pid: u32) {
    let target = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
    rustix::process::kill_process(target, rustix::process::Signal::KILL).unwrap();
    world.until("the process to die", |_| !alive(pid));
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.trim().parse().unwrap_or_else(|error| panic!("{text:?}: {error}")))
}

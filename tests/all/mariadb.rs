//! The built daemon on a real MariaDB server, by its own accounts: every way to it, and everything that happens to it.
//!
//! Each test has a database and accounts of its own, gone afterwards. A test waits for a line of the log, a row or a
//! file, never for time alone. Whatever pm says in these tests is searched for the password.

mod addresses;
mod clearing;
mod cluster;
mod crashes;
mod doctor;
mod faults;
mod fleet;
mod load;
mod outages;
mod published;
mod push;
mod refusals;
mod ways;

use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder};
use pm_tests::components::{self, Mysql};
use pm_tests::proxy::Proxy;
use pm_tests::sandbox::{Answer, Sandbox, UNHURRIED};
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The password of the accounts.
pub(crate) const PASSWORD: &str = "kept-to-itself-4711";
/// The least that pm needs.
pub(crate) const LEAST: &[&str] =
    &["SELECT ON {db}.PROCESE", "SELECT, UPDATE (alarma, notes) ON {db}.STATUS_PROCESS"];
/// What leaves the rows as they are.
pub(crate) const READ: &[&str] = &["SELECT ON {db}.PROCESE", "SELECT ON {db}.STATUS_PROCESS"];
/// Rights on a database whose tables do not exist yet.
const WHOLE: &[&str] = &["SELECT, UPDATE ON {db}.*"];
/// A process that is always restarted at once; see [`World::round`].
const MARKER: &str = "[process.marker]\nrestart_strategy = custom\nrestart_command = true\n";
/// Attempts are not published, so that the connections are those of the polls and clearings.
const UNTOLD: &str = "[history]\npublish = no\n";
/// What the log says when it is worse than before.
const LOST: &str = "Trying again until it works";
/// What the log says when it is better.
const BACK: &str = "Database connection is back after";
/// The tables without and with hosts.
pub(crate) const R8: &str = include_str!("../fixtures/sql/r8.sql");
const R6: &str = include_str!("../fixtures/sql/r6-host.sql");

/// A database of a server, as whoever raises alarms sees it.
pub(crate) struct Base {
    pub(crate) server: Mysql,
    name: String,
    /// A connection with all rights.
    admin: RefCell<Conn>,
    accounts: RefCell<Vec<String>>,
}

impl Base {
    /// A database with these tables; `None` when the short run leaves MariaDB out.
    pub(crate) fn new(tables: &str) -> Option<Self> {
        let base = Self::planned(components::mysql()?);
        base.create(tables);
        Some(base)
    }

    /// A database that does not exist yet.
    fn planned(server: Mysql) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pm_sys_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let options = OptsBuilder::new()
            .socket(server.socket.to_str())
            .user(Some(&server.user))
            .pass(Some(&server.password));
        let admin = Conn::new(options).unwrap_or_else(|error| panic!("{}: {error}", server.socket.display()));
        Self { server, name, admin: admin.into(), accounts: RefCell::default() }
    }

    fn create(&self, tables: &str) {
        self.sql(&format!("CREATE DATABASE {} CHARACTER SET utf8mb4", self.name));
        self.sql(&format!("USE {}", self.name));
        self.tables(tables);
    }

    fn tables(&self, tables: &str) {
        let code: String =
            tables.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        code.split(';').filter(|statement| !statement.trim().is_empty()).for_each(|one| self.sql(one));
    }

    pub(crate) fn sql(&self, statement: &str) {
        let done = self.admin.borrow_mut().query_drop(statement);
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    pub(crate) fn number(&self, query: &str) -> i64 {
        let found = self.admin.borrow_mut().query_first(query);
        found.unwrap_or_else(|error| panic!("{query}: {error}")).unwrap_or_default()
    }

    fn text(&self, query: &str) -> String {
        let found = self.admin.borrow_mut().query_first(query);
        found.unwrap_or_else(|error| panic!("{query}: {error}")).unwrap_or_default()
    }

    /// A new account with these rights; `{db}` is the database.
    pub(crate) fn account(&self, rights: &[&str]) -> String {
        self.account_with(PASSWORD, rights)
    }

    fn account_with(&self, password: &str, rights: &[&str]) -> String {
        let user = format!("{}_{}", self.name, self.accounts.borrow().len());
        for host in ["localhost", "127.0.0.1"] {
            let create = format!("CREATE USER '{user}'@'{host}' IDENTIFIED BY ?");
            self.admin.borrow_mut().query_drop(create.replace('?', &quoted(password))).unwrap();
        }
        self.accounts.borrow_mut().push(user.clone());
        rights.iter().for_each(|right| self.grant(&user, right));
        user
    }

    fn grant(&self, user: &str, right: &str) {
        // Options of an account come behind its name.
        let (right, with) = right
            .split_once(" WITH ")
            .map_or((right, String::new()), |(right, with)| (right, format!(" WITH {with}")));
        for host in ["localhost", "127.0.0.1"] {
            self.sql(&format!("GRANT {} TO '{user}'@'{host}'{with}", right.replace("{db}", &self.name)));
        }
    }

    /// The keys of `[database]` for an account over TCP.
    pub(crate) fn tcp(&self, user: &str, port: u16) -> String {
        format!("host = 127.0.0.1\nport = {port}\n{}", self.login(user))
    }

    fn login(&self, user: &str) -> String {
        format!("user = {user}\npassword = {PASSWORD}\ndatabase = {}\n", self.name)
    }

    /// Puts a row into the two tables.
    pub(crate) fn put(&self, id: i64, name: &str, alarm: i64, notes: Option<&str>) {
        let mut admin = self.admin.borrow_mut();
        let status = "INSERT INTO STATUS_PROCESS (process_id, alarma, notes) VALUES (?, ?, ?)";
        let process = "INSERT INTO PROCESE (process_id, process_name) VALUES (?, ?)";
        let mut tx = admin.start_transaction(mysql::TxOpts::default()).unwrap();
        tx.exec_drop(status, (id, alarm, notes)).unwrap();
        tx.exec_drop(process, (id, name)).unwrap();
        tx.commit().unwrap();
    }

    /// A new row in alarm with the note `down`; answers its id.
    pub(crate) fn alarm(&self, name: &str) -> i64 {
        let id = 1 + self.number("SELECT COALESCE(MAX(process_id), 0) FROM STATUS_PROCESS");
        self.put(id, name, 1, Some("down"));
        id
    }

    /// Puts a row into alarm, whatever it is now.
    pub(crate) fn again(&self, id: i64, notes: &str) {
        let update = "UPDATE STATUS_PROCESS SET alarma = 1, notes = ? WHERE process_id = ?";
        self.admin.borrow_mut().exec_drop(update, (notes, id)).unwrap();
    }

    /// `alarma` and `notes` of a row.
    pub(crate) fn state(&self, id: i64) -> (i64, String) {
        let query = "SELECT alarma, COALESCE(notes, 'NULL') FROM STATUS_PROCESS WHERE process_id = ?";
        self.admin.borrow_mut().exec_first(query, (id,)).unwrap().unwrap_or_else(|| panic!("no row {id}"))
    }

    /// Sessions of the accounts of this test.
    fn sessions(&self) -> Vec<(u64, String)> {
        let query = format!(
            "SELECT id, host FROM information_schema.processlist WHERE user LIKE '{}\\_%' AND command <> 'Killed'",
            self.name.replace('_', "\\_")
        );
        self.admin.borrow_mut().query(query).unwrap()
    }

    fn kill_sessions(&self) {
        for (session, _) in self.sessions() {
            self.sql(&format!("KILL {session}"));
        }
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        let name = &self.name;
        let mut admin = self.admin.borrow_mut();
        let mut gone = vec![admin.query_drop(format!("DROP DATABASE IF EXISTS {name}"))];
        for user in self.accounts.borrow().iter() {
            gone.push(admin.query_drop(format!("DROP USER '{user}'@'localhost', '{user}'@'127.0.0.1'")));
        }
        assert!(gone.iter().all(Result::is_ok) || std::thread::panicking(), "{gone:?}");
    }
}

/// A sandbox whose pm works on a database.
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) base: Base,
}

impl World {
    /// pm with these lines of `[database]` and `[monitor]`, and these sections.
    fn on(base: Base, database: &str, monitor: &str, sections: &str) -> Self {
        Self { sandbox: Sandbox::new(&config(database, monitor, sections)), base }
    }

    /// The tables without hosts, the least account, TCP.
    fn new(sections: &str) -> Option<Self> {
        let base = Base::new(R8)?;
        let database = base.tcp(&base.account(LEAST), base.server.port);
        Some(Self::on(base, &database, "", sections))
    }

    /// As [`new`](Self::new), by way of a proxy, impatient, with these lines of `[monitor]`.
    fn proxied(monitor: &str, sections: &str) -> Option<(Self, Proxy)> {
        let base = Base::new(R8)?;
        let proxy = Proxy::to(base.server.port);
        let user = base.account(LEAST);
        let database = base.tcp(&user, proxy.port()) + "connect_timeout = 0.5\nread_timeout = 1\n";
        Some((Self::on(base, &database, monitor, sections), proxy))
    }

    /// Waits until the alarm of a row is cleared, and answers its notes.
    pub(crate) fn cleared(&self, id: i64) -> String {
        self.until(&format!("row {id} to be cleared"), |_| self.base.state(id).0 == 0);
        self.base.state(id).1
    }

    /// Raises an alarm and waits until it is cleared.
    fn handled(&self, name: &str) -> i64 {
        let id = self.base.alarm(name);
        self.cleared(id);
        id
    }

    /// A whole round from the poll to a clearing; what was there before it has been seen and decided by then.
    fn round(&self) {
        self.handled("marker");
    }

    fn lines(&self, file: &str) -> Vec<String> {
        self.read(file).lines().map(str::to_owned).collect()
    }

    fn count(&self, file: &str) -> usize {
        self.lines(file).len()
    }

    fn until_count(&self, file: &str, count: usize) {
        self.until(&format!("{count} lines in {file}"), |_| self.count(file) >= count);
    }

    /// How many lines of the log contain a text.
    pub(crate) fn said(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    /// Waits until the log has so many lines with a text.
    fn until_said(&self, text: &str, count: usize) {
        self.until(&format!("{count} times {text:?}"), |_| self.said(text) >= count);
    }

    /// The texts of warnings and errors, in order, without the remark that nothing checks the health of some.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let text = |line: &str| {
            let (_, rest) = line.split_once("  [")?;
            let (level, text) = rest.split_once("] - ")?;
            ["WARNING", "ERROR"].contains(&level).then(|| format!("{level} {text}"))
        };
        self.log().lines().filter(|line| !line.contains("no health check for")).filter_map(text).collect()
    }

    /// `lost` and `back`, in the order in which the log tells them.
    fn story(&self) -> Vec<&'static str> {
        let word = |line: &str| match line {
            line if line.contains(LOST) => Some("lost"),
            line if line.contains(BACK) => Some("back"),
            _ => None,
        };
        self.log().lines().filter_map(word).collect()
    }

    /// The only complaint of the log.
    fn complaint(&self) -> String {
        let complaints = self.complaints();
        assert_eq!(complaints.len(), 1, "{}", self.log());
        complaints.into_iter().next().unwrap_or_default()
    }

    /// A number out of pm's own memory.
    fn journal(&self, query: &str) -> i64 {
        let path = self.dir().join("state/journal.db");
        let journal = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
        let journal = journal.unwrap();
        journal.busy_timeout(Duration::from_secs(10)).unwrap();
        journal.query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// Clearings that wait.
    fn outbox(&self) -> i64 {
        self.journal("SELECT COUNT(*) FROM outbox")
    }

    /// Waits until no clearing waits.
    fn delivered(&self) {
        self.until("no clearing to wait", |_| self.outbox() == 0);
    }

    /// The seconds in the heartbeat file; 0 before the first.
    fn beat(&self) -> u64 {
        self.read("heartbeat").trim().parse().unwrap_or_default()
    }

    /// Runs a command of pm, which must not tell the password.
    fn discreet(&self, words: &[&str]) -> Answer {
        let answer = self.pm(words);
        assert!(!answer.out.contains(PASSWORD) && !answer.err.contains(PASSWORD), "{answer:?}");
        answer
    }

    /// Every command that needs the database must fail with the code for it, name the server, and say no secret.
    fn away(&self, server: &str) {
        for words in [
            &["status"][..],
            &["status", "--format", "json"],
            &["why", "web"],
            &["alarm", "list"],
            &["alarm", "raise", "web"],
            &["db", "status"],
        ] {
            let answer = self.discreet(words);
            assert_eq!(answer.code, 3, "{words:?}: {answer:?}");
            assert!(answer.err.starts_with("pm: ") && answer.err.contains(server), "{words:?}: {answer:?}");
        }
        let status = self.discreet(&["status"]).out;
        assert!(status.contains("(does not answer)") && status.contains("running, pid "), "{status}");
        let why = self.discreet(&["why", "web"]).out;
        assert!(why.starts_with("Whether web is in alarm is not known"), "{why}");
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

impl Drop for World {
    fn drop(&mut self) {
        let told = self.read("out").contains(PASSWORD) || self.log().contains(PASSWORD);
        assert!(!told || std::thread::panicking(), "pm told the password:\n{}", self.log());
    }
}

/// A configuration that polls ten times a second.
fn config(database: &str, monitor: &str, sections: &str) -> String {
    format!(
        "[database]\n{database}\n[monitor]\ncheck_interval = 0.1\nmax_restart_failures = 3\n\
         circuit_reset_time = 600\nstate_dir = @DIR@/state\n{monitor}\n{UNHURRIED}\n[logging]\nfile = @DIR@/pm.log\n\
         syslog = no\n\n[self_recovery]\nheartbeat_file = @DIR@/heartbeat\n\n{UNTOLD}\n{sections}{MARKER}"
    )
}

/// A section of a process with the strategy custom.
fn custom(name: &str, keys: &str) -> String {
    format!("[process.{name}]\nrestart_strategy = custom\n{keys}\n\n")
}

/// A command that notes its beginning in `begun` and ends when there is a file `go`.
const WAITING: &str = "restart_command = echo x >> @DIR@/begun; while [ ! -e @DIR@/go ]; do sleep 0.02; done";

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

//! The built daemon on a real PostgreSQL server, by its own account: from the alarm to the note, and what happens on the way.
//!
//! What the engines share is tested on MariaDB (`mariadb.rs`), and the store itself in `store_contract`. A test waits
//! for a line of the log, a row or a file, never for time alone. Whatever pm says is searched for the password.

mod standby;

use pm_tests::components::{self, Postgres};
use pm_tests::postgres::Admin;
use pm_tests::proxy::{Fault, Proxy};
use pm_tests::sandbox::{Answer, Sandbox, UNHURRIED};
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicU32, Ordering};

/// The password of the accounts.
const PASSWORD: &str = "kept-to-itself-4711";
/// A command that notes its beginning in `begun` and ends when there is a file `go`.
const WAITING: &str = "restart_command = echo x >> @DIR@/begun; while [ ! -e @DIR@/go ]; do sleep 0.02; done";
const LOST: &str = "Trying again until it works";
const BACK: &str = "Database connection is back after";

/// A database of the server and an account with the least rights; both gone afterwards.
struct Base {
    server: Postgres,
    name: String,
    admin: RefCell<Admin>,
}

impl Base {
    fn new() -> Option<Self> {
        components::postgres().map(Self::of)
    }

    fn of(server: Postgres) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("pm_sys_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut root = Admin::of(&server, "postgres");
        root.run(&format!("CREATE DATABASE {name}"));
        root.run(&format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'"));
        let admin = Admin::of(&server, &name).into();
        Self { server, name, admin }
    }

    /// The tables, in the shape of the original, and the rights of the daemon.
    fn with_tables() -> Option<Self> {
        Self::new().map(Self::made)
    }

    fn made(self) -> Self {
        let base = self;
        let tables = include_str!("../fixtures/sql/r8.sql").replace("TINYINT", "SMALLINT");
        base.sql(&tables);
        base.sql(&format!(
            "GRANT SELECT ON procese, status_process TO {0}; GRANT UPDATE (alarma, notes) ON status_process TO {0}",
            base.name
        ));
        base
    }

    fn sql(&self, statements: &str) {
        self.admin.borrow_mut().run(statements);
    }

    fn first(&self, query: &str) -> String {
        self.admin.borrow_mut().column(query).into_iter().next().unwrap_or_default()
    }

    /// The keys of `[database]`, over a port.
    fn keys(&self, port: u16) -> String {
        format!(
            "engine = postgresql\nhost = 127.0.0.1\nport = {port}\nuser = {0}\npassword = {PASSWORD}\ndatabase = {0}\n",
            self.name
        )
    }

    /// Puts a row into alarm with a note; it is made when it is not there.
    fn alarm(&self, id: i64, name: &str, note: &str) {
        self.sql(&format!(
            "INSERT INTO status_process (process_id, alarma, notes) VALUES ({id}, 1, '{note}') \
             ON CONFLICT (process_id) DO UPDATE SET alarma = 1, notes = '{note}'; \
             INSERT INTO procese VALUES ({id}, '{name}') ON CONFLICT DO NOTHING"
        ));
    }

    fn state(&self, id: i64) -> (String, String) {
        let get =
            |column| self.first(&format!("SELECT {column} FROM status_process WHERE process_id = {id}"));
        (get("alarma"), get("notes"))
    }

    /// Ends the sessions of the account.
    fn kill_sessions(&self) {
        self.sql(&format!(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{}'",
            self.name
        ));
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let mut root = Admin::of(&self.server, "postgres");
            root.run(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
            root.run(&format!("DROP ROLE {}", self.name));
        }
    }
}

/// A sandbox whose pm works on a database.
struct World {
    sandbox: Sandbox,
    base: Base,
}

impl World {
    fn on(base: Base, database: &str, keys: &str) -> Self {
        let config = format!(
            "[database]\n{database}\n[monitor]\ncheck_interval = 0.1\nmax_restart_failures = 3\n\
             circuit_reset_time = 600\nstate_dir = @DIR@/state\n{UNHURRIED}\n[logging]\nfile = @DIR@/pm.log\n\
             syslog = no\n\n[process.web]\nrestart_strategy = custom\n{keys}\n\n\
             [process.marker]\nrestart_strategy = custom\nrestart_command = true\n"
        );
        Self { sandbox: Sandbox::new(&config), base }
    }

    fn new(keys: &str) -> Option<Self> {
        let base = Base::with_tables()?;
        let database = base.keys(base.server.port);
        Some(Self::on(base, &database, keys))
    }

    fn cleared(&self, id: i64) -> String {
        self.until(&format!("row {id} to be cleared"), |_| self.base.state(id).0 == "0");
        self.base.state(id).1
    }

    /// A whole round from the poll to a clearing; what was there before it has been seen and decided by then.
    fn round(&self) {
        self.base.alarm(99, "marker", "x");
        self.cleared(99);
    }

    fn count(&self, file: &str) -> usize {
        self.read(file).lines().count()
    }

    fn until_count(&self, file: &str, count: usize) {
        self.until(&format!("{count} lines in {file}"), |_| self.count(file) >= count);
    }

    fn said(&self, text: &str) -> usize {
        self.log().lines().filter(|line| line.contains(text)).count()
    }

    fn discreet(&self, words: &[&str]) -> Answer {
        let answer = self.pm(words);
        assert!(!answer.out.contains(PASSWORD) && !answer.err.contains(PASSWORD), "{answer:?}");
        answer
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

#[test]
fn an_alarm_becomes_a_restart_and_is_cleared_with_the_least_rights_over_every_way() {
    for way in ["tcp", "socket", "directory", "tls"] {
        let Some(base) = Base::with_tables() else { return };
        let port = base.server.port;
        let tcp = base.keys(port);
        let over = |socket: &std::path::Path| {
            let host = "host = 127.0.0.1\n";
            tcp.replace(host, &format!("socket = {}\n", socket.display()))
        };
        let database = match way {
            "tcp" => tcp,
            "socket" => over(&base.server.socket),
            "directory" => over(base.server.socket.parent().unwrap()),
            _ => {
                base.sql(&format!("GRANT encrypted TO {}", base.name));
                format!("{tcp}tls = verify-full\ntls_ca_file = {}\n", base.server.ca.display())
            }
        };
        let mut world = World::on(base, &database, "restart_command = echo $DB_NAME >> @DIR@/ran");
        world.start();
        world.base.alarm(7, "web", "disk full");
        assert!(world.cleared(7).starts_with("disk full - Restarted at 20"), "{way}");
        assert_eq!(world.read("ran").trim(), world.base.name, "{way}");
        let status = world.discreet(&["status"]);
        let name = format!("/{}", world.base.name);
        assert!(
            status.code == 0 && status.out.contains("postgresql ") && status.out.contains(&name),
            "{status:?}"
        );
        world.stop();
        let sessions = format!("SELECT COUNT(*) FROM pg_stat_activity WHERE usename = '{}'", world.base.name);
        world.until("the connection to be closed", |_| world.base.first(&sessions) == "0");
        assert_eq!(world.said(LOST), 0, "{way}: {}", world.log());
    }
}

#[test]
fn killed_sessions_are_made_anew_and_nothing_is_done_twice() {
    let Some(mut world) = World::new(WAITING) else { return };
    world.start();
    world.base.alarm(1, "web", "down");
    world.until_count("begun", 1);
    for times in 1..=2 {
        world.base.kill_sessions();
        world.until("the connection to be back", |_| world.said(BACK) == times);
    }
    world.write("go", "", 0o644);
    world.cleared(1);
    world.round();
    assert_eq!((world.said(LOST), world.count("begun")), (2, 1), "{}", world.log());
    assert!(world.log().contains("terminating connection due to administrator command (SQLSTATE 57P01)"));
}

/// Whether pm lives on or is killed while the clearing waits makes no difference.
#[test]
fn a_server_that_dies_in_the_middle_of_a_restart_gets_its_clearing_once() {
    for killed in [false, true] {
        let Some(base) = Base::with_tables() else { return };
        let proxy = Proxy::to(base.server.port);
        let database = base.keys(proxy.port()) + "connect_timeout = 0.5\nread_timeout = 1\n";
        let mut world = World::on(base, &database, WAITING);
        world.start();
        world.base.alarm(1, "web", "down");
        world.until_count("begun", 1);
        proxy.set(if killed { Fault::Freeze } else { Fault::Gone });
        world.until_log(LOST);
        world.write("go", "", 0o644);
        world.until_log("Successfully handled alarm for web");
        let status = world.discreet(&["status"]);
        assert!(
            status.code == 3 && status.err.contains(&format!("127.0.0.1:{}", proxy.port())),
            "{status:?}"
        );
        if killed {
            world.kill();
        }
        proxy.set(Fault::None);
        if killed {
            world.start();
        }
        let notes = world.cleared(1);
        assert!(notes.starts_with("down - ") && notes.matches("Restarted").count() == 1, "{notes}");
        world.round();
        assert_eq!(world.count("begun"), 1, "{}", world.log());
    }
}

#[test]
fn on_a_server_that_only_reads_the_clearing_waits_until_it_writes() {
    let Some(mut world) = World::new("restart_command = echo x >> @DIR@/ran") else { return };
    let mode = |world: &World, mode: &str| {
        let name = &world.base.name;
        world.base.sql(&format!("ALTER ROLE {name} SET default_transaction_read_only = {mode}"));
        world.base.kill_sessions();
    };
    mode(&world, "on");
    world.base.alarm(1, "web", "down");
    world.start();
    world.until_log("DB UPDATE LOG: Failed to update");
    assert!(
        world.log().contains("the server is read-only: point [database] to the primary"),
        "{}",
        world.log()
    );
    assert_eq!(world.base.state(1), ("1".to_owned(), "down".to_owned()));
    mode(&world, "off");
    world.signal(rustix::process::Signal::HUP);
    assert!(world.cleared(1).starts_with("down - Restarted at 20"));
    world.round();
    assert_eq!(world.count("ran"), 1, "{}", world.log());
}

#[test]
fn a_wrong_password_is_tried_once_a_minute_at_most_and_never_shown() {
    let Some(base) = Base::with_tables() else { return };
    let proxy = Proxy::to(base.server.port);
    let database = base.keys(proxy.port());
    let mut world =
        World::on(base, &database, "restart_command = echo x >> @DIR@/ran\n[history]\npublish = no");
    // Publishing has a connection of its own, made when there is something to publish.
    let password = |world: &World, password: &str| {
        world.base.sql(&format!("ALTER ROLE {} PASSWORD '{password}'", world.base.name));
    };
    password(&world, "another one");
    world.start();
    world.until_log("(SQLSTATE 28P01)");
    assert!(world.log().contains("check user and password in [database]; pm tries again once a minute"));
    // The log is written and the thread waits: another trouble would be tried again within two seconds.
    let before = proxy.connections();
    let answer = world.discreet(&["db", "status"]);
    assert_eq!((answer.code, before, proxy.connections()), (3, 1, 2), "{answer:?}");
    password(&world, PASSWORD);
    world.base.alarm(1, "web", "down");
    world.signal(rustix::process::Signal::HUP);
    world.cleared(1);
    assert_eq!((world.said(LOST), world.said(BACK), proxy.connections()), (1, 1, 3), "{}", world.log());
}

#[test]
fn the_tables_are_made_by_migrate_and_by_nothing_else() {
    let Some(base) = Base::new() else { return };
    let owner = base.name.clone();
    let database = base.keys(base.server.port);
    let mut world = World::on(base, &database, "restart_command = echo x >> @DIR@/ran");
    world.start();
    world.until_log("(SQLSTATE 42P01)");
    assert!(world.log().contains("run `pm db migrate`"), "{}", world.log());
    let refused = world.discreet(&["db", "migrate"]);
    assert!(refused.code == 3 && refused.err.contains("permission denied for schema public"), "{refused:?}");
    world.base.sql(&format!("GRANT CREATE ON SCHEMA public TO {owner}"));
    let made = world.ok(&["db", "migrate"]);
    assert!(made.starts_with("created STATUS_PROCESS\ncreated PROCESE\n"), "{made}");
    assert_eq!(world.ok(&["db", "migrate"]), "Nothing to do: the tables are up to date.\n");
    let status = world.ok(&["db", "status"]);
    assert!(status.contains("Engine    postgresql ") && status.contains("Missing   nothing"), "{status}");
    world.until_log(BACK);
    world.ok(&["alarm", "add", "web"]);
    world.ok(&["alarm", "raise", "web"]);
    assert!(world.cleared(1).contains(" - Restarted at 20"));
    world.base.sql("INSERT INTO pm_schema (version, what) VALUES (9, 'of tomorrow')");
    let refused = world.discreet(&["db", "migrate"]);
    assert!(refused.code == 3 && refused.err.contains("use the newer pm"), "{refused:?}");
}

#[test]
fn a_change_is_heard_when_the_trigger_is_there_and_after_a_cut() {
    let Some(base) = Base::with_tables() else { return };
    let database = base.keys(base.server.port) + "push = yes\n";
    // Polls an hour apart find nothing in time: only a notification can be why an alarm is handled.
    let mut world = World::on(base, &database, "restart_command = echo x >> @DIR@/ran");
    world.configure(&world.read("config.ini").replace("check_interval = 0.1", "check_interval = 1h"));
    world.start();
    world.until_log("STATUS_PROCESS has no trigger pm_alarm");
    let made = world.pm(&["db", "migrate"]);
    assert_eq!(made.code, 3, "an account with the least rights may not: {made:?}");
    world.base.sql(&format!(
        "ALTER DATABASE {0} OWNER TO {0}; ALTER TABLE status_process OWNER TO {0}",
        world.base.name
    ));
    world.base.sql(&format!(
        "GRANT ALL ON SCHEMA public TO {0}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {0}",
        world.base.name
    ));
    assert!(world.ok(&["db", "migrate"]).contains("created the trigger pm_alarm on STATUS_PROCESS"));
    assert!(!world.ok(&["db", "migrate"]).contains("trigger"), "once");
    world.until_log("Listening for alarms: what 127.0.0.1:");
    world.base.alarm(1, "web", "heard");
    world.until_count("ran", 1);
    world.cleared(1);
    world.base.kill_sessions();
    world.until("it to listen again", |world| world.log().matches("Listening for alarms: ").count() == 2);
    world.base.alarm(1, "web", "heard again");
    world.until_count("ran", 2);
    world.cleared(1);
}

#[test]
fn an_address_that_is_lost_in_the_middle_of_a_restart_is_replaced_by_the_next() {
    let Some(base) = Base::with_tables() else { return };
    let ways = [Proxy::to(base.server.port), Proxy::to(base.server.port)];
    let at = |way: &Proxy| format!("127.0.0.1:{}", way.port());
    let host = format!("host = {}, {}\n", at(&ways[0]), at(&ways[1]));
    let database =
        base.keys(1).replace("host = 127.0.0.1\n", &host) + "connect_timeout = 0.5\nread_timeout = 1\n";
    let mut world = World::on(base, &database, WAITING);
    world.start();
    world.base.alarm(1, "web", "down");
    world.until_count("begun", 1);
    ways[0].set(Fault::Gone);
    world.until_log(&format!(
        "used at {} from now on, not at {}: the connection was cut",
        at(&ways[1]),
        at(&ways[0])
    ));
    world.write("go", "", 0o644);
    let notes = world.cleared(1);
    assert_eq!(notes.matches("Restarted").count(), 1, "{notes}");
    // A clearing whose answer is lost on one way is recognised on the other.
    ways[0].set(Fault::None);
    ways[1].set(Fault::After(b" - Restarted at ".to_vec(), Box::new(Fault::Gone)));
    world.base.alarm(1, "web", "again");
    world.cleared(1);
    world.round();
    assert!(
        world.log().contains("DB UPDATE LOG: Alarm was cleared already, process_id: 1"),
        "{}",
        world.log()
    );
    assert_eq!(
        (world.said("from now on, not at"), world.said(LOST), world.count("begun")),
        (2, 0, 2),
        "{}",
        world.log()
    );
    let status = world.discreet(&["db", "status"]);
    let told =
        [format!("postgresql {}, {}/", at(&ways[0]), at(&ways[1])), format!("Address   {}", at(&ways[0]))];
    assert!(status.code == 0 && told.iter().all(|words| status.out.contains(words)), "{status:?}");
}

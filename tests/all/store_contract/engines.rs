//! The engines on which the contract runs: each test has a database of its own, made from a fixture, gone afterwards.
//!
//! The statements that set a test up go past the store, as the programs do that raise alarms.

mod postgres;

pub(super) use postgres::PostgreSql;

use mysql::prelude::Queryable;
use pm_host::policy::model::Name;
use pm_host::policy::time::{Now, Ticks, Wall};
use pm_host::ports::{AlarmStore, Clock, Waited};
use pm_host::store::{
    self, Access, Address, Login, Password, Push, Server, ServerAddress, SqliteAddress, Tls,
};
use pm_tests::components;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A database with the tables of a fixture.
pub(super) trait Database {
    /// Runs statements, separated by `;` at the end of a line.
    fn sql(&self, statements: &str);
    /// The first column of the rows, as text; NULL as `NULL`.
    fn column(&self, query: &str) -> Vec<String>;
    /// Stores a text through a parameter; `?` is it.
    fn bind(&self, statement: &str, text: &str);
    /// A store on it.
    fn store(&self, host_id: Option<i64>) -> Box<dyn AlarmStore>;
    /// An empty database without any table.
    fn empty(&self) -> Box<dyn Database>;
    /// Which one it is.
    fn engine(&self) -> Engine;
}

/// The engines, where the tests must tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    MariaDb,
    PostgreSql,
}

/// A clock that stands still: waits are noted and over at once.
#[derive(Default)]
pub(super) struct Still {
    pub(super) waits: Mutex<Vec<Duration>>,
}

impl Clock for Still {
    fn now(&self) -> Now {
        Now { boot: Ticks(1), wall: Wall(1) }
    }
    fn wait(&self, duration: Duration) -> Waited {
        self.waits.lock().unwrap().push(duration);
        Waited::Elapsed
    }
    fn boot_id(&self) -> &str {
        "still"
    }
}

pub(super) fn name(text: &str) -> Name {
    Name::new(text)
}

/// The statements of a fixture.
pub(super) fn fixture(file: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sql").join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(super) fn statements(text: &str) -> Vec<String> {
    let code: String =
        text.lines().filter(|line| !line.starts_with("--")).map(|line| line.to_owned() + "\n").collect();
    code.split(";\n").map(str::trim).filter(|statement| !statement.is_empty()).map(str::to_owned).collect()
}

/// A file of the embedded engine.
pub(super) struct Sqlite {
    directory: tempfile::TempDir,
}

impl Sqlite {
    pub(super) fn new() -> Self {
        Self { directory: tempfile::TempDir::new().unwrap() }
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("alarms.db")
    }

    fn admin(&self) -> rusqlite::Connection {
        let conn = rusqlite::Connection::open(self.path()).unwrap();
        conn.busy_timeout(Duration::from_secs(10)).unwrap();
        conn
    }
}

impl Database for Sqlite {
    fn sql(&self, text: &str) {
        let admin = self.admin();
        for statement in statements(text) {
            admin.execute_batch(&statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    fn column(&self, query: &str) -> Vec<String> {
        let admin = self.admin();
        let mut statement = admin.prepare(query).unwrap();
        let text = |row: &rusqlite::Row<'_>| {
            Ok(match row.get_ref(0)? {
                rusqlite::types::ValueRef::Null => "NULL".to_owned(),
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                other => String::from_utf8_lossy(other.as_bytes().unwrap()).into_owned(),
            })
        };
        statement.query_map([], text).unwrap().map(Result::unwrap).collect()
    }

    fn bind(&self, statement: &str, text: &str) {
        self.admin().execute(statement, [text]).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    fn store(&self, host_id: Option<i64>) -> Box<dyn AlarmStore> {
        let address = Address::Sqlite(SqliteAddress {
            path: self.path(),
            access: Access::Full,
            host_id,
            push: Push::Off,
        });
        store::open(address, Arc::new(Still::default()))
    }

    fn empty(&self) -> Box<dyn Database> {
        let other = Self::new();
        // A file of somebody else: it is not empty, but has none of the tables.
        other.sql("CREATE TABLE something_else (x INTEGER)");
        Box::new(other)
    }

    fn engine(&self) -> Engine {
        Engine::Sqlite
    }
}

/// A database in the MariaDB server of the tests.
pub(super) struct MariaDb {
    pub(super) server: components::Mysql,
    pub(super) database: String,
}

impl MariaDb {
    pub(super) fn new() -> Option<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let server = components::mysql()?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let database = format!("pm_test_{}_{number}", std::process::id());
        let this = Self { server, database };
        let mut root = this.connection(None);
        root.query_drop(format!("DROP DATABASE IF EXISTS {}", this.database)).unwrap();
        root.query_drop(format!("CREATE DATABASE {}", this.database)).unwrap();
        Some(this)
    }

    /// A connection past the store.
    pub(super) fn connection(&self, database: Option<&str>) -> mysql::Conn {
        let options = mysql::OptsBuilder::new()
            .socket(Some(self.server.socket.to_string_lossy()))
            .user(Some(&self.server.user))
            .pass(Some(&self.server.password))
            .db_name(database)
            .prefer_socket(false);
        mysql::Conn::new(options).unwrap()
    }

    pub(super) fn admin(&self) -> mysql::Conn {
        self.connection(Some(&self.database))
    }

    /// The address of the database over the socket.
    pub(super) fn address(&self) -> ServerAddress {
        ServerAddress {
            server: Server::Socket(self.server.socket.clone()),
            logins: vec![Login {
                user: self.server.user.clone(),
                password: Password::new(&self.server.password),
            }],
            database: self.database.clone(),
            tls: Tls::Off,
            connect_timeout: Duration::from_secs(5),
            connections: 4,
            read_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(15),
            host_id: None,
            push: None,
        }
    }

    pub(super) fn open(&self, address: ServerAddress) -> Box<dyn AlarmStore> {
        store::open(Address::Mysql(address), Arc::new(Still::default()))
    }
}

impl Drop for MariaDb {
    fn drop(&mut self) {
        let dropped = self.connection(None).query_drop(format!("DROP DATABASE {}", self.database));
        assert!(dropped.is_ok() || std::thread::panicking(), "{dropped:?}");
    }
}

impl Database for MariaDb {
    fn sql(&self, text: &str) {
        let mut admin = self.admin();
        for statement in statements(text) {
            admin.query_drop(&statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
    }

    fn column(&self, query: &str) -> Vec<String> {
        let rows: Vec<mysql::Row> = self.admin().query(query).unwrap();
        let text = |row: mysql::Row| match &row[0] {
            mysql::Value::NULL => "NULL".to_owned(),
            mysql::Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            other => other.as_sql(false),
        };
        rows.into_iter().map(text).collect()
    }

    fn bind(&self, statement: &str, text: &str) {
        self.admin().exec_drop(statement, (text,)).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    fn store(&self, host_id: Option<i64>) -> Box<dyn AlarmStore> {
        self.open(ServerAddress { host_id, ..self.address() })
    }

    fn empty(&self) -> Box<dyn Database> {
        Box::new(Self::new().unwrap())
    }

    fn engine(&self) -> Engine {
        Engine::MariaDb
    }
}

/// The same behind two addresses, of which only the second one leads anywhere.
pub(super) struct Twofold(MariaDb);

impl Twofold {
    pub(super) fn new() -> Option<Self> {
        MariaDb::new().map(Self)
    }
}

impl Database for Twofold {
    fn sql(&self, statements: &str) {
        self.0.sql(statements);
    }

    fn column(&self, query: &str) -> Vec<String> {
        self.0.column(query)
    }

    fn bind(&self, statement: &str, text: &str) {
        self.0.bind(statement, text);
    }

    fn store(&self, host_id: Option<i64>) -> Box<dyn AlarmStore> {
        let there = ServerAddress { host_id, ..self.0.address() };
        let nowhere =
            ServerAddress { server: Server::Socket("/nonexistent/pm.sock".into()), ..there.clone() };
        let address = Address::Several(store::Engine::Mysql, vec![nowhere, there]);
        store::open(address, Arc::new(Still::default()))
    }

    fn empty(&self) -> Box<dyn Database> {
        Box::new(Self::new().unwrap())
    }

    fn engine(&self) -> Engine {
        Engine::MariaDb
    }
}

//! The alarm database behind the port `AlarmStore`: MySQL and MariaDB, PostgreSQL, or the embedded SQLite.
//!
//! [`open`] never fails and never waits: the connection is made by the first call and made anew after any error that
//! leaves it in doubt. The contract of the tables is that of the service pm replaces; pm reads alarms, appends a note
//! and clears, and creates nothing in a server without [`AlarmStore::migrate`].
//!
//! The trait stays neutral to the engine: what the engines share (rows, notes, versions of the tables) stands in
//! `rows`, `notes`, `schema`, `attempts`, `lease`, `pool`, `several` and `tls`, and each driver is named in its own files
//! only. It must not know the configuration: the composition root turns that into an [`Address`].

mod attempts;
mod lease;
mod mysql;
mod notes;
mod pool;
mod postgres;
mod relations;
mod rows;
mod schema;
mod several;
mod sqlite;
mod tls;

use self::mysql::MysqlStore;
use crate::ports::{AlarmStore, Clock};
use pool::Pool;
use postgres::PostgresStore;
use several::{Member, Several};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where the alarms are.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// In a file of the embedded engine.
    Sqlite(SqliteAddress),
    /// In a MySQL or MariaDB server.
    Mysql(ServerAddress),
    /// In a PostgreSQL server.
    Postgres(ServerAddress),
    /// In the same database behind several addresses: the first that answers and takes changes is used.
    Several(Engine, Vec<ServerAddress>),
}

/// What kind of server listens at several addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// MySQL or MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
}

/// What may be done to a database file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// It is read and written, and made when there has been none.
    Full,
    /// It is read and written; only [`AlarmStore::migrate`] and [`AlarmStore::add`] make it.
    Existing,
    /// It is only read: nothing is made, not even the file.
    ReadOnly,
}

/// A database file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqliteAddress {
    /// The file; it is created, with the tables of the alarms, where `access` says so.
    pub path: PathBuf,
    /// Whether it may be written.
    pub access: Access,
    /// Only rows of this host; none: all rows.
    pub host_id: Option<i64>,
    /// Whether changes are listened for.
    pub push: Push,
}

/// Whether changes of the alarms are listened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// Only polls find them.
    Off,
    /// They ring.
    On,
}

/// A database in a server.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// Where it listens.
    pub server: Server,
    /// What to log in with, in this order; the next one only when the server denies the one before.
    pub logins: Vec<Login>,
    /// The database with the tables.
    pub database: String,
    /// Encryption; a socket of this machine is never encrypted.
    pub tls: Tls,
    /// Bounds each step of connecting: the name, an address, the handshake.
    pub connect_timeout: Duration,
    /// Bounds each wait for an answer; the server's own limit is set to three quarters of it.
    pub read_timeout: Duration,
    /// Bounds each sending.
    pub write_timeout: Duration,
    /// Connections at the same time at the most; one unless there is much to clear.
    pub connections: u16,
    /// Only rows of this host; none: all rows.
    pub host_id: Option<i64>,
    /// What pm calls itself among the replicas of the server when it listens for changes; none: it does not listen.
    pub push: Option<u32>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Server {
    /// This machine: the sockets in order, then 127.0.0.1.
    Local {
        /// Where the usual packages put the socket.
        sockets: Vec<PathBuf>,
        /// The port for the last try.
        port: u16,
    },
    /// A host by name or address.
    Tcp {
        /// Name or address; an IPv6 address with or without brackets.
        host: String,
        /// The port.
        port: u16,
    },
    /// This socket and nothing else.
    Socket(PathBuf),
}

/// One way to log in.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub user: String,
    /// Its password; may be empty.
    pub password: Password,
}

/// A password: no way to print it, overwritten when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// Takes a text into custody.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }

    /// The text, for the driver.
    fn reveal(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.fill(0);
        // Without an observer the compiler may leave out stores to memory that is about to be freed.
        std::hint::black_box(&self.0);
    }
}

/// Encryption towards a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// None.
    Off,
    /// Required: without it there is no connection.
    Required {
        /// How far the server must prove itself.
        trust: Trust,
        /// Authorities in PEM to trust besides the public ones.
        ca_file: Option<PathBuf>,
        /// pm's own certificate.
        client: Option<ClientCertificate>,
    },
}

/// How far a server must prove itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Not at all: encrypted, but anybody may answer.
    Anybody,
    /// A certificate of a trusted authority.
    Authority,
    /// A certificate of a trusted authority in the name of the host.
    AuthorityAndName,
}

/// pm's own certificate, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The chain.
    pub cert_file: PathBuf,
    /// The private key.
    pub key_file: PathBuf,
}

/// The store at `address`. Connects with the first call; `clock` times the pauses between repeats.
#[must_use]
pub fn open(address: Address, clock: Arc<dyn Clock>) -> Box<dyn AlarmStore> {
    match address {
        Address::Sqlite(address) => Box::new(sqlite::SqliteStore::new(address)),
        Address::Mysql(address) => Box::new(mysql(address, clock)),
        Address::Postgres(address) => Box::new(postgres(address, clock)),
        Address::Several(engine, addresses) => {
            let member = |address| -> Box<dyn Member> {
                match engine {
                    Engine::Mysql => Box::new(mysql(address, Arc::clone(&clock))),
                    Engine::Postgres => Box::new(postgres(address, Arc::clone(&clock))),
                }
            };
            Box::new(Several::new(addresses.into_iter().map(member).collect(), Arc::clone(&clock)))
        }
    }
}

fn mysql(address: ServerAddress, clock: Arc<dyn Clock>) -> Pool<MysqlStore> {
    Pool::new(address.connections, move || MysqlStore::new(address.clone(), Arc::clone(&clock)))
}

fn postgres(address: ServerAddress, clock: Arc<dyn Clock>) -> Pool<PostgresStore> {
    Pool::new(address.connections, move || PostgresStore::new(address.clone(), Arc::clone(&clock)))
}

//! Where the alarm database is and how to log in, as the store needs it.
//!
//! Nothing is tried here: which socket answers and which spelling of the password is right is for the store to find
//! out. Passwords are [`Secret`]s.

use super::secret::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// `[database]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Database {
    /// The embedded engine: `engine = sqlite`, or no `[database]` at all.
    Sqlite {
        /// `path` (`alarms.db` in the state directory).
        path: PathBuf,
        /// `push` (yes).
        push: bool,
    },
    /// MySQL or MariaDB.
    Mysql(Server),
    /// PostgreSQL.
    Postgres(Server),
}

/// How to reach a database in a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Server {
    /// `host`, `port`, `socket`: one address, or several that are tried in turn.
    pub addresses: Vec<Address>,
    /// What to log in with, one or two of them, in the order to be tried. The next one is tried only when the
    /// server refuses the one before (access denied): old files were read through a client option file, which
    /// strips quotes, cuts at `#` and knows escapes, so the first is that reading and the second the plain text.
    pub logins: Vec<Login>,
    /// `database`.
    pub database: String,
    /// `tls` and its keys.
    pub tls: Tls,
    /// `connect_timeout` (5 s).
    pub connect_timeout: Duration,
    /// `read_timeout` (30 s).
    pub read_timeout: Duration,
    /// `write_timeout` (30 s).
    pub write_timeout: Duration,
    /// `pool_max` (4): connections at the same time; 1 to 64.
    pub pool_max: u16,
    /// `push` (no).
    pub push: bool,
    /// `push_server_id` (made from the machine): pm's number among the replicas of the server.
    pub push_server_id: Option<u32>,
}

/// Where the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// `socket = PATH`: this socket and nothing else. Of PostgreSQL it is the file, also where the file of the settings names
    /// its directory.
    Socket(PathBuf),
    /// `host = localhost` without `socket`, MySQL only: [`LOCAL_SOCKETS`] in order, then TCP to 127.0.0.1 on this port.
    Local {
        /// `port` (3306).
        port: u16,
    },
    /// Any other host; with PostgreSQL any host.
    Tcp {
        /// Name or address.
        host: String,
        /// `port` (3306, with PostgreSQL 5432).
        port: u16,
    },
}

impl Address {
    /// As people write it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Socket(path) => path.display().to_string(),
            Self::Local { .. } => "localhost".to_owned(),
            Self::Tcp { host, port } => format!("{host}:{port}"),
        }
    }
}

/// Where the usual packages put the server's socket.
pub const LOCAL_SOCKETS: [&str; 4] = [
    "/var/lib/mysql/mysql.sock",
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/tmp/mysql.sock",
];

/// One spelling of user and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// `user`.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// TLS towards the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `tls` (`off`).
    pub mode: TlsMode,
    /// `tls_ca_file`: authorities to trust besides the public ones that are built in.
    pub ca_file: Option<PathBuf>,
    /// `tls_cert_file` and `tls_key_file`: pm's own certificate; both or neither.
    pub client: Option<TlsClient>,
}

/// pm's own certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsClient {
    /// `tls_cert_file`, PEM.
    pub cert_file: PathBuf,
    /// `tls_key_file`, PEM.
    pub key_file: PathBuf,
}

/// How far the server must prove itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// `off`: no TLS.
    Off,
    /// `require`: encrypted, certificate not verified.
    Require,
    /// `verify-ca`: certificate verified, name not.
    VerifyCa,
    /// `verify-full`: certificate and name verified.
    VerifyFull,
}

impl Database {
    /// The engine's name: `sqlite`, `mysql` or `postgresql`.
    #[must_use]
    pub const fn engine(&self) -> &'static str {
        match self {
            Self::Sqlite { .. } => "sqlite",
            Self::Mysql(_) => "mysql",
            Self::Postgres(_) => "postgresql",
        }
    }

    /// The server, if it is one.
    #[must_use]
    pub const fn server(&self) -> Option<&Server> {
        match self {
            Self::Sqlite { .. } => None,
            Self::Mysql(server) | Self::Postgres(server) => Some(server),
        }
    }
}

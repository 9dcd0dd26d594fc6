//! The one connection to the server: made when needed, dropped as soon as it is in doubt.
//!
//! After anything but an orderly answer of the server the connection is never used again: with a late answer in the
//! pipe the next question would get the previous one's rows. Every wait has a bound, the handshake too; the server
//! gets a bound of its own below ours, so that a slow statement ends there and not as a cut connection.

use super::failure::{self, Doing};
use crate::ports::{StoreError, Trouble};
use crate::store::rows::Cell;
use crate::store::{Login, MysqlAddress, Server, Tls, Trust};
use mysql::prelude::Queryable;
use mysql::{ClientIdentity, Conn, Error, OptsBuilder, Params, SslOpts, TxOpts, Value};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Where the usual packages put the server's socket.
const SOCKETS: [&str; 4] = [
    "/var/lib/mysql/mysql.sock",
    "/run/mysqld/mysqld.sock",
    "/var/run/mysqld/mysqld.sock",
    "/tmp/mysql.sock",
];
/// Larger than any answer; asking the server for its own limit would cost a question.
const MOST: usize = 64 << 20;

pub(super) struct Line {
    address: MysqlAddress,
    conn: Option<Conn>,
    /// Where it is, or was tried last, connected.
    at: String,
    /// The login that worked last.
    login: usize,
}

/// One way to the server.
enum Route {
    Socket(String),
    Tcp(String, u16),
}

impl Line {
    pub(super) fn new(address: MysqlAddress) -> Self {
        let at = match &address.server {
            Server::Local { .. } => "localhost".to_owned(),
            Server::Socket(path) => path.display().to_string(),
            Server::Tcp { host, port } => format!("{host}:{port}"),
        };
        Self { address, conn: None, at, login: 0 }
    }

    /// Which server it is, for messages.
    pub(super) fn at(&self) -> &str {
        &self.at
    }

    /// The table with the alarms, for messages.
    pub(super) fn table(&self) -> String {
        format!("STATUS_PROCESS at {}", self.at)
    }

    /// The rows of a question.
    pub(super) fn rows<const N: usize>(
        &mut self,
        doing: &str,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<[Cell; N]>, StoreError> {
        self.ask(doing, |conn| rows(conn, sql, values))?.map_err(|error| self.error(doing, &error))
    }

    /// The rows of a question, or `None` when the server answers with one of these error codes.
    pub(super) fn rows_unless<const N: usize>(
        &mut self,
        doing: &str,
        sql: &str,
        values: Vec<Value>,
        codes: &[u16],
    ) -> Result<Option<Vec<[Cell; N]>>, StoreError> {
        match self.ask(doing, |conn| rows(conn, sql, values))? {
            Ok(rows) => Ok(Some(rows)),
            Err(Error::MySqlError(error)) if codes.contains(&error.code) => Ok(None),
            Err(error) => Err(self.error(doing, &error)),
        }
    }

    /// Makes a change; answers how many rows are other than before.
    pub(super) fn change(&mut self, doing: &str, sql: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        let changed = self.ask(doing, |conn| {
            conn.exec_drop(sql, positional(values))?;
            Ok(conn.affected_rows())
        })?;
        changed.map_err(|error| self.error(doing, &error))
    }

    /// Makes some changes in one transaction. `Some`: none was made, the server answered with this one of `codes`.
    pub(super) fn changes_unless(
        &mut self,
        doing: &str,
        changes: &[(&str, Vec<Value>)],
        codes: &[u16],
    ) -> Result<Option<u16>, StoreError> {
        let done = self.ask(doing, |conn| {
            let mut tx = conn.start_transaction(TxOpts::default())?;
            for (sql, values) in changes {
                tx.exec_drop(sql, positional(values.clone()))?;
            }
            tx.commit()
        })?;
        match done {
            Ok(()) => Ok(None),
            Err(Error::MySqlError(error)) if codes.contains(&error.code) => Ok(Some(error.code)),
            Err(error) => Err(self.error(doing, &error)),
        }
    }

    /// Runs a statement of the schema; false when the server answers with one of these error codes.
    pub(super) fn run_unless(&mut self, doing: &str, sql: &str, codes: &[u16]) -> Result<bool, StoreError> {
        match self.ask(doing, |conn| conn.query_drop(sql))? {
            Ok(()) => Ok(true),
            Err(Error::MySqlError(error)) if codes.contains(&error.code) => Ok(false),
            Err(error) => Err(self.error(doing, &error)),
        }
    }

    /// Makes one call with a connection and keeps that only if the server is known to have ended the exchange.
    fn ask<T>(
        &mut self,
        doing: &str,
        call: impl FnOnce(&mut Conn) -> mysql::Result<T>,
    ) -> Result<mysql::Result<T>, StoreError> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.connect(doing)?,
        };
        let result = guarded(|| call(&mut conn));
        if failure::keeps_connection(&result) {
            self.conn = Some(conn);
        }
        Ok(result)
    }

    fn error(&self, doing: &str, error: &Error) -> StoreError {
        failure::error(&Doing { what: doing, at: &self.at, within: self.address.read_timeout }, error)
    }

    /// Connects by the first way and with the first login that works.
    fn connect(&mut self, doing: &str) -> Result<Conn, StoreError> {
        if let Tls::Required { .. } = self.address.tls {
            // An error means that somebody has installed a provider before, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let mut refused = None;
        for route in self.routes() {
            self.at = route.name();
            match self.log_in(&route) {
                Ok(mut conn) => {
                    self.prepare(&mut conn).map_err(|error| self.connect_error(doing, &error))?;
                    return Ok(conn);
                }
                // A socket that nobody listens on says nothing about the next way.
                Err(error) if failure::unreachable(&error) => {
                    refused = Some(self.connect_error(doing, &error));
                }
                Err(error) => return Err(self.connect_error(doing, &error)),
            }
        }
        let error = refused.unwrap_or_else(|| StoreError {
            trouble: Trouble::Refused,
            attempted: format!("{doing}: connecting to {}", self.at),
            why: "no login is configured".to_owned(),
            hint: Some("set user in [database]"),
        });
        if let Server::Local { .. } = self.address.server {
            self.at = "localhost".to_owned();
            let why = format!("no server listens on {} or 127.0.0.1 ({})", SOCKETS.join(", "), error.why);
            return Err(StoreError { why, ..error });
        }
        Err(error)
    }

    fn connect_error(&self, doing: &str, error: &Error) -> StoreError {
        let what = format!("{doing}: connecting");
        failure::error(&Doing { what: &what, at: &self.at, within: self.address.connect_timeout }, error)
    }

    fn routes(&self) -> Vec<Route> {
        match &self.address.server {
            Server::Local { port } => {
                let sockets = SOCKETS.iter().map(|path| Route::Socket((*path).to_owned()));
                sockets.chain([Route::Tcp("127.0.0.1".to_owned(), *port)]).collect()
            }
            Server::Socket(path) => vec![Route::Socket(path.to_string_lossy().into_owned())],
            Server::Tcp { host, port } => vec![Route::Tcp(host.clone(), *port)],
        }
    }

    /// Tries the logins in turn, the one that worked last first; the next one only when the server denies access.
    fn log_in(&mut self, route: &Route) -> mysql::Result<Conn> {
        let count = self.address.logins.len();
        let mut denied = None;
        for index in (0..count).map(|step| (self.login + step) % count) {
            match self.reach(route, &self.address.logins[index]) {
                Ok(conn) => {
                    self.login = index;
                    return Ok(conn);
                }
                Err(error) if failure::denied(&error) => denied = Some(denied.unwrap_or(error)),
                Err(error) => return Err(error),
            }
        }
        Err(denied.unwrap_or(Error::DriverError(mysql::DriverError::CouldNotConnect(None))))
    }

    /// Connects by one way with one login. The driver gives up at the first address of a name that does not answer;
    /// a server may well listen on the other family only, so that is tried before giving up.
    fn reach(&self, route: &Route, login: &Login) -> mysql::Result<Conn> {
        let first = guarded(|| Conn::new(self.options(route, login)));
        let (Err(error), Route::Tcp(host, port)) = (&first, route) else { return first };
        if !failure::unreachable(error) {
            return first;
        }
        let Ok(addresses) = (unbracketed(host), *port).to_socket_addrs().map(Vec::from_iter) else {
            return first;
        };
        if addresses.len() < 2 {
            return first;
        }
        let families = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
        let present =
            families.into_iter().filter(|ip| addresses.iter().any(|there| there.is_ipv4() == ip.is_ipv4()));
        for local in present {
            let options = self.options(route, login).bind_address(Some(SocketAddr::new(local, 0)));
            match guarded(|| Conn::new(options)) {
                Err(error) if failure::unreachable(&error) => {}
                other => return other,
            }
        }
        first
    }

    fn options(&self, route: &Route, login: &Login) -> OptsBuilder {
        let address = &self.address;
        let milliseconds = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let options = OptsBuilder::new()
            .user(Some(&login.user))
            .pass(Some(login.password.reveal()))
            .db_name(Some(&address.database))
            // Until the first statement the handshake is under way, and that belongs to connecting.
            .read_timeout(Some(address.connect_timeout))
            .write_timeout(Some(address.write_timeout))
            .tcp_connect_timeout(Some(address.connect_timeout))
            .tcp_user_timeout_ms(Some(milliseconds(address.read_timeout)))
            .tcp_keepalive_time_ms(Some(milliseconds(address.read_timeout)))
            .max_allowed_packet(Some(MOST))
            .prefer_socket(false);
        match route {
            Route::Socket(path) => options.socket(Some(path)),
            Route::Tcp(host, port) => {
                options.ip_or_hostname(Some(bracketed(host))).tcp_port(*port).ssl_opts(tls(&address.tls))
            }
        }
    }

    /// Sets the session up. What a server does not know or allow it goes without: all of it is for the bad day.
    fn prepare(&self, conn: &mut Conn) -> mysql::Result<()> {
        let read = self.address.read_timeout;
        let most = read.as_millis() * 3 / 4;
        let locked = (read.as_secs() / 15).clamp(1, 5);
        attempt(conn, "SET NAMES utf8mb4")?;
        attempt(conn, "SET SESSION autocommit = 1")?;
        attempt(conn, &format!("SET SESSION innodb_lock_wait_timeout = {locked}"))?;
        // MariaDB's bound is in seconds and for all statements, MySQL's in milliseconds and for SELECT.
        if !attempt(conn, &format!("SET SESSION max_statement_time = {}.{:03}", most / 1000, most % 1000))? {
            attempt(conn, &format!("SET SESSION max_execution_time = {most}"))?;
        }
        patience(conn, read)
    }
}

impl Route {
    fn name(&self) -> String {
        match self {
            Self::Socket(path) => path.clone(),
            Self::Tcp(host, port) => format!("{host}:{port}"),
        }
    }
}

/// Runs a call of the driver. It reads packets without checking their length, so that garbage from a proxy makes it
/// panic; that must not take the thread along.
fn guarded<T>(call: impl FnOnce() -> mysql::Result<T>) -> mysql::Result<T> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or(Err(Error::DriverError(mysql::DriverError::UnexpectedPacket)))
}

/// Runs a statement; false when the server does not accept it.
fn attempt(conn: &mut Conn, sql: &str) -> mysql::Result<bool> {
    match guarded(|| conn.query_drop(sql)) {
        Ok(()) => Ok(true),
        Err(Error::MySqlError(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Sets how long an answer is waited for; the driver can do that only before it connects.
#[expect(unsafe_code, reason = "the driver gives its descriptor only as a number")]
fn patience(conn: &Conn, read: Duration) -> mysql::Result<()> {
    // SAFETY: the descriptor belongs to `conn`, which is borrowed for longer than this.
    let socket = unsafe { BorrowedFd::borrow_raw(conn.as_raw_fd()) };
    rustix::net::sockopt::set_socket_timeout(socket, rustix::net::sockopt::Timeout::Recv, Some(read))
        .map_err(|error| Error::IoError(error.into()))
}

fn rows<const N: usize>(conn: &mut Conn, sql: &str, values: Vec<Value>) -> mysql::Result<Vec<[Cell; N]>> {
    conn.exec_iter(sql, positional(values))?.map(|row| row.map(cells)).collect()
}

fn positional(values: Vec<Value>) -> Params {
    if values.is_empty() { Params::Empty } else { Params::Positional(values) }
}

fn cells<const N: usize>(row: mysql::Row) -> [Cell; N] {
    let mut values = row.unwrap_raw().into_iter();
    std::array::from_fn(|_| match values.next().flatten() {
        None | Some(Value::NULL) => Cell::Null,
        Some(Value::Int(number)) => Cell::Int(number),
        Some(Value::UInt(number)) => {
            i64::try_from(number).map_or(Cell::Odd("a number that is too large"), Cell::Int)
        }
        Some(Value::Bytes(bytes)) => Cell::text(bytes),
        Some(Value::Float(_) | Value::Double(_)) => Cell::Odd("a fraction"),
        Some(Value::Date(..) | Value::Time(..)) => Cell::Odd("a date"),
    })
}

fn tls(tls: &Tls) -> Option<SslOpts> {
    let Tls::Required { trust, ca_file, client } = tls else { return None };
    let identity =
        client.as_ref().map(|client| ClientIdentity::new(client.cert_file.clone(), client.key_file.clone()));
    Some(
        SslOpts::default()
            .with_root_cert_path(ca_file.clone())
            .with_client_identity(identity)
            .with_danger_accept_invalid_certs(*trust == Trust::Anybody)
            .with_danger_skip_domain_validation(*trust == Trust::Authority),
    )
}

/// The driver wants IPv6 addresses in brackets, the resolver wants them without.
fn bracketed(host: &str) -> String {
    let bare = unbracketed(host);
    if bare.parse::<Ipv6Addr>().is_ok() { format!("[{bare}]") } else { host.to_owned() }
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

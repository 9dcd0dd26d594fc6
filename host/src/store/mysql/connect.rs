//! Connecting: the ways to a server, the logins, encryption, and the set-up of the session. All of it is bounded.
//!
//! The driver bounds reaching an address and nothing else before the first statement: looking up a name, a socket
//! whose queue is full, a server that accepts and never speaks. So connecting runs in a thread that can be left
//! behind, and `connect_timeout` bounds each of its steps.

use super::failure::{self, Doing};
use crate::ports::{StoreError, Trouble};
use crate::store::{Login, Server, ServerAddress, Tls, Trust, tls};
use mysql::prelude::Queryable;
use mysql::{ClientIdentity, Conn, Error, OptsBuilder, SslOpts};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, channel};
use std::time::Duration;

/// Larger than any answer; asking the server for its own limit would cost a question.
const MOST: usize = 64 << 20;
/// So many connectings may be left behind; with all of them stuck the next one waits for the oldest.
const LEFT_BEHIND: usize = 4;

/// Makes connections to one server.
pub(super) struct Connector {
    pub(super) address: ServerAddress,
    /// Where it connected, or tried to, last.
    pub(super) at: String,
    /// The login that worked last.
    login: usize,
    /// One for each connecting that was given up; it ends when that comes to its end after all. Oldest first.
    left_behind: Vec<Receiver<Infallible>>,
}

/// One way to the server.
#[derive(Clone)]
enum Route {
    Socket(String),
    Tcp(String, u16),
}

impl Connector {
    pub(super) fn new(address: ServerAddress) -> Self {
        let at = match &address.server {
            Server::Local { .. } => "localhost".to_owned(),
            Server::Socket(path) => path.display().to_string(),
            Server::Tcp { host, port } => format!("{host}:{port}"),
        };
        Self { address, at, login: 0, left_behind: Vec::new() }
    }

    /// Connects by the first way and with the first login that works.
    pub(super) fn connect(&mut self, doing: &str) -> Result<Conn, StoreError> {
        if let Tls::Required { .. } = self.address.tls {
            // An error means that somebody has installed a provider before, which is as good.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        if self.address.logins.is_empty() {
            return Err(StoreError {
                trouble: Trouble::Refused,
                attempted: format!("{doing}: connecting at {}", self.at),
                why: "no login is configured".to_owned(),
                hint: Some("set user in [database]"),
            });
        }
        let mut tried = Vec::new();
        for route in self.routes() {
            self.at = route.name();
            if let (Route::Tcp(..), Some(why)) = (&route, tls::unreadable(&self.address.tls)) {
                return Err(StoreError {
                    trouble: Trouble::Refused,
                    attempted: format!("{doing}: connecting at {}", self.at),
                    why,
                    hint: Some("check the files of tls in [database]"),
                });
            }
            match self.log_in(&route) {
                Ok(mut conn) => {
                    self.prepare(&mut conn).map_err(|error| self.connect_error(doing, &error))?;
                    return Ok(conn);
                }
                // A socket that nobody listens on says nothing about the next way.
                Err(error) if failure::unreachable(&error) => tried.push(self.connect_error(doing, &error)),
                Err(error) => return Err(self.connect_error(doing, &error)),
            }
        }
        Err(self.nobody(doing, tried))
    }

    /// The error when nobody listens on any way.
    fn nobody(&mut self, doing: &str, mut tried: Vec<StoreError>) -> StoreError {
        if let Server::Local { .. } = self.address.server {
            self.at = "localhost".to_owned();
            let ways: Vec<_> = self.routes().iter().map(Route::name).collect();
            let each: Vec<_> =
                ways.iter().zip(&tried).map(|(way, error)| format!("{way}: {}", error.why)).collect();
            return StoreError {
                trouble: Trouble::Away,
                attempted: format!("{doing}: connecting at localhost"),
                why: format!("no server listens there ({})", each.join("; ")),
                hint: Some("check whether the server runs, or set host, port or socket in [database]"),
            };
        }
        tried.pop().unwrap_or_else(|| self.connect_error(doing, &silence()))
    }

    fn connect_error(&self, doing: &str, error: &Error) -> StoreError {
        let what = format!("{doing}: connecting");
        failure::error(&Doing { what: &what, at: &self.at, within: self.address.connect_timeout }, error)
    }

    fn routes(&self) -> Vec<Route> {
        match &self.address.server {
            Server::Local { sockets, port } => {
                let sockets = sockets.iter().map(|path| Route::Socket(path.to_string_lossy().into_owned()));
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
        for step in 0..count {
            let index = (self.login + step) % count;
            match self.bounded(route, index) {
                Ok(conn) => {
                    self.login = index;
                    return Ok(conn);
                }
                Err(error) if failure::denied(&error) => denied = Some(denied.unwrap_or(error)),
                Err(error) => return Err(error),
            }
        }
        Err(denied.unwrap_or_else(silence))
    }

    /// Connects in a thread of its own, which is left behind when its time is over.
    fn bounded(&mut self, route: &Route, login: usize) -> mysql::Result<Conn> {
        let within = self.address.connect_timeout.saturating_mul(route.steps());
        self.left_behind.retain(|end| end.try_recv() == Err(TryRecvError::Empty));
        if self.left_behind.len() >= LEFT_BEHIND
            && self.left_behind[0].recv_timeout(within) == Err(RecvTimeoutError::Timeout)
        {
            return Err(silence());
        }
        let (address, route) = (self.address.clone(), route.clone());
        let (ended, end) = channel();
        let (result, outcome) = channel();
        std::thread::Builder::new()
            .name("pm-connect".to_owned())
            .spawn(move || {
                // Nobody waiting any more is no error: the connection is closed then.
                let _ = result.send(guarded(|| reach(&address, &route, &address.logins[login])));
                drop(ended);
            })
            .map_err(Error::IoError)?;
        outcome.recv_timeout(within).unwrap_or_else(|_| {
            self.left_behind.push(end);
            Err(silence())
        })
    }

    /// Sets the session up. What a server does not know or allow it goes without: all of it is for the bad day.
    fn prepare(&self, conn: &mut Conn) -> mysql::Result<()> {
        let read = self.address.read_timeout;
        let most = read.as_millis() * 3 / 4;
        let locked = (read.as_secs() / 15).clamp(1, 5);
        attempt(conn, "SET NAMES utf8mb4")?;
        attempt(conn, "SET SESSION autocommit = 1")?;
        attempt(conn, &format!("SET SESSION innodb_lock_wait_timeout = {locked}"))?;
        // Of a cluster: what was cleared through another node, which may have died since, must not be read as it was.
        attempt(conn, "SET SESSION wsrep_sync_wait = 3")?;
        // MariaDB's bound is in seconds and for all statements, MySQL's in milliseconds and for SELECT.
        if !attempt(conn, &format!("SET SESSION max_statement_time = {}.{:03}", most / 1000, most % 1000))? {
            attempt(conn, &format!("SET SESSION max_execution_time = {most}"))?;
        }
        Ok(())
    }
}

impl Route {
    /// How many steps there are to a connection: look up the name, reach an address (of either family), shake hands.
    fn steps(&self) -> u32 {
        match self {
            Self::Socket(_) => 1,
            Self::Tcp(host, _) if unbracketed(host).parse::<IpAddr>().is_ok() => 2,
            Self::Tcp(..) => 4,
        }
    }

    fn name(&self) -> String {
        match self {
            Self::Socket(path) => path.clone(),
            Self::Tcp(host, port) => format!("{host}:{port}"),
        }
    }
}

/// Connects by one way with one login. The driver gives up at the first address of a name that does not answer; a
/// server may well listen on the other family only, so that is tried before giving up.
fn reach(address: &ServerAddress, route: &Route, login: &Login) -> mysql::Result<Conn> {
    let first = Conn::new(options(address, route, login));
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
        let options = options(address, route, login).bind_address(Some(SocketAddr::new(local, 0)));
        match Conn::new(options) {
            Err(error) if failure::unreachable(&error) => {}
            other => return other,
        }
    }
    first
}

fn options(address: &ServerAddress, route: &Route, login: &Login) -> OptsBuilder {
    let milliseconds = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
    let options = OptsBuilder::new()
        .user(Some(&login.user))
        .pass(Some(login.password.reveal()))
        .db_name(Some(&address.database))
        .read_timeout(Some(address.read_timeout))
        .write_timeout(Some(address.write_timeout))
        .tcp_connect_timeout(Some(address.connect_timeout))
        .tcp_user_timeout_ms(Some(milliseconds(address.read_timeout)))
        .tcp_keepalive_time_ms(Some(milliseconds(address.read_timeout)))
        .max_allowed_packet(Some(MOST))
        .prefer_socket(false);
    match route {
        Route::Socket(path) => options.socket(Some(path)),
        Route::Tcp(host, port) => {
            options.ip_or_hostname(Some(bracketed(host))).tcp_port(*port).ssl_opts(encryption(&address.tls))
        }
    }
}

/// Connecting did not come to an end in time.
fn silence() -> Error {
    Error::DriverError(mysql::DriverError::Timeout)
}

/// Runs a call of the driver. It reads packets without checking their length, so that garbage from a proxy makes it
/// panic; that must not take the thread along.
pub(super) fn guarded<T>(call: impl FnOnce() -> mysql::Result<T>) -> mysql::Result<T> {
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

fn encryption(tls: &Tls) -> Option<SslOpts> {
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

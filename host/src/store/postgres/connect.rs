//! Connecting: the ways to a server, the logins, encryption, and the set-up of the session. Each step is bounded.
//!
//! Looking up a name, reaching an address, and the handshake each get `connect_timeout`; a server that accepts and
//! never speaks, and a socket whose queue is full, are given up like any other. What comes of it is a [`Session`].

use super::failure::{self, Act, Doing, Fault, Step};
use super::session::Session;
use super::tls::encryption;
use crate::ports::{StoreError, Trouble};
use crate::store::{Login, Server, ServerAddress, Tls, tls};
use rustix::net::sockopt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, NoTls};

/// So many addresses of one name are tried; more would make the bound of connecting a bound in name only.
const ADDRESSES: usize = 4;

/// Makes connections to one server.
pub(super) struct Connector {
    pub(super) address: ServerAddress,
    /// Where it connected, or tried to, last.
    pub(super) at: String,
    /// The login that worked last.
    login: usize,
}

/// One way to the server.
#[derive(Debug, Clone)]
enum Route {
    Socket(PathBuf),
    Tcp(String, u16),
}

impl Connector {
    pub(super) fn new(address: ServerAddress) -> Self {
        let at = routes(&address.server).last().map(Route::name).unwrap_or_default();
        Self { address, at, login: 0 }
    }

    /// Connects by the first way that somebody listens on, with the first login that is let in.
    pub(super) fn connect(&mut self, runtime: &Runtime, doing: &str) -> Result<Session, StoreError> {
        let mut last = None;
        for route in routes(&self.address.server) {
            self.at = route.name();
            if let (Route::Tcp(..), Some(why)) = (&route, tls::unreadable(&self.address.tls)) {
                return Err(self.error(doing, &Fault::Files(why)));
            }
            match self.log_in(runtime, &route) {
                Ok(session) => return Ok(session),
                Err(fault @ Fault::Unreachable(_)) => last = Some(fault),
                Err(fault) => return Err(self.error(doing, &fault)),
            }
        }
        Err(self.error(doing, &last.unwrap_or(Fault::Silent(Step::Address))))
    }

    fn error(&self, doing: &str, fault: &Fault) -> StoreError {
        let what = format!("{doing}: connecting");
        let within = self.address.connect_timeout;
        failure::error(&Doing { what: &what, at: &self.at, act: Act::Read, within }, fault)
    }

    /// Tries the logins in turn, the one that worked last first; the next one only when the password is refused.
    fn log_in(&mut self, runtime: &Runtime, route: &Route) -> Result<Session, Fault> {
        let count = self.address.logins.len();
        let mut denied = None;
        for step in 0..count {
            let index = (self.login + step) % count;
            match runtime.block_on(reach(&self.address, route, &self.address.logins[index])) {
                Ok(session) => {
                    self.login = index;
                    return Ok(session);
                }
                Err(fault) if fault.is_denied() => denied = denied.or(Some(fault)),
                Err(fault) => return Err(fault),
            }
        }
        Err(denied.unwrap_or_else(|| Fault::Files("no login is configured".to_owned())))
    }
}

impl Route {
    fn name(&self) -> String {
        match self {
            Self::Socket(path) => path.display().to_string(),
            Self::Tcp(host, port) => format!("{host}:{port}"),
        }
    }
}

fn routes(server: &Server) -> Vec<Route> {
    match server {
        Server::Local { sockets, port } => {
            let sockets = sockets.iter().cloned().map(Route::Socket);
            sockets.chain([Route::Tcp("127.0.0.1".to_owned(), *port)]).collect()
        }
        Server::Socket(path) => vec![Route::Socket(path.clone())],
        Server::Tcp { host, port } => vec![Route::Tcp(host.clone(), *port)],
    }
}

/// A step of connecting within its time.
async fn within<T>(
    time: Duration,
    step: Step,
    done: impl Future<Output = std::io::Result<T>>,
) -> Result<T, Fault> {
    timeout(time, done).await.map_err(|_| Fault::Silent(step))?.map_err(Fault::Unreachable)
}

async fn reach(address: &ServerAddress, route: &Route, login: &Login) -> Result<Session, Fault> {
    let time = address.connect_timeout;
    let mut config = Config::new();
    config.user(login.user.as_str()).dbname(address.database.as_str()).application_name("pm");
    let password = login.password.reveal();
    if !password.is_empty() {
        config.password(password);
    }
    let session = match route {
        Route::Socket(path) => {
            let stream = within(time, Step::Address, UnixStream::connect(path)).await?;
            config.ssl_mode(SslMode::Disable);
            Session::start(stream, tls_for::<UnixStream, _>(&mut NoTls, "")?, &config, time).await
        }
        Route::Tcp(host, port) => {
            let host = unbracketed(host);
            let mut encrypted = match &address.tls {
                Tls::Off => None,
                Tls::Required { trust, ca_file, client } => {
                    Some(encryption(*trust, ca_file.as_ref(), client.as_ref())?)
                }
            };
            let stream = dial(address, host, *port).await?;
            match &mut encrypted {
                None => {
                    config.ssl_mode(SslMode::Disable);
                    Session::start(stream, tls_for::<TcpStream, _>(&mut NoTls, host)?, &config, time).await
                }
                Some(make) => {
                    config.ssl_mode(SslMode::Require);
                    Session::start(stream, tls_for::<TcpStream, _>(make, host)?, &config, time).await
                }
            }
        }
    };
    let mut session = session?;
    session.prepare(address.read_timeout).await?;
    Ok(session)
}

/// The encryption for one connection to a host.
fn tls_for<S, M>(make: &mut M, host: &str) -> Result<M::TlsConnect, Fault>
where
    M: MakeTlsConnect<S>,
    M::Error: std::fmt::Display,
{
    make.make_tls_connect(host).map_err(|_| Fault::Files(format!("{host} is no name for a certificate")))
}

/// An open way to one of the addresses of a host: a server may listen on one family only, so the next one is tried.
async fn dial(address: &ServerAddress, host: &str, port: u16) -> Result<TcpStream, Fault> {
    let time = address.connect_timeout;
    let found = within(time, Step::Name, lookup_host((host, port))).await?;
    let mut last = Fault::Unreachable(ErrorKind::AddrNotAvailable.into());
    for each in found.take(ADDRESSES) {
        match within(time, Step::Address, TcpStream::connect(each)).await {
            Ok(stream) => {
                tune(&stream, address).map_err(Fault::Unreachable)?;
                return Ok(stream);
            }
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

/// Small questions at once; what is sent and not taken within `write_timeout` ends the connection, also in the kernel.
fn tune(stream: &TcpStream, address: &ServerAddress) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let unacknowledged = u32::try_from(address.write_timeout.as_millis()).unwrap_or(u32::MAX);
    sockopt::set_tcp_user_timeout(stream, unacknowledged)?;
    sockopt::set_socket_keepalive(stream, true)?;
    let idle = address.read_timeout.clamp(Duration::from_secs(1), Duration::from_secs(7200));
    Ok(sockopt::set_tcp_keepidle(stream, idle)?)
}

fn unbracketed(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// The error when no runtime can be had.
pub(super) fn no_runtime(doing: &str, at: &str, error: &std::io::Error) -> StoreError {
    StoreError {
        trouble: Trouble::Away,
        attempted: format!("{doing}: connecting at {at}"),
        why: format!("this process cannot wait for answers: {error}"),
        hint: Some("raise its limit of open files"),
    }
}

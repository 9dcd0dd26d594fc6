//! From a name and a port to a connection that ends with the deadline.
//!
//! All addresses of a name are tried in turn, each with its share of the time, so that one that swallows packets does
//! not hide another that works.

use crate::deadline::Deadline;
use crate::failure::Failure;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// A connection whose every read and write ends at the deadline, however slowly the other side drips.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    /// Whom it is connected to.
    pub peer: SocketAddr,
    deadline: Deadline,
}

/// Connects to `host`, a name or an address (IPv6 without brackets).
///
/// # Errors
/// [`Failure::Name`], [`Failure::SlowName`] or [`Failure::Connect`].
pub fn connect(host: &str, port: u16, deadline: Deadline) -> Result<Wire, Failure> {
    let addresses = resolve(host, port, deadline)?;
    let mut tries = Vec::new();
    let mut remaining = u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    for address in addresses {
        let share = deadline.left().map_or(Duration::ZERO, |left| left / remaining.max(1));
        remaining = remaining.saturating_sub(1);
        match attempt(address, share) {
            Ok(stream) => return Ok(Wire { stream, peer: address, deadline }),
            Err(error) => tries.push((address, error)),
        }
    }
    Err(Failure::Connect { tries })
}

fn attempt(address: SocketAddr, share: Duration) -> io::Result<TcpStream> {
    if share.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let stream = TcpStream::connect_timeout(&address, share)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The system's resolver takes no deadline, so it runs on a thread that is left behind when it is late; it ends by
/// the resolver's own limits.
fn resolve(host: &str, port: u16, deadline: Deadline) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let unresolved = |why: String| Failure::Name { host: host.to_owned(), why };
    let late = || Failure::SlowName { host: host.to_owned(), allowed: deadline.allowed };
    let (sender, receiver) = mpsc::channel();
    let name = host.to_owned();
    std::thread::Builder::new()
        .name("pm-net-resolve".to_owned())
        .spawn(move || {
            let found = (name.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
            // Nobody waits any more when the look is over.
            let _ = sender.send(found);
        })
        .map_err(|error| unresolved(format!("no thread to ask for it: {error}")))?;
    match receiver.recv_timeout(deadline.left().ok_or_else(late)?) {
        Ok(Ok(found)) if found.is_empty() => Err(unresolved("it has no address".to_owned())),
        Ok(Ok(found)) => Ok(found),
        Ok(Err(error)) => Err(unresolved(error.to_string())),
        Err(RecvTimeoutError::Timeout) => Err(late()),
        Err(RecvTimeoutError::Disconnected) => {
            Err(unresolved("the resolver ended without an answer".to_owned()))
        }
    }
}

impl Wire {
    /// The error of a socket's time limit has two kinds, depending on the system.
    fn timed_out(error: io::Error) -> io::Error {
        if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
    }

    fn left(&self) -> io::Result<Duration> {
        self.deadline.left().ok_or_else(|| io::ErrorKind::TimedOut.into())
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer).map_err(Self::timed_out)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes).map_err(Self::timed_out)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::time::Instant;

    fn soon(millis: u64) -> Deadline {
        Deadline::new(Duration::from_millis(millis), Duration::from_secs(60))
    }

    #[test]
    fn addresses_need_no_resolver() {
        for host in ["127.0.0.1", "::1"] {
            let found = resolve(host, 7, soon(1_000)).unwrap();
            assert_eq!(found, [SocketAddr::new(host.parse().unwrap(), 7)]);
        }
    }

    #[test]
    fn names_that_cannot_exist_are_told_apart() {
        let error = resolve("no-such-host.invalid", 80, soon(20_000)).unwrap_err();
        assert!(matches!(error, Failure::Name { .. }), "{error}");
        assert!(
            error.to_string().starts_with("the name \"no-such-host.invalid\" cannot be resolved: "),
            "{error}"
        );
        let error = resolve("localhost", 80, soon(0)).unwrap_err();
        assert!(matches!(error, Failure::SlowName { .. }), "{error}");
    }

    #[test]
    fn a_closed_port_is_refused() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let error = connect("127.0.0.1", port, soon(5_000)).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot connect: 127.0.0.1:{port} refused the connection, nobody listens there")
        );
    }

    #[test]
    fn a_full_queue_times_out() {
        // The kernel drops further connections once the queue of a listener that nobody serves is full.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut kept = Vec::new();
        let error = loop {
            match connect("127.0.0.1", address.port(), soon(150)) {
                Ok(wire) => kept.push(wire),
                Err(error) => break error,
            }
            assert!(kept.len() < 10_000, "the queue never fills");
        };
        assert_eq!(error.to_string(), format!("cannot connect: {address} did not answer in time"));
    }

    #[test]
    fn one_drop_at_a_time_does_not_stretch_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let begun = Instant::now();
        let mut wire = connect("127.0.0.1", port, soon(300)).unwrap();
        let error = wire.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    }
}

//! Datagrams to the local syslog.
//!
//! Never waits and never complains: where nobody listens at `/dev/log` (a container), or the listener is too slow,
//! the datagram is gone. The log file has the line as well.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

/// A connection to the local syslog, made when it is first needed.
#[derive(Debug)]
pub(super) struct Syslog {
    path: PathBuf,
    socket: Option<UnixDatagram>,
}

impl Default for Syslog {
    fn default() -> Self {
        Self { path: "/dev/log".into(), socket: None }
    }
}

impl Syslog {
    #[cfg(test)]
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), socket: None }
    }

    /// Sends one datagram; a syslog that was restarted is found again.
    pub(super) fn send(&mut self, datagram: &str) {
        if let Some(socket) = &self.socket {
            match socket.send(datagram.as_bytes()) {
                Ok(_) => return,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.socket = None,
            }
        }
        if let Ok(socket) = connect(&self.path) {
            // What the second try does not take is lost.
            let _ = socket.send(datagram.as_bytes());
            self.socket = Some(socket);
        }
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(listener: &UnixDatagram) -> Option<String> {
        listener.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        let length = listener.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    #[test]
    fn a_restarted_syslog_is_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut syslog = Syslog::at(&path);
        syslog.send("nobody listens");
        let first = UnixDatagram::bind(&path).unwrap();
        syslog.send("one");
        assert_eq!(received(&first).as_deref(), Some("one"));
        drop(first);
        std::fs::remove_file(&path).unwrap();
        syslog.send("nobody listens again");
        let second = UnixDatagram::bind(&path).unwrap();
        syslog.send("two");
        assert_eq!(received(&second).as_deref(), Some("two"));
    }

    #[test]
    fn a_slow_syslog_costs_lines_and_no_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let listener = UnixDatagram::bind(&path).unwrap();
        let mut syslog = Syslog::at(&path);
        // Many more than the queue of a socket holds; a send that waits would hang here.
        for _ in 0..20_000 {
            syslog.send("flood");
        }
        let mut arrived = 0;
        while received(&listener).is_some() {
            arrived += 1;
        }
        assert!((1..20_000).contains(&arrived), "{arrived}");
        syslog.send("after");
        assert_eq!(received(&listener).as_deref(), Some("after"));
    }
}

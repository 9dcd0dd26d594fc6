//! For the tests: a receiver of webhooks that keeps what it gets.

use super::Server;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What was posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    pub head: String,
    pub body: String,
}

type Kept = Arc<(Mutex<Vec<Posted>>, Condvar)>;

/// See the module.
pub struct Hook {
    pub port: u16,
    kept: Kept,
}

impl Hook {
    /// Answers the n-th request (from 0) with the status that `status` says.
    pub fn start(status: impl Fn(usize) -> u16 + Send + Sync + 'static) -> Self {
        Self::on(0, status)
    }

    /// The same on a port that is known before.
    pub fn on(port: u16, status: impl Fn(usize) -> u16 + Send + Sync + 'static) -> Self {
        let kept = Kept::default();
        let seen = Arc::clone(&kept);
        let server = Server::raw_on(port, move |stream| {
            let mut reader = BufReader::new(stream);
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                match reader.read_line(&mut head) {
                    Ok(read) if read > 0 => {}
                    _ => return,
                }
            }
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            if reader.read_exact(&mut body).is_err() {
                return;
            }
            let posted = Posted { head, body: String::from_utf8(body).unwrap() };
            let number = {
                let mut kept = seen.0.lock().unwrap();
                kept.push(posted);
                kept.len() - 1
            };
            seen.1.notify_all();
            let answer = format!("HTTP/1.1 {} Said\r\nContent-Length: 0\r\n\r\n", status(number));
            let _ = reader.get_mut().write_all(answer.as_bytes());
        });
        Self { port: server.port, kept }
    }

    /// Takes everything.
    pub fn willing() -> Self {
        Self::start(|_| 204)
    }

    /// A port where nobody listens.
    pub fn nobody() -> u16 {
        TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    /// What came so far.
    pub fn posted(&self) -> Vec<Posted> {
        self.kept.0.lock().unwrap().clone()
    }

    /// What came, as soon as `enough` says so.
    pub fn until(&self, what: &str, enough: impl Fn(&[Posted]) -> bool) -> Vec<Posted> {
        let kept = self.kept.0.lock().unwrap();
        let waited = self.kept.1.wait_timeout_while(kept, Duration::from_secs(30), |kept| !enough(kept));
        let (kept, timeout) = waited.unwrap();
        assert!(!timeout.timed_out(), "waited in vain for {what}; there are: {kept:#?}");
        kept.clone()
    }
}

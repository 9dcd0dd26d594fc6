//! The check "tcp": a connection can be made and, when asked for, the first answer begins as it should.
//!
//! It speaks no protocol: it sends what the configuration says and reads no more than it compares.

use crate::bytes::{parse, shown};
use pm_plugin_api::{Error, Health, HealthCheck, Result, Target};
use pm_wire::connect::{Wire, connect};
use pm_wire::deadline::Deadline;
use pm_wire::failure::Failure;
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

const LONGEST_EXPECTED: usize = 4096;

pm_plugin_api::settings! {
    /// Settings of the check "tcp".
    pub struct TcpSettings {
        /// Name or address to connect to.
        pub tcp_host: String = "127.0.0.1",
        /// Port to connect to.
        #[allowed = "1.."]
        pub tcp_port: u16,
        /// How long one look may take in all; pm's own limit is never exceeded.
        pub tcp_timeout: Duration = "5s",
        /// What to send once connected; \r \n \t \0 \\ and \xHH stand for bytes.
        pub tcp_send: Option<String>,
        /// How the first answer must begin, written like tcp_send.
        pub tcp_expect: Option<String>,
    }
}

/// See the module.
pub(crate) struct Tcp {
    host: String,
    port: u16,
    timeout: Duration,
    send: Vec<u8>,
    expect: Vec<u8>,
}

impl HealthCheck for Tcp {
    type Settings = TcpSettings;

    fn new(settings: TcpSettings) -> Result<Self> {
        let at = |key: &'static str| move |why: String| Error::config(format!("{key}: {why}"));
        let host = settings.tcp_host.trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
            return Err(at("tcp_host")(format!("{host:?} is neither a name nor an address")));
        }
        let bytes = |text: Option<String>| parse(text.as_deref().unwrap_or_default());
        let expect = bytes(settings.tcp_expect).map_err(at("tcp_expect"))?;
        if expect.len() > LONGEST_EXPECTED {
            return Err(at("tcp_expect")(format!("is longer than {LONGEST_EXPECTED} bytes")));
        }
        let send = bytes(settings.tcp_send).map_err(at("tcp_send"))?;
        Ok(Self { host, port: settings.tcp_port, timeout: settings.tcp_timeout, send, expect })
    }

    fn check(&self, target: &Target) -> Result<Health> {
        let begun = Instant::now();
        let deadline = Deadline::new(self.timeout, target.timeout());
        let talked =
            connect(&self.host, self.port, deadline).and_then(|mut wire| self.talk(&mut wire, deadline));
        match talked {
            Ok(peer) => Ok(Health::healthy(format!("{peer} in {} ms", begun.elapsed().as_millis()))),
            Err(failure) => failure.verdict(),
        }
    }
}

impl Tcp {
    fn talk(&self, wire: &mut Wire, deadline: Deadline) -> Result<String, Failure> {
        let peer = wire.peer;
        let failed = |why| Failure::Answer { peer, why };
        wire.write_all(&self.send).map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => {
                failed(format!("it did not take tcp_send within {:.1?}", deadline.allowed))
            }
            _ => failed(format!("sending tcp_send failed: {error}")),
        })?;
        if self.expect.is_empty() {
            return Ok(format!("connected to {peer}"));
        }
        let (answer, end) = self.listen(wire);
        if answer == self.expect {
            return Ok(format!("{peer} answered as expected"));
        }
        let expected = shown(&self.expect);
        let why = match (end, answer.is_empty()) {
            (End::Differs, _) => format!("its answer begins {}, expected {expected}", shown(&answer)),
            (End::Closed, true) => format!("it closed the connection without an answer, expected {expected}"),
            (End::Closed, false) => {
                format!("it closed the connection after {}, expected {expected}", shown(&answer))
            }
            (End::Late, true) => format!("no answer within {:.1?}, expected {expected}", deadline.allowed),
            (End::Late, false) => {
                format!("only {} within {:.1?}, expected {expected}", shown(&answer), deadline.allowed)
            }
            (End::Broke(error), _) => format!("the connection broke before the answer: {error}"),
        };
        Err(failed(why))
    }

    /// What came, at most as long as what is expected, and why no more.
    fn listen(&self, wire: &mut Wire) -> (Vec<u8>, End) {
        let mut answer = vec![0; self.expect.len()];
        let mut length = 0;
        let end = loop {
            if length == answer.len() || !self.expect.starts_with(&answer[..length]) {
                break End::Differs;
            }
            match wire.read(&mut answer[length..]) {
                Ok(0) => break End::Closed,
                Ok(more) => length += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => break End::Late,
                Err(error) => break End::Broke(error),
            }
        };
        answer.truncate(length);
        (answer, end)
    }
}

/// Why listening ended.
enum End {
    /// All is there, or what is there is already wrong.
    Differs,
    Closed,
    Late,
    Broke(io::Error),
}

//! Why a service was not reached: which step failed, on what, and what to do about it.

use pm_plugin_api::{Error, ErrorKind, Health};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// A step on the way to an answer that failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The name is unknown, or the name service does not work.
    #[error("the name {host:?} cannot be resolved: {why}")]
    Name {
        /// What was asked for.
        host: String,
        /// What the system said.
        why: String,
    },
    /// The name service did not answer in time.
    #[error("the name {host:?} was not resolved within {allowed:.1?}")]
    SlowName {
        /// What was asked for.
        host: String,
        /// The time it had.
        allowed: Duration,
    },
    /// None of the addresses took the connection.
    #[error("cannot connect: {}", every(tries))]
    Connect {
        /// Each address that was tried and what came of it.
        tries: Vec<(SocketAddr, io::Error)>,
    },
    /// The connection stands, the encryption does not.
    #[error("connected to {peer}, but TLS failed: {why}")]
    Tls {
        /// Whom pm is connected to.
        peer: SocketAddr,
        /// Unknown CA, wrong name, expired, no TLS at all, …
        why: String,
    },
    /// The CA certificates cannot be used.
    #[error("no CA certificates to verify the server with: {why}; set ca_file to a PEM file with the CA")]
    Trust {
        /// The files that were tried, and why not.
        why: String,
    },
    /// The request could not even be made.
    #[error("the request cannot be made: {why}")]
    Request {
        /// What the client said.
        why: String,
    },
    /// The connection ended or failed before there was an answer.
    #[error("connected to {peer}, but {why}")]
    Answer {
        /// Whom pm is connected to.
        peer: SocketAddr,
        /// Closed, timed out, not HTTP, …
        why: String,
    },
}

impl Failure {
    /// The failure for whoever wanted to reach somebody, not to judge him: what can come right by itself is
    /// "unavailable".
    pub fn error(&self) -> Error {
        let kind = match self {
            Self::Trust { .. } | Self::Request { .. } => ErrorKind::Config,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, self.to_string())
    }

    /// What the failure says of the service: nothing when the fault is here.
    ///
    /// # Errors
    /// When the settings are at fault.
    pub fn verdict(self) -> Result<Health, Error> {
        match self {
            Self::Trust { .. } | Self::Request { .. } => Err(Error::config(self.to_string())),
            Self::Name { .. } | Self::SlowName { .. } => Ok(Health::unknown(self.to_string())),
            Self::Connect { ref tries } if tries.iter().any(|(_, error)| is_local(error)) => {
                Ok(Health::unknown(self.to_string()))
            }
            Self::Connect { .. } | Self::Tls { .. } | Self::Answer { .. } => {
                Ok(Health::unhealthy(self.to_string()))
            }
        }
    }
}

/// Out of descriptors, ports or memory: the fault of this host, not of the service.
fn is_local(error: &io::Error) -> bool {
    // EMFILE and ENFILE have no kind of their own.
    matches!(error.raw_os_error(), Some(23 | 24))
        || matches!(error.kind(), io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory)
}

fn every(tries: &[(SocketAddr, io::Error)]) -> String {
    let each = |(address, error): &(SocketAddr, io::Error)| match error.kind() {
        io::ErrorKind::ConnectionRefused => format!("{address} refused the connection, nobody listens there"),
        io::ErrorKind::TimedOut => format!("{address} did not answer in time"),
        _ => format!("{address} {error}"),
    };
    tries.iter().map(each).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect(error: io::Error) -> Failure {
        Failure::Connect { tries: vec![("127.0.0.1:80".parse().unwrap(), error)] }
    }

    #[test]
    fn a_fault_of_this_host_says_nothing_of_the_service() {
        for (error, unknown) in [
            (io::Error::from_raw_os_error(24), true),
            (io::ErrorKind::AddrNotAvailable.into(), true),
            (io::ErrorKind::ConnectionRefused.into(), false),
            (io::ErrorKind::TimedOut.into(), false),
            (io::ErrorKind::HostUnreachable.into(), false),
        ] {
            let health = connect(error).verdict().unwrap();
            assert_eq!(matches!(health, Health::Unknown { .. }), unknown, "{health:?}");
        }
        let name = Failure::Name { host: "db".into(), why: "no such host".into() };
        assert_eq!(name.verdict(), Ok(Health::unknown("the name \"db\" cannot be resolved: no such host")));
    }

    #[test]
    fn every_address_is_named_with_its_own_reason() {
        let tries = vec![
            ("[::1]:80".parse().unwrap(), io::ErrorKind::ConnectionRefused.into()),
            ("127.0.0.1:80".parse().unwrap(), io::ErrorKind::TimedOut.into()),
        ];
        assert_eq!(
            Failure::Connect { tries }.to_string(),
            "cannot connect: [::1]:80 refused the connection, nobody listens there; 127.0.0.1:80 did not answer in time"
        );
    }
}

//! A connection, encrypted or not.

use crate::connect::Wire;
use crate::failure::Failure;
use crate::tls::Trust;
use rustls::{ClientConnection, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

/// See the module.
pub enum Link {
    /// As it is.
    Plain(Wire),
    /// In TLS.
    Encrypted(Box<StreamOwned<ClientConnection, Wire>>),
}

impl Link {
    /// Encrypts a plain connection; an encrypted one stays as it is.
    ///
    /// # Errors
    /// As [`Trust::secure`].
    pub fn secured(self, trust: &Trust, host: &str) -> Result<Self, Failure> {
        match self {
            Self::Plain(wire) => Ok(Self::Encrypted(Box::new(trust.secure(wire, host)?))),
            Self::Encrypted(_) => Ok(self),
        }
    }

    /// Whom it is connected to.
    pub fn peer(&self) -> SocketAddr {
        match self {
            Self::Plain(wire) => wire.peer,
            Self::Encrypted(stream) => stream.sock.peer,
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link to {}", self.peer())
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.read(buffer),
            // Many servers close without saying so in TLS; a body cut short shows in its length.
            Self::Encrypted(stream) => match stream.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
                other => other,
            },
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}

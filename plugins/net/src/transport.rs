//! Connects the HTTP client to pm's own connections, so that one deadline and one set of reasons hold for all steps.
//!
//! The client's interface for that is not covered by its version promise, which is why nothing else touches it.

use crate::address::host_and_port;
use crate::connect::{Wire, connect};
use crate::deadline::Deadline;
use crate::tls::Trust;
use rustls::{ClientConnection, StreamOwned};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::http::uri::Scheme;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// The client wants the head of an answer (64 KiB at the most) in one piece; allocated when needed.
const INPUT: usize = 128 * 1024;
const OUTPUT: usize = 16 * 1024;

/// A client for one request, and the place where it notes whom it reached.
pub(crate) fn agent(trust: &Trust, deadline: Deadline) -> (Agent, Arc<OnceLock<SocketAddr>>) {
    let reached = Arc::new(OnceLock::new());
    let dialler = Dialler { trust: trust.clone(), deadline, reached: Arc::clone(&reached) };
    let config = Agent::config_builder()
        // Redirects are followed by the check itself, which knows what may be sent where.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .proxy(None)
        .max_idle_connections(0)
        .input_buffer_size(INPUT)
        .output_buffer_size(OUTPUT)
        .user_agent(concat!("pm/", env!("CARGO_PKG_VERSION")))
        .build();
    (Agent::with_parts(config, dialler, NoResolver), reached)
}

/// Names are resolved by the connection, which reports them in its own words.
#[derive(Debug)]
struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

#[derive(Debug)]
struct Dialler {
    trust: Trust,
    deadline: Deadline,
    reached: Arc<OnceLock<SocketAddr>>,
}

impl Connector<()> for Dialler {
    type Out = Line;

    /// Failures travel through the client as they are.
    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Line>, ureq::Error> {
        let (host, port) = host_and_port(details.uri);
        let wire =
            connect(&host, port, self.deadline).map_err(|failure| ureq::Error::Other(failure.into()))?;
        // One agent makes one connection, so this is the first.
        let _ = self.reached.set(wire.peer);
        let link = if details.uri.scheme() == Some(&Scheme::HTTPS) {
            let secured =
                self.trust.secure(wire, &host).map_err(|failure| ureq::Error::Other(failure.into()))?;
            Link::Encrypted(Box::new(secured))
        } else {
            Link::Plain(wire)
        };
        Ok(Some(Line { link, buffers: LazyBuffers::new(INPUT, OUTPUT) }))
    }
}

enum Link {
    Plain(Wire),
    Encrypted(Box<StreamOwned<ClientConnection, Wire>>),
}

impl Link {
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
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.write_all(bytes),
            Self::Encrypted(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }
}

/// A connection in the client's terms. Its time limits are ignored: the wire has its own.
struct Line {
    link: Link,
    buffers: LazyBuffers,
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl Transport for Line {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }
    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), ureq::Error> {
        let output = &self.buffers.output()[..amount];
        self.link.write_all(output)?;
        Ok(())
    }
    fn await_input(&mut self, _: NextTimeout) -> Result<bool, ureq::Error> {
        let amount = self.link.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }
    /// A connection is used for one request.
    fn is_open(&mut self) -> bool {
        false
    }
    fn is_tls(&self) -> bool {
        matches!(self.link, Link::Encrypted(_))
    }
}

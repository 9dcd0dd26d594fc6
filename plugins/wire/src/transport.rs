//! Connects the HTTP client to pm's own connections, so that one deadline and one set of reasons hold for all steps.
//!
//! The client's interface for that is not covered by its version promise, which is why nothing else touches it.

use crate::address::host_and_port;
use crate::connect::connect;
use crate::deadline::Deadline;
use crate::failure::Failure;
use crate::link::Link;
use crate::tls::{Trust, explain, tls_cause};
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use ureq::config::Config;
use ureq::http::uri::Scheme;
use ureq::http::{Request, Response, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Agent, AsSendBody, Body};

/// The client wants the head of an answer (64 KiB at the most) in one piece; allocated when needed.
const INPUT: usize = 128 * 1024;
const OUTPUT: usize = 16 * 1024;

/// Sends one request over a connection of its own, and answers with the head of the response.
///
/// # Errors
/// The [`Failure`] of the step that went wrong.
pub fn send<B: AsSendBody>(
    request: Request<B>,
    trust: &Trust,
    deadline: Deadline,
) -> Result<Response<Body>, Failure> {
    let (agent, reached) = agent(trust, deadline);
    agent.run(request).map_err(|error| match (error, reached.get()) {
        (ureq::Error::Other(inner), _) => match inner.downcast::<Failure>() {
            Ok(failure) => *failure,
            Err(inner) => Failure::Request { why: inner.to_string() },
        },
        (error, Some(peer)) => Failure::Answer { peer: *peer, why: no_answer(&error, deadline) },
        (error, None) => Failure::Request { why: error.to_string() },
    })
}

/// Why a connection that stood gave no answer.
fn no_answer(error: &ureq::Error, deadline: Deadline) -> String {
    match error {
        ureq::Error::Io(error) => match (tls_cause(error), error.kind()) {
            (Some(tls), _) => format!("TLS failed: {}", explain(tls)),
            (None, io::ErrorKind::TimedOut) => format!("no answer within {:.1?}", deadline.allowed),
            (None, io::ErrorKind::UnexpectedEof) => "it closed the connection without an answer".to_owned(),
            (None, _) => format!("the connection broke before the answer: {error}"),
        },
        ureq::Error::LargeResponseHeader(..) => "the header of its answer is too large".to_owned(),
        ureq::Error::Protocol(error) => format!("its answer is not plain HTTP/1 ({error})"),
        other => format!("its answer cannot be used: {other}"),
    }
}

/// A client for one request, and the place where it notes whom it reached.
fn agent(trust: &Trust, deadline: Deadline) -> (Agent, Arc<OnceLock<SocketAddr>>) {
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
        let mut link = Link::Plain(wire);
        if details.uri.scheme() == Some(&Scheme::HTTPS) {
            link = link.secured(&self.trust, &host).map_err(|failure| ureq::Error::Other(failure.into()))?;
        }
        Ok(Some(Line { link, buffers: LazyBuffers::new(INPUT, OUTPUT) }))
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
        self.link.flush()?;
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

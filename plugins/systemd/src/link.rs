//! One connection to a bus, used by one caller at a time: send, then receive until a moment.
//!
//! It has a runtime of its own, which runs only while a caller is inside: an idle link costs a socket and no thread. Links
//! are kept between calls; one that has been in any trouble must not be kept, because a late answer could still arrive.
//! It knows nothing of systemd.

use futures_core::Stream;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use tokio::runtime::Runtime;
use zbus::{Connection, Message, MessageStream};

/// Idle links are few: more than these are in use only while many units are restarted at once.
const KEPT: usize = 4;

static SHELF: Mutex<Vec<Link>> = Mutex::new(Vec::new());

/// Why a link is of no use any more, or never was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Trouble {
    /// There is no such socket, or nobody serves it.
    #[error("there is no bus at {address}")]
    Absent {
        /// Where one was looked for.
        address: String,
        #[source]
        source: io::Error,
    },
    /// The connection could not be made or does not work any more.
    #[error("the connection to the bus at {address} broke")]
    Broken {
        /// The bus.
        address: String,
        #[source]
        source: zbus::Error,
    },
    /// The other side accepts and says nothing.
    #[error("the bus at {address} does not answer")]
    Silent {
        /// The bus.
        address: String,
    },
}

/// A connection; fields are dropped in this order, the runtime last.
pub(crate) struct Link {
    incoming: MessageStream,
    connection: Connection,
    address: String,
    runtime: Runtime,
}

impl Link {
    /// A link to this bus that an earlier call has left, if any.
    pub(crate) fn kept(address: &str) -> Option<Self> {
        let mut shelf = SHELF.lock().unwrap_or_else(PoisonError::into_inner);
        let at = shelf.iter().rposition(|link| link.address == address)?;
        Some(shelf.swap_remove(at))
    }

    /// Leaves a link in good order to later calls.
    pub(crate) fn keep(self) {
        let mut shelf = SHELF.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.len() < KEPT {
            shelf.push(self);
        }
    }

    /// Connects to the bus and says hello.
    pub(crate) fn open(address: String, deadline: Instant) -> Result<Self, Trouble> {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return Err(Trouble::Broken { address, source: error.into() }),
        };
        let built = within(&runtime, deadline, zbus::connection::Builder::address(address.as_str()).build());
        let connection = match built {
            Some(Ok(connection)) => connection,
            Some(Err(zbus::Error::Connection(error, _))) if nobody(&error) => {
                return Err(Trouble::Absent { address, source: io::Error::new(error.kind(), error) });
            }
            Some(Err(source)) => return Err(Trouble::Broken { address, source }),
            None => return Err(Trouble::Silent { address }),
        };
        Ok(Self { incoming: MessageStream::from(&connection), connection, address, runtime })
    }

    /// Hands the messages over to the kernel, all or an error; after an error the last one has not been sent.
    pub(crate) fn send(&mut self, messages: &[Message], deadline: Instant) -> Result<(), Trouble> {
        match within(&self.runtime, deadline, self.connection.send_all(messages)) {
            Some(Ok(())) => Ok(()),
            Some(Err(source)) => Err(Trouble::Broken { address: self.address.clone(), source }),
            None => Err(Trouble::Silent { address: self.address.clone() }),
        }
    }

    /// The next message, or none when `until` comes first.
    pub(crate) fn next(&mut self, until: Instant) -> Result<Option<Message>, Trouble> {
        let incoming = &mut self.incoming;
        match within(&self.runtime, until, poll_fn(|cx| Pin::new(&mut *incoming).poll_next(cx))) {
            None => Ok(None),
            Some(Some(Ok(message))) => Ok(Some(message)),
            Some(Some(Err(source))) => Err(Trouble::Broken { address: self.address.clone(), source }),
            Some(None) => {
                let source = io::Error::from(io::ErrorKind::UnexpectedEof).into();
                Err(Trouble::Broken { address: self.address.clone(), source })
            }
        }
    }
}

/// Nobody listens: no such file, or one that a dead bus has left.
fn nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

/// Runs `future` until it is done or the moment has come. The timer must be made inside of the runtime.
fn within<T>(runtime: &Runtime, until: Instant, future: impl Future<Output = T>) -> Option<T> {
    runtime.block_on(async { tokio::time::timeout_at(until.into(), future).await.ok() })
}

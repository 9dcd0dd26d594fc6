//! A TCP proxy that does what networks do: it is slow, it freezes, it cuts, it answers in the server's place.
//!
//! A fault holds from the moment it is set, on connections that are open and on new ones. It knows no protocol: the
//! bytes of an answer are the test's. Faults that act once are over when they have acted.

use rustix::net;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// What is wrong with the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Nothing is passed on in either direction, and nothing is lost: it comes late.
    Freeze,
    /// Each piece is passed on after this time.
    Delay(Duration),
    /// The connection is cut instead of passing the next answer on; the question has reached the server. Once.
    CutAnswer,
    /// The server's side ends where its next answer would begin; what the client sends still arrives.
    HalfClose,
    /// The connection is cut after so many more bytes towards the server. Once.
    CutAfter(usize),
    /// The next question does not reach the server and gets this answer. Once.
    Answer(Vec<u8>),
    /// New connections are closed at once.
    Refuse,
    /// Nobody is there any more: open connections are cut at their next piece, new ones are closed at once.
    Gone,
    /// A question with these bytes is passed on; from then on the other fault holds.
    After(Vec<u8>, Box<Self>),
}

/// A running proxy. After it is dropped it takes no connections any more.
pub struct Proxy {
    address: SocketAddr,
    way: Arc<Way>,
}

struct Way {
    fault: Mutex<Fault>,
    changed: Condvar,
    connections: AtomicUsize,
    questions: AtomicUsize,
}

/// Which way a pump pumps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Towards {
    Server,
    Client,
}

/// What becomes of a connection with a piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    GoesOn,
    Cut,
    HalfClosed,
}

impl Proxy {
    /// Starts a proxy to a port on 127.0.0.1.
    ///
    /// # Panics
    /// When the system has no port left.
    #[must_use]
    pub fn to(port: u16) -> Self {
        Self::on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"), port)
    }

    /// As [`to`](Self::to), with a listener that is there already.
    ///
    /// # Panics
    /// When the listener has no address.
    #[must_use]
    pub fn on(listener: TcpListener, port: u16) -> Self {
        let address = listener.local_addr().expect("a bound address");
        let way = Arc::new(Way {
            fault: Mutex::new(Fault::None),
            changed: Condvar::new(),
            connections: 0.into(),
            questions: 0.into(),
        });
        let its = Arc::clone(&way);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
                    Ok(server) if its.open() => connect(client, server, &its),
                    _ => drop(client),
                }
            }
        });
        Self { address, way }
    }

    /// Where it listens, on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections were passed on.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.way.connections.load(Ordering::SeqCst)
    }

    /// How many pieces went towards the server. A client that waits for each answer sends one piece per question.
    #[must_use]
    pub fn questions(&self) -> usize {
        self.way.questions.load(Ordering::SeqCst)
    }

    /// Sets what is wrong from now on.
    pub fn set(&self, fault: Fault) {
        *self.way.fault() = fault;
        self.way.changed.notify_all();
    }

    /// What is wrong now; a fault that acts once has acted when this is [`Fault::None`].
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.way.fault().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.set(Fault::Refuse);
    }
}

impl Way {
    fn fault(&self) -> MutexGuard<'_, Fault> {
        self.fault.lock().expect("no pump panics while it holds the lock")
    }

    fn open(&self) -> bool {
        !matches!(*self.fault(), Fault::Refuse | Fault::Gone)
    }

    /// Waits until a piece may go on.
    fn admits(&self, towards: Towards, piece: &mut Vec<u8>, back: &mut TcpStream) -> Fate {
        let mut fault = self.fault();
        loop {
            match (&mut *fault, towards) {
                (Fault::Freeze, _) => {
                    fault = self.changed.wait(fault).expect("no pump panics while it holds the lock");
                }
                (Fault::Delay(time), _) => {
                    let time = *time;
                    let changed = |now: &mut Fault| *now == Fault::Delay(time);
                    drop(self.changed.wait_timeout_while(fault, time, changed));
                    return Fate::GoesOn;
                }
                (Fault::Gone, _) => {
                    piece.clear();
                    return Fate::Cut;
                }
                (Fault::HalfClose, Towards::Client) => {
                    piece.clear();
                    return Fate::HalfClosed;
                }
                (Fault::After(text, next), Towards::Server) if contains(piece, text) => {
                    *fault = std::mem::replace(&mut **next, Fault::None);
                    return Fate::GoesOn;
                }
                (Fault::CutAnswer, Towards::Client) => {
                    *fault = Fault::None;
                    piece.clear();
                    return Fate::Cut;
                }
                (Fault::CutAfter(left), Towards::Server) if *left < piece.len() => {
                    piece.truncate(*left);
                    *fault = Fault::None;
                    return Fate::Cut;
                }
                (Fault::CutAfter(left), Towards::Server) => {
                    *left -= piece.len();
                    return Fate::GoesOn;
                }
                (Fault::Answer(answer), Towards::Server) => {
                    let answer = std::mem::take(answer);
                    *fault = Fault::None;
                    piece.clear();
                    return if back.write_all(&answer).is_ok() { Fate::GoesOn } else { Fate::Cut };
                }
                _ => return Fate::GoesOn,
            }
        }
    }
}

fn contains(piece: &[u8], text: &[u8]) -> bool {
    piece.windows(text.len()).any(|window| window == text)
}

fn connect(client: TcpStream, server: TcpStream, way: &Arc<Way>) {
    let both = client.try_clone().and_then(|client| Ok((client, server.try_clone()?)));
    let Ok((client_too, server_too)) = both else { return };
    way.connections.fetch_add(1, Ordering::SeqCst);
    let (to_server, to_client) = (Arc::clone(way), Arc::clone(way));
    thread::spawn(move || pump(client, server, Towards::Server, &to_server));
    thread::spawn(move || pump(server_too, client_too, Towards::Client, &to_client));
}

fn pump(mut from: TcpStream, mut to: TcpStream, towards: Towards, way: &Way) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let mut piece = buffer[..length].to_vec();
        if towards == Towards::Server {
            way.questions.fetch_add(1, Ordering::SeqCst);
        }
        let fate = way.admits(towards, &mut piece, &mut from);
        if to.write_all(&piece).is_err() || fate == Fate::Cut {
            break;
        }
        if fate == Fate::HalfClosed {
            let _ = to.shutdown(Shutdown::Write);
            // What the server still says reaches nobody, until the client goes, too.
            while matches!(from.read(&mut buffer), Ok(1..)) {}
            return;
        }
    }
    // The other pump reads the end then.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// A port on 127.0.0.1 that takes connections and never says a word; it stays as long as the listener lives.
///
/// # Panics
/// When the system has no port left.
#[must_use]
pub fn silent() -> (TcpListener, u16) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("a bound address").port();
    // The kernel accepts into the queue; nobody takes the connections out.
    (listener, port)
}

/// A port on 127.0.0.1 that is taken and on which nobody listens yet: connections are refused until [`open`].
///
/// # Panics
/// When the system has no port left.
#[must_use]
pub fn closed() -> (OwnedFd, u16) {
    let (family, kind) = (net::AddressFamily::INET, net::SocketType::STREAM);
    let socket = net::socket_with(family, kind, net::SocketFlags::CLOEXEC, None).expect("a socket");
    net::bind(&socket, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let listener = TcpListener::from(socket);
    let port = listener.local_addr().expect("a bound address").port();
    (listener.into(), port)
}

/// Listens on a [`closed`] port.
///
/// # Panics
/// When the system refuses.
#[must_use]
pub fn open(socket: OwnedFd) -> TcpListener {
    net::listen(&socket, 128).expect("listening");
    TcpListener::from(socket)
}

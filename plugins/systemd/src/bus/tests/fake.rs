//! A bus with a systemd on it that does what a test says, behind a real socket.

use crate::message;
use futures_core::Stream;
use std::future::poll_fn;
use std::os::unix::net::{UnixListener, UnixStream};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use zbus::connection::Builder;
use zbus::{Guid, Message, MessageStream, ObjectPath};

/// What the bus does when it was sent a message.
pub(super) enum Move {
    /// Sends this.
    Send(Message),
    /// Closes the connection.
    Close,
}

/// Called with the number of the connection, from 0, the member and the message.
type Script = Box<dyn FnMut(usize, &str, &Message) -> Vec<Move> + Send>;

pub(super) struct FakeBus {
    pub(super) address: String,
    asked: Arc<Mutex<Vec<String>>>,
    _directory: tempfile::TempDir,
}

impl FakeBus {
    pub(super) fn start(script: impl FnMut(usize, &str, &Message) -> Vec<Move> + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bus");
        let listener = UnixListener::bind(&path).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let notes = Arc::clone(&asked);
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let (stream, script, notes) = (stream.unwrap(), Arc::clone(&script), Arc::clone(&notes));
                std::thread::spawn(move || serve(stream, number, &script, &notes));
            }
        });
        Self { address: format!("unix:path={}", path.display()), asked, _directory: directory }
    }

    /// The members of the messages so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn count(&self, member: &str) -> usize {
        self.asked().iter().filter(|asked| *asked == member).count()
    }
}

fn serve(stream: UnixStream, number: usize, script: &Mutex<Script>, notes: &Mutex<Vec<String>>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let built = Builder::unix_stream(stream).server(Guid::generate()).p2p().build().await;
        let Ok(connection) = built else { return };
        let mut incoming = MessageStream::from(&connection);
        while let Some(Ok(message)) = poll_fn(|cx| Pin::new(&mut incoming).poll_next(cx)).await {
            let member = message.header().member().map_or_else(String::new, |name| name.as_str().to_owned());
            let moves = if member == "Hello" {
                vec![reply(&message, &":1.99")]
            } else {
                notes.lock().unwrap().push(member.clone());
                script.lock().unwrap()(number, &member, &message)
            };
            for step in moves {
                match step {
                    Move::Send(message) => connection.send(&message).await.unwrap(),
                    Move::Close => return,
                }
            }
        }
    });
}

/// The name of systemd on the bus.
pub(super) const SYSTEMD: &str = ":1.7";
pub(super) const JOB: &str = "/org/freedesktop/systemd1/job/5";

pub(super) fn reply<B: serde::Serialize + zbus::DynamicType>(to: &Message, body: &B) -> Move {
    Move::Send(Message::method_return(&to.header()).sender(SYSTEMD).build(body).unwrap())
}

pub(super) fn refuse(to: &Message, name: &'static str) -> Move {
    Move::Send(Message::error(&to.header(), name).sender(SYSTEMD).build(&"Because").unwrap())
}

/// The answer to StartUnit and RestartUnit.
pub(super) fn queued(to: &Message) -> Move {
    reply(to, &ObjectPath::try_from(JOB).unwrap())
}

/// The answer to ListUnitsByNames.
pub(super) fn unit(to: &Message, active: &str, job: u32, sender: &'static str) -> Move {
    let path = |text: &str| ObjectPath::try_from(text.to_owned()).unwrap();
    let job_path = if job == 0 { path("/") } else { path(&format!("/org/freedesktop/systemd1/job/{job}")) };
    let web = ("web.service", "Web", "loaded", active, "sub", "", path("/unit/web"), job, "start", job_path);
    Move::Send(Message::method_return(&to.header()).sender(sender).build(&vec![web]).unwrap())
}

/// The end of the job.
pub(super) fn removed(sender: &'static str, result: &str) -> Move {
    let path = ObjectPath::try_from(JOB).unwrap();
    let signal =
        Message::signal("/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager", "JobRemoved")
            .sender(sender)
            .build(&(5_u32, path, "web.service", result))
            .unwrap();
    assert!(message::Removed::read(&signal).is_some());
    Move::Send(signal)
}

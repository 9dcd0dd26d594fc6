//! The other side: what the process `pm plugin-worker` does.
//!
//! It becomes what it was told to be, loads the one library whose descriptor it was given, and answers calls, each on a
//! thread of its own: all its threads wait at the socket, the system gives each message to one of them, and one more is
//! started whenever none is left waiting. When the other end of the socket closes, pm is gone, and so is this process,
//! whatever its calls do: with a signal, so that no exit handler of the library can hang. It never ignores a signal,
//! because what it starts would inherit that.

use crate::plugins::instances::Key;
use crate::plugins::load;
use crate::plugins::log;
use crate::plugins::parts::Parts;
use crate::plugins::refusal::Maker;
use crate::plugins::wire::{self, Asked, LARGEST, Loaded, Message, encode};
use pm_plugin_api::Error;
use pm_plugin_api::command::unprotect;
use rustix::fs::{Gid, Mode, OFlags, Uid};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::process::{DumpableBehavior, Signal, kill_current_process_group, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set, set_capabilities, set_no_new_privs,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// More waiting threads than this leave.
const SPARE: usize = 4;

/// Everything a thread of the worker needs.
struct Worker {
    socket: OwnedFd,
    plugin: Arc<str>,
    parts: Parts,
    /// Threads that wait at the socket.
    idle: AtomicUsize,
}

/// Serves until pm is gone; comes back only when it cannot begin, with the reason. `arguments` are those behind the verb.
pub fn serve(arguments: &[String]) -> String {
    let Some((socket, library)) = descriptors() else {
        return "a worker is started by pm itself, to run a plugin: there is nothing to do by hand"
            .to_owned();
    };
    let [name, version, confinement @ ..] = arguments else {
        return "the worker was not told which plugin it is for".to_owned();
    };
    // What it starts must not outlive everything else when there is no memory left, as pm itself is meant to.
    unprotect(std::process::id());
    let maker = Maker { name: name.clone(), version: version.clone() };
    let loaded = match confine(confinement) {
        Ok(()) => load::load(library, &maker).map_err(Loaded::refused),
        Err(why) => Err(Loaded::Setting { why }),
    };
    let socket = Arc::new(socket);
    let (root, hello) = match loaded {
        Ok(root) => (Some(root), Loaded::Ready),
        Err(refused) => (None, refused),
    };
    say(&socket, 0, &Message::Hello(hello));
    let (Some(root), Ok(own)) = (root, socket.try_clone()) else {
        // pm reads the reason and sees this process off; whoever leaves first might take it along unread.
        wait_for_the_end(&socket);
        leave();
    };
    let said = Arc::clone(&socket);
    log::over(Box::new(move |number, level, module, text| {
        say(&said, number, &Message::Said { level, module, text: cut(text) });
    }));
    let plugin: Arc<str> = maker.name.as_str().into();
    let worker = Arc::new(Worker {
        socket: own,
        parts: Parts::new(Arc::clone(&plugin), root),
        plugin,
        idle: AtomicUsize::new(1),
    });
    loop {
        worker.wait_for_calls();
        // The others may leave; this thread is the process.
        worker.idle.fetch_add(1, Ordering::AcqRel);
    }
}

/// The socket and the library, moved out of the way of whoever prints or reads.
fn descriptors() -> Option<(OwnedFd, File)> {
    let socket = fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3).ok()?;
    rustix::net::getpeername(&socket).ok()?;
    let library = File::from(fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).ok()?);
    let nothing = rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).ok()?;
    rustix::stdio::dup2_stdin(&nothing).ok()?;
    rustix::stdio::dup2_stdout(&nothing).ok()?;
    Some((socket, library))
}

/// Becomes what the arguments say. There is one thread yet, so what holds for it holds for all to come.
fn confine(words: &[String]) -> Result<(), String> {
    let failed =
        |what: &str, error: Errno| format!("could not {what}: {error}; pm has to run as root for that");
    for word in words {
        if let Some(user) = word.strip_prefix("user=") {
            let (uid, gid, groups) = numbers(user).ok_or_else(|| format!("cannot read {word:?}"))?;
            let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
            let groups: Vec<_> = groups.into_iter().map(Gid::from_raw).collect();
            set_thread_groups(&groups).map_err(|error| failed("take the groups of its user", error))?;
            set_thread_res_gid(gid, gid, gid).map_err(|error| failed("take the group of its user", error))?;
            set_thread_res_uid(uid, uid, uid).map_err(|error| failed("become its user", error))?;
            // Who changes his user may not look at himself in /proc, where the library's descriptor is.
            set_dumpable_behavior(DumpableBehavior::Dumpable)
                .map_err(|error| failed("see its own descriptors", error))?;
        } else if word == "no_new_privs" {
            let failed = |what: &str, error: Errno| format!("could not {what}: {error}");
            set_no_new_privs(true).map_err(|error| failed("give up gaining privileges", error))?;
            let none = CapabilitySet::empty();
            let none = CapabilitySets { effective: none, permitted: none, inheritable: none };
            clear_ambient_capability_set().map_err(|error| failed("drop its capabilities", error))?;
            set_capabilities(None, none).map_err(|error| failed("drop its capabilities", error))?;
        }
    }
    Ok(())
}

/// `UID:GID:GROUP,GROUP`.
fn numbers(text: &str) -> Option<(u32, u32, Vec<u32>)> {
    let mut parts = text.split(':');
    let (uid, gid, groups) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    let groups = groups.split(',').filter(|group| !group.is_empty()).map(|group| group.parse().ok());
    Some((uid, gid, groups.collect::<Option<_>>()?))
}

impl Worker {
    /// The life of a thread of the worker.
    fn wait_for_calls(self: &Arc<Self>) {
        let mut buffer = vec![0; LARGEST];
        loop {
            let length = match recv(&self.socket, &mut buffer[..], RecvFlags::empty()) {
                Ok((length, _)) if length > 0 => length,
                Err(Errno::INTR) => continue,
                Ok(_) | Err(_) => leave(),
            };
            // pm writes nothing else; a process that cannot read its orders is of no use.
            let Ok((number, message)) = wire::decode(&buffer[..length]) else { leave() };
            match message {
                Message::Ping => say(&self.socket, number, &Message::Pong),
                Message::Call(asked, body) => {
                    if self.idle.fetch_sub(1, Ordering::AcqRel) == 1 {
                        self.one_more();
                    }
                    let level = asked.level;
                    let answer = log::calling(number, level, || self.run(asked, body));
                    self.answer(number, answer);
                    if self.idle.fetch_add(1, Ordering::AcqRel) >= SPARE {
                        self.idle.fetch_sub(1, Ordering::AcqRel);
                        return;
                    }
                }
                _ => leave(),
            }
        }
    }

    /// Starts another thread, so that somebody is there for the next message while this one is busy.
    fn one_more(self: &Arc<Self>) {
        self.idle.fetch_add(1, Ordering::AcqRel);
        let worker = Arc::clone(self);
        let started =
            std::thread::Builder::new().name("call".to_owned()).spawn(move || worker.wait_for_calls());
        if started.is_err() {
            self.idle.fetch_sub(1, Ordering::AcqRel);
        }
    }

    fn run(&self, asked: Asked<'_>, body: &[u8]) -> Result<Vec<u8>, Error> {
        log::speaking(&self.plugin, None, || {
            let Asked { kind, name, op, settings, .. } = asked;
            let key =
                Key { kind: kind.into_owned(), name: name.into_owned(), settings: settings.into_owned() };
            self.parts.run(key, &op, body)
        })
    }

    fn answer(&self, number: u64, answer: Result<Vec<u8>, Error>) {
        let answer = answer.and_then(|body| {
            if body.len() + 64 > LARGEST {
                let most = LARGEST / 1024;
                return Err(Error::failed(format!(
                    "its answer has {} bytes, more than {most} KiB",
                    body.len()
                )));
            }
            Ok(body)
        });
        match answer {
            Ok(body) => say(&self.socket, number, &Message::Answer(&body)),
            Err(mut error) => {
                error.message.truncate(error.message.floor_char_boundary(LARGEST / 8));
                let body = serde_json::to_vec(&error).unwrap_or_default();
                say(&self.socket, number, &Message::Failed(&body));
            }
        }
    }
}

fn say(socket: &OwnedFd, number: u64, message: &Message<'_>) {
    let Some(packet) = encode(number, message) else { return };
    while let Err(Errno::INTR) = send(socket, &packet, SendFlags::NOSIGNAL) {}
}

fn wait_for_the_end(socket: &OwnedFd) {
    let mut buffer = [0; 16];
    while let Ok((1.., _)) | Err(Errno::INTR) = recv(socket, &mut buffer[..], RecvFlags::empty()) {}
}

/// A line of a log that is longer than this says nothing more.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LARGEST / 8)]
}

/// Goes, and takes along what the library has forked into its group. Commands have groups of their own: they may go on.
fn leave() -> ! {
    let _ = kill_current_process_group(Signal::KILL);
    std::process::abort()
}

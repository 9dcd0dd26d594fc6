//! The [`Herald`] of the daemon: a desk and a thread for each receiver.
//!
//! Promises: [`tell`](Herald::tell) waits for nobody but for the desk's lock, which is never held during a delivery. A
//! thread without work blocks. No thread exists without a receiver.

use super::desk::{Desk, Ended, Step, Word};
use super::item::Item;
use super::texts;
use crate::policy::model::printable;
use crate::policy::sentence::lasting;
use crate::policy::time::Now;
use crate::ports::{Clock, Happened, Herald, Notifiers};
use crate::spec::Receiver;
use pm_plugin_api::{Error, ErrorKind, Notice};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tracing::{debug, info, warn};

/// How long a receiver that is taken out of the configuration, and all of them when pm stops, get for what still waits.
const PATIENCE: Duration = Duration::from_secs(3);

/// See the module.
pub struct Office {
    /// Who is told, and how.
    tools: Arc<Tools>,
    lines: Mutex<Vec<Line>>,
    number: AtomicU64,
}

struct Tools {
    notifiers: Arc<dyn Notifiers>,
    clock: Arc<dyn Clock>,
    host: String,
}

/// One receiver.
struct Line {
    receiver: Arc<Receiver>,
    shared: Arc<Shared>,
    /// Closed when the thread has ended.
    gone: mpsc::Receiver<()>,
}

struct Shared {
    desk: Mutex<Desk>,
    bell: Condvar,
}

/// Delivers one item to one receiver, with one try.
///
/// # Errors
/// Those of the notifier.
fn send(receiver: &Receiver, item: &Item, tools: &Tools) -> Result<(), Error> {
    let said = texts::say(item, &tools.host, receiver.language);
    let mut notice = Notice::of(item.kind.word(), said.summary);
    notice.severity = item.severity;
    notice.subject = printable(&item.subject);
    notice.host.clone_from(&tools.host);
    notice.detail = said.detail;
    notice.time_ms = u64::try_from(item.at.wall.0).unwrap_or_default();
    notice.repeated = item.repeated;
    receiver.language.word().clone_into(&mut notice.language);
    notice.id.clone_from(&item.id);
    notice.timeout_ms = u64::try_from(receiver.timeout.as_millis()).unwrap_or(u64::MAX);
    tools.notifiers.notify(&receiver.part, &notice)
}

/// Delivers something to one receiver now, with one try and beside every queue: for `pm notify test`.
///
/// # Errors
/// Those of the notifier.
pub fn deliver(
    receiver: &Receiver,
    happened: Happened,
    host: &str,
    now: Now,
    notifiers: Arc<dyn Notifiers>,
    clock: Arc<dyn Clock>,
) -> Result<(), Error> {
    let tools = Tools { notifiers, clock, host: host.to_owned() };
    let id = format!("{host}-{}-test", now.wall.0);
    Item::of(happened, now, id).map_or(Ok(()), |item| send(receiver, &item, &tools))
}

impl Office {
    /// Without receivers; [`configure`](Self::configure) brings them. `host` is what this machine is called.
    pub fn new(notifiers: Arc<dyn Notifiers>, clock: Arc<dyn Clock>, host: &str) -> Self {
        let tools = Arc::new(Tools { notifiers, clock, host: host.to_owned() });
        Self { tools, lines: Mutex::default(), number: AtomicU64::new(0) }
    }

    /// Tells these from now on. A receiver that stays as it is keeps its queue; one that goes gets a moment for it.
    pub fn configure(&self, receivers: &[Receiver]) {
        let mut lines = self.lines();
        let (kept, gone): (Vec<_>, Vec<_>) =
            lines.drain(..).partition(|line| receivers.contains(&line.receiver));
        *lines = kept;
        gone.iter().for_each(Line::leave);
        let new = receivers.iter().filter(|receiver| !lines.iter().any(|line| *line.receiver == **receiver));
        let new: Vec<_> = new.cloned().collect();
        for receiver in new {
            let name = receiver.name.clone();
            match Line::start(receiver, &self.tools) {
                Ok(line) => lines.push(line),
                Err(error) => {
                    warn!("Nobody tells {}: the system refuses another thread: {error}", printable(&name));
                }
            }
        }
    }

    /// Lets what waits go out, as far as that succeeds within a short time.
    pub fn close(&self) {
        let lines = std::mem::take(&mut *self.lines());
        lines.iter().for_each(Line::leave);
        let end = self.tools.clock.now().boot.after(PATIENCE);
        for line in lines {
            let left = end.since(self.tools.clock.now().boot);
            if line.gone.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                let name = printable(&line.receiver.name);
                warn!("{name} does not take its notices in time; pm leaves, and those that wait are lost");
            }
        }
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Herald for Office {
    fn tell(&self, happened: Happened) {
        let lines = self.lines();
        if lines.is_empty() {
            return;
        }
        let now = self.tools.clock.now();
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let id = format!("{}-{}-{number}", self.tools.host, now.wall.0);
        let Some(item) = Item::of(happened, now, id) else { return };
        for line in lines.iter().filter(|line| item.concerns(&line.receiver)) {
            line.shared.desk().take(item.clone(), now.boot);
            line.shared.bell.notify_one();
        }
    }
}

impl Line {
    fn start(receiver: Receiver, tools: &Arc<Tools>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { desk: Mutex::new(Desk::of(&receiver)), bell: Condvar::new() });
        let (going, gone) = mpsc::channel();
        let receiver = Arc::new(receiver);
        let work = Work { receiver: receiver.clone(), shared: shared.clone(), tools: tools.clone() };
        std::thread::Builder::new().name("pm-notify".to_owned()).spawn(move || {
            work.run();
            drop(going);
        })?;
        Ok(Self { receiver, shared, gone })
    }

    fn leave(&self) {
        self.shared.desk().leave();
        self.shared.bell.notify_one();
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the thread of a receiver works with.
struct Work {
    receiver: Arc<Receiver>,
    shared: Arc<Shared>,
    tools: Arc<Tools>,
}

impl Work {
    fn run(&self) {
        let mut desk = self.shared.desk();
        loop {
            let now = self.tools.clock.now();
            let step = desk.step(now);
            self.say(&desk.words(), None);
            desk = match step {
                Step::Send(item) => {
                    drop(desk);
                    self.send(&item)
                }
                Step::Wait(until) => {
                    let waited = self.shared.bell.wait_timeout(desk, until.since(now.boot));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                Step::Rest => self.shared.bell.wait(desk).unwrap_or_else(PoisonError::into_inner),
                Step::Leave(lost) => {
                    if lost > 0 {
                        warn!("{}: not delivered and lost: {lost}", self.name());
                    }
                    return;
                }
            };
        }
    }

    fn send(&self, item: &Item) -> MutexGuard<'_, Desk> {
        let result = send(&self.receiver, item, &self.tools);
        let ended = match &result {
            Ok(()) => Ended::Delivered,
            Err(error) if matches!(error.kind, ErrorKind::Config | ErrorKind::Permission) => Ended::Refused,
            Err(_) => Ended::Failed,
        };
        match &result {
            Ok(()) => debug!("{} was told of {} {}", self.name(), item.kind.word(), printable(&item.subject)),
            Err(error) => debug!("{} was not told of {}: {error}", self.name(), item.kind.word()),
        }
        let mut desk = self.shared.desk();
        desk.ended(ended, self.tools.clock.now().boot);
        self.say(&desk.words(), result.err().as_ref());
        desk
    }

    fn say(&self, words: &[Word], error: Option<&Error>) {
        let name = self.name();
        let why = error.map_or_else(String::new, |error| format!(": {}", printable(&error.message)));
        for word in words {
            match word {
                Word::Fails => warn!(
                    "{name} could not be told{why}. It is tried again for {}",
                    lasting(self.receiver.retry_for)
                ),
                Word::Broken => {
                    warn!("{name} cannot be told again and again{why}. It is tried once a minute now");
                }
                Word::Works => info!("{name} can be told again"),
                Word::GivenUp(kind) => warn!("{name} is not told of {}{why}", kind.word()),
                Word::Full => {
                    warn!("{name} takes notices slower than they come; the least urgent are dropped");
                }
            }
        }
    }

    fn name(&self) -> String {
        format!("[notify.{}]", printable(&self.receiver.name))
    }
}

#[cfg(test)]
mod tests;

//! A library loaded into this process.
//!
//! Everything that runs code of the library (loading, making a part, calling it, dropping it) runs on a thread of
//! the pool, so the caller's time limit always holds. What it cannot do is end a call that hangs: the thread is
//! lost, and after [`MOST_LOST`] of them the library gets no new calls until one comes back. Looks before a restart are
//! counted by themselves, so that they never stand in the way of a restart. An abort, an `exit` or a wild write of the
//! library is one of this process.

use super::EVIDENCE;
use super::backend::{Backend, Call, Report, Standing};
use super::claim::Part;
use super::examine::{Examined, unchanged};
use super::instances::Key;
use super::load;
use super::log;
use super::parts::Parts;
use super::pin;
use super::pool::{Answer, Lost, NoAnswer, Pool};
use super::refusal::{Maker, Reason, Refusal};
use super::tally::{Answered, Tally};
use crate::clock::Stopwatch;
use crate::ports::Heard;
use pm_plugin_api::settings::Texts;
use pm_plugin_api::{Error, ErrorKind};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

/// With this many calls that never came back a library is beyond hope, and more threads would only be lost as well.
const MOST_LOST: usize = 4;

/// The library and its parts.
pub(super) struct InProcess {
    library: Arc<Library>,
    pool: Arc<Pool>,
    lost: Arc<Lost>,
    /// Calls for evidence that never came back.
    lost_looks: Arc<Lost>,
    tally: Mutex<Tally>,
}

struct Library {
    /// The name of the plugin, for the log.
    plugin: Arc<str>,
    maker: Maker,
    file: PathBuf,
    /// What was checked, until it is loaded.
    checked: Mutex<Option<Examined>>,
    parts: OnceLock<Result<Parts, Reason>>,
}

impl InProcess {
    /// Takes charge of a checked library; loads nothing.
    pub(super) fn new(file: PathBuf, checked: Examined, pool: &Arc<Pool>) -> Self {
        let maker = Maker::of(&checked.manifest);
        Self {
            library: Arc::new(Library {
                plugin: maker.name.as_str().into(),
                maker,
                file,
                checked: Mutex::new(Some(checked)),
                parts: OnceLock::new(),
            }),
            pool: Arc::clone(pool),
            lost: Arc::default(),
            lost_looks: Arc::default(),
            tally: Mutex::default(),
        }
    }

    fn explain(&self, call: &Call<'_>, none: &NoAnswer) -> Error {
        let Call { op, subject, timeout, .. } = call;
        let plugin = &self.library.maker.name;
        match none {
            NoAnswer::Late => Error::timeout(format!(
                "plugin \"{plugin}\": {op} of \"{subject}\" gave no answer within {}",
                in_words(*timeout)
            )),
            NoAnswer::Died => Error::new(
                ErrorKind::Interrupted,
                format!(
                    "plugin \"{plugin}\": {op} of \"{subject}\" was cut off by a mistake in pm; report it"
                ),
            ),
            NoAnswer::NoThread(error) => Error::unavailable(format!(
                "plugin \"{plugin}\": no thread for {op} of \"{subject}\": {error}; raise the limit of threads"
            )),
        }
    }
}

impl Backend for InProcess {
    fn call(&self, call: &Call<'_>) -> Result<Vec<u8>, Error> {
        let losses = if call.op == EVIDENCE { &self.lost_looks } else { &self.lost };
        let lost = losses.count();
        if lost >= MOST_LOST {
            return Err(Error::unavailable(format!(
                "plugin \"{}\": {lost} calls never came back, so it gets no new ones until one does; restart pm \
                 if none ever does",
                self.library.maker.name
            )));
        }
        let library = Arc::clone(&self.library);
        let key = Key { kind: call.kind.into(), name: call.name.into(), settings: call.settings.clone() };
        let (op, body, span) = (call.op.to_owned(), call.body.to_vec(), tracing::Span::current());
        let heard = call.heard.cloned();
        let work = move || span.in_scope(|| library.run(key, &op, &body, heard));
        let watch = Stopwatch::start();
        let (answer, answered) = match self.pool.run(call.timeout, losses, work) {
            Ok(answer) => (answer, Answered::Yes),
            Err(none) => (Err(self.explain(call, &none)), Answered::No),
        };
        self.tally.lock().unwrap_or_else(PoisonError::into_inner).add(watch.elapsed(), answered);
        answer
    }

    fn load(&self, timeout: Duration) -> Result<(), Error> {
        let library = Arc::clone(&self.library);
        let work = move || {
            log::speaking(&library.plugin, None, || library.parts.get_or_init(|| library.load()));
            Ok(Vec::new())
        };
        let call = Call {
            kind: "",
            name: "",
            settings: &Texts::new(),
            op: "loading",
            subject: &self.library.file.to_string_lossy(),
            body: &[],
            timeout,
            heard: None,
        };
        match self.pool.run(timeout, &self.lost, work) {
            Ok(_) => Ok(()),
            Err(none) => Err(self.explain(&call, &none)),
        }
    }

    fn standing(&self) -> Standing {
        match self.library.parts.get() {
            None => Standing::Idle,
            Some(Ok(_)) => Standing::Loaded,
            Some(Err(reason)) => Standing::Refused(reason.clone()),
        }
    }

    fn report(&self) -> Report {
        Report::of(&self.tally.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What runs in this process is never replaced.
    fn used(&self) -> BTreeSet<Part> {
        BTreeSet::new()
    }

    fn checksum(&self) -> Option<String> {
        let checked = self.library.checked.lock().unwrap_or_else(PoisonError::into_inner);
        checked.as_ref().and_then(|checked| pin::sum(&checked.file).ok())
    }

    /// What is loaded into this process stays in it.
    fn retire(&self) {}

    fn pardon(&self) {}
}

impl Library {
    /// Loads, makes, calls; on a thread of the pool.
    fn run(&self, key: Key, op: &str, body: &[u8], heard: Option<Heard>) -> Answer {
        log::speaking(&self.plugin, heard, || {
            let parts = self.parts.get_or_init(|| self.load()).as_ref().map_err(|reason| {
                Error::unavailable(Refusal { file: self.file.clone(), reason: reason.clone() }.to_string())
            })?;
            parts.run(key, op, body)
        })
    }

    fn load(&self) -> Result<Parts, Reason> {
        let taken = self.checked.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Only the first caller gets here, and the descriptor is there for it.
        let Examined { file, print, .. } = taken.ok_or(Reason::Overwritten)?;
        unchanged(&file, &print)?;
        let root = load::load(file, &self.maker)?;
        tracing::debug!(target: "plugin", plugin = %self.plugin, file = %self.file.display(), "loaded");
        Ok(Parts::new(Arc::clone(&self.plugin), root))
    }
}

pub(super) fn in_words(duration: Duration) -> String {
    match duration.as_millis() {
        whole if whole % 1000 == 0 => format!("{} s", whole / 1000),
        millis if millis < 1000 => format!("{millis} ms"),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

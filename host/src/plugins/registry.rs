//! The libraries of the plugin directory and what has become of each; finds the one that offers a part.
//!
//! Scanning reads manifests and runs no code of any library; a library is loaded when its first part is used. One
//! broken library is refused with its reason and never stops the others. What is loaded stays as it is: a file
//! that replaces it is reported and used by the next start of pm.

use super::backend::{Backend, Report, Standing};
use super::directory::{Directory, Print, print_of};
use super::examine::{Examined, Rejected, examine};
use super::in_process::InProcess;
use super::pool::Pool;
use super::refusal::{DirectoryRefusal, Reason, Refusal};
use super::rules::{Isolation, Rules};
use super::trust::Us;
use super::worker::{Shared, Worker};
use crate::clock::{Stop, SystemClock};
use pm_plugin_api::manifest::{Manifest, Offer};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

/// The known libraries.
pub struct Registry {
    directory: PathBuf,
    /// The only file that is looked at, when it is about one.
    only: Option<OsString>,
    rules: Rules,
    us: Us,
    pool: Arc<Pool>,
    shared: Shared,
    contents: RwLock<Contents>,
}

/// What was found at the last scan.
#[derive(Default)]
pub(super) struct Contents {
    print: Option<Print>,
    pub(super) refusal: Option<DirectoryRefusal>,
    pub(super) slots: Vec<Slot>,
    /// Kind and name of each part, and the slot that provides it.
    parts: BTreeMap<(String, String), usize>,
}

/// One library.
pub(super) struct Slot {
    pub(super) file: PathBuf,
    print: Option<Print>,
    pub(super) manifest: Option<Manifest>,
    pub(super) is: Is,
}

/// What has become of a library.
pub(super) enum Is {
    Refused(Reason),
    Usable(Arc<dyn Backend>),
    /// Loaded, and its file is another one now.
    Outlived(Arc<dyn Backend>, OnDisk),
}

/// What stands in the directory in place of a library that is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnDisk {
    /// Another file, with this version.
    Version(String),
    /// Another file, which is refused.
    Refused(Reason),
    /// Nothing.
    Gone,
}

/// The state of a library, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It will be loaded when one of its parts is needed.
    Ready,
    /// It is loaded.
    Loaded,
    /// It is loaded and serves, but its file is another one now; restart pm to use that.
    Outlived(OnDisk),
    /// It is not used.
    Refused(Reason),
}

/// One library, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The file.
    pub file: PathBuf,
    /// What it says of itself; none when it was refused before that could be read.
    pub manifest: Option<Manifest>,
    /// What has become of it.
    pub state: State,
    /// How it runs; none when it is not used.
    pub report: Option<Report>,
}

impl Registry {
    /// Looks through `directory`. A directory that cannot be used makes a registry without libraries that knows
    /// [why](Self::refusal).
    pub fn scan(directory: &Path, rules: Rules) -> Self {
        Self::of(directory.to_owned(), None, rules)
    }

    /// Looks at one library only, wherever it lies; what it must fulfil is the same.
    pub fn of_file(file: &Path, rules: Rules) -> Self {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let directory = file.parent().unwrap_or(Path::new("/")).to_owned();
        Self::of(directory, file.file_name().map(OsStr::to_owned), rules)
    }

    fn of(directory: PathBuf, only: Option<OsString>, rules: Rules) -> Self {
        let shared = Shared {
            program: rules.program.clone(),
            clock: Arc::new(SystemClock::new(Stop::new())),
            alarmed: Arc::default(),
        };
        let (pool, contents) = (Arc::default(), RwLock::default());
        let registry = Self { directory, only, rules, us: Us::now(), pool, shared, contents };
        registry.rescan();
        registry
    }

    /// The directory that is looked through.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Why no library of the directory is used, if it is so.
    pub fn refusal(&self) -> Option<DirectoryRefusal> {
        self.contents().refusal.clone()
    }

    /// All libraries, in the order of their names; those that are loaded and whose file is gone at the end.
    pub fn entries(&self) -> Vec<Entry> {
        let entry = |slot: &Slot| Entry {
            file: slot.file.clone(),
            manifest: slot.manifest.clone(),
            state: slot.state(),
            report: slot.backend().map(|backend| backend.report()),
        };
        self.contents().slots.iter().map(entry).collect()
    }

    /// The parts that can be used, for the check of a configuration.
    pub fn offers(&self) -> Vec<Offer> {
        let contents = self.contents();
        let usable = contents.slots.iter().filter(|slot| slot.refusal().is_none());
        usable
            .filter_map(|slot| slot.manifest.as_ref())
            .flat_map(|manifest| manifest.offers.clone())
            .collect()
    }

    /// The libraries that are not used, with the reasons.
    pub fn refused(&self) -> Vec<Refusal> {
        self.contents().slots.iter().filter_map(Slot::refusal).collect()
    }

    /// Loads every library that is not refused, and leaves it loaded; what came of each is in
    /// [`entries`](Self::entries). Answers what did not come back within `timeout`.
    pub fn load_all(&self, timeout: Duration) -> Vec<String> {
        let backend = |slot: &Slot| match &slot.is {
            Is::Usable(backend) => Some(Arc::clone(backend)),
            Is::Refused(_) | Is::Outlived(..) => None,
        };
        let backends: Vec<_> = self.contents().slots.iter().filter_map(backend).collect();
        backends
            .iter()
            .filter_map(|backend| backend.load(timeout).err())
            .map(|error| error.to_string())
            .collect()
    }

    /// Looks again when something has changed in the directory, or a file that was refused has changed; otherwise
    /// costs one or two system calls. Answers whether there is something new to tell.
    pub fn rescan_if_changed(&self) -> bool {
        let suspicious = {
            let contents = self.contents();
            let mut refused = contents.slots.iter().filter(|slot| slot.refusal().is_some());
            // The reason why a directory is refused may lie above it.
            contents.refusal.is_some()
                || print_of(&self.directory) != contents.print
                || refused.any(|slot| print_of(&slot.file) != slot.print)
        };
        if !suspicious {
            return false;
        }
        let before = (self.refusal(), self.entries());
        self.rescan();
        before != (self.refusal(), self.entries())
    }

    /// Looks through the directory again. What is loaded stays loaded.
    pub fn rescan(&self) {
        let mut contents = self.contents.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *contents);
        *contents = self.look(before);
    }

    /// What runs the part `name` of kind `kind`. None when no library provides it, and also when looking again could
    /// change the answer: the file was written to before it was loaded, or could not be loaded.
    pub(super) fn backend(&self, kind: &str, name: &str) -> Option<Arc<dyn Backend>> {
        let contents = self.contents();
        let slot = contents.slots.get(*contents.parts.get(&(kind.to_owned(), name.to_owned()))?)?;
        let (Is::Usable(backend) | Is::Outlived(backend, _)) = &slot.is else { return None };
        let good = match backend.standing() {
            Standing::Loaded => true,
            Standing::Idle => print_of(&slot.file) == slot.print,
            Standing::Refused(_) => false,
        };
        good.then(|| Arc::clone(backend))
    }

    pub(super) fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, before: Contents) -> Contents {
        // Taken before anything is opened: what changes while we look makes the next look happen.
        let print = print_of(&self.directory);
        let usable = before.slots.into_iter().filter(|slot| slot.refusal().is_none());
        let mut known = usable.map(|slot| (slot.file.clone(), slot)).collect();
        let (mut slots, refusal) = match self.slots(&mut known) {
            Ok(slots) => (slots, None),
            Err(refusal) => (Vec::new(), Some(refusal)),
        };
        let gone = known.into_values().filter(Slot::is_loaded);
        slots.extend(gone.map(|slot| slot.outlived(OnDisk::Gone)));
        let parts = claim(&mut slots);
        Contents { print, refusal, slots, parts }
    }

    /// The slots of the directory as it is now; takes out of `known` those that live on.
    fn slots(&self, known: &mut BTreeMap<PathBuf, Slot>) -> Result<Vec<Slot>, DirectoryRefusal> {
        let directory = Directory::open(&self.directory, self.us)?;
        let mut seen = BTreeSet::new();
        let mut slots = Vec::new();
        let names = match &self.only {
            Some(name) => vec![name.clone()],
            None => directory.libraries()?,
        };
        for name in names {
            let file = directory.path.join(&name);
            let examined = examine(&directory, &name, self.us);
            let print = match &examined {
                Ok(Examined { print, .. }) => Some(*print),
                Err(rejected) => rejected.print,
            };
            // Two names of one file are one plugin; loading it twice would only confuse it.
            if print.is_some_and(|print| !seen.insert(print.identity())) {
                tracing::debug!(file = %file.display(), "another name of a plugin that is already known");
                continue;
            }
            let slot = match (known.remove(&file), examined) {
                (Some(slot), Ok(new)) if slot.is_loaded() => slot.beside(&new),
                (Some(slot), Err(rejected)) if slot.is_loaded() => {
                    slot.outlived(OnDisk::Refused(rejected.reason))
                }
                // One that is being loaded at this moment has to stay the same.
                (Some(slot), Ok(new)) if slot.print == Some(new.print) => slot,
                (_, Ok(new)) => self.usable(file, new),
                (_, Err(rejected)) => {
                    let Rejected { print, manifest, reason } = *rejected;
                    Slot { file, print, manifest, is: Is::Refused(reason) }
                }
            };
            slots.push(slot);
        }
        Ok(slots)
    }

    fn usable(&self, file: PathBuf, new: Examined) -> Slot {
        let (print, manifest) = (Some(new.print), Some(new.manifest.clone()));
        let backend = self.backend_for(file.clone(), new);
        Slot { file, print, manifest, is: Is::Usable(backend) }
    }
}

impl Registry {
    /// What runs a library, by its rule.
    fn backend_for(&self, file: PathBuf, new: Examined) -> Arc<dyn Backend> {
        let rule = self.rules.of(&new.manifest.name).clone();
        match rule.isolation {
            Isolation::Worker => Arc::new(Worker::new(file, new, rule, self.shared.clone())),
            Isolation::InProcess => Arc::new(InProcess::new(file, new, &self.pool)),
        }
    }
}

impl Slot {
    fn state(&self) -> State {
        match &self.is {
            Is::Refused(reason) => State::Refused(reason.clone()),
            Is::Outlived(_, on_disk) => State::Outlived(on_disk.clone()),
            Is::Usable(backend) => match backend.standing() {
                Standing::Idle => State::Ready,
                Standing::Loaded => State::Loaded,
                Standing::Refused(reason) => State::Refused(reason),
            },
        }
    }

    fn backend(&self) -> Option<&Arc<dyn Backend>> {
        match &self.is {
            Is::Usable(backend) | Is::Outlived(backend, _) => Some(backend),
            Is::Refused(_) => None,
        }
    }

    fn is_loaded(&self) -> bool {
        matches!(self.state(), State::Loaded | State::Outlived(_))
    }

    /// Why it is not used, if it is so.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self.state() {
            State::Refused(reason) => Some(Refusal { file: self.file.clone(), reason }),
            _ => None,
        }
    }

    /// The slot of a loaded library, now that `new` stands under its name.
    fn beside(self, new: &Examined) -> Self {
        if self.print.is_some_and(|print| print.same_content(&new.print)) {
            return match self.is {
                Is::Outlived(backend, _) => Self { is: Is::Usable(backend), ..self },
                is => Self { is, ..self },
            };
        }
        self.outlived(OnDisk::Version(new.manifest.version.clone()))
    }

    fn outlived(self, on_disk: OnDisk) -> Self {
        match self.is {
            Is::Usable(backend) | Is::Outlived(backend, _) => {
                Self { is: Is::Outlived(backend, on_disk), ..self }
            }
            is @ Is::Refused(_) => Self { is, ..self },
        }
    }
}

/// Gives each part to one library: first to those that are loaded, then in the order of the names. A library that
/// offers a part of another one is refused.
fn claim(slots: &mut [Slot]) -> BTreeMap<(String, String), usize> {
    let mut parts = BTreeMap::<_, usize>::new();
    let (loaded, others): (Vec<_>, Vec<_>) = (0..slots.len()).partition(|at| slots[*at].is_loaded());
    for at in loaded.into_iter().chain(others) {
        if matches!(slots[at].is, Is::Refused(_)) {
            continue;
        }
        let offers: Vec<_> = slots[at]
            .manifest
            .iter()
            .flat_map(|manifest| &manifest.offers)
            .map(|offer| (offer.kind.clone(), offer.name.clone()))
            .collect();
        match offers.iter().find_map(|offer| Some((offer, *parts.get(offer)?))) {
            Some(((kind, name), other)) => {
                let other = slots[other].file.clone();
                slots[at].is =
                    Is::Refused(Reason::Duplicate { kind: kind.clone(), name: name.clone(), other });
            }
            None => parts.extend(offers.into_iter().map(|offer| (offer, at))),
        }
    }
    parts
}

//! The libraries of the plugin directory and what has become of each; finds the one that offers a part.
//!
//! Scanning reads manifests and runs no code of any library; a library is loaded when its first part is used. One
//! broken library is refused with its reason and never stops the others. A file that replaces one which is in use is
//! tried in a worker of its own first (`replace.rs`); in this process it is reported and used by the next start of pm.

use super::backend::{Backend, Standing};
use super::claim::claimed;
use super::directory::{Directory, print_of};
use super::examine::{Examined, Rejected, examine};
use super::in_process::InProcess;
use super::pin;
use super::pool::Pool;
use super::refusal::{DirectoryRefusal, Refusal};
use super::replace::Newcomer;
use super::rules::{Isolation, NOBODY, Rules};
use super::shelf::Shelf;
use super::slots::{Contents, Entry, Is, OnDisk, Slot};
use super::trust::Us;
use super::worker::{Alarmed, Shared, Worker};
use crate::clock::{Stop, SystemClock};
use pm_plugin_api::manifest::Offer;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLockReadGuard};
use std::time::Duration;

/// The known libraries.
pub struct Registry {
    directory: PathBuf,
    /// The only file that is looked at, when it is about one.
    only: Option<OsString>,
    us: Us,
    pool: Arc<Pool>,
    shared: Shared,
    pub(super) shelf: Arc<Shelf>,
    /// The state of the shelf that was last told.
    told: AtomicU64,
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
        let (pool, shelf, told) = (Arc::default(), Arc::new(Shelf::new(rules)), AtomicU64::default());
        let registry = Self { directory, only, us: Us::now(), pool, shared, shelf, told };
        registry.rescan();
        registry.told.store(registry.shelf.version(), Ordering::Release);
        registry
    }

    pub(super) fn us(&self) -> Us {
        self.us
    }

    pub(super) fn on_alarm(&self, alarmed: Alarmed) {
        // The daemon says it once.
        let _ = self.shared.alarmed.set(alarmed);
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
        let contents = self.contents();
        let entry = |(at, slot): (usize, &Slot)| Entry {
            overridden: contents.overridden(at, slot),
            file: slot.file.clone(),
            manifest: slot.manifest.clone(),
            state: slot.state(),
            report: slot.backend().map(|backend| backend.report()),
        };
        contents.slots.iter().enumerate().map(entry).collect()
    }

    /// The SHA-256 sum of each library that is used, by its file; they are read for this.
    pub fn checksums(&self) -> BTreeMap<PathBuf, String> {
        let backend = |slot: &Slot| Some((slot.file.clone(), Arc::clone(slot.backend()?)));
        let backends: Vec<_> = self.contents().slots.iter().filter_map(backend).collect();
        let sum = |(file, backend): (PathBuf, Arc<dyn Backend>)| Some((file, backend.checksum()?));
        backends.into_iter().filter_map(sum).collect()
    }

    /// The parts that can be used, for the check of a configuration.
    pub fn offers(&self) -> Vec<Offer> {
        let contents = self.contents();
        let offers = |(at, slot): (usize, &Slot)| {
            let manifest = slot.manifest.as_ref().filter(|_| slot.refusal().is_none());
            let mut offers = manifest.map(|manifest| manifest.offers.clone()).unwrap_or_default();
            let overridden = contents.overridden(at, slot);
            offers.retain(|offer| !overridden.contains_key(&(offer.kind.clone(), offer.name.clone())));
            offers
        };
        contents.slots.iter().enumerate().flat_map(offers).collect()
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

    /// Loads the libraries that pm must not run without. Answers why which of them cannot be.
    pub fn load_required(&self, timeout: Duration) -> Vec<String> {
        let rules = self.shelf.rules();
        let is_required =
            |slot: &&Slot| slot.manifest.as_ref().is_some_and(|manifest| rules.of(&manifest.name).required);
        let backends: Vec<_> = {
            let contents = self.contents();
            let required = contents.slots.iter().filter(is_required);
            required.filter_map(|slot| Some((slot.file.clone(), Arc::clone(slot.backend()?)))).collect()
        };
        let broken = |(file, backend): (PathBuf, Arc<dyn Backend>)| match (
            backend.load(timeout),
            backend.standing(),
        ) {
            (Err(error), _) => Some(error.message),
            (Ok(()), Standing::Refused(reason)) => Some(Refusal { file, reason }.to_string()),
            (Ok(()), _) => None,
        };
        backends.into_iter().filter_map(broken).collect()
    }

    /// Looks again when something has changed in the directory or a file of it; otherwise costs a system call for each
    /// of them. Answers whether there is something new to tell since it was last asked.
    pub fn rescan_if_changed(&self) -> bool {
        let suspicious = {
            let contents = self.contents();
            // The reason why a directory is refused may lie above it; a file that is overwritten does not change it.
            contents.refusal.is_some()
                || print_of(&self.directory) != contents.print
                || contents.slots.iter().any(|slot| slot.is_stale(print_of(&slot.file)))
        };
        if suspicious {
            self.rescan();
        }
        let version = self.shelf.version();
        self.told.swap(version, Ordering::AcqRel) != version
    }

    /// Looks through the directory again. What is in use stays in use until what replaces it has proved itself, which
    /// is found out beside.
    pub fn rescan(&self) {
        let newcomers = self.look();
        if !newcomers.is_empty() {
            Newcomer::try_beside(newcomers, &self.shelf);
        }
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
        self.shelf.read()
    }

    /// Looks; answers what has to be tried before it may take the place of what is in use.
    fn look(&self) -> Vec<Newcomer> {
        self.shelf.change(|before| {
            // Taken before anything is opened: what changes while we look makes the next look happen.
            let print = print_of(&self.directory);
            // A file that was damaged still is the plugin that it was, for messages.
            let said = |slot: &Slot| Some((slot.file.clone(), slot.manifest.clone()?));
            let said: BTreeMap<_, _> = before.slots.iter().filter_map(said).collect();
            let usable = before.slots.into_iter().filter(|slot| slot.refusal().is_none());
            let mut known = usable.map(|slot| (slot.file.clone(), slot)).collect();
            let mut newcomers = Vec::new();
            let (mut slots, refusal) = match self.slots(&mut known, &mut newcomers) {
                Ok(slots) => (slots, None),
                Err(refusal) => (Vec::new(), Some(refusal)),
            };
            let gone = known.into_values().filter(Slot::is_loaded);
            slots.extend(gone.map(|slot| slot.outlived(OnDisk::Gone)));
            for slot in slots.iter_mut().filter(|slot| slot.manifest.is_none()) {
                slot.manifest = said.get(&slot.file).cloned();
            }
            let parts = claimed(&mut slots, &self.shelf.rules());
            (Contents { print, refusal, slots, parts }, newcomers)
        })
    }

    /// The slots of the directory as it is now; takes out of `known` those that live on.
    fn slots(
        &self,
        known: &mut BTreeMap<PathBuf, Slot>,
        newcomers: &mut Vec<Newcomer>,
    ) -> Result<Vec<Slot>, DirectoryRefusal> {
        let directory = Directory::open(&self.directory, self.us)?;
        let mut seen = BTreeSet::new();
        let mut slots = Vec::new();
        let names = match &self.only {
            Some(name) => vec![name.clone()],
            None => directory.libraries()?,
        };
        for name in names {
            let file = directory.path.join(&name);
            let as_before =
                |new: &Examined| known.get(&file).is_some_and(|slot| slot.print == Some(new.print));
            let examined = examine(&directory, &name, self.us)
                .and_then(|new| if as_before(&new) { Ok(new) } else { pin::hold(new, &self.shelf.rules()) });
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
                (Some(slot), Ok(new)) if slot.is_loaded() && slot.is_of(&new.print) => slot.at_home(),
                (Some(slot), Ok(new)) if slot.is_loaded() => self.beside(slot, new, newcomers),
                (Some(slot), Err(rejected)) if slot.is_loaded() => slot.keep_in_use(*rejected),
                // One that is being loaded at this moment has to stay the same.
                (Some(slot), Ok(new)) if slot.print == Some(new.print) => slot,
                (_, Ok(new)) => self.usable(file, new),
                (_, Err(rejected)) => {
                    let Rejected { print, manifest, reason } = *rejected;
                    Slot { file, print, manifest, tried: None, is: Is::Refused(reason) }
                }
            };
            slots.push(slot);
        }
        Ok(slots)
    }

    fn usable(&self, file: PathBuf, new: Examined) -> Slot {
        let (print, manifest) = (Some(new.print), Some(new.manifest.clone()));
        let backend = self.backend_for(file.clone(), new);
        Slot { file, print, manifest, tried: None, is: Is::Usable(backend) }
    }

    /// The slot of a library in use, now that `new` stands under its name.
    fn beside(&self, slot: Slot, new: Examined, newcomers: &mut Vec<Newcomer>) -> Slot {
        let replaceable = self.shelf.rules().of(&new.manifest.name).isolation == Isolation::Worker
            && slot.runs_in_a_worker();
        let version = new.manifest.version.clone();
        if slot.tried == Some(new.print) {
            return slot;
        }
        let tried = Some(new.print);
        if replaceable && let Some(old) = slot.backend().map(Arc::clone) {
            newcomers.push(Newcomer::new(&slot, old, new, |new| self.backend_for(slot.file.clone(), new)));
        }
        Slot { tried, ..slot.outlived(OnDisk::Version(version)) }
    }
}

impl Registry {
    /// What runs a library, by its rule.
    pub(super) fn backend_for(&self, file: PathBuf, new: Examined) -> Arc<dyn Backend> {
        let mut rule = self.shelf.rules().of(&new.manifest.name).clone();
        if rule.user.is_none() && self.us.uid == 0 && new.needs_no_rights() {
            (rule.user, rule.no_new_privs) = (Some(NOBODY.to_owned()), true);
        }
        match rule.isolation {
            Isolation::Worker => Arc::new(Worker::new(file, new, rule, self.shared.clone())),
            Isolation::InProcess => Arc::new(InProcess::new(file, new, &self.pool)),
        }
    }
}

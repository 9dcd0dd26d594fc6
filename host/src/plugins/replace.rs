//! Puts a new file of a library in the place of the one that is in use, without losing a call.
//!
//! The new one is tried first, in a worker of its own: whatever is wrong with it, the old one goes on and the reason is
//! said. When it has loaded, new calls go to it, and the old worker leaves when it has answered those that it has. What
//! was tried and is worse is not tried again until the file is another one.

use super::STRATEGY;
use super::backend::{Backend, Standing};
use super::claim::{Part, claimed};
use super::directory::{Directory, Print};
use super::examine::{Examined, examine};
use super::in_process::in_words;
use super::pin;
use super::refusal::{Reason, Refusal};
use super::registry::Registry;
use super::shelf::Shelf;
use super::slots::{Contents, Is, OnDisk, Slot};
use crate::clock::Stopwatch;
use pm_plugin_api::manifest::Manifest;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};

/// How long a new library may take to load; a little more than its worker is given.
const PATIENCE: Duration = Duration::from_secs(6);

/// Who wants a library to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// pm, because there is another file.
    Pm,
    /// An operator.
    Operator,
}

/// A file that stands in the place of one that is in use.
pub(super) struct Newcomer {
    file: PathBuf,
    print: Print,
    manifest: Manifest,
    old: Arc<dyn Backend>,
    old_version: String,
    new: Arc<dyn Backend>,
}

impl Newcomer {
    /// `examined` stands where `slot` has its file.
    pub(super) fn new(
        slot: &Slot,
        old: Arc<dyn Backend>,
        examined: Examined,
        backend: impl FnOnce(Examined) -> Arc<dyn Backend>,
    ) -> Self {
        let version = slot.manifest.as_ref().map(|manifest| manifest.version.clone());
        Self {
            file: slot.file.clone(),
            print: examined.print,
            manifest: examined.manifest.clone(),
            old,
            old_version: version.unwrap_or_default(),
            new: backend(examined),
        }
    }

    /// Tries them on a thread of its own: one that hangs must not keep the caller waiting.
    pub(super) fn try_beside(newcomers: Vec<Self>, shelf: &Arc<Shelf>) {
        let shelf = Arc::clone(shelf);
        let beside = std::thread::Builder::new().name("pm-replace".to_owned()).spawn(move || {
            for newcomer in newcomers {
                let name = newcomer.manifest.name.clone();
                match newcomer.take_over(&shelf, Wish::Pm) {
                    Ok(done) => info!("plugin \"{name}\" {done}"),
                    Err(why) => warn!("{why}. The one that is in use stays"),
                }
            }
        });
        if let Err(error) = beside {
            warn!(
                "a new plugin is not tried: no thread for it: {error}; it is tried again with the next change"
            );
        }
    }

    /// A part that was in use and that the new one does not offer. An operator who says `reload` wants that.
    fn missing(&self, whose: Wish) -> Option<Part> {
        let offers = |part: &Part| {
            self.manifest.offers.iter().any(|offer| offer.kind == part.0 && offer.name == part.1)
        };
        self.old.used().into_iter().find(|part| whose == Wish::Pm && !offers(part))
    }

    /// Loads the new one and lets it take over. What was done, or why the old one stays.
    pub(super) fn take_over(self, shelf: &Shelf, whose: Wish) -> Result<String, String> {
        let watch = Stopwatch::start();
        let loaded = self.new.load(PATIENCE).map_err(|error| error.message);
        let took = watch.elapsed();
        let refusal = match (loaded, self.new.standing()) {
            (Err(why), _) => {
                let maker = super::refusal::Maker::of(&self.manifest);
                Some(Reason::Worker { maker, why: format!("could not be tried: {why}") })
            }
            (Ok(()), Standing::Refused(reason)) => Some(reason),
            (Ok(()), _) => self.missing(whose).map(|(kind, name)| Reason::Lacks { kind, name }),
        };
        let Self { file, print, manifest, old, old_version, new } = self;
        let (version, told) = (manifest.version.clone(), refusal.clone());
        let strategies: Vec<_> = manifest.offers.iter().filter(|offer| offer.kind == STRATEGY).collect();
        let strategies: Vec<_> = strategies.into_iter().map(|offer| offer.name.clone()).collect();
        let placed = shelf.change(|mut contents: Contents| {
            let slot = contents.slots.iter_mut().find(|slot| {
                slot.file == file && slot.backend().is_some_and(|backend| Arc::ptr_eq(backend, &old))
            });
            let Some(slot) = slot else { return (contents, false) };
            match refusal {
                Some(reason) => {
                    slot.is = Is::Outlived(Arc::clone(&old), OnDisk::Refused(reason));
                    slot.tried = Some(print);
                }
                None => {
                    slot.is = Is::Usable(new);
                    slot.print = Some(print);
                    slot.manifest = Some(manifest);
                    slot.tried = None;
                }
            }
            contents.parts = claimed(&mut contents.slots, &shelf.rules());
            (contents, true)
        });
        match told {
            Some(reason) => Err(Refusal { file, reason }.to_string()),
            None if !placed => Err(format!("plugin {}: it was replaced again meanwhile", file.display())),
            None => {
                old.retire();
                shelf.mended(strategies);
                let took = in_words(Duration::from_millis(took.as_millis().max(1) as u64));
                Ok(if version == old_version {
                    format!("{version} was put in place of {version}, in {took}")
                } else {
                    format!("{version} was put in place of {old_version}, in {took}")
                })
            }
        }
    }
}

impl Registry {
    /// Starts a library anew, from the file that stands there now: the one in use goes on when that fails. What was
    /// done, in words.
    ///
    /// # Errors
    /// Why it was not done.
    pub fn reload(&self, name: &str) -> Result<String, String> {
        self.rescan();
        let (slot_file, old) = self.in_use(name)?;
        old.pardon();
        if old.report().worker.is_none() {
            return Err(format!(
                "plugin \"{name}\" runs in pm's own process, where no library can be replaced; restart pm"
            ));
        }
        let file_name = slot_file.file_name().unwrap_or_default().to_owned();
        let directory =
            Directory::open(self.directory(), self.us()).map_err(|refusal| refusal.to_string())?;
        let examined = examine(&directory, &file_name, self.us())
            .and_then(|examined| pin::hold(examined, &self.shelf.rules()))
            .map_err(|rejected| Refusal { file: slot_file.clone(), reason: rejected.reason }.to_string())?;
        let newcomer = {
            let contents = self.contents();
            let slot = contents.slots.iter().find(|slot| slot.file == slot_file);
            let slot = slot.ok_or_else(|| format!("plugin {} is gone", slot_file.display()))?;
            Newcomer::new(slot, old, examined, |new| self.backend_for(slot_file.clone(), new))
        };
        newcomer.take_over(&self.shelf, Wish::Operator)
    }

    /// Ends the worker of a library when it has answered what it was asked; the next call starts another.
    ///
    /// # Errors
    /// When there is no such library, or it has no worker.
    pub fn stop(&self, name: &str) -> Result<String, String> {
        let (_, backend) = self.in_use(name)?;
        let report = backend.report();
        if report.worker.is_none() {
            return Err(format!(
                "plugin \"{name}\" runs in pm's own process and cannot be stopped; restart pm"
            ));
        }
        backend.retire();
        Ok(match report.pids.as_slice() {
            [] => "it has no worker".to_owned(),
            [pid] => format!("its worker (pid {pid}) was ended; the next call starts another"),
            pids => format!("its {} workers were ended; the next call starts others", pids.len()),
        })
    }

    /// Who is told when the workers of a plugin keep dying: the plugin, and what happened last.
    pub fn alarm(&self, alarmed: impl Fn(&str, &str) + Send + Sync + 'static) {
        self.on_alarm(Arc::new(alarmed));
    }

    /// Who is told when another library, or the same one anew, provides these strategies: what failed before may work.
    pub fn on_mended(&self, mended: impl Fn(Vec<String>) + Send + Sync + 'static) {
        self.shelf.tell_mended(Box::new(mended));
    }

    /// The library that is called `name`, or offers a part that is.
    fn in_use(&self, name: &str) -> Result<(PathBuf, Arc<dyn Backend>), String> {
        let contents = self.contents();
        let called = |slot: &&Slot| slot.manifest.as_ref().is_some_and(|manifest| manifest.name == name);
        let offers = |slot: &&Slot| {
            let manifest = slot.manifest.as_ref();
            manifest.is_some_and(|manifest| manifest.offers.iter().any(|offer| offer.name == name))
        };
        let slots = || contents.slots.iter().filter(|slot| slot.backend().is_some());
        let slot = slots().find(called).or_else(|| slots().find(offers));
        let found = slot.and_then(|slot| Some((slot.file.clone(), Arc::clone(slot.backend()?))));
        found.ok_or_else(|| match contents.slots.iter().find(called).and_then(Slot::refusal) {
            Some(refusal) => refusal.to_string(),
            None => format!(
                "there is no plugin \"{name}\" in {}; see: pm plugins list",
                self.directory().display()
            ),
        })
    }
}
